//! One TCP connection at one vif: both directions' numbers, and the judgement of each segment against them.

use xenemu::{FrameId, Time};

use super::breach::judge;
use super::reading::{Note, Reading};
use super::seq::SeqNumber;
use super::side::{Sent, Side};
use super::tracker::{Direction, Segment};
use crate::trace::frames::FrameTable;
use crate::view::dissect::tcp::{Flags, Tcp};

/// Identical pure ACKs that are further apart than this are probes and their answers, not a storm.
const IDLE_ACK_GAP_NS: u64 = 200_000_000;

/// A connection.
#[derive(Debug, Default)]
pub struct Flow {
    /// What the vif's domain sends, and what it is sent.
    sides: [Side; 2],
    idle_acks: u32,
    last_idle_ack: Time,
}

impl Flow {
    /// Takes the next segment and says what it is.
    pub fn observe(&mut self, segment: &Segment<'_>, frames: &FrameTable) -> Reading {
        self.maybe_begin_again(segment);
        let [ours, theirs] = &mut self.sides;
        let (from, to) = match segment.direction {
            Direction::Out => (ours, theirs),
            Direction::In => (theirs, ours),
        };
        let tcp = segment.tcp;
        from.learn_base(tcp);
        to.learn_base_from_ack(tcp);
        let mut reading = relative(from, to, tcp);
        reading.note = classify(from, to, tcp);
        reading.answers = answered(from, to, tcp);
        reading.breaches = judge(from, to, segment, reading.note, frames);
        from.held.note(tcp, to.acked, segment.at);
        from.sent(segment);
        from.acknowledged(to, tcp);
        to.forget_acknowledged(from.acked);
        reading.breaches.idle_acks = self.count_idle_acks(segment, reading.note);
        reading
    }

    /// How a segment reads that is none of this connection's, whatever it claims. It may well be answered: unless it is a
    /// mere ACK itself, no ACK begot the next one.
    pub fn glance(&mut self, segment: &Segment<'_>) -> Reading {
        if segment.tcp.flags != Flags::ACK || segment.tcp.data_len() > 0 {
            self.idle_acks = 0;
        }
        let [ours, theirs] = &self.sides;
        match segment.direction {
            Direction::Out => relative(ours, theirs, segment.tcp),
            Direction::In => relative(theirs, ours, segment.tcp),
        }
    }

    /// A SYN with another number on a connection that is over begins a new one (RFC 9293, section 3.10.7.4).
    fn maybe_begin_again(&mut self, segment: &Segment<'_>) {
        let tcp = segment.tcp;
        if !tcp.flags.has(Flags::SYN) || tcp.flags.has(Flags::ACK) {
            return;
        }
        let side = &self.sides[segment.direction as usize];
        let same = side.base.is_none_or(|base| base == SeqNumber(tcp.seq));
        let both_said_fin = self.sides.iter().all(|side| side.fin.is_some());
        let one_said_rst = self.sides.iter().any(|side| side.rst);
        let never_stood = self.sides.iter().any(|side| side.acked.is_none());
        if !same && (both_said_fin || one_said_rst || never_stood) {
            *self = Flow::default();
        } else if same {
            // RFC 9293, section 3.5.1: a RST against an old segment does not end an attempt to connect.
            self.sides.iter_mut().for_each(|side| side.rst = false);
        }
    }

    fn count_idle_acks(&mut self, segment: &Segment<'_>, note: Note) -> u32 {
        let tcp = segment.tcp;
        let pure = tcp.flags == Flags::ACK && tcp.data_len() == 0;
        let says_nothing = match note {
            Note::DuplicateAck(_) => false,
            _ => self.sides[segment.direction as usize].repeats > 0,
        };
        let soon = segment.at.since(self.last_idle_ack) < IDLE_ACK_GAP_NS;
        self.idle_acks = match (pure && says_nothing, soon) {
            (true, true) => self.idle_acks.saturating_add(1),
            (true, false) => 1,
            (false, _) => 0,
        };
        self.last_idle_ack = segment.at;
        self.idle_acks
    }
}

fn relative(from: &Side, to: &Side, tcp: &Tcp) -> Reading {
    let since = |number: u32, base: Option<SeqNumber>| {
        base.map_or(number, |base| SeqNumber(number).since(base))
    };
    let has_ack = tcp.flags.has(Flags::ACK);
    Reading {
        seq: since(tcp.seq, from.base),
        ack: if has_ack { since(tcp.ack, to.base) } else { 0 },
        timestamps: tcp.timestamps().map(|(value, echo)| {
            let first = from.ts_base.unwrap_or(0);
            let echoed = to.ts_base.map_or(echo, |first| echo.wrapping_sub(first));
            (
                value.wrapping_sub(first),
                if echo == 0 { 0 } else { echoed },
            )
        }),
        sack_base: to.base.map_or(0, |base| base.0),
        ..Reading::default()
    }
}

