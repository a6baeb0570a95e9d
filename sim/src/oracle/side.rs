//! One direction of a TCP connection, as a vif sees it: which numbers were sent, which were acknowledged.

use std::collections::VecDeque;

use xenemu::FrameId;

use super::held::Held;
use super::seq::SeqNumber;
use super::tracker::Segment;
use crate::view::dissect::tcp::{Flags, Tcp};

/// A segment that was sent and takes sequence space.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) start: SeqNumber,
    pub(super) end: SeqNumber,
    /// The first data byte's number: behind `start` if there is a SYN.
    pub(super) data: SeqNumber,
    pub(super) frame: FrameId,
    pub(super) data_at: usize,
    pub(super) data_len: usize,
}

/// Segments remembered for each direction.
const MAX_RECENT: usize = 512;

/// Acknowledged segments that are still remembered.
const KEPT_ACKED: usize = 8;

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// The initial sequence number, or the best guess.
    pub(super) base: Option<SeqNumber>,
    pub(super) ts_base: Option<u32>,
    /// It sent a SYN.
    pub(super) syn: bool,
    /// The number after the highest that was sent.
    pub(super) next: Option<SeqNumber>,
    pub(super) fin: Option<SeqNumber>,
    pub(super) rst: bool,
    /// The highest acknowledgement that it sent, the window with it, and how often it said so.
    pub(super) acked: Option<SeqNumber>,
    pub(super) window: u16,
    pub(super) repeats: u32,
    /// The shift of its own windows, from its SYN.
    pub(super) shift: Option<u8>,
    /// What it holds out of order, as it says.
    pub(super) held: Held,
    /// The furthest right edge that it offered.
    pub(super) edge: Option<SeqNumber>,
    pub(super) recent: VecDeque<Sent>,
    /// Starts of stretches that were passed over.
    pub(super) holes: VecDeque<(SeqNumber, SeqNumber)>,
}

impl Side {
    pub(super) fn learn_base(&mut self, tcp: &Tcp) {
        let syn_or_rst = tcp.flags.has(Flags::SYN) || tcp.flags.has(Flags::RST);
        if self.base.is_none() {
            // Without its SYN, what comes first is shown as number 1, as if the SYN had been seen.
            let seq = SeqNumber(tcp.seq);
            self.base = Some(if syn_or_rst { seq } else { seq.minus(1) });
        }
        if let Some((value, _)) = tcp.timestamps() {
            self.ts_base.get_or_insert(value);
        }
        if tcp.flags.has(Flags::SYN) {
            self.syn = true;
            self.shift = tcp.window_scale();
        }
    }

    pub(super) fn learn_base_from_ack(&mut self, tcp: &Tcp) {
        let first = tcp.flags.has(Flags::ACK) && self.base.is_none();
        if first {
            self.base = Some(SeqNumber(tcp.ack).minus(1));
        }
    }

    /// Remembers what a segment sent.
    pub(super) fn sent(&mut self, segment: &Segment<'_>) {
        let tcp = segment.tcp;
        let start = SeqNumber(tcp.seq);
        let end = start.plus(tcp.segment_len());
        if tcp.flags.has(Flags::RST) {
            // Only a RST at the next number ends the connection; others answer stray segments.
            self.rst |= self.next.is_none_or(|next| next == start);
            return;
        }
        if let Some(next) = self.next
            && start.after(next)
            && self.holes.len() < MAX_RECENT
        {
            self.holes.push_back((next, start));
        }
        self.holes
            .retain(|&(from, to)| !(!start.after(from) && !end.before(to)) || start == end);
        self.next = Some(self.next.map_or(end, |next| next.max(end)));
        if tcp.flags.has(Flags::FIN) {
            self.fin.get_or_insert(end);
        }
        if start != end {
            if self.recent.len() == MAX_RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(Sent {
                start,
                end,
                data: start.plus(u32::from(tcp.flags.has(Flags::SYN))),
                frame: segment.frame,
                data_at: segment.data_at,
                data_len: tcp.payload.len(),
            });
        }
    }

    /// Remembers what a segment acknowledged, and the window that it offered.
    pub(super) fn acknowledged(&mut self, other: &Side, tcp: &Tcp) {
        if !tcp.flags.has(Flags::ACK) || tcp.flags.has(Flags::RST) {
            return;
        }
        let ack = SeqNumber(tcp.ack);
        // RFC 7323, section 2.2: scaling needs both sides' consent, and a SYN's window is never scaled.
        let agreed = self.shift.is_some() && other.shift.is_some();
        let shift = match self.shift {
            Some(shift) if agreed && !tcp.flags.has(Flags::SYN) => shift,
            _ => 0,
        };
        let edge = ack.plus(u32::from(tcp.window) << shift);
        self.edge = Some(self.edge.map_or(edge, |old| old.max(edge)));
        let same = self.acked == Some(ack) && self.window == tcp.window;
        let pure = tcp.segment_len() == 0;
        self.repeats = if same && pure {
            self.repeats.saturating_add(1)
        } else {
            0
        };
        self.acked = Some(self.acked.map_or(ack, |old| old.max(ack)));
        self.window = tcp.window;
    }

    /// Forgets what the other side has, but the last few: a retransmission of them is still recognised.
    pub(super) fn forget_acknowledged(&mut self, acked: Option<SeqNumber>) {
        let Some(acked) = acked else {
            return;
        };
        while let Some(old) = self.recent.get(KEPT_ACKED)
            && !old.end.after(acked)
        {
            self.recent.pop_front();
        }
    }

    pub(super) fn last_carrier(&self, seq: SeqNumber) -> Option<FrameId> {
        let carries = |sent: &&Sent| !seq.before(sent.start) && seq.before(sent.end);
        self.recent.iter().find(carries).map(|sent| sent.frame)
    }

    pub(super) fn fills_a_hole(&self, start: SeqNumber, end: SeqNumber) -> bool {
        self.holes
            .iter()
            .any(|&(from, to)| start.before(to) && end.after(from))
    }
}
