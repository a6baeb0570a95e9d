//! The machine: a discrete-event simulator of one physical host, itself without input or output.
//!
//! There is one monotone clock, and everything acts at its effective instant, max(due, clock). At one instant the order
//! is: actions (they come by [`act`](Machine::act)), uplink frames by (arrival, order), dom0's actors by (due, actor),
//! timers and guests by (due, domain). Nothing acts inside a guest's run. A run may overshoot the end of its window;
//! what it leaves behind waits, stamped, and counts for [`next_event`](Machine::next_event). So it cannot be seen from
//! outside how time was cut into windows.

use std::collections::BTreeMap;

use rand_chacha::rand_core::RngCore;
use xen_abi::{Block, DomId, Wake};

use crate::actor::{Actor, ActorKind, Births, BridgePort, Host, Message, Outbox};
use crate::bridge::Bridges;
use crate::config::{Action, DomainConfig, GuestFactory, MachineConfig};
use crate::console::Xenconsoled;
use crate::event::{Event, Record, Tap};
use crate::frame::{Frame, FrameId, UplinkId};
use crate::guests::{Ended, Slot};
use crate::hypervisor::Hypervisor;
use crate::log::Log;
use crate::netback::Netback;
use crate::rng;
use crate::sched::Next;
use crate::store_ring::StoreRings;
use crate::time::Time;
use crate::toolstack::vif::Vifs;
use crate::toolstack::{ActionError, Toolstack};
use crate::xenstore::Xenstored;

/// What a machine had been up before the world began: at least a second, less than a day and a second.
const UPTIME_MIN_NS: u64 = 1_000_000_000;
const UPTIME_SPAN_NS: u64 = 86_400_000_000_000;
/// Steps that one call may let dom0's actors take. More is a bug of theirs.
const MAX_STEPS_IN_CALL: u32 = 1_000_000;

/// An emulated Xen machine.
pub struct Machine {
    pub(crate) config: MachineConfig,
    pub(crate) host: Host,
    pub(crate) netback: Netback,
    pub(crate) bridges: Bridges,
    pub(crate) vifs: Vifs,
    pub(crate) xenstored: StoreRings,
    pub(crate) xenconsoled: Xenconsoled,
    pub(crate) toolstack: Toolstack,
    pub(crate) guests: BTreeMap<DomId, Slot>,
    /// A guest's call is being served.
    pub(crate) inside_call: bool,
    arrivals: BTreeMap<(Time, u64, UplinkId), Frame>,
    departures: BTreeMap<(Time, UplinkId, u64), Frame>,
    departed: u64,
    pub(crate) outbox: Outbox,
    last_end: Time,
    busy: bool,
    internal_error: Option<String>,
}

/// What is left of a machine after its power failed.
#[derive(Debug, Default)]
pub struct PowerOff {
    /// The number of the next frame.
    pub next_frame: u64,
    /// The number of the next record.
    pub next_seq: u64,
    /// What happened before.
    pub events: Vec<Record>,
    /// Frames that died with the machine: received but not acted on, or not yet sent.
    pub frames_lost: Vec<FrameId>,
}

enum Source {
    Arrival,
    Actor(ActorKind),
    Guests,
}

impl Machine {
    /// A machine that was just powered on, with dom0 and no other domain.
    pub fn new(config: MachineConfig) -> Machine {
        assert!(config.costs.run_ns > 0 && config.costs.frame_ns > 0 && config.costs.step_ns > 0);
        let path = format!("machine/{}/uptime/{}", config.name, config.boot);
        let uptime = UPTIME_MIN_NS + rng::stream(config.seed, &path).next_u64() % UPTIME_SPAN_NS;
        let log = Log::new(config.started, config.first_seq);
        Machine {
            host: Host {
                hv: Hypervisor::new(log, uptime, config.epoch_secs),
                store: Xenstored::new(),
                births: Births::new(config.origin, config.first_frame),
            },
            netback: Netback::default(),
            bridges: Bridges::with_uplinks(config.uplinks),
            vifs: Vifs::default(),
            xenstored: StoreRings::default(),
            xenconsoled: Xenconsoled::default(),
            toolstack: Toolstack::default(),
            guests: BTreeMap::new(),
            inside_call: false,
            arrivals: BTreeMap::new(),
            departures: BTreeMap::new(),
            departed: 0,
            outbox: Outbox::default(),
            last_end: config.started,
            busy: false,
            internal_error: None,
            config,
        }
    }

