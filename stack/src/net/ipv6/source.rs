//! Which of our addresses a packet is sent from: RFC 6724, section 5, as far as one interface without temporary and
//! mobile addresses has a choice.

use core::cmp::Reverse;
use core::net::Ipv6Addr;

use crate::net::ipv6::addresses::{Addresses, State};
use crate::net::ipv6::scope::reach;

/// The source for a packet to `dst`; `None`: no address of ours can be used.
pub fn choose(addresses: &Addresses, dst: Ipv6Addr) -> Option<Ipv6Addr> {
    let wanted = reach(dst);
    let usable = addresses.iter().filter(|address| address.is_usable());
    let best = usable.max_by_key(|address| {
        let scope = reach(address.ip);
        // Rule 2: the smallest scope that reaches the destination.
        let appropriate = if scope >= wanted {
            (true, Reverse(Some(scope)))
        } else {
            (false, Reverse(None))
        };
        (
            // Rule 1: the same address.
            address.ip == dst,
            appropriate,
            // Rule 3: not a deprecated one.
            address.state == State::Preferred,
            // Rule 8: the longest matching prefix, at most the source's own.
            common_prefix(address.ip, dst).min(address.prefix.into()),
            // In doubt the one that was there first: `max_by_key` takes the last of equals.
            Reverse(position(addresses, address.ip)),
        )
    })?;
    Some(best.ip)
}

fn common_prefix(a: Ipv6Addr, b: Ipv6Addr) -> u32 {
    (u128::from(a) ^ u128::from(b)).leading_zeros()
}

fn position(addresses: &Addresses, ip: Ipv6Addr) -> Option<usize> {
    addresses.iter().position(|address| address.ip == ip)
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;
    use crate::net::ipv6::addresses::{Address, FOREVER, Origin};

    fn chosen(ours: &[(&str, State)], dst: &str) -> Option<String> {
        let mut addresses = Addresses::default();
        for (ip, state) in ours {
            addresses.add(Address {
                ip: ip.parse().unwrap(),
                prefix: 64,
                state: *state,
                origin: Origin::Manual,
                preferred_until: FOREVER,
                valid_until: FOREVER,
                tries: 0,
            });
        }
        choose(&addresses, dst.parse().unwrap()).map(|ip| ip.to_string())
    }

    /// The examples of RFC 6724, section 10.1, that need no second interface.
    #[test]
    fn scope_goes_before_age_and_age_before_likeness() {
        use State::{Deprecated, Preferred};
        let tentative = State::Tentative {
            left: 1,
            next: FOREVER,
        };
        let both = [("2001:db8:3::1", Preferred), ("fe80::1", Preferred)];
        let of = |ours: &[(&str, State)], dst| chosen(ours, dst).unwrap_or_default();
        assert_eq!(of(&both, "2001:db8:1::1"), "2001:db8:3::1");
        assert_eq!(of(&both, "ff05::1"), "2001:db8:3::1");
        assert_eq!(of(&both, "fe80::9"), "fe80::1");
        assert_eq!(of(&both, "fe80::1"), "fe80::1");
        let old = [("2001:db8:1::2", Deprecated), ("2001:db8:3::2", Preferred)];
        assert_eq!(of(&old, "2001:db8:1::2"), "2001:db8:1::2");
        assert_eq!(of(&old, "2001:db8:1::9"), "2001:db8:3::2");
        let like = [("2001:db8:1::2", Preferred), ("2001:db8:3::2", Preferred)];
        assert_eq!(of(&like, "2001:db8:3::9"), "2001:db8:3::2");
        assert_eq!(of(&like, "3ffe::9"), "2001:db8:1::2");
        let link = [("fe80::1", Preferred), ("2001:db8::1", tentative)];
        assert_eq!(of(&link, "2001:db8::9"), "fe80::1", "better than none");
        assert_eq!(chosen(&link[1..], "2001:db8::9"), None);
    }
}