fn classify(from: &Side, to: &Side, tcp: &Tcp) -> Note {
    let Some(next) = from.next else {
        return Note::New;
    };
    let start = SeqNumber(tcp.seq);
    let end = start.plus(tcp.segment_len());
    let plain = !tcp.flags.has(Flags::SYN) && !tcp.flags.has(Flags::FIN);
    let all_acked = to.acked == Some(next);
    let window_shut = to.window == 0 && to.acked.is_some();
    if tcp.flags.has(Flags::RST) {
        return Note::New;
    }
    // RFC 9293, figure 8: crossing SYNs are answered with SYN and ACK, which says something new.
    if tcp.flags.has(Flags::SYN) && tcp.flags.has(Flags::ACK) && from.acked.is_none() {
        return Note::New;
    }
    let is_probe = tcp.data_len() == 1 && start == next || start == next.minus(1);
    if plain && window_shut && tcp.data_len() <= 1 && is_probe {
        return Note::WindowProbe;
    }
    if plain && all_acked && tcp.data_len() <= 1 && start == next.minus(1) && !end.after(next) {
        return Note::KeepAlive;
    }
    if start == end {
        return classify_ack(from, to, tcp);
    }
    if tcp.flags.has(Flags::SYN) && tcp.flags.has(Flags::ACK) && from.acked.is_none() {
        // RFC 9293, section 3.5, figure 8: in a simultaneous open the old number says something new.
        return Note::New;
    }
    if !end.after(next) {
        return if from.fills_a_hole(start, end) {
            Note::OutOfOrder
        } else {
            Note::Retransmission {
                of: from.last_carrier(start),
            }
        };
    }
    if start.after(next) {
        return Note::OutOfOrder;
    }
    Note::New
}

/// RFC 5681, section 2: no data, no change, and something is outstanding. SACK blocks make it a different answer.
fn classify_ack(from: &Side, to: &Side, tcp: &Tcp) -> Note {
    let ack = SeqNumber(tcp.ack);
    let outstanding = to.next.is_some_and(|next| next.after(ack));
    let same = from.acked == Some(ack) && from.window == tcp.window;
    if tcp.flags == Flags::ACK && same && outstanding {
        return Note::DuplicateAck(from.repeats.saturating_add(1));
    }
    Note::New
}

