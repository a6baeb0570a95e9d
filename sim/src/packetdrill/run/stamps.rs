//! Timestamps of the stack by what the script calls them, so that an echo can be sent back, and so that their clock can
//! be held against the script's.

use std::collections::BTreeMap;

use xenemu::abi::Instant;

use super::clock;
use super::config::Config;

/// Timestamps that are remembered: a script of a mebibyte cannot name many more.
const STAMPS_MAX: usize = 1 << 16;
/// Nanoseconds in a microsecond.
const MICRO: u64 = 1_000;

/// The first timestamp that was named.
#[derive(Clone, Copy, Debug)]
struct First {
    script: u32,
    live: u32,
    at: Instant,
}

/// The timestamps of one connection.
#[derive(Debug, Default)]
pub struct Stamps {
    live: BTreeMap<u32, u32>,
    first: Option<First>,
}

impl Stamps {
    /// The live timestamp of a name; `scaled`: of a name that was never given, what the clock would have said.
    pub fn live(&self, script: u32, scaled: bool) -> Option<u32> {
        let computed = || {
            let first = self.first.filter(|_| scaled)?;
            Some(first.live.wrapping_add(script.wrapping_sub(first.script)))
        };
        self.live.get(&script).copied().or_else(computed)
    }

    /// Remembers a live timestamp by its name, and says what the script would call it: so, unless the clock behind it
    /// ran otherwise than the script says.
    pub fn name(&mut self, script: u32, live: u32, at: Instant, config: &Config) -> u32 {
        if self.live.len() < STAMPS_MAX || self.live.contains_key(&script) {
            self.live.insert(script, live);
        }
        let first = *self.first.get_or_insert(First { script, live, at });
        if config.timestamp_tick.0 == 0 {
            return script;
        }
        let named = live.wrapping_sub(first.live).wrapping_add(first.script);
        let ticks = u64::from((named.wrapping_sub(script) as i32).unsigned_abs());
        let off = ticks
            .saturating_mul(config.timestamp_tick.0)
            .saturating_mul(MICRO);
        match off <= clock::tolerance(config, at.since(first.at)) {
            true => script,
            false => named,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::run::config::{Dialect, IpVersion};
    use crate::packetdrill::time::Micros;

    fn config(tick: u64) -> Config {
        Config {
            timestamp_tick: Micros(tick),
            ..Config::new(Dialect::Google, IpVersion::V4)
        }
    }

    #[test]
    fn a_name_leads_back_to_what_it_stood_for() {
        let mut stamps = Stamps::default();
        assert_eq!(stamps.name(100, 5_000, Instant(0), &config(0)), 100);
        assert_eq!(stamps.live(100, false), Some(5_000));
        assert_eq!(stamps.live(130, false), None);
        assert_eq!(stamps.live(130, true), Some(5_030));
    }

    #[test]
    fn a_clock_that_runs_otherwise_is_told() {
        let mut stamps = Stamps::default();
        let config = config(1_000);
        stamps.name(100, 5_000, Instant(0), &config);
        // A tenth of a second later, give or take an eighth of it.
        let at = Instant(100_000_000);
        assert_eq!(stamps.name(200, 5_112, at, &config), 200);
        assert_eq!(stamps.name(200, 5_120, at, &config), 220);
    }
}
