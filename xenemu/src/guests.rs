//! The guests of a machine: what runs in each domain, and what a run leaves behind.

use std::collections::VecDeque;

use rand_chacha::ChaCha8Rng;
use xen_abi::{Block, DomId, Fuel, Guest, Wake};

use crate::actor::ActorKind;
use crate::calls::Calls;
use crate::guard::{self, Panicked};
use crate::machine::Machine;

/// Runs that a domain may make within one simulated millisecond without a frame or a byte of progress.
const MAX_IDLE_RUNS: u32 = 256;

/// A forced switch at a numbered call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Switch {
    pub call: u64,
    pub actor: ActorKind,
    pub steps: u32,
}

/// What a domain's calls need of it while it runs.
pub(crate) struct Running {
    pub fuel: Fuel,
    /// Calls that it made since it was built.
    pub calls: u64,
    pub counted: bool,
    pub entropy: ChaCha8Rng,
    /// What the schedule still has for it, in order.
    pub switches: VecDeque<Switch>,
}

impl Running {
    /// The next forced switch, if it is to be taken at this call.
    pub fn switch_due(&mut self) -> Option<Switch> {
        let due = self.switches.front()?.call <= self.calls;
        if due { self.switches.pop_front() } else { None }
    }
}

/// A guest and what is kept of it between runs.
pub(crate) struct Slot {
    /// Empty while it runs, and after it died.
    pub guest: Option<Box<dyn Guest>>,
    pub running: Option<Running>,
    /// Why it will be run next.
    pub wake: Wake,
    /// A run's tank.
    pub tank: u64,
    pub runs: u64,
    watch: SpinWatch,
}

impl Slot {
    pub fn new(guest: Box<dyn Guest>, running: Running, wake: Wake, tank: u64) -> Slot {
        Slot {
            guest: Some(guest),
            running: Some(running),
            wake,
            tank,
            runs: 0,
            watch: SpinWatch::default(),
        }
    }
}

/// Counts runs without progress within an aligned millisecond.
#[derive(Default)]
struct SpinWatch {
    millisecond: u64,
    progress: u64,
    runs: u32,
}

impl SpinWatch {
    /// Counts a run; whether it is one too many.
    fn spins(&mut self, millisecond: u64, progress: u64) -> bool {
        if (self.millisecond, self.progress) != (millisecond, progress) {
            *self = SpinWatch {
                millisecond,
                progress,
                runs: 0,
            };
        }
        self.runs += 1;
        self.runs > MAX_IDLE_RUNS
    }
}

/// How a run ended.
pub(crate) enum Ended {
    Blocked(Block),
    /// The tank is empty, or the domain span without progress.
    Stuck,
    Crashed(Panicked),
    /// A panic inside a call.
    MachineBug(Panicked),
}

impl Machine {
    /// Runs a guest once, to its block. What it was woken by comes back with how it ended.
    pub(crate) fn run_once(&mut self, domid: DomId) -> Option<(Wake, Ended)> {
        let progress = self.host.hv.domain(domid).map_or(0, |d| d.progress);
        let millisecond = self.host.hv.now().0 / 1_000_000;
        let slot = self.guests.get_mut(&domid)?;
        let wake = slot.wake;
        let mut guest = slot.guest.take()?;
        let mut running = slot.running.take()?;
        slot.runs += 1;
        if slot.watch.spins(millisecond, progress) {
            discard(guest);
            return Some((wake, Ended::Stuck));
        }
        slot.wake = Wake::Running;
        running.fuel.refill(slot.tank);
        let result = guard::catch(|| {
            let mut calls = Calls::new(self, &mut running, domid);
            guest.run(&mut calls, wake)
        });
        let inside_call = std::mem::take(&mut self.inside_call);
        let ended = match result {
            Ok(block) => {
                if let Some(slot) = self.guests.get_mut(&domid) {
                    slot.guest = Some(guest);
                    slot.running = Some(running);
                }
                return Some((wake, Ended::Blocked(block)));
            }
            Err(panicked) if inside_call => Ended::MachineBug(panicked),
            Err(_) if running.fuel.left() == 0 => Ended::Stuck,
            Err(panicked) => Ended::Crashed(panicked),
        };
        discard(guest);
        Some((wake, ended))
    }
}

/// Drops a guest that will not run again. What its destructors do is nobody's business any more.
pub(crate) fn discard(guest: Box<dyn Guest>) {
    // A panic on the way out changes nothing: the domain has ended.
    let _ = guard::catch(move || drop(guest));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_spins_when_it_runs_too_often_without_progress_in_one_millisecond() {
        let mut watch = SpinWatch::default();
        for _ in 0..MAX_IDLE_RUNS {
            assert!(!watch.spins(3, 0));
        }
        assert!(watch.spins(3, 0));
        assert!(!watch.spins(3, 1), "it made progress");
        for _ in 1..MAX_IDLE_RUNS {
            assert!(!watch.spins(3, 1));
        }
        assert!(!watch.spins(4, 1), "another millisecond");
    }
}
