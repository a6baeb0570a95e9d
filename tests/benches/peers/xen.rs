//! The way through Xen: the same segments as on raw devices, but through netfront, rings, grants, netback and bridge.

use std::rc::Rc;
use std::time::Instant;

use stack::api::How;
use stack::kernel::{builtin, own_stack};
use stack::os::{Os, TcpStream, Unikernel};
use stack::stack::Stack;
use xen_abi::{Guest, Sink};
use xenemu::config::{Action, Costs, DomainConfig, MachineConfig, OnExit, VifConfig};
use xenemu::machine::Machine;
use xenemu::time::Time;

/// What the sender pushes.
const BYTES: usize = 2 << 20;
/// Octets of text in a full segment with timestamps.
const SEGMENT: usize = 1448;
const SECOND: u64 = 1_000_000_000;

/// Pushes bytes from one domain to another on one machine; ns a segment, booting not counted.
pub fn push() -> f64 {
    let mut machine = machine();
    for action in [receiver(), sender()] {
        machine.act(Time::ZERO, action).expect("the domain boots");
    }
    run_until_said(&mut machine, "begin");
    let start = Instant::now();
    run_until_said(&mut machine, "end");
    start.elapsed().as_nanos() as f64 / (BYTES / SEGMENT) as f64
}

/// Runs the machine until the sender has said so, and takes its events as the world does.
fn run_until_said(machine: &mut Machine, line: &str) {
    let mut records = Vec::new();
    while !machine.console("sender").any(|said| said == line) {
        let next = machine.next_event().expect("the sender has not ended");
        machine.run_until(next.plus(SECOND / 1000));
        machine.drain_events(next.plus(SECOND / 1000), &mut records);
        records.clear();
    }
}

async fn send(os: Os<Stack>) {
    let remote = "10.0.0.2:9".parse().expect("an address");
    // The receiver may not listen yet.
    os.sleep(SECOND).await;
    let stream = TcpStream::connect(&os, remote).await.expect("a connection");
    os.print("begin");
    let sent = stream.write_all(&vec![0xA5; BYTES]).await;
    sent.and_then(|()| stream.shutdown(How::Write))
        .expect("the connection stands");
    let _ = stream.read(&mut [0]).await;
    os.print("end");
}

fn sender() -> Action {
    let factory = |_: &DomainConfig, sink: Rc<dyn Sink>| {
        let main = Box::new(|os| Box::pin(send(os)) as _);
        Box::new(Unikernel::new(sink, Box::new(own_stack), main)) as Box<dyn Guest>
    };
    Action::Create(config("sender", "10.0.0.9/24"), Rc::new(factory))
}

fn receiver() -> Action {
    let factory = |_: &DomainConfig, sink: Rc<dyn Sink>| builtin(sink);
    Action::Create(config("discard", "10.0.0.2/24"), Rc::new(factory))
}

fn config(name: &str, ip: &str) -> DomainConfig {
    DomainConfig {
        name: name.into(),
        memory_kib: 32 << 10,
        cmdline: format!("app={name}"),
        modules: Vec::new(),
        vifs: vec![VifConfig {
            ip: vec![ip.into()],
            sg: true,
            ..VifConfig::default()
        }],
        xenstore: Vec::new(),
        on_poweroff: OnExit::Destroy,
        on_reboot: OnExit::Destroy,
        on_crash: OnExit::Destroy,
        fuel: 50_000_000,
        counted: false,
    }
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
