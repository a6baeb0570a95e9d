//! Ethernet II (IEEE 802.3).

use stack::addr::Mac;

use super::bytes::{array_at, u16_at};

/// Bytes of the header.
pub const HEADER_LEN: usize = 14;

/// `0x0800`
pub const TYPE_IPV4: u16 = 0x0800;
/// `0x86dd`
pub const TYPE_IPV6: u16 = 0x86DD;
/// `0x0806`
pub const TYPE_ARP: u16 = 0x0806;

/// The header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ethernet {
    pub destination: Mac,
    pub source: Mac,
    pub ethertype: u16,
}

/// The header, if the frame is long enough to have one.
pub fn decode(frame: &[u8]) -> Option<Ethernet> {
    Some(Ethernet {
        destination: Mac(array_at(frame, 0)?),
        source: Mac(array_at(frame, 6)?),
        ethertype: u16_at(frame, 12)?,
    })
}
