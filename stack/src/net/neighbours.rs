//! Neighbours: which Ethernet address an IPv4 address on our network has, asked for by ARP (RFC 826, RFC 5227).
//!
//! An entry lives like this, each arrow a deadline or a packet:
//!
//! ```text
//!   asked for ──► Incomplete ──answer──► Reachable ──arp_reachable──► Stale ──arp_stale──► forgotten
//!                   │ unanswered ×3          ▲                          │ used: asked by unicast
//!                   ▼                        └───────── answer ─────────┤
//!                 failed: its packets are given back                    └ unanswered ×3 ──► forgotten
//! ```
//!
//! Packets for an incomplete neighbour wait in its queue; once it answers they go out before anything newer.

use alloc::collections::VecDeque;
use core::net::Ipv4Addr;

use xen_abi::{Fuel, Instant};

use crate::addr::Mac;
use crate::api::{Device, DeviceFull};
use crate::event::TimerKinds;
use crate::net::interface::{Interface, Scope};
use crate::net::neighbour_cache::{Cache, Parked};
use crate::net::neighbour_table::State;
use crate::net::profile::NetProfile;
use crate::wire::arp::{self, Operation};
use crate::wire::ethernet::{self, EtherType};

/// ARP packets that may wait for the device; more are answers to a flood, and those may be lost.
const ARP_QUEUE: usize = 64;
/// Why a state does not occur here.
const NO_DELAY: &str = "ARP asks at once";

/// The ARP cache and all that waits for it.
#[derive(Debug)]
pub struct Neighbours {
    profile: NetProfile,
    cache: Cache<Ipv4Addr>,
    /// ARP packets that wait for the device.
    outbox: VecDeque<(Mac, arp::Repr)>,
    /// When our address was defended last.
    defended: Option<Instant>,
}

impl Neighbours {
    /// An empty cache.
    pub fn new(profile: &NetProfile) -> Neighbours {
        Neighbours {
            profile: profile.clone(),
            cache: Cache::new(profile),
            outbox: VecDeque::new(),
            defended: None,
        }
    }

    /// Names a neighbour by hand: it is never asked for.
    pub fn set_permanent(&mut self, ip: Ipv4Addr, mac: Mac) {
        self.cache.set_permanent(ip, mac);
    }

    /// Announces our addresses: RFC 5227, section 2.3.
    pub fn announce(&mut self, interface: &Interface) {
        for network in interface.networks() {
            self.post(Mac::BROADCAST, announcement(interface.mac, network.address));
        }
    }

    /// The neighbour's Ethernet address. `None`: it is being asked for; park the packet.
    #[inline]
    pub fn resolve(
        &mut self,
        now: Instant,
        interface: &Interface,
        source: Ipv4Addr,
        ip: Ipv4Addr,
    ) -> Option<Mac> {
        match self.cache.recent(now, ip) {
            Some(mac) => Some(mac),
            None => self.resolve_slowly(now, interface, source, ip),
        }
    }

    fn resolve_slowly(
        &mut self,
        now: Instant,
        interface: &Interface,
        source: Ipv4Addr,
        ip: Ipv4Addr,
    ) -> Option<Mac> {
        match self.cache.table().get(ip) {
            Some((&State::Reachable(mac), deadline)) => {
                self.cache.found(ip, mac, deadline);
                Some(mac)
            }
            Some((&State::Stale { mac, tries }, _)) => {
                if tries == 0 {
                    self.ask(interface, source, ip, mac);
                    let state = State::Stale { mac, tries: 1 };
                    let again = now.plus(self.profile.arp_interval);
                    self.cache.set(ip, state, again);
                }
                Some(mac)
            }
            Some((State::Incomplete { .. }, _)) => None,
            Some((State::Delay(_), _)) => unreachable!("{NO_DELAY}"),
            None => {
                if let Some(mac) = self.cache.permanent(ip) {
                    return Some(mac);
                }
                self.cache.make_room();
                self.ask(interface, source, ip, Mac::BROADCAST);
                let queue = VecDeque::new();
                let state = State::Incomplete { tries: 1, queue };
                let again = now.plus(self.profile.arp_interval);
                self.cache.set(ip, state, again);
                None
            }
        }
    }

    /// Lets a packet wait for a neighbour that [`Neighbours::resolve`] did not know.
    pub fn park(&mut self, ip: Ipv4Addr, parked: Parked) {
        self.cache.park(ip, parked);
    }

