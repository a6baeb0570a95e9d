//! The table of neighbours. Every entry stands in exactly one of two ordered sets of deadlines, those of entries that
//! are being asked and those of the others: what is due, and what can be forgotten, is found without a scan.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use xen_abi::Instant;

use crate::addr::Mac;
use crate::event::TimerKinds;
use crate::net::neighbour_cache::Parked;

/// What is known about a neighbour.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// Asked `tries` times, not answered yet.
    Incomplete { tries: u8, queue: VecDeque<Parked> },
    /// Heard of lately.
    Reachable(Mac),
    /// Known, but long not heard of; since it is used again it was asked `tries` times.
    Stale { mac: Mac, tries: u8 },
    /// Stale and used again: Neighbor Discovery waits a moment before it asks (RFC 4861, section 7.3.2). ARP does not.
    Delay(Mac),
}

impl State {
    /// Whether it is being asked now.
    fn is_asked(&self) -> bool {
        match self {
            State::Incomplete { .. } => true,
            State::Reachable(_) => false,
            State::Stale { tries, .. } => *tries > 0,
            State::Delay(_) => true,
        }
    }
    /// The neighbour's Ethernet address, once it is known.
    pub fn mac(&self) -> Option<Mac> {
        match self {
            State::Incomplete { .. } => None,
            State::Reachable(mac) | State::Stale { mac, .. } | State::Delay(mac) => Some(*mac),
        }
    }
}

#[derive(Debug)]
struct Entry {
    state: State,
    deadline: Instant,
}

/// Neighbours by address, and their deadlines in order.
#[derive(Debug)]
pub struct Table<A> {
    entries: BTreeMap<A, Entry>,
    /// Deadlines of those that are being asked.
    asked: BTreeSet<(Instant, A)>,
    /// Deadlines of the others.
    cached: BTreeSet<(Instant, A)>,
    /// The first of all deadlines: asked for at every turn, changed seldom.
    first: Option<(Instant, A)>,
}

impl<A> Default for Table<A> {
    fn default() -> Table<A> {
        Table {
            entries: BTreeMap::new(),
            asked: BTreeSet::new(),
            cached: BTreeSet::new(),
            first: None,
        }
    }
}

impl<A: Copy + Ord> Table<A> {
    /// Puts in an entry that is not there.
    pub fn insert(&mut self, ip: A, state: State, deadline: Instant) {
        let new = self.deadlines(state.is_asked()).insert((deadline, ip));
        let before = self.entries.insert(ip, Entry { state, deadline });
        assert!(new && before.is_none(), "an entry is put in once");
        assert_eq!(self.asked.len() + self.cached.len(), self.entries.len());
        self.find_first();
    }
    /// Takes out an entry.
    pub fn remove(&mut self, ip: A) -> Option<State> {
        let Entry { state, deadline } = self.entries.remove(&ip)?;
        let was_there = self.deadlines(state.is_asked()).remove(&(deadline, ip));
        assert!(was_there, "each neighbour has its deadline");
        self.find_first();
        Some(state)
    }
    /// An entry's state and deadline.
    pub fn get(&self, ip: A) -> Option<(&State, Instant)> {
        self.entries.get(&ip).map(|e| (&e.state, e.deadline))
    }
    /// Whether the neighbour is known or being asked.
    pub fn contains(&self, ip: A) -> bool {
        self.entries.contains_key(&ip)
    }
    /// The packets that wait for a neighbour's first answer.
    pub fn queue_mut(&mut self, ip: A) -> Option<&mut VecDeque<Parked>> {
        match &mut self.entries.get_mut(&ip)?.state {
            State::Incomplete { queue, .. } => Some(queue),
            _ => None,
        }
    }
    /// How many there are.
    pub fn count(&self) -> usize {
        self.entries.len()
    }
    /// An entry whose deadline is over, the earliest first.
    #[inline]
    pub fn due(&self, now: Instant) -> Option<A> {
        let (at, ip) = self.first?;
        (at <= now).then_some(ip)
    }
    /// Who is forgotten first when there is no room: one that is not being asked, if there is one.
    pub fn most_dispensable(&self) -> Option<A> {
        self.cached
            .first()
            .or(self.asked.first())
            .map(|(_, ip)| *ip)
    }
    /// The next deadline.
    pub fn poll_at(&self) -> Option<Instant> {
        self.first.map(|(at, _)| at)
    }
    /// The kinds of armed timers.
    pub fn timers(&self) -> TimerKinds {
        let mut kinds = TimerKinds::empty();
        kinds.set(TimerKinds::FINISH, !self.asked.is_empty());
        kinds.set(TimerKinds::CACHE, !self.cached.is_empty());
        kinds
    }

    fn find_first(&mut self) {
        let firsts = [self.asked.first(), self.cached.first()];
        self.first = firsts.into_iter().flatten().min().copied();
    }
    fn deadlines(&mut self, asked: bool) -> &mut BTreeSet<(Instant, A)> {
        if asked {
            &mut self.asked
        } else {
            &mut self.cached
        }
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_earliest_is_due_and_the_cached_are_dispensable() {
        let ip = |last| Ipv4Addr::new(10, 0, 0, last);
        let mut table = Table::default();
        let (tries, queue) = (1, VecDeque::new());
        table.insert(ip(1), State::Incomplete { tries, queue }, Instant(5));
        let mac = Mac::default();
        table.insert(ip(2), State::Reachable(mac), Instant(9));
        table.insert(ip(3), State::Stale { mac, tries: 1 }, Instant(7));
        assert_eq!(table.timers(), TimerKinds::FINISH | TimerKinds::CACHE);
        assert_eq!(
            (table.due(Instant(4)), table.due(Instant(5))),
            (None, Some(ip(1)))
        );
        assert_eq!(table.most_dispensable(), Some(ip(2)));
        assert_eq!(table.remove(ip(2)), Some(State::Reachable(mac)));
        assert_eq!(table.most_dispensable(), Some(ip(1)));
        assert!(table.queue_mut(ip(1)).is_some() && table.queue_mut(ip(3)).is_none());
        table.remove(ip(1));
        assert_eq!((table.poll_at(), table.count()), (Some(Instant(7)), 1));
    }
}
