//! Where packets to others go: prefixes that are on the link, and default routers for everything else (RFC 4861,
//! sections 5.1 and 6.3). Both come from the configuration, without end, and from router advertisements, with lifetimes.

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use xen_abi::Instant;

use crate::net::ipv6::addresses::FOREVER;
use crate::net::ipv6::scope::{Scope, same_prefix, scope};

/// A router, or a prefix on the link, until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known<T> {
    what: T,
    until: Instant,
}

/// A prefix and its length in bits.
type Prefix = (Ipv6Addr, u8);

/// Default routers in order of preference, and prefixes.
#[derive(Debug)]
pub struct Routers {
    routers: Vec<Known<Ipv6Addr>>,
    prefixes: Vec<Known<Prefix>>,
    most_routers: usize,
    most_prefixes: usize,
    /// When the first lifetime is over: asked for at every turn, changed seldom.
    next: Option<Instant>,
}

impl Routers {
    /// None are known; so many are kept.
    pub fn new(most_routers: usize, most_prefixes: usize) -> Routers {
        Routers {
            routers: Vec::new(),
            prefixes: Vec::new(),
            most_routers,
            most_prefixes,
            next: None,
        }
    }

    /// The neighbour to hand a packet for `dst` to; `None`: there is no way.
    pub fn next_hop(&self, dst: Ipv6Addr) -> Option<Ipv6Addr> {
        let on_link = |p: &Known<Prefix>| same_prefix(p.what.0, dst, p.what.1);
        if scope(dst) == Scope::Link || self.prefixes.iter().any(on_link) {
            return Some(dst);
        }
        self.routers.first().map(|router| router.what)
    }

    /// Whether there is a default router.
    pub fn has_default(&self) -> bool {
        !self.routers.is_empty()
    }

    /// A router is one until then; if that is over already, it is none any more. What is there without end stays so.
    /// Whether the list of routers has changed.
    pub fn set_router(&mut self, router: Ipv6Addr, now: Instant, until: Instant) -> bool {
        let changed = set(&mut self.routers, self.most_routers, router, now, until);
        self.find_next();
        changed
    }

    /// As [`Routers::set_router`], for a prefix.
    pub fn set_prefix(&mut self, prefix: Ipv6Addr, len: u8, now: Instant, until: Instant) {
        let known = self
            .prefixes
            .iter()
            .find(|p| p.what.1 == len && same_prefix(p.what.0, prefix, len));
        let what = known.map_or((prefix, len), |known| known.what);
        set(&mut self.prefixes, self.most_prefixes, what, now, until);
        self.find_next();
    }

    /// A router does not answer: the next one has its turn (RFC 4861, section 6.3.6).
    pub fn is_unreachable(&mut self, router: Ipv6Addr) {
        if self.routers.first().is_some_and(|r| r.what == router) {
            self.routers.rotate_left(1);
        }
    }

    /// A router whose lifetime is over by now, taken out.
    pub fn pop_expired(&mut self, now: Instant) -> Option<Ipv6Addr> {
        self.prefixes.retain(|prefix| prefix.until > now);
        let at = self.routers.iter().position(|r| r.until <= now);
        let router = at.map(|at| self.routers.remove(at).what);
        self.find_next();
        router
    }

    /// When the first lifetime is over.
    #[inline]
    pub fn poll_at(&self) -> Option<Instant> {
        self.next
    }

    fn find_next(&mut self) {
        let routers = self.routers.iter().map(|router| router.until);
        let prefixes = self.prefixes.iter().map(|prefix| prefix.until);
        self.next = routers.chain(prefixes).min().filter(|at| *at != FOREVER);
    }
}

/// Whether something came or went.
fn set<T: PartialEq>(
    list: &mut Vec<Known<T>>,
    most: usize,
    what: T,
    now: Instant,
    until: Instant,
) -> bool {
    match list.iter().position(|known| known.what == what) {
        Some(at) if list[at].until == FOREVER => false,
        Some(at) if until <= now => {
            list.remove(at);
            true
        }
        Some(at) => {
            list[at].until = until;
            false
        }
        None if until > now && list.len() < most => {
            list.push(Known { what, until });
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    const START: Instant = Instant(10);

    #[test]
    fn what_is_on_the_link_is_reached_directly_and_the_rest_by_a_router() {
        let mut r = Routers::new(2, 2);
        assert_eq!(r.next_hop(at("fe80::9")), Some(at("fe80::9")));
        assert_eq!(r.next_hop(at("2001:db8::9")), None);
        r.set_prefix(at("2001:db8::1"), 64, START, FOREVER);
        assert_eq!(r.next_hop(at("2001:db8::9")), Some(at("2001:db8::9")));
        assert_eq!(r.next_hop(at("2001:db8:1::9")), None);
        assert!(r.set_router(at("fe80::1"), START, Instant(20)));
        assert_eq!(r.next_hop(at("2001:db8:1::9")), Some(at("fe80::1")));
    }

    #[test]
    fn lifetimes_end_and_a_router_that_is_silent_gives_way() {
        let mut r = Routers::new(2, 2);
        r.set_router(at("fe80::1"), START, Instant(20));
        r.set_router(at("fe80::2"), START, Instant(30));
        assert!(!r.set_router(at("fe80::3"), START, FOREVER), "no room");
        r.is_unreachable(at("fe80::1"));
        assert_eq!(r.next_hop(at("3ffe::1")), Some(at("fe80::2")));
        assert_eq!(r.poll_at(), Some(Instant(20)));
        assert_eq!(r.pop_expired(Instant(20)), Some(at("fe80::1")));
        assert_eq!(r.pop_expired(Instant(20)), None);
        assert!(r.set_router(at("fe80::2"), Instant(25), Instant(25)));
        assert!(!r.has_default());
    }

    #[test]
    fn an_advertisement_does_not_end_what_was_configured() {
        let mut r = Routers::new(2, 2);
        r.set_prefix(at("2001:db8::1"), 64, START, FOREVER);
        r.set_prefix(at("2001:db8::"), 64, START, START);
        assert_eq!(r.next_hop(at("2001:db8::9")), Some(at("2001:db8::9")));
        assert_eq!(r.poll_at(), None);
    }
}
