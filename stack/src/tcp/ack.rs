//! The ACK field of a segment (RFC 9293, 3.10.7.4, fifth step) and its SACK blocks: what they say about what is out
//! and about the window. What follows from that is [`crate::tcp::repair`]'s business.

use core::ops::ControlFlow::{Break, Continue};

use xen_abi::Instant;

use crate::event::TcpNote;
use crate::profile::TcpProfile;
use crate::seq::SeqNumber;
use crate::tcp::connection::{Connection, Marks};
use crate::tcp::deadlines::Timer;
use crate::tcp::flight::{Sent, SentMarks};
use crate::tcp::incoming::Incoming;
use crate::tcp::input::Flow;
use crate::tcp::rack::{Latest, Rack};
use crate::tcp::recovery::Phase;
use crate::tcp::repair::News;
use crate::tcp::shared::Shared;
use crate::tcp::timestamps::Stamps;
use crate::wire::tcp::Flags;
use crate::wire::tcp_options::{MAX_SACK_BLOCKS, SackBlock, sack_blocks};

/// Who learns from each transmission that has arrived.
struct Delivery<'a> {
    rack: &'a mut Rack,
    latest: &'a mut Latest,
    news: &'a mut News,
    now: Instant,
    stamps: Option<&'a Stamps>,
    smss: u32,
    /// The recovery point, after a timeout.
    point: Option<SeqNumber>,
}

