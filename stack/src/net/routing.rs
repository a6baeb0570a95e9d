//! Routing: which neighbour a packet is handed to, and from which of our addresses.

use core::net::Ipv4Addr;

use crate::net::interface::{Interface, Scope};

/// Where a packet goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHop {
    /// To one neighbour.
    Neighbour(Ipv4Addr),
    /// To everyone on the Ethernet.
    Broadcast,
    /// To a group.
    Multicast(Ipv4Addr),
    /// To ourselves.
    Local,
}

/// The networks we are in, and a gateway to all others.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    pub gateway: Option<Ipv4Addr>,
}

impl Routes {
    /// The way to `dst` and the source address to use on it; the longest prefix decides. `None`: there is no way.
    pub fn lookup(&self, interface: &Interface, dst: Ipv4Addr) -> Option<(NextHop, Ipv4Addr)> {
        let primary = interface.networks().first()?.address;
        match interface.scope(dst) {
            Scope::Martian => return None,
            Scope::Local => return Some((NextHop::Local, dst)),
            Scope::Broadcast => return Some((NextHop::Broadcast, primary)),
            Scope::Multicast => return Some((NextHop::Multicast(dst), primary)),
            Scope::DirectedBroadcast | Scope::Unicast => {}
        }
        let connected = |to: Ipv4Addr| {
            interface
                .networks()
                .iter()
                .filter(|n| n.contains(to))
                .max_by_key(|n| n.prefix)
        };
        if let Some(network) = connected(dst) {
            let hop = if network.broadcast() == Some(dst) {
                NextHop::Broadcast
            } else {
                NextHop::Neighbour(dst)
            };
            return Some((hop, network.address));
        }
        let gateway = self.gateway?;
        let source = connected(gateway).map_or(primary, |n| n.address);
        Some((NextHop::Neighbour(gateway), source))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::addr::{Cidr, Mac};

    fn lookup(addresses: &[&str], gateway: Option<&str>, dst: &str) -> Option<(NextHop, Ipv4Addr)> {
        let cidrs: Vec<Cidr> = addresses.iter().map(|a| Cidr::parse(a).unwrap()).collect();
        let interface = Interface::new(Mac::default(), 1500, &cidrs);
        let routes = Routes {
            gateway: gateway.map(|g| g.parse().unwrap()),
        };
        routes.lookup(&interface, dst.parse().unwrap())
    }

    fn via(hop: &str, source: &str) -> Option<(NextHop, Ipv4Addr)> {
        Some((
            NextHop::Neighbour(hop.parse().unwrap()),
            source.parse().unwrap(),
        ))
    }

    #[test]
    fn a_connected_network_is_reached_directly_by_its_longest_prefix() {
        let ours = ["10.0.0.2/8", "10.1.0.2/16"];
        assert_eq!(lookup(&ours, None, "10.1.0.9"), via("10.1.0.9", "10.1.0.2"));
        assert_eq!(lookup(&ours, None, "10.2.0.9"), via("10.2.0.9", "10.0.0.2"));
    }

    #[test]
    fn the_rest_goes_through_the_gateway_or_nowhere() {
        let ours = ["172.16.0.1/24", "10.0.0.2/24"];
        let through = lookup(&ours, Some("10.0.0.1"), "1.1.1.1");
        assert_eq!(through, via("10.0.0.1", "10.0.0.2"));
        assert_eq!(lookup(&ours, None, "1.1.1.1"), None);
    }

    #[test]
    fn broadcasts_and_groups_need_no_neighbour() {
        let hop = |dst| lookup(&["10.0.0.2/24"], None, dst).map(|(hop, _)| hop);
        assert_eq!(hop("255.255.255.255"), Some(NextHop::Broadcast));
        assert_eq!(hop("10.0.0.255"), Some(NextHop::Broadcast));
        let group = Ipv4Addr::new(224, 0, 0, 251);
        assert_eq!(hop("224.0.0.251"), Some(NextHop::Multicast(group)));
        assert_eq!(hop("127.0.0.1"), None);
    }
}
