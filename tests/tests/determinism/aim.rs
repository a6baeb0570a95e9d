//! Faults and triggers, aimed: into the middle of a guest's run, and at the very end of a window.
//!
//! Such coincidences are what goes wrong when rounds are not quite invisible. One scenario was written around them, the
//! others meet them by luck only. So each is run once to see when its guests run and its links are fed, and gets a few
//! harmless actions at just these instants: what is held and released at one instant arrives as if nothing had been.

use evilbit::oracle::Watch;
use evilbit::plan::{Action, ActionPlan, Matcher, Plan, Scope, Span, Timed, When};
use evilbit::trace::{Author, Entry, Event, LinkEvent};
use evilbit::view::Wanted;
use evilbit::world::{Builtin, Observer, Run, RunOptions, Stats, Triggers, World};
use rayon::prelude::*;
use tests::scenario::assert_gave_back;
use xenemu::Time;

use crate::{PLAIN, cuts};

/// Longer traces than this add time and no coincidences.
const ENTRIES_MAX: u64 = 5_000;

/// Longer than any scenario's lookahead, so that a `when` more does not shorten the windows it is aimed at.
const REACTION: u64 = 1_000_000_000;

/// When guests ran, and when links were fed.
struct Measured {
    watch: Watch,
    runs: Vec<Time>,
    fed: Vec<(Time, u16)>,
}

impl Observer for Measured {
    fn on_entry(&mut self, entry: &Entry) {
        self.watch.on_entry(entry);
        match (entry.author, &entry.event) {
            (_, Event::Machine(xenemu::Event::Run { .. })) => self.runs.push(entry.at),
            (Author::Link(place, _), Event::Link(LinkEvent::Enqueued { .. })) => {
                self.fed.push((entry.at, place));
            }
            _ => {}
        }
    }
    fn triggers(&mut self) -> Option<&mut dyn Triggers> {
        self.watch.triggers()
    }
}

fn watch(plan: &Plan) -> Watch {
    Watch::new(plan, Scope::Expect, &Wanted::default()).expect("no files")
}

fn measure(plan: &Plan) -> Measured {
    let mut measured = Measured {
        watch: watch(plan),
        runs: Vec::new(),
        fed: Vec::new(),
    };
    World::run(plan, &Builtin, &RunOptions::default(), &mut measured).expect("the plan is sound");
    measured
}

/// The plan with aimed actions; `None` if it has no link to aim at.
fn aimed(plan: &Plan) -> Option<Plan> {
    let measured = measure(plan);
    let (fed, place) = *measured.fed.get(measured.fed.len() / 2)?;
    let mut names: Vec<&str> = plan.links.iter().map(|link| link.name.as_str()).collect();
    names.sort_unstable();
    let link = names[usize::from(place)];
    let before = measured.fed.iter().filter(|(_, p)| *p == place);
    let nth = before.take_while(|(at, _)| *at < fed).count() as u64 + 1;
    let mut plan = plan.clone();
    plan.whens.push(when(link, nth));
    // The window ends just behind what the `when` waits for.
    plan.timeline.push(timed(fed.plus(1), link));
    for run in measured
        .runs
        .iter()
        .skip(measured.runs.len() / 4)
        .step_by(7)
        .take(5)
    {
        // A run is reported when it is over.
        plan.timeline
            .push(timed(Time(run.0.saturating_sub(1)), link));
    }
    plan.timeline.sort_by_key(|timed| timed.at);
    Some(plan)
}

fn when(link: &str, nth: u64) -> When {
    When {
        matcher: Matcher::Link {
            link: link.into(),
            from: None,
            event: "enqueued".into(),
        },
        nth,
        reaction: REACTION,
        actions: harmless(link),
        span: Span::default(),
    }
}

fn timed(at: Time, link: &str) -> Timed {
    Timed {
        at,
        actions: harmless(link),
        span: Span::default(),
    }
}

fn harmless(link: &str) -> Vec<ActionPlan> {
    let link = String::from(link);
    let actions = [
        Action::Hold { link: link.clone() },
        Action::Release { link },
    ];
    let act = |action| ActionPlan {
        action,
        span: Span::default(),
    };
    actions.map(act).into()
}

fn drive(plan: &Plan, options: &RunOptions) -> Run {
    let run = World::run(plan, &Builtin, options, &mut watch(plan)).expect("the plan is sound");
    assert_gave_back(&plan.name, &run);
    run
}

/// What uncut windows met, all ways having had one hash.
fn compare(plan: &Plan) -> Stats {
    let [whole, others @ ..] = cuts();
    let plain = drive(plan, &whole);
    for options in &others {
        let hash = drive(plan, options).hash;
        assert_eq!(hash, plain.hash, "{} when driven {options:?}", plan.name);
    }
    plain.stats
}

#[test]
fn aimed_faults_and_triggers_leave_no_mark_of_windows() {
    let short = PLAIN
        .par_iter()
        .filter(|(_, plain)| plain.stats.entries < ENTRIES_MAX);
    let met: Vec<Stats> = short
        .filter_map(|(scenario, _)| Some(compare(&aimed(&scenario.plan)?)))
        .collect();
    let sum = |what: fn(&Stats) -> u64| met.iter().map(what).sum::<u64>();
    assert!(sum(|met| met.overshoots) > 0, "no run overshot its window");
    assert!(
        sum(|met| met.faults_inside_run) > 0,
        "no fault fell inside a run"
    );
    assert!(
        sum(|met| met.faults_in_flight) > 0,
        "no fault met a frame in flight"
    );
    assert!(
        sum(|met| met.late_triggers) > 0,
        "no trigger fell into a window's end"
    );
}
