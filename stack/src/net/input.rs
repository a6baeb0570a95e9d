//! What a received IPv4 packet must be before anything above looks at it: RFC 1122, sections 3.2.1 and 3.3.6.

use xen_abi::Fuel;

use crate::net::interface::{Interface, Scope};
use crate::wire::ipv4::Packet;

/// Checks a packet with a good header. `group`: its frame was sent to a group of Ethernet addresses. Gives whether
/// it was sent to us alone; `Err` says why it is refused.
pub fn check(
    interface: &Interface,
    packet: &Packet<'_>,
    group: bool,
    fuel: &Fuel,
) -> Result<bool, &'static str> {
    if packet.ttl() == 0 {
        return Err("TTL 0");
    }
    match interface.scope(packet.src()) {
        Scope::Unicast => {}
        Scope::Local => return Err("the source is our own address"),
        _ => return Err("martian source"),
    }
    check_options(packet, fuel)?;
    match interface.scope(packet.dst()) {
        Scope::Local if group => Err("a packet for us alone in a frame for many"),
        Scope::Local => Ok(true),
        Scope::Broadcast => Ok(false),
        Scope::DirectedBroadcast => Err("directed broadcast"),
        Scope::Multicast => Err("a group that we are not in"),
        Scope::Martian | Scope::Unicast => Err("not for us"),
    }
}

/// Unknown options are skipped (RFC 1122, section 3.2.1.8); a sender that chooses the way is not heard (RFC 7126).
fn check_options(packet: &Packet<'_>, fuel: &Fuel) -> Result<(), &'static str> {
    if !packet.has_options() {
        return Ok(());
    }
    let mut options = packet.options();
    loop {
        match options.next(fuel) {
            Ok(Some(kind)) if kind.is_source_route() => return Err("source routing"),
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            Err(_) => return Err("bad option"),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::addr::{Cidr, Mac};
    use crate::checksum::checksum;
    use crate::wire::ipv4::{HEADER, Protocol, Repr};

    fn interface() -> Interface {
        Interface::new(Mac::default(), 1500, &[Cidr::parse("10.0.0.2/24").unwrap()])
    }

    fn header(src: &str, dst: &str, ttl: u8) -> Vec<u8> {
        let repr = Repr {
            src: src.parse().unwrap(),
            dst: dst.parse().unwrap(),
            protocol: Protocol::UDP,
            ttl,
            dscp: 0,
            ecn: 0,
            ident: 0,
            dont_fragment: true,
            more_fragments: false,
            offset: 0,
            payload_len: 0,
        };
        let mut bytes = vec![0; HEADER];
        repr.emit(&mut bytes);
        bytes
    }

    fn verdict(src: &str, dst: &str, ttl: u8, group: bool) -> Result<bool, &'static str> {
        let bytes = header(src, dst, ttl);
        let packet = Packet::parse(&bytes).unwrap();
        check(&interface(), &packet, group, &Fuel::unlimited())
    }

    /// The same of an honest packet with options.
    fn verdict_on(options: &[u8]) -> Result<bool, &'static str> {
        let mut bytes = header("10.0.0.9", "10.0.0.2", 64);
        bytes.extend(options);
        let len = bytes.len();
        bytes[0] = 0x40 | (len / 4) as u8;
        bytes[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        bytes[10..12].fill(0);
        let sum = checksum(&bytes);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        let packet = Packet::parse(&bytes).unwrap();
        check(&interface(), &packet, false, &Fuel::unlimited())
    }

    #[test]
    fn an_option_that_is_not_known_is_skipped_and_a_source_route_is_not_obeyed() {
        // Router alert, one that nobody knows, a time stamp.
        for known_to_nobody in [[148, 4, 0, 0], [222, 3, 9, 0], [68, 4, 5, 0]] {
            assert_eq!(verdict_on(&known_to_nobody), Ok(true));
        }
        for kind in [131, 137] {
            let route = [1, kind, 7, 4, 10, 0, 0, 7];
            assert_eq!(verdict_on(&route), Err("source routing"));
        }
        assert_eq!(verdict_on(&[222, 1, 0, 0]), Err("bad option"));
    }

    #[test]
    fn only_honest_packets_for_us_are_heard() {
        assert_eq!(verdict("10.0.0.9", "10.0.0.2", 1, false), Ok(true));
        assert_eq!(verdict("1.2.3.4", "255.255.255.255", 1, true), Ok(false));
        for (src, dst, ttl, group, why) in [
            ("10.0.0.9", "10.0.0.2", 0, false, "TTL 0"),
            (
                "10.0.0.2",
                "10.0.0.2",
                9,
                false,
                "the source is our own address",
            ),
            ("127.0.0.1", "10.0.0.2", 9, false, "martian source"),
            ("224.0.0.1", "10.0.0.2", 9, false, "martian source"),
            ("10.0.0.255", "10.0.0.2", 9, false, "martian source"),
            ("0.0.0.0", "10.0.0.2", 9, false, "martian source"),
            ("10.0.0.9", "10.0.0.255", 9, true, "directed broadcast"),
            ("10.0.0.9", "10.0.0.3", 9, false, "not for us"),
            ("10.0.0.9", "127.0.0.1", 9, false, "not for us"),
            (
                "10.0.0.9",
                "224.0.0.1",
                9,
                true,
                "a group that we are not in",
            ),
            (
                "10.0.0.9",
                "10.0.0.2",
                9,
                true,
                "a packet for us alone in a frame for many",
            ),
        ] {
            assert_eq!(verdict(src, dst, ttl, group), Err(why));
        }
    }
}
