//! Random plans: small worlds full of faults and talk, to drive in every way and compare.
//!
//! They grow with every word of the language: a word that no plan here can say is a word whose determinism nobody tests,
//! and a test here says which. Times are sometimes whole multiples of a quantum, so that instants coincide.
//!
//! [`places`]: machines, domains, links · here: what happens when · [`actions`], [`commands`], [`matchers`]: what happens,
//! what guests are told, and what is waited for.

mod actions;
mod commands;
mod matchers;
mod places;
#[cfg(test)]
mod tests;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use xenemu::Time;

use super::impair::LEAST_DELAY;
use crate::plan::*;
use crate::rng::{scale, stream};
use crate::scenario::language::GUESTS;
use actions::undo;

/// The longest that a random world runs, ns.
const DURATION: u64 = 60_000_000;

/// So many worlds of [`kernels`], from seed 0 on, say every word.
pub const WORLDS: u64 = 48;

/// A random plan whose domains run a kernel of the caller's, called `guest`; `seed` is the plan's too.
pub fn plan(seed: u64, guest: &str) -> Plan {
    let mut sampler = Sampler::new(seed);
    sampler.lookahead = sampler.one_of(&[LEAST_DELAY, 100_000, 500_000, 1_000_000]);
    let mut plan = sampler.plan(seed, &[guest]);
    plan.timeline.sort_by_key(|timed| timed.at);
    plan
}

/// A random plan whose domains run the kernels that come with evilbit, without short windows: no reaction and no delay is
/// shorter than half a millisecond.
pub fn kernels(seed: u64) -> Plan {
    let mut sampler = Sampler::new(seed);
    sampler.lookahead = 500_000;
    // Those that can be told what to do make something happen to the others.
    let guests = [GUESTS, &["script", "script", "script", "raw", "http"]].concat();
    let mut plan = sampler.plan(seed, &guests);
    for _ in 0..3 + sampler.below(5) {
        sampler.told(&mut plan);
        sampler.meeting(&mut plan);
        sampler.when(&mut plan);
    }
    plan.timeline.sort_by_key(|timed| timed.at);
    plan
}

/// A plan of nothing.
pub fn empty(seed: u64) -> Plan {
    Plan {
        path: None,
        source: "".into(),
        name: format!("sample-{seed}"),
        about: String::new(),
        seed,
        epoch_secs: 1_405_036_800,
        duration: DURATION,
        machines: Vec::new(),
        switches: Vec::new(),
        links: Vec::new(),
        timeline: Vec::new(),
        everies: Vec::new(),
        whens: Vec::new(),
        expectations: Vec::new(),
        snapshot: Vec::new(),
    }
}

/// A domain with defaults that is started at `start`.
pub fn domain(name: &str, guest: &str, start: Option<Time>) -> DomainPlan {
    DomainPlan {
        name: name.to_owned(),
        guest: guest.to_owned(),
        memory_kib: 32 << 10,
        args: Default::default(),
        vifs: vec![VifPlan::default()],
        site: None,
        start,
        on_poweroff: OnExit::Destroy,
        on_reboot: OnExit::Restart,
        on_crash: OnExit::Destroy,
        counted: false,
        span: Span::default(),
    }
}

/// A link from `a` to `b`, the same in both directions, named `a-b`.
pub fn link(a: &str, b: &str, settings: LinkSettings) -> LinkPlan {
    LinkPlan {
        name: format!("{a}-{b}"),
        a: a.to_owned(),
        b: b.to_owned(),
        settings: [settings; 2],
        span: Span::default(),
    }
}

/// An action that was written nowhere.
pub fn act(action: Action) -> ActionPlan {
    ActionPlan {
        action,
        span: Span::default(),
    }
}

/// An action at an instant.
fn timed(at: Time, action: Action) -> Timed {
    Timed {
        at,
        actions: vec![act(action)],
        span: Span::default(),
    }
}

