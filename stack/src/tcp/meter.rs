//! What `TCP_INFO` tells that a connection does not need for itself: counts, and how long what has held it up. It
//! stands apart, and only connections whose profile asks for it keep it.

use xen_abi::Instant;

use crate::api::Counts;
use crate::tcp::connection::{Connection, Marks};
use crate::tcp::transmit::Plan;
use crate::wire::tcp::{Flags, Segment};

/// What keeps a sender from sending more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit {
    /// It has nothing to send.
    #[default]
    Nothing,
    /// The network: segments are out or may go.
    Network,
    /// The peer's window.
    PeerWindow,
    /// The application is held up by the send buffer.
    SendBuffer,
}

/// Counts and times of one connection.
#[derive(Debug)]
pub struct Meter {
    pub counts: Counts,
    /// When text last arrived; before, when the handshake was over.
    pub last_data: Instant,
    /// When an ACK last arrived.
    pub last_ack: Instant,
    limit: Limit,
    since: Instant,
    /// Time spent under each limit, in their order.
    spent: [u64; 4],
}

impl Meter {
    /// A connection that begins.
    pub fn new(now: Instant) -> Meter {
        Meter {
            counts: Counts::default(),
            last_data: now,
            last_ack: now,
            limit: Limit::Nothing,
            since: now,
            spent: [0; 4],
        }
    }

    /// From now on this is what limits.
    pub fn limited(&mut self, now: Instant, limit: Limit) {
        self.spent[self.limit as usize] += now.since(self.since);
        self.limit = limit;
        self.since = now;
    }

    /// Time spent under a limit.
    pub fn time(&self, now: Instant, limit: Limit) -> u64 {
        let running = if limit == self.limit {
            now.since(self.since)
        } else {
            0
        };
        self.spent[limit as usize] + running
    }

    /// A segment left.
    pub fn sent(&mut self, plan: &Plan, again: bool) {
        let counts = &mut self.counts;
        counts.segs_out = counts.segs_out.wrapping_add(1);
        counts.data_segs_out = counts.data_segs_out.wrapping_add(u32::from(plan.len > 0));
        counts.bytes_sent += u64::from(plan.len);
        if again {
            counts.total_retrans = counts.total_retrans.wrapping_add(1);
            counts.bytes_retrans += u64::from(plan.len);
        }
    }

    /// A segment arrived, with so many octets of text.
    pub fn arrived(&mut self, now: Instant, octets: usize, ack: bool) {
        let counts = &mut self.counts;
        counts.segs_in = counts.segs_in.wrapping_add(1);
        if octets > 0 {
            counts.data_segs_in = counts.data_segs_in.wrapping_add(1);
            self.last_data = now;
        }
        if ack {
            self.last_ack = now;
        }
    }

    /// The peer has so many octets more, `syn`: and our SYN. Segments of `smss` octets, the last one perhaps less.
    pub fn delivered(&mut self, octets: u32, syn: bool, smss: u32) {
        // What rode on the SYN is one segment with it.
        let segments = if syn { 1 } else { octets.div_ceil(smss.max(1)) };
        self.counts.delivered = self.counts.delivered.wrapping_add(segments);
        self.counts.bytes_acked += u64::from(octets);
    }
}

impl Connection {
    /// Something that may limit the sender has changed.
    #[inline]
    pub fn note_limit(&mut self, now: Instant) {
        if self.meter().is_some() {
            let limit = self.limit();
            if let Some(meter) = self.meter_mut() {
                meter.limited(now, limit);
            }
        }
    }

    /// A segment has arrived for this connection.
    #[inline]
    pub fn measure_arrival(&mut self, now: Instant, segment: &Segment<'_>) {
        let next = self.rcv.nxt;
        if let Some(meter) = self.meter_mut() {
            let octets = segment.payload.len();
            meter.arrived(now, octets, segment.flags().contains(Flags::ACK));
            let ahead = octets > 0 && segment.seq().gt(next);
            meter.counts.out_of_order += u32::from(ahead);
        }
    }

    fn limit(&self) -> Limit {
        let unsent = self.queued_unsent();
        let offered = self.snd.una.plus(self.snd.wnd).after(self.snd.nxt);
        if self.outbox.is_empty() {
            Limit::Nothing
        } else if unsent > 0 && offered < unsent.min(self.agreed.smss()) {
            Limit::PeerWindow
        } else if unsent == 0 && self.marks.contains(Marks::SEND_BLOCKED) {
            Limit::SendBuffer
        } else {
            Limit::Network
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_spent_under_one_limit_at_a_time() {
        let mut meter = Meter::new(Instant(0));
        meter.limited(Instant(10), Limit::PeerWindow);
        assert_eq!(meter.time(Instant(25), Limit::PeerWindow), 15);
        meter.limited(Instant(30), Limit::Network);
        meter.limited(Instant(35), Limit::Nothing);
        assert_eq!(meter.time(Instant(99), Limit::PeerWindow), 20);
        assert_eq!(meter.time(Instant(99), Limit::Network), 5);
        assert_eq!(meter.time(Instant(99), Limit::SendBuffer), 0);
    }

    #[test]
    fn data_on_the_syn_is_one_segment_with_it() {
        let mut meter = Meter::new(Instant(0));
        meter.delivered(1000, true, 1460);
        meter.delivered(2920, false, 1460);
        meter.delivered(1, false, 1460);
        assert_eq!(meter.counts.delivered, 4);
    }
}
