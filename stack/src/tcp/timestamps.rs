//! The timestamps option (RFC 7323): what to echo, and PAWS, which refuses a segment older than the last one of its
//! place in the sequence space.

use xen_abi::Instant;

use crate::profile::{MS, SEC};
use crate::seq::SeqNumber;

/// RFC 7323, 5.5: after 24 days without a segment TS.Recent says nothing any more.
const OUTDATED: u64 = 24 * 86_400 * SEC;

/// A connection's timestamps.
#[derive(Default)]
pub struct Stamps {
    /// TS.Recent: what to echo.
    pub recent: u32,
    recent_at: Instant,
    /// Last.ACK.sent
    pub last_ack_sent: SeqNumber,
    /// Where our clock began: secret, so that nobody learns the uptime (RFC 7323, 7.1).
    pub offset: u32,
}

impl Stamps {
    /// Nothing received yet; our clock begins at `offset`.
    pub fn new(offset: u32) -> Stamps {
        Stamps {
            offset,
            ..Stamps::default()
        }
    }

    /// Our clock, in milliseconds.
    pub fn clock(&self, now: Instant) -> u32 {
        ((now.0 / MS) as u32).wrapping_add(self.offset)
    }

    /// The age of our own stamp `echo`, if it can be one of ours.
    pub fn age(&self, echo: u32, now: Instant) -> Option<u64> {
        let age = self.clock(now).wrapping_sub(echo);
        (echo != 0 && age < 1 << 31).then(|| u64::from(age) * MS)
    }

    /// PAWS (RFC 7323, 5.3 R1): whether the stamp is older than the latest one.
    pub fn is_old(&self, value: u32, now: Instant) -> bool {
        SeqNumber(value).lt(SeqNumber(self.recent)) && now.since(self.recent_at) < OUTDATED
    }

    /// RFC 7323, 4.3: the stamp of a segment that begins at or before the last ACK sent is the one to echo.
    pub fn update(&mut self, value: u32, seq: SeqNumber, now: Instant) {
        if seq.le(self.last_ack_sent) && !self.is_old(value, now) {
            self.set(value, now);
        }
    }

    /// The first stamp, of the SYN.
    pub fn set(&mut self, value: u32, now: Instant) {
        self.recent = value;
        self.recent_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_stamp_is_old_across_the_wrap_too() {
        let mut stamps = Stamps::default();
        stamps.set(3, Instant(0));
        assert!(stamps.is_old(u32::MAX, Instant(0)));
        assert!(!stamps.is_old(3, Instant(0)) && !stamps.is_old(4, Instant(0)));
    }

    #[test]
    fn after_twenty_four_days_no_stamp_is_old() {
        let mut stamps = Stamps::default();
        stamps.set(3, Instant(0));
        assert!(!stamps.is_old(2, Instant(OUTDATED)));
    }

    #[test]
    fn a_segment_beyond_the_last_ack_does_not_change_the_echo() {
        let mut stamps = Stamps {
            last_ack_sent: SeqNumber(100),
            ..Stamps::default()
        };
        stamps.update(7, SeqNumber(101), Instant(0));
        assert_eq!(stamps.recent, 0);
        stamps.update(7, SeqNumber(100), Instant(0));
        assert_eq!(stamps.recent, 7);
    }

    #[test]
    fn a_stamp_from_the_future_has_no_age() {
        let stamps = Stamps::default();
        assert_eq!(stamps.age(5, Instant(9 * MS)), Some(4 * MS));
        assert_eq!(stamps.age(10, Instant(9 * MS)), None);
        assert_eq!(stamps.age(0, Instant(9 * MS)), None);
    }
}
