//! What an ACK or a timer means for loss recovery and the congestion window. [`Connection::repair`] is the order of
//! things: was the last reaction a mistake, is a recovery over, what is lost, does a recovery begin, how large is the
//! window now, and which timer runs.

use xen_abi::Instant;

use crate::event::TcpNote;
use crate::profile::TcpProfile;
use crate::tcp::congestion::Acked;
use crate::tcp::connection::{Connection, Marks};
use crate::tcp::deadlines::Timer;
use crate::tcp::prr::Prr;
use crate::tcp::recovery::{Early, Out, Phase};
use crate::tcp::shared::Shared;
use crate::tcp::tail::{Verdict, probe_timeout};
use crate::tcp::undo::{Frto, Undo};
use crate::wire::tcp_options::SackBlock;

/// What an ACK said.
#[derive(Clone, Copy, Debug, Default)]
pub struct News {
    /// Octets of text under way before it.
    pub flight: u32,
    /// Octets that SND.UNA moved by.
    pub advanced: u32,
    /// Octets of text among them.
    pub text: u32,
    /// Octets that SACK blocks add.
    pub sacked: u32,
    /// Octets that have arrived, as far as this ACK is the first to say so.
    pub delivered: u32,
    /// Of them those that duplicate ACKs have been saying of a peer without SACK.
    pub guessed: u32,
    /// The round trip of the last transmission that has arrived, if it was the only one of its octets.
    pub rtt: Option<u64>,
    /// It repeats the last ACK, in the way that stands for a loss.
    pub duplicate: bool,
    /// It acknowledges nothing new and says nothing else either.
    pub repeats: bool,
    /// A report of a duplicate (RFC 2883).
    pub reported: Option<SackBlock>,
    /// What was delivered was sent before the last timeout, and not again.
    pub original: bool,
    /// The peer took back what it held.
    pub reneged: bool,
    /// TSecr; 0: none.
    pub echo: u32,
}

impl Connection {
    /// Does what an ACK asks for.
    pub fn repair(&mut self, shared: &mut Shared, now: Instant, news: &News) {
        let was = self.recovery.phase;
        if news.advanced > 0 {
            self.recovery.dup_acks = 0;
        }
        self.take_back_if_spurious(shared, now, news);
        self.judge_tail_probe(shared, news);
        self.leave_if_over(shared);
        let (pipe, lost) = (self.recovery.pipe(), self.recovery.lost());
        let wait = self.find_losses(shared, now, news);
        let safe = news.advanced > 0 && self.recovery.lost() <= lost;
        let entered = self.enter_if_lost(shared, pipe.saturating_add(news.delivered));
        if self.recovery.phase == Phase::Fast {
            self.reduce_in_proportion(shared, news, safe, entered);
        } else if was != Phase::Fast {
            self.grow(shared, now, news);
        }
        if !self.snd.has_outstanding() {
            self.recovery.end(&mut shared.spare);
            self.marks -= Marks::TAIL_PROBE;
        }
        if self.recovery.phase == Phase::Open {
            // "recover" must not fall half a circle behind.
            self.recovery.point = self.recovery.point.max(self.snd.una);
        }
        if news.advanced > 0 {
            self.restart_retransmission(shared, now);
        }
        match wait {
            Some(wait) => self.arm_early(Early::Reorder, now.plus(wait + slack(shared))),
            None if news.advanced > 0 || entered || self.waits_for_reordering() => {
                self.arm_tail_probe(shared, now);
            }
            None => {}
        }
    }

    /// The congestion window grows by what has arrived.
    pub fn grow(&mut self, shared: &Shared, now: Instant, news: &News) {
        if news.text == 0 {
            return;
        }
        // After a timeout an ACK covers much that has arrived before.
        let timeout = self.recovery.phase == Phase::Timeout;
        let acked = Acked {
            paced: shared.paced,
            octets: if timeout || shared.tcp().growth.by_delivery {
                news.delivered.saturating_sub(news.guessed)
            } else {
                news.text
            },
            now,
            srtt: self.rto.srtt().unwrap_or(0),
            rtt: news.rtt,
            una: self.snd.una,
            max: self.snd.max,
        };
        let slow_start = self.congestion.in_slow_start();
        let used = self.recovery.out().map_or(0, |out| out.used);
        let flight = if slow_start {
            used.max(news.flight)
        } else {
            news.flight
        };
        self.congestion.acknowledged(&acked, flight, shared.tcp());
    }

