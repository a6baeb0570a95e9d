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
    /// The same, and nothing is to ride on it: a challenge (RFC 5961).
    Challenge,
}

/// What has arrived since the last ACK.
#[derive(Clone, Copy, Debug, Default)]
pub struct AckState {
    pub owed: Owed,
    /// The largest segment seen: the peer's idea of full-sized.
    largest: u16,
    octets: u32,
    /// Segments that are still acknowledged at once.
    quick: u8,
}

impl AckState {
    /// The connection begins.
    pub fn new(profile: &TcpProfile) -> AckState {
        AckState {
            quick: profile.acks.quick,
            ..AckState::default()
        }
    }
    /// The application answers, so acknowledgments can wait for its answers.
    pub fn is_interactive(&mut self) {
        self.quick = 0;
    }
    /// Text arrived in order; no segment is larger than `mss`.
    pub fn text(&mut self, octets: usize, mss: u16, profile: &TcpProfile) {
        self.largest = self.largest.max(octets.min(usize::from(mss)) as u16);
        self.octets = self.octets.saturating_add(octets as u32);
        let second = profile.acks.every_second && self.owed == Owed::Delayed;
        if self.quick > 0
            || second
            || self.octets >= profile.ack_every_segments * u32::from(self.largest)
        {
            self.quick = self.quick.saturating_sub(1);
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
    /// A challenge is due at once.
    pub fn challenge(&mut self) {
        if self.owed != Owed::Now {
            self.owed = Owed::Challenge;
        }
    }
    /// Whether a segment must leave for the ACK's sake.
    pub fn is_due(&self) -> bool {
        matches!(self.owed, Owed::Now | Owed::Challenge)
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
    fn a_second_segment_of_any_size_may_be_acknowledged_at_once() {
        let mut profile = TcpProfile::default();
        profile.acks.every_second = true;
        let mut ack = AckState::default();
        ack.text(1, 1460, &profile);
        assert_eq!(ack.owed, Owed::Delayed);
        ack.text(1000, 1460, &profile);
        ack.sent();
        ack.text(1, 1460, &profile);
        ack.text(1, 1460, &profile);
        assert_eq!(ack.owed, Owed::Now);
    }

    #[test]
    fn the_first_segments_may_be_acknowledged_at_once_until_the_application_answers() {
        let mut profile = TcpProfile::default();
        profile.acks.quick = 2;
        let owed_after = |ack: &mut AckState| {
            ack.text(1, 1460, &profile);
            let owed = ack.owed;
            ack.sent();
            owed
        };
        let mut ack = AckState::new(&profile);
        let owed = [0; 3].map(|_| owed_after(&mut ack));
        assert_eq!(owed[..2], [Owed::Now; 2]);
        // One octet is the largest segment so far: two of them make an ACK, not one.
        assert_eq!(owed[2], Owed::Delayed);
        let mut ack = AckState::new(&profile);
        ack.is_interactive();
        assert_eq!(owed_after(&mut ack), Owed::Delayed);
    }
}
