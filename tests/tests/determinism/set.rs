//! What the scenarios contain, seen in their plans and traces: a set without loss, or without a crash, would make the
//! comparisons beside this file cheap.

use evilbit::plan::{LinkPlan, Plan};
use evilbit::trace::{Author, Entry, Event, LinkEvent};
use evilbit::world::Stats;
use xenemu::event::Life;

use crate::PLAIN;

/// A line that is long enough for a fault to find something on it.
const LONG: u64 = 100_000_000;

/// Whether some scenario's trace has such an entry.
fn somewhere(matches: impl Fn(&Plan, &Entry) -> bool) -> bool {
    PLAIN.iter().any(|(scenario, run)| {
        let mut entries = run.trace.entries().iter();
        entries.any(|entry| matches(&scenario.plan, entry))
    })
}

/// Whether some link does such a thing.
fn on_a_link(matches: impl Fn(&LinkPlan, u8, &LinkEvent) -> bool) -> bool {
    somewhere(|plan, entry| match (entry.author, &entry.event) {
        (Author::Link(place, side), Event::Link(event)) => matches(link(plan, place), side, event),
        _ => false,
    })
}

/// The link that stands at this place in order of names.
fn link(plan: &Plan, place: u16) -> &LinkPlan {
    let mut links: Vec<&LinkPlan> = plan.links.iter().collect();
    links.sort_by(|a, b| a.name.cmp(&b.name));
    links[usize::from(place)]
}

#[test]
fn links_lose_double_shuffle_and_delay() {
    assert!(on_a_link(|_, _, e| matches!(e, LinkEvent::Lost { .. })));
    assert!(on_a_link(|_, _, e| matches!(
        e,
        LinkEvent::Duplicated { .. }
    )));
    assert!(on_a_link(|_, _, e| matches!(
        e,
        LinkEvent::Serialised {
            reordered: true,
            ..
        }
    )));
    assert!(on_a_link(|link, side, e| {
        let settings = link.settings[usize::from(side)];
        matches!(e, LinkEvent::Serialised { .. }) && settings.jitter > 0
    }));
}

#[test]
fn a_fault_strikes_frames_in_flight_on_a_long_line() {
    assert!(on_a_link(|link, side, e| {
        let settings = link.settings[usize::from(side)];
        matches!(e, LinkEvent::Died { .. }) && settings.delay >= LONG
    }));
    assert!(PLAIN.iter().any(|(s, run)| {
        let long = |link: &LinkPlan| link.settings.iter().any(|s| s.delay >= LONG);
        run.stats.faults_in_flight > 0 && s.plan.links.iter().any(long)
    }));
}

/// What a scenario's run met, as the world counts it; some scenario must have met it, as it is written.
fn met(what: &str, count: impl Fn(&Stats) -> u64) {
    let somewhere = PLAIN.iter().any(|(_, run)| count(&run.stats) > 0);
    assert!(
        somewhere,
        "no scenario has {what} any more: world/rough-road.kdl is the one to aim anew"
    );
}

#[test]
fn a_run_oversteps_its_window() {
    met("a run that oversteps its window", |met| met.overshoots);
}

#[test]
fn a_fault_falls_inside_a_run() {
    met("a fault inside a guest's run", |met| met.faults_inside_run);
}

#[test]
fn a_trigger_falls_into_the_last_hundredth_of_a_window() {
    met("a trigger at a window's end", |met| met.late_triggers);
}

#[test]
fn a_domain_crashes() {
    assert!(somewhere(|_, entry| matches!(
        &entry.event,
        Event::Machine(xenemu::Event::Life {
            life: Life::Crashed { .. },
            ..
        })
    )));
}

#[test]
fn two_domains_share_a_machine() {
    assert!(PLAIN.iter().any(|(scenario, _)| {
        let mut machines = scenario.plan.machines.iter();
        machines.any(|machine| machine.domains.len() >= 2)
    }));
}
