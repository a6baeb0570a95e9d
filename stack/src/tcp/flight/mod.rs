//! What is out: a record for every transmission that is not acknowledged, in the order of its sequence numbers, and
//! from the records how much is under way ("pipe", RFC 6675) and what is to be sent again.
//!
//! Every way of finding losses ([`lost`]: three duplicate ACKs, RFC 6675's counting, RACK, the timer) only marks records;
//! the counters follow the marks, so that an ACK costs what it changes and not what is out. Records whose octets were never
//! sent again lie in the order of their times too, as new octets only ever follow old ones; retransmissions are queued
//! beside them in the order of theirs.

mod lost;

use alloc::collections::VecDeque;

use xen_abi::Instant;

use crate::seq::SeqNumber;
use crate::tcp::sack::Scoreboard;
use crate::wire::tcp_options::SackBlock;

bitflags::bitflags! {
    /// What is known of a record.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct SentMarks: u8 {
        /// The peer holds it (SACK).
        const HELD = 1;
        /// The transmission was lost; without `AGAIN` it is to be sent again.
        const LOST = 2;
        /// It was sent again, and that is under way.
        const AGAIN = 4;
        /// It was sent more than once: no measurement without timestamps (Karn), and its time is the latest one.
        const REPEATED = 8;
    }
}

/// A transmission: octets `[start, end)`, a FIN counted as one, and when they were sent last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub start: SeqNumber,
    pub end: SeqNumber,
    pub at: Instant,
    pub marks: SentMarks,
}

impl Sent {
    fn len(&self) -> u32 {
        self.end.since(self.start)
    }
    /// What it adds to the pipe (RFC 6675, SetPipe): once if the first transmission may still arrive, and once if a
    /// second one may.
    fn under_way(&self) -> u32 {
        if self.marks.is_empty() {
            return self.len();
        }
        if self.marks.contains(SentMarks::HELD) {
            return 0;
        }
        let first = u32::from(!self.marks.contains(SentMarks::LOST));
        let second = u32::from(self.marks.contains(SentMarks::AGAIN));
        self.len() * (first + second)
    }
    fn is_to_be_sent(&self) -> bool {
        let all = SentMarks::HELD | SentMarks::LOST | SentMarks::AGAIN;
        self.marks & all == SentMarks::LOST
    }
    /// Its octets that are to be sent again.
    fn again_due(&self) -> u32 {
        if self.is_to_be_sent() { self.len() } else { 0 }
    }
    /// RACK_sent_after (RFC 8985, 6.2, step 2), with the roles reversed: it was sent before the one that `end` ends.
    fn is_before(&self, at: Instant, end: SeqNumber) -> bool {
        self.at < at || (self.at == at && self.end.lt(end))
    }
}

/// Segments by what is known of them, as `TCP_INFO` tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub out: u32,
    /// Held by the peer.
    pub held: u32,
    /// Lost, sent again or not.
    pub lost: u32,
    /// Sent again and under way.
    pub again: u32,
}

/// All that is out.
#[derive(Default)]
pub struct Flight {
    sent: VecDeque<Sent>,
    /// Retransmissions, the earliest first; those that something has become of meanwhile included.
    again: VecDeque<Sent>,
    board: Scoreboard,
    /// Octets under way.
    pipe: u32,
    /// Octets to be sent again.
    lost: u32,
    /// Records that the peer holds.
    held: u32,
    /// Where the first record is that is to be sent again, if one is.
    lost_from: SeqNumber,
    /// Whatever was sent once and lies before this has been found lost or delivered.
    judged: SeqNumber,
    /// Octets that a peer without SACK must hold, as its duplicate ACKs say.
    guessed: u32,
    /// Something was held, lost, guessed or sent again since nothing was out.
    disturbed: bool,
}

impl Flight {
    /// Whether there is one record and no more.
    pub fn is_lone(&self) -> bool {
        self.sent.len() == 1
    }
    /// Behind the last octet that is out.
    pub fn end(&self) -> Option<SeqNumber> {
        self.sent.back().map(|s| s.end)
    }
    /// Octets under way.
    pub fn pipe(&self) -> u32 {
        self.pipe.saturating_sub(self.guessed)
    }
    /// If nothing is known of what is out but when it left: how many octets, and when the last of them left.
    #[inline]
    pub fn undisturbed(&self) -> Option<(u32, Instant)> {
        let last = self.sent.back()?;
        (!self.disturbed).then_some((self.pipe, last.at))
    }
    /// Octets to be sent again.
    pub fn lost(&self) -> u32 {
        self.lost
    }
    /// Segments that the peer holds beyond the cumulative acknowledgment.
    pub fn held(&self) -> u32 {
        self.held
    }
    /// Octets that a peer without SACK must hold.
    pub fn guessed(&self) -> u32 {
        self.guessed
    }
    /// Whether duplicate ACKs or SACK blocks say that the peer holds something.
    pub fn is_held_or_guessed(&self) -> bool {
        self.held > 0 || self.guessed > 0
    }

