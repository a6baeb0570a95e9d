//! What stands between an IPv6 header and the upper layer: RFC 8200, section 4. The chain is walked with two bounds,
//! so many headers and so many options, since a sender can make it as long as the packet; what is odd about it is told
//! with the place that an ICMP "parameter problem" has to point at.

use xen_abi::Fuel;
use zerocopy::byteorder::{BE, U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::wire::header_mut;
use crate::wire::ipv4::Protocol;

/// Headers that a chain may have: each kind once, destination options twice (RFC 8200, section 4.1), and some air.
const MOST_HEADERS: usize = 8;
/// Options in one header that are looked at (RFC 8504, section 5.3, suggests 8 that are not padding).
const MOST_OPTIONS: usize = 16;

/// Bytes of a fragment header.
pub const FRAGMENT_HEADER: usize = size_of::<FragmentHeader>();

/// The fragment header as it lies in a packet.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct FragmentHeader {
    next_header: u8,
    reserved: u8,
    /// Offset in units of 8 bytes (13 bits), two reserved bits, "more fragments".
    offset_more: U16<BE>,
    ident: U32<BE>,
}

/// What a fragment header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// What the fragmentable part begins with.
    pub next_header: Protocol,
    /// In bytes; a multiple of 8.
    pub offset: usize,
    pub more: bool,
    pub ident: u32,
}

impl Fragment {
    fn parse(bytes: &[u8]) -> Option<Fragment> {
        let (header, _) = FragmentHeader::ref_from_prefix(bytes).ok()?;
        let offset_more = header.offset_more.get();
        Some(Fragment {
            next_header: Protocol(header.next_header),
            offset: usize::from(offset_more & !7),
            more: offset_more & 1 != 0,
            ident: header.ident.get(),
        })
    }
    /// Writes the header at the front of `to`, and returns the rest.
    pub fn emit<'b>(&self, to: &'b mut [u8]) -> &'b mut [u8] {
        assert!(
            self.offset.is_multiple_of(8) && self.offset <= 0xFFF8,
            "an offset counts in units of 8 bytes"
        );
        let (header, rest) = header_mut::<FragmentHeader>(to);
        header.next_header = self.next_header.0;
        header.reserved = 0;
        header
            .offset_more
            .set(self.offset as u16 | u16::from(self.more));
        header.ident.set(self.ident);
        rest
    }
}

/// Where a chain leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upper {
    /// The upper layer, or [`Protocol::FRAGMENT`] with its header in `fragment`.
    pub protocol: Protocol,
    /// Where its bytes begin.
    pub at: usize,
    /// Where the field stands that names it.
    pub named_at: usize,
    /// The fragment header, if the chain leads to one: then `at` is where the fragment's bytes begin.
    pub fragment: Option<Fragment>,
}

/// What is wrong with a chain, and which "parameter problem" says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stable text of the trace.
    pub why: &'static str,
    /// The code and the pointer of the ICMP message; `None`: the packet is dropped in silence.
    pub code_and_pointer: Option<(u8, usize)>,
    /// The message is also sent about a packet to a group (RFC 4443, section 2.4 (e.3)).
    pub even_to_groups: bool,
}

/// "Erroneous header field".
pub const ERRONEOUS_FIELD: u8 = 0;
/// "Unrecognized Next Header type".
pub const UNKNOWN_NEXT_HEADER: u8 = 1;
/// "Unrecognized IPv6 option".
const UNKNOWN_OPTION: u8 = 2;
/// "IPv6 First Fragment has incomplete IPv6 Header Chain": RFC 7112.
pub const INCOMPLETE_CHAIN: u8 = 3;

impl Problem {
    const fn silent(why: &'static str) -> Problem {
        Problem {
            why,
            code_and_pointer: None,
            even_to_groups: false,
        }
    }
    const fn at(why: &'static str, code: u8, pointer: usize) -> Problem {
        Problem {
            why,
            code_and_pointer: Some((code, pointer)),
            even_to_groups: false,
        }
    }
}

/// Walks the chain that begins with `first`, named at `named_at`, at `at` in `bytes`. `at_start`: the chain follows
/// the fixed header, so that hop-by-hop options may come first.
pub fn walk(
    bytes: &[u8],
    first: Protocol,
    named_at: usize,
    at: usize,
    at_start: bool,
    fuel: &Fuel,
) -> Result<Upper, Problem> {
    let mut upper = Upper {
        protocol: first,
        at,
        named_at,
        fragment: None,
    };
    for nth in 0..=MOST_HEADERS {
        let options = match upper.protocol {
            Protocol::HOP_BY_HOP if nth == 0 && at_start => true,
            Protocol::HOP_BY_HOP => {
                let why = "hop-by-hop options are not the first header";
                return Err(Problem::at(why, UNKNOWN_NEXT_HEADER, upper.named_at));
            }
            Protocol::DESTINATION_OPTIONS => true,
            Protocol::ROUTING => false,
            Protocol::FRAGMENT => {
                let rest = bytes.get(upper.at..).unwrap_or(&[]);
                let fragment = Fragment::parse(rest).ok_or(Problem::silent("truncated"))?;
                return Ok(Upper {
                    at: upper.at + FRAGMENT_HEADER,
                    fragment: Some(fragment),
                    ..upper
                });
            }
            _ => return Ok(upper),
        };
        fuel.burn(1);
        let rest = bytes.get(upper.at..).unwrap_or(&[]);
        let &[next, len, ..] = rest else {
            return Err(Problem::silent("truncated"));
        };
        let len = (usize::from(len) + 1) * 8;
        let Some(header) = rest.get(..len) else {
            return Err(Problem::silent("bad header length"));
        };
        if options {
            check_options(header, upper.at, fuel)?;
        } else {
            check_routing(header, upper.at)?;
        }
        upper = Upper {
            protocol: Protocol(next),
            at: upper.at + len,
            named_at: upper.at,
            fragment: None,
        };
    }
    Err(Problem::silent("too many extension headers"))
}

