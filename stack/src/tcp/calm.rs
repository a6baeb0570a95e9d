//! Calm traffic: new text leaves, and later an ACK covers all that is out, while nothing is in doubt. That is nearly
//! everything a connection ever does, so both have a short way here, on which none of the questions is asked that loss,
//! ECN, Fast Open or a curious application raise. A property of the tests is that the long way leads to the same place.

use xen_abi::Instant;

use crate::tcp::connection::{Connection, Marks};
use crate::tcp::deadlines::Timer;
use crate::tcp::incoming::Incoming;
use crate::tcp::recovery::Phase;
use crate::tcp::repair::News;
use crate::tcp::shared::Shared;
use crate::tcp::transmit::{Plan, Why};

impl Connection {
    /// Whether there is nothing out of the ordinary about it.
    #[inline]
    fn is_calm(&self, shared: &Shared) -> bool {
        self.told.is_none()
            && self.has_nothing_seldom()
            && self.recovery.phase == Phase::Open
            && !self.agreed.ecn
            && !self.inbox.has_gaps()
            && !shared.paced
            && !shared.goes_the_long_way()
    }

    /// The ACK of a predicted segment covers all that is out, and nothing of that was ever in doubt; whether it was so.
    pub fn is_acknowledged_whole(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        segment: &Incoming<'_>,
    ) -> bool {
        let ack = segment.ack;
        if ack != self.snd.max || !self.snd.syn_acked() || !self.is_calm(shared) {
            return false;
        }
        let Some((flight, last)) = self.recovery.undoubted() else {
            return false;
        };
        let advanced = ack.since(self.snd.una);
        let rtt = now.since(last);
        let news = News {
            flight,
            advanced,
            text: advanced.min(self.outbox.len()),
            delivered: flight,
            rtt: Some(rtt),
            ..News::default()
        };
        self.outbox.acknowledge(&mut shared.pool, news.text);
        self.snd.acknowledged(ack);
        let echoed = match segment.stamp {
            Some((_, echo)) if echo != 0 && self.agreed.timestamps => self.stamps.age(echo, now),
            _ => None,
        };
        self.rto.acknowledged(ack, now, echoed, shared.tcp());
        self.rto.since = now;
        self.recovery.rack.measured(rtt);
        self.grow(shared, now, &news);
        self.recovery.end(&mut shared.spare);
        self.recovery.dup_acks = 0;
        self.recovery.point = self.recovery.point.max(ack);
        self.marks -= Marks::TAIL_PROBE;
        self.deadlines.disarm(Timer::Retransmit);
        self.deadlines.disarm(Timer::Early);
        self.wake_writer(shared.tcp(), news.text);
        true
    }

    /// The device has taken new text in order; whether that is all there is to say of it.
    // Apart from the long way, whose many branches would claim its registers.
    #[inline(never)]
    pub fn is_new_text_sent(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        plan: &Plan,
        window: u32,
    ) -> bool {
        if plan.why != Why::Next || plan.seq != self.snd.max || !self.is_calm(shared) {
            return false;
        }
        let end = plan.end();
        self.snd.nxt = end;
        let limit = shared.tcp().recovery.max_records;
        let out = self.recovery.begin(&mut shared.spare, plan.seq);
        out.flight.push(plan.seq, end, now, limit);
        out.unit = plan.unit_end().or(out.unit);
        out.note_use(self.snd.una, end);
        self.marks -= Marks::OVERRIDE | Marks::HELD_BACK;
        if plan.len > 0 {
            self.note_text(plan, end, false);
        }
        self.sequence_sent(shared, now, plan, false);
        self.snd.max = end;
        self.ack_sent(shared, window);
        true
    }
}
