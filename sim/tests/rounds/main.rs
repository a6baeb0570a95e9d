//! Rounds are invisible: random worlds of toy machines, each driven in eight ways, have one trace.
//!
//! `EVILBIT_WORLDS=N` drives N worlds, `EVILBIT_FIRST_WORLD=S` begins with seed S. A world that differs is cut down
//! before it is shown, with the first entry that differs.

mod guest;
mod outside;
mod toy;
mod watch;

use evilbit::plan::Plan;
use evilbit::trace::{Entry, Retention};
use evilbit::world::{Run, RunOptions, Stats, WindowMode, World, sample};

use toy::Toys;
use watch::{Aim, Watch};

/// Worlds that are driven if the environment doesn't say.
const WORLDS: u64 = 24;

#[test]
fn rounds_are_invisible_in_random_worlds() {
    let first = from_env("EVILBIT_FIRST_WORLD", 0);
    let mut cuts = Cuts::default();
    for seed in first..first + from_env("EVILBIT_WORLDS", WORLDS) {
        let plan = aimed(seed);
        match compare(&plan) {
            Ok(stats) => cuts.add(&stats),
            Err(how) => panic!("{}", story(seed, plan, how)),
        }
    }
    cuts.assert_real();
}

fn from_env(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// The eight ways.
fn ways() -> [RunOptions; 8] {
    let way = |windows, reverse_hosts, retention| RunOptions {
        windows,
        reverse_hosts,
        retention,
        ..RunOptions::default()
    };
    [
        way(WindowMode::Whole, false, Retention::HashOnly),
        way(WindowMode::Halved, false, Retention::HashOnly),
        way(WindowMode::Sevenths, false, Retention::HashOnly),
        way(WindowMode::Whole, true, Retention::Headers),
        way(WindowMode::Random(1), false, Retention::HashOnly),
        way(WindowMode::Random(2), true, Retention::HashOnly),
        way(WindowMode::Random(3), false, Retention::HashOnly),
        way(WindowMode::Halved, true, Retention::Full),
    ]
}

fn drive(plan: &Plan, options: &RunOptions) -> Run {
    let mut watch = Watch::new(plan);
    let nodes = (plan.machines.len() + plan.switches.len()) as u64;
    World::run_on(plan, &Toys { nodes }, options, &mut watch).expect("the plan is sound")
}

/// The stats of all ways, or the first way that differs.
fn compare(plan: &Plan) -> Result<[Stats; 8], usize> {
    let mut stats = [Stats::default(); 8];
    let mut hash = None;
    for (n, options) in ways().iter().enumerate() {
        let run = drive(plan, options);
        if *hash.get_or_insert(run.hash) != run.hash {
            return Err(n);
        }
        stats[n] = run.stats;
    }
    Ok(stats)
}

/// A random plan with one `when` more, aimed at an entry in the last 1 % of a window.
fn aimed(seed: u64) -> Plan {
    let mut plan = sample::plan(seed, "toy");
    let mut aim = Aim::new(&plan);
    let nodes = (plan.machines.len() + plan.switches.len()) as u64;
    World::run_on(&plan, &Toys { nodes }, &RunOptions::default(), &mut aim).expect("it is sound");
    plan.whens.extend(aim.when(seed));
    plan
}

#[test]
fn a_world_runs_on_its_own_thread_when_the_caller_is_inside_tokio() {
    let plan = sample::plan(3, "toy");
    let outside = drive(&plan, &RunOptions::default()).hash;
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let inside = runtime.expect("a runtime").block_on(async {
        let run = drive(&plan, &RunOptions::default());
        run.hash
    });
    assert_eq!(inside, outside);
}

#[test]
fn without_the_payloads_of_turmoils_datagrams_the_world_is_another() {
    let plan = (0..).map(|seed| sample::plan(seed, "toy"));
    let busy = |plan: &Plan| drive(plan, &RunOptions::default()).stats.frames > 100;
    let plan = plan.into_iter().find(busy).expect("some world is busy");
    let whole = drive(&plan, &RunOptions::default());
    let hollow = RunOptions {
        drop_payloads: true,
        ..RunOptions::default()
    };
    let hollow = drive(&plan, &hollow);
    assert_ne!(hollow.hash, whole.hash);
    assert!(hollow.stats.frames < whole.stats.frames);
}

/// What the cuts met, over all worlds.
#[derive(Debug, Default)]
struct Cuts {
    rounds: [u64; 8],
    whole: Stats,
}

impl Cuts {
    fn add(&mut self, stats: &[Stats; 8]) {
        for (sum, stats) in self.rounds.iter_mut().zip(stats) {
            *sum += stats.rounds;
        }
        let [whole, ..] = stats;
        let sum = &mut self.whole;
        sum.entries += whole.entries;
        sum.frames += whole.frames;
        sum.overshoots += whole.overshoots;
        sum.faults += whole.faults;
        sum.faults_inside_run += whole.faults_inside_run;
        sum.faults_in_flight += whole.faults_in_flight;
        sum.flushes += whole.flushes;
        sum.triggers += whole.triggers;
        sum.late_triggers += whole.late_triggers;
    }

    /// A test that never cut anything would pass for nothing.
    fn assert_real(&self) {
        eprintln!("{self:?}");
        let [whole, halved, sevenths, ..] = self.rounds;
        assert!(halved >= whole * 19 / 10, "{self:?}");
        assert!(sevenths >= whole * 6, "{self:?}");
        let met = &self.whole;
        assert!(met.overshoots > 0, "no run overshot its window");
        assert!(met.faults_inside_run > 0, "no fault fell inside a run");
        assert!(met.faults_in_flight > 0, "no fault met a frame in flight");
        assert!(met.flushes > 0, "no fault met a frame inside turmoil");
        assert!(met.late_triggers > 0, "no trigger fell into a window's end");
    }
}

/// A differing world, cut down as far as it still differs, and its first differing entries.
fn story(seed: u64, mut plan: Plan, mut way: usize) -> String {
    loop {
        let smaller = smaller(&plan);
        let found = smaller
            .into_iter()
            .find_map(|plan| Some((compare(&plan).err()?, plan)));
        match found {
            Some((how, less)) => (way, plan) = (how, less),
            None => break,
        }
    }
    let kept = |n: usize| {
        let options = RunOptions {
            retention: Retention::Headers,
            ..ways()[n].clone()
        };
        drive(&plan, &options).trace.entries().to_vec()
    };
    let (whole, other) = (kept(0), kept(way));
    let same = whole.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let part = |entries: &[Entry]| {
        let from = same.saturating_sub(3);
        let lines = entries.iter().skip(from).take(6);
        lines
            .map(|entry| format!("  {entry:?}\n"))
            .collect::<String>()
    };
    format!(
        "world {seed} differs when driven {:?}\n{plan:#?}\nwhole:\n{}other:\n{}",
        ways()[way],
        part(&whole),
        part(&other)
    )
}

/// Every plan with one thing less.
fn smaller(plan: &Plan) -> Vec<Plan> {
    let mut all = Vec::new();
    let mut without = |change: &dyn Fn(&mut Plan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        all.push(plan);
    };
    for n in 0..plan.timeline.len() {
        without(&|plan| drop(plan.timeline.remove(n)));
    }
    for n in 0..plan.whens.len() {
        without(&|plan| drop(plan.whens.remove(n)));
    }
    for n in 0..plan.everies.len() {
        without(&|plan| drop(plan.everies.remove(n)));
    }
    all
}