    /// Its clock: beyond the last window's end if a guest's run has overshot it.
    pub fn clock(&self) -> Time {
        self.host.hv.now()
    }

    // Input.

    /// An action of the toolstack at `at`. The clock moves there first, if it is not beyond.
    pub fn act(&mut self, at: Time, action: Action) -> Result<(), ActionError> {
        self.begin_action(at);
        let result = self.do_action(action);
        self.settle();
        result
    }

    /// Starts a domain to which nobody in dom0 is connected, as Xen starts dom0's kernel: to ask Xen itself.
    pub fn create_bare(
        &mut self,
        at: Time,
        config: DomainConfig,
        factory: GuestFactory,
    ) -> Result<DomId, ActionError> {
        self.begin_action(at);
        let result = self.boot_bare(config, factory);
        self.settle();
        result
    }

    fn begin_action(&mut self, at: Time) {
        assert!(at >= self.last_end, "an action comes too late");
        let now = at.max(self.clock());
        let next = self.next_effective();
        assert!(
            next.is_none_or(|next| next >= now),
            "an action comes too early: {next:?} is before {now:?}"
        );
        self.begin(now);
    }

    /// A frame reaches an uplink at `at`. `order` breaks ties among one instant.
    pub fn receive(&mut self, at: Time, uplink: UplinkId, order: u64, frame: Frame) {
        assert!(at >= self.last_end, "a frame comes too late");
        assert!(uplink.0 < self.config.uplinks, "no such uplink");
        let before = self.arrivals.insert((at, order, uplink), frame);
        assert!(before.is_none(), "two frames with one order");
    }

    // Time.

    /// When something is next due, or something waits to be handed out.
    pub fn next_event(&self) -> Option<Time> {
        let departure = self.departures.first_key_value().map(|((at, ..), _)| *at);
        [self.next_effective(), departure, self.host.hv.log.first()]
            .into_iter()
            .flatten()
            .min()
    }

    fn next_effective(&self) -> Option<Time> {
        if self.internal_error.is_some() {
            return None;
        }
        let arrival = self.arrivals.first_key_value().map(|((at, ..), _)| *at);
        let actor = self.next_actor().map(|(at, _)| at);
        let guest = self.host.hv.queue.next_due();
        let due = [arrival, actor, guest].into_iter().flatten().min()?;
        Some(due.max(self.clock()))
    }

    fn next_actor(&self) -> Option<(Time, ActorKind)> {
        ActorKind::ALL
            .into_iter()
            .filter_map(|kind| Some((self.actor_due(kind)?, kind)))
            .min()
    }

    fn actor_due(&self, kind: ActorKind) -> Option<Time> {
        match kind {
            ActorKind::Toolstack => [self.toolstack.next_due(), self.vifs.next_due()]
                .into_iter()
                .flatten()
                .min(),
            ActorKind::Netback => self.netback.next_due(),
            ActorKind::Bridge => self.bridges.next_due(),
            ActorKind::Xenstored => self.xenstored.next_due(),
            ActorKind::Xenconsoled => self.xenconsoled.next_due(),
        }
    }

    /// Does all whose effective instant is before `end`.
    pub fn run_until(&mut self, end: Time) {
        assert!(end >= self.last_end, "time goes back");
        while let Some(at) = self.next_effective()
            && at < end
        {
            self.begin(at);
            match self.source(at) {
                Source::Arrival => self.arrive(),
                Source::Actor(kind) => self.step(kind),
                Source::Guests => self.schedule(),
            }
            self.settle();
        }
        self.last_end = end;
    }

    /// Who acts at `now`: the first in order of those that are due.
    fn source(&self, now: Time) -> Source {
        let arrival = self.arrivals.first_key_value().map(|((at, ..), _)| *at);
        if arrival.is_some_and(|at| at <= now) {
            return Source::Arrival;
        }
        match self.next_actor() {
            Some((at, kind)) if at <= now => Source::Actor(kind),
            _ => Source::Guests,
        }
    }

    fn begin(&mut self, at: Time) {
        self.host.hv.log.set_clock(at);
        if !self.busy {
            self.busy = true;
            self.host.hv.emit(&Event::Busy);
        }
    }

