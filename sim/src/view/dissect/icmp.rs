//! ICMP (RFC 792).

use super::bytes::{ones_complement_sum, u8_at, u16_at};

/// Types.
pub const ECHO_REPLY: u8 = 0;
pub const UNREACHABLE: u8 = 3;
pub const ECHO_REQUEST: u8 = 8;
pub const TIME_EXCEEDED: u8 = 11;

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp {
    pub kind: u8,
    pub code: u8,
    /// Of an echo: the identifier. Else the first half of the second word.
    pub id: u16,
    /// Of an echo: the sequence number. Else the second half of the second word.
    pub seq: u16,
    /// Bytes of the whole message.
    pub len: usize,
    pub checksum_ok: bool,
}

/// The message, if its header is there.
pub fn decode(message: &[u8]) -> Option<Icmp> {
    Some(Icmp {
        kind: u8_at(message, 0)?,
        code: u8_at(message, 1)?,
        id: u16_at(message, 4)?,
        seq: u16_at(message, 6)?,
        len: message.len(),
        checksum_ok: ones_complement_sum(0, message) == 0xFFFF,
    })
}
