//! [`Unikernel`]: the guest that the machine runs, and the phases of a run.
//!
//! A run drains events, receives, polls tasks, transmits, arms the timer, looks a last time at the rings, and blocks.
//! Only the phases talk to Xen; only the tasks run application code; in between lies [`Shared`].

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::RefCell;

use rand_chacha::rand_core::RngCore;
use xen_abi::sched::ShutdownReason;
use xen_abi::vcpu::VcpuOp;
use xen_abi::{Block, Fuel, Gpa, Guest, Hypercalls, Instant, Sink, Wake};

use super::boot::{BootError, BootInfo, Platform, seed_rng};
use super::control;
use super::executor::{Executor, Task};
use super::handle::Os;
use super::interfaces::{Interfaces, Sending};
use super::shared::{Shared, TcpIp};
use super::vif::{InterfaceConfig, Vif};
use crate::api::NetStack;
use crate::event::Event;
use crate::quirk::Quirks;

/// How often tasks that wake each other are polled in one run.
const TURNS: u32 = 8;
/// How long a kernel that shuts down waits for its last frames to be taken and acknowledged.
const LINGER: u64 = 1_000_000_000;
/// When to try again to send although no event will say so.
const RETRY: u64 = 1_000_000;

/// What a stack is made of.
pub struct StackConfig {
    /// The interface.
    pub interface: InterfaceConfig,
    /// The stack's own randomness.
    pub seed: [u8; 32],
    /// Where it reports.
    pub sink: Rc<dyn Sink>,
    /// What its loops burn.
    pub fuel: Fuel,
}

/// Makes the stack when the interface is known.
pub type MakeStack<S> = Box<dyn FnOnce(StackConfig) -> S>;
/// Makes the application's first task when the stack is there.
pub type AppMain<S> = Box<dyn FnOnce(Os<S>) -> Task>;

/// A kernel with a stack and an application.
pub struct Unikernel<S: TcpIp> {
    sink: Rc<dyn Sink>,
    program: Option<(MakeStack<S>, AppMain<S>)>,
    quirks: Quirks,
    running: Option<Running<S>>,
}

impl<S: TcpIp> Unikernel<S> {
    /// A kernel that was not booted yet.
    pub fn new(sink: Rc<dyn Sink>, make: MakeStack<S>, main: AppMain<S>) -> Unikernel<S> {
        Unikernel {
            sink,
            program: Some((make, main)),
            quirks: Quirks::default(),
            running: None,
        }
    }

    /// The same kernel with a bug of the zoo's.
    #[cfg(feature = "zoo")]
    pub fn with(mut self, quirk: crate::quirk::Quirk) -> Unikernel<S> {
        self.quirks = self.quirks.with(quirk);
        self
    }

    fn boot(&mut self, xen: &mut dyn Hypercalls, start_info: Gpa) -> Result<(), BootError> {
        let (make, main) = self.program.take().expect("a kernel boots once");
        let boot = Rc::new(BootInfo::read(xen, start_info)?);
        let platform = Platform::boot(xen)?;
        let rng = seed_rng(xen);
        let mut shared = Shared::new(boot, rng, self.sink.clone(), xen.fuel());
        shared.wall_base = platform.wall_base(xen);
        let os = Os(Rc::new(RefCell::new(shared)));
        let mut executor = Executor::default();
        executor.spawn(Box::pin(control::obey(os.clone())));
        executor.spawn(Box::pin(control::stop(os.clone())));
        executor.spawn(Box::pin(bring_up(os.clone(), make, main)));
        self.running = Some(Running {
            os,
            executor,
            platform,
            interfaces: Interfaces::new(self.quirks),
            armed: None,
            reported: 0,
            stopping: None,
        });
        Ok(())
    }
}

