//! Which octets have arrived beyond RCV.NXT: a short, bounded list of ranges, from which SACK blocks are made too, and
//! what arrived twice. RFC 9293, SHLD-31: data that arrives out of order is kept.

use alloc::vec::Vec;

use crate::seq::SeqNumber;
use crate::wire::tcp_options::{MAX_SACK_BLOCKS, SackBlock};

/// A range of octets, and when it changed last: a larger number is later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: SeqNumber,
    end: SeqNumber,
    changed: u32,
}

/// Ranges of octets beyond RCV.NXT, disjoint, not touching, in order.
#[derive(Default)]
pub struct Assembler {
    ranges: Vec<Range>,
    /// Changes so far.
    changes: u32,
    /// Octets that the last segment brought again: to be reported once (RFC 2883).
    duplicate: Option<SackBlock>,
    /// Where the peer's FIN stands, if it arrived before what precedes it.
    pub fin: Option<SeqNumber>,
}

impl Assembler {
    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.fin.is_none() && self.duplicate.is_none()
    }

    /// Notes that `[start, end)` has arrived. False: there is no place for one more range, nothing is noted.
    pub fn insert(&mut self, start: SeqNumber, end: SeqNumber, limit: usize) -> bool {
        assert!(start.lt(end), "a range is not empty");
        let first = self.ranges.partition_point(|r| r.end.lt(start));
        let last = self.ranges.partition_point(|r| r.start.le(end));
        self.changes = self.changes.wrapping_add(1);
        let mut range = Range {
            start,
            end,
            changed: self.changes,
        };
        if first == last {
            if self.ranges.len() >= limit {
                return false;
            }
            self.ranges.insert(first, range);
        } else {
            range.start = self.ranges[first].start.min(start);
            range.end = self.ranges[last - 1].end.max(end);
            self.ranges[first] = range;
            self.ranges.drain(first + 1..last);
        }
        true
    }

    /// Octets below RCV.NXT came again; the first ones of a segment are those that are reported.
    pub fn note_duplicate(&mut self, start: SeqNumber, end: SeqNumber) {
        self.duplicate.get_or_insert(SackBlock { start, end });
    }

    /// Of the octets `[start, end)` that have just arrived, notes those that are here already.
    pub fn note_overlap(&mut self, start: SeqNumber, end: SeqNumber) {
        let first = self.ranges.iter().find(|r| r.end.gt(start));
        if let Some(held) = first.filter(|r| r.start.lt(end)) {
            self.note_duplicate(held.start.max(start), held.end.min(end));
        }
    }

    /// The duplicate was reported.
    pub fn reported(&mut self) {
        self.duplicate = None;
    }

    /// Takes the range that begins at or before `next` off the list: how far the octets are contiguous now.
    pub fn contiguous(&mut self, next: SeqNumber) -> SeqNumber {
        match self.ranges.first() {
            Some(range) if range.start.le(next) => self.ranges.remove(0).end.max(next),
            _ => next,
        }
    }

    /// SACK blocks: what arrived twice (RFC 2883, 4), then the ranges, the one that changed last first (RFC 2018, 4:
    /// so each is repeated in several ACKs, of which some may get lost).
    pub fn blocks(&self, to: &mut [SackBlock; MAX_SACK_BLOCKS]) -> usize {
        let mut n = 0;
        if let Some(duplicate) = self.duplicate {
            to[0] = duplicate;
            n = 1;
        }
        let age = |range: &Range| self.changes.wrapping_sub(range.changed);
        let mut youngest = 0;
        while n < MAX_SACK_BLOCKS {
            let rest = self.ranges.iter().filter(|r| age(r) >= youngest);
            let Some(next) = rest.min_by_key(|r| age(r)) else {
                break;
            };
            youngest = age(next) + 1;
            to[n] = SackBlock {
                start: next.start,
                end: next.end,
            };
            n += 1;
        }
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(start: u32, end: u32) -> SackBlock {
        SackBlock {
            start: SeqNumber(start),
            end: SeqNumber(end),
        }
    }

    fn with(ranges: &[(u32, u32)]) -> Assembler {
        let mut assembler = Assembler::default();
        for &(start, end) in ranges {
            assert!(assembler.insert(SeqNumber(start), SeqNumber(end), 8));
        }
        assembler
    }

    fn ranges(assembler: &Assembler) -> Vec<(u32, u32)> {
        let ranges = assembler.ranges.iter();
        ranges.map(|r| (r.start.0, r.end.0)).collect()
    }

    fn blocks(assembler: &Assembler) -> Vec<SackBlock> {
        let mut blocks = [block(0, 0); MAX_SACK_BLOCKS];
        let n = assembler.blocks(&mut blocks);
        blocks[..n].to_vec()
    }

    #[test]
    fn ranges_that_touch_become_one() {
        let a = with(&[(10, 20), (30, 40), (20, 30)]);
        assert_eq!(ranges(&a), [(10, 40)]);
    }

    #[test]
    fn a_range_may_swallow_several() {
        let a = with(&[(10, 20), (30, 40), (50, 60), (5, 55)]);
        assert_eq!(ranges(&a), [(5, 60)]);
    }

    #[test]
    fn the_range_that_changed_last_is_reported_first() {
        let a = with(&[(50, 60), (10, 20), (30, 40), (20, 25)]);
        assert_eq!(blocks(&a), [block(10, 25), block(30, 40), block(50, 60)]);
        let a = with(&[(90, 95), (70, 75), (10, 20), (30, 40), (50, 60)]);
        let newest = [block(50, 60), block(30, 40), block(10, 20), block(70, 75)];
        assert_eq!(blocks(&a), newest);
    }

    #[test]
    fn what_came_twice_is_reported_once_and_before_the_range_it_lies_in() {
        let mut a = with(&[(10, 20), (30, 40)]);
        a.note_overlap(SeqNumber(15), SeqNumber(35));
        assert!(a.insert(SeqNumber(15), SeqNumber(35), 8));
        assert_eq!(blocks(&a), [block(15, 20), block(10, 40)]);
        a.reported();
        assert_eq!(blocks(&a), [block(10, 40)]);
    }

    #[test]
    fn of_several_duplicates_the_first_is_reported() {
        let mut a = with(&[(10, 20)]);
        a.note_duplicate(SeqNumber(3), SeqNumber(9));
        a.note_overlap(SeqNumber(9), SeqNumber(20));
        assert_eq!(blocks(&a), [block(3, 9), block(10, 20)]);
    }

    #[test]
    fn the_first_range_is_taken_when_the_gap_before_it_is_filled() {
        let mut a = with(&[(10, 20), (30, 40)]);
        assert_eq!(a.contiguous(SeqNumber(9)), SeqNumber(9));
        assert_eq!(a.contiguous(SeqNumber(12)), SeqNumber(20));
        assert_eq!(ranges(&a), [(30, 40)]);
    }

    #[test]
    fn ranges_are_bounded() {
        let mut a = with(&[(10, 20), (30, 40)]);
        assert!(!a.insert(SeqNumber(50), SeqNumber(60), 2));
        assert!(a.insert(SeqNumber(40), SeqNumber(60), 2));
    }
}
