//! ICMP for IPv4: RFC 792, with the next hop's MTU of RFC 1191.

use zerocopy::byteorder::{BE, U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum::checksum;
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
    EchoReply {
        ident: u16,
        seq: u16,
    },
    EchoRequest {
        ident: u16,
        seq: u16,
    },
    Unreachable(Unreachable),
    TimeExceeded(TimeExceeded),
    ParameterProblem {
        pointer: u8,
    },
    /// A type that this stack has no use for.
    Other {
        kind: u8,
        code: u8,
    },
}

/// The codes of "destination unreachable".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    Net,
    Host,
    Protocol,
    Port,
    /// Fragmentation needed and DF set; the next hop's MTU, 0 from routers that know no RFC 1191.
    PacketTooBig {
        mtu: u16,
    },
    /// Another code: source route failed, unknown or prohibited networks and hosts, …
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
            (0, 0) => Kind::EchoReply { ident, seq },
            (8, 0) => Kind::EchoRequest { ident, seq },
            (3, code) => Kind::Unreachable(match code {
                0 => Unreachable::Net,
                1 => Unreachable::Host,
                2 => Unreachable::Protocol,
                3 => Unreachable::Port,
                4 => Unreachable::PacketTooBig { mtu: seq },
                _ => Unreachable::Other(code),
            }),
            (11, 0) => Kind::TimeExceeded(TimeExceeded::Transit),
            (11, 1) => Kind::TimeExceeded(TimeExceeded::Reassembly),
            (12, 0) => Kind::ParameterProblem {
                pointer: (rest >> 24) as u8,
            },
            (kind, code) => Kind::Other { kind, code },
        }
    }
    /// Type, code and the rest of the header.
    fn numbers(self) -> (u8, u8, u32) {
        let pair = |ident: u16, seq: u16| u32::from(ident) << 16 | u32::from(seq);
        match self {
            Kind::EchoReply { ident, seq } => (0, 0, pair(ident, seq)),
            Kind::EchoRequest { ident, seq } => (8, 0, pair(ident, seq)),
            Kind::Unreachable(Unreachable::Net) => (3, 0, 0),
            Kind::Unreachable(Unreachable::Host) => (3, 1, 0),
            Kind::Unreachable(Unreachable::Protocol) => (3, 2, 0),
            Kind::Unreachable(Unreachable::Port) => (3, 3, 0),
            Kind::Unreachable(Unreachable::PacketTooBig { mtu }) => (3, 4, pair(0, mtu)),
            Kind::Unreachable(Unreachable::Other(code)) => (3, code, 0),
            Kind::TimeExceeded(TimeExceeded::Transit) => (11, 0, 0),
            Kind::TimeExceeded(TimeExceeded::Reassembly) => (11, 1, 0),
            Kind::ParameterProblem { pointer } => (12, 0, u32::from(pointer) << 24),
            Kind::Other { kind, code } => (kind, code, 0),
        }
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
    pub fn parse(bytes: &'a [u8]) -> Result<Message<'a>, Malformed> {
        let (header, payload) = Header::ref_from_prefix(bytes).map_err(|_| Malformed::Truncated)?;
        if checksum(bytes) != 0 {
            return Err(Malformed::Checksum);
        }
        Ok(Message { header, payload })
    }
    /// What it is about.
    pub fn kind(&self) -> Kind {
        Kind::of(self.header)
    }
    /// An echo's data, or the beginning of the packet that an error is about.
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
    pub fn emit<'b>(&self, to: &'b mut [u8]) -> &'b mut [u8] {
        let (message, rest) = to.split_at_mut(self.size());
        let (header, payload) = header_mut::<Header>(message);
        let (kind, code, value) = self.kind.numbers();
        header.kind = kind;
        header.code = code;
        header.checksum.set(0);
        header.rest.set(value);
        payload.copy_from_slice(self.payload);
        let sum = checksum(message);
        header_mut::<Header>(message).0.checksum.set(sum);
        rest
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

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
            Kind::Unreachable(Unreachable::Net),
            Kind::Unreachable(Unreachable::Host),
            Kind::Unreachable(Unreachable::Protocol),
            Kind::Unreachable(Unreachable::Port),
            Kind::Unreachable(Unreachable::PacketTooBig { mtu: 1400 }),
            Kind::Unreachable(Unreachable::Other(13)),
            Kind::TimeExceeded(TimeExceeded::Transit),
            Kind::TimeExceeded(TimeExceeded::Reassembly),
            Kind::ParameterProblem { pointer: 20 },
            Kind::Other { kind: 13, code: 0 },
        ];
        for kind in kinds {
            let repr = Repr {
                kind,
                payload: b"odd",
            };
            let mut bytes = vec![0; repr.size()];
            repr.emit(&mut bytes);
            assert_eq!(Repr::of(&Message::parse(&bytes).unwrap()), repr);
        }
    }

    #[test]
    fn a_wrong_checksum_is_refused() {
        let repr = Repr {
            kind: Kind::EchoRequest { ident: 7, seq: 1 },
            payload: &[1, 2, 3],
        };
        let mut good = vec![0; repr.size()];
        repr.emit(&mut good);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Message::parse(&bad).err(), Some(Malformed::Checksum));
        }
        assert_eq!(Message::parse(&good[..7]).err(), Some(Malformed::Truncated));
    }
}
