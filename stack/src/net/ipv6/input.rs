//! What a received packet of version 6 must be before anything above looks at it: RFC 8200 and RFC 4291, section 2.5
//! to 2.7.

use crate::addr::Mac;
use crate::net::ipv6::host::Host;
use crate::net::ipv6::scope::{Scope, scope};
use crate::wire::ethernet::Frame;
use crate::wire::ipv6::Packet;

/// The first bytes of a group's Ethernet address: RFC 2464, section 7.
const GROUP: [u8; 2] = [0x33, 0x33];

/// Whether a frame is for a group that we are not in: a network card's filter would not have let it through.
pub fn is_for_others(host: Option<&Host>, dst: Mac, frame: &Frame<'_>) -> bool {
    let Mac([a, b, ..]) = dst;
    if [a, b] != GROUP {
        return false;
    }
    match (host, Packet::parse_quoted(frame.payload())) {
        (Some(host), Ok(packet)) => {
            packet.dst().is_multicast() && !host.addresses.is_in_group(packet.dst())
        }
        (Some(_), Err(_)) => false,
        (None, _) => true,
    }
}

/// Checks a packet with a good header. `group`: its frame was sent to a group of Ethernet addresses. Gives whether
/// it was sent to us alone; `Err` says why it is refused.
pub fn check(host: &Host, packet: &Packet<'_>, group: bool) -> Result<bool, &'static str> {
    let (src, dst) = (packet.src(), packet.dst());
    match scope(src) {
        // Who looks for duplicates has no address yet.
        Scope::Martian if src.is_unspecified() && dst.is_multicast() => {}
        Scope::Martian | Scope::Multicast => return Err("martian source"),
        _ if host.addresses.is_ours(src) => return Err("the source is our own address"),
        _ => {}
    }
    match scope(dst) {
        Scope::Multicast if host.addresses.is_in_group(dst) => Ok(false),
        Scope::Multicast => Err("a group that we are not in"),
        _ if !host.addresses.is_ours(dst) => Err("not for us"),
        _ if group => Err("a packet for us alone in a frame for many"),
        _ => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::profile::NetProfile;
    use crate::wire::ipv4::Protocol;
    use crate::wire::ipv6::{HEADER, Repr};

    fn verdict(src: &str, dst: &str, group: bool) -> Result<bool, &'static str> {
        let mut profile = NetProfile::default();
        profile.ipv6.dad_transmits = 0;
        let ours = [("2001:db8::2".parse().unwrap(), 64)];
        let host = Host::new(&profile, Mac([2; 6]), 1500, &ours, &[], [1; 32]);
        let repr = Repr {
            src: src.parse().unwrap(),
            dst: dst.parse().unwrap(),
            next_header: Protocol::UDP,
            hop_limit: 1,
            traffic_class: 0,
            flow_label: 0,
            payload_len: 0,
        };
        let mut bytes = [0; HEADER];
        repr.emit(&mut bytes);
        check(&host, &Packet::parse(&bytes).unwrap(), group)
    }

    #[test]
    fn only_honest_packets_for_us_are_heard() {
        assert_eq!(verdict("2001:db8::9", "2001:db8::2", false), Ok(true));
        assert_eq!(verdict("3ffe::9", "2001:db8::2", false), Ok(true));
        assert_eq!(verdict("fe80::9", "ff02::1", true), Ok(false));
        assert_eq!(verdict("::", "ff02::1:ff00:2", true), Ok(false));
        for (src, dst, group, why) in [
            ("::", "2001:db8::2", false, "martian source"),
            ("::1", "2001:db8::2", false, "martian source"),
            ("::ffff:10.0.0.1", "2001:db8::2", false, "martian source"),
            ("ff02::1", "2001:db8::2", false, "martian source"),
            (
                "2001:db8::2",
                "2001:db8::2",
                false,
                "the source is our own address",
            ),
            ("2001:db8::9", "2001:db8::3", false, "not for us"),
            ("2001:db8::9", "::1", false, "not for us"),
            ("2001:db8::9", "ff02::2", true, "a group that we are not in"),
            (
                "2001:db8::9",
                "2001:db8::2",
                true,
                "a packet for us alone in a frame for many",
            ),
        ] {
            assert_eq!(verdict(src, dst, group), Err(why), "{src} {dst}");
        }
    }
}