    fn spend(&mut self, ns: u64) {
        self.host.hv.log.set_clock(self.clock().plus(ns));
    }

    fn arrive(&mut self) {
        let ((_, _, uplink), frame) = self.arrivals.pop_first().expect("an arrival is due");
        self.host.hv.emit(&Event::FrameAt {
            frame: frame.id,
            tap: Tap::UplinkIn(uplink),
        });
        let now = self.clock();
        self.bridges.enqueue(BridgePort::Uplink(uplink), frame, now);
        self.spend(self.config.costs.frame_ns);
    }

    // dom0.

    fn step(&mut self, kind: ActorKind) {
        self.step_actor(kind);
        let frames = std::mem::take(&mut self.outbox.frames);
        let costs = self.config.costs;
        self.spend(costs.step_ns + costs.frame_ns * u64::from(frames));
    }

    fn step_actor(&mut self, kind: ActorKind) {
        let now = self.clock();
        match kind {
            ActorKind::Toolstack => self.step_toolstack(),
            kind => {
                let (actor, host, out) = self.actor(kind);
                actor.step(host, now, out);
            }
        }
    }

    fn actor(&mut self, kind: ActorKind) -> (&mut dyn Actor, &mut Host, &mut Outbox) {
        let actor: &mut dyn Actor = match kind {
            ActorKind::Netback => &mut self.netback,
            ActorKind::Xenstored => &mut self.xenstored,
            ActorKind::Xenconsoled => &mut self.xenconsoled,
            ActorKind::Bridge => &mut self.bridges,
            ActorKind::Toolstack => &mut self.vifs,
        };
        (actor, &mut self.host, &mut self.outbox)
    }

    /// Lets dom0's actors do what they have due by `now`, inside a guest's run.
    pub(crate) fn step_actors_due(&mut self, now: Time) {
        for _ in 0..MAX_STEPS_IN_CALL {
            self.route();
            match self.next_actor() {
                Some((at, kind)) if at <= now && kind != ActorKind::Toolstack => self.step(kind),
                _ => return,
            }
        }
        panic!("dom0's actors do not come to rest");
    }

    /// A forced switch: an actor takes steps at a guest's numbered call, whenever they are due.
    pub(crate) fn force(&mut self, domid: DomId, call: u64, kind: ActorKind, steps: u32) {
        self.host.hv.emit(&Event::Switch {
            domid,
            call,
            actor: kind as u8,
            steps,
        });
        for _ in 0..steps {
            self.route();
            if kind == ActorKind::Toolstack || self.actor_due(kind).is_none() {
                break;
            }
            self.step_actor(kind);
            self.outbox.frames = 0;
        }
        self.route();
    }

    // Guests.

    fn schedule(&mut self) {
        match self.host.hv.queue.first() {
            Some((_, Next::Fire(domid, timer))) => self.host.hv.fire(domid, timer),
            Some((_, Next::Run(domid))) => self.run_guest(domid),
            None => unreachable!("a guest or a timer is due"),
        }
    }

    fn run_guest(&mut self, domid: DomId) {
        let started = self.clock();
        self.host.hv.dequeue(domid);
        self.host.hv.update_vcpu_time(domid);
        let (wake, ended) = self
            .run_once(domid)
            .expect("a domain in the queue has a guest");
        self.host.hv.emit(&Event::Run {
            domid,
            wake: wake_code(wake),
            block: ended_code(&ended),
        });
        let cost = started.plus(self.config.costs.run_ns);
        self.host.hv.log.set_clock(cost.max(self.clock()));
        self.after_run(domid, ended);
    }

    fn after_run(&mut self, domid: DomId, ended: Ended) {
        let now = self.clock();
        match ended {
            Ended::Blocked(Block::Yield) => self.host.hv.requeue(domid, now),
            Ended::Blocked(Block::Halt) if self.host.hv.upcall_pending(domid) => {
                self.host.hv.requeue(domid, now);
            }
            Ended::Blocked(Block::Halt) => self.host.hv.dequeue(domid),
            Ended::Blocked(Block::Suspend) => {
                let reason = xen_abi::sched::ShutdownReason::Suspend;
                self.host.hv.shut_down(domid, reason);
            }
            Ended::Blocked(Block::Shutdown(reason)) => self.host.hv.shut_down(domid, reason),
            Ended::Stuck => self.host.hv.mark_stuck(domid),
            Ended::Crashed(panicked) => self.crash(domid, &panicked.krate, panicked.text),
            Ended::MachineBug(panicked) => self.internal_error = Some(panicked.text),
        }
    }

