//! How the authors' buffers become one stream.
//!
//! The world and each direction of each link write into a [`Buffer`] of their own; machines hand out records. After a
//! round the [`Merge`] takes what is stamped before the round's end, and nothing else, and puts it into the order of
//! (time, author, sequence). Nothing earlier can appear later, so the stream does not depend on where rounds end.

use xenemu::{Record, Source, Time};

use super::encode::Raw;
use super::entry::Author;

/// What one author has said and the merge has not yet taken. Encoded at once into one reused allocation.
#[derive(Debug)]
pub struct Buffer {
    author: Author,
    next_seq: u64,
    items: Vec<Item>,
    bytes: Vec<u8>,
    newest: Time,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    at: Time,
    author: Author,
    seq: u64,
    source: Source,
    /// The payload's place in the bytes.
    start: usize,
    end: usize,
}

impl Buffer {
    /// An author's empty buffer.
    pub fn new(author: Author) -> Buffer {
        Buffer {
            author,
            next_seq: 0,
            items: Vec::new(),
            bytes: Vec::new(),
            newest: Time::ZERO,
        }
    }
    /// Appends an event that `encode` writes.
    pub fn push(&mut self, at: Time, encode: impl FnOnce(&mut Vec<u8>)) {
        assert!(
            self.newest <= at,
            "{:?} looks back: {at:?} after {:?}",
            self.author,
            self.newest
        );
        self.newest = at;
        let start = self.bytes.len();
        encode(&mut self.bytes);
        self.items.push(Item {
            at,
            author: self.author,
            seq: self.next_seq,
            source: Source::Machine,
            start,
            end: self.bytes.len(),
        });
        self.next_seq += 1;
    }
    /// Whether nothing waits here.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

/// The entries of one round.
#[derive(Debug, Default)]
pub struct Merge {
    items: Vec<Item>,
    bytes: Vec<u8>,
}

impl Merge {
    /// Takes a buffer's events; all are stamped before `before`, because links and the world never write ahead.
    pub fn take(&mut self, buffer: &mut Buffer, before: Time) {
        if buffer.items.is_empty() {
            return;
        }
        assert!(
            buffer.newest < before,
            "{:?} wrote ahead: {:?} in a round that ends at {before:?}",
            buffer.author,
            buffer.newest
        );
        let base = self.bytes.len();
        self.bytes.append(&mut buffer.bytes);
        self.items.extend(buffer.items.drain(..).map(|item| Item {
            start: item.start + base,
            end: item.end + base,
            ..item
        }));
    }

    /// Takes what a node handed out: in order, and before `before`.
    pub fn take_records(&mut self, author: Author, records: &mut Vec<Record>, before: Time) {
        let mut last = None;
        for record in records.drain(..) {
            assert!(
                record.at < before,
                "{author:?} handed out an event of {:?} before {before:?}",
                record.at
            );
            assert!(last < Some((record.at, record.seq)), "{author:?}: unsorted");
            last = Some((record.at, record.seq));
            let start = self.bytes.len();
            self.bytes.extend_from_slice(&record.payload);
            self.items.push(Item {
                at: record.at,
                author,
                seq: record.seq,
                source: record.source,
                start,
                end: self.bytes.len(),
            });
        }
    }

    /// Puts what was taken into the trace's order.
    pub fn sort(&mut self) {
        self.items
            .sort_by_key(|item| (item.at, item.author, item.seq));
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
    /// The stamp of entry `i`, if there is one.
    pub fn at(&self, i: usize) -> Option<Time> {
        self.items.get(i).map(|item| item.at)
    }
    /// Entry `i`.
    pub fn get(&self, i: usize) -> Raw<'_> {
        let item = self.items[i];
        Raw {
            at: item.at,
            author: item.author,
            seq: item.seq,
            source: item.source,
            payload: &self.bytes[item.start..item.end],
        }
    }
    /// Forgets the round, and keeps the allocations.
    pub fn clear(&mut self) {
        self.items.clear();
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(buffer: &mut Buffer, at: u64, byte: u8) {
        buffer.push(Time(at), |bytes| bytes.push(byte));
    }

    #[test]
    fn the_world_comes_first_then_links_then_nodes_and_each_in_its_own_order() {
        let mut world = Buffer::new(Author::World);
        let mut link = Buffer::new(Author::Link(0, 1));
        push(&mut link, 5, 1);
        push(&mut link, 5, 2);
        push(&mut world, 5, 0);
        let mut records = vec![Record {
            at: Time(4),
            seq: 9,
            source: Source::Machine,
            payload: vec![3],
        }];
        let mut merge = Merge::default();
        merge.take_records(Author::Node(0), &mut records, Time(6));
        merge.take(&mut link, Time(6));
        merge.take(&mut world, Time(6));
        merge.sort();
        let order: Vec<u8> = (0..merge.len()).map(|i| merge.get(i).payload[0]).collect();
        assert_eq!(order, [3, 0, 1, 2]);
        assert!(world.is_empty() && link.is_empty());
    }

    #[test]
    #[should_panic(expected = "looks back")]
    fn an_author_cannot_write_into_its_past() {
        let mut buffer = Buffer::new(Author::World);
        push(&mut buffer, 5, 0);
        push(&mut buffer, 4, 0);
    }

    #[test]
    #[should_panic(expected = "wrote ahead")]
    fn a_link_cannot_write_ahead_of_its_round() {
        let mut buffer = Buffer::new(Author::Link(0, 0));
        push(&mut buffer, 5, 0);
        Merge::default().take(&mut buffer, Time(5));
    }
}
