//! How much of the trace is kept in memory. It never changes the hash.

use super::entry::{Entry, Event, LinkEvent};

/// What is kept of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Retention {
    /// The hash: nothing else is kept, and nothing decoded unless somebody observes.
    #[default]
    HashOnly,
    /// Every entry, but only the first bytes of each frame: enough for headers.
    Headers,
    /// Every entry, every byte.
    Full,
}

/// The longest headers that [`Retention::Headers`] keeps: Ethernet, the longest IPv4 and the longest TCP header.
pub const HEADER_BYTES: usize = 14 + 60 + 60;

impl Retention {
    /// Cuts an entry down to what is kept of it.
    pub fn trim(self, entry: &mut Entry) {
        if self == Retention::Full {
            return;
        }
        if let Event::Machine(xenemu::Event::FrameBorn { bytes, .. })
        | Event::Link(LinkEvent::Corrupted { bytes, .. } | LinkEvent::Marked { bytes, .. }) =
            &mut entry.event
        {
            bytes.truncate(HEADER_BYTES);
            bytes.shrink_to_fit();
        }
    }
}
