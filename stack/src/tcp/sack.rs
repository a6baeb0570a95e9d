//! The scoreboard (RFC 6675, section 4): which octets in flight the peer holds, and from that which are lost, how many
//! are still under way, and which to send next.

use alloc::vec::Vec;

use crate::seq::SeqNumber;
use crate::wire::tcp_options::SackBlock;

/// Ranges that the peer holds beyond the cumulative acknowledgment: disjoint, not touching, in order.
#[derive(Default)]
pub struct Scoreboard {
    ranges: Vec<SackBlock>,
}

/// The scoreboard of a peer that holds nothing.
pub static NOTHING: Scoreboard = Scoreboard { ranges: Vec::new() };

/// The connection's numbers that the scoreboard's questions depend on.
#[derive(Clone, Copy, Debug)]
pub struct InFlight {
    /// HighACK + 1: SND.UNA.
    pub una: SeqNumber,
    /// HighData + 1: behind the last octet sent.
    pub max: SeqNumber,
    /// HighRxt + 1: behind the last octet sent again in this recovery.
    pub high_rxt: SeqNumber,
    /// SMSS
    pub smss: u32,
    /// DupThresh
    pub dup_thresh: u8,
}

/// Octets that the peer lacks below something that it holds.
struct Hole {
    start: SeqNumber,
    end: SeqNumber,
    lost: bool,
}

