//! What the tracker says of a segment: its numbers, what it is to its connection, what a correct sender never does.

use xenemu::FrameId;

/// What a segment is to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Note {
    /// The next one.
    #[default]
    New,
    /// Nothing in it is new; `of` is the frame that carried it first, if it is still remembered.
    Retransmission { of: Option<FrameId> },
    /// An acknowledgement like the last one while data is outstanding: the how-manieth.
    DuplicateAck(u32),
    /// RFC 9293, section 3.8.4.
    KeepAlive,
    /// RFC 9293, section 3.8.6.1.
    WindowProbe,
    /// It fills a hole, or leaves one before it.
    OutOfOrder,
}

/// A segment, read against its connection.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Reading {
    /// Relative to the sender's first sequence number.
    pub seq: u32,
    /// Relative to the other side's; 0 without ACK.
    pub ack: u32,
    /// Value and echo, each relative to the first value of the side that made it.
    pub timestamps: Option<(u32, u32)>,
    /// What to subtract from the edges of SACK blocks.
    pub sack_base: u32,
    pub note: Note,
    /// The last segment that it acknowledges for the first time.
    pub answers: Option<FrameId>,
    pub breaches: Breaches,
}

/// What a correct sender never does; judged by `oracle::invariants`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Breaches {
    /// It acknowledges so many sequence numbers that were never sent to it.
    pub acks_unsent: u32,
    /// So many bytes of data lie behind the largest right edge that the receiver ever offered.
    pub beyond_window: u32,
    /// Sequence numbers behind its own FIN.
    pub after_fin: bool,
    /// A segment after its own RST.
    pub after_rst: bool,
    /// A retransmission with other bytes than the first time.
    pub changed_bytes: bool,
    /// Bytes that the receiver holds, as its SACK blocks said, and has not taken back.
    pub resent_held: bool,
    /// The how-manieth pure ACK in a row, in both directions, that says nothing new.
    pub idle_acks: u32,
}
