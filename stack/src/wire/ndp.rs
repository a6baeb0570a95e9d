//! Neighbor Discovery's messages: RFC 4861, section 4. A message is an ICMPv6 message whose body is more than an echo
//! or a quotation: fields, then options of at least eight bytes each.

use core::net::Ipv6Addr;

use crate::addr::Mac;
use crate::wire::Malformed;
use crate::wire::icmpv6::{self, Kind, Pseudo};

/// ICMPv6 types.
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;

/// Every message is sent with this hop limit, so that none comes from beyond the link: RFC 4861, section 11.2.
pub const HOP_LIMIT: u8 = 255;

/// Bytes of the longest message that is emitted here: an advertisement of a router with all three options.
pub const LONGEST: usize = icmpv6::HEADER + 8 + 8 + 8 + 32;

/// What a message says, options apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    RouterSolicitation,
    RouterAdvertisement(RouterAdvertisement),
    NeighbourSolicitation {
        target: Ipv6Addr,
    },
    NeighbourAdvertisement {
        target: Ipv6Addr,
        router: bool,
        solicited: bool,
        replaces: bool,
    },
    Redirect,
}

/// What a router says of itself and its link: RFC 4861, section 4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RouterAdvertisement {
    /// The hop limit to use; 0: it does not say.
    pub hop_limit: u8,
    /// There is DHCPv6 for addresses (M), and for the rest (O).
    pub managed: bool,
    pub other: bool,
    /// Seconds for which it is a default router; 0: it is none.
    pub lifetime: u16,
    /// Milliseconds for which a neighbour is trusted; 0: it does not say.
    pub reachable: u32,
    /// Milliseconds between solicitations; 0: it does not say.
    pub retransmit: u32,
}

/// A prefix of the link: RFC 4861, section 4.6.2. Lifetimes are seconds, all ones without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    pub address: Ipv6Addr,
    pub len: u8,
    /// Addresses of it are on the link (L).
    pub on_link: bool,
    /// Hosts may form an address of it (A).
    pub autonomous: bool,
    pub valid: u32,
    pub preferred: u32,
}

/// Options that mean something to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NdpOption {
    SourceLinkLayer(Mac),
    TargetLinkLayer(Mac),
    Prefix(Prefix),
    Mtu(u32),
    Other(u8),
}

/// A message, checked: the body is whole, and no option's length is zero or leads out of it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub body: Body,
    options: &'a [u8],
}

impl<'a> Message<'a> {
    /// The discovery message of an ICMPv6 message; `None`: it is another one.
    pub fn of(message: &icmpv6::Message<'a>) -> Option<Result<Message<'a>, Malformed>> {
        let Kind::Other { kind, code, rest } = message.kind() else {
            return None;
        };
        if !(ROUTER_SOLICITATION..=REDIRECT).contains(&kind) {
            return None;
        }
        if code != 0 {
            return Some(Err(Malformed::Kind));
        }
        Some(Message::parse(kind, rest, message.payload()))
    }

    fn parse(kind: u8, rest: u32, payload: &'a [u8]) -> Result<Message<'a>, Malformed> {
        let (body, options) = match kind {
            ROUTER_SOLICITATION => (Body::RouterSolicitation, payload),
            ROUTER_ADVERTISEMENT => {
                let (fields, options) = payload.split_at_checked(8).ok_or(Malformed::Truncated)?;
                let [hop_limit, flags, lifetime @ ..] = rest.to_be_bytes();
                let advertisement = RouterAdvertisement {
                    hop_limit,
                    managed: flags & 0x80 != 0,
                    other: flags & 0x40 != 0,
                    lifetime: u16::from_be_bytes(lifetime),
                    reachable: word(fields, 0),
                    retransmit: word(fields, 4),
                };
                (Body::RouterAdvertisement(advertisement), options)
            }
            NEIGHBOUR_SOLICITATION | NEIGHBOUR_ADVERTISEMENT => {
                let (target, options) = payload
                    .split_first_chunk::<16>()
                    .ok_or(Malformed::Truncated)?;
                let target = Ipv6Addr::from(*target);
                let body = if kind == NEIGHBOUR_SOLICITATION {
                    Body::NeighbourSolicitation { target }
                } else {
                    Body::NeighbourAdvertisement {
                        target,
                        router: rest & 1 << 31 != 0,
                        solicited: rest & 1 << 30 != 0,
                        replaces: rest & 1 << 29 != 0,
                    }
                };
                (body, options)
            }
            _ => {
                let (_, options) = payload.split_at_checked(32).ok_or(Malformed::Truncated)?;
                (Body::Redirect, options)
            }
        };
        let message = Message { body, options };
        for option in message.options() {
            option?;
        }
        Ok(message)
    }

    /// The options: at most one for each eight bytes.
    pub fn options(&self) -> Options<'a> {
        Options { rest: self.options }
    }

    /// The sender's Ethernet address, if it says it.
    pub fn source_link_layer(&self) -> Option<Mac> {
        self.options().flatten().find_map(|option| match option {
            NdpOption::SourceLinkLayer(mac) => Some(mac),
            _ => None,
        })
    }

    /// The target's Ethernet address, if it says it.
    pub fn target_link_layer(&self) -> Option<Mac> {
        self.options().flatten().find_map(|option| match option {
            NdpOption::TargetLinkLayer(mac) => Some(mac),
            _ => None,
        })
    }
}

/// A cursor over options.
pub struct Options<'a> {
    rest: &'a [u8],
}

