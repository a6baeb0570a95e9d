//! The ways of finding losses: each marks records, and what is marked is to be sent again.

use xen_abi::Instant;

use super::{Flight, Sent, SentMarks};
use crate::seq::SeqNumber;
use crate::tcp::sack::Scoreboard;

/// What RACK finds by the clock (RFC 8985, 6.2, step 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// Octets that are lost, which was not known.
    pub lost: u32,
    /// So long until more is.
    pub wait: Option<u64>,
}

impl Flight {
    /// The first record is lost, unless it is under way again.
    pub fn lose_head(&mut self) {
        let first = self.sent.front();
        if first.is_some_and(|s| !s.marks.intersects(SentMarks::AGAIN | SentMarks::HELD)) {
            self.lose(0);
        }
    }

    /// IsLost() (RFC 6675) for everything that was sent once: DupThresh ranges held above, or more than DupThresh − 1
    /// segments' octets.
    pub fn lose_by_count(&mut self, dup_thresh: u8, smss: u32) {
        let below = self.board.lost_below(dup_thresh, smss);
        let Some(end) = below else {
            return;
        };
        let mut i = self.index(self.judged);
        while let Some(&sent) = self.sent.get(i).filter(|s| s.start.lt(end)) {
            if sent.marks.is_empty() {
                self.lose(i);
            }
            i += 1;
        }
        self.judged = self.judged.max(end);
    }

    /// RACK_detect_loss (RFC 8985, 6.2, step 5): whatever was sent before the transmission of (`at`, `end`) and is
    /// older than `age` is lost.
    pub fn lose_overdue(&mut self, at: Instant, end: SeqNumber, age: u64, now: Instant) -> Overdue {
        let before = self.lost;
        let mut wait = None;
        let rest = |sent: &Sent| sent.at.plus(age).since(now);
        // What was sent once. Ranges that the peer holds are stepped over whole.
        let mut i = self.index(self.judged);
        while let Some(&sent) = self.sent.get(i) {
            if sent.marks.contains(SentMarks::HELD) {
                i = match self.board.held_until(sent.start) {
                    Some(end) => self.index(end).max(i + 1),
                    None => i + 1,
                };
            } else {
                if sent.marks.is_empty() {
                    if !sent.is_before(at, end) {
                        break;
                    }
                    match rest(&sent) {
                        0 => self.lose(i),
                        more => wait = wait.max(Some(more)),
                    }
                }
                i += 1;
            }
            if wait.is_none() {
                self.judged = self.sent[i - 1].end;
            }
        }
        // What was sent again.
        let mut i = 0;
        while let Some(&again) = self.again.get(i) {
            if !self.is_under_way(&again) {
                // Something has become of it; behind one that waits it is left where it is.
                if i == 0 {
                    self.again.pop_front();
                } else {
                    i += 1;
                }
            } else if !again.is_before(at, end) {
                break;
            } else if rest(&again) == 0 {
                self.lose_again(&again);
                self.again.pop_front();
            } else {
                wait = wait.max(Some(rest(&again)));
                i += 1;
            }
        }
        Overdue {
            lost: self.lost - before,
            wait,
        }
    }

    /// The timer expired: the first record is lost, and of the others those that are older than `age` (RFC 8985, 6.3).
    pub fn lose_at_timeout(&mut self, age: u64, now: Instant) {
        self.lose_where(|i, sent| i == 0 || sent.at.plus(age) <= now);
    }

    /// All that the peer does not hold is lost.
    pub fn lose_all(&mut self) {
        self.lose_where(|_, _| true);
    }

    /// What is marked lost was not, as it turned out: it is under way, or delivered.
    pub fn find_all(&mut self) {
        for i in 0..self.sent.len() {
            self.change(i, |s| s.marks -= SentMarks::LOST);
        }
        if let Some(first) = self.sent.front() {
            self.judged = first.start;
        }
    }

    /// Whether the peer took back what it held, as an acknowledgment of `una` says (RFC 2018, section 8). Then nothing
    /// that it holds counts any more, and all of it is lost.
    pub fn forget_if_reneged(&mut self, una: SeqNumber) -> bool {
        if !self.board.reneged(una) {
            return false;
        }
        self.board = Scoreboard::default();
        for i in 0..self.sent.len() {
            if self.sent[i].marks.contains(SentMarks::HELD) {
                self.held -= 1;
                self.change(i, |s| s.marks -= SentMarks::HELD);
                self.lose(i);
            }
        }
        true
    }

    fn lose_where(&mut self, is_lost: impl Fn(usize, &Sent) -> bool) {
        for i in 0..self.sent.len() {
            let sent = &self.sent[i];
            if !sent.marks.contains(SentMarks::HELD) && is_lost(i, sent) {
                self.lose(i);
            }
        }
        self.guessed = 0;
    }

    fn lose(&mut self, i: usize) {
        let start = self.sent[i].start;
        self.lost_from = if self.lost == 0 {
            start
        } else {
            self.lost_from.min(start)
        };
        self.change(i, |s| {
            s.marks -= SentMarks::AGAIN;
            s.marks |= SentMarks::LOST;
        });
    }

    /// Whether any of a retransmission's octets are still under way.
    fn is_under_way(&self, again: &Sent) -> bool {
        let from = self.sent.range(self.index(again.start)..);
        from.take_while(|s| s.start.lt(again.end))
            .any(|s| s.marks.contains(SentMarks::AGAIN) && s.at == again.at)
    }

    fn lose_again(&mut self, again: &Sent) {
        let mut i = self.index(again.start);
        while let Some(sent) = self.sent.get(i).filter(|s| s.start.lt(again.end)) {
            if sent.marks.contains(SentMarks::AGAIN) && sent.at == again.at {
                self.lose(i);
            }
            i += 1;
        }
    }
}