    /// Takes an ARP packet. `Err` says why it was refused.
    pub fn receive(
        &mut self,
        now: Instant,
        interface: &Interface,
        packet: &arp::Packet<'_>,
    ) -> Result<(), &'static str> {
        let (mac, ip) = (packet.sender_mac(), packet.sender_ip());
        if mac.is_multicast() || mac == Mac::default() {
            return Err("the sender's Ethernet address is a group's");
        }
        if mac == interface.mac {
            return Err("our own packet came back");
        }
        match interface.scope(ip) {
            Scope::Local => return self.conflict(now, interface, ip),
            Scope::Unicast => {}
            // A probe (RFC 5227, section 2.1.1) asks without saying who asks.
            Scope::Martian if ip.is_unspecified() => {}
            _ => return Err("the sender's address is nobody's"),
        }
        let asks_us =
            packet.operation() == Operation::Request && interface.is_local(packet.target_ip());
        let on_link = interface.networks().iter().any(|n| n.contains(ip));
        let known = self.cache.table().contains(ip);
        if on_link && !self.cache.is_permanent(ip) && (asks_us || known) {
            self.learn(now, ip, mac);
        }
        if asks_us {
            let reply = arp::Repr {
                operation: Operation::Reply,
                sender_mac: interface.mac,
                sender_ip: packet.target_ip(),
                target_mac: mac,
                target_ip: ip,
            };
            self.post(mac, reply);
        }
        Ok(())
    }

    /// Somebody else uses our address: defended at most once in a while (RFC 5227, section 2.4 (b)).
    fn conflict(
        &mut self,
        now: Instant,
        interface: &Interface,
        ip: Ipv4Addr,
    ) -> Result<(), &'static str> {
        let quiet = self
            .defended
            .is_none_or(|at| now.since(at) >= self.profile.arp_defend);
        if quiet {
            self.defended = Some(now);
            self.post(Mac::BROADCAST, announcement(interface.mac, ip));
        }
        Err("somebody else uses our address")
    }

    fn learn(&mut self, now: Instant, ip: Ipv4Addr, mac: Mac) {
        if !self.cache.table().contains(ip) {
            self.cache.make_room();
        }
        let until = now.plus(self.profile.arp_reachable);
        self.cache.set(ip, State::Reachable(mac), until);
    }

    /// Sends what waits: ARP packets, then packets whose neighbour answered.
    pub fn transmit(&mut self, mac: Mac, device: &mut dyn Device) -> Result<(), DeviceFull> {
        while let Some((dst, packet)) = self.outbox.front() {
            let header = ethernet::Repr {
                dst: *dst,
                src: mac,
                ethertype: EtherType::ARP,
            };
            device.transmit(ethernet::HEADER + arp::PACKET, false, &mut |frame| {
                packet.emit(header.emit(frame));
            })?;
            self.outbox.pop_front();
        }
        self.cache.transmit(mac, device)
    }

    /// Acts on the deadlines that are over.
    pub fn tick(&mut self, now: Instant, interface: &Interface, fuel: &Fuel) {
        while let Some((ip, state)) = self.cache.pop_due(now) {
            fuel.burn(1);
            self.expire(now, interface, ip, state);
        }
    }

    fn expire(&mut self, now: Instant, interface: &Interface, ip: Ipv4Addr, state: State) {
        let again = now.plus(self.profile.arp_interval);
        let most = self.profile.arp_tries;
        let source = source_for(interface, ip);
        match state {
            State::Reachable(mac) => {
                let stale = State::Stale { mac, tries: 0 };
                let until = now.plus(self.profile.arp_stale);
                self.cache.set(ip, stale, until);
            }
            State::Stale { mac, tries } if (1..most).contains(&tries) => {
                self.ask(interface, source, ip, mac);
                let tries = tries + 1;
                self.cache.set(ip, State::Stale { mac, tries }, again);
            }
            State::Stale { .. } => {}
            State::Incomplete { tries, queue } if tries < most => {
                self.ask(interface, source, ip, Mac::BROADCAST);
                let tries = tries + 1;
                let state = State::Incomplete { tries, queue };
                self.cache.set(ip, state, again);
            }
            State::Incomplete { queue, .. } => self.cache.fail(queue),
            State::Delay(_) => unreachable!("{NO_DELAY}"),
        }
    }

    /// The next packet whose neighbour never answered.
    pub fn next_failed(&mut self) -> Option<Parked> {
        self.cache.next_failed()
    }

    /// Whether something waits for the device.
    #[inline]
    pub fn has_output(&self) -> bool {
        !self.outbox.is_empty() || self.cache.has_output()
    }
    /// The next deadline.
    #[inline]
    pub fn poll_at(&self) -> Option<Instant> {
        self.cache.table().poll_at()
    }
    /// The kinds of armed timers.
    pub fn timers(&self) -> TimerKinds {
        self.cache.table().timers()
    }

    fn ask(&mut self, interface: &Interface, source: Ipv4Addr, ip: Ipv4Addr, dst: Mac) {
        let request = arp::Repr {
            operation: Operation::Request,
            sender_mac: interface.mac,
            sender_ip: source,
            target_mac: Mac::default(),
            target_ip: ip,
        };
        self.post(dst, request);
    }

    fn post(&mut self, dst: Mac, packet: arp::Repr) {
        if self.outbox.len() < ARP_QUEUE {
            self.outbox.push_back((dst, packet));
        }
    }
}

