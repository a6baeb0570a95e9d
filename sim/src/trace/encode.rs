//! The canonical bytes of an entry: what is hashed, and what is decoded when somebody looks.
//!
//! Machines and guests encode their own events in their own rooms; here are the world's and the links', and [`Raw`],
//! an entry as the merge sees it.

use xenemu::abi::DomId;
use xenemu::abi::codec::{DecodeError, Field, Get, decode};
use xenemu::{Source, Time};

use super::entry::{Author, Entry, Event, LinkEvent, WorldEvent};

/// The version of the trace's format. It is the first thing hashed: a changed encoding is another version.
pub const TRACE_VERSION: u32 = 1;

xenemu::abi::fields!(enum WorldEvent {
    0 => Begin { seed, epoch_secs, nodes, links },
    1 => Action { index, text },
    2 => ActionFailed { index, why },
    3 => Trigger { when, acts_at },
    4 => Input { link, bytes },
    5 => End { why },
});

xenemu::abi::fields!(enum LinkEvent {
    0 => Enqueued { frame, queued },
    1 => Lost { frame },
    2 => QueueFull { frame },
    3 => Duplicated { frame, copy },
    4 => Corrupted { frame, into, bytes },
    5 => Serialised { frame, arrival, reordered },
    6 => Died { frame },
    7 => Marked { frame, into, bytes },
});

impl WorldEvent {
    /// Appends the canonical encoding.
    pub fn encode(&self, to: &mut Vec<u8>) {
        self.put(to);
    }
    /// The event that these bytes encode.
    pub fn decode(bytes: &[u8]) -> Result<WorldEvent, DecodeError> {
        decode(bytes)
    }
}

impl LinkEvent {
    /// Appends the canonical encoding.
    pub fn encode(&self, to: &mut Vec<u8>) {
        self.put(to);
    }
    /// The event that these bytes encode.
    pub fn decode(bytes: &[u8]) -> Result<LinkEvent, DecodeError> {
        decode(bytes)
    }
}

/// An entry as the merge sees it: who, when, and bytes that nobody has looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a> {
    pub at: Time,
    pub author: Author,
    pub seq: u64,
    /// Who speaks, if the author is a node.
    pub source: Source,
    pub payload: &'a [u8],
}

/// Bytes of an encoded entry in front of its payload.
pub const HEADER_LEN: usize = 27;

impl<'a> Raw<'a> {
    /// The bytes in front of the payload: stamp, author, sequence, speaker, the payload's length.
    pub fn header(&self) -> [u8; HEADER_LEN] {
        let (kind, place, direction) = match self.author {
            Author::World => (0, 0, 0),
            Author::Link(place, direction) => (1, place, direction),
            Author::Node(place) => (2, place, 0),
        };
        let (guest, domid) = match self.source {
            Source::Machine => (0, 0),
            Source::Guest(domid) => (1, domid.0),
        };
        let len = u32::try_from(self.payload.len()).expect("an event is shorter than 4 GiB");
        let mut header = [0; HEADER_LEN];
        header[..8].copy_from_slice(&self.at.0.to_le_bytes());
        header[8] = kind;
        header[9..11].copy_from_slice(&u16::to_le_bytes(place));
        header[11] = direction;
        header[12..20].copy_from_slice(&self.seq.to_le_bytes());
        header[20] = guest;
        header[21..23].copy_from_slice(&u16::to_le_bytes(domid));
        header[23..].copy_from_slice(&len.to_le_bytes());
        header
    }

    /// Takes an encoded entry off the front of `from`.
    pub fn take(from: &mut Get<'a>) -> Result<Raw<'a>, DecodeError> {
        let at = Time(from.u64()?);
        let (kind, place, direction) = (from.u8()?, from.u16()?, from.u8()?);
        let author = match (kind, place, direction) {
            (0, 0, 0) => Author::World,
            (1, place, 0 | 1) => Author::Link(place, direction),
            (2, place, 0) => Author::Node(place),
            _ => return Err(DecodeError::Range),
        };
        let seq = from.u64()?;
        let source = match (from.u8()?, from.u16()?) {
            (0, 0) => Source::Machine,
            (1, domid) => Source::Guest(DomId(domid)),
            _ => return Err(DecodeError::Range),
        };
        Ok(Raw {
            at,
            author,
            seq,
            source,
            payload: from.bytes()?,
        })
    }

    /// The typed entry.
    pub fn decode(&self) -> Result<Entry, DecodeError> {
        let event = match (self.author, self.source) {
            (Author::World, _) => Event::World(decode(self.payload)?),
            (Author::Link(..), _) => Event::Link(decode(self.payload)?),
            (Author::Node(_), Source::Machine) => Event::Machine(decode(self.payload)?),
            (Author::Node(_), Source::Guest(domid)) => Event::Guest(domid, decode(self.payload)?),
        };
        Ok(Entry {
            at: self.at,
            author: self.author,
            seq: self.seq,
            event,
        })
    }
}

impl Entry {
    /// Appends the canonical encoding: what the trace's hash eats.
    pub fn encode(&self, to: &mut Vec<u8>) {
        let mut payload = Vec::new();
        match &self.event {
            Event::World(event) => event.put(&mut payload),
            Event::Link(event) => event.put(&mut payload),
            Event::Machine(event) => event.put(&mut payload),
            Event::Guest(_, event) => event.put(&mut payload),
        }
        let raw = Raw {
            at: self.at,
            author: self.author,
            seq: self.seq,
            source: match self.event {
                Event::Guest(domid, _) => Source::Guest(domid),
                _ => Source::Machine,
            },
            payload: &payload,
        };
        to.extend_from_slice(&raw.header());
        to.extend_from_slice(&payload);
    }

