//! The simulated world's clock, as machines see it.

use core::fmt;

/// Nanoseconds since the world began. Not Xen system time: a domain's `Instant` is this plus the machine's uptime.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub u64);

impl Time {
    /// The world's beginning.
    pub const ZERO: Time = Time(0);
    /// The end of time: nothing is ever due then.
    pub const MAX: Time = Time(u64::MAX);

    /// The time `ns` nanoseconds later; saturates.
    pub const fn plus(self, ns: u64) -> Time {
        Time(self.0.saturating_add(ns))
    }
    /// Nanoseconds since `earlier`; 0 if that lies in the future.
    pub const fn since(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

xen_abi::fields!(struct Time { 0 });

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{:09}s",
            self.0 / 1_000_000_000,
            self.0 % 1_000_000_000
        )
    }
}
