//! The bytes of frames, looked up by name.
//!
//! A frame's bytes stand in the trace once, where it is born (or where a link changes them). Whoever reads the trace
//! from the front keeps them here for as long as the frame can still be on its way: a budget in bytes, oldest out
//! first, so that a long run needs no more memory than a short one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use xenemu::FrameId;

use super::entry::{Entry, Event, LinkEvent};

/// What is kept of a frame.
#[derive(Clone, Debug)]
pub struct KnownFrame {
    /// The whole frame.
    pub bytes: Arc<[u8]>,
    /// The experimenter made it; no stack did.
    pub forged: bool,
    /// The frame that it is a copy or a corrupted or marked descendant of, and itself otherwise.
    pub root: FrameId,
    /// A link flipped one of its bits.
    pub corrupted: bool,
}

/// Frames that were born and may still be on their way.
#[derive(Debug)]
pub struct FrameTable {
    frames: BTreeMap<FrameId, KnownFrame>,
    order: VecDeque<FrameId>,
    held: usize,
    budget: usize,
}

/// More than a link of 1 Gbit/s and 100 ms has in flight: a frame that fell out was delivered long ago.
const DEFAULT_BUDGET: usize = 16 << 20;

/// Bytes of bookkeeping charged to each frame, so that empty frames are bounded too.
const OVERHEAD: usize = 128;

impl Default for FrameTable {
    fn default() -> Self {
        FrameTable::with_budget(DEFAULT_BUDGET)
    }
}

impl FrameTable {
    /// A table that holds about `budget` bytes.
    pub fn with_budget(budget: usize) -> FrameTable {
        FrameTable {
            frames: BTreeMap::new(),
            order: VecDeque::new(),
            held: 0,
            budget,
        }
    }

    /// The frame of that name, if it was born and not yet forgotten.
    pub fn get(&self, frame: FrameId) -> Option<&KnownFrame> {
        self.frames.get(&frame)
    }

    /// The frame that `frame` descends from; itself if it is unknown.
    pub fn root(&self, frame: FrameId) -> FrameId {
        self.get(frame).map_or(frame, |known| known.root)
    }

    /// Learns from an entry; returns the frames that were forgotten for it.
    pub fn observe(&mut self, entry: &Entry) -> Vec<FrameId> {
        match &entry.event {
            Event::Machine(xenemu::Event::FrameBorn {
                frame,
                forged,
                bytes,
            }) => self.insert(
                *frame,
                KnownFrame {
                    bytes: Arc::from(bytes.as_slice()),
                    forged: *forged,
                    root: *frame,
                    corrupted: false,
                },
            ),
            Event::Link(LinkEvent::Duplicated { frame, copy }) => {
                let known = self.get(*frame).cloned();
                known.map_or_else(Vec::new, |known| self.insert(*copy, known))
            }
            Event::Link(
                event @ (LinkEvent::Corrupted { frame, into, bytes }
                | LinkEvent::Marked { frame, into, bytes }),
            ) => {
                let before = self.get(*frame);
                let forged = before.is_some_and(|known| known.forged);
                let flipped = matches!(event, LinkEvent::Corrupted { .. });
                let corrupted = flipped || before.is_some_and(|known| known.corrupted);
                let known = KnownFrame {
                    bytes: Arc::from(bytes.as_slice()),
                    forged,
                    root: self.root(*frame),
                    corrupted,
                };
                self.insert(*into, known)
            }
            _ => Vec::new(),
        }
    }

    fn insert(&mut self, frame: FrameId, known: KnownFrame) -> Vec<FrameId> {
        self.held += known.bytes.len() + OVERHEAD;
        match self.frames.insert(frame, known) {
            Some(old) => self.held -= old.bytes.len() + OVERHEAD,
            None => self.order.push_back(frame),
        }
        let mut forgotten = Vec::new();
        while self.held > self.budget && self.order.len() > 1 {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            if let Some(old) = self.frames.remove(&oldest) {
                self.held -= old.bytes.len() + OVERHEAD;
                forgotten.push(oldest);
            }
        }
        assert_eq!(self.order.len(), self.frames.len());
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::entry::Author;
    use xenemu::Time;

    fn born(n: u64, len: usize) -> Entry {
        Entry {
            at: Time(n),
            author: Author::Node(0),
            seq: n,
            event: Event::Machine(xenemu::Event::FrameBorn {
                frame: FrameId { origin: 0, n },
                forged: false,
                bytes: vec![n as u8; len],
            }),
        }
    }

    #[test]
    fn a_frame_is_known_from_its_birth_and_its_copy_has_its_bytes() {
        let mut table = FrameTable::default();
        table.observe(&born(1, 60));
        let (frame, copy) = (FrameId { origin: 0, n: 1 }, FrameId { origin: 9, n: 0 });
        table.observe(&Entry {
            at: Time(2),
            author: Author::Link(0, 0),
            seq: 0,
            event: Event::Link(LinkEvent::Duplicated { frame, copy }),
        });
        assert_eq!(
            table.get(copy).map(|k| (k.bytes.len(), k.root)),
            Some((60, frame))
        );
    }

    #[test]
    fn the_table_stays_within_its_budget_and_forgets_the_oldest() {
        let mut table = FrameTable::with_budget(10 * (1000 + OVERHEAD));
        for n in 0..100 {
            table.observe(&born(n, 1000));
        }
        assert_eq!(table.frames.len(), 10);
        assert!(table.get(FrameId { origin: 0, n: 89 }).is_none());
        assert!(table.get(FrameId { origin: 0, n: 90 }).is_some());
    }
}
