//! What becomes of a merged entry: hashed always; decoded, shown and kept if somebody looks; judged for quiet.

use xenemu::{Source, Tap, Time};

use super::options::{Observer, WorldError};
use super::quiet::{self, Quiet};
use super::scripts::Scripts;
use crate::trace::{Author, Entry, Event, Raw, Trace, TraceHash};

/// The one consumer of the merged trace.
pub struct Record {
    pub hash: TraceHash,
    pub trace: Trace,
    pub quiet: Quiet,
    pub scripts: Scripts,
    /// Frames that guests sent.
    pub packets: u64,
    pub entries: u64,
    /// Whether anybody wants typed entries.
    pub typed: bool,
}

impl Record {
    /// Takes the next entry, and gives it back typed if it was decoded.
    pub fn take(
        &mut self,
        raw: &Raw<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Option<Entry>, WorldError> {
        self.hash.update(raw);
        self.entries += 1;
        if !self.typed && !concerns(raw) {
            return Ok(None);
        }
        let entry = raw.decode()?;
        self.follow(&entry);
        if self.typed {
            observer.on_entry(&entry);
        }
        Ok(Some(entry))
    }

    /// Whether the world did nothing more at the last instant than wait for what finishes nothing.
    pub fn is_quiet(&self) -> bool {
        self.quiet.holds() && !self.scripts.is_open()
    }

    fn follow(&mut self, entry: &Entry) {
        match (entry.author, &entry.event) {
            (_, Event::Link(event)) => self.quiet.on_link(event),
            (Author::Node(node), Event::Machine(event)) => self.follow_node(node, event),
            (Author::Node(node), Event::Guest(domid, event)) => {
                self.quiet.on_guest(node, *domid, event);
                self.scripts.on_guest(entry.at, node, *domid, event);
            }
            _ => {}
        }
    }

    fn follow_node(&mut self, node: u16, event: &xenemu::Event) {
        self.quiet.on_node(node, event);
        match event {
            xenemu::Event::Life { domid, life } => self.scripts.on_life(node, *domid, life),
            xenemu::Event::FrameAt {
                tap: Tap::VifOut(..),
                ..
            } => self.packets += 1,
            _ => {}
        }
    }
}

/// Whether an entry matters to a run that nobody looks at.
fn concerns(raw: &Raw<'_>) -> bool {
    match (raw.author, raw.source) {
        (Author::World, _) => false,
        (Author::Link(..), _) | (_, Source::Guest(_)) => true,
        (Author::Node(_), Source::Machine) => quiet::concerns(raw.payload),
    }
}

/// The latch of a run's end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latch(Option<Time>);

impl Latch {
    /// The world was quiet at `at`: the first time counts.
    pub fn close(&mut self, at: Time, lookahead: u64) {
        self.0.get_or_insert(at.plus(lookahead));
    }
    /// When the run ends, if that is known.
    pub fn end(self) -> Option<Time> {
        self.0
    }
}
