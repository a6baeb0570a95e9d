//! Which octets have arrived beyond RCV.NXT: a short, bounded list of ranges, from which SACK blocks are made too.
//! RFC 9293, SHLD-31: data that arrives out of order is kept.

use alloc::vec::Vec;

use crate::seq::SeqNumber;
use crate::wire::tcp_options::{MAX_SACK_BLOCKS, SackBlock};

/// Ranges of octets beyond RCV.NXT, disjoint, not touching, in order.
#[derive(Default)]
pub struct Assembler {
    ranges: Vec<SackBlock>,
    /// Where the range changed last begins: RFC 2018, section 4 reports it first.
    latest: SeqNumber,
    /// Where the peer's FIN stands, if it arrived before what precedes it.
    pub fin: Option<SeqNumber>,
}

impl Assembler {
    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.fin.is_none()
    }

    /// Notes that `[start, end)` has arrived. False: there is no place for one more range, nothing is noted.
    pub fn insert(&mut self, start: SeqNumber, end: SeqNumber, limit: usize) -> bool {
        assert!(start.lt(end), "a range is not empty");
        let first = self.ranges.partition_point(|r| r.end.lt(start));
        let last = self.ranges.partition_point(|r| r.start.le(end));
        if first == last {
            if self.ranges.len() >= limit {
                return false;
            }
            self.ranges.insert(first, SackBlock { start, end });
        } else {
            let merged = SackBlock {
                start: self.ranges[first].start.min(start),
                end: self.ranges[last - 1].end.max(end),
            };
            self.ranges[first] = merged;
            self.ranges.drain(first + 1..last);
        }
        self.latest = start;
        true
    }

    /// Takes the range that begins at or before `next` off the list: how far the octets are contiguous now.
    pub fn contiguous(&mut self, next: SeqNumber) -> SeqNumber {
        match self.ranges.first() {
            Some(range) if range.start.le(next) => self.ranges.remove(0).end.max(next),
            _ => next,
        }
    }

    /// SACK blocks: the one that changed last first, then the others (RFC 2018, section 4).
    pub fn blocks(&self, to: &mut [SackBlock; MAX_SACK_BLOCKS]) -> usize {
        let newest = self
            .ranges
            .iter()
            .position(|r| r.start.le(self.latest) && self.latest.lt(r.end));
        let rest = (0..self.ranges.len()).rev().filter(|&i| Some(i) != newest);
        let mut n = 0;
        for i in newest.into_iter().chain(rest).take(MAX_SACK_BLOCKS) {
            to[n] = self.ranges[i];
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

    #[test]
    fn ranges_that_touch_become_one() {
        let a = with(&[(10, 20), (30, 40), (20, 30)]);
        assert_eq!(a.ranges, [block(10, 40)]);
    }

    #[test]
    fn a_range_may_swallow_several() {
        let a = with(&[(10, 20), (30, 40), (50, 60), (5, 55)]);
        assert_eq!(a.ranges, [block(5, 60)]);
    }

    #[test]
    fn the_range_that_changed_last_is_reported_first() {
        let a = with(&[(50, 60), (10, 20), (30, 40), (20, 25)]);
        let mut blocks = [block(0, 0); MAX_SACK_BLOCKS];
        assert_eq!(a.blocks(&mut blocks), 3);
        assert_eq!(blocks[..3], [block(10, 25), block(50, 60), block(30, 40)]);
    }

    #[test]
    fn the_first_range_is_taken_when_the_gap_before_it_is_filled() {
        let mut a = with(&[(10, 20), (30, 40)]);
        assert_eq!(a.contiguous(SeqNumber(9)), SeqNumber(9));
        assert_eq!(a.contiguous(SeqNumber(12)), SeqNumber(20));
        assert_eq!(a.ranges, [block(30, 40)]);
    }

    #[test]
    fn ranges_are_bounded() {
        let mut a = with(&[(10, 20), (30, 40)]);
        assert!(!a.insert(SeqNumber(50), SeqNumber(60), 2));
        assert!(a.insert(SeqNumber(40), SeqNumber(60), 2));
    }
}