    /// The entry that these bytes encode.
    pub fn decode(bytes: &[u8]) -> Result<Entry, DecodeError> {
        let mut from = Get(bytes);
        let raw = Raw::take(&mut from)?;
        from.end()?;
        raw.decode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use xenemu::FrameId;

    fn frame() -> impl Strategy<Value = FrameId> {
        (any::<u32>(), any::<u64>()).prop_map(|(origin, n)| FrameId { origin, n })
    }

    fn world_event() -> impl Strategy<Value = WorldEvent> {
        let names = || prop::collection::vec("[a-z]{0,5}", 0..4);
        prop_oneof![
            (any::<u64>(), any::<u64>(), names(), names()).prop_map(
                |(seed, epoch_secs, nodes, links)| WorldEvent::Begin {
                    seed,
                    epoch_secs,
                    nodes,
                    links
                }
            ),
            (any::<u32>(), ".*").prop_map(|(index, text)| WorldEvent::Action { index, text }),
            (any::<u32>(), ".*").prop_map(|(index, why)| WorldEvent::ActionFailed { index, why }),
            (any::<u32>(), any::<u64>()).prop_map(|(when, at)| WorldEvent::Trigger {
                when,
                acts_at: Time(at)
            }),
            (".*", any::<Vec<u8>>()).prop_map(|(link, bytes)| WorldEvent::Input { link, bytes }),
            ".*".prop_map(|why| WorldEvent::End { why }),
        ]
    }

    fn link_event() -> impl Strategy<Value = LinkEvent> {
        prop_oneof![
            (frame(), any::<u64>())
                .prop_map(|(frame, queued)| LinkEvent::Enqueued { frame, queued }),
            frame().prop_map(|frame| LinkEvent::Lost { frame }),
            frame().prop_map(|frame| LinkEvent::QueueFull { frame }),
            (frame(), frame()).prop_map(|(frame, copy)| LinkEvent::Duplicated { frame, copy }),
            (frame(), frame(), any::<Vec<u8>>())
                .prop_map(|(frame, into, bytes)| LinkEvent::Corrupted { frame, into, bytes }),
            (frame(), any::<u64>(), any::<bool>()).prop_map(|(frame, at, reordered)| {
                LinkEvent::Serialised {
                    frame,
                    arrival: Time(at),
                    reordered,
                }
            }),
            frame().prop_map(|frame| LinkEvent::Died { frame }),
            (frame(), frame(), any::<Vec<u8>>())
                .prop_map(|(frame, into, bytes)| LinkEvent::Marked { frame, into, bytes }),
        ]
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let said = prop_oneof![
            world_event().prop_map(|event| (Author::World, Event::World(event))),
            (any::<u16>(), 0..2u8, link_event())
                .prop_map(|(l, d, event)| (Author::Link(l, d), Event::Link(event))),
            (any::<u16>(), frame(), any::<Vec<u8>>()).prop_map(|(n, frame, bytes)| {
                let event = xenemu::Event::FrameBorn {
                    frame,
                    forged: false,
                    bytes,
                };
                (Author::Node(n), Event::Machine(event))
            }),
            (any::<u16>(), any::<u16>(), any::<u8>()).prop_map(|(n, domid, kinds)| {
                let event = stack::event::Event::Timers { kinds };
                (Author::Node(n), Event::Guest(DomId(domid), event))
            }),
        ];
        (any::<u64>(), any::<u64>(), said).prop_map(|(at, seq, (author, event))| Entry {
            at: Time(at),
            author,
            seq,
            event,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_entry_survives_its_encoding(entry in entry()) {
            let mut bytes = Vec::new();
            entry.encode(&mut bytes);
            prop_assert_eq!(Entry::decode(&bytes), Ok(entry));
            prop_assert!(Entry::decode(&bytes[..bytes.len() - 1]).is_err());
        }

        #[test]
        fn arbitrary_bytes_are_refused_or_read_but_never_panic(bytes: Vec<u8>) {
            let _ = Entry::decode(&bytes);
        }
    }
}
