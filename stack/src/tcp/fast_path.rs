//! Header prediction: the segments that make up nearly all traffic, the next text in order and the ACK for what was
//! sent, or both in one, are recognised by a few comparisons and skip the steps that could not matter to them. Whatever is not
//! exactly expected takes the long way; a property of the tests is that both ways lead to the same place.

use xen_abi::Instant;

use crate::event::TcpState;
use crate::tcp::connection::{Connection, Marks, Owner};
use crate::tcp::deadlines::Timer;
use crate::tcp::delayed_ack::Owed;
use crate::tcp::incoming::Incoming;
use crate::tcp::shared::Shared;
use crate::wire::tcp::{Flags, Segment};

/// NOP, NOP, timestamps, 10: RFC 7323, appendix A.
const STAMP_PREFIX: [u8; 4] = [1, 1, 8, 10];

impl Connection {
    /// Handles the segment if it is what was expected; whether it was.
    pub fn is_predicted(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        segment: &Segment<'_>,
    ) -> bool {
        let flags = segment.flags();
        let ordinary = self.state() == TcpState::Established
            && (flags - Flags::PSH) == Flags::ACK
            && segment.seq() == self.rcv.nxt
            && self.recovery.is_calm()
            && self.snd.nxt == self.snd.max
            && segment.window() != 0
            && self.snd.wnd != 0
            && self.owner == Owner::Application;
        if !ordinary {
            return false;
        }
        let mut incoming = Incoming::without_options(segment);
        if self.agreed.timestamps {
            let Some(stamp) = lone_stamp(segment.options) else {
                return false;
            };
            if self.stamps.is_old(stamp.0, now) {
                return false;
            }
            incoming.stamp = Some(stamp);
        } else if !segment.options.is_empty() {
            return false;
        }
        incoming.scale_window(self.agreed.send_shift);
        let (ack, text) = (segment.ack(), segment.payload);
        let news = ack.gt(self.snd.una);
        let in_order = text.is_empty() && news
            || !text.is_empty()
                && text.len() <= self.rcv.window() as usize
                && !self.inbox.has_gaps()
                && !self.marks.contains(Marks::READ_SHUT);
        if !in_order || ack.lt(self.snd.una) || ack.gt(self.snd.max) {
            return false;
        }
        if let Some((value, _)) = incoming.stamp {
            self.stamps.update(value, incoming.seq, now);
        }
        self.heard(now);
        if news && !self.is_acknowledged_whole(shared, now, &incoming) {
            self.acknowledged(shared, now, &incoming);
        }
        if self.snd.is_newer(&incoming) {
            self.take_window(now, &incoming);
        }
        if !text.is_empty() {
            self.inbox.append(&mut shared.pool, text);
            self.rcv.nxt = self.rcv.nxt.plus(text.len() as u32);
            self.marks |= Marks::NEWS | Marks::NEWS_READ;
            self.text_to_acknowledge(shared, now, text.len());
        }
        true
    }

    /// Text arrived in order: an ACK is owed, at once or after the delay.
    pub fn text_to_acknowledge(&mut self, shared: &Shared, now: Instant, octets: usize) {
        self.ack.text(octets, self.agreed.recv_mss, shared.tcp());
        if self.options.rare().quick_ack == Some(true) {
            self.ack.now();
        }
        if self.ack.owed == Owed::Delayed && !self.deadlines.is_armed(Timer::DelayedAck) {
            self.deadlines
                .arm(Timer::DelayedAck, now.plus(shared.tcp().delayed_ack));
        }
    }
}

/// TSval and TSecr, if that is all there is.
fn lone_stamp(options: &[u8]) -> Option<(u32, u32)> {
    let &[a, b, c, d, ref stamps @ ..] = options else {
        return None;
    };
    let &[e, f, g, h, i, j, k, l] = stamps else {
        return None;
    };
    ([a, b, c, d] == STAMP_PREFIX).then_some((
        u32::from_be_bytes([e, f, g, h]),
        u32::from_be_bytes([i, j, k, l]),
    ))
}
