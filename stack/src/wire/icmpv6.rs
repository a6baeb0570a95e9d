//! ICMP for IPv6: RFC 4443. Unlike IPv4's, its checksum covers a pseudo-header. Types 133 to 137 are Neighbor
//! Discovery's: their bodies are in [`super::ndp`].

use core::net::Ipv6Addr;

use zerocopy::byteorder::{BE, U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum::Sum;
use crate::wire::ipv4::Protocol;
use crate::wire::{Malformed, header_mut};

/// Bytes of the header.
pub const HEADER: usize = size_of::<Header>();

/// The header as it lies in a packet. What `rest` means depends on the type.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    kind: u8,
    code: u8,
    checksum: U16<BE>,
    rest: U32<BE>,
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    EchoRequest {
        ident: u16,
        seq: u16,
    },
    EchoReply {
        ident: u16,
        seq: u16,
    },
    Unreachable(Unreachable),
    /// The next hop's MTU.
    PacketTooBig {
        mtu: u32,
    },
    TimeExceeded(TimeExceeded),
    ParameterProblem {
        code: u8,
        /// Where in the packet the problem is.
        pointer: u32,
    },
    /// Neighbor Discovery, and types that this stack has no use for.
    Other {
        kind: u8,
        code: u8,
        rest: u32,
    },
}

/// The codes of "destination unreachable".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    NoRoute,
    Address,
    Port,
    /// Another code: prohibited, beyond the source's scope, failed policies, …
    Other(u8),
}

/// The codes of "time exceeded".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeExceeded {
    /// The hops were used up on the way.
    Transit,
    /// The missing fragments did not come.
    Reassembly,
}

impl Kind {
    fn of(header: &Header) -> Kind {
        let rest = header.rest.get();
        let (ident, seq) = ((rest >> 16) as u16, rest as u16);
        match (header.kind, header.code) {
            (1, code) => Kind::Unreachable(match code {
                0 => Unreachable::NoRoute,
                3 => Unreachable::Address,
                4 => Unreachable::Port,
                _ => Unreachable::Other(code),
            }),
            (2, _) => Kind::PacketTooBig { mtu: rest },
            (3, 0) => Kind::TimeExceeded(TimeExceeded::Transit),
            (3, 1) => Kind::TimeExceeded(TimeExceeded::Reassembly),
            (4, code) => Kind::ParameterProblem {
                code,
                pointer: rest,
            },
            (128, 0) => Kind::EchoRequest { ident, seq },
            (129, 0) => Kind::EchoReply { ident, seq },
            (kind, code) => Kind::Other { kind, code, rest },
        }
    }
    /// Type, code and the rest of the header.
    fn numbers(self) -> (u8, u8, u32) {
        let pair = |ident: u16, seq: u16| u32::from(ident) << 16 | u32::from(seq);
        match self {
            Kind::Unreachable(Unreachable::NoRoute) => (1, 0, 0),
            Kind::Unreachable(Unreachable::Address) => (1, 3, 0),
            Kind::Unreachable(Unreachable::Port) => (1, 4, 0),
            Kind::Unreachable(Unreachable::Other(code)) => (1, code, 0),
            Kind::PacketTooBig { mtu } => (2, 0, mtu),
            Kind::TimeExceeded(TimeExceeded::Transit) => (3, 0, 0),
            Kind::TimeExceeded(TimeExceeded::Reassembly) => (3, 1, 0),
            Kind::ParameterProblem { code, pointer } => (4, code, pointer),
            Kind::EchoRequest { ident, seq } => (128, 0, pair(ident, seq)),
            Kind::EchoReply { ident, seq } => (129, 0, pair(ident, seq)),
            Kind::Other { kind, code, rest } => (kind, code, rest),
        }
    }
    /// Whether it is an error: RFC 4443, section 2.1.
    pub fn is_error(self) -> bool {
        self.numbers().0 < 128
    }
}

/// The addresses that the checksum covers too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pseudo {
    pub src: Ipv6Addr,
    pub dst: Ipv6Addr,
}

impl Pseudo {
    fn sum(self, len: usize) -> Sum {
        Sum::pseudo(self.src.into(), self.dst.into(), Protocol::ICMPV6.0, len)
    }
}

