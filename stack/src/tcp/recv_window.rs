//! The window that we offer (RFC 9293, 3.8.6): its right edge never moves left (SHLD-14), and it moves right only by
//! steps worth a segment (3.8.6.2.2: receiver silly-window avoidance).

use crate::seq::SeqNumber;

/// The receive sequence space.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecvSpace {
    /// IRS
    pub irs: SeqNumber,
    /// RCV.NXT
    pub nxt: SeqNumber,
    /// RCV.NXT + RCV.WND: the rightmost edge ever offered.
    pub edge: SeqNumber,
}

impl RecvSpace {
    /// After the peer's SYN.
    pub fn after_syn(irs: SeqNumber) -> RecvSpace {
        RecvSpace {
            irs,
            nxt: irs.plus(1),
            edge: irs.plus(1),
        }
    }
    /// RCV.WND
    pub fn window(&self) -> u32 {
        self.edge.after(self.nxt)
    }
    /// The window to offer, with `free` octets of a buffer of `limit` not in use.
    pub fn offer(&self, free: usize, limit: usize, mss: u16) -> u32 {
        let free = free.min(1 << 30) as u32;
        let growth = free.saturating_sub(self.window());
        // MUST-39: min(Fr · RCV.BUFF, Eff.snd.MSS), with Fr = 1/2
        if growth >= step(limit, mss) {
            free
        } else {
            self.window()
        }
    }
    /// The same without steps: all that is free, as long as that is a quarter of the buffer or a segment.
    pub fn offer_every_octet(&self, free: usize, limit: usize, mss: u16) -> u32 {
        let silly = free < limit / 4 && free < usize::from(mss);
        let free = if silly { 0 } else { free.min(1 << 30) as u32 };
        free.max(self.window())
    }
    /// Whether what the application took is worth telling the peer at once. A window that is nearly shut is always
    /// worth a segment's step; an open one a quarter of the buffer.
    pub fn is_worth_telling(&self, free: usize, limit: usize, mss: u16) -> bool {
        let free = free.min(1 << 30) as u32;
        let growth = free.saturating_sub(self.window());
        let quarter = (limit / 4).min(1 << 30) as u32;
        growth >= step(limit, mss) && (growth >= quarter || self.window() <= quarter / 2)
    }
    /// A window of so many octets was offered.
    pub fn offered(&mut self, window: u32) {
        self.edge = self.edge.max(self.nxt.plus(window));
    }
}

fn step(limit: usize, mss: u16) -> u32 {
    ((limit / 2).max(1) as u32).min(u32::from(mss))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(window: u32) -> RecvSpace {
        let mut space = RecvSpace::after_syn(SeqNumber(0));
        space.offered(window);
        space
    }

    #[test]
    fn the_right_edge_stays_until_a_segment_fits_more() {
        assert_eq!(space(1000).offer(2459, 64_000, 1460), 1000);
        assert_eq!(space(1000).offer(2460, 64_000, 1460), 2460);
    }

    #[test]
    fn the_right_edge_never_moves_left() {
        assert_eq!(space(1000).offer(10, 64_000, 1460), 1000);
        let mut s = space(1000);
        s.offered(10);
        assert_eq!(s.window(), 1000);
    }

    #[test]
    fn without_steps_the_right_edge_follows_every_octet_until_less_than_a_segment_is_free() {
        assert_eq!(space(1000).offer_every_octet(1001, 2000, 1460), 1001);
        assert_eq!(space(0).offer_every_octet(499, 2000, 1460), 0);
        assert_eq!(space(0).offer_every_octet(1460, 64_000, 1460), 1460);
    }

    #[test]
    fn half_of_a_small_buffer_is_enough() {
        assert_eq!(space(0).offer(500, 1000, 1460), 500);
    }

    #[test]
    fn a_window_that_reopens_is_worth_telling() {
        assert!(space(0).is_worth_telling(1460, 64_000, 1460));
        assert!(!space(30_000).is_worth_telling(40_000, 64_000, 1460));
        assert!(space(30_000).is_worth_telling(46_000, 64_000, 1460));
    }
}
