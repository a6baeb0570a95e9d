//! Which Ethernet address a neighbour of version 6 has, and whether it is still there: RFC 4861, section 7.
//!
//! ```text
//!   asked for ──► INCOMPLETE ──answer──► REACHABLE ──time──► STALE ──used──► DELAY ──5 s──► PROBE
//!                   │ unanswered ×3          ▲                 ▲               │               │ unanswered ×3
//!                   ▼                        └── solicited ────┼───answer──────┴───────────────┤
//!                 failed: its packets come back                └── heard of by other means     ▼ forgotten
//! ```
//!
//! PROBE is [`State::Stale`] with tries.

use alloc::collections::VecDeque;
use core::net::Ipv6Addr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use xen_abi::Instant;

use crate::addr::Mac;
use crate::api::{Device, DeviceFull};
use crate::event::TimerKinds;
use crate::net::ipv6::outbox::{Discovery, Outbox};
use crate::net::ipv6::profile::Ipv6Profile;
use crate::net::ipv6::scope::{group_mac, solicited_node};
use crate::net::neighbour_cache::{Cache, Parked};
use crate::net::neighbour_table::State;
use crate::net::profile::NetProfile;
use crate::wire::ndp::{Body, Repr};

/// Most that a router can make us trust a neighbour: an hour, RFC 4861, section 6.2.1, MAX for AdvReachableTime.
const MOST_REACHABLE_MS: u32 = 3_600_000;

/// The neighbour cache of RFC 4861, section 5.1.
#[derive(Debug)]
pub struct Neighbours {
    profile: Ipv6Profile,
    cache: Cache<Ipv6Addr>,
    /// How long an answer is trusted: a random time about the base, RFC 4861, section 6.3.2.
    reachable: u64,
    base_reachable: u64,
    /// Between two solicitations.
    retransmit: u64,
}

/// What an advertisement says about its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertised {
    pub ip: Ipv6Addr,
    pub mac: Option<Mac>,
    /// It answers a solicitation of ours.
    pub solicited: bool,
    /// It replaces another Ethernet address.
    pub replaces: bool,
}

/// What asks: our Ethernet address, and where messages wait.
pub struct Asker<'a> {
    pub mac: Mac,
    pub outbox: &'a mut Outbox,
}

impl Asker<'_> {
    /// Asks for `ip` from `source`: a neighbour whose address is known alone, otherwise its solicited-node group.
    fn ask(&mut self, source: Ipv6Addr, ip: Ipv6Addr, known: Option<Mac>) {
        let group = solicited_node(ip);
        let (mac, dst) = match known {
            Some(mac) => (mac, ip),
            None => (group_mac(group), group),
        };
        let body = Body::NeighbourSolicitation { target: ip };
        self.outbox.post(Discovery {
            mac,
            src: source,
            dst,
            message: Repr::new(body, Some(self.mac)),
        });
    }
}

impl Neighbours {
    /// Nobody is known.
    pub fn new(net: &NetProfile, random: &mut ChaCha8Rng) -> Neighbours {
        let profile = net.ipv6.clone();
        let (base_reachable, retransmit) = (profile.reachable, profile.retransmit);
        Neighbours {
            profile,
            cache: Cache::new(net),
            reachable: about(base_reachable, random),
            base_reachable,
            retransmit,
        }
    }

    /// A router says how long neighbours are trusted, and how long an answer takes at most; 0: it does not say.
    pub fn set_times(&mut self, reachable_ms: u32, retransmit_ms: u32, random: &mut ChaCha8Rng) {
        let base = u64::from(reachable_ms.min(MOST_REACHABLE_MS)) * 1_000_000;
        if reachable_ms != 0 && base != self.base_reachable {
            self.base_reachable = base;
            self.reachable = about(base, random);
        }
        if retransmit_ms != 0 {
            self.retransmit = u64::from(retransmit_ms) * 1_000_000;
        }
    }

    /// Between two solicitations.
    pub fn retransmit(&self) -> u64 {
        self.retransmit
    }

    /// Names a neighbour by hand: it is never asked for.
    pub fn set_permanent(&mut self, ip: Ipv6Addr, mac: Mac) {
        self.cache.set_permanent(ip, mac);
    }

    /// The neighbour's Ethernet address. `None`: it is being asked for, from `source`; park the packet.
    #[inline]
    pub fn resolve(
        &mut self,
        now: Instant,
        asker: &mut Asker<'_>,
        source: Ipv6Addr,
        ip: Ipv6Addr,
    ) -> Option<Mac> {
        match self.cache.recent(now, ip) {
            Some(mac) => Some(mac),
            None => self.resolve_slowly(now, asker, source, ip),
        }
    }