impl<S: TcpIp> Guest for Unikernel<S> {
    fn run(&mut self, xen: &mut dyn Hypercalls, wake: Wake) -> Block {
        let ready = match wake {
            Wake::Boot { start_info } => self.boot(xen, start_info),
            Wake::Running => Ok(()),
            Wake::Resumed { cancelled } => match self.running.as_mut() {
                Some(running) => running.resume(xen, cancelled),
                None => Ok(()),
            },
        };
        match (ready, self.running.as_mut()) {
            (Ok(()), Some(running)) => running.run(xen),
            _ => Block::Shutdown(ShutdownReason::Crash),
        }
    }
}

/// The first task: finds the interface, and starts the application once its addresses may be used; without an interface
/// at once.
async fn bring_up<S: TcpIp>(os: Os<S>, make: MakeStack<S>, main: AppMain<S>) {
    let names = os.xenstore().directory("device/vif").await;
    let handles = names.unwrap_or_default();
    let first = handles.iter().filter_map(|name| name.parse().ok()).min();
    let Some(handle) = first else {
        os.spawn(main(os.clone()));
        return;
    };
    let mut program = Some((make, main));
    Vif::new(&os, handle)
        .live(|interface| match program.take() {
            // A new stack itself reports that its interface is up.
            Some((make, main)) => {
                install_stack(&os, make, interface);
                let task = main(os.clone());
                if os.is_up() {
                    os.spawn(task);
                } else {
                    let waiting = os.clone();
                    os.spawn(async move {
                        waiting.until_up().await;
                        task.await;
                    });
                }
            }
            None => os.report(&interface.up()),
        })
        .await;
}

fn install_stack<S: TcpIp>(os: &Os<S>, make: MakeStack<S>, interface: &InterfaceConfig) {
    let mut shared = os.0.borrow_mut();
    let mut seed = [0; 32];
    shared.rng.fill_bytes(&mut seed);
    shared.net = Some(make(StackConfig {
        interface: interface.clone(),
        seed,
        sink: shared.sink.clone(),
        fuel: shared.fuel.clone(),
    }));
    shared.addresses.clone_from(&interface.addresses);
}

/// A kernel after boot.
struct Running<S: TcpIp> {
    os: Os<S>,
    executor: Executor,
    platform: Platform,
    interfaces: Interfaces,
    /// The single-shot timer's deadline.
    armed: Option<Instant>,
    /// The kinds of timers that were reported last.
    reported: u8,
    /// The applications are gone; the last frames have until then to leave.
    stopping: Option<(ShutdownReason, Instant)>,
}

impl<S: TcpIp> Running<S> {
    fn run(&mut self, xen: &mut dyn Hypercalls) -> Block {
        self.drain_events(xen);
        self.receive(xen);
        self.poll_tasks();
        self.transmit(xen);
        self.arm_timer(xen);
        let more = self.final_check(xen);
        self.report_timers();
        self.block(more)
    }

    /// Every run looks at every ring: which port woke us does not matter.
    fn drain_events(&mut self, xen: &mut dyn Hypercalls) {
        self.platform.events.drain(xen, |_| {});
        let now = xen.now();
        let mut shared = self.os.0.borrow_mut();
        shared.now = now;
        shared.timers.fire(now);
    }

    fn receive(&mut self, xen: &mut dyn Hypercalls) {
        self.pump_xenbus(xen);
        let mut shared = self.os.0.borrow_mut();
        self.interfaces
            .receive(xen, &mut self.platform, &mut shared);
        shared.wake_sockets();
    }

    fn poll_tasks(&mut self) {
        for _ in 0..TURNS {
            self.executor.poll();
            let mut shared = self.os.0.borrow_mut();
            shared.wake_sockets();
            for task in shared.spawned.drain(..) {
                self.executor.spawn(task);
            }
            if !self.executor.is_ready() {
                break;
            }
        }
        let (halt, now) = {
            let mut shared = self.os.0.borrow_mut();
            (shared.halt.take(), shared.now)
        };
        if let Some(reason) = halt {
            // Dropping the tasks closes their sockets.
            self.executor.clear();
            self.stopping = Some((reason, now.plus(LINGER)));
        }
    }

