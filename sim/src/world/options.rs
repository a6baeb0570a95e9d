//! How a run is driven and watched, and what it gives back.

use thiserror::Error;
use xenemu::Time;
use xenemu::abi::codec::DecodeError;

use super::node::Leaks;
use super::planted::Planted;
use crate::trace::{Entry, Retention, Trace};

/// How windows are cut. No cut changes a trace: that is what the invisibility test drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WindowMode {
    /// As long as the rule allows.
    #[default]
    Whole,
    /// Each in two.
    Halved,
    /// Each in seven.
    Sevenths,
    /// Each somewhere, or nowhere, as this seed draws.
    Random(u64),
}

/// How a run is driven and what is kept of it. None of it changes the hash, except `drop_payloads` and `planted`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RunOptions {
    pub windows: WindowMode,
    /// Registers turmoil's hosts in reverse order.
    pub reverse_hosts: bool,
    pub retention: Retention,
    /// Replaces this machine by the outside: its frames come from [`super::World::input`] and go to
    /// [`super::World::outputs`]. Such a world has no end of its own.
    pub outside: Option<String>,
    /// Inputs recorded earlier, in order, to be played again.
    pub inputs: Vec<RecordedInput>,
    /// Empties the frames inside turmoil's datagrams: a world that still works then would be a fake.
    pub drop_payloads: bool,
    /// A mistake that makes the world differ from run to run.
    pub planted: Planted,
}

/// Bytes that came from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedInput {
    pub at: Time,
    pub link: String,
    pub bytes: Vec<u8>,
}

/// Who watches a run. `()` watches nothing.
pub trait Observer: Send {
    /// Whether it wants to see entries at all; nothing is decoded if nobody does.
    fn observes(&self) -> bool {
        true
    }
    /// The next entry of the merged trace.
    fn on_entry(&mut self, entry: &Entry);
    /// A round ended, in the window that began at `window`: its entries follow. Not part of the trace.
    fn on_round(&mut self, _window: Time, _end: Time) {}
    /// What evaluates the plan's `when`s.
    fn triggers(&mut self) -> Option<&mut dyn Triggers> {
        None
    }
}

impl Observer for () {
    fn observes(&self) -> bool {
        false
    }
    fn on_entry(&mut self, _: &Entry) {}
}

/// Evaluates the matchers of a plan's `when`s.
pub trait Triggers {
    /// The places in [`crate::plan::Plan::whens`] whose matcher matches this entry, each as often as it does. The world
    /// counts up to `nth`, and each `when` acts once.
    fn feed(&mut self, entry: &Entry) -> Vec<u32>;
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing was left that could finish anything.
    Quiet,
    /// The plan's duration was over.
    Duration,
    /// A `stop` said so.
    Stop,
    /// The caller of the stepping interface said so.
    Caller,
}

impl Ended {
    /// The word in the trace.
    pub const fn word(self) -> &'static str {
        match self {
            Ended::Quiet => "quiet",
            Ended::Duration => "duration",
            Ended::Stop => "stop",
            Ended::Caller => "caller",
        }
    }
}

/// How a run was driven: not part of the trace, and different for each way of driving it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stats {
    /// Windows.
    pub rounds: u64,
    /// Steps without a window, to empty turmoil before a fault.
    pub flushes: u64,
    /// Frames that travelled between hosts.
    pub frames: u64,
    /// Entries of the trace.
    pub entries: u64,
    /// Windows that a run overshot.
    pub overshoots: u64,
    /// Cuts, holds, power failures, and their ends.
    pub faults: u64,
    /// Faults at which a machine's run had begun and not ended.
    pub faults_inside_run: u64,
    /// Faults at which a frame was in flight.
    pub faults_in_flight: u64,
    /// `when`s that matched.
    pub triggers: u64,
    /// Triggers seen in the last 1 % of a window.
    pub late_triggers: u64,
}

/// A script's block that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptFailure {
    pub at: Time,
    pub domain: String,
    /// The `on` action that wrote it, as [`crate::trace::WorldEvent::Action`] counts; `None` if it was the domain's own.
    pub action: Option<u32>,
    pub step: u32,
    pub command: String,
    pub why: String,
}

/// What a run gives back.
#[derive(Clone, Debug)]
pub struct Run {
    /// The run's identity.
    pub hash: u128,
    /// What was kept.
    pub trace: Trace,
    pub end: Time,
    pub why: Ended,
    /// Frames that guests sent.
    pub packets: u64,
    /// By machine, after every domain was destroyed.
    pub leaks: Vec<(String, Leaks)>,
    pub stats: Stats,
    pub script_failures: Vec<ScriptFailure>,
    /// Blocks that had neither ended nor failed: domain and the `on` action's index.
    pub scripts_unfinished: Vec<(String, u32)>,
    /// By domain, for people.
    pub crashes: Vec<(String, String)>,
    /// A bug of the testbed itself.
    pub internal_error: Option<String>,
}

/// Why a world could not be built or driven.
#[derive(Debug, Error)]
pub enum WorldError {
    #[error("link {link:?} ends at {node:?}, which is neither a machine nor a switch")]
    NoSuchNode { link: String, node: String },
    #[error("link {0:?} begins and ends at the same node")]
    Loop(String),
    #[error("{0:?} is declared twice")]
    Twice(String),
    #[error("link {0:?} has a rate of 0")]
    NoRate(String),
    #[error("`every` has a period of 0")]
    NoPeriod,
    #[error("`when` has a reaction of 0")]
    NoReaction,
    #[error("there are more than {0} nodes or links")]
    TooMany(usize),
    #[error("no machine {0:?} can be the outside")]
    NoOutside(String),
    #[error("link {0:?} does not lead outside")]
    NotOutside(String),
    #[error("machine {machine:?}: {why}")]
    Machine { machine: String, why: String },
    #[error("turmoil: {0}")]
    Turmoil(String),
    #[error("an entry of the trace cannot be read: {0}")]
    Undecodable(#[from] DecodeError),
}
