//! IPv6: RFC 8200. The fixed header; what may stand between it and the upper layer is in [`super::ipv6_extension`].

use core::net::Ipv6Addr;

use zerocopy::byteorder::{BE, U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::wire::ipv4::Protocol;
use crate::wire::{Malformed, header_mut};

/// Bytes of the header.
pub const HEADER: usize = size_of::<Header>();
/// The largest payload without the jumbo option, which this stack does not speak.
pub const MAX_PAYLOAD: usize = 65_535;
/// Every link takes packets of so many bytes: RFC 8200, section 5.
pub const MIN_MTU: usize = 1280;

impl Protocol {
    /// Hop-by-hop options.
    pub const HOP_BY_HOP: Protocol = Protocol(0);
    /// The routing header.
    pub const ROUTING: Protocol = Protocol(43);
    /// The fragment header.
    pub const FRAGMENT: Protocol = Protocol(44);
    /// ICMP for IPv6.
    pub const ICMPV6: Protocol = Protocol(58);
    /// Nothing follows.
    pub const NO_NEXT_HEADER: Protocol = Protocol(59);
    /// Options for the destination.
    pub const DESTINATION_OPTIONS: Protocol = Protocol(60);
}

/// The header as it lies in a frame.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    /// Version (4 bits), traffic class (8), flow label (20).
    version_class_label: U32<BE>,
    payload_len: U16<BE>,
    next_header: u8,
    hop_limit: u8,
    src: [u8; 16],
    dst: [u8; 16],
}

/// A packet, checked: version and length.
#[derive(Clone, Copy)]
pub struct Packet<'a> {
    header: &'a Header,
    bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Checks the header. What follows the payload's length is padding of the frame and left out.
    pub fn parse(bytes: &'a [u8]) -> Result<Packet<'a>, Malformed> {
        let packet = Packet::parse_quoted(bytes)?;
        let total = HEADER + usize::from(packet.header.payload_len.get());
        let bytes = bytes.get(..total).ok_or(Malformed::Length)?;
        Ok(Packet { bytes, ..packet })
    }
    /// As [`Packet::parse`], for the beginning of a packet that an ICMP error quotes: the payload may be cut.
    pub fn parse_quoted(bytes: &'a [u8]) -> Result<Packet<'a>, Malformed> {
        let (header, _) = Header::ref_from_prefix(bytes).map_err(|_| Malformed::Truncated)?;
        if header.version_class_label.get() >> 28 != 6 {
            return Err(Malformed::Version);
        }
        Ok(Packet { header, bytes })
    }
    /// Whose it is.
    pub fn src(&self) -> Ipv6Addr {
        self.header.src.into()
    }
    /// Whom it is for.
    pub fn dst(&self) -> Ipv6Addr {
        self.header.dst.into()
    }
    /// What follows the header: an extension header or the upper layer.
    pub fn next_header(&self) -> Protocol {
        Protocol(self.header.next_header)
    }
    /// Hops that it may still go.
    pub fn hop_limit(&self) -> u8 {
        self.header.hop_limit
    }
    /// The differentiated-services field and the two bits of RFC 3168.
    pub fn traffic_class(&self) -> u8 {
        (self.header.version_class_label.get() >> 20) as u8
    }
    /// The two bits of RFC 3168.
    pub fn ecn(&self) -> u8 {
        self.traffic_class() & 3
    }
    /// What a flow's packets have in common: RFC 6437.
    pub fn flow_label(&self) -> u32 {
        self.header.version_class_label.get() & 0xF_FFFF
    }
    /// What follows the header.
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[HEADER..]
    }
    /// The whole packet, without the frame's padding.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    pub src: Ipv6Addr,
    pub dst: Ipv6Addr,
    pub next_header: Protocol,
    pub hop_limit: u8,
    pub traffic_class: u8,
    /// 20 bits.
    pub flow_label: u32,
    /// Bytes behind the header.
    pub payload_len: usize,
}

impl Repr {
    /// What a packet says.
    pub fn of(packet: &Packet<'_>) -> Repr {
        Repr {
            src: packet.src(),
            dst: packet.dst(),
            next_header: packet.next_header(),
            hop_limit: packet.hop_limit(),
            traffic_class: packet.traffic_class(),
            flow_label: packet.flow_label(),
            payload_len: packet.payload().len(),
        }
    }
    /// Writes the header at the front of `to`, and returns the rest for the payload.
    #[inline]
    pub fn emit<'b>(&self, to: &'b mut [u8]) -> &'b mut [u8] {
        let Ok(payload_len) = u16::try_from(self.payload_len) else {
            panic!("a payload's length has 16 bits");
        };
        assert!(self.flow_label <= 0xF_FFFF, "a flow label has 20 bits");
        let (header, payload) = header_mut::<Header>(to);
        let class = u32::from(self.traffic_class) << 20;
        header
            .version_class_label
            .set(6 << 28 | class | self.flow_label);
        header.payload_len.set(payload_len);
        header.next_header = self.next_header.0;
        header.hop_limit = self.hop_limit;
        header.src = self.src.octets();
        header.dst = self.dst.octets();
        payload
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    fn repr() -> Repr {
        Repr {
            src: "2001:db8::1".parse().unwrap(),
            dst: "2001:db8::2".parse().unwrap(),
            next_header: Protocol::UDP,
            hop_limit: 64,
            traffic_class: 0xB9,
            flow_label: 0xF_EDCB,
            payload_len: 8,
        }
    }

    fn emitted() -> Vec<u8> {
        let mut bytes = vec![0; HEADER + 8];
        repr().emit(&mut bytes).copy_from_slice(b"payload!");
        bytes
    }

    #[test]
    fn a_header_survives_the_wire() {
        let mut bytes = emitted();
        assert_eq!(bytes[..4], [0x6B, 0x9F, 0xED, 0xCB]);
        bytes.extend_from_slice(&[0; 6]);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(Repr::of(&packet), repr());
        assert_eq!((packet.payload(), packet.ecn()), (&b"payload!"[..], 1));
    }

    #[test]
    fn lengths_and_versions_that_lie_are_refused() {
        let mut bytes = emitted();
        let why = |bytes: &[u8]| Packet::parse(bytes).err();
        assert_eq!(why(&bytes[..HEADER - 1]), Some(Malformed::Truncated));
        assert_eq!(why(&bytes[..HEADER + 7]), Some(Malformed::Length));
        bytes[0] = 0x45;
        assert_eq!(why(&bytes), Some(Malformed::Version));
    }
}