    fn transmit(&mut self, xen: &mut dyn Hypercalls) {
        {
            let mut shared = self.os.0.borrow_mut();
            self.interfaces
                .grant_wishes(xen, &mut self.platform, &mut shared);
            self.interfaces
                .transmit(xen, &mut self.platform, &mut shared);
            shared.wake_sockets();
            let waiting = shared.console.bytes();
            // A ring that breaks its rules gets no more of our output.
            if self.platform.console.pump(xen, waiting).is_err() {
                waiting.clear();
            }
        }
        self.pump_xenbus(xen);
    }

    fn pump_xenbus(&mut self, xen: &mut dyn Hypercalls) {
        let mut shared = self.os.0.borrow_mut();
        let xenbus = &mut self.platform.xenbus;
        while let Some(message) = shared.store.pop_outgoing() {
            xenbus.send(&message);
        }
        let pumped = xenbus.pump(xen, |message| shared.store.receive(message));
        if pumped.is_err() {
            shared.store.give_up();
        }
    }

    fn arm_timer(&mut self, xen: &mut dyn Hypercalls) {
        let next = self.next_deadline();
        if next == self.armed {
            return;
        }
        let mut op = match next {
            Some(timeout_abs) => VcpuOp::SetSingleshotTimer {
                timeout_abs,
                future: false,
            },
            None => VcpuOp::StopSingleshotTimer,
        };
        if xen.vcpu_op(0, &mut op).is_ok() {
            self.armed = next;
        }
    }

    /// The first deadline of the stack's and the tasks'. A stack that waits for its device waits for an event.
    fn next_deadline(&self) -> Option<Instant> {
        let shared = self.os.0.borrow();
        let now = shared.now;
        let net = shared.net.as_ref().and_then(|net| net.poll_at(now));
        let net = match self.interfaces.sending() {
            Sending::Open => net,
            Sending::Waits => net.filter(|at| *at > now),
            Sending::Starved => net.map(|_| now.plus(RETRY)),
        };
        let stop = self.stopping.map(|(_, deadline)| deadline);
        let deadlines = [shared.timers.next(), net, stop];
        deadlines.into_iter().flatten().min()
    }

    fn final_check(&mut self, xen: &mut dyn Hypercalls) -> bool {
        let mut shared = self.os.0.borrow_mut();
        self.interfaces
            .final_check(xen, &mut self.platform, &mut shared)
    }

    /// Says which kinds of timers are armed, when that changed.
    fn report_timers(&mut self) {
        let shared = self.os.0.borrow();
        let net = shared.net.as_ref().map_or(0, NetStack::timers);
        let kinds = net | shared.timers.kinds().bits();
        if kinds != self.reported {
            shared.report(&Event::Timers { kinds });
            self.reported = kinds;
        }
    }

    fn block(&mut self, more: bool) -> Block {
        let mut shared = self.os.0.borrow_mut();
        if let Some((reason, deadline)) = self.stopping {
            let drained = shared.is_drained() && self.interfaces.is_drained();
            if drained || shared.now >= deadline {
                return Block::Shutdown(reason);
            }
        }
        if core::mem::take(&mut shared.suspend) {
            return Block::Suspend;
        }
        match more || self.executor.is_ready() {
            true => Block::Yield,
            false => Block::Halt,
        }
    }

    /// After a suspend. If it was not cancelled, every special page, port and grant is void.
    fn resume(&mut self, xen: &mut dyn Hypercalls, cancelled: bool) -> Result<(), BootError> {
        self.armed = None;
        if cancelled {
            return Ok(());
        }
        self.platform.reconnect(xen)?;
        let mut shared = self.os.0.borrow_mut();
        shared.wall_base = self.platform.wall_base(xen);
        shared.store.resume();
        self.interfaces.lose(xen, &mut shared);
        Ok(())
    }
}
