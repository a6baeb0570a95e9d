//! ICMP (RFC 792), and what its errors quote of the packet that they are about.

use stack::addr::Ipv4Addr;

use super::bytes::{ones_complement_sum, u8_at, u16_at};
use super::ipv4;

/// Types.
pub const ECHO_REPLY: u8 = 0;
pub const UNREACHABLE: u8 = 3;
pub const ECHO_REQUEST: u8 = 8;
pub const TIME_EXCEEDED: u8 = 11;

/// Bytes before what is quoted.
const HEADER_LEN: usize = 8;

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
    /// Of an error: the packet that it is about.
    pub quoted: Option<Quoted>,
}

/// The packet that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    pub destination: Ipv4Addr,
    pub protocol: u8,
    /// Of TCP and UDP.
    pub port: Option<u16>,
}

/// The message, if its header is there.
pub fn decode(message: &[u8]) -> Option<Icmp> {
    let kind = u8_at(message, 0)?;
    let is_error = matches!(kind, UNREACHABLE | TIME_EXCEEDED);
    Some(Icmp {
        kind,
        code: u8_at(message, 1)?,
        id: u16_at(message, 4)?,
        seq: u16_at(message, 6)?,
        len: message.len(),
        checksum_ok: ones_complement_sum(0, message) == 0xFFFF,
        quoted: is_error.then(|| quoted(message)).flatten(),
    })
}

fn quoted(message: &[u8]) -> Option<Quoted> {
    let packet = message.get(HEADER_LEN..)?;
    let ip = ipv4::decode(packet)?;
    let has_ports = matches!(ip.protocol, ipv4::TCP | ipv4::UDP) && !ip.is_later_fragment();
    let ports = packet.get(ip.payload.clone()).filter(|_| has_ports);
    Some(Quoted {
        destination: ip.destination,
        protocol: ip.protocol,
        port: ports.and_then(|ports| u16_at(ports, 2)),
    })
}