impl Iterator for Options<'_> {
    type Item = Result<NdpOption, Malformed>;
    fn next(&mut self) -> Option<Result<NdpOption, Malformed>> {
        if self.rest.is_empty() {
            return None;
        }
        let &[kind, units, ..] = self.rest else {
            self.rest = &[];
            return Some(Err(Malformed::Option));
        };
        let Some((option, rest)) = self
            .rest
            .split_at_checked(usize::from(units) * 8)
            .filter(|_| units > 0)
        else {
            self.rest = &[];
            return Some(Err(Malformed::Option));
        };
        self.rest = rest;
        Some(Ok(read_option(kind, option)))
    }
}

fn read_option(kind: u8, option: &[u8]) -> NdpOption {
    let mac = |option: &[u8]| Mac(core::array::from_fn(|i| option[2 + i]));
    match (kind, option.len()) {
        (1, 8) => NdpOption::SourceLinkLayer(mac(option)),
        (2, 8) => NdpOption::TargetLinkLayer(mac(option)),
        (3, 32) => NdpOption::Prefix(Prefix {
            len: option[2],
            on_link: option[3] & 0x80 != 0,
            autonomous: option[3] & 0x40 != 0,
            valid: word(option, 4),
            preferred: word(option, 8),
            address: Ipv6Addr::from(core::array::from_fn::<u8, 16, _>(|i| option[16 + i])),
        }),
        (5, 8) => NdpOption::Mtu(word(option, 4)),
        _ => NdpOption::Other(kind),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(core::array::from_fn(|i| bytes[at + i]))
}

/// A message to be sent: its body and the options that we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    pub body: Body,
    /// Our Ethernet address: the source's, or in an advertisement of a neighbour the target's.
    pub mac: Option<Mac>,
    pub mtu: Option<u32>,
    pub prefix: Option<Prefix>,
}

impl Repr {
    /// A message with at most the option that names an Ethernet address.
    pub fn new(body: Body, mac: Option<Mac>) -> Repr {
        Repr {
            body,
            mac,
            mtu: None,
            prefix: None,
        }
    }

    /// Bytes of the message.
    pub fn size(&self) -> usize {
        let body = match self.body {
            Body::RouterSolicitation => 0,
            Body::RouterAdvertisement(_) => 8,
            Body::NeighbourSolicitation { .. } | Body::NeighbourAdvertisement { .. } => 16,
            Body::Redirect => 32,
        };
        let options = 8 * usize::from(self.mac.is_some())
            + 8 * usize::from(self.mtu.is_some())
            + 32 * usize::from(self.prefix.is_some());
        icmpv6::HEADER + body + options
    }

    /// Writes the message, checksum and all, at the front of `to`, and returns the rest.
    pub fn emit<'b>(&self, to: &'b mut [u8], pseudo: Pseudo) -> &'b mut [u8] {
        let mut payload = Payload::default();
        let (kind, rest) = match self.body {
            Body::RouterSolicitation => (ROUTER_SOLICITATION, 0),
            Body::RouterAdvertisement(a) => {
                payload.put(&a.reachable.to_be_bytes());
                payload.put(&a.retransmit.to_be_bytes());
                let flags = u8::from(a.managed) << 7 | u8::from(a.other) << 6;
                let [high, low] = a.lifetime.to_be_bytes();
                let rest = u32::from_be_bytes([a.hop_limit, flags, high, low]);
                (ROUTER_ADVERTISEMENT, rest)
            }
            Body::NeighbourSolicitation { target } => {
                payload.put(&target.octets());
                (NEIGHBOUR_SOLICITATION, 0)
            }
            Body::NeighbourAdvertisement {
                target,
                router,
                solicited,
                replaces,
            } => {
                payload.put(&target.octets());
                let flags = u32::from(router) << 31
                    | u32::from(solicited) << 30
                    | u32::from(replaces) << 29;
                (NEIGHBOUR_ADVERTISEMENT, flags)
            }
            Body::Redirect => {
                payload.put(&[0; 32]);
                (REDIRECT, 0)
            }
        };
        if let Some(mac) = self.mac {
            let target = matches!(self.body, Body::NeighbourAdvertisement { .. });
            payload.put(&[1 + u8::from(target), 1]);
            payload.put(&mac.0);
        }
        if let Some(mtu) = self.mtu {
            payload.put(&[5, 1, 0, 0]);
            payload.put(&mtu.to_be_bytes());
        }
        if let Some(prefix) = self.prefix {
            let flags = u8::from(prefix.on_link) << 7 | u8::from(prefix.autonomous) << 6;
            payload.put(&[3, 4, prefix.len, flags]);
            payload.put(&prefix.valid.to_be_bytes());
            payload.put(&prefix.preferred.to_be_bytes());
            payload.put(&[0; 4]);
            payload.put(&prefix.address.octets());
        }
        let code = 0;
        let message = icmpv6::Repr {
            kind: Kind::Other { kind, code, rest },
            payload: payload.bytes(),
        };
        message.emit(to, pseudo)
    }
}

