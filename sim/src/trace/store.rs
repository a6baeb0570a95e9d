//! Where the kept part of a trace lives, and how a frame's bytes are found by its name.
//!
//! A frame's bytes are in the one entry that saw it born (or changed); every other entry only names it. The store keeps
//! the place of that entry, so bytes are stored once.

use std::collections::BTreeMap;

use xenemu::FrameId;

use super::entry::{Entry, Event, LinkEvent};
use super::retention::Retention;

/// A run's kept entries, in order.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    retention: Retention,
    entries: Vec<Entry>,
    /// The entry that holds a frame's bytes.
    born: BTreeMap<FrameId, usize>,
}

impl Trace {
    /// An empty trace that will keep so much.
    pub fn new(retention: Retention) -> Trace {
        Trace {
            retention,
            ..Trace::default()
        }
    }
    /// What is kept.
    pub fn retention(&self) -> Retention {
        self.retention
    }
    /// Takes the next entry, if entries are kept at all.
    pub fn keep(&mut self, mut entry: Entry) {
        if self.retention == Retention::HashOnly {
            return;
        }
        self.retention.trim(&mut entry);
        let place = self.entries.len();
        match &entry.event {
            Event::Machine(xenemu::Event::FrameBorn { frame, .. })
            | Event::Link(
                LinkEvent::Corrupted { into: frame, .. } | LinkEvent::Marked { into: frame, .. },
            ) => {
                self.born.insert(*frame, place);
            }
            Event::Link(LinkEvent::Duplicated { frame, copy }) => {
                if let Some(&place) = self.born.get(frame) {
                    self.born.insert(*copy, place);
                }
            }
            _ => {}
        }
        self.entries.push(entry);
    }
    /// All that is kept.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
    /// The bytes of a frame, as far as they are kept.
    pub fn frame(&self, frame: FrameId) -> Option<&[u8]> {
        let place = *self.born.get(&frame)?;
        match &self.entries[place].event {
            Event::Machine(xenemu::Event::FrameBorn { bytes, .. })
            | Event::Link(LinkEvent::Corrupted { bytes, .. } | LinkEvent::Marked { bytes, .. }) => {
                Some(bytes)
            }
            other => unreachable!("{other:?} holds no frame"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Author;
    use xenemu::Time;

    fn entry(event: Event) -> Entry {
        Entry {
            at: Time(1),
            author: Author::Node(0),
            seq: 0,
            event,
        }
    }

    fn born(frame: FrameId, bytes: Vec<u8>) -> Entry {
        entry(Event::Machine(xenemu::Event::FrameBorn {
            frame,
            forged: false,
            bytes,
        }))
    }

    const ONE: FrameId = FrameId { origin: 0, n: 1 };
    const TWO: FrameId = FrameId { origin: 9, n: 1 };

    #[test]
    fn a_frame_is_found_by_its_name_and_a_copy_by_its_own() {
        let mut trace = Trace::new(Retention::Full);
        trace.keep(born(ONE, vec![7; 1500]));
        trace.keep(entry(Event::Link(LinkEvent::Duplicated {
            frame: ONE,
            copy: TWO,
        })));
        assert_eq!(trace.frame(ONE), Some(&[7; 1500][..]));
        assert_eq!(trace.frame(TWO), trace.frame(ONE));
        assert_eq!(trace.frame(FrameId { origin: 0, n: 2 }), None);
    }

    #[test]
    fn headers_keep_every_entry_but_only_the_front_of_frames() {
        let mut trace = Trace::new(Retention::Headers);
        trace.keep(born(ONE, vec![7; 1500]));
        assert_eq!(trace.frame(ONE).map(<[u8]>::len), Some(134));
    }

    #[test]
    fn hash_only_keeps_nothing() {
        let mut trace = Trace::new(Retention::HashOnly);
        trace.keep(born(ONE, vec![7; 1500]));
        assert!(trace.entries().is_empty());
    }
}
