//! IPv6 on our interface: addresses, routers and neighbours together, and what each discovery message does to them
//! (RFC 4861 and RFC 4862, the parts about hosts).
//!
//! Redirects are not followed, and a router's hop limit is not taken over: neither is needed on one link, and both can
//! be forged by anybody on it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use xen_abi::{Fuel, Instant};

use crate::addr::Mac;
use crate::event::{AddressState, Event, TimerKinds};
use crate::net::ipv6::addresses::{Address, Addresses, FOREVER, Origin, State};
use crate::net::ipv6::identifier;
use crate::net::ipv6::neighbours::{Advertised, Asker, Neighbours};
use crate::net::ipv6::outbox::{Discovery, Outbox};
use crate::net::ipv6::output::{NextHop, Pieces};
use crate::net::ipv6::profile::{Identifier, Ipv6Profile};
use crate::net::ipv6::routers::Routers;
use crate::net::ipv6::scope::{
    ALL_NODES, ALL_ROUTERS, Scope, group_mac, reach, same_prefix, scope, solicited_node,
};
use crate::net::ipv6::source;
use crate::net::neighbour_cache::Parked;
use crate::net::profile::{NetProfile, SECOND};
use crate::tcp::Key;
use crate::wire::ipv6::MIN_MTU;
use crate::wire::ndp::{self, Body, NdpOption, Prefix, Repr, RouterAdvertisement};

/// The prefix of link-local addresses. As an address in a configuration it means: form one.
pub const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 0);

/// RFC 4862, section 5.5.3 (e): an advertisement nobody has signed cannot shorten a lifetime below this.
const TWO_HOURS: u64 = 7200 * SECOND;

/// A discovery message, and how it came.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    pub src: Ipv6Addr,
    pub dst: Ipv6Addr,
    pub hop_limit: u8,
    pub message: ndp::Message<'a>,
}

/// A host with one interface.
pub struct Host {
    profile: Ipv6Profile,
    mac: Mac,
    /// The link's MTU, in bytes: a router may say that it is less than the interface's.
    pub mtu: usize,
    interface_mtu: usize,
    pub addresses: Addresses,
    routers: Routers,
    pub(super) neighbours: Neighbours,
    pub(super) outbox: Outbox,
    /// A packet on its way in pieces.
    pub(super) pieces: Option<Pieces>,
    /// The next packet's identification, for packets in pieces.
    pub(super) ident: u32,
    /// Where the last packet went; forgotten when anything changes that decides it.
    pub(super) last: Option<(Ipv6Addr, NextHop)>,
    /// Router advertisements are asked for and heard.
    autoconf: bool,
    /// Router solicitations that may still be sent, and when the next is.
    solicitations: u8,
    solicit_at: Option<Instant>,
    started: bool,
    random: ChaCha8Rng,
    /// What identifiers and flow labels are derived from.
    pub(super) secret: Key,
    /// What there is to report.
    news: Vec<Event>,
}

impl core::fmt::Debug for Host {
    /// Without its secret.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Host")
            .field("addresses", &self.addresses)
            .field("routers", &self.routers)
            .finish_non_exhaustive()
    }
}

impl Host {
    /// A host whose interface has these addresses and prefixes, and these default routers. An address of
    /// [`LINK_LOCAL`] itself asks for autoconfiguration.
    pub fn new(
        net: &NetProfile,
        mac: Mac,
        mtu: usize,
        addresses: &[(Ipv6Addr, u8)],
        gateways: &[Ipv6Addr],
        seed: [u8; 32],
    ) -> Host {
        let profile = net.ipv6.clone();
        let mut random = ChaCha8Rng::from_seed(seed);
        let secret = Key(random.next_u64(), random.next_u64());
        let mut host = Host {
            mac,
            mtu,
            interface_mtu: mtu,
            addresses: Addresses::default(),
            routers: Routers::new(profile.routers, profile.prefixes),
            neighbours: Neighbours::new(net, &mut random),
            outbox: Outbox::default(),
            pieces: None,
            ident: random.next_u32(),
            last: None,
            autoconf: profile.autoconf && addresses.iter().any(|(ip, _)| *ip == LINK_LOCAL),
            solicitations: 0,
            solicit_at: None,
            started: false,
            random,
            secret,
            news: Vec::new(),
            profile,
        };
        host.configure(addresses, gateways);
        host
    }

