//! Ethernet II frames, without preamble and check sequence.

use zerocopy::byteorder::{BE, U16};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::addr::Mac;
use crate::wire::{Malformed, header_mut};

/// Bytes of the header.
pub const HEADER: usize = size_of::<Header>();

/// What a frame carries: the numbers of <https://www.iana.org/assignments/ieee-802-numbers>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4.
    pub const IPV4: EtherType = EtherType(0x0800);
    /// ARP.
    pub const ARP: EtherType = EtherType(0x0806);
    /// IPv6.
    pub const IPV6: EtherType = EtherType(0x86DD);
}

/// The header as it lies in a frame.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    dst: [u8; 6],
    src: [u8; 6],
    ethertype: U16<BE>,
}

/// A frame, checked.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    header: &'a Header,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Checks that the header is whole.
    pub fn parse(bytes: &'a [u8]) -> Result<Frame<'a>, Malformed> {
        let (header, payload) = Header::ref_from_prefix(bytes).map_err(|_| Malformed::Truncated)?;
        Ok(Frame { header, payload })
    }
    /// Whom it is for.
    pub fn dst(&self) -> Mac {
        Mac(self.header.dst)
    }
    /// Whose it is.
    pub fn src(&self) -> Mac {
        Mac(self.header.src)
    }
    /// What it carries.
    pub fn ethertype(&self) -> EtherType {
        EtherType(self.header.ethertype.get())
    }
    /// What follows the header, with the padding of short frames.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// What a frame's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    pub dst: Mac,
    pub src: Mac,
    pub ethertype: EtherType,
}

impl Repr {
    /// What a frame says.
    pub fn of(frame: &Frame<'_>) -> Repr {
        Repr {
            dst: frame.dst(),
            src: frame.src(),
            ethertype: frame.ethertype(),
        }
    }
    /// Writes the header at the front of `to`, and returns the rest for the payload.
    pub fn emit<'b>(&self, to: &'b mut [u8]) -> &'b mut [u8] {
        let (header, payload) = header_mut::<Header>(to);
        header.dst = self.dst.0;
        header.src = self.src.0;
        header.ethertype.set(self.ethertype.0);
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_wire() {
        let repr = Repr {
            dst: Mac::BROADCAST,
            src: Mac([2, 0, 0, 0, 0, 1]),
            ethertype: EtherType::ARP,
        };
        let mut bytes = [0; HEADER + 2];
        repr.emit(&mut bytes).copy_from_slice(b"hi");
        let frame = Frame::parse(&bytes).unwrap();
        assert_eq!(Repr::of(&frame), repr);
        assert_eq!(frame.payload(), b"hi");
    }

    #[test]
    fn a_runt_is_refused() {
        assert_eq!(
            Frame::parse(&[0; HEADER - 1]).err(),
            Some(Malformed::Truncated)
        );
    }
}