    /// How many segments are in which state, counted one by one, for whoever asks.
    pub fn tally(&self) -> Tally {
        let count = |mark| {
            let has = |s: &&Sent| s.marks.contains(mark);
            self.sent.iter().filter(has).count() as u32
        };
        Tally {
            out: self.sent.len() as u32,
            held: count(SentMarks::HELD),
            lost: count(SentMarks::LOST),
            again: count(SentMarks::AGAIN),
        }
    }

    /// New octets are sent. Beyond `limit` records they share the last one, whose time is then the later one.
    pub fn push(&mut self, start: SeqNumber, end: SeqNumber, now: Instant, limit: usize) {
        if self.sent.is_empty() {
            self.lost_from = start;
            self.judged = start;
        }
        let full = self.sent.len() >= limit;
        if let Some(last) = self.sent.back_mut() {
            assert_eq!(last.end, start, "what is out has no gaps");
            if full && last.marks.is_empty() {
                last.end = end;
                last.at = now;
                self.pipe += end.since(start);
                return;
            }
        }
        self.sent.push_back(Sent {
            start,
            end,
            at: now,
            marks: SentMarks::default(),
        });
        self.pipe += end.since(start);
    }

    /// Everything before `una` is acknowledged: shows each record, or the part of it, that was not known to be
    /// delivered.
    pub fn acknowledge(&mut self, una: SeqNumber, mut delivered: impl FnMut(&Sent)) {
        while let Some(first) = self.sent.front_mut() {
            let mut gone = *first;
            if gone.end.le(una) {
                self.pipe -= gone.under_way();
                if !gone.marks.is_empty() {
                    self.lost -= gone.again_due();
                    self.held -= u32::from(gone.marks.contains(SentMarks::HELD));
                }
                self.sent.pop_front();
            } else if gone.start.lt(una) {
                gone.end = una;
                self.change(0, |s| s.start = una);
            } else {
                break;
            }
            if !gone.marks.contains(SentMarks::HELD) {
                delivered(&gone);
            }
        }
        self.board.acknowledge(una);
        self.judged = self.judged.max(una);
        self.lost_from = self.lost_from.max(una);
        while self.again.front().is_some_and(|a| a.end.le(una)) {
            self.again.pop_front();
        }
        self.find_lost();
    }

    /// Update() (RFC 6675): the peer holds these octets. Shows each record that was not known to be held. Blocks
    /// outside of what is out are nonsense or old and ignored, as is what would make more than `limit` ranges or
    /// `records` records.
    pub fn hold(
        &mut self,
        block: SackBlock,
        limit: usize,
        records: usize,
        mut delivered: impl FnMut(&Sent),
    ) {
        let (Some(first), Some(last)) = (self.sent.front(), self.sent.back()) else {
            return;
        };
        let SackBlock { start, end } = block;
        if !(start.lt(end) && first.start.lt(start) && end.le(last.end)) {
            return;
        }
        if !(self.is_edge(start) && self.is_edge(end)) && self.sent.len() + 2 > records {
            return;
        }
        let Some(new) = self.board.update(block, limit) else {
            return;
        };
        self.split(new.start);
        self.split(new.end);
        let mut i = self.index(new.start);
        while let Some(&sent) = self.sent.get(i).filter(|s| s.start.lt(new.end)) {
            if !sent.marks.contains(SentMarks::HELD) {
                delivered(&sent);
                self.change(i, |s| {
                    s.marks -= SentMarks::LOST | SentMarks::AGAIN;
                    s.marks |= SentMarks::HELD;
                });
                self.held += 1;
            }
            i += 1;
        }
        self.find_lost();
    }

