//! RACK (RFC 8985, section 6): a transmission is lost if one that was sent after it has arrived and the time in which
//! reordering could explain that is over. This is what RACK remembers; [`crate::tcp::flight`] does the marking.

use xen_abi::Instant;

use crate::profile::TcpProfile;
use crate::seq::SeqNumber;
use crate::tcp::flight::{Sent, SentMarks};

/// What lasts as long as the connection.
#[derive(Clone, Copy, Debug)]
pub struct Rack {
    /// RACK.min_RTT, microseconds, rounded up; the greatest number: nothing was measured.
    min_rtt: u32,
    /// RACK.reordering_seen, and how far it went in segments; 0: none was.
    reordering: u8,
    /// RACK.reo_wnd_mult
    steps: u8,
    /// RACK.reo_wnd_persist: recoveries until the window is small again.
    persist: u8,
    /// RACK.dsack_round: the next report of a duplicate counts when this is acknowledged.
    dsack_round: Option<SeqNumber>,
}

impl Default for Rack {
    fn default() -> Rack {
        Rack {
            min_rtt: u32::MAX,
            reordering: 0,
            steps: 1,
            persist: PERSIST,
            dsack_round: None,
        }
    }
}

/// Nanoseconds in a microsecond.
const US: u64 = 1_000;
/// RFC 8985, 6.2, step 4.
const PERSIST: u8 = 16;

/// The transmission sent last of those that have arrived, as long as something is out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latest {
    /// RACK.xmit_ts
    pub at: Instant,
    /// RACK.end_seq
    pub end: SeqNumber,
    /// RACK.rtt, once something has arrived.
    pub rtt: Option<u64>,
    /// RACK.fack: behind the highest octet that has arrived.
    fack: SeqNumber,
}

impl Latest {
    /// Nothing before `una` is out.
    pub fn new(una: SeqNumber) -> Latest {
        Latest {
            fack: una,
            ..Latest::default()
        }
    }
}

impl Rack {
    /// How many segments late a segment has been at most; 0: none was.
    pub fn reordering(&self) -> u8 {
        self.reordering
    }

    /// RACK.min_RTT, if anything was measured.
    pub fn min_rtt(&self) -> Option<u64> {
        (self.min_rtt < u32::MAX).then_some(u64::from(self.min_rtt) * US)
    }

    /// Step 1: a measurement other than a transmission's of [`Rack::delivered`].
    pub fn measured(&mut self, rtt: u64) {
        let rtt = u32::try_from(rtt.div_ceil(US)).unwrap_or(u32::MAX);
        self.min_rtt = self.min_rtt.min(rtt);
    }

    /// Steps 1 to 3: a transmission has arrived. `is_earlier`: the timestamp echoed says that an earlier transmission
    /// of the same octets has.
    pub fn delivered(
        &mut self,
        latest: &mut Latest,
        sent: &Sent,
        now: Instant,
        is_earlier: bool,
        smss: u32,
    ) {
        let rtt = now.since(sent.at);
        let repeated = sent.marks.contains(SentMarks::REPEATED);
        if sent.end.gt(latest.fack) {
            latest.fack = sent.end;
        } else if sent.end.lt(latest.fack) && !repeated {
            let segments = latest.fack.since(sent.start).div_ceil(smss.max(1));
            let segments = u8::try_from(segments).unwrap_or(u8::MAX);
            self.reordering = self.reordering.max(segments);
        }
        if !repeated {
            self.measured(rtt);
        } else if is_earlier || self.min_rtt().is_none_or(|least| rtt < least) {
            return;
        }
        if sent.at > latest.at || (sent.at == latest.at && sent.end.gt(latest.end)) {
            latest.at = sent.at;
            latest.end = sent.end;
            latest.rtt = Some(rtt);
        }
    }

    /// Step 4: the peer says that something was sent again for nothing: the window was too small. Once a round trip.
    pub fn duplicate_reported(&mut self, una: SeqNumber, max: SeqNumber) {
        // What lies beyond all that was sent was passed long ago.
        let over = |round: SeqNumber| una.ge(round) || round.gt(max);
        if self.dsack_round.is_none_or(over) {
            self.dsack_round = Some(max);
            self.steps = self.steps.saturating_add(1);
            self.persist = PERSIST;
        }
    }