    fn configure(&mut self, addresses: &[(Ipv6Addr, u8)], gateways: &[Ipv6Addr]) {
        let start = Instant(0);
        let own = addresses.iter().filter(|(ip, _)| *ip != LINK_LOCAL);
        let has_link_local = own.clone().any(|(ip, _)| ip.is_unicast_link_local());
        let asked = addresses.iter().any(|(ip, _)| *ip == LINK_LOCAL);
        if (self.profile.link_local || asked) && !has_link_local {
            let kind = self.profile.identifier;
            let formed = identifier::form(LINK_LOCAL, self.mac, kind, 0, self.secret);
            self.add(
                formed,
                identifier::PREFIX,
                Origin::LinkLocal,
                start,
                (FOREVER, FOREVER),
            );
        }
        for &(ip, prefix) in own {
            if self.addresses.get(ip).is_none() && self.addresses.len() < self.profile.addresses {
                self.add(ip, prefix, Origin::Manual, start, (FOREVER, FOREVER));
                self.routers.set_prefix(ip, prefix, start, FOREVER);
            }
        }
        for &gateway in gateways {
            self.routers.set_router(gateway, start, FOREVER);
        }
        if self.autoconf && !self.routers.has_default() {
            self.solicitations = self.profile.router_solicitations;
        }
    }

    /// An address begins: tentative, if duplicates are looked for.
    fn add(
        &mut self,
        ip: Ipv6Addr,
        prefix: u8,
        origin: Origin,
        now: Instant,
        (preferred_until, valid_until): (Instant, Instant),
    ) {
        let left = self.profile.dad_transmits;
        let state = match left {
            0 => State::Preferred,
            _ => State::Tentative { left, next: now },
        };
        self.addresses.add(Address {
            ip,
            prefix,
            state,
            origin,
            preferred_until,
            valid_until,
            tries: 0,
        });
        self.last = None;
    }

