//! The long way: the same stack in a kernel of its own, on an emulated Xen machine. What it sends goes through netfront,
//! shared rings, netback and the bridge to the machine's uplink, where the script sits; its calls are laid on the desk of
//! a program in the guest.
//!
//! All of that takes some microseconds, so a moment of the script is not an instant here: what is due soon after it
//! belongs to it.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;

use stack::addr::{Cidr, Mac};
use stack::app::desk::{self, DOORBELL, Desk};
use stack::event::TcpState;
use stack::os::{StackConfig, Unikernel};
use stack::posix::{Answer, Call, Control, Outcome, Output, Personality, Process};
use stack::profile::Profile;
use stack::stack::Stack;
use stack::tcp::Listed;
use stack::wire::ethernet::{self, EtherType};
use thiserror::Error;
use xenemu::abi::{Guest, Instant, Sink};
use xenemu::{
    Action, Costs, DomainConfig, Frame, FrameId, GuestFactory, LeakReport, Machine, MachineConfig,
    OnExit, Time, UplinkId, VifConfig,
};

use super::config::Config;
use super::subject::Subject;
use crate::packetdrill::environment::{Failure, Host, NoSuchSetting, RouteChange};
use crate::trace::{Author, Raw, TraceHash};

const OURS: Mac = Mac([0x02, 0, 0, 0, 0, 0x01]);
const GATEWAY: Mac = Mac([0x02, 0, 0, 0, 0, 0x02]);
const DOMAIN: &str = "script";
const UPLINK: UplinkId = UplinkId(0);
/// Frames that the script sends are born outside of the machine.
const OUTSIDE: u32 = 1;
const MEMORY_KIB: u64 = 64 * 1024;
/// The fuel of one run: far more than any honest run burns.
const FUEL: u64 = 50_000_000;
/// How long a kernel may take to boot.
const BOOT: u64 = 1_000_000_000;
/// What is due so soon after a moment belongs to it: the way through rings and bridge takes less, timers take more.
const MOMENT: u64 = 100_000;
/// The largest MTU of a vif: netif.h's largest packet, less the Ethernet header.
const MTU_MAX: usize = 65_535 - ethernet::HEADER;

/// Why there is no machine for a script.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoMachine {
    #[error("a vif's MTU is at most {MTU_MAX}, and the script asks for {0}")]
    Mtu(usize),
    #[error("the kernel did not boot")]
    Boot,
}

/// A machine with one domain, in which the stack under test is.
pub struct Xen {
    // Looking into the guest takes a doorbell, and so the machine's time.
    machine: RefCell<Machine>,
    desk: Rc<Desk<Stack>>,
    process: Rc<RefCell<Process>>,
    /// How far the machine has been driven.
    driven: Cell<Time>,
    /// What has left by the uplink and was not handed over.
    sent: RefCell<Vec<Vec<u8>>>,
    frames: u64,
    /// All that the machine reported: hypercalls, grants, rings, the guest's own events.
    trace: RefCell<TraceHash>,
}

impl Xen {
    /// A machine whose kernel has booted at `begin`.
    pub fn new(
        config: &Config,
        profile: Rc<Profile>,
        personality: Personality,
        seed: u64,
        begin: Instant,
    ) -> Result<Xen, NoMachine> {
        if config.mtu > MTU_MAX {
            return Err(NoMachine::Mtu(config.mtu));
        }
        let started = Time(begin.0 - BOOT);
        let desk = Rc::new(Desk::default());
        let machine = Machine::new(MachineConfig {
            name: "host".into(),
            origin: 0,
            seed,
            boot: 0,
            epoch_secs: 0,
            uplinks: 1,
            started,
            first_frame: 0,
            first_seq: 0,
            costs: Costs::default(),
            schedule: Vec::new(),
        });
        let xen = Xen {
            machine: RefCell::new(machine),
            desk: desk.clone(),
            process: Rc::new(RefCell::new(Process::new(personality))),
            driven: Cell::new(started),
            sent: RefCell::default(),
            frames: 0,
            trace: RefCell::default(),
        };
        let create = Action::Create(domain(config), factory(config, profile, desk));
        xen.act(started, create);
        xen.drive(Time(begin.0));
        match xen.desk.is_open() {
            true => Ok(xen),
            false => Err(NoMachine::Boot),
        }
    }

    fn act(&self, at: Time, action: Action) {
        let mut machine = self.machine.borrow_mut();
        let done = machine.act(at.max(self.driven.get()), action);
        done.expect("the only domain is there until the end");
    }

    /// Lets the machine's time pass, up to and with `to`.
    fn drive(&self, to: Time) {
        let end = to.plus(1).max(self.driven.get());
        self.machine.borrow_mut().run_until(end);
        self.driven.set(end);
    }

