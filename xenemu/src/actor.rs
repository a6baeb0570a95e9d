//! dom0's side of the machine: backends and daemons as step machines.
//!
//! Nothing in dom0 runs to completion. An actor does one step at a time, of the size of one shared-memory access or
//! one hypercall, so that a schedule can put any of its steps between any two calls of a guest. An actor is told of
//! what happened ([`upcall`](Actor::upcall)), says when it wants to act, and acts when the machine lets it.

use std::collections::VecDeque;
use std::rc::Rc;

use xen_abi::{DomId, Port};

use crate::event::Event;
use crate::frame::{Frame, FrameId, UplinkId};
use crate::hypervisor::Hypervisor;
use crate::time::Time;
use crate::xenstore::{ActorEvent, Xenstored};

/// What actors work on: Xen, and the store that dom0's own users reach without a wire.
pub struct Host {
    /// Xen.
    pub hv: Hypervisor,
    /// The store.
    pub store: Xenstored,
    /// Names of frames that are born here.
    pub births: Births,
}

/// Gives frames their names.
#[derive(Clone, Copy, Debug)]
pub struct Births {
    origin: u32,
    next: u64,
}

impl Births {
    /// Names of this origin, beginning with number `next`.
    pub fn new(origin: u32, next: u64) -> Births {
        Births { origin, next }
    }

    /// The number of the next frame.
    pub fn next(&self) -> u64 {
        self.next
    }
}

impl Host {
    /// A frame is first seen here: it gets its name, and its bytes are recorded.
    pub fn frame_born(&mut self, bytes: Rc<[u8]>, forged: bool) -> Frame {
        let id = FrameId {
            origin: self.births.origin,
            n: self.births.next,
        };
        self.births.next += 1;
        self.hv.emit(&Event::FrameBorn {
            frame: id,
            forged,
            bytes: bytes.to_vec(),
        });
        Frame { id, bytes }
    }
}

/// The actors, in the order in which they act when they are due at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ActorKind {
    /// The network backends of all domains.
    Netback = 0,
    /// The store's daemon.
    Xenstored = 1,
    /// The consoles' daemon.
    Xenconsoled = 2,
    /// The bridges between vifs and uplinks.
    Bridge = 3,
    /// `xl`, where it waits for others: it reboots what shut down, and detaches interfaces.
    Toolstack = 4,
}

impl ActorKind {
    /// Every actor, in order.
    pub const ALL: [ActorKind; 5] = [
        ActorKind::Netback,
        ActorKind::Xenstored,
        ActorKind::Xenconsoled,
        ActorKind::Bridge,
        ActorKind::Toolstack,
    ];
}

/// A step machine.
pub trait Actor {
    /// When its next step is due.
    fn next_due(&self) -> Option<Time>;
    /// A port that it bound ([`Hypervisor::set_handler`]) became pending at `now`.
    fn upcall(&mut self, port: Port, now: Time);
    /// A watch that it registered (as `ActorKind as u32`) fired at `now`.
    fn store_event(&mut self, event: &ActorEvent, now: Time);
    /// One step: one shared-memory access or one hypercall.
    fn step(&mut self, host: &mut Host, now: Time, out: &mut Outbox);
}

/// A vif, as bridges and backends name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VifId {
    /// Whose it is.
    pub domid: DomId,
    /// Its number there.
    pub handle: u8,
}

/// Where a frame enters or leaves a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BridgePort {
    /// A domain's interface.
    Vif(VifId),
    /// The way to other machines.
    Uplink(UplinkId),
}

/// What an actor asks of the rest of dom0. The machine delivers it after the step.
#[derive(Debug)]
pub enum Message {
    /// A frame enters the bridge that its port is on.
    Forward { from: BridgePort, frame: Frame },
    /// The bridge gives a frame to a backend.
    Deliver { to: VifId, frame: Frame },
    /// A frame that a backend gave to the bridge has left it.
    Forwarded { from: VifId, frame: FrameId },
    /// A vif comes up on a bridge, or goes down.
    Carrier { vif: VifId, bridge: Option<u32> },
    /// The bridge sends a frame off the machine.
    Send { uplink: UplinkId, frame: Frame },
}

/// What a step leaves behind.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Messages, in order.
    pub messages: VecDeque<Message>,
    /// Frames that the step moved: each costs time.
    pub frames: u32,
}
