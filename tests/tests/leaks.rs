//! What a machine does not give back fails a run. That nothing is left after any scenario is asserted wherever one runs
//! ([`tests::scenario`]), and so is, when a world is dropped, that it holds nothing which its run has not told of. Here
//! machines are made to keep something, so that these assertions are known to look.

use std::cell::Cell;

use evilbit::oracle::{Leaks as Found, Watch};
use evilbit::plan::{MachinePlan, Scope};
use evilbit::view::Wanted;
use evilbit::world::{
    ActionError, Boot, Builtin, Leaks, Machines, Node, NodeAction, PowerLoss, RunOptions, World,
    XenMachines,
};
use tests::scenario::{self, assert_gave_back};
use xenemu::{Frame, Record, Time, UplinkId};

/// Machines that forget one mapped page, and the grant behind it.
struct Forgetful;

/// Machines that forget them only after everybody has looked.
struct Sly;

impl Machines for Forgetful {
    fn machine(&self, plan: &MachinePlan, boot: &Boot) -> Result<Box<dyn Node>, String> {
        let machine = XenMachines(&Builtin).machine(plan, boot)?;
        Ok(Box::new(ForgetfulMachine(machine, Cell::new(0))))
    }
}

impl Machines for Sly {
    fn machine(&self, plan: &MachinePlan, boot: &Boot) -> Result<Box<dyn Node>, String> {
        let machine = XenMachines(&Builtin).machine(plan, boot)?;
        Ok(Box::new(ForgetfulMachine(machine, Cell::new(1))))
    }
}

/// A machine, and how often one looks at it before it forgets.
struct ForgetfulMachine(Box<dyn Node>, Cell<u32>);

impl Node for ForgetfulMachine {
    fn destroy_all(&mut self) {
        self.0.destroy_all();
    }
    fn held(&self) -> Leaks {
        let mut held = self.0.held();
        match self.1.get().checked_sub(1) {
            Some(looks) => self.1.set(looks),
            None => {
                held.grants += 1;
                held.maps += 1;
            }
        }
        held
    }
    fn act(&mut self, at: Time, action: &NodeAction) -> Result<(), ActionError> {
        self.0.act(at, action)
    }
    fn next_event(&self) -> Option<Time> {
        self.0.next_event()
    }
    fn run_until(&mut self, end: Time) {
        self.0.run_until(end);
    }
    fn clock(&self) -> Time {
        self.0.clock()
    }
    fn receive(&mut self, at: Time, uplink: UplinkId, order: u64, frame: Frame) {
        self.0.receive(at, uplink, order, frame);
    }
    fn transmit(&mut self) -> Option<(Time, UplinkId, Frame)> {
        self.0.transmit()
    }
    fn drain_events(&mut self, before: Time, out: &mut Vec<Record>) {
        self.0.drain_events(before, out);
    }
    fn power_fail(self: Box<Self>, at: Time) -> PowerLoss {
        self.0.power_fail(at)
    }
    fn crash_texts(&self) -> Vec<(String, String)> {
        self.0.crash_texts()
    }
    fn internal_error(&self) -> Option<String> {
        self.0.internal_error()
    }
}

#[test]
fn what_is_not_given_back_fails_the_run() {
    let plan = scenario::named("nothing/do-nothing").plan;
    let mut watch = Watch::new(&plan, Scope::Expect, &Wanted::default()).expect("no files");
    let run = World::run_on(&plan, &Forgetful, &RunOptions::default(), &mut watch);
    let run = run.expect("the plan is sound");
    let [(machine, leaks)] = &run.leaks[..] else {
        panic!("{:?}", run.leaks);
    };
    assert_eq!((machine.as_str(), leaks.total()), ("m", 2));
    let found: Found = run.leaks.iter().map(|(_, leaks)| leaks).collect();
    let failures = watch.finish(&found).expect("no files").failures;
    let says = |what: &str| failures.iter().any(|f| format!("{f:?}").contains(what));
    assert!(says("grants") && says("maps"), "{failures:?}");
}

#[test]
#[should_panic(expected = "m leaks")]
fn what_is_not_given_back_fails_every_test_that_runs_a_scenario() {
    let plan = scenario::named("nothing/do-nothing").plan;
    let run = World::run_on(&plan, &Forgetful, &RunOptions::default(), &mut ());
    assert_gave_back("do-nothing", &run.expect("the plan is sound"));
}

#[test]
#[should_panic(expected = "m holds what nobody heard of")]
fn a_world_does_not_go_while_it_holds_what_its_run_has_not_told_of() {
    let plan = scenario::named("nothing/do-nothing").plan;
    let run = World::run_on(&plan, &Sly, &RunOptions::default(), &mut ());
    // Not reached: the world is gone before its run is seen.
    assert_gave_back("do-nothing", &run.expect("the plan is sound"));
}

/// Drops a world of these machines in the middle of its run.
fn abandon(machines: &dyn Machines) {
    let plan = scenario::named("blog/blog").plan;
    let options = RunOptions::default();
    let mut world = World::build(&plan, machines, &options).expect("the plan is sound");
    let mut watch = Watch::new(&plan, Scope::Expect, &Wanted::default()).expect("no files");
    let ended = world.advance(Time(200_000_000), &mut watch);
    assert_eq!(ended.expect("it runs"), None);
}

#[test]
fn an_abandoned_world_takes_itself_down_and_holds_nothing() {
    abandon(&XenMachines(&Builtin));
}

#[test]
#[should_panic(expected = "holds what nobody heard of")]
fn an_abandoned_world_does_not_go_while_it_holds_anything() {
    abandon(&Forgetful);
}
