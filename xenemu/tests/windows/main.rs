//! How time is cut into windows cannot be seen: random machines with random guests, driven whole, cut at random, and
//! from event to event, report the same records and send the same frames.

mod plan;
mod toy;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use xenemu::{Frame, FrameId, LeakReport, Machine, Record, Time, UplinkId, rng};

use plan::{Plan, Stimulus};

/// How a machine is driven from one action to the next.
#[derive(Clone, Copy, Debug)]
enum Driving {
    /// In one window.
    Whole,
    /// In windows cut at random.
    Cut(u64),
    /// In windows that begin where something is next due.
    Hop(u64),
}

/// What came out.
#[derive(Debug, Default)]
struct Outcome {
    records: Vec<Record>,
    frames: Vec<(Time, UplinkId, Frame)>,
    windows: u32,
    /// Windows whose end a run overshot: records stamped later were left behind.
    overshot: u32,
}

struct Driver<'a> {
    machine: Machine,
    frames: std::slice::Iter<'a, (Time, UplinkId, u64, Frame)>,
    out: Outcome,
    now: Time,
}

impl Driver<'_> {
    fn window(&mut self, end: Time) {
        while let Some((at, uplink, order, frame)) = self.frames.as_slice().first()
            && *at < end
        {
            self.machine.receive(*at, *uplink, *order, frame.clone());
            self.frames.next();
        }
        let first = self.machine.next_event();
        self.machine.run_until(end);
        let drained = self.out.records.len();
        self.machine.drain_events(end, &mut self.out.records);
        for record in &self.out.records[drained..] {
            assert!(first.is_some_and(|first| first <= record.at));
        }
        while let Some((at, uplink, frame)) = self.machine.transmit() {
            assert!(at < end && first.is_some_and(|first| first <= at));
            self.out.frames.push((at, uplink, frame));
        }
        self.out.windows += 1;
        // What a run left behind beyond the window's end.
        let last = self.machine.now();
        self.out.overshot += u32::from(last > end);
        self.now = end;
    }

    fn advance(&mut self, to: Time, driving: Driving, dice: &mut ChaCha8Rng) {
        while self.now < to {
            let end = match driving {
                Driving::Whole => to,
                Driving::Cut(span) => self.now.plus(1 + dice.next_u64() % span),
                Driving::Hop(span) => {
                    let arrival = self.frames.as_slice().first().map(|frame| frame.0);
                    let next = [self.machine.next_event(), arrival];
                    let next = next.into_iter().flatten().min().unwrap_or(to);
                    next.max(self.now).plus(1 + dice.next_u64() % span)
                }
            };
            self.window(end.min(to));
        }
    }
}

/// Drives a machine to `end`, excluding it.
fn drive_to(plan: &Plan, end: Time, driving: Driving) -> Driver<'_> {
    let mut dice = rng::stream(plan.seed, "driving");
    let mut driver = Driver {
        machine: plan.machine(),
        frames: plan.frames.iter(),
        out: Outcome::default(),
        now: Time::ZERO,
    };
    for Stimulus { at, action } in plan.actions.iter().filter(|stimulus| stimulus.at < end) {
        driver.advance(*at, driving, &mut dice);
        // What an action is answered is the same in every driving, or the records differ.
        let _ = driver.machine.act(*at, action.clone());
    }
    driver.advance(end, driving, &mut dice);
    driver
}

/// All that is known of a machine whose power fails at `at`.
fn fail(plan: &Plan, at: Time, driving: Driving) -> (Vec<Record>, u64, Vec<FrameId>) {
    let mut driver = drive_to(plan, at, driving);
    let off = driver.machine.power_fail(at);
    driver.out.records.extend(off.events);
    (driver.out.records, off.next_seq, off.frames_lost)
}

fn drive(plan: &Plan, driving: Driving) -> Outcome {
    let mut driver = drive_to(plan, plan.end, driving);
    assert_eq!(driver.machine.internal_error(), None);
    assert_eq!(driver.machine.destroy_all(), LeakReport::default());
    driver.out
}

fn same(plan: &Plan, whole: &Outcome, driving: Driving) -> Outcome {
    let cut = drive(plan, driving);
    let differs = whole
        .records
        .iter()
        .zip(&cut.records)
        .position(|(a, b)| a != b);
    if let Some(n) = differs {
        let around = n.saturating_sub(5)..(n + 3).min(whole.records.len().min(cut.records.len()));
        for (a, b) in whole.records[around.clone()]
            .iter()
            .zip(&cut.records[around])
        {
            eprintln!("{}\n{}\n", plan::readable(a), plan::readable(b));
        }
        panic!("record {n} differs when driven {driving:?}");
    }
    assert_eq!(whole.records.len(), cut.records.len(), "{driving:?}");
    assert_eq!(whole.frames, cut.frames, "{driving:?}");
    cut
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn windows_are_invisible(seed in any::<u64>()) {
        let plan = Plan::random(seed);
        let whole = drive(&plan, Driving::Whole);
        let mut windows = 0;
        for driving in [
            Driving::Cut(40_000),
            Driving::Cut(3_000_000),
            Driving::Hop(2_000),
            Driving::Hop(1_000_000),
        ] {
            windows += same(&plan, &whole, driving).windows;
        }
        prop_assert!(windows > 8 * whole.windows, "the cuts are real");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_power_failure_is_the_same_however_time_was_cut(seed in any::<u64>(), at in 1u64..20_000_000) {
        let (plan, at) = (Plan::random(seed), Time(at));
        let whole = fail(&plan, at, Driving::Whole);
        prop_assert!(whole.0.iter().all(|record| record.at < at));
        for driving in [Driving::Cut(300_000), Driving::Hop(2_000)] {
            prop_assert_eq!(&whole, &fail(&plan, at, driving));
        }
    }
}

#[test]
fn the_plans_are_worth_driving() {
    let mut seen = plan::Seen::default();
    let mut overshot = 0;
    for seed in 0..12 {
        let plan = Plan::random(seed);
        let out = drive(&plan, Driving::Cut(20_000));
        seen.count(&out.records, out.frames.len());
        overshot += out.overshot;
    }
    seen.assert_all();
    assert!(overshot > 0, "some run overshot its window");
}
