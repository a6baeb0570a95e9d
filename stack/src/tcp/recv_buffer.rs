//! The receive buffer: octets in order that the application has not taken, and behind them, in the same memory, those
//! that arrived out of order. The front is the next octet for the application, the end of the queue RCV.NXT.

use alloc::boxed::Box;

use crate::seq::SeqNumber;
use crate::tcp::assembler::Assembler;
use crate::tcp::pool::Pool;
use crate::tcp::ring::Ring;
use crate::wire::tcp_options::{MAX_SACK_BLOCKS, SackBlock};

/// Octets received.
#[derive(Default)]
pub struct RecvBuffer {
    ring: Ring,
    /// Most connections never see a gap, so the list of ranges stands apart.
    gaps: Option<Box<Assembler>>,
}

impl RecvBuffer {
    /// Octets that the application can take now.
    pub fn len(&self) -> usize {
        self.ring.len()
    }
    /// Whether the application has taken everything.
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }
    /// Whether something waits for what precedes it, or came twice and is still to be reported.
    pub fn has_gaps(&self) -> bool {
        self.gaps.is_some()
    }

    /// Octets at RCV.NXT, with nothing waiting behind them.
    pub fn append(&mut self, pool: &mut Pool, data: &[u8]) {
        assert!(!self.has_gaps(), "what waits must be assembled");
        self.ring.push(pool, data);
    }

    /// Octets at `at`, RCV.NXT or later; the new RCV.NXT. They lie inside the window offered.
    pub fn assemble(
        &mut self,
        pool: &mut Pool,
        next: SeqNumber,
        at: SeqNumber,
        data: &[u8],
        most_ranges: usize,
    ) -> SeqNumber {
        assert!(next.le(at), "old octets are trimmed first");
        let end = at.plus(data.len() as u32);
        if data.is_empty() {
            return next;
        }
        if at == next && !self.has_gaps() {
            self.ring.push(pool, data);
            return end;
        }
        let gaps = self.gaps.get_or_insert_default();
        // The octets that close the first gap always have a place: their range is taken off at once.
        if !gaps.insert(at, end, most_ranges + usize::from(at == next)) {
            return next;
        }
        let offset = self.ring.len() + at.since(next) as usize;
        self.ring.write_at(pool, offset, data);
        let new_next = gaps.contiguous(next);
        self.ring.extend(new_next.since(next) as usize);
        self.forget_no_gaps();
        new_next
    }

    /// The peer's FIN stands at `at`, behind a gap.
    pub fn note_fin(&mut self, at: SeqNumber) {
        self.gaps.get_or_insert_default().fin.get_or_insert(at);
    }

    /// Whether the FIN that waited stands at `next` now; it waits no longer.
    pub fn take_fin(&mut self, next: SeqNumber) -> bool {
        let due = self
            .gaps
            .as_mut()
            .is_some_and(|gaps| gaps.fin == Some(next));
        if due && let Some(gaps) = &mut self.gaps {
            gaps.fin = None;
        }
        self.forget_no_gaps();
        due
    }

    /// Octets below RCV.NXT came again.
    pub fn note_duplicate(&mut self, start: SeqNumber, end: SeqNumber) {
        self.gaps.get_or_insert_default().note_duplicate(start, end);
    }

    /// Octets at or beyond RCV.NXT are about to be assembled: some may be here already.
    pub fn note_overlap(&mut self, start: SeqNumber, end: SeqNumber) {
        if let Some(gaps) = &mut self.gaps {
            gaps.note_overlap(start, end);
        }
    }

    /// SACK blocks have been sent.
    pub fn sack_sent(&mut self) {
        if let Some(gaps) = &mut self.gaps {
            gaps.reported();
            self.forget_no_gaps();
        }
    }

    /// SACK blocks for what waits.
    pub fn sack_blocks(&self, to: &mut [SackBlock; MAX_SACK_BLOCKS]) -> usize {
        self.gaps.as_ref().map_or(0, |gaps| gaps.blocks(to))
    }

    /// The application takes octets; how many.
    pub fn read(&mut self, pool: &mut Pool, to: &mut [u8]) -> usize {
        let n = self.ring.read(to);
        self.release_if_empty(pool);
        n
    }

    /// The application looks at octets and leaves them; how many.
    pub fn peek(&self, to: &mut [u8]) -> usize {
        self.ring.peek(to)
    }
    /// The octet at an offset from the front.
    pub fn octet(&self, offset: usize) -> u8 {
        self.ring.slices(offset, 1).0[0]
    }
    /// The application takes octets without looking at them.
    pub fn skip(&mut self, pool: &mut Pool, n: usize) {
        self.ring.consume(n);
        self.release_if_empty(pool);
    }
    /// Drops what the application will never take.
    pub fn discard(&mut self, pool: &mut Pool) {
        self.ring.consume(self.ring.len());
        self.release_if_empty(pool);
    }

    /// Forgets everything.
    pub fn clear(&mut self, pool: &mut Pool) {
        self.ring.release(pool);
        self.gaps = None;
    }

    fn release_if_empty(&mut self, pool: &mut Pool) {
        if self.ring.is_empty() && self.gaps.is_none() {
            self.ring.release(pool);
        }
    }

    fn forget_no_gaps(&mut self) {
        if self.gaps.as_ref().is_some_and(|gaps| gaps.is_empty()) {
            self.gaps = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn read_all(buffer: &mut RecvBuffer, pool: &mut Pool) -> Vec<u8> {
        let mut to = alloc::vec![0; buffer.len()];
        buffer.read(pool, &mut to);
        to
    }

    #[test]
    fn octets_out_of_order_come_out_in_order() {
        let (mut buffer, mut pool) = (RecvBuffer::default(), Pool::default());
        let next = SeqNumber(u32::MAX - 1);
        assert_eq!(
            buffer.assemble(&mut pool, next, next.plus(4), b"ef", 4),
            next
        );
        assert_eq!(
            buffer.assemble(&mut pool, next, next.plus(2), b"cd", 4),
            next
        );
        assert!(buffer.has_gaps() && buffer.is_empty());
        assert_eq!(
            buffer.assemble(&mut pool, next, next, b"abc", 4),
            next.plus(6)
        );
        assert!(!buffer.has_gaps());
        assert_eq!(read_all(&mut buffer, &mut pool), b"abcdef");
    }

    #[test]
    fn a_fin_waits_for_what_precedes_it() {
        let (mut buffer, mut pool) = (RecvBuffer::default(), Pool::default());
        let next = SeqNumber(0);
        buffer.note_fin(SeqNumber(3));
        assert!(!buffer.take_fin(next));
        let next = buffer.assemble(&mut pool, next, next, b"abc", 4);
        assert!(buffer.take_fin(next) && !buffer.has_gaps());
    }

    #[test]
    fn the_gap_can_be_filled_even_when_the_list_is_full() {
        let (mut buffer, mut pool) = (RecvBuffer::default(), Pool::default());
        let next = SeqNumber(0);
        buffer.assemble(&mut pool, next, SeqNumber(5), b"f", 1);
        assert_eq!(
            buffer.assemble(&mut pool, next, SeqNumber(9), b"j", 1),
            next
        );
        assert_eq!(
            buffer.assemble(&mut pool, next, next, b"ab", 1),
            SeqNumber(2)
        );
        assert_eq!(read_all(&mut buffer, &mut pool), b"ab");
    }
}
