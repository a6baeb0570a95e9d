//! IPv6 (RFC 8200), with the extension headers in front of what it carries. There is no evil bit: RFC 3514 leaves version
//! 6's to an option that nobody has defined, so what the testbed forges of it is told by the trace alone.

use core::ops::Range;

use stack::addr::Ipv6Addr;

use super::bytes::{array_at, u8_at, u16_at, u32_at};

/// Next headers.
pub const HOP_BY_HOP: u8 = 0;
pub const ROUTING: u8 = 43;
pub const FRAGMENT: u8 = 44;
pub const ICMPV6: u8 = 58;
pub const DESTINATION_OPTIONS: u8 = 60;

/// Bytes of the fixed header.
pub const HEADER_LEN: usize = 40;
/// Extension headers that are walked; a packet of more carries nothing that is known.
const MOST_HEADERS: usize = 16;

/// The headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv6 {
    pub source: Ipv6Addr,
    pub destination: Ipv6Addr,
    pub hop_limit: u8,
    pub traffic_class: u8,
    pub flow_label: u32,
    /// As the header says it; what is there may be less.
    pub payload_len: u16,
    /// The extension headers in front of `protocol`, in order.
    pub extensions: Vec<u8>,
    /// What the packet carries.
    pub protocol: u8,
    pub fragment: Option<Fragment>,
    /// The payload behind all headers, in the bytes that were decoded: clipped to what is there.
    pub payload: Range<usize>,
    /// The header promises more bytes than there are.
    pub truncated: bool,
}

/// What a fragment header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// In bytes.
    pub offset: u16,
    pub more: bool,
    pub id: u32,
}

impl Ipv6 {
    /// Whether it is a part of a packet and not the first.
    pub fn is_later_fragment(&self) -> bool {
        self.fragment.is_some_and(|fragment| fragment.offset > 0)
    }
    /// Whether the rest of its payload is elsewhere, or lost.
    pub fn is_partial(&self) -> bool {
        self.truncated || self.fragment.is_some_and(|fragment| fragment.more)
    }
}

/// The headers, if the version and the fixed header are there.
pub fn decode(packet: &[u8]) -> Option<Ipv6> {
    let first = u32_at(packet, 0)?;
    if first >> 28 != 6 {
        return None;
    }
    packet.get(..HEADER_LEN)?;
    let payload_len = u16_at(packet, 4)?;
    let promised = HEADER_LEN + usize::from(payload_len);
    let end = promised.min(packet.len());
    let mut ip = Ipv6 {
        source: Ipv6Addr::from(array_at::<16>(packet, 8)?),
        destination: Ipv6Addr::from(array_at::<16>(packet, 24)?),
        hop_limit: u8_at(packet, 7)?,
        traffic_class: (first >> 20) as u8,
        flow_label: first & 0xF_FFFF,
        payload_len,
        extensions: Vec::new(),
        protocol: u8_at(packet, 6)?,
        fragment: None,
        payload: HEADER_LEN..end,
        truncated: promised > packet.len(),
    };
    while ip.extensions.len() < MOST_HEADERS && !ip.is_later_fragment() {
        let Some(len) = extension(&mut ip, &packet[..end]) else {
            break;
        };
        ip.payload.start += len;
    }
    Some(ip)
}

/// Takes the extension header that stands next, and gives its length; `None`: none does, or not all of it.
fn extension(ip: &mut Ipv6, packet: &[u8]) -> Option<usize> {
    let header = packet.get(ip.payload.start..)?;
    let next = u8_at(header, 0)?;
    let len = match ip.protocol {
        HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS => (usize::from(u8_at(header, 1)?) + 1) * 8,
        FRAGMENT => {
            let offset_more = u16_at(header, 2)?;
            ip.fragment = Some(Fragment {
                offset: offset_more & !7,
                more: offset_more & 1 != 0,
                id: u32_at(header, 4)?,
            });
            8
        }
        _ => return None,
    };
    header.get(..len)?;
    ip.extensions.push(ip.protocol);
    ip.protocol = next;
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(next: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, payload.len() as u8, next, 64];
        packet.extend([0x20; 32]);
        packet.extend(payload);
        packet
    }

    #[test]
    fn extension_headers_are_walked_up_to_the_payload() {
        let options = [44, 0, 1, 4, 0, 0, 0, 0];
        let fragment = [17, 0, 0, 1, 0, 0, 0, 7];
        let bytes = packet(HOP_BY_HOP, &[&options[..], &fragment, b"datagram"].concat());
        let ip = decode(&bytes).expect("a header");
        assert_eq!(ip.extensions, [HOP_BY_HOP, FRAGMENT]);
        assert_eq!(
            (ip.protocol, &bytes[ip.payload.clone()]),
            (17, &b"datagram"[..])
        );
        assert!(ip.is_partial() && !ip.is_later_fragment());
    }

    #[test]
    fn a_header_that_is_cut_ends_the_walk() {
        let ip = decode(&packet(DESTINATION_OPTIONS, &[17, 9, 0, 0])).expect("a header");
        assert_eq!((ip.protocol, ip.payload), (DESTINATION_OPTIONS, 40..44));
        assert_eq!(decode(&[0x60; 39]), None);
        assert_eq!(decode(&[0x45; 60]), None);
    }
}
