//! Delayed acknowledgments (RFC 9293, 3.8.6.3; RFC 5681, 4.2): an ACK at least for every second full-sized segment,
//! and for anything within less than half a second.

use crate::profile::TcpProfile;

/// Whether an ACK is owed to the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owed {
    #[default]
    Nothing,
    /// When the timer expires, or with the next segment.
    Delayed,
    /// With the next chance to transmit.
    Now,
}

/// What has arrived since the last ACK.
#[derive(Clone, Copy, Debug, Default)]
pub struct AckState {
    pub owed: Owed,
    /// The largest segment seen: the peer's idea of full-sized.
    largest: u16,
    octets: u32,
    /// Segments that were acknowledged at once because the connection was young.
    quick: u8,
}

impl AckState {
    /// Text arrived in order; no segment is larger than `mss`.
    pub fn text(&mut self, octets: usize, mss: u16, profile: &TcpProfile) {
        self.largest = self.largest.max(octets.min(usize::from(mss)) as u16);
        self.octets = self.octets.saturating_add(octets as u32);
        let enough = self.octets >= profile.ack_every_segments * u32::from(self.largest);
        let second = profile.ack_any_second && self.owed == Owed::Delayed;
        let young = self.quick < profile.quick_acks;
        self.quick += u8::from(young);
        if enough || second || young {
            self.owed = Owed::Now;
        } else if self.owed == Owed::Nothing {
            self.owed = Owed::Delayed;
        }
    }
    /// The largest segment seen, octets of text.
    pub fn largest(&self) -> u32 {
        u32::from(self.largest)
    }
    /// An ACK is due at once.
    pub fn now(&mut self) {
        self.owed = Owed::Now;
    }
    /// An ACK left.
    pub fn sent(&mut self) {
        self.owed = Owed::Nothing;
        self.octets = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_full_sized_segment_is_acknowledged_at_once() {
        let profile = TcpProfile::default();
        let mut ack = AckState::default();
        ack.text(1000, 1460, &profile);
        assert_eq!(ack.owed, Owed::Delayed);
        ack.text(1000, 1460, &profile);
        assert_eq!(ack.owed, Owed::Now);
        ack.sent();
        ack.text(10, 1460, &profile);
        assert_eq!(ack.owed, Owed::Delayed);
    }

    #[test]
    fn a_profile_may_acknowledge_any_second_segment_and_the_first_ones_at_once() {
        let profile = TcpProfile {
            ack_any_second: true,
            quick_acks: 1,
            ..TcpProfile::default()
        };
        let mut ack = AckState::default();
        let owed = [1000, 10, 10].map(|octets| {
            ack.text(octets, 1460, &profile);
            let owed = ack.owed;
            if owed == Owed::Now {
                ack.sent();
            }
            owed
        });
        assert_eq!(owed, [Owed::Now, Owed::Delayed, Owed::Now]);
    }
}