/// A message, checked: whole header, right checksum.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    header: &'a Header,
    payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// Checks length and checksum.
    pub fn parse(bytes: &'a [u8], pseudo: Pseudo) -> Result<Message<'a>, Malformed> {
        let (header, payload) = Header::ref_from_prefix(bytes).map_err(|_| Malformed::Truncated)?;
        let mut sum = pseudo.sum(bytes.len());
        sum.add(bytes);
        if sum.finish() != 0 {
            return Err(Malformed::Checksum);
        }
        Ok(Message { header, payload })
    }
    /// What it is about.
    pub fn kind(&self) -> Kind {
        Kind::of(self.header)
    }
    /// An echo's data, the beginning of the packet that an error is about, or what a discovery message says further.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr<'a> {
    pub kind: Kind,
    pub payload: &'a [u8],
}

impl<'a> Repr<'a> {
    /// What a message says.
    pub fn of(message: &Message<'a>) -> Repr<'a> {
        Repr {
            kind: message.kind(),
            payload: message.payload(),
        }
    }
    /// Bytes of the message.
    pub fn size(&self) -> usize {
        HEADER + self.payload.len()
    }
    /// Writes the message, checksum and all, at the front of `to`, and returns the rest.
    pub fn emit<'b>(&self, to: &'b mut [u8], pseudo: Pseudo) -> &'b mut [u8] {
        let (message, rest) = to.split_at_mut(self.size());
        let (header, payload) = header_mut::<Header>(message);
        let (kind, code, value) = self.kind.numbers();
        header.kind = kind;
        header.code = code;
        header.checksum.set(0);
        header.rest.set(value);
        payload.copy_from_slice(self.payload);
        let mut sum = pseudo.sum(message.len());
        sum.add(message);
        header_mut::<Header>(message).0.checksum.set(sum.finish());
        rest
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const PSEUDO: Pseudo = Pseudo {
        src: Ipv6Addr::LOCALHOST,
        dst: Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 1),
    };

    #[test]
    fn every_kind_survives_the_wire() {
        let kinds = [
            Kind::EchoReply {
                ident: 1,
                seq: 0xFFFF,
            },
            Kind::EchoRequest {
                ident: 0xFFFF,
                seq: 2,
            },
            Kind::Unreachable(Unreachable::NoRoute),
            Kind::Unreachable(Unreachable::Address),
            Kind::Unreachable(Unreachable::Port),
            Kind::Unreachable(Unreachable::Other(1)),
            Kind::PacketTooBig { mtu: 1280 },
            Kind::TimeExceeded(TimeExceeded::Transit),
            Kind::TimeExceeded(TimeExceeded::Reassembly),
            Kind::ParameterProblem {
                code: 1,
                pointer: 40,
            },
            Kind::Other {
                kind: 135,
                code: 0,
                rest: 7,
            },
        ];
        for kind in kinds {
            let repr = Repr {
                kind,
                payload: b"odd",
            };
            let mut bytes = vec![0; repr.size()];
            repr.emit(&mut bytes, PSEUDO);
            let back = Message::parse(&bytes, PSEUDO).unwrap();
            assert_eq!(Repr::of(&back), repr);
            assert_eq!(kind.is_error(), bytes[0] < 128);
        }
    }

    #[test]
    fn a_wrong_checksum_is_refused_and_so_are_other_addresses() {
        let repr = Repr {
            kind: Kind::EchoRequest { ident: 7, seq: 1 },
            payload: &[1, 2, 3],
        };
        let mut good = vec![0; repr.size()];
        repr.emit(&mut good, PSEUDO);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                Message::parse(&bad, PSEUDO).err(),
                Some(Malformed::Checksum)
            );
        }
        let other = Pseudo {
            dst: Ipv6Addr::LOCALHOST,
            ..PSEUDO
        };
        assert_eq!(
            Message::parse(&good, other).err(),
            Some(Malformed::Checksum)
        );
        assert_eq!(
            Message::parse(&good[..7], PSEUDO).err(),
            Some(Malformed::Truncated)
        );
    }
}