/// Options that we don't know say themselves what shall become of the packet: RFC 8200, section 4.2. We know padding.
fn check_options(header: &[u8], at: usize, fuel: &Fuel) -> Result<(), Problem> {
    let mut place = 2;
    for _ in 0..MOST_OPTIONS {
        fuel.burn(1);
        let (kind, len) = match header.get(place..) {
            None | Some([]) => return Ok(()),
            Some([0, ..]) => (0, 1),
            Some([kind, len, ..]) => (*kind, 2 + usize::from(*len)),
            Some([_]) => return Err(Problem::silent("bad option")),
        };
        let end = place + len;
        if end > header.len() {
            return Err(Problem::silent("bad option"));
        }
        let why = "unknown option";
        match (kind, kind >> 6) {
            (0 | 1, _) | (_, 0) => {}
            (_, 1) => return Err(Problem::silent(why)),
            (_, action) => {
                return Err(Problem {
                    even_to_groups: action == 2,
                    ..Problem::at(why, UNKNOWN_OPTION, at + place)
                });
            }
        }
        place = end;
    }
    if place < header.len() {
        return Err(Problem::silent("too many options"));
    }
    Ok(())
}

/// We are no router: a routing header whose way is not over is for nobody (RFC 8200, section 4.4, and RFC 5095).
fn check_routing(header: &[u8], at: usize) -> Result<(), Problem> {
    match header {
        [_, _, _, 0, ..] => Ok(()),
        _ => Err(Problem::at("source routing", ERRONEOUS_FIELD, at + 2)),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use proptest::prelude::*;

    const TCP: u8 = Protocol::TCP.0;

    fn walked(first: u8, bytes: &[u8]) -> Result<Upper, Problem> {
        walk(bytes, Protocol(first), 6, 0, true, &Fuel::unlimited())
    }

    #[test]
    fn known_headers_lead_to_the_upper_layer() {
        let hop_by_hop = [60, 0, 1, 4, 0, 0, 0, 0];
        let destination = [43, 0, 0, 0, 0, 1, 1, 0];
        let routing = [TCP, 0, 4, 0, 0, 0, 0, 0];
        let bytes = [hop_by_hop, destination, routing].concat();
        let upper = walked(0, &bytes).unwrap();
        assert_eq!((upper.protocol, upper.at), (Protocol::TCP, 24));
        assert_eq!((upper.named_at, upper.fragment), (16, None));
        let direct = walked(TCP, &[]).unwrap();
        assert_eq!((direct.at, direct.named_at), (0, 6));
    }

    #[test]
    fn a_fragment_header_survives_the_wire() {
        let fragment = Fragment {
            next_header: Protocol::UDP,
            offset: 1448,
            more: true,
            ident: 0xDEAD_BEEF,
        };
        let mut bytes = [0; FRAGMENT_HEADER + 3];
        assert_eq!(fragment.emit(&mut bytes).len(), 3);
        let upper = walked(44, &bytes).unwrap();
        assert_eq!((upper.fragment, upper.at), (Some(fragment), 8));
    }

    #[test]
    fn what_is_odd_is_pointed_at() {
        let code = |first, bytes: &[u8]| walked(first, bytes).unwrap_err().code_and_pointer;
        let destination = [0, 0, 1, 4, 0, 0, 0, 0];
        let second = code(60, &[destination, destination].concat());
        assert_eq!(second, Some((UNKNOWN_NEXT_HEADER, 0)));
        let routed = [TCP, 0, 0, 1, 0, 0, 0, 0];
        assert_eq!(code(43, &routed), Some((ERRONEOUS_FIELD, 2)));
        let option = |kind| [TCP, 0, 0, kind, 2, 0, 0, 0];
        assert!(walked(0, &option(0x3E)).is_ok(), "skipped");
        assert_eq!(code(0, &option(0x7E)), None);
        assert_eq!(code(0, &option(0xBE)), Some((UNKNOWN_OPTION, 3)));
        assert!(walked(0, &option(0xBE)).unwrap_err().even_to_groups);
        assert!(!walked(0, &option(0xFE)).unwrap_err().even_to_groups);
        assert_eq!(code(0, &[TCP, 0, 5, 5, 0, 0, 0, 0]), None, "too long");
        assert_eq!(code(0, &[TCP, 1, 1, 4, 0, 0, 0, 0]), None, "truncated");
    }

    #[test]
    fn a_chain_is_followed_only_so_far() {
        let bytes: Vec<u8> = [60, 0, 1, 4, 0, 0, 0, 0].repeat(100);
        let fuel = Fuel::new(1000);
        let why = walk(&bytes, Protocol::DESTINATION_OPTIONS, 6, 0, true, &fuel);
        assert_eq!(why.unwrap_err().why, "too many extension headers");
        assert!(fuel.left() > 900);
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_the_walk_ends(first in prop_oneof![Just(0u8), Just(43), Just(44), Just(60)], bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let fuel = Fuel::new(1000);
            if let Ok(upper) = walk(&bytes, Protocol(first), 6, 0, true, &fuel) {
                prop_assert!(upper.at <= bytes.len());
            }
            prop_assert!(fuel.left() >= 1000 - 9 * 18);
        }
    }
}