/// A message's body while it is written.
struct Payload {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Default for Payload {
    fn default() -> Payload {
        Payload {
            bytes: [0; LONGEST],
            len: 0,
        }
    }
}

impl Payload {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use proptest::prelude::*;

    const PSEUDO: Pseudo = Pseudo {
        src: Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 1),
        dst: Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 1),
    };
    const TARGET: Ipv6Addr = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 9);
    const MAC: Mac = Mac([2, 0, 0, 0, 0, 7]);

    fn emitted(repr: &Repr) -> Vec<u8> {
        let mut bytes = vec![0; repr.size()];
        assert!(repr.emit(&mut bytes, PSEUDO).is_empty());
        bytes
    }

    fn reprs() -> Vec<Repr> {
        let prefix = Prefix {
            address: Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 0),
            len: 64,
            on_link: true,
            autonomous: true,
            valid: 86_400,
            preferred: 14_400,
        };
        let advertisement = RouterAdvertisement {
            hop_limit: 64,
            managed: false,
            other: true,
            lifetime: 1800,
            reachable: 30_000,
            retransmit: 1_000,
        };
        let neighbour = Body::NeighbourAdvertisement {
            target: TARGET,
            router: false,
            solicited: true,
            replaces: true,
        };
        vec![
            Repr::new(Body::RouterSolicitation, Some(MAC)),
            Repr {
                mtu: Some(1400),
                prefix: Some(prefix),
                ..Repr::new(Body::RouterAdvertisement(advertisement), Some(MAC))
            },
            Repr::new(Body::NeighbourSolicitation { target: TARGET }, None),
            Repr::new(neighbour, Some(MAC)),
        ]
    }

    #[test]
    fn every_message_survives_the_wire() {
        for repr in reprs() {
            let bytes = emitted(&repr);
            let icmp = icmpv6::Message::parse(&bytes, PSEUDO).unwrap();
            let message = Message::of(&icmp).unwrap().unwrap();
            assert_eq!(message.body, repr.body);
            let mut back = Repr::new(message.body, None);
            for option in message.options() {
                match option.unwrap() {
                    NdpOption::SourceLinkLayer(mac) | NdpOption::TargetLinkLayer(mac) => {
                        back.mac = Some(mac);
                    }
                    NdpOption::Prefix(prefix) => back.prefix = Some(prefix),
                    NdpOption::Mtu(mtu) => back.mtu = Some(mtu),
                    NdpOption::Other(kind) => panic!("option {kind}"),
                }
            }
            assert_eq!(back, repr);
        }
    }

    #[test]
    fn an_option_of_no_length_or_beyond_the_end_is_refused() {
        for bad in [
            &[1, 0, 0, 0, 0, 0, 0, 0][..],
            &[1, 2, 0, 0, 0, 0, 0, 0],
            &[1],
        ] {
            let why = Message::parse(ROUTER_SOLICITATION, 0, bad).err();
            assert_eq!(why, Some(Malformed::Option));
        }
    }

    #[test]
    fn an_echo_is_none_of_them_and_another_code_is_refused() {
        let message = |kind| {
            let repr = icmpv6::Repr { kind, payload: &[] };
            let mut bytes = vec![0; repr.size()];
            repr.emit(&mut bytes, PSEUDO);
            bytes
        };
        let (echo, rest) = (message(Kind::EchoReply { ident: 1, seq: 1 }), 0);
        let icmp = icmpv6::Message::parse(&echo, PSEUDO).unwrap();
        assert!(Message::of(&icmp).is_none());
        let (kind, code) = (ROUTER_SOLICITATION, 1);
        let odd = message(Kind::Other { kind, code, rest });
        let icmp = icmpv6::Message::parse(&odd, PSEUDO).unwrap();
        assert_eq!(Message::of(&icmp).unwrap().err(), Some(Malformed::Kind));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(kind in 133u8..=137, rest: u32, payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(message) = Message::parse(kind, rest, &payload) {
                prop_assert!(message.options().count() <= 25);
            }
        }
    }
}
