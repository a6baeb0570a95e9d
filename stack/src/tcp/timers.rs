//! Which connection is due next: a binary heap with one entry a connection that has a timer armed, found by the
//! connection's index so that it moves instead of piling up. A connection without timers costs nothing here.

use alloc::vec::Vec;

use xen_abi::Instant;

const ABSENT: u32 = u32::MAX;

/// Deadlines by connection.
#[derive(Default)]
pub struct TimerHeap {
    heap: Vec<(Instant, u32)>,
    /// Where a connection's entry lies in the heap.
    place: Vec<u32>,
}

impl TimerHeap {
    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.heap.first().map(|&(at, _)| at)
    }

    /// A connection that is due at `now`, if one is. It stays until it is set anew.
    pub fn due(&self, now: Instant) -> Option<u32> {
        self.heap
            .first()
            .filter(|&&(at, _)| at <= now)
            .map(|&(_, index)| index)
    }

    /// Sets or takes away a connection's deadline.
    pub fn set(&mut self, index: u32, deadline: Option<Instant>) {
        let slot = index as usize;
        if slot >= self.place.len() {
            if deadline.is_none() {
                return;
            }
            self.place.resize(slot + 1, ABSENT);
        }
        let place = self.place[slot] as usize;
        match (self.place[slot], deadline) {
            (ABSENT, None) => {}
            (ABSENT, Some(at)) => {
                self.heap.push((at, index));
                self.rise(self.heap.len() - 1);
            }
            (_, Some(at)) => {
                let before = core::mem::replace(&mut self.heap[place].0, at);
                // With nothing below or above, as when few connections are busy, it stays where it is.
                if at > before && 2 * place + 1 < self.heap.len() {
                    self.sink(place);
                } else if at < before && place > 0 {
                    self.rise(place);
                }
            }
            (_, None) => {
                self.place[slot] = ABSENT;
                self.heap.swap_remove(place);
                if place < self.heap.len() {
                    let place = self.rise(place);
                    self.sink(place);
                }
            }
        }
    }

    fn rise(&mut self, mut at: usize) -> usize {
        let entry = self.heap[at];
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.heap[parent] <= entry {
                break;
            }
            self.put(at, self.heap[parent]);
            at = parent;
        }
        self.put(at, entry);
        at
    }

    fn sink(&mut self, mut at: usize) {
        let entry = self.heap[at];
        loop {
            let left = 2 * at + 1;
            let least = match (self.heap.get(left), self.heap.get(left + 1)) {
                (None, _) => break,
                (Some(l), Some(r)) if r < l => left + 1,
                _ => left,
            };
            if entry <= self.heap[least] {
                break;
            }
            self.put(at, self.heap[least]);
            at = least;
        }
        self.put(at, entry);
    }

    fn put(&mut self, at: usize, entry: (Instant, u32)) {
        self.heap[at] = entry;
        self.place[entry.1 as usize] = at as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    #[test]
    fn a_deadline_that_moves_leaves_nothing_behind() {
        let mut timers = TimerHeap::default();
        timers.set(3, Some(Instant(10)));
        timers.set(3, Some(Instant(50)));
        assert_eq!(timers.due(Instant(49)), None);
        assert_eq!(timers.due(Instant(50)), Some(3));
        timers.set(3, None);
        assert_eq!(timers.next(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_earliest_deadline_is_first(steps in proptest::collection::vec((0u32..20, proptest::option::of(0u64..100)), 0..60)) {
            let (mut timers, mut model) = (TimerHeap::default(), BTreeMap::new());
            for (index, deadline) in steps {
                timers.set(index, deadline.map(Instant));
                match deadline {
                    Some(at) => drop(model.insert(index, at)),
                    None => drop(model.remove(&index)),
                }
                let first = model.iter().map(|(&index, &at)| (at, index)).min();
                prop_assert_eq!(timers.next(), first.map(|(at, _)| Instant(at)));
                prop_assert_eq!(timers.due(Instant(1000)), first.map(|(_, index)| index));
            }
        }
    }
}