    /// A recovery is over: after sixteen without a report the window is small again.
    pub fn recovered(&mut self) {
        self.persist = self.persist.saturating_sub(1);
        if self.persist == 0 {
            self.steps = 1;
        }
    }

    /// RACK_update_reo_wnd: how much later than another one a transmission may arrive and not be lost.
    pub fn reordering_window(&self, recovering: bool, held: u32, srtt: u64, p: &TcpProfile) -> u64 {
        let enough = recovering || held >= u32::from(p.dup_thresh);
        if enough && self.reordering == 0 {
            return 0;
        }
        let quarter = self.min_rtt().unwrap_or(0) / 4;
        quarter.saturating_mul(self.steps.into()).min(srtt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::MS;

    fn sent(n: u32, at: u64, repeated: bool) -> Sent {
        Sent {
            start: SeqNumber(n * 100),
            end: SeqNumber(n * 100 + 100),
            at: Instant(at * MS),
            marks: if repeated {
                SentMarks::REPEATED
            } else {
                SentMarks::default()
            },
        }
    }

    fn at(ms: u64) -> Instant {
        Instant(ms * MS)
    }

    fn window(rack: &Rack, held: u32) -> u64 {
        rack.reordering_window(false, held, 100 * MS, &TcpProfile::default()) / MS
    }

    #[test]
    fn the_window_is_a_quarter_of_the_least_round_trip_until_three_segments_are_held() {
        let (mut rack, mut latest) = (Rack::default(), Latest::default());
        rack.delivered(&mut latest, &sent(1, 0, false), at(100), false, 100);
        assert_eq!(window(&rack, 2), 25);
        assert_eq!(window(&rack, 3), 0);
    }

    #[test]
    fn once_reordering_was_seen_three_segments_are_not_enough() {
        let (mut rack, mut latest) = (Rack::default(), Latest::default());
        rack.delivered(&mut latest, &sent(5, 0, false), at(100), false, 100);
        rack.delivered(&mut latest, &sent(1, 0, false), at(101), false, 100);
        assert_eq!(window(&rack, 3), 25);
    }

    #[test]
    fn each_report_of_a_duplicate_widens_it_once_a_round_trip_up_to_the_round_trip_time() {
        let (mut rack, mut latest) = (Rack::default(), Latest::default());
        rack.delivered(&mut latest, &sent(1, 0, false), at(80), false, 100);
        rack.duplicate_reported(SeqNumber(0), SeqNumber(500));
        rack.duplicate_reported(SeqNumber(400), SeqNumber(900));
        assert_eq!(window(&rack, 0), 40);
        rack.duplicate_reported(SeqNumber(500), SeqNumber(900));
        assert_eq!(window(&rack, 0), 60);
        (0..9).for_each(|n| {
            rack.duplicate_reported(SeqNumber(900 + n), SeqNumber(900 + n));
        });
        assert_eq!(window(&rack, 0), 100);
        (0..15).for_each(|_| rack.recovered());
        assert_eq!(window(&rack, 0), 100);
        rack.recovered();
        assert_eq!(window(&rack, 0), 20);
    }

    #[test]
    fn a_report_counts_however_long_ago_the_last_one_was() {
        let (mut rack, mut latest) = (Rack::default(), Latest::default());
        rack.delivered(&mut latest, &sent(1, 0, false), at(80), false, 100);
        rack.duplicate_reported(SeqNumber(0), SeqNumber(500));
        let later = SeqNumber(500).plus(3 << 30);
        rack.duplicate_reported(later, later.plus(500));
        assert_eq!(window(&rack, 0), 60);
    }

    #[test]
    fn a_retransmission_whose_echo_is_older_or_that_arrived_too_soon_says_nothing() {
        let (mut rack, mut latest) = (Rack::default(), Latest::default());
        rack.delivered(&mut latest, &sent(1, 0, false), at(100), false, 100);
        rack.delivered(&mut latest, &sent(2, 90, true), at(150), false, 100);
        rack.delivered(&mut latest, &sent(2, 90, true), at(250), true, 100);
        assert_eq!(latest.at, at(0));
        rack.delivered(&mut latest, &sent(2, 90, true), at(250), false, 100);
        assert_eq!((latest.at, latest.rtt), (at(90), Some(160 * MS)));
    }
}
