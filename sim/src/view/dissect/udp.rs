//! UDP (RFC 768).

use core::ops::Range;

use super::bytes::{ones_complement_sum, pseudo_header_sum, u16_at};
use super::ipv4::{self, Ipv4};

/// Bytes of the header.
const HEADER_LEN: usize = 8;

/// The header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udp {
    pub source_port: u16,
    pub destination_port: u16,
    /// As the header says it: header and payload.
    pub len: u16,
    pub checksum_ok: bool,
    /// In the bytes that were decoded; clipped to what is there.
    pub payload: Range<usize>,
}

/// The header, if it is there and its length is possible.
pub fn decode(ip: &Ipv4, datagram: &[u8]) -> Option<Udp> {
    let len = u16_at(datagram, 4)?;
    if usize::from(len) < HEADER_LEN || datagram.len() < HEADER_LEN {
        return None;
    }
    let end = usize::from(len).min(datagram.len());
    let pseudo = pseudo_header_sum(
        ip.source.octets(),
        ip.destination.octets(),
        ipv4::UDP,
        usize::from(len),
    );
    // RFC 768: a checksum of zero says that there is none.
    let checksum_ok = u16_at(datagram, 6)? == 0
        || ip.more_fragments
        || ip.truncated
        || ones_complement_sum(pseudo, &datagram[..end]) == 0xFFFF;
    Some(Udp {
        source_port: u16_at(datagram, 0)?,
        destination_port: u16_at(datagram, 2)?,
        len,
        checksum_ok,
        payload: HEADER_LEN..end,
    })
}