    /// Eifel (RFC 3522), reports of duplicates (RFC 3708) and F-RTO (RFC 5682).
    fn take_back_if_spurious(&mut self, shared: &mut Shared, now: Instant, news: &News) {
        let profile = shared.tcp().recovery;
        let (una, point, phase) = (self.snd.una, self.recovery.point, self.recovery.phase);
        let can_probe = self.data_end().gt(self.snd.max) && una.plus(self.snd.wnd).gt(self.snd.max);
        if news.reported.is_some() {
            self.recovery.rack.duplicate_reported(una, self.snd.max);
        }
        let Some(out) = self.recovery.out_mut() else {
            return;
        };
        let mut spurious = false;
        if let Some(undo) = &mut out.undo {
            if profile.eifel && news.advanced > 0 {
                spurious |= undo.is_spurious_by_echo(news.echo);
            }
            if let Some(reported) = news.reported {
                spurious |= undo.is_spurious_by_report(reported.start, point);
            }
        }
        if phase == Phase::Timeout {
            let on = una.lt(point);
            let says = out
                .frto
                .acknowledged(news.advanced > 0 && on, news.original, can_probe);
            spurious |= says && out.undo.is_some();
        }
        if spurious && let Some(undo) = out.undo.take() {
            out.flight.find_all();
            out.force = false;
            out.frto = Frto::Off;
            let pipe = out.flight.pipe();
            self.congestion
                .undo(&undo.saved, pipe, news.delivered, shared.tcp());
            self.recovery.leave();
            self.recovery.point = una;
            self.rto.forget_timeouts();
            shared.note(&self.tuple, TcpNote::Spurious, una);
            if self.deadlines.is_armed(Timer::Retransmit) {
                let timeout = self.rto.timeout(shared.tcp());
                self.deadlines.arm(Timer::Retransmit, now.plus(timeout));
            }
        }
    }

    /// RFC 8985, 7.4: whether a probe repaired a loss; then the window falls as it would have in fast recovery.
    fn judge_tail_probe(&mut self, shared: &mut Shared, news: &News) {
        let una = self.snd.una;
        let Some(out) = self.recovery.out_mut() else {
            return;
        };
        let Some(tail) = out.tail else {
            return;
        };
        let duplicate = news.reported.is_some_and(|block| block.end == tail.end);
        let verdict = tail.judge(una, duplicate, news.repeats);
        if verdict != Verdict::Waiting {
            out.tail = None;
        }
        if verdict == Verdict::Repaired && self.recovery.phase == Phase::Open {
            let flight = self.snd.max.since(una) + news.advanced;
            self.congestion.loss(self.reduced_from(shared, flight));
            shared.note(&self.tuple, TcpNote::RecoveryEntered, una);
            shared.note(&self.tuple, TcpNote::RecoveryLeft, una);
        }
    }

    fn leave_if_over(&mut self, shared: &mut Shared) {
        let phase = self.recovery.phase;
        if phase == Phase::Open || self.snd.una.lt(self.recovery.point) {
            return;
        }
        self.recovery.leave();
        if phase == Phase::Fast {
            let flight = self.snd.max.since(self.snd.una);
            let burst = (!shared.tcp().recovery.prr).then_some(flight);
            self.congestion.leave_recovery(burst);
        }
        shared.note(&self.tuple, TcpNote::RecoveryLeft, self.snd.una);
    }

    /// Marks what is lost; with RACK, how long until more may be.
    fn find_losses(&mut self, shared: &Shared, now: Instant, news: &News) -> Option<u64> {
        let profile = shared.tcp();
        if !self.agreed.sack {
            self.find_losses_by_duplicates(profile, news);
            return None;
        }
        if profile.recovery.rack {
            return if news.delivered > 0 {
                self.find_overdue(profile, now)
            } else {
                None
            };
        }
        if news.sacked == 0 {
            return None;
        }
        let open = self.recovery.phase == Phase::Open;
        self.recovery.dup_acks = self.recovery.dup_acks.saturating_add(u8::from(open));
        let third = open && self.recovery.dup_acks >= profile.dup_thresh;
        let smss = self.congestion.smss();
        if let Some(out) = self.recovery.out_mut() {
            out.flight.lose_by_count(profile.dup_thresh, smss);
            if third {
                out.flight.lose_head();
            }
        }
        None
    }

