//! The ACK field of a segment (RFC 9293, 3.10.7.4, fifth step): what it acknowledges, what it says about the window,
//! and what congestion control and loss recovery make of it (RFC 5681, 6582, 6675).

use core::ops::ControlFlow::{Break, Continue};

use xen_abi::Instant;

use crate::event::TcpNote;
use crate::tcp::congestion::Acked;
use crate::tcp::connection::{Connection, Marks};
use crate::tcp::deadlines::Timer;
use crate::tcp::incoming::Incoming;
use crate::tcp::input::Flow;
use crate::tcp::recovery::{Phase, Step};
use crate::tcp::shared::Shared;
use crate::wire::tcp::Flags;
use crate::wire::tcp_options::sack_blocks;

impl Connection {
    /// The ACK of a synchronized connection.
    pub fn take_ack(&mut self, shared: &mut Shared, now: Instant, segment: &Incoming<'_>) -> Flow {
        // "If the ACK acks something not yet sent, then send an ACK, drop the segment, and return." RFC 5961, 5.2: the
        // same for what is older than the largest window.
        let oldest = self.snd.una.minus(self.snd.max_wnd);
        if segment.ack.gt(self.snd.max) || segment.ack.lt(oldest) {
            self.challenge(shared, now);
            return Break(());
        }
        let new_window = segment.window != self.snd.wnd;
        let sacked = self.take_sack(shared, segment);
        if segment.ack.gt(self.snd.una) {
            self.acknowledged(shared, now, segment);
        } else if segment.ack == self.snd.una && self.is_duplicate(segment, sacked, new_window) {
            self.duplicate(shared);
        }
        self.take_ecn_echo(segment);
        if segment.ack.ge(self.snd.una) && self.snd.is_newer(segment) {
            self.take_window(now, segment);
        }
        Continue(())
    }

    /// SEG.ACK > SND.UNA: removes what is acknowledged from the send buffer and restarts what depends on it.
    pub fn acknowledged(&mut self, shared: &mut Shared, now: Instant, segment: &Incoming<'_>) {
        let flight = self.octets_out(shared);
        let ack = segment.ack;
        let syn = u32::from(!self.snd.syn_acked());
        let acked = ack.since(self.snd.una);
        let text = (acked - syn).min(self.outbox.len());
        self.outbox.acknowledge(&mut shared.pool, text);
        self.snd.una = ack;
        self.snd.nxt = self.snd.nxt.max(ack);
        self.marks -= Marks::RESEND_HEAD;
        self.note_acknowledged(now, ack);
        if let Some(meter) = &mut self.meter {
            meter.delivered(text, syn > 0, self.agreed.smss());
        }
        self.note_limit(now);
        self.measure(shared, now, segment);
        let reneged = self.recovery.forget_if_reneged(ack);
        if reneged {
            shared.note(&self.tuple, TcpNote::Renege, ack);
        }
        let f = self.in_flight(shared);
        let step = self.recovery.advanced(&f, acked, self.agreed.sack);
        if self.recovery.phase != Phase::Fast && step != Step::Leave(Phase::Fast) && text > 0 {
            self.congestion.acknowledged(
                &Acked {
                    octets: text,
                    now,
                    srtt: self.rto.srtt().unwrap_or(0),
                },
                flight,
            );
        }
        self.recover(shared, step);
        self.restart_retransmission(shared, now, step);
        if text > 0 && self.marks.contains(Marks::SEND_BLOCKED) {
            self.marks -= Marks::SEND_BLOCKED;
            self.marks |= Marks::NEWS | Marks::NEWS_WRITE;
        }
    }

    /// Octets that are under way, as far as anybody can tell.
    pub fn octets_out(&self, shared: &Shared) -> u32 {
        if self.recovery.phase == Phase::Timeout {
            let held = self.recovery.board().held_below(self.snd.nxt);
            self.snd.nxt.since(self.snd.una).saturating_sub(held)
        } else if self.agreed.sack {
            self.recovery.board().pipe(&self.in_flight(shared))
        } else {
            self.snd.nxt.since(self.snd.una)
        }
    }

