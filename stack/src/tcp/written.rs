//! What an application has said about octets that it wrote: that a record ends (`MSG_EOR`), that it wants to know when
//! they are free (`MSG_ZEROCOPY`), or when they were sent and acknowledged (`SO_TIMESTAMPING`); and the error queue on
//! which it is told. Marks stand at sequence numbers, as the octets do. Only connections that say such things keep them.

use alloc::collections::VecDeque;

use xen_abi::Instant;

use crate::api::{Report, Stage};
use crate::seq::SeqNumber;
use crate::tcp::connection::{Connection, Marks};

/// Marks of each kind that a connection keeps, and reports that wait: beyond, the oldest report is dropped.
const MOST: usize = 1024;

bitflags::bitflags! {
    /// `SOF_TIMESTAMPING_*`, as far as they mean something here.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Stamping: u32 {
        const TX_SOFTWARE = 1 << 1;
        const SOFTWARE = 1 << 4;
        const OPT_ID = 1 << 7;
        const TX_SCHED = 1 << 8;
        const TX_ACK = 1 << 9;
        const OPT_TSONLY = 1 << 11;
    }
}

/// The last octet of a write is watched.
#[derive(Clone, Copy, Debug)]
struct Watched {
    /// Behind it.
    end: SeqNumber,
    /// What the application knows it by.
    key: u32,
    sent: bool,
}

/// Marks and reports of one connection.
#[derive(Debug, Default)]
pub struct Written {
    /// Behind the last octet of each record.
    records: VecDeque<SeqNumber>,
    /// Writes whose memory the application wants back: behind the last octet, and its number.
    lent: VecDeque<(SeqNumber, u32)>,
    next_lent: u32,
    watched: VecDeque<Watched>,
    stamping: Stamping,
    /// Where keys are counted from.
    key_base: SeqNumber,
    reports: VecDeque<Report>,
}

impl Written {
    /// Tells the application.
    fn report(&mut self, report: Report) {
        if let (
            Report::ZeroCopy { first, last },
            Some(Report::ZeroCopy {
                last: last_before, ..
            }),
        ) = (report, self.reports.back_mut())
            && last_before.wrapping_add(1) == first
        {
            *last_before = last;
            return;
        }
        if self.reports.len() == MOST {
            self.reports.pop_front();
        }
        self.reports.push_back(report);
    }
}

/// What a write says about its octets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Says {
    pub record_ends: bool,
    pub lent: bool,
}

impl Connection {
    /// The application wants to know of writes from now on (`SO_TIMESTAMPING`).
    pub fn watch_writes(&mut self, flags: u32) {
        let stamping = Stamping::from_bits_truncate(flags);
        if stamping.is_empty() && self.written().is_none() {
            return;
        }
        let una = self.snd.buffer_start();
        let written = self.written_or_new();
        if stamping.contains(Stamping::OPT_ID) && !written.stamping.contains(Stamping::OPT_ID) {
            written.key_base = una;
        }
        written.stamping = stamping;
    }

    /// So much was written that `end` stands behind it.
    pub fn note_write(&mut self, end: SeqNumber, says: Says) {
        if self.written().is_none() && !says.record_ends && !says.lent {
            return;
        }
        let written = self.written_or_new();
        if says.record_ends && written.records.len() < MOST {
            written.records.push_back(end);
        }
        if says.lent && written.lent.len() < MOST {
            written.lent.push_back((end, written.next_lent));
            written.next_lent = written.next_lent.wrapping_add(1);
        }
        let asked = Stamping::TX_SOFTWARE | Stamping::TX_SCHED | Stamping::TX_ACK;
        if written.stamping.intersects(asked) && written.watched.len() < MOST {
            written.watched.push_back(Watched {
                end,
                key: end.minus(1).since(written.key_base),
                sent: false,
            });
        }
    }

    /// How many of the `len` octets from `start` on may be in one segment: it does not go past the end of a record.
    #[inline]
    pub fn within_record(&self, start: SeqNumber, len: u32) -> u32 {
        match self.written() {
            None => len,
            Some(written) => {
                let mut ends = written.records.iter();
                let end = ends.find(|end| end.gt(start));
                end.map_or(len, |end| end.since(start).min(len))
            }
        }
    }

    /// Whether a record ends before `end`, or there.
    #[inline]
    pub fn ends_record(&self, end: SeqNumber) -> bool {
        let written = self.written();
        written.is_some_and(|w| w.records.contains(&end))
    }

    /// The device has taken all octets before `end`.
    pub fn note_sent(&mut self, now: Instant, end: SeqNumber) {
        let Some(written) = self.written_mut() else {
            return;
        };
        let mut news = false;
        for at in 0..written.watched.len() {
            let watched = &mut written.watched[at];
            if watched.end.gt(end) {
                break;
            }
            if !core::mem::replace(&mut watched.sent, true) {
                let key = watched.key;
                for (flag, stage) in [
                    (Stamping::TX_SCHED, Stage::Scheduled),
                    (Stamping::TX_SOFTWARE, Stage::Sent),
                ] {
                    if written.stamping.contains(flag) {
                        written.report(Report::Stamp {
                            stage,
                            key,
                            at: now,
                        });
                        news = true;
                    }
                }
            }
        }
        if news {
            self.marks |= Marks::NEWS | Marks::NEWS_ERROR;
        }
    }

    /// The peer has acknowledged all octets before `una`.
    pub fn note_acknowledged(&mut self, now: Instant, una: SeqNumber) {
        let Some(written) = self.written_mut() else {
            return;
        };
        let before = written.reports.len();
        let mut news = false;
        while written.records.front().is_some_and(|end| end.le(una)) {
            written.records.pop_front();
        }
        while let Some(&(end, number)) = written.lent.front()
            && end.le(una)
        {
            written.lent.pop_front();
            written.report(Report::ZeroCopy {
                first: number,
                last: number,
            });
            news = true;
        }
        while let Some(&watched) = written.watched.front()
            && watched.end.le(una)
        {
            written.watched.pop_front();
            if written.stamping.contains(Stamping::TX_ACK) {
                written.report(Report::Stamp {
                    stage: Stage::Acknowledged,
                    key: watched.key,
                    at: now,
                });
            }
        }
        if news || written.reports.len() > before {
            self.marks |= Marks::NEWS | Marks::NEWS_ERROR;
        }
    }

    /// Nothing that is queued will be sent any more: the application has its memory back.
    pub fn forget_writes(&mut self) {
        let Some(written) = self.written_mut() else {
            return;
        };
        written.records.clear();
        written.watched.clear();
        while let Some((_, number)) = written.lent.pop_front() {
            written.report(Report::ZeroCopy {
                first: number,
                last: number,
            });
        }
    }

    /// The oldest report that the application has not seen, and whether it comes without the octets it is about.
    pub fn next_report(&mut self) -> Option<Report> {
        self.written_mut()?.reports.pop_front()
    }

    /// Whether the application has something to learn.
    pub fn has_reports(&self) -> bool {
        let written = self.written();
        written.is_some_and(|w| !w.reports.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_lent_memory_grow_together_and_are_bounded() {
        let mut written = Written::default();
        let lent = |number| Report::ZeroCopy {
            first: number,
            last: number,
        };
        for number in [0, 1, 2, 5] {
            written.report(lent(number));
        }
        let merged = Report::ZeroCopy { first: 0, last: 2 };
        assert_eq!(written.reports, [merged, lent(5)]);
        for number in 0..2 * MOST as u32 {
            written.report(lent(2 * number));
        }
        assert_eq!(written.reports.len(), MOST);
    }
}
