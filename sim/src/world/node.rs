//! What the world drives: a physical machine or a switch, as a discrete-event simulator of its own.
//!
//! The world knows nothing about Xen: it hands a node frames, actions and the end of a window, and takes frames and
//! events back. `xenemu::Machine` is one implementation, the learning switch another, the toy machines that prove the
//! rules of time a third.

use xenemu::{Frame, Record, Time, UplinkId};

use crate::plan::MachinePlan;

/// A machine or switch.
pub trait Node {
    /// Does an action of the experimenter; the node's clock moves to max(`at`, clock) first.
    fn act(&mut self, at: Time, action: &NodeAction) -> Result<(), ActionError>;
    /// The least effective instant of all that is due, and of the stamps of frames and events not yet handed out.
    fn next_event(&self) -> Option<Time>;
    /// Acts; does nothing whose effective instant is `end` or later.
    fn run_until(&mut self, end: Time);
    /// The node's clock: later than the last window's end if a run has overshot it.
    fn clock(&self) -> Time;
    /// Takes a frame that arrives at `at`, which is not before the last `run_until`'s end. `order` sorts frames of one
    /// instant.
    fn receive(&mut self, at: Time, uplink: UplinkId, order: u64, frame: Frame);
    /// The next frame stamped before the last `run_until`'s end, in order of (at, uplink, n).
    fn transmit(&mut self) -> Option<(Time, UplinkId, Frame)>;
    /// Appends the events stamped before `before` to `out`, in order.
    fn drain_events(&mut self, before: Time, out: &mut Vec<Record>);
    /// Loses its power: what is stamped `at` or later never happened.
    fn power_fail(self: Box<Self>, at: Time) -> PowerLoss;
    /// Destroys every domain and comes to rest.
    fn destroy_all(&mut self);
    /// What is in use now; what was not given back, once every domain is destroyed.
    fn held(&self) -> Leaks;
    /// What the domains that crashed said, for people.
    fn crash_texts(&self) -> Vec<(String, String)>;
    /// A bug of the testbed itself.
    fn internal_error(&self) -> Option<String>;
}

/// What the experimenter does to a node. Domains go by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeAction {
    Create(String),
    Destroy(String),
    Pause(String),
    Unpause(String),
    Shutdown(String),
    Reboot(String),
    Crash(String),
    VifDetach {
        domain: String,
        handle: u8,
    },
    /// `path` is relative to the domain's own.
    XenstoreWrite {
        domain: String,
        path: String,
        value: Vec<u8>,
    },
    /// A forged frame on a vif's bridge port.
    Inject {
        domain: String,
        frame: Vec<u8>,
    },
}

/// Why a node could not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ActionError(pub String);

/// What is left of a node that lost its power.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerLoss {
    /// The first number for frames born after it comes back.
    pub next_frame: u64,
    /// The first sequence number of its events after it comes back.
    pub next_seq: u64,
}

/// Resources that were not given back when every domain was destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Leaks {
    pub grants: u64,
    pub ports: u64,
    pub maps: u64,
    pub watches: u64,
    pub transactions: u64,
    pub pages: u64,
}

impl Leaks {
    /// Each kind by the name that a scenario uses.
    pub fn by_name(&self) -> [(&'static str, u64); 6] {
        [
            ("grants", self.grants),
            ("ports", self.ports),
            ("maps", self.maps),
            ("watches", self.watches),
            ("transactions", self.transactions),
            ("pages", self.pages),
        ]
    }
    /// All kinds together.
    pub fn total(&self) -> u64 {
        self.by_name().iter().map(|(_, n)| n).sum()
    }
}

/// What a node must know when its power comes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    pub name: String,
    /// `FrameId.origin` of frames born here.
    pub origin: u32,
    /// The world's seed.
    pub seed: u64,
    /// How often it was powered on before.
    pub boot: u32,
    /// The wall clock at [`Time::ZERO`].
    pub epoch_secs: u64,
    pub uplinks: u32,
    /// Its clock's first value.
    pub started: Time,
    pub first_frame: u64,
    pub first_seq: u64,
}

/// Builds a plan's machines, at the world's beginning and after each power failure.
pub trait Machines: Sync {
    /// The machine that `plan` describes, without any domain running.
    fn machine(&self, plan: &MachinePlan, boot: &Boot) -> Result<Box<dyn Node>, String>;
}