impl Scoreboard {
    /// Whether the peer holds nothing beyond the cumulative acknowledgment.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Update(): notes a block and returns how many octets it adds. Blocks outside what is in flight are nonsense or
    /// old (RFC 2018; RFC 2883) and ignored, as is a new range when there are `limit` already.
    pub fn update(
        &mut self,
        block: SackBlock,
        una: SeqNumber,
        max: SeqNumber,
        limit: usize,
    ) -> u32 {
        let SackBlock { start, end } = block;
        if !(start.lt(end) && una.lt(start) && end.le(max)) {
            return 0;
        }
        let first = self.ranges.partition_point(|r| r.end.lt(start));
        let last = self.ranges.partition_point(|r| r.start.le(end));
        if first == last {
            if self.ranges.len() >= limit {
                return 0;
            }
            self.ranges.insert(first, block);
            return end.since(start);
        }
        let known: u32 = self.ranges[first..last].iter().map(len).sum();
        let merged = SackBlock {
            start: self.ranges[first].start.min(start),
            end: self.ranges[last - 1].end.max(end),
        };
        self.ranges[first] = merged;
        self.ranges.drain(first + 1..last);
        len(&merged) - known
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

    /// IsLost() of the first octet that is not acknowledged.
    pub fn head_is_lost(&self, f: &InFlight) -> bool {
        self.holes(f).next().is_some_and(|hole| hole.lost)
    }

    /// SetPipe(): octets under way.
    pub fn pipe(&self, f: &InFlight) -> u32 {
        if self.ranges.is_empty() {
            return f.max.after(f.una) + f.high_rxt.min(f.max).after(f.una);
        }
        let mut pipe = 0;
        let mut from = f.una;
        for hole in self.holes(f) {
            if !hole.lost {
                pipe += hole.end.since(hole.start);
            }
            pipe += hole.end.min(f.high_rxt).after(hole.start);
            from = hole.end;
        }
        if let Some(last) = self.ranges.last() {
            from = last.end;
        }
        pipe + f.max.after(from) + f.high_rxt.min(f.max).after(from)
    }

    /// NextSeg() rules 1 and 3: octets to send again, `[start, end)`, at most a segment.
    pub fn next_hole(&self, f: &InFlight, only_lost: bool) -> Option<SackBlock> {
        self.holes(f)
            .filter(|hole| hole.lost || !only_lost)
            .find_map(|hole| {
                let start = hole.start.max(f.high_rxt);
                let end = hole.end.min(start.plus(f.smss));
                start.lt(end).then_some(SackBlock { start, end })
            })
    }

    /// NextSeg() rule 4: the highest octets that the peer is not known to hold, at most a segment.
    pub fn last_hole(&self, f: &InFlight) -> Option<SackBlock> {
        let held = self.ranges.last();
        if held.is_none_or(|r| r.end.lt(f.max)) {
            let from = held.map_or(f.una, |r| r.end);
            let start = from.max(f.max.minus(f.smss.min(f.max.since(from))));
            return Some(SackBlock { start, end: f.max });
        }
        let hole = self.holes(f).last()?;
        let size = hole.end.since(hole.start).min(f.smss);
        Some(SackBlock {
            start: hole.end.minus(size),
            end: hole.end,
        })
    }

    /// Where the range ends that holds `at`, if one does.
    pub fn held_until(&self, at: SeqNumber) -> Option<SeqNumber> {
        let range = self.ranges.iter().find(|r| r.end.gt(at))?;
        range.start.le(at).then_some(range.end)
    }

    /// Where the next held range behind `at` begins.
    pub fn next_held(&self, at: SeqNumber) -> Option<SeqNumber> {
        self.ranges.iter().map(|r| r.start).find(|s| s.gt(at))
    }

    /// Octets held below `end`.
    pub fn held_below(&self, end: SeqNumber) -> u32 {
        self.ranges
            .iter()
            .map(|r| r.end.min(end).after(r.start))
            .sum()
    }

    /// The holes below the highest octet held. IsLost(): DupThresh ranges above, or more than DupThresh − 1 segments'
    /// octets.
    fn holes<'a>(&'a self, f: &'a InFlight) -> impl Iterator<Item = Hole> + 'a {
        let mut above = self.ranges.len();
        let mut octets_above: u32 = self.ranges.iter().map(len).sum();
        let mut from = f.una;
        self.ranges.iter().map(move |range| {
            let hole = Hole {
                start: from,
                end: range.start,
                lost: above >= usize::from(f.dup_thresh)
                    || octets_above > (u32::from(f.dup_thresh) - 1) * f.smss,
            };
            above -= 1;
            octets_above -= len(range);
            from = range.end;
            hole
        })
    }
}

fn len(block: &SackBlock) -> u32 {
    block.end.since(block.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments of 100 octets, 0 to 10, all sent.
    fn flight(high_rxt: u32) -> InFlight {
        InFlight {
            una: SeqNumber(0),
            max: SeqNumber(1000),
            high_rxt: SeqNumber(high_rxt),
            smss: 100,
            dup_thresh: 3,
        }
    }

    fn block(start: u32, end: u32) -> SackBlock {
        SackBlock {
            start: SeqNumber(start),
            end: SeqNumber(end),
        }
    }

    fn board(ranges: &[(u32, u32)]) -> Scoreboard {
        let mut board = Scoreboard::default();
        for &(start, end) in ranges {
            board.update(block(start, end), SeqNumber(0), SeqNumber(1000), 8);
        }
        board
    }

    #[test]
    fn an_update_counts_only_what_is_new() {
        let mut b = board(&[(100, 200), (300, 400)]);
        let mut update = |start, end| b.update(block(start, end), SeqNumber(0), SeqNumber(1000), 8);
        assert_eq!(update(100, 200), 0);
        assert_eq!(update(150, 350), 100);
        assert_eq!(update(900, 1001), 0);
        assert_eq!(update(0, 100), 0);
        assert_eq!(b.ranges, [block(100, 400)]);
    }

    #[test]
    fn three_ranges_or_two_segments_and_an_octet_above_make_a_hole_lost() {
        assert!(!board(&[(100, 300)]).head_is_lost(&flight(0)));
        assert!(board(&[(100, 301)]).head_is_lost(&flight(0)));
        assert!(!board(&[(100, 110), (200, 210)]).head_is_lost(&flight(0)));
        assert!(board(&[(100, 110), (200, 210), (300, 310)]).head_is_lost(&flight(0)));
    }

    #[test]
    fn the_pipe_holds_what_is_neither_held_nor_lost_and_what_was_sent_again() {
        let b = board(&[(100, 500)]);
        assert_eq!(b.pipe(&flight(0)), 500, "the head is lost, the tail is not");
        assert_eq!(b.pipe(&flight(100)), 600, "the head was sent again");
        assert_eq!(board(&[]).pipe(&flight(0)), 1000);
    }

    #[test]
    fn lost_holes_come_first_and_no_octet_twice() {
        let b = board(&[(100, 200), (350, 650)]);
        assert_eq!(b.next_hole(&flight(0), true), Some(block(0, 100)));
        assert_eq!(b.next_hole(&flight(100), true), Some(block(200, 300)));
        assert_eq!(b.next_hole(&flight(300), true), Some(block(300, 350)));
        assert_eq!(b.next_hole(&flight(350), true), None);
    }

    #[test]
    fn the_rescue_is_the_end_of_what_is_not_held() {
        assert_eq!(
            board(&[(100, 200)]).last_hole(&flight(0)),
            Some(block(900, 1000))
        );
        assert_eq!(
            board(&[(100, 200), (250, 1000)]).last_hole(&flight(0)),
            Some(block(200, 250))
        );
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