    fn resolve_slowly(
        &mut self,
        now: Instant,
        asker: &mut Asker<'_>,
        source: Ipv6Addr,
        ip: Ipv6Addr,
    ) -> Option<Mac> {
        match self.cache.table().get(ip) {
            Some((&State::Reachable(mac), until)) => {
                self.cache.found(ip, mac, until);
                Some(mac)
            }
            Some((&State::Stale { mac, tries: 0 }, _)) => {
                let until = now.plus(self.profile.first_probe);
                self.cache.set(ip, State::Delay(mac), until);
                Some(mac)
            }
            Some((state, _)) => state.mac(),
            None => {
                if let Some(mac) = self.cache.permanent(ip) {
                    return Some(mac);
                }
                self.cache.make_room();
                asker.ask(source, ip, None);
                let (tries, queue) = (1, VecDeque::new());
                let again = now.plus(self.retransmit);
                self.cache
                    .set(ip, State::Incomplete { tries, queue }, again);
                None
            }
        }
    }

    /// Lets a packet wait for a neighbour that [`Neighbours::resolve`] did not know.
    pub fn park(&mut self, ip: Ipv6Addr, parked: Parked) {
        self.cache.park(ip, parked);
    }

    /// Somebody named its Ethernet address while it wanted something else: believed, but not trusted (RFC 4861,
    /// sections 6.2.6, 6.3.4 and 7.2.3).
    pub fn heard(&mut self, now: Instant, ip: Ipv6Addr, mac: Mac) {
        if self.cache.is_permanent(ip) {
            return;
        }
        match self.cache.table().get(ip) {
            Some((state, _)) if state.mac() == Some(mac) => return,
            Some(_) => {}
            None => self.cache.make_room(),
        }
        self.set_stale(now, ip, mac);
    }

    /// A neighbour was advertised: RFC 4861, section 7.2.5. Whom we don't know we don't get to know by that.
    pub fn advertised(&mut self, now: Instant, heard: Advertised) {
        let Advertised { ip, mac, .. } = heard;
        let Some((state, _)) = self.cache.table().get(ip) else {
            return;
        };
        let Some(known) = state.mac() else {
            return match mac {
                Some(mac) if heard.solicited => self.set_reachable(now, ip, mac),
                Some(mac) => self.set_stale(now, ip, mac),
                None => {}
            };
        };
        let differs = mac.is_some_and(|mac| mac != known);
        if differs && !heard.replaces {
            // (I): what we know is only doubted.
            if matches!(state, State::Reachable(_)) {
                self.set_stale(now, ip, known);
            }
            return;
        }
        let mac = mac.unwrap_or(known);
        if heard.solicited {
            self.set_reachable(now, ip, mac);
        } else if differs {
            self.set_stale(now, ip, mac);
        }
    }

    /// A neighbour whose deadline is over, and what was known of it.
    pub fn pop_due(&mut self, now: Instant) -> Option<(Ipv6Addr, State)> {
        self.cache.pop_due(now)
    }

    /// Acts on a deadline of `ip`, which is asked from `source`. Whether the neighbour is given up.
    pub fn expire(
        &mut self,
        now: Instant,
        asker: &mut Asker<'_>,
        source: Ipv6Addr,
        ip: Ipv6Addr,
        state: State,
    ) -> bool {
        let again = now.plus(self.retransmit);
        let probe = |mac, tries| State::Stale { mac, tries };
        match state {
            State::Reachable(mac) => self.set_stale(now, ip, mac),
            State::Delay(mac) => {
                asker.ask(source, ip, Some(mac));
                self.cache.set(ip, probe(mac, 1), again);
            }
            State::Stale { mac, tries } if (1..self.profile.unicast_tries).contains(&tries) => {
                asker.ask(source, ip, Some(mac));
                self.cache.set(ip, probe(mac, tries + 1), again);
            }
            State::Stale { tries, .. } => return tries > 0,
            State::Incomplete { tries, queue } if tries < self.profile.multicast_tries => {
                asker.ask(source, ip, None);
                let tries = tries + 1;
                self.cache
                    .set(ip, State::Incomplete { tries, queue }, again);
            }
            State::Incomplete { queue, .. } => {
                self.cache.fail(queue);
                return true;
            }
        }
        false
    }

    fn set_stale(&mut self, now: Instant, ip: Ipv6Addr, mac: Mac) {
        let until = now.plus(self.profile.stale);
        self.cache.set(ip, State::Stale { mac, tries: 0 }, until);
    }

    fn set_reachable(&mut self, now: Instant, ip: Ipv6Addr, mac: Mac) {
        let until = now.plus(self.reachable);
        self.cache.set(ip, State::Reachable(mac), until);
    }