impl Delivery<'_> {
    fn take(&mut self, sent: &Sent) {
        let octets = sent.end.since(sent.start);
        let repeated = sent.marks.contains(SentMarks::REPEATED);
        self.news.delivered += octets;
        if !repeated {
            self.news.rtt = Some(self.now.since(sent.at));
        }
        self.news.original |= !repeated && self.point.is_some_and(|point| sent.end.le(point));
        let echo = self.news.echo;
        let is_earlier = repeated
            && self.stamps.is_some_and(|stamps| {
                echo != 0 && SeqNumber(echo).lt(SeqNumber(stamps.clock(sent.at)))
            });
        self.rack
            .delivered(self.latest, sent, self.now, is_earlier, self.smss);
    }
}

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
        let mut news = self.news(segment);
        if segment.ack.gt(self.snd.una) {
            self.take_acked(shared, now, segment, &mut news);
        }
        self.take_ecn_echo(shared, segment, news.flight);
        self.take_sack(shared, now, segment, &mut news);
        if segment.ack == self.snd.una && news.advanced == 0 {
            news.duplicate = self.is_duplicate(segment, news.sacked, new_window);
            news.repeats = segment.is_pure_ack() && news.sacked == 0 && !new_window;
        }
        self.repair(shared, now, &news);
        if segment.ack.ge(self.snd.una) && self.snd.is_newer(segment) {
            self.take_window(now, segment);
        }
        Continue(())
    }

    /// SEG.ACK > SND.UNA in a segment without SACK blocks: a handshake's, or one that was predicted.
    pub fn acknowledged(&mut self, shared: &mut Shared, now: Instant, segment: &Incoming<'_>) {
        let mut news = self.news(segment);
        self.take_acked(shared, now, segment, &mut news);
        self.mtu_probe_acknowledged();
        self.repair(shared, now, &news);
    }

    fn news(&self, segment: &Incoming<'_>) -> News {
        let stamp = segment.stamp.filter(|_| self.agreed.timestamps);
        News {
            flight: self.recovery.pipe(),
            guessed: self.recovery.out().map_or(0, |out| out.flight.guessed()),
            echo: stamp.map_or(0, |(_, echo)| echo),
            ..News::default()
        }
    }

    /// Removes what is acknowledged from the send buffer and from what is out.
    fn take_acked(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        segment: &Incoming<'_>,
        news: &mut News,
    ) {
        let ack = segment.ack;
        let syn = u32::from(!self.snd.syn_acked());
        news.advanced = ack.since(self.snd.una);
        news.text = (news.advanced - syn).min(self.outbox.len());
        self.outbox.acknowledge(&mut shared.pool, news.text);
        self.snd.acknowledged(ack);
        self.end_ecn_window(ack);
        self.note_acknowledged(now, ack);
        let smss = self.agreed.smss();
        if let Some(meter) = self.meter_mut() {
            meter.delivered(news.text, syn > 0, smss);
        }
        self.note_limit(now);
        let echoed = (news.echo != 0)
            .then(|| self.stamps.age(news.echo, now))
            .flatten();
        self.rto.acknowledged(ack, now, echoed, shared.tcp());
        if syn > 0 {
            self.handshake_acknowledged();
        }
        self.with_flight(now, news, |flight, delivery| {
            flight.acknowledge(ack, |sent| delivery.take(sent));
            delivery.news.reneged = flight.forget_if_reneged(ack);
        });
        if news.reneged {
            shared.note(&self.tuple, TcpNote::Renege, ack);
        }
        self.wake_writer(shared.tcp(), news.text);
    }

    /// So much text is acknowledged: an application that was refused room may have it now.
    #[inline]
    pub fn wake_writer(&mut self, profile: &TcpProfile, text: u32) {
        if text > 0 && self.marks.contains(Marks::SEND_BLOCKED) && self.is_writable(profile) {
            self.marks -= Marks::SEND_BLOCKED;
            self.marks |= Marks::NEWS | Marks::NEWS_WRITE;
        }
    }

    /// The handshake's round trip is RACK's first measurement. What Fast Open has sent behind the SYN is out, though the
    /// SYN may have been sent again meanwhile.
    fn handshake_acknowledged(&mut self) {
        if let Some(rtt) = self.rto.srtt() {
            self.recovery.rack.measured(rtt);
        }
        let end = self.recovery.out().and_then(|out| out.flight.end());
        self.snd.nxt = end.unwrap_or(self.snd.nxt);
    }

    /// Takes the SACK blocks, the lowest first, and a report of a duplicate in front of them.
    fn take_sack(
        &mut self,
        shared: &Shared,
        now: Instant,
        segment: &Incoming<'_>,
        news: &mut News,
    ) {
        if !self.agreed.sack || segment.sack.is_empty() {
            return;
        }
        let nothing = SackBlock {
            start: SeqNumber(0),
            end: SeqNumber(0),
        };
        let mut blocks = [nothing; MAX_SACK_BLOCKS];
        let mut n = 0;
        for (to, block) in blocks.iter_mut().zip(sack_blocks(segment.sack)) {
            *to = block;
            n += 1;
        }
        let blocks = &mut blocks[..n];
        news.reported = reported_duplicate(blocks, segment.ack);
        let una = self.snd.una;
        blocks.sort_unstable_by_key(|block| block.start.since(una));
        let (ranges, records) = (shared.tcp().max_sacked, shared.tcp().recovery.max_records);
        let before = news.delivered;
        self.with_flight(now, news, |flight, delivery| {
            for &mut block in blocks {
                flight.hold(block, ranges, records, |sent| delivery.take(sent));
            }
        });
        news.sacked = news.delivered - before;
    }

    fn with_flight(
        &mut self,
        now: Instant,
        news: &mut News,
        run: impl FnOnce(&mut crate::tcp::flight::Flight, &mut Delivery<'_>),
    ) {
        let mut rack = self.recovery.rack;
        let smss = self.agreed.smss();
        let timeout = self.recovery.phase == Phase::Timeout;
        let point = timeout.then_some(self.recovery.point);
        let stamps = self.agreed.timestamps.then_some(&self.stamps);
        if let Some(out) = self.recovery.out_mut() {
            let mut delivery = Delivery {
                rack: &mut rack,
                latest: &mut out.latest,
                news,
                now,
                stamps,
                smss,
                point,
            };
            run(&mut out.flight, &mut delivery);
        }
        self.recovery.rack = rack;
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
                self.rto.forget_timeouts();
            }
        }
    }
}

/// RFC 2883, 4: a first block below the cumulative acknowledgment, or within the second block, reports a duplicate.
fn reported_duplicate(blocks: &[SackBlock], ack: SeqNumber) -> Option<SackBlock> {
    let &first = blocks.first()?;
    let within = |outer: &SackBlock| outer.start.le(first.start) && first.end.le(outer.end);
    let reports = first.end.le(ack) || blocks.get(1).is_some_and(within);
    (reports && first.start.lt(first.end)).then_some(first)
}
