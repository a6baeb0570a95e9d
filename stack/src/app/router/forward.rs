//! What becomes of a frame: a question about us is answered, a packet for another network goes there a hop older, or its
//! sender is told why not.
//!
//! Sans-IO: frames in by [`Router::receive`], frames out by [`Router::transmit`].

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::error::{self, Why};
use super::neighbours::{Addressed, Neighbours, discovery};
use crate::addr::{Cidr, IpAddress, Mac};
use crate::checksum::checksum;
use crate::wire::ethernet::{self, EtherType};
use crate::wire::{arp, ipv4, ipv6};

/// Packets that wait for an answer to the question who a neighbour is; of more the latest are dropped.
const WAITING_MAX: usize = 256;
/// Where an IPv4 header has its time to live and its checksum, and an IPv6 header its hop limit.
const TTL: usize = 8;
const CHECKSUM: core::ops::Range<usize> = 10..12;
const HOP_LIMIT: usize = 7;

/// The router.
pub struct Router {
    mac: Mac,
    addresses: Vec<Cidr>,
    /// The longest packet that the way on takes.
    mtu: usize,
    /// Senders are told what becomes of their packets.
    tells: bool,
    neighbours: Neighbours,
    waiting: VecDeque<(IpAddress, EtherType, Vec<u8>)>,
    outgoing: VecDeque<Vec<u8>>,
}

impl Router {
    /// A router between the networks of its addresses.
    pub fn new(mac: Mac, addresses: Vec<Cidr>, mtu: usize, tells: bool) -> Router {
        Router {
            mac,
            addresses,
            mtu,
            tells,
            neighbours: Neighbours::new(mac),
            waiting: VecDeque::new(),
            outgoing: VecDeque::new(),
        }
    }

    /// Takes one Ethernet frame.
    pub fn receive(&mut self, frame: &[u8]) {
        let Ok(frame) = ethernet::Frame::parse(frame) else {
            return;
        };
        let bytes = frame.payload();
        match frame.ethertype() {
            EtherType::ARP => self.receive_arp(bytes),
            EtherType::IPV4 if frame.dst() == self.mac => self.receive_v4(bytes),
            EtherType::IPV6 => self.receive_v6(frame.dst(), bytes),
            _ => {}
        }
    }

