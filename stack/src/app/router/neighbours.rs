//! Who is at which Ethernet address: ARP (RFC 826) and Neighbor Discovery (RFC 4861), as far as a router needs them that
//! forgets nothing.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use crate::addr::{IpAddress, Mac};
use crate::net::ipv6::scope::{group_mac, solicited_node};
use crate::wire::ethernet::EtherType;
use crate::wire::icmpv6::{self, Pseudo};
use crate::wire::ipv4::Protocol;
use crate::wire::ndp::{self, Body};
use crate::wire::{arp, ipv6};

/// Neighbours that are remembered; whoever comes later is asked for with each packet.
const MOST: usize = 1_024;

/// A packet for an Ethernet address.
pub type Addressed = (Mac, EtherType, Vec<u8>);

/// The neighbours, and our own name.
pub struct Neighbours {
    mac: Mac,
    known: BTreeMap<IpAddress, Mac>,
}

impl Neighbours {
    /// Nobody yet.
    pub fn new(mac: Mac) -> Neighbours {
        Neighbours {
            mac,
            known: BTreeMap::new(),
        }
    }

    /// Where somebody is.
    pub fn find(&self, address: IpAddress) -> Option<Mac> {
        self.known.get(&address).copied()
    }

    fn learn(&mut self, address: IpAddress, mac: Mac) {
        if self.known.len() < MOST || self.known.contains_key(&address) {
            self.known.insert(address, mac);
        }
    }

    /// Asks for a neighbour in the name of an address of ours.
    pub fn ask(&self, ours: IpAddress, target: IpAddress) -> Option<Addressed> {
        match (ours, target) {
            (IpAddress::V4(sender_ip), IpAddress::V4(target_ip)) => {
                let repr = arp::Repr {
                    operation: arp::Operation::Request,
                    sender_mac: self.mac,
                    sender_ip,
                    target_mac: Mac::default(),
                    target_ip,
                };
                Some(arp(Mac::BROADCAST, repr))
            }
            (IpAddress::V6(ours), IpAddress::V6(target)) => {
                let group = solicited_node(target);
                let body = Body::NeighbourSolicitation { target };
                Some(self.discovery(group_mac(group), ours, group, body))
            }
            _ => None,
        }
    }

    /// Takes an ARP packet: learns from it, and answers if it asks for one of `ours`.
    pub fn receive_arp(
        &mut self,
        packet: &arp::Packet<'_>,
        ours: &[Ipv4Addr],
    ) -> Option<Addressed> {
        if !ours.contains(&packet.target_ip()) {
            return None;
        }
        let (ip, mac) = (packet.sender_ip(), packet.sender_mac());
        self.learn(ip.into(), mac);
        let repr = arp::Repr {
            operation: arp::Operation::Reply,
            sender_mac: self.mac,
            sender_ip: packet.target_ip(),
            target_mac: mac,
            target_ip: ip,
        };
        (packet.operation() == arp::Operation::Request).then(|| arp(mac, repr))
    }

    /// Takes a discovery message; the same.
    pub fn receive_ndp(
        &mut self,
        src: Ipv6Addr,
        message: &ndp::Message<'_>,
        ours: &[Ipv6Addr],
    ) -> Option<Addressed> {
        match message.body {
            Body::NeighbourSolicitation { target } if ours.contains(&target) => {
                // Without an address of its own the sender only wants to know whether it may have ours: it may not.
                let everybody = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
                let asked = (!src.is_unspecified()).then_some(src);
                if let (Some(src), Some(mac)) = (asked, message.source_link_layer()) {
                    self.learn(src.into(), mac);
                }
                let dst = asked.unwrap_or(everybody);
                let mac = self.find(dst.into()).unwrap_or_else(|| group_mac(dst));
                let body = Body::NeighbourAdvertisement {
                    target,
                    router: true,
                    solicited: asked.is_some(),
                    replaces: true,
                };
                Some(self.discovery(mac, target, dst, body))
            }
            Body::NeighbourAdvertisement { target, .. } => {
                if let Some(mac) = message.target_link_layer() {
                    self.learn(target.into(), mac);
                }
                None
            }
            _ => None,
        }
    }

    fn discovery(&self, mac: Mac, src: Ipv6Addr, dst: Ipv6Addr, body: Body) -> Addressed {
        let message = ndp::Repr::new(body, Some(self.mac));
        let mut packet = vec![0; ipv6::HEADER + message.size()];
        let header = ipv6::Repr {
            src,
            dst,
            next_header: Protocol::ICMPV6,
            hop_limit: ndp::HOP_LIMIT,
            traffic_class: 0,
            flow_label: 0,
            payload_len: message.size(),
        };
        message.emit(header.emit(&mut packet), Pseudo { src, dst });
        (mac, EtherType::IPV6, packet)
    }
}

/// The discovery message in a packet, if it is one that has crossed no router (RFC 4861, 7.1).
pub fn discovery<'a>(packet: &ipv6::Packet<'a>) -> Option<ndp::Message<'a>> {
    if packet.next_header() != Protocol::ICMPV6 || packet.hop_limit() != ndp::HOP_LIMIT {
        return None;
    }
    let pseudo = Pseudo {
        src: packet.src(),
        dst: packet.dst(),
    };
    let message = icmpv6::Message::parse(packet.payload(), pseudo).ok()?;
    ndp::Message::of(&message)?.ok()
}

fn arp(dst: Mac, repr: arp::Repr) -> Addressed {
    let mut packet = vec![0; arp::PACKET];
    repr.emit(&mut packet);
    (dst, EtherType::ARP, packet)
}
