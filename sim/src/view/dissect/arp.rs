//! ARP over Ethernet for IPv4 (RFC 826).

use stack::addr::{Ipv4Addr, Mac};

use super::bytes::{array_at, u8_at, u16_at};

/// A request or a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1: request, 2: reply.
    pub operation: u16,
    pub sender_mac: Mac,
    pub sender_ip: Ipv4Addr,
    pub target_mac: Mac,
    pub target_ip: Ipv4Addr,
}

/// The packet, if it is ARP for IPv4 over Ethernet.
pub fn decode(packet: &[u8]) -> Option<Arp> {
    let known = u16_at(packet, 0)? == 1
        && u16_at(packet, 2)? == 0x0800
        && u8_at(packet, 4)? == 6
        && u8_at(packet, 5)? == 4;
    if !known {
        return None;
    }
    Some(Arp {
        operation: u16_at(packet, 6)?,
        sender_mac: Mac(array_at(packet, 8)?),
        sender_ip: Ipv4Addr::from(array_at::<4>(packet, 14)?),
        target_mac: Mac(array_at(packet, 18)?),
        target_ip: Ipv4Addr::from(array_at::<4>(packet, 24)?),
    })
}