    /// The next octets to send again, `[start, end)`, in a segment of at most `full` octets. A record that fits behind
    /// another one shares its segment; one that could not be sent whole anyway fills it up.
    pub fn next_lost(&self, full: u32) -> Option<SackBlock> {
        if self.lost == 0 {
            return None;
        }
        let mut i = self.index(self.lost_from);
        let start = self.sent[i].start;
        assert!(self.sent[i].is_to_be_sent(), "found when it was marked");
        let most = start.plus(full);
        let mut end = start;
        while let Some(sent) = self.sent.get(i).filter(|s| s.is_to_be_sent()) {
            if end != start && sent.end.gt(most) && sent.len() <= full {
                break;
            }
            end = sent.end.min(most);
            if end == most {
                break;
            }
            i += 1;
        }
        Some(SackBlock { start, end })
    }

    /// The last octets that are out, at most `full`, unless the peer holds them.
    pub fn last(&self, full: u32) -> Option<SackBlock> {
        let last = self.sent.back()?;
        let start = last.start.max(last.end.minus(full.min(last.len())));
        (!last.marks.contains(SentMarks::HELD)).then_some(SackBlock {
            start,
            end: last.end,
        })
    }

    /// The octets `[start, end)` are sent again.
    pub fn sent_again(&mut self, start: SeqNumber, end: SeqNumber, now: Instant) {
        self.split(start);
        self.split(end);
        let mut i = self.index(start);
        while self.sent.get(i).is_some_and(|s| s.start.lt(end)) {
            self.change(i, |s| {
                s.at = now;
                s.marks |= SentMarks::AGAIN | SentMarks::REPEATED;
            });
            i += 1;
        }
        self.again.push_back(Sent {
            start,
            end,
            at: now,
            marks: SentMarks::AGAIN,
        });
        self.find_lost();
    }

    /// A duplicate ACK of a peer without SACK: it holds a segment more.
    pub fn guess(&mut self, octets: u32) {
        self.disturbed = true;
        self.guessed = self.guessed.saturating_add(octets).min(self.pipe);
    }

    /// An ACK of so many octets has delivered the first segment and what was guessed to lie behind it.
    pub fn correct_guess(&mut self, acked: u32, smss: u32) {
        self.guessed = self.guessed.saturating_sub(acked.saturating_sub(smss));
        self.guessed = self.guessed.min(self.pipe);
    }

    /// Nothing is guessed any more.
    pub fn forget_guess(&mut self) {
        self.guessed = 0;
    }

    /// Empties it for another connection; memory that only a large flight needs is given back.
    pub fn reset(&mut self) {
        self.sent.clear();
        self.again.clear();
        if self.sent.capacity() > 64 || self.again.capacity() > 16 {
            self.sent.shrink_to(64);
            self.again.shrink_to(16);
        }
        self.board.clear();
        self.pipe = 0;
        self.lost = 0;
        self.held = 0;
        self.guessed = 0;
        self.disturbed = false;
    }

    /// The record that holds `at`, or the number of records.
    fn index(&self, at: SeqNumber) -> usize {
        self.sent.partition_point(|s| s.end.le(at))
    }

    /// Whether a record begins or ends at `at`.
    fn is_edge(&self, at: SeqNumber) -> bool {
        self.sent.get(self.index(at)).is_none_or(|s| s.start == at)
    }

    /// Makes two records of the one that holds `at`, unless it begins there.
    fn split(&mut self, at: SeqNumber) {
        let i = self.index(at);
        let Some(sent) = self.sent.get_mut(i).filter(|s| s.start.lt(at)) else {
            return;
        };
        let rest = Sent { start: at, ..*sent };
        sent.end = at;
        self.held += u32::from(rest.marks.contains(SentMarks::HELD));
        self.sent.insert(i + 1, rest);
    }

    /// Changes a record, and the counters with it.
    fn change(&mut self, i: usize, change: impl FnOnce(&mut Sent)) {
        self.disturbed = true;
        let sent = &mut self.sent[i];
        let (pipe, to_be_sent) = (sent.under_way(), sent.again_due());
        change(sent);
        self.pipe = self.pipe - pipe + sent.under_way();
        self.lost = self.lost - to_be_sent + sent.again_due();
    }

