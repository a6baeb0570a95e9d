//! IPv4 (RFC 791), with the evil bit (RFC 3514).

use core::ops::Range;

use stack::addr::Ipv4Addr;

use super::bytes::{array_at, ones_complement_sum, u8_at, u16_at};

/// Protocol numbers.
pub const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;

/// Bytes of a header without options.
const HEADER_LEN: usize = 20;

/// The header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv4 {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub protocol: u8,
    pub ttl: u8,
    pub tos: u8,
    pub id: u16,
    /// RFC 3514: the reserved flag.
    pub evil: bool,
    pub dont_fragment: bool,
    pub more_fragments: bool,
    /// In bytes.
    pub fragment_offset: u16,
    /// As the header says it; what is there may be less.
    pub total_len: u16,
    pub checksum_ok: bool,
    /// The payload, in the bytes that were decoded: clipped to what is there, without the Ethernet padding.
    pub payload: Range<usize>,
    /// The header promises more bytes than there are.
    pub truncated: bool,
}

impl Ipv4 {
    /// Whether it is a part of a datagram and not the first.
    pub fn is_later_fragment(&self) -> bool {
        self.fragment_offset > 0
    }
}

/// The header, if the version and the header's length are possible.
pub fn decode(packet: &[u8]) -> Option<Ipv4> {
    let first = u8_at(packet, 0)?;
    let header_len = usize::from(first & 0x0F) * 4;
    if first >> 4 != 4 || header_len < HEADER_LEN {
        return None;
    }
    let header = packet.get(..header_len)?;
    let total_len = u16_at(header, 2)?;
    let flags = u16_at(header, 6)?;
    let promised = usize::from(total_len);
    let end = promised.min(packet.len()).max(header_len);
    Some(Ipv4 {
        source: Ipv4Addr::from(array_at::<4>(header, 12)?),
        destination: Ipv4Addr::from(array_at::<4>(header, 16)?),
        protocol: u8_at(header, 9)?,
        ttl: u8_at(header, 8)?,
        tos: u8_at(header, 1)?,
        id: u16_at(header, 4)?,
        evil: flags & 0x8000 != 0,
        dont_fragment: flags & 0x4000 != 0,
        more_fragments: flags & 0x2000 != 0,
        fragment_offset: (flags & 0x1FFF) * 8,
        total_len,
        checksum_ok: ones_complement_sum(0, header) == 0xFFFF,
        payload: header_len..end,
        truncated: promised > packet.len() || promised < header_len,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_longer_than_the_packet_is_none() {
        let mut packet = [0; 20];
        packet[0] = 0x4F;
        assert_eq!(decode(&packet), None);
        packet[0] = 0x44;
        assert_eq!(decode(&packet), None, "a header shorter than 20 bytes");
    }

    #[test]
    fn a_promise_of_more_bytes_than_there_are_is_truncated() {
        let mut packet = [0; 20];
        packet[0] = 0x45;
        packet[2..4].copy_from_slice(&1500_u16.to_be_bytes());
        let ip = decode(&packet).expect("a header");
        assert!(ip.truncated);
        assert_eq!(ip.payload, 20..20);
    }
}
