//! Worlds of emulated Xen machines: what the toy machines prove about time holds for the real ones.

use evilbit::plan::{Action, LinkSettings, MachinePlan, Plan, Span, Timed};
use evilbit::trace::{Event, Retention};
use evilbit::world::sample::{act, domain, empty, link};
use evilbit::world::{Builtin, Ended, Run, RunOptions, WindowMode, World};
use xenemu::Time;
use xenemu::event::Life;

/// Two machines, a link, and a domain on each that does nothing.
fn two_machines() -> Plan {
    let mut plan = empty(7);
    for name in ["a", "b"] {
        let kernel = domain(&format!("{name}-dom"), "empty", Some(Time::ZERO));
        plan.machines.push(MachinePlan {
            name: name.into(),
            domains: vec![kernel],
            schedule: vec![],
        });
    }
    plan.links.push(link("a", "b", LinkSettings::default()));
    plan
}

fn run(plan: &Plan, options: RunOptions) -> Run {
    World::run(plan, &Builtin, &options, &mut ()).expect("the plan is sound")
}

fn lives(run: &Run) -> Vec<&Life> {
    let life = |event| match event {
        &Event::Machine(xenemu::Event::Life { ref life, .. }) => Some(life),
        _ => None,
    };
    let events = run.trace.entries().iter().map(|entry| &entry.event);
    events.filter_map(life).collect()
}

#[test]
fn two_booted_kernels_that_do_nothing_are_quiet_and_give_everything_back() {
    let run = run(
        &two_machines(),
        RunOptions {
            retention: Retention::Full,
            ..RunOptions::default()
        },
    );
    assert_eq!(run.internal_error, None);
    assert_eq!(run.crashes, []);
    assert_eq!(run.why, Ended::Quiet, "{:#?}", run.trace.entries().last());
    assert!(lives(&run).iter().any(|life| **life == Life::Unpaused));
    for (machine, leaks) in &run.leaks {
        assert_eq!(leaks.total(), 0, "{machine}: {leaks:?}");
    }
}

#[test]
fn cuts_and_the_order_of_hosts_leave_no_mark_on_real_machines() {
    let mut plan = two_machines();
    let timed = |ms: u64, action| Timed {
        at: Time(ms * 1_000_000),
        actions: vec![act(action)],
        span: Span::default(),
    };
    let machine = String::from("b");
    plan.timeline = vec![
        timed(
            3,
            Action::PowerOff {
                machine: machine.clone(),
            },
        ),
        timed(5, Action::PowerOn { machine }),
        timed(
            7,
            Action::Crash {
                domain: "a-dom".into(),
            },
        ),
    ];
    let whole = run(&plan, RunOptions::default());
    for windows in [
        WindowMode::Halved,
        WindowMode::Sevenths,
        WindowMode::Random(1),
    ] {
        let options = RunOptions {
            windows,
            reverse_hosts: true,
            retention: Retention::Headers,
            ..RunOptions::default()
        };
        assert_eq!(run(&plan, options).hash, whole.hash, "{windows:?}");
    }
}
