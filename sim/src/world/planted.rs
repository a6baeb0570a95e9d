//! Mistakes that make a world differ from run to run, planted by a test that wants to see them caught. Without the
//! feature `planted` no run can have one, and all of this costs nothing.

#[cfg(feature = "planted")]
use std::sync::atomic::{AtomicU64, Ordering};

/// What people get wrong.
#[cfg_attr(feature = "planted", derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A machine's wall clock is set from the host's.
    WallClock,
    /// The actions of one instant are done in the order of a `HashMap`.
    HashMapOrder,
    /// Links take their streams of chance in the order in which they ask for them, not by their names.
    DrawOrder,
}

/// The mistake of a run, if it has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Planted(#[cfg(feature = "planted")] Option<Mistake>);

#[cfg(feature = "planted")]
impl Planted {
    /// A run with this mistake.
    pub const fn with(mistake: Mistake) -> Planted {
        Planted(Some(mistake))
    }

    fn has(self, mistake: Mistake) -> bool {
        self.0 == Some(mistake)
    }

    /// The wall clock that a machine is told.
    pub(super) fn epoch(self, secs: u64) -> u64 {
        let now = || std::time::SystemTime::UNIX_EPOCH.elapsed();
        match self.has(Mistake::WallClock).then(now) {
            // Nanoseconds for seconds: two runs of one second differ too.
            Some(Ok(now)) => secs + u64::from(now.subsec_nanos()),
            _ => secs,
        }
    }

    /// The seed of the next link's streams.
    pub(super) fn stream(self, seed: u64) -> u64 {
        static ASKED: AtomicU64 = AtomicU64::new(0);
        if self.has(Mistake::DrawOrder) {
            return seed ^ ASKED.fetch_add(1, Ordering::Relaxed);
        }
        seed
    }

    /// The actions of an instant, in the order in which they are done.
    pub(super) fn order<T>(
        self,
        actions: impl Iterator<Item = (u32, T)>,
    ) -> impl Iterator<Item = (u32, T)> {
        let mut actions: Vec<(u32, T)> = actions.collect();
        if self.has(Mistake::HashMapOrder) {
            let shuffled: std::collections::HashMap<u32, T> = actions.drain(..).collect();
            actions.extend(shuffled);
        }
        actions.into_iter()
    }
}

#[cfg(not(feature = "planted"))]
impl Planted {
    /// The wall clock that a machine is told.
    pub(super) const fn epoch(self, secs: u64) -> u64 {
        secs
    }
    /// The seed of the next link's streams.
    pub(super) const fn stream(self, seed: u64) -> u64 {
        seed
    }
    /// The actions of an instant, in the order in which they are done.
    pub(super) fn order<I: Iterator>(self, actions: I) -> I {
        actions
    }
}
