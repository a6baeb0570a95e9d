//! UDP (RFC 768).

use core::ops::Range;

use super::bytes::u16_at;
use super::ipv4;
use crate::view::packet::Around;

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
pub fn decode(ip: &Around, datagram: &[u8]) -> Option<Udp> {
    let len = u16_at(datagram, 4)?;
    if usize::from(len) < HEADER_LEN || datagram.len() < HEADER_LEN {
        return None;
    }
    let end = usize::from(len).min(datagram.len());
    // RFC 768: a checksum of zero says that there is none. RFC 8200, section 8.1: over version 6 there must be one.
    let none = u16_at(datagram, 6)? == 0 && ip.source.is_ipv4();
    let checksum_ok = none || ip.partial || ip.checksum_holds(ipv4::UDP, &datagram[..end]);
    Some(Udp {
        source_port: u16_at(datagram, 0)?,
        destination_port: u16_at(datagram, 2)?,
        len,
        checksum_ok,
        payload: HEADER_LEN..end,
    })
}