    /// RFC 7323, 4.1: an echo counts only where something new is acknowledged.
    fn measure(&mut self, shared: &Shared, now: Instant, segment: &Incoming<'_>) {
        let echoed = segment
            .stamp
            .filter(|_| self.agreed.timestamps)
            .and_then(|(_, echo)| self.stamps.age(echo, now));
        self.rto
            .acknowledged(segment.ack, now, echoed, shared.tcp());
    }

    /// Takes the SACK blocks; how many octets they add.
    fn take_sack(&mut self, shared: &Shared, segment: &Incoming<'_>) -> u32 {
        if !self.agreed.sack || segment.sack.is_empty() {
            return 0;
        }
        let una = self.snd.una.max(segment.ack.min(self.snd.max));
        let blocks = sack_blocks(segment.sack);
        self.recovery
            .note_sacked(blocks, una, self.snd.max, shared.tcp())
    }

    /// RFC 5681, 2: something is out, no text, no SYN or FIN, and the same window. With SACK (RFC 6675, 2): a block
    /// that was not known.
    fn is_duplicate(&self, segment: &Incoming<'_>, sacked: u32, new_window: bool) -> bool {
        if !self.snd.has_outstanding() {
            return false;
        }
        if self.agreed.sack {
            return sacked > 0;
        }
        segment.payload.is_empty() && !segment.has(Flags::FIN) && !new_window
    }

    fn duplicate(&mut self, shared: &mut Shared) {
        let f = self.in_flight(shared);
        let step = self.recovery.duplicate(&f, self.agreed.sack);
        self.recover(shared, step);
    }

    /// Does what recovery says.
    fn recover(&mut self, shared: &mut Shared, step: Step) {
        match step {
            Step::None => {}
            Step::Enter => {
                // RFC 5681, 3.2, step 2: FlightSize, not the pipe, is what the threshold is taken from.
                self.congestion.loss(self.snd.max.since(self.snd.una));
                self.marks |= Marks::RESEND_HEAD;
                shared.note(&self.tuple, TcpNote::RecoveryEntered, self.snd.una);
            }
            Step::ResendHead => self.marks |= Marks::RESEND_HEAD,
            Step::Leave(Phase::Fast) => {
                if !self.agreed.sack {
                    self.congestion
                        .leave_recovery(self.snd.max.since(self.snd.una));
                }
                shared.note(&self.tuple, TcpNote::RecoveryLeft, self.snd.una);
            }
            Step::Leave(_) => shared.note(&self.tuple, TcpNote::RecoveryLeft, self.snd.una),
        }
    }

    /// RFC 6298, 5.2 and 5.3: stopped when all is acknowledged, restarted when something new is. RFC 6582, 4 (the
    /// "impatient" variant): in recovery only the first partial ACK restarts it.
    fn restart_retransmission(&mut self, shared: &Shared, now: Instant, step: Step) {
        self.rto.since = now;
        if !self.snd.has_outstanding() {
            self.deadlines.disarm(Timer::Retransmit);
        } else if self.deadlines.is_armed(Timer::Retransmit)
            && !(step == Step::ResendHead && self.recovery.partial_acks > 1)
        {
            let timeout = self.rto.timeout(shared.tcp());
            self.deadlines.arm(Timer::Retransmit, now.plus(timeout));
        }
    }

    /// SND.WND, from a segment newer than the last one that set it.
    pub fn take_window(&mut self, now: Instant, segment: &Incoming<'_>) {
        let opened = segment.window > self.snd.wnd;
        self.snd.set_window(segment);
        // MUST-37: whoever answers probes keeps the connection alive, however long the window stays shut.
        if self.deadlines.is_armed(Timer::Persist) {
            self.rto.since = now;
            if opened {
                self.deadlines.disarm(Timer::Persist);
                self.marks -= Marks::PROBE;
                self.rto.timeouts = 0;
            }
        }
    }
}
