//! A comparison that has never found anything proves nothing. So mistakes are planted, by `--features planted`, and the
//! comparison of `run --twice` must find each and name the first event in which two runs differ.
#![cfg(feature = "planted")]

use evilbit::divergence::divergence;
use evilbit::oracle::Failure;
use evilbit::plan::{Action, MachinePlan, Plan, Span, Timed};
use evilbit::trace::Retention;
use evilbit::view::Wanted;
use evilbit::world::planted::{Mistake, Planted};
use evilbit::world::sample::{act, domain, empty};
use evilbit::world::{Builtin, Run, RunOptions, World};
use tests::scenario;
use xenemu::Time;

fn options(planted: Planted) -> RunOptions {
    RunOptions {
        planted,
        retention: Retention::Full,
        ..RunOptions::default()
    }
}

/// What `run --twice` says of a plan.
fn twice(plan: &Plan, run: impl Fn() -> Run) -> Option<Failure> {
    let (first, second) = (run(), run());
    divergence(plan, &first, &second)
}

/// What it says of the blog.
fn blog(planted: Planted) -> Option<Failure> {
    let scenario = scenario::named("blog/blog");
    twice(&scenario.plan, || {
        let outcome = scenario.run(&Wanted::default(), &options(planted));
        outcome.run
    })
}

/// The failure names an event, and shows what it was in each run.
fn assert_named(failure: &Failure, contains: &str) {
    let said = "not deterministic: two runs differ, first in event ";
    let n = failure.message.strip_prefix(said).expect("it says so");
    assert!(n.parse::<u64>().is_ok_and(|n| n > 0), "{failure:?}");
    let [first, second] = failure.evidence.as_slice() else {
        panic!("{failure:?}");
    };
    let (first, second) = (
        first.strip_prefix("first run: "),
        second.strip_prefix("second run: "),
    );
    assert!(
        first.is_some() && second.is_some() && first != second,
        "{failure:?}"
    );
    assert!(
        first.is_some_and(|first| first.contains(contains)),
        "{failure:?}"
    );
}

#[test]
fn a_wall_clock_that_a_guest_sees_is_found() {
    let failure = blog(Planted::with(Mistake::WallClock)).expect("it is found");
    // Of all events the first that tells the time is the blog's first answer.
    assert_named(&failure, "ec2: FrameBorn");
}

#[test]
fn draws_in_the_order_of_use_are_found() {
    let failure = blog(Planted::with(Mistake::DrawOrder)).expect("it is found");
    assert_named(&failure, "");
}

#[test]
fn the_order_of_a_hash_map_is_found() {
    let names: Vec<String> = (0..8).map(|n| format!("d{n}")).collect();
    let mut plan = empty(1);
    plan.machines.push(MachinePlan {
        name: "m".into(),
        domains: names
            .iter()
            .map(|name| domain(name, "empty", None))
            .collect(),
        schedule: Vec::new(),
    });
    let create = |domain: &String| {
        act(Action::Create {
            domain: domain.clone(),
        })
    };
    plan.timeline.push(Timed {
        at: Time(1_000_000),
        actions: names.iter().map(create).collect(),
        span: Span::default(),
    });
    let options = options(Planted::with(Mistake::HashMapOrder));
    let failure = twice(&plan, || {
        World::run(&plan, &Builtin, &options, &mut ()).expect("the plan is sound")
    });
    assert_named(&failure.expect("it is found"), "create");
}

#[test]
fn nothing_planted_nothing_found() {
    assert_eq!(blog(Planted::default()), None);
}
