//! What a correct TCP never sends, judged segment by segment against both directions' numbers.

use super::reading::{Breaches, Note};
use super::seq::SeqNumber;
use super::side::Side;
use super::tracker::Segment;
use crate::trace::frames::FrameTable;
use crate::view::dissect::tcp::Flags;

/// What `from` breaches by sending this segment to `to`.
pub(super) fn judge(
    from: &Side,
    to: &Side,
    segment: &Segment<'_>,
    note: Note,
    frames: &FrameTable,
) -> Breaches {
    let tcp = segment.tcp;
    let rst = tcp.flags.has(Flags::RST);
    if to.syn && !from.syn {
        // An answer from before the other side began anew: its numbers belong to the old connection.
        return Breaches::default();
    }
    let start = SeqNumber(tcp.seq);
    let data_end = start
        .plus(u32::from(tcp.flags.has(Flags::SYN)))
        .plus(tcp.data_len());
    let excess = |number: SeqNumber, limit: Option<SeqNumber>| match limit {
        Some(limit) if number.after(limit) => number.since(limit),
        _ => 0,
    };
    let acks = tcp.flags.has(Flags::ACK) && !rst;
    Breaches {
        acks_unsent: if acks {
            excess(SeqNumber(tcp.ack), to.next)
        } else {
            0
        },
        beyond_window: if tcp.data_len() > 0 {
            excess(data_end, to.edge)
        } else {
            0
        },
        after_fin: !rst && excess(start.plus(tcp.segment_len()), from.fin) > 0,
        after_rst: !rst && from.rst,
        // RFC 9293, section 3.8.4: a keep-alive may carry an octet of garbage.
        changed_bytes: note != Note::KeepAlive && changed_bytes(from, segment, frames),
        resent_held: tcp.data_len() > 0
            && !matches!(note, Note::KeepAlive | Note::WindowProbe)
            && to.held.has(start, data_end, segment.at),
        idle_acks: 0,
    }
}

/// Compares the data with every remembered segment that it overlaps and whose bytes are still there.
fn changed_bytes(from: &Side, segment: &Segment<'_>, frames: &FrameTable) -> bool {
    let tcp = segment.tcp;
    let data = segment.bytes.get(segment.data_at..).unwrap_or_default();
    let data = data.get(..tcp.payload.len()).unwrap_or_default();
    let start = SeqNumber(tcp.seq).plus(u32::from(tcp.flags.has(Flags::SYN)));
    let overlaps = from.next.is_some_and(|next| start.before(next)) && !data.is_empty();
    overlaps
        && from.recent.iter().any(|sent| {
            let Some(known) = frames.get(sent.frame) else {
                return false;
            };
            let old = known.bytes.get(sent.data_at..).unwrap_or_default();
            let old = old.get(..sent.data_len).unwrap_or_default();
            differ((start, data), (sent.data, old))
        })
}

/// Whether two stretches of a stream contradict each other where they overlap.
fn differ((a_start, a): (SeqNumber, &[u8]), (b_start, b): (SeqNumber, &[u8])) -> bool {
    let (first, first_start, second, second_start) = if b_start.before(a_start) {
        (b, b_start, a, a_start)
    } else {
        (a, a_start, b, b_start)
    };
    let skip = second_start.since(first_start) as usize;
    let first = first.get(skip..).unwrap_or_default();
    first.iter().zip(second).any(|(x, y)| x != y)
}