fn answered(from: &Side, to: &Side, tcp: &Tcp) -> Option<FrameId> {
    let ack = SeqNumber(tcp.ack);
    let advances = from.acked.is_none_or(|acked| ack.after(acked));
    if !tcp.flags.has(Flags::ACK) || !advances {
        return None;
    }
    let covered = |sent: &&Sent| !sent.end.after(ack);
    to.recent.iter().rev().find(covered).map(|sent| sent.frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::context::Context;
    use crate::view::testing::{BLOG, LAPTOP, READER, Stream, TcpSpec, plan, tcp_frame};
    use proptest::prelude::*;

    /// Note and answered frame of every segment at its sender's vif.
    fn notes(stream: &Stream) -> Vec<(Note, Option<FrameId>)> {
        let mut context = Context::new(&plan());
        let mut notes = Vec::new();
        for entry in &stream.entries {
            context.observe(entry);
            if let Some(seen) = context.sighting()
                && seen.direction == Direction::Out
                && let Some(reading) = &seen.reading
            {
                notes.push((reading.note, reading.answers));
            }
        }
        notes
    }

    fn reader(flags: &str, seq: u32, payload: &[u8]) -> TcpSpec {
        TcpSpec {
            seq: 1001 + seq,
            ack: 5001,
            payload: payload.to_vec(),
            ..TcpSpec::new(READER, BLOG, flags)
        }
    }

    fn blog_ack(ack: u32, window: u16) -> TcpSpec {
        TcpSpec {
            seq: 5001,
            ack: 1001 + ack,
            window,
            ..TcpSpec::new(BLOG, READER, ".")
        }
    }

    #[test]
    fn the_handshake_answers_itself() {
        let mut stream = Stream::begin();
        stream.handshake();
        let notes = notes(&stream);
        assert!(notes.iter().all(|(note, _)| *note == Note::New));
        let answers: Vec<_> = notes.iter().map(|(_, a)| a.map(|f| f.origin)).collect();
        assert_eq!(answers, [None, Some(1), Some(0)]);
    }

    #[test]
    fn a_retransmission_knows_its_first_frame() {
        let mut stream = Stream::begin();
        stream.handshake();
        let first = stream.segment(50_000_000, &reader("P.", 0, b"hello"));
        stream.segment(350_000_000, &reader("P.", 0, b"hello"));
        stream.segment(360_000_000, &reader("P.", 5, b"world"));
        let notes = notes(&stream);
        assert_eq!(notes[4].0, Note::Retransmission { of: Some(first) });
        assert_eq!(notes[5].0, Note::New);
    }

    #[test]
    fn what_is_forged_in_a_peers_name_is_not_what_he_sent() {
        let mut stream = Stream::begin();
        stream.handshake();
        let text = TcpSpec {
            seq: 5001,
            ack: 1001,
            payload: b"evil".to_vec(),
            ..TcpSpec::new(BLOG, READER, "P.")
        };
        // The laptop's domain sends it itself, in the blog's name, and believes it.
        let forged = stream.send(50_000_000, LAPTOP, tcp_frame(&text));
        stream.deliver(51_000_000, LAPTOP, forged);
        let believed = TcpSpec {
            ack: 5005,
            ..reader(".", 0, b"")
        };
        stream.segment(52_000_000, &believed);
        let mut context = Context::new(&plan());
        let mut unsent = 0;
        for entry in &stream.entries {
            context.observe(entry);
            let seen = context.sighting().filter(|s| s.direction == Direction::Out);
            let reading = seen.and_then(|seen| seen.reading.as_ref());
            unsent += reading.map_or(0, |reading| reading.breaches.acks_unsent);
        }
        assert_eq!(unsent, 4);
    }

    #[test]
    fn acknowledgements_that_repeat_themselves_are_counted() {
        let mut stream = Stream::begin();
        stream.handshake();
        stream.segment(50_000_000, &reader("P.", 0, b"hello"));
        let lost = stream.send(51_000_000, LAPTOP, tcp_frame(&reader("P.", 5, b"world")));
        stream.lose(51_000_200, LAPTOP, lost);
        stream.segment(52_000_000, &reader("P.", 10, b"again"));
        for n in 0..3 {
            stream.segment(80_000_000 + n, &blog_ack(5, 65535));
        }
        let notes: Vec<Note> = notes(&stream).into_iter().map(|(note, _)| note).collect();
        // The blog cannot know of the lost segment but by the hole, which its own vif shows.
        assert_eq!(
            notes[6..],
            [Note::New, Note::DuplicateAck(1), Note::DuplicateAck(2)]
        );
    }

    #[test]
    fn probes_and_keep_alives_are_told_apart_by_the_window() {
        for (window, expected) in [(0, Note::WindowProbe), (512, Note::KeepAlive)] {
            let mut stream = Stream::begin();
            stream.handshake();
            stream.segment(50_000_000, &reader("P.", 0, b"hello"));
            stream.segment(80_000_000, &blog_ack(5, window));
            stream.segment(900_000_000, &reader(".", 4, b""));
            assert_eq!(notes(&stream)[5].0, expected);
        }
    }

    #[test]
    fn numbers_are_relative_to_the_first_syn() {
        let mut stream = Stream::begin();
        stream.handshake();
        stream.segment(50_000_000, &reader("P.", 0, b"hello"));
        let mut context = Context::new(&plan());
        let mut lines = Vec::new();
        for entry in &stream.entries {
            context.observe(entry);
            if let Some(seen) = context.sighting() {
                lines.push(seen.line());
            }
        }
        lines.dedup();
        assert!(lines[0].contains("Flags [S], seq 0, win 65535, length 0"));
        assert!(lines[1].contains("Flags [S.], seq 0, ack 1, win 65535"));
        let last = lines.last().expect("lines");
        assert!(last.contains("Flags [P.], seq 1:6, ack 1,"), "{last}");
    }

    #[test]
    fn the_answers_of_a_simultaneous_open_are_no_retransmissions() {
        let mut stream = Stream::begin();
        for (at, flags) in [(1_000_000, "S"), (50_000_000, "S.")] {
            for (from, to, seq, ack) in [(READER, BLOG, 1000, 5001), (BLOG, READER, 5000, 1001)] {
                let spec = TcpSpec {
                    seq,
                    ack,
                    ..TcpSpec::new(from, to, flags)
                };
                stream.segment(at, &spec);
            }
        }
        assert!(notes(&stream).iter().all(|(note, _)| *note == Note::New));
    }

    #[test]
    fn a_new_syn_after_the_end_begins_anew() {
        let mut stream = Stream::begin();
        stream.handshake();
        stream.segment(50_000_000, &reader("R.", 0, b""));
        let again = TcpSpec {
            seq: 77,
            ..TcpSpec::new(READER, BLOG, "S")
        };
        stream.segment(60_000_000, &again);
        assert_eq!(notes(&stream)[4], (Note::New, None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_sequence_of_segments_makes_the_tracker_panic(
            segments in proptest::collection::vec(
                (any::<bool>(), 0_u8..64, any::<u32>(), any::<u32>(), any::<u16>(), 0_usize..20),
                0..60,
            ),
            base in any::<u32>(),
        ) {
            let mut stream = Stream::begin();
            for (at, (out, flags, seq, ack, window, len)) in (0..).zip(segments) {
                let (from, to) = if out { (READER, BLOG) } else { (BLOG, READER) };
                // Near each other as often as anywhere.
                let near = |n: u32| if n.is_multiple_of(2) { base.wrapping_add(n % 64) } else { n };
                stream.segment(at * 1_000_000, &TcpSpec {
                    seq: near(seq),
                    ack: near(ack),
                    window,
                    flags: Flags(flags),
                    payload: vec![7; len],
                    ..TcpSpec::new(from, to, "")
                });
            }
            let once = notes(&stream);
            prop_assert_eq!(once, notes(&stream));
        }
    }
}
