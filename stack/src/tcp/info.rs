//! `TCP_INFO`: a connection's insides, as they stand now.

use xen_abi::Instant;

use crate::api::{CaState, Counts, Negotiated, TcpInfo};
use crate::event::TcpState;
use crate::tcp::connection::{Connection, Marks};
use crate::tcp::flight::Tally;
use crate::tcp::meter::Limit;
use crate::tcp::recovery::Phase;
use crate::tcp::shared::Shared;

impl Connection {
    /// All that is known of it.
    pub fn info(&self, shared: &Shared, now: Instant) -> TcpInfo {
        let profile = shared.tcp();
        let smss = self.agreed.smss().max(1);
        let tally = self
            .recovery
            .out()
            .map_or(Tally::default(), |out| out.flight.tally());
        // A SYN is no record.
        let syn = u32::from(!self.snd.syn_acked() && self.snd.has_outstanding());
        let probing = self
            .deadlines
            .is_armed(crate::tcp::deadlines::Timer::Persist);
        let meter = self.meter();
        let time = |limit| meter.map_or(0, |m| m.time(now, limit));
        let (rwnd_limited, sndbuf_limited) = (time(Limit::PeerWindow), time(Limit::SendBuffer));
        TcpInfo {
            state: self.state(),
            ca_state: match self.recovery.phase {
                Phase::Fast => CaState::Recovery,
                Phase::Timeout => CaState::Loss,
                Phase::Open if self.recovery.dup_acks > 0 || tally.held > 0 => CaState::Disorder,
                Phase::Open => CaState::Open,
            },
            negotiated: self.negotiated(),
            snd_wscale: self.agreed.send_shift,
            rcv_wscale: self.agreed.recv_shift,
            retransmits: if probing { 0 } else { self.rto.timeouts },
            probes: if probing && !self.marks.contains(Marks::HELD_BACK) {
                self.rto.timeouts
            } else {
                self.unanswered
            },
            backoff: self.rto.doublings(),
            rto: self.rto.timeout(profile),
            ato: profile.delayed_ack,
            snd_mss: smss,
            rcv_mss: self.ack.largest(),
            advmss: u32::from(self.agreed.recv_mss),
            pmtu: 0,
            rtt: self.rto.srtt().unwrap_or(0),
            rttvar: self.rto.rttvar(),
            min_rtt: self.recovery.rack.min_rtt().unwrap_or(0),
            snd_cwnd: self.congestion.cwnd(),
            snd_ssthresh: self.congestion.ssthresh(),
            snd_wnd: self.snd.wnd,
            rcv_wnd: self.rcv.window(),
            snd_nxt: self.snd.nxt.0,
            rcv_nxt: self.rcv.nxt.0,
            unacked: tally.out + syn,
            sacked: tally.held,
            lost: tally.lost,
            retrans: tally.again,
            reordering: profile
                .dup_thresh
                .max(self.recovery.rack.reordering())
                .into(),
            notsent: self.queued_unsent(),
            last_data_sent: now.since(self.last_sent),
            last_data_recv: meter.map_or(0, |m| now.since(m.last_data)),
            last_ack_recv: meter.map_or(0, |m| now.since(m.last_ack)),
            counts: Counts {
                bytes_received: u64::from(self.rcv.nxt.since(self.rcv.irs).saturating_sub(1)),
                ..meter.map_or(Counts::default(), |m| m.counts)
            },
            busy_time: time(Limit::Network) + rwnd_limited + sndbuf_limited,
            rwnd_limited,
            sndbuf_limited,
        }
    }

    fn negotiated(&self) -> Negotiated {
        let mut options = Negotiated::empty();
        if self.state() == TcpState::SynSent {
            return options;
        }
        options.set(Negotiated::SYN_DATA, self.marks.contains(Marks::SYN_DATA));
        options.set(Negotiated::TIMESTAMPS, self.agreed.timestamps);
        options.set(Negotiated::SACK, self.agreed.sack);
        options.set(Negotiated::WINDOW_SCALE, self.agreed.window_scaling);
        options.set(Negotiated::ECN, self.agreed.ecn);
        options
    }
}

/// What is known of a socket that is no connection.
pub fn without_connection(state: TcpState) -> TcpInfo {
    TcpInfo {
        state,
        ca_state: CaState::Open,
        negotiated: Negotiated::empty(),
        snd_wscale: 0,
        rcv_wscale: 0,
        retransmits: 0,
        probes: 0,
        backoff: 0,
        rto: 0,
        ato: 0,
        snd_mss: 0,
        rcv_mss: 0,
        advmss: 0,
        pmtu: 0,
        rtt: 0,
        rttvar: 0,
        min_rtt: 0,
        snd_cwnd: 0,
        snd_ssthresh: None,
        snd_wnd: 0,
        rcv_wnd: 0,
        snd_nxt: 0,
        rcv_nxt: 0,
        unacked: 0,
        sacked: 0,
        lost: 0,
        retrans: 0,
        reordering: 0,
        notsent: 0,
        last_data_sent: 0,
        last_data_recv: 0,
        last_ack_recv: 0,
        counts: Counts::default(),
        busy_time: 0,
        rwnd_limited: 0,
        sndbuf_limited: 0,
    }
}