/// Draws the parts of a plan.
struct Sampler {
    rng: ChaCha8Rng,
    quantum: u64,
    /// No reaction is shorter: worlds with long windows and worlds with short ones break differently.
    lookahead: u64,
    /// No delay is shorter: in some worlds reactions bound the windows, in others links do.
    least_delay: u64,
}

impl Sampler {
    fn new(seed: u64) -> Sampler {
        let mut sampler = Sampler {
            rng: stream(seed, "sample"),
            quantum: 1,
            lookahead: LEAST_DELAY,
            least_delay: LEAST_DELAY,
        };
        sampler.quantum = sampler.one_of(&[1, 1, 1_000, 10_000]);
        sampler
    }

    fn plan(&mut self, seed: u64, guests: &[&str]) -> Plan {
        self.least_delay = self.lookahead * self.one_of(&[1, 1, 5]);
        let mut plan = self.places(seed, guests);
        self.links(&mut plan);
        for _ in 0..self.below(9) {
            self.timed(&mut plan);
        }
        for _ in 0..self.below(9) {
            self.when(&mut plan);
        }
        if self.percent(30) {
            self.every(&mut plan);
        }
        plan
    }

    fn below(&mut self, n: u64) -> u64 {
        scale(self.rng.next_u64(), n.max(1) - 1)
    }
    fn percent(&mut self, p: u64) -> bool {
        self.below(100) < p
    }
    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize].clone()
    }
    /// Between `least` and `most`, small numbers as likely as large ones.
    fn spread(&mut self, least: u64, most: u64) -> u64 {
        let mut most = most;
        for _ in 0..self.below(8) {
            most = (most / 3).max(least + 1);
        }
        least + self.below(most - least)
    }
    /// Rounded up to the quantum, never 0.
    fn quantised(&self, v: u64) -> u64 {
        v.div_ceil(self.quantum).max(1) * self.quantum
    }
    /// An instant, sometimes one that others draw too.
    fn instant(&mut self, most: u64) -> Time {
        let raw = self.spread(1, most);
        let coarse = if self.percent(30) { 1_000_000 } else { 1 };
        Time(raw.div_ceil(coarse) * coarse).max(Time(self.quantised(raw)))
    }

    /// An action at an instant, and its undoing later or at once.
    fn timed(&mut self, plan: &mut Plan) {
        let action = self.action(plan);
        let at = self.instant(30_000_000);
        let undo = undo(&action);
        plan.timeline.push(timed(at, action));
        if let Some(undo) = undo {
            let raw = self.spread(1, 10_000_000);
            let later = if self.percent(10) {
                0
            } else {
                self.quantised(raw)
            };
            plan.timeline.push(timed(at.plus(later), undo));
        }
    }

    /// A guest is told something while the world is young.
    fn told(&mut self, plan: &mut Plan) {
        let on = self.on(plan);
        let at = self.instant(10_000_000);
        plan.timeline.push(timed(at, on));
    }

    /// A script is told to listen, and soon another one to call it.
    fn meeting(&mut self, plan: &mut Plan) {
        let Some([serve, call]) = self.server_and_client(plan) else {
            return;
        };
        let at = self.instant(10_000_000);
        let soon = at.plus(self.spread(1, 2_000_000));
        plan.timeline.extend([timed(at, serve), timed(soon, call)]);
    }

    fn when(&mut self, plan: &mut Plan) {
        let action = self.action(plan);
        let reaction = if self.percent(40) {
            self.lookahead
        } else {
            self.spread(self.lookahead, 3_000_000)
        };
        let when = When {
            matcher: self.matcher(plan),
            nth: self.spread(1, 20),
            reaction: self.quantised(reaction),
            actions: vec![act(action)],
            span: Span::default(),
        };
        plan.whens.push(when);
    }

    fn every(&mut self, plan: &mut Plan) {
        let action = self.action(plan);
        let first = self.instant(5_000_000);
        let raw = self.spread(500_000, 10_000_000);
        let mut actions = vec![act(action.clone())];
        actions.extend(undo(&action).map(act));
        plan.everies.push(Every {
            first,
            period: self.quantised(raw),
            actions,
            span: Span::default(),
        });
    }
}
