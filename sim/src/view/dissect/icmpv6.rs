//! ICMP for IPv6 (RFC 4443) and Neighbor Discovery (RFC 4861).

use stack::addr::Ipv6Addr;

use super::bytes::{array_at, u8_at, u16_at, u32_at};
use super::ipv6;

/// Types.
pub const UNREACHABLE: u8 = 1;
pub const PACKET_TOO_BIG: u8 = 2;
pub const TIME_EXCEEDED: u8 = 3;
pub const PARAMETER_PROBLEM: u8 = 4;
pub const ECHO_REQUEST: u8 = 128;
pub const ECHO_REPLY: u8 = 129;
pub const ROUTER_SOLICITATION: u8 = 133;
pub const ROUTER_ADVERTISEMENT: u8 = 134;
pub const NEIGHBOUR_SOLICITATION: u8 = 135;
pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
pub const REDIRECT: u8 = 137;

/// Bytes before what is quoted, or the target.
const HEADER_LEN: usize = 8;

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmpv6 {
    pub kind: u8,
    pub code: u8,
    /// The second word: an echo's identifier and number, an MTU, a pointer.
    pub word: u32,
    /// Bytes of the whole message.
    pub len: usize,
    pub checksum_ok: bool,
    /// Of a neighbour's solicitation or advertisement: whom it is about.
    pub target: Option<Ipv6Addr>,
    /// Of an error: the packet that it is about.
    pub quoted: Option<Quoted>,
}

/// The packet that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    pub destination: Ipv6Addr,
    pub protocol: u8,
    /// Of TCP and UDP.
    pub port: Option<u16>,
}

impl Icmpv6 {
    /// An echo's identifier.
    pub fn id(&self) -> u16 {
        (self.word >> 16) as u16
    }
    /// An echo's sequence number.
    pub fn seq(&self) -> u16 {
        self.word as u16
    }
    /// Whether it is Neighbor Discovery's: what ARP is to version 4, and routers.
    pub fn is_discovery(&self) -> bool {
        (ROUTER_SOLICITATION..=REDIRECT).contains(&self.kind)
    }
}

/// The message, if its header is there. `checksum_ok` is the caller's, who knows the addresses.
pub fn decode(message: &[u8], checksum_ok: bool) -> Option<Icmpv6> {
    let kind = u8_at(message, 0)?;
    let about = matches!(kind, NEIGHBOUR_SOLICITATION | NEIGHBOUR_ADVERTISEMENT);
    let target = array_at::<16>(message, HEADER_LEN).map(Ipv6Addr::from);
    Some(Icmpv6 {
        kind,
        code: u8_at(message, 1)?,
        word: u32_at(message, 4)?,
        len: message.len(),
        checksum_ok,
        target: target.filter(|_| about),
        quoted: (kind < 128).then(|| quoted(message)).flatten(),
    })
}

fn quoted(message: &[u8]) -> Option<Quoted> {
    let packet = message.get(HEADER_LEN..)?;
    let ip = ipv6::decode(packet)?;
    let has_ports = matches!(ip.protocol, 6 | 17) && !ip.is_later_fragment();
    let ports = packet.get(ip.payload.clone()).filter(|_| has_ports);
    Some(Quoted {
        destination: ip.destination,
        protocol: ip.protocol,
        port: ports.and_then(|ports| u16_at(ports, 2)),
    })
}
