//! The scoreboard (RFC 6675, section 4): which octets in flight the peer holds.

use alloc::vec::Vec;

use crate::seq::SeqNumber;
use crate::wire::tcp_options::SackBlock;

/// Ranges that the peer holds beyond the cumulative acknowledgment: disjoint, not touching, in order.
#[derive(Default)]
pub struct Scoreboard {
    ranges: Vec<SackBlock>,
}

impl Scoreboard {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.ranges.clear();
    }

    /// Update(): notes a block. None: all of it was known, or it would be one range more than `limit`. Otherwise the
    /// block, without what was known at its ends.
    pub fn update(&mut self, block: SackBlock, limit: usize) -> Option<SackBlock> {
        let SackBlock { start, end } = block;
        let first = self.ranges.partition_point(|r| r.end.lt(start));
        let last = self.ranges.partition_point(|r| r.start.le(end));
        if first == last {
            if self.ranges.len() >= limit {
                return None;
            }
            self.ranges.insert(first, block);
            return Some(block);
        }
        let (low, high) = (self.ranges[first], self.ranges[last - 1]);
        let from = if low.start.le(start) { low.end } else { start };
        let to = if high.end.ge(end) { high.start } else { end };
        self.ranges[first] = SackBlock {
            start: low.start.min(start),
            end: high.end.max(end),
        };
        self.ranges.drain(first + 1..last);
        from.lt(to).then_some(SackBlock {
            start: from,
            end: to,
        })
    }

    /// Everything before `una` is acknowledged.
    pub fn acknowledge(&mut self, una: SeqNumber) {
        let gone = self.ranges.partition_point(|r| r.end.le(una));
        self.ranges.drain(..gone);
        if let Some(range) = self.ranges.first_mut() {
            range.start = range.start.max(una);
        }
    }

    /// Whether the peer took back what it held: RFC 2018, section 8. A cumulative acknowledgment that ends where a held
    /// range begins, or within it, says so; one that covers it whole is what holding was for.
    pub fn reneged(&self, una: SeqNumber) -> bool {
        let first_beyond = self.ranges.iter().find(|r| r.end.gt(una));
        first_beyond.is_some_and(|r| r.start.le(una))
    }

    /// Where the range ends that holds `at`, if one does.
    pub fn held_until(&self, at: SeqNumber) -> Option<SeqNumber> {
        let range = self
            .ranges
            .get(self.ranges.partition_point(|r| r.end.le(at)))?;
        range.start.le(at).then_some(range.end)
    }

    /// IsLost(): what lies below this and is not held is lost, for DupThresh ranges are held above it, or more than
    /// DupThresh − 1 segments' octets.
    pub fn lost_below(&self, dup_thresh: u8, smss: u32) -> Option<SeqNumber> {
        let mut octets = 0;
        let above = self.ranges.iter().rev().enumerate();
        above
            .map(|(i, range)| {
                octets += range.end.since(range.start);
                (i + 1, octets, range.start)
            })
            .find(|&(ranges, octets, _)| {
                ranges >= usize::from(dup_thresh) || octets > (u32::from(dup_thresh) - 1) * smss
            })
            .map(|(_, _, start)| start)
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

    fn board(ranges: &[(u32, u32)]) -> Scoreboard {
        let mut board = Scoreboard::default();
        for &(start, end) in ranges {
            board.update(block(start, end), 8);
        }
        board
    }

    #[test]
    fn an_update_says_what_may_be_new() {
        let mut b = board(&[(100, 200), (300, 400)]);
        assert_eq!(b.update(block(100, 200), 8), None);
        assert_eq!(b.update(block(150, 350), 8), Some(block(200, 300)));
        assert_eq!(b.ranges, [block(100, 400)]);
        assert_eq!(b.update(block(50, 450), 8), Some(block(50, 450)));
        assert_eq!(b.update(block(450, 500), 8), Some(block(450, 500)));
        assert_eq!(b.ranges, [block(50, 500)]);
    }

    #[test]
    fn ranges_are_bounded() {
        let mut b = board(&[(100, 200)]);
        assert_eq!(b.update(block(300, 400), 1), None);
        assert_eq!(b.update(block(200, 400), 1), Some(block(200, 400)));
    }

    #[test]
    fn three_ranges_or_two_segments_and_an_octet_above_make_a_hole_lost() {
        let lost = |ranges: &[_]| board(ranges).lost_below(3, 100);
        assert_eq!(lost(&[(100, 300)]), None);
        assert_eq!(lost(&[(100, 301)]), Some(SeqNumber(100)));
        assert_eq!(lost(&[(100, 110), (200, 210)]), None);
        assert_eq!(
            lost(&[(100, 110), (200, 210), (300, 310)]),
            Some(SeqNumber(100))
        );
        assert_eq!(lost(&[(100, 110), (300, 600)]), Some(SeqNumber(300)));
    }

    #[test]
    fn an_acknowledgment_that_stops_at_a_held_range_says_it_was_taken_back() {
        let mut b = board(&[(100, 200), (300, 400)]);
        b.acknowledge(SeqNumber(50));
        assert!(!b.reneged(SeqNumber(50)));
        assert!(b.reneged(SeqNumber(100)));
        assert!(
            !b.reneged(SeqNumber(200)),
            "all of the first range was acknowledged"
        );
        assert!(b.reneged(SeqNumber(300)));
        b.acknowledge(SeqNumber(200));
        assert_eq!(b.ranges, [block(300, 400)]);
    }
}
