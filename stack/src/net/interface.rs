//! The interface: its addresses of version 4, and whom an address means. Those of version 6 come and go, and are in
//! [`super::ipv6::addresses`].

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use crate::addr::{Cidr, IpAddress, Mac};

/// One interface on one Ethernet.
#[derive(Clone, Debug)]
pub struct Interface {
    pub mac: Mac,
    /// The largest IP packet, in bytes.
    pub mtu: usize,
    addresses: Vec<V4Network>,
}

/// An address of ours and its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V4Network {
    pub address: Ipv4Addr,
    pub prefix: u8,
}

impl V4Network {
    /// The bits of the prefix.
    pub fn mask(&self) -> u32 {
        debug_assert!(self.prefix <= 32);
        u32::MAX
            .checked_shl(32 - u32::from(self.prefix))
            .unwrap_or(0)
    }
    /// Whether `other` lies in the network.
    pub fn contains(&self, other: Ipv4Addr) -> bool {
        (u32::from(self.address) ^ u32::from(other)) & self.mask() == 0
    }
    /// The network's broadcast address; networks of one or two addresses have none (RFC 3021).
    pub fn broadcast(&self) -> Option<Ipv4Addr> {
        (self.prefix < 31).then(|| (u32::from(self.address) | !self.mask()).into())
    }
}

/// Whom an address means, as seen from the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Us.
    Local,
    /// Everyone on this Ethernet: 255.255.255.255.
    Broadcast,
    /// Everyone in one of our networks.
    DirectedBroadcast,
    /// A group.
    Multicast,
    /// Nobody: 0.0.0.0/8, 127.0.0.0/8, 240.0.0.0/4.
    Martian,
    /// Somebody else.
    Unicast,
}

impl Interface {
    /// An interface; addresses of version 6 are left out.
    pub fn new(mac: Mac, mtu: usize, addresses: &[Cidr]) -> Interface {
        let v4 = addresses.iter().filter_map(|cidr| match cidr.address {
            IpAddress::V4(address) => Some(V4Network {
                address,
                prefix: cidr.prefix.min(32),
            }),
            IpAddress::V6(_) => None,
        });
        Interface {
            mac,
            mtu,
            addresses: v4.collect(),
        }
    }
    /// Our networks, in order of configuration.
    pub fn networks(&self) -> &[V4Network] {
        &self.addresses
    }
    /// Whether `address` is ours.
    #[inline]
    pub fn is_local(&self, address: Ipv4Addr) -> bool {
        self.addresses.iter().any(|n| n.address == address)
    }
    /// Whom `address` means.
    #[inline]
    pub fn scope(&self, address: Ipv4Addr) -> Scope {
        if self.is_local(address) {
            return Scope::Local;
        }
        match address.octets()[0] {
            _ if address == Ipv4Addr::BROADCAST => Scope::Broadcast,
            0 | 127 | 240..=255 => Scope::Martian,
            224..=239 => Scope::Multicast,
            _ if self
                .addresses
                .iter()
                .any(|n| n.broadcast() == Some(address)) =>
            {
                Scope::DirectedBroadcast
            }
            _ => Scope::Unicast,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(addresses: &[&str]) -> Interface {
        let cidrs: Vec<Cidr> = addresses.iter().map(|a| Cidr::parse(a).unwrap()).collect();
        Interface::new(Mac::default(), 1500, &cidrs)
    }

    #[test]
    fn each_address_means_somebody_or_nobody() {
        let i = interface(&["10.0.0.2/24", "192.168.7.1/31"]);
        let scope = |text: &str| i.scope(text.parse().unwrap());
        assert_eq!(scope("10.0.0.2"), Scope::Local);
        assert_eq!(scope("10.0.0.3"), Scope::Unicast);
        assert_eq!(scope("10.0.0.255"), Scope::DirectedBroadcast);
        assert_eq!(scope("192.168.7.0"), Scope::Unicast);
        assert_eq!(scope("255.255.255.255"), Scope::Broadcast);
        assert_eq!(scope("224.0.0.1"), Scope::Multicast);
        for martian in ["0.0.0.0", "0.1.2.3", "127.0.0.1", "240.0.0.1"] {
            assert_eq!(scope(martian), Scope::Martian);
        }
    }

    #[test]
    fn addresses_of_version_6_are_left_out() {
        assert!(interface(&["fe80::1/64"]).networks().is_empty());
    }
}
