//! Our addresses of version 6: each is tentative until duplicate-address detection is over, then preferred, deprecated
//! when new connections should not use it any more, and gone when its lifetime is over (RFC 4862, sections 5.4 and 5.5).
//!
//! ```text
//!   formed ──► Tentative ──nobody objects──► Preferred ──► Deprecated ──► gone
//!                 └──────somebody has it───► Duplicate
//! ```

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use xen_abi::Instant;

use crate::net::ipv6::scope::{ALL_NODES, solicited_node};

/// Without end.
pub const FOREVER: Instant = Instant(u64::MAX);

/// What an address is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not ours yet: so many solicitations are still to be sent, the next at `next`.
    Tentative { left: u8, next: Instant },
    /// Ours.
    Preferred,
    /// Ours, but no longer for new connections.
    Deprecated,
    /// Somebody else's.
    Duplicate,
}

/// Where an address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The configuration.
    Manual,
    /// Formed, for the link.
    LinkLocal,
    /// Formed of a prefix that a router announced.
    Autoconf,
}

/// An address of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    pub ip: Ipv6Addr,
    /// Bits of its prefix.
    pub prefix: u8,
    pub state: State,
    pub origin: Origin,
    pub preferred_until: Instant,
    pub valid_until: Instant,
    /// Duplicates met while it was formed.
    pub tries: u8,
}

impl Address {
    /// Whether packets may be sent from it and are taken for it.
    #[inline]
    pub fn is_usable(&self) -> bool {
        matches!(self.state, State::Preferred | State::Deprecated)
    }
    fn deadline(&self) -> Instant {
        match self.state {
            State::Tentative { next, .. } => next.min(self.valid_until),
            State::Preferred => self.preferred_until.min(self.valid_until),
            State::Deprecated | State::Duplicate => self.valid_until,
        }
    }
}

/// All of them; few.
#[derive(Debug, Default)]
pub struct Addresses {
    list: Vec<Address>,
    /// The first deadline: asked for at every turn, changed seldom.
    next: Option<Instant>,
}

impl Addresses {
    /// In order of configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Address> + Clone {
        self.list.iter()
    }
    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
    /// The address with this value.
    pub fn get(&self, ip: Ipv6Addr) -> Option<&Address> {
        self.list.iter().find(|address| address.ip == ip)
    }
    /// Whether packets for `ip` are for us.
    #[inline]
    pub fn is_ours(&self, ip: Ipv6Addr) -> bool {
        self.list.iter().any(|a| a.ip == ip && a.is_usable())
    }
    /// Whether we are in a group: all nodes, and those in which our addresses are asked for.
    pub fn is_in_group(&self, group: Ipv6Addr) -> bool {
        let asked_for = |a: &Address| solicited_node(a.ip) == group && a.state != State::Duplicate;
        group == ALL_NODES || self.list.iter().any(asked_for)
    }
    /// Whether detection is not over for one that was there from the beginning.
    pub fn is_settling(&self) -> bool {
        let settling = |a: &Address| {
            a.origin != Origin::Autoconf && matches!(a.state, State::Tentative { .. })
        };
        self.list.iter().any(settling)
    }
    /// The usable link-local address.
    pub fn link_local(&self) -> Option<Ipv6Addr> {
        let is = |a: &&Address| a.is_usable() && a.ip.is_unicast_link_local();
        self.list.iter().find(is).map(|a| a.ip)
    }
    /// Puts an address in; the caller knows that it is not there.
    pub fn add(&mut self, address: Address) {
        assert!(self.get(address.ip).is_none(), "an address is ours once");
        self.list.push(address);
        self.find_next();
    }
    /// Changes an address.
    pub fn change(&mut self, ip: Ipv6Addr, change: impl FnOnce(&mut Address)) {
        if let Some(address) = self.list.iter_mut().find(|address| address.ip == ip) {
            change(address);
            self.find_next();
        }
    }
    /// Takes an address out.
    pub fn remove(&mut self, ip: Ipv6Addr) {
        self.list.retain(|address| address.ip != ip);
        self.find_next();
    }
    /// An address whose deadline is over.
    pub fn due(&self, now: Instant) -> Option<Address> {
        if self.next.is_none_or(|next| next > now) {
            return None;
        }
        self.list.iter().find(|a| a.deadline() <= now).copied()
    }
    /// The first deadline.
    #[inline]
    pub fn poll_at(&self) -> Option<Instant> {
        self.next
    }

    fn find_next(&mut self) {
        let deadlines = self.list.iter().map(Address::deadline);
        self.next = deadlines.min().filter(|at| *at != FOREVER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(ip: &str, state: State) -> Address {
        Address {
            ip: ip.parse().unwrap(),
            prefix: 64,
            state,
            origin: Origin::Manual,
            preferred_until: Instant(50),
            valid_until: Instant(90),
            tries: 0,
        }
    }

    #[test]
    fn a_tentative_address_is_asked_for_but_not_ours() {
        let mut all = Addresses::default();
        let next = Instant(5);
        let one = address("2001:db8::1", State::Tentative { left: 1, next });
        all.add(one);
        assert!(!all.is_ours(one.ip) && all.is_settling());
        assert!(all.is_in_group("ff02::1:ff00:1".parse().unwrap()));
        assert!(!all.is_in_group("ff02::1:ff00:2".parse().unwrap()));
        all.change(one.ip, |a| a.state = State::Preferred);
        assert!(all.is_ours(one.ip) && !all.is_settling());
    }

    #[test]
    fn the_earliest_deadline_is_due_first() {
        let mut all = Addresses::default();
        assert_eq!(all.poll_at(), None);
        let one = address("2001:db8::1", State::Preferred);
        let two = address("2001:db8::2", State::Deprecated);
        all.add(two);
        all.add(one);
        assert_eq!(all.poll_at(), Some(Instant(50)));
        assert_eq!(all.due(Instant(49)), None);
        assert_eq!(all.due(Instant(50)), Some(one));
        all.remove(one.ip);
        assert_eq!(all.poll_at(), Some(Instant(90)));
    }
}
