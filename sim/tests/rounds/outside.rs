//! Bytes from outside: what came in is recorded, and happens again the same when it is played back.

use evilbit::plan::{LinkSettings, MachinePlan, Plan};
use evilbit::world::sample::{domain, empty, link};
use evilbit::world::{Ended, RecordedInput, Run, RunOptions, WindowMode, World};
use xenemu::Time;

use crate::toy::Toys;

/// How far the worlds here run, and how often bytes come in.
const END: u64 = 20_000_000;
const INTERVAL: u64 = 333_333;

/// A toy machine, and the outside at the other end of its link.
fn plan() -> Plan {
    let mut plan = empty(5);
    for name in ["out", "toy"] {
        plan.machines.push(MachinePlan {
            name: name.into(),
            domains: vec![domain(&format!("{name}-dom"), "toy", Some(Time::ZERO))],
            schedule: vec![],
        });
    }
    let settings = LinkSettings {
        delay: 400_000,
        jitter: 100_000,
        rate: Some(100_000_000),
        ..LinkSettings::default()
    };
    plan.links.push(link("out", "toy", settings));
    plan
}

fn options(windows: WindowMode, inputs: Vec<RecordedInput>) -> RunOptions {
    RunOptions {
        windows,
        outside: Some("out".into()),
        inputs,
        ..RunOptions::default()
    }
}

/// A frame for the toy machine that it answers.
fn frame(n: u64) -> Vec<u8> {
    let mut bytes = vec![n as u8; 80];
    (bytes[0], bytes[5], bytes[6], bytes[11], bytes[14]) = (2, 1, 2, 0, 4);
    bytes
}

type Outputs = Vec<(Time, Vec<u8>)>;

/// Drives the world as a tap would: a frame comes in now and then.
fn live(plan: &Plan) -> (Run, Vec<RecordedInput>, Outputs) {
    let options = options(WindowMode::Whole, vec![]);
    let toys = Toys { nodes: 2 };
    let mut world = World::build(plan, &toys, &options).expect("the plan is sound");
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < END {
        let due = world.next_due().map_or(END, |due| due.0);
        let soon = at + INTERVAL;
        at = if due > at + INTERVAL / 2 {
            due.min(soon)
        } else {
            soon
        }
        .min(END);
        assert_eq!(world.advance(Time(at), &mut ()).expect("it runs"), None);
        if at % 3 != 0 {
            let (link, bytes) = ("out-toy".to_owned(), frame(at));
            world.input(&link, &bytes).expect("it leads outside");
            let at = world.now();
            inputs.push(RecordedInput { at, link, bytes });
        }
        outputs.extend(world.outputs());
    }
    let run = world.finish(Ended::Caller, &mut ()).expect("it ends");
    (run, inputs, outputs)
}

fn replay(plan: &Plan, windows: WindowMode, inputs: &[RecordedInput]) -> (Run, Outputs) {
    let before_end = inputs.iter().filter(|input| input.at < Time(END));
    let options = options(windows, before_end.cloned().collect());
    let toys = Toys { nodes: 2 };
    let mut world = World::build(plan, &toys, &options).expect("the plan is sound");
    assert_eq!(world.advance(Time(END), &mut ()).expect("it runs"), None);
    let outputs = world.outputs();
    let run = world.finish(Ended::Caller, &mut ()).expect("it ends");
    (run, outputs)
}

#[test]
fn recorded_inputs_played_again_give_the_same_trace_however_windows_are_cut() {
    let plan = plan();
    let (live, inputs, outputs) = live(&plan);
    assert!(inputs.len() > 30 && outputs.len() > 10, "nothing happened");
    for windows in [
        WindowMode::Whole,
        WindowMode::Halved,
        WindowMode::Sevenths,
        WindowMode::Random(1),
    ] {
        let (again, answers) = replay(&plan, windows, &inputs);
        assert_eq!(again.hash, live.hash, "{windows:?}");
        assert_eq!(answers, outputs, "{windows:?}");
    }
}

#[test]
fn bytes_come_in_by_a_link_that_leads_outside_only() {
    let plan = plan();
    let options = options(WindowMode::Whole, vec![]);
    let toys = Toys { nodes: 2 };
    let mut world = World::build(&plan, &toys, &options).expect("the plan is sound");
    assert!(world.input("elsewhere", &frame(0)).is_err());
    assert!(world.input("out-toy", &frame(0)).is_ok());
}