    /// RFC 5681, 3.2, and RFC 6582, 3.2.
    fn find_losses_by_duplicates(&mut self, profile: &TcpProfile, news: &News) {
        let smss = self.congestion.smss();
        let phase = self.recovery.phase;
        // RFC 6582, 3.2, step 2: not for octets of an earlier recovery.
        let new_loss = self.snd.una.ge(self.recovery.point);
        let open = phase == Phase::Open;
        if news.duplicate && open && new_loss {
            self.recovery.dup_acks = self.recovery.dup_acks.saturating_add(1);
        }
        let third = self.recovery.dup_acks >= profile.dup_thresh;
        let Some(out) = self.recovery.out_mut() else {
            return;
        };
        if news.advanced > 0 {
            out.flight.correct_guess(news.advanced, smss);
            if open {
                out.flight.forget_guess();
            }
        }
        if news.duplicate && (phase == Phase::Fast || open && new_loss) {
            // Each one says that a segment has left the network.
            out.flight.guess(smss);
            if open && third {
                out.flight.lose_head();
            }
        }
        if phase == Phase::Fast && news.advanced > 0 && !new_loss {
            // Step 3: a partial ACK: the next segment is lost too.
            out.flight.lose_head();
            self.recovery.partial_acks = self.recovery.partial_acks.saturating_add(1);
        }
    }

    fn find_overdue(&mut self, profile: &TcpProfile, now: Instant) -> Option<u64> {
        let srtt = self.rto.srtt().unwrap_or(0);
        let recovering = self.recovery.phase != Phase::Open;
        let rack = self.recovery.rack;
        let out = self.recovery.out_mut()?;
        let window = rack.reordering_window(recovering, out.flight.held(), srtt, profile);
        let latest = out.latest;
        let age = latest.rtt?.saturating_add(window);
        out.flight
            .lose_overdue(latest.at, latest.end, age, now)
            .wait
    }

    /// Something is lost and no recovery is under way. `flight`: octets under way before this was known. Whether a
    /// recovery begins.
    fn enter_if_lost(&mut self, shared: &mut Shared, flight: u32) -> bool {
        if self.recovery.phase != Phase::Open || self.recovery.lost() == 0 {
            return false;
        }
        let (una, max) = (self.snd.una, self.snd.max);
        let undo = Undo::new(self.congestion.save(), una);
        // RFC 5681, 3.2, step 2: FlightSize, not the pipe, is what the threshold is taken from, but without what limited
        // transmit has added to it.
        let flight_size = max.since(una).min(self.congestion.cwnd());
        self.congestion.loss(self.reduced_from(shared, flight_size));
        self.recovery.enter(Phase::Fast, max);
        if let Some(out) = self.recovery.out_mut() {
            out.undo = Some(undo);
            out.prr = Prr::new(flight);
        }
        shared.note(&self.tuple, TcpNote::RecoveryEntered, una);
        true
    }

    /// What the threshold becomes a share of.
    pub fn reduced_from(&self, shared: &Shared, flight: u32) -> u32 {
        if shared.tcp().growth.from_window {
            self.congestion.cwnd()
        } else {
            flight
        }
    }

    /// RFC 9937. `safe`: something is acknowledged and no further loss came to light.
    fn reduce_in_proportion(&mut self, shared: &Shared, news: &News, safe: bool, entered: bool) {
        let smss = self.congestion.smss();
        let ssthresh = self.congestion.ssthresh().unwrap_or(u32::MAX);
        // Without SACK a duplicate ACK stands for a segment.
        let guess = u32::from(news.duplicate && !self.agreed.sack) * smss;
        let delivered = news.delivered.max(guess);
        let says = delivered > 0 || entered;
        let Some(out) = self.recovery.out_mut() else {
            return;
        };
        if shared.tcp().recovery.prr && says {
            let pipe = out.flight.pipe();
            let cwnd = out.prr.window(delivered, pipe, ssthresh, smss, safe);
            self.congestion.set_cwnd(cwnd);
        }
    }

    /// RFC 6298, 5.2 and 5.3: stopped when all is acknowledged, restarted when something new is. RFC 6582, 4 (the
    /// "impatient" variant): without SACK, in recovery only the first partial ACK restarts it.
    fn restart_retransmission(&mut self, shared: &Shared, now: Instant) {
        self.rto.since = now;
        let impatient = self.recovery.phase == Phase::Fast && self.recovery.partial_acks > 1;
        if !self.snd.has_outstanding() {
            self.deadlines.disarm(Timer::Retransmit);
            self.deadlines.disarm(Timer::Early);
        } else if self.deadlines.is_armed(Timer::Retransmit) && !impatient {
            let timeout = self.rto.timeout(shared.tcp());
            self.deadlines.arm(Timer::Retransmit, now.plus(timeout));
        }
    }

