//! Deadlines of tasks, with the kind of progress that each makes: what lets a run of the world end while a server's
//! idle limit is still pending, but not while a script sleeps.

use alloc::collections::BTreeMap;
use core::task::Waker;

use xen_abi::Instant;

use crate::event::TimerKinds;

/// An armed timer's key: its deadline, then the order in which timers were armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerKey {
    at: Instant,
    order: u64,
}

struct Entry {
    waker: Waker,
    kind: TimerKinds,
}

/// The tasks' armed timers, in order of their deadlines.
#[derive(Default)]
pub struct Timers {
    armed: BTreeMap<TimerKey, Entry>,
    next_order: u64,
    finishing: usize,
}

impl Timers {
    /// Wakes `waker` at `at`.
    pub fn arm(&mut self, at: Instant, kind: TimerKinds, waker: Waker) -> TimerKey {
        let key = TimerKey {
            at,
            order: self.next_order,
        };
        self.next_order += 1;
        self.finishing += usize::from(kind.contains(TimerKinds::FINISH));
        let earlier = self.armed.insert(key, Entry { waker, kind });
        assert!(earlier.is_none(), "timer keys are unique");
        key
    }

    /// A task was polled again with another waker.
    pub fn rearm(&mut self, key: TimerKey, waker: &Waker) {
        if let Some(entry) = self.armed.get_mut(&key) {
            entry.waker.clone_from(waker);
        }
    }

    /// Forgets a timer; one that fired is forgotten already.
    pub fn cancel(&mut self, key: TimerKey) {
        if let Some(entry) = self.armed.remove(&key) {
            self.finishing -= usize::from(entry.kind.contains(TimerKinds::FINISH));
        }
    }

    /// Wakes all that is due at `now`.
    pub fn fire(&mut self, now: Instant) {
        while let Some(first) = self.armed.first_entry() {
            if first.key().at > now {
                break;
            }
            let entry = first.remove();
            self.finishing -= usize::from(entry.kind.contains(TimerKinds::FINISH));
            entry.waker.wake();
        }
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.armed.first_key_value().map(|(key, _)| key.at)
    }

    /// The kinds of all armed timers.
    pub fn kinds(&self) -> TimerKinds {
        let mut kinds = TimerKinds::empty();
        kinds.set(TimerKinds::FINISH, self.finishing > 0);
        kinds.set(TimerKinds::SERVER_IDLE, self.finishing < self.armed.len());
        kinds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_and_kinds_follow_what_is_armed() {
        let mut timers = Timers::default();
        let late = timers.arm(Instant(20), TimerKinds::SERVER_IDLE, Waker::noop().clone());
        timers.arm(Instant(10), TimerKinds::FINISH, Waker::noop().clone());
        assert_eq!(timers.next(), Some(Instant(10)));
        assert_eq!(timers.kinds(), TimerKinds::FINISH | TimerKinds::SERVER_IDLE);
        timers.fire(Instant(10));
        assert_eq!(timers.next(), Some(Instant(20)));
        assert_eq!(timers.kinds(), TimerKinds::SERVER_IDLE);
        timers.cancel(late);
        timers.cancel(late);
        assert_eq!(timers.kinds(), TimerKinds::empty());
    }
}