    /// Moves on to the first record that is to be sent again.
    fn find_lost(&mut self) {
        if self.lost == 0 {
            return;
        }
        let mut i = self.index(self.lost_from);
        while !self.sent[i].is_to_be_sent() {
            i += 1;
        }
        self.lost_from = self.sent[i].start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const SEGMENT: u32 = 100;

    /// Segments of 100 octets from 0 on, a nanosecond apart.
    fn flight(segments: u32) -> Flight {
        let mut flight = Flight::default();
        for n in 0..segments {
            let start = SeqNumber(n * SEGMENT);
            flight.push(start, start.plus(SEGMENT), Instant(n.into()), 1000);
        }
        flight
    }

    fn block(start: u32, end: u32) -> SackBlock {
        SackBlock {
            start: SeqNumber(start),
            end: SeqNumber(end),
        }
    }

    fn hold(flight: &mut Flight, start: u32, end: u32) -> Vec<(u32, u32)> {
        let mut seen = Vec::new();
        flight.hold(block(start, end), 8, 1000, |s| {
            seen.push((s.start.0, s.end.0))
        });
        seen
    }

    #[test]
    fn the_pipe_holds_what_is_neither_held_nor_lost_and_what_was_sent_again() {
        let mut f = flight(10);
        assert_eq!(f.pipe(), 1000);
        hold(&mut f, 100, 500);
        assert_eq!(f.pipe(), 600);
        f.lose_by_count(3, SEGMENT);
        assert_eq!((f.pipe(), f.lost()), (500, 100));
        f.sent_again(SeqNumber(0), SeqNumber(100), Instant(50));
        assert_eq!((f.pipe(), f.lost()), (600, 0));
    }

    #[test]
    fn each_octet_is_delivered_once() {
        let mut f = flight(4);
        assert_eq!(hold(&mut f, 150, 300), [(150, 200), (200, 300)]);
        assert_eq!(hold(&mut f, 100, 350), [(100, 150), (300, 350)]);
        let mut seen = Vec::new();
        f.acknowledge(SeqNumber(400), |s| seen.push((s.start.0, s.end.0)));
        assert_eq!(seen, [(0, 100), (350, 400)]);
        assert!(f.sent.is_empty());
    }

    #[test]
    fn blocks_outside_of_what_is_out_are_ignored() {
        let mut f = flight(3);
        for (start, end) in [(0, 100), (200, 301), (200, 200), (300, 200)] {
            assert!(hold(&mut f, start, end).is_empty(), "{start}:{end}");
        }
    }

    #[test]
    fn only_what_is_lost_is_sent_again_and_no_octet_twice() {
        let mut f = flight(10);
        hold(&mut f, 100, 200);
        hold(&mut f, 350, 650);
        f.lose_by_count(3, SEGMENT);
        for wanted in [(0, 100), (200, 300), (300, 350)] {
            let next = f.next_lost(SEGMENT).expect("more is lost");
            assert_eq!((next.start.0, next.end.0), wanted);
            f.sent_again(next.start, next.end, Instant(50));
        }
        assert_eq!(f.next_lost(SEGMENT), None);
    }

    #[test]
    fn small_records_share_a_segment_and_large_ones_are_cut() {
        let mut f = flight(3);
        f.lose_all();
        assert_eq!(f.next_lost(250), Some(block(0, 200)));
        f.sent_again(SeqNumber(0), SeqNumber(60), Instant(9));
        assert_eq!(f.next_lost(60), Some(block(60, 120)));
    }

    #[test]
    fn what_was_sent_before_what_arrived_and_is_old_enough_is_lost() {
        let mut f = flight(10);
        hold(&mut f, 500, 600);
        let overdue = f.lose_overdue(Instant(5), SeqNumber(600), 10, Instant(12));
        assert_eq!((overdue.lost, overdue.wait), (300, Some(2)));
        let overdue = f.lose_overdue(Instant(5), SeqNumber(600), 10, Instant(14));
        assert_eq!((overdue.lost, overdue.wait), (200, None));
    }

    #[test]
    fn a_retransmission_is_found_lost_by_what_was_sent_after_it() {
        let mut f = flight(4);
        f.lose_all();
        f.sent_again(SeqNumber(0), SeqNumber(100), Instant(20));
        f.sent_again(SeqNumber(100), SeqNumber(200), Instant(21));
        hold(&mut f, 100, 200);
        let overdue = f.lose_overdue(Instant(21), SeqNumber(200), 10, Instant(29));
        assert_eq!(overdue.wait, Some(1));
        let overdue = f.lose_overdue(Instant(21), SeqNumber(200), 10, Instant(30));
        assert_eq!(overdue.lost, 100);
        assert_eq!(f.next_lost(SEGMENT), Some(block(0, 100)));
    }

    #[test]
    fn what_the_peer_takes_back_is_lost() {
        let mut f = flight(4);
        hold(&mut f, 100, 300);
        f.acknowledge(SeqNumber(100), |_| {});
        assert!(f.forget_if_reneged(SeqNumber(100)));
        assert_eq!((f.lost(), f.pipe(), f.held()), (200, 100, 0));
        assert!(!f.forget_if_reneged(SeqNumber(100)));
    }

    #[test]
    fn beyond_the_limit_records_are_shared_and_blocks_that_would_cut_one_ignored() {
        let mut f = Flight::default();
        for n in 0..10 {
            f.push(SeqNumber(n), SeqNumber(n + 1), Instant(n.into()), 3);
        }
        assert_eq!(f.sent.len(), 3);
        f.hold(block(4, 6), 8, 3, |_| panic!("no place"));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Push(u8),
        Ack(u16),
        Hold(u16, u8),
        Count,
        Clock(u8),
        Timeout(u8),
        Again(u8),
        FindAll,
        Renege,
    }

    fn steps() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => any::<u8>().prop_map(Step::Push),
            3 => any::<u16>().prop_map(Step::Ack),
            6 => (any::<u16>(), any::<u8>()).prop_map(|(a, b)| Step::Hold(a, b)),
            2 => Just(Step::Count),
            4 => any::<u8>().prop_map(Step::Clock),
            1 => any::<u8>().prop_map(Step::Timeout),
            6 => any::<u8>().prop_map(Step::Again),
            1 => Just(Step::FindAll),
            1 => Just(Step::Renege),
        ]
    }

    /// The counters are what the marks say, and the scoreboard's ranges are the records that are held.
    fn check(f: &Flight, una: SeqNumber) {
        let sum = |of: fn(&Sent) -> u32| f.sent.iter().map(of).sum::<u32>();
        assert_eq!(f.pipe, sum(Sent::under_way));
        assert_eq!(f.lost, sum(|s| if s.is_to_be_sent() { s.len() } else { 0 }));
        let held = |s: &Sent| s.marks.contains(SentMarks::HELD);
        assert_eq!(f.held as usize, f.sent.iter().filter(|s| held(s)).count());
        let mut at = una;
        for sent in &f.sent {
            assert_eq!(sent.start, at);
            assert!(sent.len() > 0);
            assert_eq!(held(sent), f.board.held_until(sent.start).is_some());
            at = sent.end;
        }
        let first = f.sent.iter().find(|s| s.is_to_be_sent());
        assert_eq!(f.next_lost(80).map(|b| b.start), first.map(|s| s.start));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn the_counters_are_what_the_marks_say(steps in proptest::collection::vec(steps(), 0..80)) {
            let mut f = Flight::default();
            let (mut una, mut max, mut now) = (SeqNumber(u32::MAX - 500), SeqNumber(u32::MAX - 500), 0u64);
            for step in steps {
                now += 1;
                let out = max.since(una);
                match step {
                    Step::Push(n) => {
                        let end = max.plus(1 + u32::from(n));
                        f.push(max, end, Instant(now), 40);
                        max = end;
                    }
                    Step::Ack(n) => {
                        una = una.plus(u32::from(n) % (out + 1));
                        f.acknowledge(una, |_| {});
                        f.forget_if_reneged(una);
                    }
                    Step::Hold(at, len) => {
                        let start = una.plus(u32::from(at) % (out + 1));
                        f.hold(SackBlock { start, end: start.plus(len.into()) }, 6, 60, |_| {});
                    }
                    Step::Count => f.lose_by_count(3, 100),
                    Step::Clock(age) => {
                        f.lose_overdue(Instant(now), max, age.into(), Instant(now));
                    }
                    Step::Timeout(age) => f.lose_at_timeout(age.into(), Instant(now)),
                    Step::Again(full) => {
                        if let Some(b) = f.next_lost(1 + u32::from(full)) {
                            f.sent_again(b.start, b.end, Instant(now));
                        }
                    }
                    Step::FindAll => f.find_all(),
                    Step::Renege => {
                        if let Some(start) = f.sent.iter().find(|s| s.marks.contains(SentMarks::HELD)).map(|s| s.start) {
                            una = start;
                            f.acknowledge(una, |_| {});
                            assert!(f.forget_if_reneged(una));
                        }
                    }
                }
                check(&f, una);
            }
        }
    }
}