    /// The retransmission timer expired. `first`: a reaction to a loss begins with this.
    pub fn enter_timeout(&mut self, shared: &Shared, now: Instant, first: bool) {
        let (una, max) = (self.snd.una, self.snd.max);
        let profile = shared.tcp();
        let srtt = self.rto.srtt().unwrap_or(0);
        let rack = self.recovery.rack;
        let undo = (first && self.recovery.phase == Phase::Open)
            .then(|| Undo::new(self.congestion.save(), una));
        self.marks -= Marks::TAIL_PROBE;
        self.deadlines.disarm(Timer::Early);
        self.recovery.enter(Phase::Timeout, max);
        let sack = self.agreed.sack;
        let Some(out) = self.recovery.out_mut() else {
            return;
        };
        // RFC 8985, 6.3: what was sent a moment ago may still arrive.
        let window = rack.reordering_window(true, out.flight.held(), srtt, profile);
        let rtt = out.latest.rtt.filter(|_| sack && profile.recovery.rack);
        let age = rtt.map(|rtt| rtt.saturating_add(window));
        match age {
            Some(age) => out.flight.lose_at_timeout(age, now),
            None => out.flight.lose_all(),
        }
        if undo.is_some() && profile.recovery.f_rto && sack {
            out.frto = Frto::Armed;
        }
        out.undo = undo;
    }

    /// The path takes smaller segments only: all that is out was lost for that reason, and no other.
    pub fn lose_everything(&mut self) {
        self.recovery.enter(Phase::Timeout, self.snd.max);
        if let Some(out) = self.recovery.out_mut() {
            out.flight.lose_all();
        }
    }

    /// The timer before the retransmission timer expired.
    pub fn early_timeout(&mut self, shared: &mut Shared, now: Instant) {
        let Some(out) = self.recovery.out() else {
            return;
        };
        match out.early {
            Early::Probe if self.recovery.phase == Phase::Open => {
                self.marks |= Marks::TAIL_PROBE;
                // RFC 8985, 7.3: the probe goes in place of a timeout that is due now.
                let timeout = self.rto.timeout(shared.tcp());
                self.deadlines.arm(Timer::Retransmit, now.plus(timeout));
            }
            Early::Probe => {}
            Early::Reorder => {
                let pipe = self.recovery.pipe();
                let wait = self.find_overdue(shared.tcp(), now);
                if self.enter_if_lost(shared, pipe) {
                    let news = News::default();
                    self.reduce_in_proportion(shared, &news, false, true);
                }
                if let Some(wait) = wait {
                    self.arm_early(Early::Reorder, now.plus(wait + slack(shared)));
                }
            }
        }
    }

    /// Whether the end of RACK's reordering window is waited for.
    pub fn waits_for_reordering(&self) -> bool {
        let reorder = |out: &Out| out.early == Early::Reorder;
        self.deadlines.is_armed(Timer::Early) && self.recovery.out().is_some_and(reorder)
    }

    fn arm_early(&mut self, early: Early, at: Instant) {
        if let Some(out) = self.recovery.out_mut() {
            out.early = early;
            self.deadlines.arm(Timer::Early, at);
        }
    }

    /// RFC 8985, 7.2: a probe is due after a while without news, unless something is known of the flight's losses.
    #[inline]
    pub fn arm_tail_probe(&mut self, shared: &Shared, now: Instant) {
        let profile = shared.tcp();
        let open = self.recovery.phase == Phase::Open && self.agreed.sack;
        let alone = open && profile.recovery.tail_probe && self.snd.syn_acked();
        let lone = match self.recovery.out() {
            Some(out) if alone && out.flight.held() == 0 && out.tail.is_none() => {
                out.flight.is_lone()
            }
            _ => return self.deadlines.disarm(Timer::Early),
        };
        let wait = probe_timeout(self.rto.srtt(), lone, &profile.recovery);
        let at = now.plus(wait).min(self.deadlines.at(Timer::Retransmit));
        self.arm_early(Early::Probe, at);
    }
}

fn slack(shared: &Shared) -> u64 {
    shared.tcp().recovery.slack
}
