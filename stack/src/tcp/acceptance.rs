//! Whether a segment lies in the receive window, and what of it does (RFC 9293, 3.10.7.4, first step, table 6).

use crate::tcp::incoming::Incoming;
use crate::tcp::recv_window::RecvSpace;
use crate::wire::tcp::Flags;

/// Whether any part of the segment is in the `window` behind RCV.NXT.
pub fn is_acceptable(rcv: &RecvSpace, window: u32, segment: &Incoming<'_>) -> bool {
    let starts = segment.seq.since(rcv.nxt) < window;
    match (segment.len(), window) {
        (0, 0) => segment.seq == rcv.nxt,
        (0, _) => starts,
        // A FIN takes no buffer: the one that is due is taken even when the window is shut.
        (1, 0) => segment.seq == rcv.nxt && segment.has(Flags::FIN),
        (_, 0) => false,
        // It begins in the window, or before it and holds the octet that is due. Comparisons of its ends with the window's
        // would take what is half of all sequence numbers away for something that begins before and ends behind.
        (len, _) => starts || rcv.nxt.since(segment.seq) < len,
    }
}

/// Cuts off what lies outside the window ("Segments with higher beginning sequence numbers should be held": the front
/// is RCV.NXT or later afterwards).
pub fn trim(rcv: &RecvSpace, window: u32, segment: &mut Incoming<'_>) {
    let old = rcv.nxt.after(segment.seq);
    if old > 0 {
        let syn = u32::from(segment.has(Flags::SYN));
        let text = old.saturating_sub(syn).min(segment.payload.len() as u32);
        if old > syn + text {
            segment.flags -= Flags::FIN;
        }
        segment.payload = &segment.payload[text as usize..];
        segment.flags -= Flags::SYN;
        segment.seq = rcv.nxt;
    }
    let room = rcv.nxt.plus(window).after(segment.seq) as usize;
    if segment.payload.len() > room {
        segment.payload = &segment.payload[..room];
        segment.flags -= Flags::FIN | Flags::PSH;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seq::SeqNumber;

    fn space(window: u32) -> RecvSpace {
        let mut rcv = RecvSpace::after_syn(SeqNumber(99));
        rcv.offered(window);
        rcv
    }

    fn segment(seq: u32, payload: &[u8], flags: Flags) -> Incoming<'_> {
        Incoming {
            seq: SeqNumber(seq),
            ack: SeqNumber(0),
            flags,
            window: 0,
            payload,
            mss: None,
            window_scale: None,
            sack_permitted: false,
            stamp: None,
            sack: &[],
            fast_open: None,
            signature: None,
            urgent: None,
            ce: false,
            udp_port: 0,
        }
    }

    #[test]
    fn the_four_cases_of_table_six() {
        let accepts = |window, seq, payload| {
            is_acceptable(&space(window), window, &segment(seq, payload, Flags::ACK))
        };
        // length 0, window 0
        assert!(accepts(0, 100, b""));
        assert!(!accepts(0, 101, b"") && !accepts(0, 99, b""));
        // length 0, window > 0
        assert!(accepts(10, 100, b"") && accepts(10, 109, b""));
        assert!(!accepts(10, 99, b"") && !accepts(10, 110, b""));
        // length > 0, window 0
        assert!(!accepts(0, 100, b"x"));
        // length > 0, window > 0
        assert!(accepts(10, 98, b"abc") && accepts(10, 109, b"abc"));
        assert!(!accepts(10, 97, b"abc") && !accepts(10, 110, b"abc"));
        assert!(accepts(1, 99, b"abc"));
    }

    #[test]
    fn half_of_all_numbers_away_is_far_from_the_window() {
        for near in 0..20 {
            let seq = 100_u32
                .wrapping_add(1 << 31)
                .wrapping_add(near)
                .wrapping_sub(10);
            assert!(!is_acceptable(
                &space(10),
                10,
                &segment(seq, b"evil", Flags::ACK)
            ));
        }
    }

    #[test]
    fn the_fin_that_is_due_is_taken_at_window_zero() {
        assert!(is_acceptable(&space(0), 0, &segment(100, b"", Flags::FIN)));
        assert!(!is_acceptable(
            &space(0),
            0,
            &segment(100, b"x", Flags::FIN)
        ));
    }

    #[test]
    fn old_text_and_text_behind_the_window_are_cut_off() {
        let mut s = segment(98, b"abcdef", Flags::FIN | Flags::PSH);
        trim(&space(2), 2, &mut s);
        assert_eq!((s.seq, s.payload), (SeqNumber(100), &b"cd"[..]));
        assert!(!s.has(Flags::FIN));
    }

    #[test]
    fn an_old_syn_is_cut_off_and_a_due_fin_stays() {
        let mut s = segment(99, b"ab", Flags::SYN | Flags::FIN);
        trim(&space(10), 10, &mut s);
        assert_eq!((s.seq, s.payload), (SeqNumber(100), &b"ab"[..]));
        assert_eq!(s.flags, Flags::FIN);
    }

    #[test]
    fn an_old_fin_is_cut_off() {
        let mut s = segment(98, b"a", Flags::FIN);
        trim(&space(10), 10, &mut s);
        assert_eq!((s.seq, s.flags), (SeqNumber(100), Flags::empty()));
    }
}