    // What follows from an act.

    /// Hands on what the last act caused, and says when nothing is left.
    pub(crate) fn settle(&mut self) {
        loop {
            self.route();
            let Some(domid) = self.host.hv.dom_exc.pop_front() else {
                break;
            };
            self.domain_exception(domid);
        }
        if self.busy && self.next_actor().is_none() && !self.host.hv.queue.is_busy() {
            self.busy = false;
            self.host.hv.emit(&Event::Idle);
        }
    }

    /// Upcalls, watches and messages reach their actors.
    fn route(&mut self) {
        let now = self.clock();
        while let Some((port, kind)) = self.host.hv.take_upcall() {
            self.actor(kind).0.upcall(port, now);
        }
        for event in self.host.store.take_events() {
            self.host.hv.emit(&event);
        }
        while let Some(event) = self.host.store.next_actor_event() {
            let kind = ActorKind::ALL[event.actor as usize];
            self.actor(kind).0.store_event(&event, now);
        }
        self.xenstored.listen(&mut self.host.store, now);
        while let Some(message) = self.outbox.messages.pop_front() {
            self.deliver(message, now);
        }
    }

    fn deliver(&mut self, message: Message, now: Time) {
        match message {
            Message::Forward { from, frame } => self.bridges.enqueue(from, frame, now),
            Message::Deliver { to, frame } => {
                self.netback.deliver(&self.host.hv, to, frame, now);
            }
            Message::Forwarded { from, frame } => self.netback.forwarded(from, frame, now),
            Message::Carrier { vif, bridge } => self.bridges.set_carrier(vif, bridge),
            Message::Send { uplink, frame } => {
                self.host.hv.emit(&Event::FrameAt {
                    frame: frame.id,
                    tap: Tap::UplinkOut(uplink),
                });
                self.departures.insert((now, uplink, self.departed), frame);
                self.departed += 1;
            }
        }
    }

    // Output.

    /// The next frame that leaves, if it leaves before the last window's end.
    pub fn transmit(&mut self) -> Option<(Time, UplinkId, Frame)> {
        let first = self.departures.first_entry()?;
        let (at, uplink, _) = *first.key();
        (at < self.last_end).then(|| (at, uplink, first.remove()))
    }

    /// Moves the records stamped before `before` to `out`, in order.
    pub fn drain_events(&mut self, before: Time, out: &mut Vec<Record>) {
        self.host.hv.log.drain(before, out);
    }

    /// The power fails at `at`: what was stamped then or later did not happen.
    pub fn power_fail(self, at: Time) -> PowerOff {
        let mut events = Vec::new();
        self.host.hv.log.drain(at, &mut events);
        let arrived = self.arrivals.values().map(|frame| frame.id);
        let inside = self.bridges.waiting().chain(self.netback.waiting());
        let departing = self.departures.values().map(|frame| frame.id);
        PowerOff {
            next_frame: self.host.births.next(),
            next_seq: self.host.hv.log.next_seq(),
            events,
            frames_lost: arrived.chain(inside).chain(departing).collect(),
        }
    }

    /// A bug of the machine itself: it has stopped.
    pub fn internal_error(&self) -> Option<&str> {
        self.internal_error.as_deref()
    }
}

fn wake_code(wake: Wake) -> u8 {
    match wake {
        Wake::Boot { .. } => 0,
        Wake::Running => 1,
        Wake::Resumed { cancelled: false } => 2,
        Wake::Resumed { cancelled: true } => 3,
    }
}

fn ended_code(ended: &Ended) -> u8 {
    match ended {
        Ended::Blocked(Block::Halt) => 0,
        Ended::Blocked(Block::Yield) => 1,
        Ended::Blocked(Block::Suspend) => 2,
        Ended::Blocked(Block::Shutdown(_)) => 3,
        Ended::Stuck => 4,
        Ended::Crashed(_) => 5,
        Ended::MachineBug(_) => 6,
    }
}