    /// Lets the machine do what belongs to the moment.
    fn finish(&self, now: Instant) {
        let end = self.driven.get().max(Time(now.0)).plus(MOMENT);
        self.collect();
        while let Some(next) = self.next().filter(|at| *at <= end) {
            self.drive(next);
            self.collect();
        }
    }

    fn next(&self) -> Option<Time> {
        self.machine.borrow().next_event()
    }

    /// Takes what the machine hands out.
    fn collect(&self) {
        self.report(self.driven.get());
        let mut machine = self.machine.borrow_mut();
        while let Some((_, _, frame)) = machine.transmit() {
            let Ok(frame) = ethernet::Frame::parse(&frame.bytes) else {
                continue;
            };
            // Whom it asks for neighbours is nothing that scripts are about.
            if matches!(frame.ethertype(), EtherType::IPV4 | EtherType::IPV6) {
                self.sent.borrow_mut().push(frame.payload().to_vec());
            }
        }
    }

    /// Takes what the machine reports from before a moment. Only its hash is kept: the script judges packets and
    /// answers.
    fn report(&self, before: Time) {
        let mut records = Vec::new();
        self.machine.borrow_mut().drain_events(before, &mut records);
        let mut trace = self.trace.borrow_mut();
        for record in &records {
            trace.update(&Raw {
                at: record.at,
                author: Author::Node(0),
                seq: record.seq,
                source: record.source,
                payload: &record.payload,
            });
        }
    }

    /// Has the guest do something, in its own turn.
    fn ask<T: 'static>(
        &self,
        now: Instant,
        work: impl FnOnce(Instant, &mut Stack) -> T + 'static,
    ) -> T {
        let answer = Rc::new(Cell::new(None));
        let to = answer.clone();
        self.desk.put(Box::new(move |now, stack| {
            to.set(Some(work(now, stack)));
        }));
        let ring = Action::XenstoreWrite {
            domain: DOMAIN.into(),
            path: DOORBELL.into(),
            value: Vec::new(),
        };
        self.act(Time(now.0), ring);
        self.finish(now);
        let answer = answer.take();
        answer.expect("a kernel that hears its doorbell does what lies on its desk")
    }

    fn last(&self) -> Instant {
        Instant(self.driven.get().0)
    }

    /// An answer whose timestamps are of the script's clock, not of the guest's.
    fn in_world_time(&self, mut answer: Answer) -> Answer {
        if let Output::Message(message) = &mut answer.output {
            for control in &mut message.control {
                if let Control::Stamp(at) = control {
                    *at = Instant(self.machine.borrow().world_time(*at).0);
                }
            }
        }
        answer
    }
}

fn domain(config: &Config) -> DomainConfig {
    DomainConfig {
        name: DOMAIN.into(),
        memory_kib: MEMORY_KIB,
        cmdline: "app=desk".into(),
        modules: Vec::new(),
        vifs: vec![VifConfig {
            mac: Some(OURS.0),
            ip: vec![format!("{}/{}", config.local, config.prefix)],
            gateway: Some(config.gateway.to_string()),
            mtu: u16::try_from(config.mtu).ok(),
            sg: true,
            csum: true,
            ..VifConfig::default()
        }],
        xenstore: Vec::new(),
        on_poweroff: OnExit::Destroy,
        on_reboot: OnExit::Destroy,
        on_crash: OnExit::Preserve,
        fuel: FUEL,
        counted: false,
    }
}

fn factory(config: &Config, profile: Rc<Profile>, desk: Rc<Desk<Stack>>) -> GuestFactory {
    let addresses = vec![Cidr {
        address: config.local,
        prefix: config.prefix,
    }];
    let gateway = config.gateway;
    Rc::new(move |_, sink: Rc<dyn Sink>| -> Box<dyn Guest> {
        let (profile, desk, addresses) = (profile.clone(), desk.clone(), addresses.clone());
        let make = move |config: StackConfig| {
            let mut stack = Stack::new(stack::stack::StackConfig {
                mac: config.interface.mac,
                addresses,
                gateways: vec![gateway],
                mtu: config.interface.mtu,
                profile,
                seed: config.seed,
                fuel: config.fuel,
                sink: config.sink,
            });
            stack.set_neighbour(gateway, GATEWAY);
            stack
        };
        Box::new(Unikernel::new(
            sink,
            Box::new(make),
            Box::new(move |os| Box::pin(desk::main(os, desk))),
        ))
    })
}

impl Subject for Xen {
    fn receive(&mut self, now: Instant, packet: &[u8]) {
        let header = ethernet::Repr {
            dst: OURS,
            src: GATEWAY,
            ethertype: match packet.first().map(|first| first >> 4) {
                Some(6) => EtherType::IPV6,
                _ => EtherType::IPV4,
            },
        };
        let mut bytes = vec![0; ethernet::HEADER + packet.len()];
        header.emit(&mut bytes).copy_from_slice(packet);
        let frame = Frame {
            id: FrameId {
                origin: OUTSIDE,
                n: self.frames,
            },
            bytes: bytes.into(),
        };
        let at = Time(now.0).max(self.driven.get());
        self.machine
            .borrow_mut()
            .receive(at, UPLINK, self.frames, frame);
        self.frames += 1;
        self.finish(now);
    }

