//! dom0's actors: whose step it is, and how what an act caused reaches them.

use xen_abi::DomId;

use super::Machine;
use crate::actor::{Actor, ActorKind, Host, Message, Outbox};
use crate::event::{Event, Tap};
use crate::time::Time;

/// Steps that one call may let dom0's actors take. More is a bug of theirs.
const MAX_STEPS_IN_CALL: u32 = 1_000_000;

impl Machine {
    pub(super) fn step(&mut self, kind: ActorKind) {
        self.step_actor(kind);
        let frames = std::mem::take(&mut self.outbox.frames);
        let costs = self.config.costs;
        self.spend(costs.step_ns + costs.frame_ns * u64::from(frames));
    }

    fn step_actor(&mut self, kind: ActorKind) {
        let now = self.now();
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
    pub(super) fn route(&mut self) {
        let now = self.now();
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
}
