//! The script's clock: when an event has to happen, and how far from it the live one may be.
//!
//! The clock starts just before the first event. A time with a plus counts from the moment at which the event before
//! was over, as it really went: errors do not add up, but what is late makes all that follows late.

use xenemu::abi::Instant;

use super::config::Config;
use crate::packetdrill::time::{Micros, When};

/// Nanoseconds in a microsecond.
const MICRO: u64 = 1_000;

/// Between which moments something has to happen; `to` is `None` where nobody looks at the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: Instant,
    pub to: Option<Instant>,
}

/// The script's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    /// When the event before was over.
    last: Instant,
    /// When the event before had to be.
    planned: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn new(now: Instant) -> Clock {
        Clock {
            start: now,
            last: now,
            planned: now,
        }
    }

    /// An instant as the script would write it.
    pub fn script_time(&self, at: Instant) -> Micros {
        Micros(at.since(self.start) / MICRO)
    }

    /// The window of an event, without tolerance.
    pub fn resolve(&self, when: When) -> Window {
        let at = |base: Instant, time: Micros| base.plus(time.0.saturating_mul(MICRO));
        let exactly = |from| Window {
            from,
            to: Some(from),
        };
        match when {
            When::At(time) => exactly(at(self.start, time)),
            When::After(time) => exactly(at(self.last, time)),
            When::Within(from, to) => Window {
                from: at(self.start, from),
                to: Some(at(self.start, to)),
            },
            When::AfterWithin(from, to) => Window {
                from: at(self.last, from),
                to: Some(at(self.last, to)),
            },
            When::Any => Window {
                from: self.last,
                to: None,
            },
        }
    }

    /// When the blocking call of an event that begins at `when` has to return.
    pub fn until(&self, when: When, until: Micros) -> Instant {
        match when.absolute() {
            Some(_) => self.start.plus(until.0.saturating_mul(MICRO)),
            None => self.last.plus(until.0.saturating_mul(MICRO)),
        }
    }

    /// How far from its window an event may be that is planned for `at`, in nanoseconds.
    pub fn tolerance(&self, config: &Config, at: Instant) -> u64 {
        tolerance(config, at.since(self.planned))
    }

    /// An event was planned for `planned`, and is over now.
    pub fn advance(&mut self, planned: Instant, now: Instant) {
        self.planned = planned;
        self.last = now;
    }
}

/// The tolerance that a time span gives, in nanoseconds.
pub fn tolerance(config: &Config, span: u64) -> u64 {
    let least = config.tolerance.0.saturating_mul(MICRO);
    let share = span / 1000 * config.tolerance_permille;
    least.max(share)
}

impl Window {
    /// Is this moment in the window, give or take a tolerance?
    pub fn holds(&self, at: Instant, tolerance: u64) -> bool {
        let Some(to) = self.to else { return true };
        self.from <= at.plus(tolerance) && at <= to.plus(tolerance)
    }
}
