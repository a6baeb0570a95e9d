//! A merged entry of the trace, typed.

use xenemu::abi::DomId;
use xenemu::{FrameId, Time};

/// Who reports an entry; the order among entries of one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Author {
    /// Faults, triggers, inputs, the end.
    World,
    /// A direction of a link: the link's place in order of names, 0 from its first end or 1 from its second.
    Link(u16, u8),
    /// A machine or switch: its place in order of names, both kinds together.
    Node(u16),
}

/// An entry of the merged trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub at: Time,
    pub author: Author,
    /// Counts within the author's buffer.
    pub seq: u64,
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    World(WorldEvent),
    Link(LinkEvent),
    /// Xen and dom0 of a machine, or a switch (which uses the frames' and `Busy`/`Idle` events only).
    Machine(xenemu::Event),
    Guest(DomId, stack::event::Event),
}

/// The experimenter's deeds.
#[derive(Clone, Debug, PartialEq)]
pub enum WorldEvent {
    /// The world begins: names in the orders that [`Author`] counts in.
    Begin {
        seed: u64,
        epoch_secs: u64,
        nodes: Vec<String>,
        links: Vec<String>,
    },
    /// An action is carried out; `index` counts actions in order of declaration, `text` says it.
    Action { index: u32, text: String },
    /// An action could not be carried out.
    ActionFailed { index: u32, why: String },
    /// A `when` matched: it acts at `acts_at`.
    Trigger { when: u32, acts_at: Time },
    /// Bytes from outside (a tap) enter a link.
    Input { link: String, bytes: Vec<u8> },
    /// The run ends: `quiet`, `duration` or `stop`.
    End { why: String },
}

/// What a direction of a link does with a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkEvent {
    /// It enters the queue, which then holds `queued` bytes.
    Enqueued { frame: FrameId, queued: u64 },
    /// It was lost on entering.
    Lost { frame: FrameId },
    /// There was no room in the queue.
    QueueFull { frame: FrameId },
    /// A copy follows it under its own name.
    Duplicated { frame: FrameId, copy: FrameId },
    /// One bit was flipped: the changed frame has its own name and bytes.
    Corrupted {
        frame: FrameId,
        into: FrameId,
        bytes: Vec<u8>,
    },
    /// The queue was long: its packet says so now (RFC 3168), under its own name.
    Marked {
        frame: FrameId,
        into: FrameId,
        bytes: Vec<u8>,
    },
    /// Its last bit is on the wire; `arrival` is when it will be there. `reordered`: it overtakes.
    Serialised {
        frame: FrameId,
        arrival: Time,
        reordered: bool,
    },
    /// It died: the link was cut, or an end lost its power.
    Died { frame: FrameId },
}
