//! What the receiver of one direction holds beyond its cumulative acknowledgment, as its SACK blocks say (RFC 2018):
//! none of it is ever sent again, but after the receiver has taken it back.

use xenemu::Time;

use super::seq::SeqNumber;
use crate::view::dissect::tcp::{Flags, Tcp, TcpOption};

/// Blocks remembered; more are not judged.
const MOST_BLOCKS: usize = 256;

/// A block counts from so long after it went by: what was on its way out then had been sent before it was known.
const NEWS_NS: u64 = 1_000_000;

/// A block, and when it was first said.
#[derive(Clone, Copy, Debug)]
struct Block {
    start: SeqNumber,
    end: SeqNumber,
    since: Time,
}

/// The blocks of one side.
#[derive(Debug, Default)]
pub(super) struct Held {
    blocks: Vec<Block>,
    /// The latest timestamp of a segment that said something.
    stamp: Option<u32>,
}

impl Held {
    /// Takes what a segment says. `expected`: what the peer has acknowledged of its sender's numbers; older segments may
    /// be refused unread, and so may those with an older timestamp (RFC 7323, section 5).
    pub(super) fn note(&mut self, tcp: &Tcp, expected: Option<SeqNumber>, at: Time) {
        let opens = tcp.flags.has(Flags::SYN) || tcp.flags.has(Flags::RST);
        if !tcp.flags.has(Flags::ACK) || opens {
            return;
        }
        let ack = SeqNumber(tcp.ack);
        // A cumulative acknowledgment that ends where a block begins, or within it, takes it back.
        let stops_at = |b: &Block| !ack.before(b.start) && ack.before(b.end);
        if self.blocks.iter().any(stops_at) {
            self.blocks.clear();
        }
        self.blocks.retain(|b| b.end.after(ack));
        if expected.is_some_and(|expected| SeqNumber(tcp.seq).before(expected)) {
            return;
        }
        if let Some((value, _)) = tcp.timestamps() {
            let latest = *self.stamp.get_or_insert(value);
            if SeqNumber(value).before(SeqNumber(latest)) {
                return;
            }
            self.stamp = Some(value);
        }
        for option in &tcp.options {
            let TcpOption::Sack(blocks) = option else {
                continue;
            };
            for &(start, end) in blocks {
                self.hold(SeqNumber(start), SeqNumber(end), ack, at);
            }
        }
    }

    /// Whether any of the numbers has been held for long enough.
    pub(super) fn has(&self, start: SeqNumber, end: SeqNumber, at: Time) -> bool {
        let known = |b: &&Block| at.since(b.since) >= NEWS_NS;
        let overlaps = |b: &Block| b.start.before(end) && start.before(b.end);
        self.blocks.iter().filter(known).any(overlaps)
    }

    fn hold(&mut self, start: SeqNumber, end: SeqNumber, ack: SeqNumber, since: Time) {
        let within = |b: &Block| !start.before(b.start) && !end.after(b.end);
        let old = !start.after(ack) || !start.before(end);
        if !old && !self.blocks.iter().any(within) && self.blocks.len() < MOST_BLOCKS {
            self.blocks.push(Block { start, end, since });
        }
    }
}