    /// The next frame to send.
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }

    fn receive_arp(&mut self, bytes: &[u8]) {
        let Ok(packet) = arp::Packet::parse(bytes) else {
            return;
        };
        let v4 = |cidr: &Cidr| match cidr.address {
            IpAddress::V4(address) => Some(address),
            IpAddress::V6(_) => None,
        };
        let ours: Vec<Ipv4Addr> = self.addresses.iter().filter_map(v4).collect();
        let answer = self.neighbours.receive_arp(&packet, &ours);
        self.answer(answer);
    }

    fn receive_v4(&mut self, bytes: &[u8]) {
        let Ok(packet) = ipv4::Packet::parse(bytes) else {
            return;
        };
        let (src, dst) = (packet.src(), packet.dst());
        if src.is_unspecified() || dst.is_multicast() || dst.is_broadcast() || self.is_ours(dst) {
            return;
        }
        match self.way(dst.into(), packet.ttl(), packet.bytes().len()) {
            Ok(()) => {
                let mut bytes = packet.bytes().to_vec();
                bytes[TTL] -= 1;
                bytes[CHECKSUM].fill(0);
                let sum = checksum(&bytes[..packet.header().len()]);
                bytes[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
                self.send(dst.into(), EtherType::IPV4, bytes);
            }
            Err(why) => {
                if let Some(IpAddress::V4(ours)) = self.told_by(src.into())
                    && let Some(error) = error::about_v4(why, ours, &packet)
                {
                    self.send(src.into(), EtherType::IPV4, error);
                }
            }
        }
    }

    fn receive_v6(&mut self, to: Mac, bytes: &[u8]) {
        let Ok(packet) = ipv6::Packet::parse(bytes) else {
            return;
        };
        let (src, dst) = (packet.src(), packet.dst());
        if let Some(message) = discovery(&packet) {
            let v6 = |cidr: &Cidr| match cidr.address {
                IpAddress::V6(address) => Some(address),
                IpAddress::V4(_) => None,
            };
            let ours: Vec<Ipv6Addr> = self.addresses.iter().filter_map(v6).collect();
            let answer = self.neighbours.receive_ndp(src, &message, &ours);
            return self.answer(answer);
        }
        let stays = src.is_unspecified()
            || src.is_unicast_link_local()
            || dst.is_unicast_link_local()
            || dst.is_multicast();
        if to != self.mac || stays || self.is_ours(dst) {
            return;
        }
        match self.way(dst.into(), packet.hop_limit(), packet.bytes().len()) {
            Ok(()) => {
                let mut bytes = packet.bytes().to_vec();
                bytes[HOP_LIMIT] -= 1;
                self.send(dst.into(), EtherType::IPV6, bytes);
            }
            Err(why) => {
                if let Some(IpAddress::V6(ours)) = self.told_by(src.into())
                    && let Some(error) = error::about_v6(why, ours, &packet)
                {
                    self.send(src.into(), EtherType::IPV6, error);
                }
            }
        }
    }

    /// Whether a packet goes on.
    fn way(&self, dst: IpAddress, hops: u8, len: usize) -> Result<(), Why> {
        if hops <= 1 {
            Err(Why::Hops)
        } else if self.ours_near(dst).is_none() {
            Err(Why::NoRoute)
        } else if len > self.mtu {
            Err(Why::TooBig { mtu: self.mtu })
        } else {
            Ok(())
        }
    }

    fn is_ours(&self, address: impl Into<IpAddress>) -> bool {
        let address = address.into();
        self.addresses.iter().any(|cidr| cidr.address == address)
    }

    /// Our address in the network of somebody else's.
    fn ours_near(&self, address: IpAddress) -> Option<IpAddress> {
        let near = self.addresses.iter().find(|cidr| cidr.contains(address))?;
        Some(near.address)
    }

    /// Who tells `src` an error.
    fn told_by(&self, src: IpAddress) -> Option<IpAddress> {
        self.ours_near(src).filter(|_| self.tells)
    }

    /// Sends a packet to a neighbour, at once or as soon as it is known where he is.
    fn send(&mut self, to: IpAddress, ethertype: EtherType, packet: Vec<u8>) {
        if let Some(mac) = self.neighbours.find(to) {
            return self.push((mac, ethertype, packet));
        }
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back((to, ethertype, packet));
        }
        let ours = self.ours_near(to);
        if let Some(question) = ours.and_then(|ours| self.neighbours.ask(ours, to)) {
            self.push(question);
        }
    }

    /// Sends an answer, and what has waited for what was learnt with the question.
    fn answer(&mut self, answer: Option<Addressed>) {
        if let Some(answer) = answer {
            self.push(answer);
        }
        for (to, ethertype, packet) in core::mem::take(&mut self.waiting) {
            match self.neighbours.find(to) {
                Some(mac) => self.push((mac, ethertype, packet)),
                None => self.waiting.push_back((to, ethertype, packet)),
            }
        }
    }

    fn push(&mut self, (dst, ethertype, packet): Addressed) {
        let mut frame = vec![0; ethernet::HEADER + packet.len()];
        let repr = ethernet::Repr {
            dst,
            src: self.mac,
            ethertype,
        };
        repr.emit(&mut frame).copy_from_slice(&packet);
        self.outgoing.push_back(frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::icmpv4::{Kind as KindV4, Message as MessageV4, Unreachable};
    use crate::wire::icmpv6::{Kind, Message, Pseudo};
    use crate::wire::ipv4::Protocol;
    use crate::wire::ndp::{self, Body};

    const OURS: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const HOST: Mac = Mac([2, 0, 0, 0, 0, 9]);

    fn v6(text: &str) -> Ipv6Addr {
        text.parse().expect("an address")
    }

    fn router(mtu: usize, tells: bool) -> Router {
        let addresses = ["10.0.1.1/24", "10.0.2.1/24", "fd01::1/64", "fd02::1/64"];
        let addresses = addresses.iter().filter_map(|text| Cidr::parse(text));
        Router::new(OURS, addresses.collect(), mtu, tells)
    }

    fn frame(dst: Mac, ethertype: EtherType, packet: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; ethernet::HEADER + packet.len()];
        let repr = ethernet::Repr {
            dst,
            src: HOST,
            ethertype,
        };
        repr.emit(&mut frame).copy_from_slice(packet);
        frame
    }

    /// A UDP datagram's packet of so many bytes.
    fn packet_v6(src: &str, dst: &str, hop_limit: u8, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let repr = ipv6::Repr {
            src: v6(src),
            dst: v6(dst),
            next_header: Protocol::UDP,
            hop_limit,
            traffic_class: 0,
            flow_label: 0,
            payload_len: len - ipv6::HEADER,
        };
        repr.emit(&mut bytes);
        bytes
    }

    /// A neighbour at [`HOST`] says who he is.
    fn advertise(router: &mut Router, who: &str) {
        let (src, dst) = (v6(who), v6("ff02::1"));
        let body = Body::NeighbourAdvertisement {
            target: src,
            router: false,
            solicited: false,
            replaces: true,
        };
        let message = ndp::Repr::new(body, Some(HOST));
        let mut bytes = packet_v6(who, "ff02::1", 255, ipv6::HEADER + message.size());
        bytes[6] = Protocol::ICMPV6.0;
        message.emit(&mut bytes[ipv6::HEADER..], Pseudo { src, dst });
        router.receive(&frame(Mac::BROADCAST, EtherType::IPV6, &bytes));
    }

    fn sent(router: &mut Router) -> Vec<(Mac, Vec<u8>)> {
        let next = || router.transmit();
        core::iter::from_fn(next)
            .map(|bytes| {
                let frame = ethernet::Frame::parse(&bytes).expect("a frame");
                (frame.dst(), frame.payload().to_vec())
            })
            .collect()
    }

    #[test]
    fn a_packet_waits_until_its_receiver_is_found_and_arrives_a_hop_older() {
        let mut router = router(1_500, true);
        let packet = packet_v6("fd01::9", "fd02::9", 64, 100);
        router.receive(&frame(OURS, EtherType::IPV6, &packet));
        let [(group, question)] = sent(&mut router).try_into().expect("a question");
        assert_eq!(group, Mac([0x33, 0x33, 0xff, 0, 0, 9]));
        let question = ipv6::Packet::parse(&question).expect("well formed");
        let message = discovery(&question).expect("a discovery message");
        let target = v6("fd02::9");
        assert_eq!(message.body, Body::NeighbourSolicitation { target });
        assert_eq!(question.src(), v6("fd02::1"));
        advertise(&mut router, "fd02::9");
        assert_eq!(
            sent(&mut router),
            [(HOST, packet_v6("fd01::9", "fd02::9", 63, 100))]
        );
    }

    #[test]
    fn what_is_too_long_for_the_way_on_is_reported_to_its_sender() {
        let mut router = router(1_300, true);
        advertise(&mut router, "fd01::9");
        advertise(&mut router, "fd02::9");
        let fits = packet_v6("fd01::9", "fd02::9", 64, 1_300);
        router.receive(&frame(OURS, EtherType::IPV6, &fits));
        assert_eq!(sent(&mut router).len(), 1);
        let packet = packet_v6("fd01::9", "fd02::9", 64, 1_301);
        router.receive(&frame(OURS, EtherType::IPV6, &packet));
        let [(_, error)] = sent(&mut router).try_into().expect("an error");
        let error = ipv6::Packet::parse(&error).expect("well formed");
        let (src, dst) = (error.src(), error.dst());
        assert_eq!((src, dst), (v6("fd01::1"), v6("fd01::9")));
        let message = Message::parse(error.payload(), Pseudo { src, dst }).expect("well formed");
        assert_eq!(message.kind(), Kind::PacketTooBig { mtu: 1_300 });
        assert!(packet.starts_with(message.payload()));
        assert!(error.bytes().len() <= ipv6::MIN_MTU);
    }

    #[test]
    fn version_4_is_forwarded_with_a_right_checksum_and_reported_alike() {
        let mut router = router(1_300, true);
        for last in [1, 2] {
            let repr = arp::Repr {
                operation: arp::Operation::Request,
                sender_mac: HOST,
                sender_ip: Ipv4Addr::new(10, 0, last, 9),
                target_mac: Mac::default(),
                target_ip: Ipv4Addr::new(10, 0, last, 1),
            };
            let mut question = vec![0; arp::PACKET];
            repr.emit(&mut question);
            router.receive(&frame(Mac::BROADCAST, EtherType::ARP, &question));
        }
        assert_eq!(sent(&mut router).len(), 2);
        let packet = |len: usize, ttl| {
            let repr = ipv4::Repr {
                src: Ipv4Addr::new(10, 0, 1, 9),
                dst: Ipv4Addr::new(10, 0, 2, 9),
                protocol: Protocol::UDP,
                ttl,
                dscp: 0,
                ecn: 0,
                ident: 7,
                dont_fragment: true,
                more_fragments: false,
                offset: 0,
                payload_len: len - ipv4::HEADER,
            };
            let mut bytes = vec![0; len];
            repr.emit(&mut bytes);
            bytes
        };
        router.receive(&frame(OURS, EtherType::IPV4, &packet(1_300, 64)));
        assert_eq!(sent(&mut router), [(HOST, packet(1_300, 63))]);
        router.receive(&frame(OURS, EtherType::IPV4, &packet(1_301, 64)));
        let [(_, error)] = sent(&mut router).try_into().expect("an error");
        let error = ipv4::Packet::parse(&error).expect("well formed");
        let message = MessageV4::parse(error.payload()).expect("well formed");
        let too_big = Unreachable::PacketTooBig { mtu: 1_300 };
        assert_eq!(message.kind(), KindV4::Unreachable(too_big));
        router.receive(&frame(OURS, EtherType::IPV4, &packet(100, 1)));
        assert_eq!(sent(&mut router).len(), 1);
    }

    #[test]
    fn a_black_hole_says_nothing() {
        let mut router = router(1_300, false);
        advertise(&mut router, "fd01::9");
        let packet = packet_v6("fd01::9", "fd02::9", 64, 1_301);
        router.receive(&frame(OURS, EtherType::IPV6, &packet));
        assert!(sent(&mut router).is_empty());
    }

    #[test]
    fn nothing_is_said_about_an_error() {
        let mut router = router(1_500, true);
        advertise(&mut router, "fd01::9");
        let packet = packet_v6("fd01::9", "fd03::9", 64, 100);
        router.receive(&frame(OURS, EtherType::IPV6, &packet));
        let [(_, error)] = sent(&mut router).try_into().expect("an error");
        // The same back: from where there is no way to where nobody told it.
        let mut about = ipv6::Packet::parse(&error).expect("well formed");
        let (src, dst) = (v6("fd01::9"), v6("fd03::9"));
        let pseudo = Pseudo {
            src: about.src(),
            dst: about.dst(),
        };
        let kind = Message::parse(about.payload(), pseudo).expect("well formed");
        let message = crate::wire::icmpv6::Repr::of(&kind);
        let mut bytes = packet_v6("fd01::9", "fd03::9", 64, ipv6::HEADER + message.size());
        bytes[6] = Protocol::ICMPV6.0;
        message.emit(&mut bytes[ipv6::HEADER..], Pseudo { src, dst });
        about = ipv6::Packet::parse(&bytes).expect("well formed");
        router.receive(&frame(OURS, EtherType::IPV6, about.bytes()));
        assert!(sent(&mut router).is_empty());
    }

    #[test]
    fn what_is_for_this_network_alone_stays_in_it() {
        let mut router = router(1_500, true);
        advertise(&mut router, "fd01::9");
        for (to, src, dst) in [
            (OURS, "fe80::9", "fd02::9"),
            (OURS, "fd01::9", "fe80::9"),
            (OURS, "fd01::9", "ff05::2"),
            (OURS, "fd01::9", "fd02::1"),
            (HOST, "fd01::9", "fd02::9"),
        ] {
            let packet = packet_v6(src, dst, 64, 100);
            router.receive(&frame(to, EtherType::IPV6, &packet));
            assert!(sent(&mut router).is_empty(), "{src} > {dst}");
        }
    }
}
