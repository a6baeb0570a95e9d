//! The machine: a discrete-event simulator of one physical host, itself without input or output.
//!
//! There is one monotone clock, and everything acts at its effective instant, max(due, clock). At one instant the order
//! is: actions (they come by [`act`](Machine::act)), uplink frames by (arrival, order), dom0's actors by (due, actor),
//! timers and guests by (due, domain). Nothing acts inside a guest's run. A run may overshoot the end of its window;
//! what it leaves behind waits, stamped, and counts for [`next_event`](Machine::next_event). So it cannot be seen from
//! outside how time was cut into windows.
//!
//! - this file: what a machine is; what goes in, whose turn it is, what comes out
//! - [`dom0`]: the steps of dom0's actors, and how what an act caused reaches them
//! - [`vcpu`]: timers and guests

mod dom0;
mod vcpu;

use std::collections::BTreeMap;

use rand_chacha::rand_core::RngCore;
use xen_abi::DomId;

use crate::actor::{Actor, ActorKind, Births, BridgePort, Host, Outbox};
use crate::bridge::Bridges;
use crate::config::{Action, DomainConfig, GuestFactory, MachineConfig};
use crate::console::Xenconsoled;
use crate::event::{Event, Record, Tap};
use crate::frame::{Frame, FrameId, UplinkId};
use crate::guests::Slot;
use crate::hypervisor::Hypervisor;
use crate::log::Log;
use crate::netback::Netback;
use crate::rng;
use crate::store_ring::StoreRings;
use crate::time::Time;
use crate::toolstack::vif::Vifs;
use crate::toolstack::{ActionError, Toolstack};
use crate::xenstore::Xenstored;

/// What a machine had been up before the world began: at least a second, less than a day and a second.
const UPTIME_MIN_NS: u64 = 1_000_000_000;
const UPTIME_SPAN_NS: u64 = 86_400_000_000_000;

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

/// Whose turn it is.
enum Turn {
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
    pub fn now(&self) -> Time {
        self.host.hv.now()
    }

    /// The world's time at an instant of a guest's clock, which began at the machine's own boot.
    pub fn world_time(&self, at: xen_abi::Instant) -> Time {
        self.host.hv.world_time(at)
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
        let now = at.max(self.now());
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
        self.next_turn().map(|(at, _)| at)
    }

    /// Who acts next, and the effective instant: of those that are due by then, the first in order.
    fn next_turn(&self) -> Option<(Time, Turn)> {
        if self.internal_error.is_some() {
            return None;
        }
        let arrival = self.arrivals.first_key_value().map(|((at, ..), _)| *at);
        let actor = self.next_actor();
        let guest = self.host.hv.queue.next_due();
        let due = [arrival, actor.map(|(at, _)| at), guest];
        let now = due.into_iter().flatten().min()?.max(self.now());
        let turn = match (arrival, actor) {
            (Some(at), _) if at <= now => Turn::Arrival,
            (_, Some((at, kind))) if at <= now => Turn::Actor(kind),
            _ => Turn::Guests,
        };
        Some((now, turn))
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
        while let Some((at, turn)) = self.next_turn()
            && at < end
        {
            self.begin(at);
            match turn {
                Turn::Arrival => self.arrive(),
                Turn::Actor(kind) => self.step(kind),
                Turn::Guests => self.schedule(),
            }
            self.settle();
        }
        self.last_end = end;
    }

    fn begin(&mut self, at: Time) {
        self.host.hv.log.set_clock(at);
        if !self.busy {
            self.busy = true;
            self.host.hv.emit(&Event::Busy);
        }
    }

    fn spend(&mut self, ns: u64) {
        self.host.hv.log.set_clock(self.now().plus(ns));
    }

    fn arrive(&mut self) {
        let ((_, _, uplink), frame) = self.arrivals.pop_first().expect("an arrival is due");
        self.host.hv.emit(&Event::FrameAt {
            frame: frame.id,
            tap: Tap::UplinkIn(uplink),
        });
        let now = self.now();
        self.bridges.enqueue(BridgePort::Uplink(uplink), frame, now);
        self.spend(self.config.costs.frame_ns);
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

#[cfg(test)]
mod tests;
