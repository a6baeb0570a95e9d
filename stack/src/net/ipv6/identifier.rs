//! The lower half of an address that a host forms itself: from its Ethernet address (RFC 4291, appendix A), or opaque
//! and stable for each prefix (RFC 7217).

use core::net::Ipv6Addr;

use crate::addr::Mac;
use crate::net::ipv6::profile::Identifier;
use crate::tcp::Key;

/// Bits of a prefix that an address can be formed of: the identifier takes the rest.
pub const PREFIX: u8 = 64;

/// The address in `prefix`, of which 64 bits count. `tries`: duplicates met so far in this prefix.
pub fn form(prefix: Ipv6Addr, mac: Mac, kind: Identifier, tries: u8, secret: Key) -> Ipv6Addr {
    let network = (u128::from(prefix) >> 64) as u64;
    let identifier = match kind {
        Identifier::Eui64 => modified_eui64(mac),
        Identifier::StablePrivacy => stable(network, mac, tries, secret),
    };
    Ipv6Addr::from(u128::from(network) << 64 | u128::from(identifier))
}

fn modified_eui64(Mac([a, b, c, d, e, f]): Mac) -> u64 {
    u64::from_be_bytes([a ^ 2, b, c, 0xFF, 0xFE, d, e, f])
}

/// RID = F(Prefix, Net_Iface, Network_ID, DAD_Counter, secret_key): RFC 7217, section 5. We have one interface, and no
/// word for a network.
fn stable(network: u64, mac: Mac, tries: u8, secret: Key) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    let interface = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    let identifier = secret.hash(&[network, interface, tries.into()]);
    // RFC 5453: all zeros is the routers' anycast address, and the last 128 are subnets' anycast addresses.
    match identifier {
        0 | 0xFDFF_FFFF_FFFF_FF80..=0xFDFF_FFFF_FFFF_FFFF => identifier ^ 1 << 32,
        free => free,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([0x00, 0x16, 0x3E, 0x12, 0x34, 0x56]);

    fn formed(prefix: &str, kind: Identifier, tries: u8, secret: Key) -> Ipv6Addr {
        form(prefix.parse().unwrap(), MAC, kind, tries, secret)
    }

    #[test]
    fn an_ethernet_address_makes_an_identifier_with_its_universal_bit_turned() {
        let formed = formed("fe80::", Identifier::Eui64, 0, Key(0, 0));
        assert_eq!(formed.to_string(), "fe80::216:3eff:fe12:3456");
    }

    #[test]
    fn a_stable_identifier_depends_on_prefix_secret_and_duplicates_alone() {
        let of = |prefix, tries, key| formed(prefix, Identifier::StablePrivacy, tries, key);
        let one = of("2001:db8::", 0, Key(1, 2));
        assert_eq!(one, of("2001:db8::7", 0, Key(1, 2)));
        for other in [
            of("2001:db8:1::", 0, Key(1, 2)),
            of("2001:db8::", 1, Key(1, 2)),
            of("2001:db8::", 0, Key(1, 3)),
        ] {
            assert_ne!(one.segments()[4..], other.segments()[4..]);
        }
    }

    use alloc::string::ToString;
}
