//! UDP: RFC 768.

use zerocopy::byteorder::{BE, U16};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::addr::IpAddress;
use crate::checksum::Sum;
use crate::wire::ipv4::Protocol;
use crate::wire::{Malformed, header_mut};

/// Bytes of the header.
pub const HEADER: usize = size_of::<Header>();

/// The header as it lies in a packet.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    src_port: U16<BE>,
    dst_port: U16<BE>,
    len: U16<BE>,
    checksum: U16<BE>,
}

/// The addresses that the checksum covers too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pseudo {
    pub src: IpAddress,
    pub dst: IpAddress,
}

impl Pseudo {
    fn sum(self, len: usize) -> Sum {
        Sum::pseudo(self.src, self.dst, Protocol::UDP.0, len)
    }
}

/// A datagram, checked: length, and the checksum if it has one.
#[derive(Clone, Copy)]
pub struct Datagram<'a> {
    header: &'a Header,
    payload: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// Checks the length, and the checksum unless there is none or the device vouches for it (`csum_ok`). Over version 6
    /// there must be one (RFC 8200, section 8.1).
    pub fn parse(
        bytes: &'a [u8],
        pseudo: Pseudo,
        csum_ok: bool,
    ) -> Result<Datagram<'a>, Malformed> {
        let (header, _) = Header::ref_from_prefix(bytes).map_err(|_| Malformed::Truncated)?;
        let len = usize::from(header.len.get());
        if len < HEADER {
            return Err(Malformed::Length);
        }
        let bytes = bytes.get(..len).ok_or(Malformed::Length)?;
        if header.checksum.get() == 0 && pseudo.src.is_ipv6() {
            return Err(Malformed::Checksum);
        }
        if header.checksum.get() != 0 && !csum_ok {
            let mut sum = pseudo.sum(len);
            sum.add(bytes);
            if sum.finish() != 0 {
                return Err(Malformed::Checksum);
            }
        }
        Ok(Datagram {
            header,
            payload: &bytes[HEADER..],
        })
    }
    /// The sender's port.
    pub fn src_port(&self) -> u16 {
        self.header.src_port.get()
    }
    /// The receiver's port.
    pub fn dst_port(&self) -> u16 {
        self.header.dst_port.get()
    }
    /// What it carries.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// What a datagram says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr<'a> {
    pub src_port: u16,
    pub dst_port: u16,
    pub payload: &'a [u8],
}

impl<'a> Repr<'a> {
    /// What a datagram says.
    pub fn of(datagram: &Datagram<'a>) -> Repr<'a> {
        Repr {
            src_port: datagram.src_port(),
            dst_port: datagram.dst_port(),
            payload: datagram.payload(),
        }
    }
    /// Bytes of the datagram.
    pub fn size(&self) -> usize {
        HEADER + self.payload.len()
    }
    /// Writes the datagram at the front of `to`, and returns the rest. `partial`: the device completes the checksum,
    /// so only the pseudo-header's sum is written.
    pub fn emit<'b>(&self, to: &'b mut [u8], pseudo: Pseudo, partial: bool) -> &'b mut [u8] {
        let len = self.size();
        let Ok(wire_len) = u16::try_from(len) else {
            panic!("a datagram's length has 16 bits");
        };
        let (datagram, rest) = to.split_at_mut(len);
        let (header, payload) = header_mut::<Header>(datagram);
        header.src_port.set(self.src_port);
        header.dst_port.set(self.dst_port);
        header.len.set(wire_len);
        header.checksum.set(0);
        let mut sum = pseudo.sum(len);
        let value = if partial {
            payload.copy_from_slice(self.payload);
            sum.partial()
        } else {
            sum.add(header.as_bytes());
            sum.add_copy(payload, self.payload);
            match sum.finish() {
                // Zero would say that there is no checksum; all ones is the same number.
                0 => 0xFFFF,
                sum => sum,
            }
        };
        header.checksum.set(value);
        rest
    }
}

/// Writes the header of a datagram whose payload is already in its place. `sum`: the pseudo-header's. `partial`: the
/// device completes it.
pub fn write_header(datagram: &mut [u8], (src, dst): (u16, u16), mut sum: Sum, partial: bool) {
    let Ok(wire_len) = u16::try_from(datagram.len()) else {
        panic!("a datagram's length has 16 bits");
    };
    let (header, payload) = header_mut::<Header>(datagram);
    header.src_port.set(src);
    header.dst_port.set(dst);
    header.len.set(wire_len);
    header.checksum.set(0);
    let value = if partial {
        sum.partial()
    } else {
        sum.add(header.as_bytes());
        sum.add(payload);
        match sum.finish() {
            0 => 0xFFFF,
            sum => sum,
        }
    };
    header.checksum.set(value);
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;
    use core::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const PSEUDO: Pseudo = Pseudo {
        src: IpAddress::V4(Ipv4Addr::new(10, 0, 0, 1)),
        dst: IpAddress::V4(Ipv4Addr::new(10, 0, 0, 2)),
    };

    fn emitted(payload: &[u8]) -> Vec<u8> {
        let repr = Repr {
            src_port: 4000,
            dst_port: 53,
            payload,
        };
        let mut bytes = vec![0; repr.size()];
        repr.emit(&mut bytes, PSEUDO, false);
        let back = Datagram::parse(&bytes, PSEUDO, false).unwrap();
        assert_eq!(Repr::of(&back), repr);
        bytes
    }

    #[test]
    fn a_datagram_survives_the_wire_with_any_length() {
        for len in 0..20 {
            emitted(&vec![0xA5; len]);
        }
    }

    #[test]
    fn a_wrong_checksum_is_refused_unless_there_is_none_or_the_device_vouches() {
        let mut bytes = emitted(b"question");
        bytes[HEADER] ^= 1;
        let parse = |bytes: &[u8], csum_ok| Datagram::parse(bytes, PSEUDO, csum_ok).err();
        assert_eq!(parse(&bytes, false), Some(Malformed::Checksum));
        assert_eq!(parse(&bytes, true), None);
        bytes[6..8].fill(0);
        assert_eq!(parse(&bytes, false), None);
        let six = Pseudo {
            src: Ipv6Addr::LOCALHOST.into(),
            dst: Ipv6Addr::LOCALHOST.into(),
        };
        let none = Datagram::parse(&bytes, six, false).err();
        assert_eq!(none, Some(Malformed::Checksum));
    }

    #[test]
    fn a_checksum_of_zero_is_sent_as_all_ones() {
        let zero = (0..=u16::MAX).find(|n| emitted(&n.to_be_bytes())[6..8] == [0xFF, 0xFF]);
        assert!(zero.is_some());
    }

    #[test]
    fn a_length_that_lies_is_refused() {
        let bytes = emitted(b"question");
        for (lie, why) in [(7, Malformed::Length), (17, Malformed::Length)] {
            let mut bad = bytes.clone();
            bad[4..6].copy_from_slice(&u16::to_be_bytes(lie));
            assert_eq!(Datagram::parse(&bad, PSEUDO, true).err(), Some(why));
        }
        let short = Datagram::parse(&bytes[..7], PSEUDO, true).err();
        assert_eq!(short, Some(Malformed::Truncated));
    }
}