    /// The addresses, as the report that the interface is up gives them.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        let text = |a: &Address| format!("{}/{}", a.ip, a.prefix);
        self.addresses.iter().map(text)
    }

    /// Whether the addresses that were there from the beginning may be used, or never will.
    pub fn is_up(&self) -> bool {
        !self.addresses.is_settling()
    }

    /// Names a neighbour by hand.
    pub fn set_neighbour(&mut self, ip: Ipv6Addr, mac: Mac) {
        self.neighbours.set_permanent(ip, mac);
    }

    /// The next packet whose neighbour never answered.
    pub fn next_failed(&mut self) -> Option<Parked> {
        self.neighbours.next_failed()
    }

    /// What there is to report since it was last asked for.
    pub fn take_news(&mut self) -> Vec<Event> {
        core::mem::take(&mut self.news)
    }

    /// The way to `dst`: interface's next hop; `None`: there is none.
    #[inline]
    pub fn hop(&mut self, dst: Ipv6Addr) -> Option<NextHop> {
        if let Some((last, hop)) = self.last
            && last == dst
        {
            return Some(hop);
        }
        let hop = self.find_hop(dst)?;
        self.last = Some((dst, hop));
        Some(hop)
    }

    /// As [`Host::hop`], without keeping it in mind.
    pub fn find_hop(&self, dst: Ipv6Addr) -> Option<NextHop> {
        match scope(dst) {
            Scope::Martian => None,
            Scope::Multicast => Some(NextHop::Multicast(dst)),
            _ if self.addresses.is_ours(dst) => Some(NextHop::Local),
            _ => self.routers.next_hop(dst).map(NextHop::Neighbour),
        }
    }

    /// The source for a packet to `dst`, if there is a way and an address of ours that reaches as far.
    pub fn source(&self, dst: Ipv6Addr) -> Option<Ipv6Addr> {
        self.find_hop(dst)?;
        source::choose(&self.addresses, dst).filter(|src| reach(*src) >= reach(dst))
    }

    /// The Ethernet address of a neighbour; `None`: it is being asked for, from `source`.
    pub(super) fn resolve(&mut self, now: Instant, source: Ipv6Addr, ip: Ipv6Addr) -> Option<Mac> {
        let mut asker = Asker {
            mac: self.mac,
            outbox: &mut self.outbox,
        };
        self.neighbours.resolve(now, &mut asker, source, ip)
    }

    // Discovery messages.

    /// Takes a discovery message. `Err` says why it was refused.
    pub fn receive(&mut self, now: Instant, received: &Received<'_>) -> Result<(), &'static str> {
        // RFC 4861, sections 6.1 and 7.1: nobody beyond the link can send this.
        if received.hop_limit != ndp::HOP_LIMIT {
            return Err("it came from beyond the link");
        }
        let source = received.message.source_link_layer();
        if received.src.is_unspecified() && source.is_some() {
            return Err("an Ethernet address of nobody");
        }
        let named = [source, received.message.target_link_layer()];
        for mac in named.into_iter().flatten() {
            if mac.is_multicast() {
                return Err("the sender's Ethernet address is a group's");
            }
            if mac == self.mac {
                return Err("our own packet came back");
            }
        }
        match received.message.body {
            // A host is no router, and asks none but routers.
            Body::RouterSolicitation => Ok(()),
            Body::RouterAdvertisement(said) => self.router_advertised(now, received, said),
            Body::NeighbourSolicitation { target } => self.solicited(now, received, target),
            Body::NeighbourAdvertisement {
                target,
                solicited,
                replaces,
                ..
            } => {
                if target.is_multicast() || (received.dst.is_multicast() && solicited) {
                    return Err("an advertisement of a group, or an answer to one");
                }
                if let Some(address) = self.addresses.get(target).copied() {
                    return self.conflict(now, address);
                }
                let mac = received.message.target_link_layer();
                let heard = Advertised {
                    ip: target,
                    mac,
                    solicited,
                    replaces,
                };
                self.neighbours.advertised(now, heard);
                Ok(())
            }
            Body::Redirect => Err("a redirect"),
        }
    }

    /// Somebody asks for `target`: RFC 4861, sections 7.1.1, 7.2.3, 7.2.4, and RFC 4862, section 5.4.3.
    fn solicited(
        &mut self,
        now: Instant,
        received: &Received<'_>,
        target: Ipv6Addr,
    ) -> Result<(), &'static str> {
        let probe = received.src.is_unspecified();
        if target.is_multicast() || (probe && received.dst != solicited_node(target)) {
            return Err("nobody can be asked for that");
        }
        let Some(address) = self.addresses.get(target).copied() else {
            return Ok(());
        };
        match address.state {
            State::Tentative { .. } if probe => return self.conflict(now, address),
            State::Tentative { .. } | State::Duplicate => return Ok(()),
            State::Preferred | State::Deprecated => {}
        }
        let asker = received.message.source_link_layer();
        let (dst, mac) = if probe {
            (ALL_NODES, Some(group_mac(ALL_NODES)))
        } else {
            if let Some(mac) = asker {
                self.neighbours.heard(now, received.src, mac);
            }
            let known = self.resolve(now, target, received.src);
            (received.src, known)
        };
        let body = Body::NeighbourAdvertisement {
            target,
            router: false,
            solicited: !probe,
            replaces: true,
        };
        let answer = Discovery {
            mac: mac.unwrap_or_default(),
            src: target,
            dst,
            message: Repr::new(body, Some(self.mac)),
        };
        match mac {
            Some(_) => self.outbox.post(answer),
            None => {
                let parked = Parked {
                    packet: answer.packet(),
                    needs_csum: false,
                };
                self.neighbours.park(dst, parked);
            }
        }
        Ok(())
    }

    /// Somebody else has, or wants, an address of ours: a tentative one is theirs now (RFC 4862, section 5.4.5), any
    /// other stays ours, and the conflict is only told.
    fn conflict(&mut self, now: Instant, address: Address) -> Result<(), &'static str> {
        let State::Tentative { .. } = address.state else {
            return Err("somebody else uses our address");
        };
        let again = self.profile.identifier == Identifier::StablePrivacy
            && address.origin != Origin::Manual
            && address.tries < self.profile.dad_retries;
        self.tell(address.ip, AddressState::Duplicate);
        if !again {
            self.addresses
                .change(address.ip, |a| a.state = State::Duplicate);
            return Ok(());
        }
        let tries = address.tries + 1;
        let (kind, secret) = (self.profile.identifier, self.secret);
        let ip = identifier::form(address.ip, self.mac, kind, tries, secret);
        self.addresses.remove(address.ip);
        if self.addresses.get(ip).is_none() {
            let left = self.profile.dad_transmits;
            self.addresses.add(Address {
                ip,
                state: State::Tentative { left, next: now },
                tries,
                ..address
            });
        }
        Ok(())
    }

    /// RFC 4861, section 6.3.4, and RFC 4862, section 5.5.3.
    fn router_advertised(
        &mut self,
        now: Instant,
        received: &Received<'_>,
        said: RouterAdvertisement,
    ) -> Result<(), &'static str> {
        if !received.src.is_unicast_link_local() {
            return Err("an advertisement that is no router's");
        }
        if !self.autoconf {
            return Ok(());
        }
        self.solicitations = 0;
        self.solicit_at = None;
        self.last = None;
        let router = received.src;
        let until = seconds_from(now, said.lifetime.into());
        if self.routers.set_router(router, now, until) {
            self.news.push(Event::Router {
                address: router.to_string(),
                lifetime: said.lifetime.into(),
            });
        }
        self.neighbours
            .set_times(said.reachable, said.retransmit, &mut self.random);
        if let Some(mac) = received.message.source_link_layer() {
            self.neighbours.heard(now, router, mac);
        }
        for option in received.message.options().flatten() {
            match option {
                NdpOption::Mtu(mtu) => {
                    let mtu = usize::try_from(mtu).unwrap_or(usize::MAX);
                    if (MIN_MTU..=self.interface_mtu).contains(&mtu) {
                        self.mtu = mtu;
                    }
                }
                NdpOption::Prefix(prefix) => self.prefix_announced(now, &prefix),
                _ => {}
            }
        }
        Ok(())
    }

    fn prefix_announced(&mut self, now: Instant, prefix: &Prefix) {
        if scope(prefix.address) != Scope::Global || prefix.len > 128 {
            return;
        }
        let valid_until = seconds_from(now, prefix.valid);
        if prefix.on_link {
            self.routers
                .set_prefix(prefix.address, prefix.len, now, valid_until);
        }
        if !prefix.autonomous || prefix.len != identifier::PREFIX || prefix.preferred > prefix.valid
        {
            return;
        }
        let preferred_until = seconds_from(now, prefix.preferred);
        let formed = |a: &&Address| {
            a.origin == Origin::Autoconf && same_prefix(a.ip, prefix.address, prefix.len)
        };
        let known = self.addresses.iter().find(formed).copied();
        match known {
            Some(address) => {
                let valid_until = extended(now, address.valid_until, valid_until);
                self.addresses.change(address.ip, |a| {
                    a.preferred_until = preferred_until;
                    a.valid_until = valid_until;
                    if a.state == State::Deprecated && preferred_until > now {
                        a.state = State::Preferred;
                    }
                });
            }
            None if prefix.valid > 0 && self.addresses.len() < self.profile.addresses => {
                let kind = self.profile.identifier;
                let ip = identifier::form(prefix.address, self.mac, kind, 0, self.secret);
                if self.addresses.get(ip).is_none() {
                    let lifetimes = (preferred_until, valid_until);
                    self.add(ip, prefix.len, Origin::Autoconf, now, lifetimes);
                    if self.profile.dad_transmits == 0 {
                        self.tell(ip, AddressState::Preferred);
                    }
                }
            }
            None => {}
        }
    }

    // Time.

    /// Acts on the deadlines that are over.
    pub fn tick(&mut self, now: Instant, fuel: &Fuel) {
        if !self.started {
            self.start(now);
        }
        while let Some((ip, state)) = self.neighbours.pop_due(now) {
            fuel.burn(1);
            let source = source::choose(&self.addresses, ip).unwrap_or(Ipv6Addr::UNSPECIFIED);
            let mut asker = Asker {
                mac: self.mac,
                outbox: &mut self.outbox,
            };
            if self.neighbours.expire(now, &mut asker, source, ip, state) {
                self.routers.is_unreachable(ip);
                self.last = None;
            }
        }
        while let Some(address) = self.addresses.due(now) {
            fuel.burn(1);
            self.expire(now, address);
        }
        while let Some(router) = self.routers.pop_expired(now) {
            fuel.burn(1);
            self.last = None;
            self.news.push(Event::Router {
                address: router.to_string(),
                lifetime: 0,
            });
        }
        if self.solicit_at.is_some_and(|at| at <= now) {
            self.solicit_router(now);
        }
    }

    /// The interface came up: its first messages wait a moment.
    fn start(&mut self, now: Instant) {
        self.started = true;
        let delay = self.random.next_u64() % self.profile.first_delay.max(1);
        let first = now.plus(delay);
        let all: Vec<Ipv6Addr> = self.addresses.iter().map(|a| a.ip).collect();
        for ip in all {
            self.addresses.change(ip, |address| {
                if let State::Tentative { next, .. } = &mut address.state {
                    *next = first;
                }
            });
        }
        if self.solicitations > 0 {
            // The solicitation comes from the link-local address, as soon as there is one.
            let transmits = u64::from(self.profile.dad_transmits);
            self.solicit_at = Some(first.plus(transmits * self.neighbours.retransmit()));
        }
    }

    fn expire(&mut self, now: Instant, address: Address) {
        self.last = None;
        let ip = address.ip;
        if address.valid_until <= now {
            self.addresses.remove(ip);
            self.tell(ip, AddressState::Removed);
            return;
        }
        let next = now.plus(self.neighbours.retransmit());
        let state = match address.state {
            State::Tentative { left: 0, .. } if address.preferred_until <= now => State::Deprecated,
            State::Tentative { left: 0, .. } => State::Preferred,
            State::Tentative { left, .. } => {
                self.probe(ip);
                let left = left - 1;
                State::Tentative { left, next }
            }
            _ => State::Deprecated,
        };
        self.addresses.change(ip, |a| a.state = state);
        match state {
            State::Preferred => self.tell(ip, AddressState::Preferred),
            State::Deprecated => self.tell(ip, AddressState::Deprecated),
            _ => {}
        }
    }

    /// Asks whether somebody has `ip` already: RFC 4862, section 5.4.2.
    fn probe(&mut self, ip: Ipv6Addr) {
        let group = solicited_node(ip);
        let body = Body::NeighbourSolicitation { target: ip };
        self.outbox.post(Discovery {
            mac: group_mac(group),
            src: Ipv6Addr::UNSPECIFIED,
            dst: group,
            message: Repr::new(body, None),
        });
    }

    /// RFC 4861, section 6.3.7.
    fn solicit_router(&mut self, now: Instant) {
        let source = self.addresses.link_local();
        self.outbox.post(Discovery {
            mac: group_mac(ALL_ROUTERS),
            src: source.unwrap_or(Ipv6Addr::UNSPECIFIED),
            dst: ALL_ROUTERS,
            message: Repr::new(Body::RouterSolicitation, source.map(|_| self.mac)),
        });
        self.solicitations -= 1;
        let again = now.plus(self.profile.router_solicitation_interval);
        self.solicit_at = (self.solicitations > 0).then_some(again);
    }

    fn tell(&mut self, ip: Ipv6Addr, state: AddressState) {
        self.news.push(Event::Address {
            address: ip.to_string(),
            state,
        });
    }

    /// Whether something waits for the device, or the interface has not begun.
    #[inline]
    pub fn has_output(&self) -> bool {
        !self.started
            || !self.outbox.is_empty()
            || self.neighbours.has_output()
            || self.pieces.is_some()
    }

    /// The next deadline.
    #[inline]
    pub fn poll_at(&self) -> Option<Instant> {
        [
            self.neighbours.poll_at(),
            self.addresses.poll_at(),
            self.routers.poll_at(),
            self.solicit_at,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The kinds of armed timers.
    pub fn timers(&self) -> TimerKinds {
        let mut kinds = self.neighbours.timers();
        let tentative = |a: &Address| matches!(a.state, State::Tentative { .. });
        let settling = self.addresses.iter().any(tentative) || self.solicit_at.is_some();
        kinds.set(
            TimerKinds::FINISH,
            kinds.contains(TimerKinds::FINISH) || settling,
        );
        if self.addresses.poll_at().is_some() || self.routers.poll_at().is_some() {
            kinds |= TimerKinds::CACHE;
        }
        kinds
    }
}

/// The end of a lifetime; all ones are without end.
fn seconds_from(now: Instant, seconds: u32) -> Instant {
    if seconds == u32::MAX {
        return FOREVER;
    }
    now.plus(u64::from(seconds) * SECOND)
}

/// RFC 4862, section 5.5.3 (e): more is believed, and so is what leaves two hours; else two hours are left, if it was
/// more.
fn extended(now: Instant, before: Instant, said: Instant) -> Instant {
    let two_hours = now.plus(TWO_HOURS);
    if said > two_hours || said > before {
        said
    } else {
        before.min(two_hours)
    }
}