    /// The next packet whose neighbour never answered.
    pub fn next_failed(&mut self) -> Option<Parked> {
        self.cache.next_failed()
    }
    /// Sends packets whose neighbour answered.
    pub fn transmit(&mut self, mac: Mac, device: &mut dyn Device) -> Result<(), DeviceFull> {
        self.cache.transmit(mac, device)
    }
    /// Whether a packet waits for the device.
    #[inline]
    pub fn has_output(&self) -> bool {
        self.cache.has_output()
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
}

/// A random time between half and one and a half of `base`: RFC 4861, MIN_RANDOM_FACTOR and MAX_RANDOM_FACTOR.
fn about(base: u64, random: &mut ChaCha8Rng) -> u64 {
    base / 2 + random.next_u64() % base.max(1)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::net::profile::SECOND;

    const OUR_MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const THEIRS: Mac = Mac([2, 0, 0, 0, 0, 2]);
    const OTHER: Mac = Mac([2, 0, 0, 0, 0, 3]);
    const US: Ipv6Addr = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 1);
    const THEM: Ipv6Addr = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 2);

    struct Bench {
        n: Neighbours,
        outbox: Outbox,
    }

    impl Bench {
        fn new() -> Bench {
            let mut random = ChaCha8Rng::from_seed([1; 32]);
            Bench {
                n: Neighbours::new(&NetProfile::default(), &mut random),
                outbox: Outbox::default(),
            }
        }
        fn resolve(&mut self, now: u64) -> Option<Mac> {
            let mut asker = Asker {
                mac: OUR_MAC,
                outbox: &mut self.outbox,
            };
            self.n.resolve(Instant(now), &mut asker, US, THEM)
        }
        /// Lets the deadlines up to `now` pass; whether the neighbour was given up.
        fn pass(&mut self, now: u64) -> bool {
            let mut given_up = false;
            while let Some((ip, state)) = self.n.pop_due(Instant(now)) {
                let mut asker = Asker {
                    mac: OUR_MAC,
                    outbox: &mut self.outbox,
                };
                given_up |= self.n.expire(Instant(now), &mut asker, US, ip, state);
            }
            given_up
        }
        fn advertise(&mut self, now: u64, mac: Option<Mac>, solicited: bool, replaces: bool) {
            let ip = THEM;
            let heard = Advertised {
                ip,
                mac,
                solicited,
                replaces,
            };
            self.n.advertised(Instant(now), heard);
        }
        fn asked(&mut self) -> usize {
            let mut device = crate::dev::raw::RawDevice::new(
                crate::api::DeviceCaps {
                    mac: OUR_MAC,
                    mtu: 1500,
                    tx_checksum: false,
                },
                64,
            );
            self.outbox.transmit(OUR_MAC, &mut device).unwrap();
            let mut frames = 0;
            while device.take(|_, _| ()).is_some() {
                frames += 1;
            }
            frames
        }
    }

    #[test]
    fn a_packet_waits_until_its_neighbour_answers() {
        let mut b = Bench::new();
        assert_eq!(b.resolve(0), None);
        let packet = vec![1; 50];
        b.n.park(
            THEM,
            Parked {
                packet,
                needs_csum: false,
            },
        );
        assert_eq!(b.asked(), 1);
        b.advertise(1, None, true, true);
        assert!(!b.n.has_output(), "an answer without an address is none");
        b.advertise(1, Some(THEIRS), true, false);
        assert!(b.n.has_output());
        assert_eq!(b.resolve(2), Some(THEIRS));
    }

    #[test]
    fn a_stale_neighbour_is_used_then_probed_then_forgotten() {
        let mut b = Bench::new();
        b.n.heard(Instant(0), THEM, THEIRS);
        assert_eq!(b.resolve(0), Some(THEIRS));
        assert_eq!(b.asked(), 0, "DELAY waits for a hint");
        for second in 5..8 {
            assert!(!b.pass(second * SECOND));
            assert_eq!((b.asked(), b.resolve(second * SECOND)), (1, Some(THEIRS)));
        }
        assert!(b.pass(8 * SECOND));
        assert_eq!((b.resolve(8 * SECOND), b.asked()), (None, 1));
    }

    #[test]
    fn an_answer_to_a_probe_is_trusted_for_a_random_time_about_the_base() {
        let mut b = Bench::new();
        b.n.heard(Instant(0), THEM, THEIRS);
        b.resolve(0);
        b.pass(5 * SECOND);
        b.advertise(5 * SECOND, None, true, false);
        let until = b.n.poll_at().unwrap().0 - 5 * SECOND;
        assert!((15 * SECOND..=45 * SECOND).contains(&until));
    }

    #[test]
    fn another_address_is_believed_only_if_it_replaces() {
        let mut b = Bench::new();
        b.n.heard(Instant(0), THEM, THEIRS);
        b.resolve(0);
        b.advertise(0, None, true, false);
        b.advertise(1, Some(OTHER), false, false);
        assert_eq!(b.resolve(1), Some(THEIRS), "doubted, so probed soon");
        assert_eq!(b.n.timers(), TimerKinds::FINISH);
        b.advertise(2, Some(OTHER), true, true);
        assert_eq!(b.resolve(2), Some(OTHER));
    }

    #[test]
    fn nobody_is_met_by_an_advertisement_that_was_not_asked_for() {
        let mut b = Bench::new();
        b.advertise(0, Some(THEIRS), true, true);
        assert_eq!(b.resolve(0), None);
        b.n.set_permanent(THEM, THEIRS);
        b.n.heard(Instant(1), THEM, OTHER);
        assert_eq!(b.resolve(1), Some(THEIRS));
    }
}