fn announcement(mac: Mac, ip: Ipv4Addr) -> arp::Repr {
    arp::Repr {
        operation: Operation::Request,
        sender_mac: mac,
        sender_ip: ip,
        target_mac: Mac::default(),
        target_ip: ip,
    }
}

/// Our address in the neighbour's network: who asks.
fn source_for(interface: &Interface, ip: Ipv4Addr) -> Ipv4Addr {
    let networks = interface.networks();
    networks
        .iter()
        .filter(|n| n.contains(ip))
        .max_by_key(|n| n.prefix)
        .or(networks.first())
        .map_or(Ipv4Addr::UNSPECIFIED, |n| n.address)
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::addr::Cidr;
    use crate::api::DeviceCaps;
    use crate::dev::raw::RawDevice;
    use crate::net::profile::SECOND;
    use crate::wire::ethernet::Frame;

    const OUR_MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const THEIR_MAC: Mac = Mac([2, 0, 0, 0, 0, 2]);
    const US: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const THEM: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

    struct Bench {
        interface: Interface,
        device: RawDevice,
        n: Neighbours,
    }

    impl Bench {
        fn new(profile: &NetProfile) -> Bench {
            let cidr = Cidr::parse("10.0.0.1/16").unwrap();
            let caps = DeviceCaps {
                mac: OUR_MAC,
                mtu: 1500,
                tx_checksum: false,
            };
            Bench {
                interface: Interface::new(OUR_MAC, 1500, &[cidr]),
                device: RawDevice::new(caps, 256),
                n: Neighbours::new(profile),
            }
        }
        fn resolve(&mut self, now: u64, ip: Ipv4Addr) -> Option<Mac> {
            self.n.resolve(Instant(now), &self.interface, US, ip)
        }
        /// Lets time pass, and says what was sent: whom each frame is for and what it carries.
        fn sent(&mut self, now: u64) -> Vec<(Mac, EtherType)> {
            let fuel = Fuel::unlimited();
            self.n.tick(Instant(now), &self.interface, &fuel);
            self.n.transmit(OUR_MAC, &mut self.device).unwrap();
            let mut sent = Vec::new();
            while let Some(one) = self.device.take(|frame, _| {
                let frame = Frame::parse(frame).unwrap();
                (frame.dst(), frame.ethertype())
            }) {
                sent.push(one);
            }
            sent
        }
        fn hear(
            &mut self,
            now: u64,
            operation: Operation,
            from: (Mac, Ipv4Addr),
            target: Ipv4Addr,
        ) -> Result<(), &'static str> {
            let mut bytes = [0; arp::PACKET];
            arp::Repr {
                operation,
                sender_mac: from.0,
                sender_ip: from.1,
                target_mac: Mac::default(),
                target_ip: target,
            }
            .emit(&mut bytes);
            let packet = arp::Packet::parse(&bytes).unwrap();
            self.n.receive(Instant(now), &self.interface, &packet)
        }
    }

    fn parked() -> Parked {
        Parked {
            packet: vec![1; 100],
            needs_csum: false,
        }
    }

    const ARP: EtherType = EtherType::ARP;
    const IPV4: EtherType = EtherType::IPV4;

    #[test]
    fn a_packet_waits_until_its_neighbour_answers() {
        let mut b = Bench::new(&NetProfile::default());
        assert_eq!(b.resolve(0, THEM), None);
        b.n.park(THEM, parked());
        assert_eq!(b.sent(0), [(Mac::BROADCAST, ARP)]);
        assert_eq!(b.n.timers(), TimerKinds::FINISH);
        b.hear(5, Operation::Reply, (THEIR_MAC, THEM), US).unwrap();
        assert_eq!(b.sent(5), [(THEIR_MAC, IPV4)]);
        assert_eq!(
            (b.resolve(6, THEM), b.n.cache.parked_bytes()),
            (Some(THEIR_MAC), 0)
        );
        assert_eq!(b.n.timers(), TimerKinds::CACHE);
    }

    #[test]
    fn an_absent_neighbour_is_asked_three_times_a_second_apart_then_failed() {
        let mut b = Bench::new(&NetProfile::default());
        assert_eq!(b.resolve(0, THEM), None);
        b.n.park(THEM, parked());
        for second in 0..3 {
            assert_eq!(b.sent(second * SECOND), [(Mac::BROADCAST, ARP)]);
            assert_eq!(b.n.poll_at(), Some(Instant((second + 1) * SECOND)));
            assert_eq!(b.sent(second * SECOND + 1), []);
        }
        assert_eq!(b.sent(3 * SECOND), []);
        assert_eq!(b.n.next_failed(), Some(parked()));
        assert_eq!((b.n.poll_at(), b.n.cache.parked_bytes()), (None, 0));
    }

    #[test]
    fn a_stale_neighbour_is_used_while_it_is_asked_by_unicast() {
        let profile = NetProfile::default();
        let mut b = Bench::new(&profile);
        b.hear(0, Operation::Request, (THEIR_MAC, THEM), US)
            .unwrap();
        assert_eq!(b.sent(0), [(THEIR_MAC, ARP)], "the answer");
        let stale = profile.arp_reachable;
        assert_eq!(b.sent(stale), []);
        assert_eq!(b.resolve(stale, THEM), Some(THEIR_MAC));
        assert_eq!(b.sent(stale), [(THEIR_MAC, ARP)]);
        assert_eq!(b.resolve(stale, THEM), Some(THEIR_MAC));
        assert_eq!(b.sent(stale + SECOND), [(THEIR_MAC, ARP)]);
        assert_eq!(b.sent(stale + 2 * SECOND), [(THEIR_MAC, ARP)]);
        assert_eq!(b.sent(stale + 3 * SECOND), []);
        assert_eq!(b.resolve(stale + 3 * SECOND, THEM), None, "forgotten");
    }

    #[test]
    fn only_who_speaks_to_us_is_remembered() {
        let mut b = Bench::new(&NetProfile::default());
        let other = Ipv4Addr::new(10, 0, 0, 3);
        b.hear(0, Operation::Request, (THEIR_MAC, THEM), other)
            .unwrap();
        b.hear(0, Operation::Reply, (THEIR_MAC, THEM), US).unwrap();
        let off_link = Ipv4Addr::new(192, 168, 0, 1);
        b.hear(0, Operation::Request, (THEIR_MAC, off_link), US)
            .unwrap();
        assert_eq!(b.n.cache.table().count(), 0);
        // A probe (RFC 5227) is answered all the same.
        b.sent(0);
        b.hear(
            0,
            Operation::Request,
            (THEIR_MAC, Ipv4Addr::UNSPECIFIED),
            US,
        )
        .unwrap();
        assert_eq!(b.sent(0), [(THEIR_MAC, ARP)]);
    }

    #[test]
    fn our_address_is_defended_now_and_then() {
        let mut b = Bench::new(&NetProfile::default());
        let mut claim = |now| {
            assert!(
                b.hear(now, Operation::Request, (THEIR_MAC, US), US)
                    .is_err()
            );
            b.sent(now)
        };
        assert_eq!(claim(0), [(Mac::BROADCAST, ARP)]);
        assert_eq!(claim(SECOND), []);
        assert_eq!(claim(10 * SECOND), [(Mac::BROADCAST, ARP)]);
    }

    #[test]
    fn queues_and_the_table_are_bounded() {
        let profile = NetProfile {
            neighbours: 8,
            neighbour_queue: 3,
            neighbour_bytes: 1000,
            ..NetProfile::default()
        };
        let mut b = Bench::new(&profile);
        for last in 1..=100 {
            let ip = Ipv4Addr::new(10, 0, 1, last);
            assert_eq!(b.resolve(last.into(), ip), None);
            for _ in 0..5 {
                b.n.park(ip, parked());
            }
            assert!(b.n.cache.table().count() <= 8 && b.n.cache.parked_bytes() <= 1000);
        }
        b.sent(10 * SECOND);
        b.sent(20 * SECOND);
        b.sent(30 * SECOND);
        assert_eq!(
            (b.n.cache.table().count(), b.n.cache.parked_bytes()),
            (0, 0)
        );
    }
}
