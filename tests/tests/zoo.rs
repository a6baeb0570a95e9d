//! The bug zoo, caught: scenarios against guests that have the bug which they are about.
//!
//! `cargo test -p tests --features zoo`. Without the feature the guests are not there, and their bugs cost nothing.

use std::path::Path;

use evilbit::oracle::Failure;
use evilbit::plan::{Plan, Scope};
use evilbit::runner;
use evilbit::scenario::{self, Overrides};
use evilbit::view::Wanted;
use evilbit::world::{Builtin, RunOptions};

/// A scenario with the guest of one domain exchanged.
fn plan_with(scenario: &str, domain: &str, guest: &str) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../scenarios")
        .join(scenario);
    let mut plan = scenario::load(&path, &Overrides::default()).expect("a good scenario");
    let domains = plan.machines.iter_mut().flat_map(|m| &mut m.domains);
    let mut those = domains.filter(|d| d.name == domain);
    let exchanged = those.next().expect("the scenario has that domain");
    exchanged.guest = guest.to_owned();
    plan
}

fn failures(plan: &Plan) -> Vec<Failure> {
    let (wanted, options) = (Wanted::default(), RunOptions::default());
    let outcome = runner::run(plan, &Builtin, Scope::Expect, &wanted, &options);
    outcome.expect("it runs").failures
}

#[test]
fn the_parser_of_2014_is_stuck_on_a_zero_length_option_and_the_packet_is_named() {
    let failures = failures(&plan_with(
        "evil/zero-length-option.kdl",
        "blog",
        "http-2014",
    ));
    let stuck = failures
        .iter()
        .find(|failure| failure.message.starts_with("blog is stuck"))
        .expect("the guest that spins is reported");
    let [packet, options, ..] = stuck.evidence.as_slice() else {
        panic!("no packet is named: {stuck:?}");
    };
    assert!(
        packet.contains("10.0.0.66.4000 > 10.0.0.2.80: Flags [S], seq 0, win 65535"),
        "{packet}"
    );
    assert!(packet.contains("mss [bad opt]"), "{packet}");
    assert_eq!(options, "its options: 01 02 00 00");
}

/// The scenario of the lost wake-up with this reader, with its schedule or without.
fn lost_wakeup(reader: &str, scheduled: bool) -> Vec<Failure> {
    let mut plan = plan_with("world/lost-wakeup.kdl", "reader", reader);
    let [machine] = plan.machines.as_mut_slice() else {
        panic!("the scenario has one machine");
    };
    let [switch] = machine.schedule.as_slice() else {
        panic!("its schedule has one switch");
    };
    assert_eq!((switch.actor.as_str(), switch.steps), ("netback", 1));
    if !scheduled {
        machine.schedule.clear();
    }
    failures(&plan)
}

#[test]
fn a_guest_without_a_final_check_sleeps_for_ever_when_netback_is_one_step_ahead() {
    assert_eq!(lost_wakeup("script-no-final-check", false), []);
    let failures = lost_wakeup("script-no-final-check", true);
    let unfinished = "reader: these commands were not done when the run ended";
    assert!(
        failures.iter().any(|f| f.message.starts_with(unfinished)),
        "{failures:?}"
    );
}

#[test]
fn a_guest_with_a_final_check_wakes_up_either_way() {
    assert_eq!(lost_wakeup("script", false), []);
    assert_eq!(lost_wakeup("script", true), []);
}

#[test]
fn the_same_server_without_the_bug_is_not() {
    let plan = plan_with("evil/zero-length-option.kdl", "blog", "http");
    assert_eq!(failures(&plan), []);
}
