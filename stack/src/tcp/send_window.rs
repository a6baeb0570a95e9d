//! The send sequence space (RFC 9293, 3.3.1), and what the peer's window field means for it.

use crate::seq::SeqNumber;
use crate::tcp::incoming::Incoming;

/// SND.UNA, SND.NXT and their like.
#[derive(Clone, Copy, Debug)]
pub struct SendSpace {
    /// ISS; once our SYN is acknowledged, what precedes SND.UNA.
    pub iss: SeqNumber,
    /// SND.UNA
    pub una: SeqNumber,
    /// What is sent next: SND.NXT, or less while everything after SND.UNA is sent again.
    pub nxt: SeqNumber,
    /// RFC 9293's SND.NXT: behind all that was ever sent.
    pub max: SeqNumber,
    /// Behind the last segment that was less than full-sized.
    pub small: SeqNumber,
    /// Where the chunk began that was written first of what was not sent then.
    pub chunk: SeqNumber,
    /// SND.WND
    pub wnd: u32,
    /// MAX.SND.WND
    pub max_wnd: u32,
    /// SND.WL1
    pub wl1: SeqNumber,
    /// SND.WL2
    pub wl2: SeqNumber,
}

impl SendSpace {
    /// Nothing is sent yet.
    pub fn new(iss: SeqNumber) -> SendSpace {
        SendSpace {
            iss,
            una: iss,
            nxt: iss,
            max: iss,
            small: iss,
            chunk: iss.plus(1),
            wnd: 0,
            max_wnd: 0,
            wl1: SeqNumber(0),
            wl2: SeqNumber(0),
        }
    }
    /// Whether the peer has acknowledged our SYN.
    pub fn syn_acked(&self) -> bool {
        self.una.gt(self.iss)
    }
    /// Everything before `ack` has arrived, our SYN with it.
    pub fn acknowledged(&mut self, ack: SeqNumber) {
        self.una = ack;
        self.nxt = self.nxt.max(ack);
        // Compared with SND.UNA for as long as the connection lives, so it must not fall half a circle behind.
        self.small = self.small.max(ack);
        // And ISS has done its work: 2 GiB later it would lie ahead of SND.UNA.
        self.iss = ack.minus(1);
    }
    /// Where the send buffer's front stands.
    pub fn buffer_start(&self) -> SeqNumber {
        if self.syn_acked() {
            self.una
        } else {
            self.iss.plus(1)
        }
    }
    /// A number that the peer accepts in a segment without text: behind all that was sent, but not behind a window that
    /// a probe has passed. Otherwise two ends whose windows are shut would correct each other for ever.
    pub fn acceptable(&self) -> SeqNumber {
        self.max.min(self.una.plus(self.wnd))
    }
    /// Whether anything that was sent is not acknowledged.
    pub fn has_outstanding(&self) -> bool {
        self.una != self.max
    }
    /// Whether the segment's window is newer than the one known (RFC 9293, 3.10.7.4, fifth step).
    pub fn is_newer(&self, segment: &Incoming<'_>) -> bool {
        self.wl1.lt(segment.seq) || (self.wl1 == segment.seq && self.wl2.le(segment.ack))
    }
    /// Takes the segment's window.
    pub fn set_window(&mut self, segment: &Incoming<'_>) {
        self.wnd = segment.window;
        self.max_wnd = self.max_wnd.max(segment.window);
        self.wl1 = segment.seq;
        self.wl2 = segment.ack;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_from_old_numbers_holds_around_the_number_space() {
        let mut snd = SendSpace::new(SeqNumber(7));
        assert!(!snd.syn_acked());
        for step in 1..12u32 {
            let una = SeqNumber(7).plus((step << 29).wrapping_add(1));
            snd.acknowledged(una);
            assert!(snd.syn_acked() && snd.small.le(una));
            assert_eq!(snd.buffer_start(), una);
        }
    }

    #[test]
    fn an_ack_does_not_stand_behind_a_shut_window() {
        let mut snd = SendSpace::new(SeqNumber(u32::MAX));
        snd.acknowledged(SeqNumber(0));
        snd.max = SeqNumber(1);
        assert_eq!(snd.acceptable(), SeqNumber(0));
        snd.wnd = 10;
        assert_eq!(snd.acceptable(), SeqNumber(1));
    }
}
