//! Whom an address of version 6 means, and the groups that a host is in: RFC 4291, sections 2.4 and 2.7.

use core::net::Ipv6Addr;

use crate::addr::Mac;

/// Every node on the link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 1);
/// Every router on the link.
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 2);

/// What kind of address it is, seen from anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Nobody on any wire: `::`, `::1`, and IPv4 addresses in version 6's clothes.
    Martian,
    /// Somebody on this link.
    Link,
    /// Somebody anywhere.
    Global,
    /// A group.
    Multicast,
}

/// Whom `address` means.
#[inline]
pub fn scope(address: Ipv6Addr) -> Scope {
    let [first, ..] = address.segments();
    match first {
        0 if is_martian(address) => Scope::Martian,
        0xFE80..=0xFEBF => Scope::Link,
        0xFF00.. => Scope::Multicast,
        _ => Scope::Global,
    }
}

fn is_martian(address: Ipv6Addr) -> bool {
    // ::/96 (unspecified, loopback, "compatible") and ::ffff:0:0/96 ("mapped"): RFC 4291, 2.5.2 to 2.5.5; RFC 6890.
    matches!(address.segments(), [0, 0, 0, 0, 0, 0 | 0xFFFF, _, _])
}

/// How far a destination is: what a source address must reach too. A group's scope is in its second byte.
pub fn reach(address: Ipv6Addr) -> Scope {
    match scope(address) {
        Scope::Multicast if address.octets()[1] & 0xF <= 2 => Scope::Link,
        Scope::Multicast => Scope::Global,
        other => other,
    }
}

/// The group in which whoever has `address` is asked for: RFC 4291, section 2.7.1.
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    let low = u16::from_be_bytes([b, c]);
    Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 1, 0xFF00 | u16::from(a), low)
}

/// A group's Ethernet address: RFC 2464, section 7.
pub fn group_mac(group: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = group.octets();
    Mac([0x33, 0x33, a, b, c, d])
}

/// Whether the leading `len` bits are the same.
pub fn same_prefix(a: Ipv6Addr, b: Ipv6Addr, len: u8) -> bool {
    let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
    (u128::from(a) ^ u128::from(b)) & mask == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    #[test]
    fn each_address_means_somebody_a_group_or_nobody() {
        for martian in ["::", "::1", "::ffff:10.0.0.1", "::10.0.0.1"] {
            assert_eq!(scope(at(martian)), Scope::Martian, "{martian}");
        }
        assert_eq!(scope(at("fe80::1")), Scope::Link);
        assert_eq!(scope(at("febf::1")), Scope::Link);
        for global in ["2001:db8::1", "fd00::1", "64:ff9b::1", "fec0::1"] {
            assert_eq!(scope(at(global)), Scope::Global, "{global}");
        }
        assert_eq!(scope(at("ff02::1")), Scope::Multicast);
        assert_eq!(reach(at("ff02::1")), Scope::Link);
        assert_eq!(reach(at("ff0e::1")), Scope::Global);
    }

    #[test]
    fn groups_have_the_addresses_that_the_rfcs_give_as_examples() {
        let group = solicited_node(at("4037::01:800:200E:8C6C"));
        assert_eq!(group, at("FF02::1:FF0E:8C6C"));
        assert_eq!(group_mac(group), Mac([0x33, 0x33, 0xFF, 0x0E, 0x8C, 0x6C]));
    }

    #[test]
    fn prefixes_of_any_length_are_compared() {
        let (a, b) = (at("2001:db8::1"), at("2001:db8::2"));
        assert!(same_prefix(a, b, 126) && !same_prefix(a, b, 127));
        assert!(same_prefix(a, b, 0) && same_prefix(a, a, 128));
    }
}