    fn run(&mut self, now: Instant, sent: &mut dyn FnMut(Vec<u8>)) {
        self.finish(now);
        self.sent.borrow_mut().drain(..).for_each(sent);
    }

    fn poll_at(&self, now: Instant) -> Option<Instant> {
        let machine = self.next().map(|at| Instant(at.0));
        let process = self.process.borrow().poll_at();
        // What belongs to the last moment is done with it.
        let next = [machine, process].into_iter().flatten().min()?;
        Some(next.max(now.plus(1)))
    }

    fn call(&mut self, now: Instant, call: &Call) -> Outcome {
        let (process, call) = (self.process.clone(), call.clone());
        let outcome = self.ask(now, move |now, stack| {
            process.borrow_mut().call(stack, now, &call)
        });
        match outcome {
            Outcome::Done(answer) => Outcome::Done(self.in_world_time(answer)),
            Outcome::Blocks => Outcome::Blocks,
        }
    }

    fn resume(&mut self, now: Instant) -> Option<Answer> {
        let process = self.process.clone();
        let answer = self.ask(now, move |now, stack| {
            process.borrow_mut().resume(stack, now)
        });
        answer.map(|answer| self.in_world_time(answer))
    }

    /// The domain is destroyed, and has to leave nothing behind.
    fn end(&mut self) -> Result<(), String> {
        let left = self.machine.borrow_mut().destroy_all();
        self.report(Time::MAX);
        match left == LeakReport::default() {
            true => Ok(()),
            false => Err(format!("the domain left something behind: {left:?}")),
        }
    }

    fn trace(&self) -> Option<u128> {
        Some(self.trace.borrow().digest())
    }

    fn host(&mut self) -> &mut dyn Host {
        self
    }
}

impl Host for Xen {
    fn set_profile(&mut self, profile: Rc<Profile>) -> Result<(), NoSuchSetting> {
        self.ask(self.last(), move |_, stack| stack.set_profile(profile));
        Ok(())
    }

    fn sockets(&self) -> Vec<Listed> {
        self.ask(self.last(), |_, stack| stack.tcp_sockets())
    }

    fn drop_connections(&mut self, state: TcpState) {
        self.ask(self.last(), move |_, stack| {
            stack.drop_tcp_connections(state)
        });
    }

    fn forget_peers(&mut self) {
        self.ask(self.last(), |_, stack| stack.forget_peers());
    }

    fn change_route(&mut self, to: IpAddr, change: RouteChange) -> Result<(), Failure> {
        self.ask(self.last(), move |_, stack| {
            stack.change_route(to, change.metrics());
        });
        Ok(())
    }

    fn limit_queue(&mut self, packets: Option<u32>) -> Result<(), Failure> {
        self.ask(self.last(), move |_, stack| stack.limit_queue(packets));
        Ok(())
    }

    fn pace(&mut self, on: bool) -> Result<(), Failure> {
        self.ask(self.last(), move |_, stack| stack.set_pacing(on));
        Ok(())
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let count = self.ask(self.last(), |_, stack| stack.out_of_window_icmps());
        vec![("TcpExtOutOfWindowIcmps", count)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::run::config::{Dialect, IpVersion};

    /// The trace of a machine that has booted and was then used like this.
    fn trace(used: impl FnOnce(&mut Xen)) -> Option<u128> {
        let config = Config::new(Dialect::Google, IpVersion::V4);
        let profile = Rc::new(Profile::default());
        let begin = Instant(2 * BOOT);
        let mut xen = Xen::new(&config, profile, Personality::posix(), 7, begin).expect("it boots");
        used(&mut xen);
        xen.end().expect("nothing is left");
        xen.trace()
    }

    #[test]
    fn when_something_came_and_how_long_it_was_is_in_the_trace() {
        let sent = |at: u64, len: usize| {
            trace(|xen| xen.receive(Instant(2 * BOOT + at), &vec![0x45; len]))
        };
        let whole = sent(1, 24);
        assert!(whole.is_some());
        assert_eq!(sent(1, 24), whole);
        assert_ne!(sent(1, 25), whole);
        assert_ne!(sent(2, 24), whole);
    }

    #[test]
    fn what_no_packet_shows_is_in_the_trace() {
        let quiet = trace(|_| {});
        let asked = trace(|xen| {
            xen.ask(Instant(2 * BOOT), |_, _| ());
        });
        assert_ne!(quiet, asked, "the doorbell is a write to xenstore");
    }
}
