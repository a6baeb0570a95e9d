//! A machine, domains on it, and what is seen of them.

use std::rc::Rc;

use stack::kernel::{builtin, own_stack};
use stack::os::{Os, Unikernel};
use stack::stack::Stack;
use xen_abi::{Guest, Sink};
use xenemu::config::{Action, Costs, DomainConfig, GuestFactory, MachineConfig, OnExit, VifConfig};
use xenemu::event::{Event, Record, Source};
use xenemu::inspect::LeakReport;
use xenemu::machine::Machine;
use xenemu::time::Time;

pub const SECOND: u64 = 1_000_000_000;
pub const MILLISECOND: u64 = 1_000_000;

/// What is configured of a domain that is called as its application.
pub fn config(name: &str, ip: &str) -> DomainConfig {
    DomainConfig {
        name: name.into(),
        memory_kib: 8192,
        cmdline: format!("app={name}"),
        modules: Vec::new(),
        vifs: vec![VifConfig {
            ip: vec![ip.into()],
            sg: true,
            csum: true,
            ..VifConfig::default()
        }],
        xenstore: Vec::new(),
        on_poweroff: OnExit::Destroy,
        on_reboot: OnExit::Destroy,
        on_crash: OnExit::Destroy,
        fuel: 10_000_000,
        counted: false,
    }
}

/// Boots a kernel that chooses its application itself.
pub fn builtin_domain(name: &str, ip: &str) -> Action {
    let factory = Rc::new(|_: &DomainConfig, sink: Rc<dyn Sink>| builtin(sink));
    Action::Create(config(name, ip), factory)
}

/// Boots a domain with an application of the test's.
pub fn domain<F>(name: &str, ip: &str, main: fn(Os<Stack>) -> F) -> Action
where
    F: Future<Output = ()> + 'static,
{
    Action::Create(config(name, ip), running(main))
}

pub fn running<F>(main: fn(Os<Stack>) -> F) -> GuestFactory
where
    F: Future<Output = ()> + 'static,
{
    Rc::new(move |_: &DomainConfig, sink: Rc<dyn Sink>| {
        let main = Box::new(move |os| Box::pin(main(os)) as _);
        Box::new(Unikernel::new(sink, Box::new(own_stack), main)) as Box<dyn Guest>
    })
}

fn machine() -> Machine {
    Machine::new(MachineConfig {
        name: "box".into(),
        origin: 0,
        seed: 793,
        boot: 0,
        epoch_secs: 1_405_036_800,
        uplinks: 0,
        started: Time::ZERO,
        first_frame: 0,
        first_seq: 0,
        costs: Costs::default(),
        schedule: Vec::new(),
    })
}

/// What happened on a machine until nothing was left to do, or until `limit`.
pub struct Seen {
    pub machine: Machine,
    pub records: Vec<Record>,
}

impl Seen {
    /// Runs the machine in windows of at most `window` nanoseconds.
    pub fn run(actions: Vec<Action>, window: u64, limit: Time) -> Seen {
        let mut machine = machine();
        for action in actions {
            machine.act(Time::ZERO, action).expect("the action is done");
        }
        let mut records = Vec::new();
        while let Some(next) = machine.next_event().filter(|next| *next < limit) {
            let end = next.plus(window).min(limit);
            machine.run_until(end);
            machine.drain_events(end, &mut records);
        }
        assert_eq!(machine.internal_error(), None);
        Seen { machine, records }
    }

    pub fn events(&self) -> impl Iterator<Item = (&Record, Event)> {
        self.records
            .iter()
            .filter(|record| record.source == Source::Machine)
            .map(|record| (record, Event::decode(&record.payload).expect("it decodes")))
    }

    pub fn count(&self, matches: impl Fn(&Event) -> bool) -> usize {
        self.events().filter(|(_, event)| matches(event)).count()
    }

    pub fn console(&self, name: &str) -> Vec<String> {
        self.machine.console(name).map(String::from).collect()
    }

    /// Destroys all: nothing may be left.
    pub fn tear_down(mut self) {
        assert_eq!(self.machine.destroy_all(), LeakReport::default());
    }
}
