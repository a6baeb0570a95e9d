//! `struct tcp_info` as programs of either system read it: its fields by name, in that kernel's units and numbers.

use crate::api::{CaState, Negotiated, TcpInfo};
use crate::event::TcpState;
use crate::posix::personality::{Numbers, Personality};

/// `TCP_INFINITE_SSTHRESH`: there was no loss yet. FreeBSD's is `TCP_MAXWIN << TCP_MAX_WINSHIFT`.
const NO_THRESHOLD: (i64, i64) = (0x7FFF_FFFF, 65_535 << 14);

/// Linux's `TCP_ESTABLISHED` and its kin (`include/net/tcp_states.h`), and FreeBSD's `TCPS_ESTABLISHED` and its kin
/// (`netinet/tcp_fsm.h`).
pub fn state_number(state: TcpState, personality: &Personality) -> i64 {
    let (linux, bsd) = match state {
        TcpState::Closed => (7, 0),
        TcpState::Listen => (10, 1),
        TcpState::SynSent => (2, 2),
        TcpState::SynReceived => (3, 3),
        TcpState::Established => (1, 4),
        TcpState::CloseWait => (8, 5),
        TcpState::FinWait1 => (4, 6),
        TcpState::Closing => (11, 7),
        TcpState::LastAck => (9, 8),
        TcpState::FinWait2 => (5, 9),
        TcpState::TimeWait => (6, 10),
    };
    match personality.numbers {
        Numbers::Linux => linux,
        Numbers::Bsd => bsd,
    }
}

/// `TCPI_OPT_*`: the first four bits are the same everywhere.
fn option_bits(negotiated: Negotiated, personality: &Personality) -> i64 {
    let (fast_open, syn_data) = match personality.numbers {
        Numbers::Linux => (0, 32),
        // TCPI_OPT_TFO
        Numbers::Bsd => (32, 0),
    };
    let mut bits = 0;
    for (what, bit) in [
        (Negotiated::TIMESTAMPS, 1),
        (Negotiated::SACK, 2),
        (Negotiated::WINDOW_SCALE, 4),
        (Negotiated::ECN, 8),
        (Negotiated::SYN_DATA, syn_data),
        (Negotiated::FAST_OPEN, fast_open),
    ] {
        if negotiated.contains(what) {
            bits |= bit;
        }
    }
    if personality.numbers == Numbers::Linux && negotiated.contains(Negotiated::ECN_SEEN) {
        bits |= 16;
    }
    bits
}

/// `TCP_CA_*`
fn ca_number(state: CaState) -> i64 {
    match state {
        CaState::Open => 0,
        CaState::Disorder => 1,
        CaState::Cwr => 2,
        CaState::Recovery => 3,
        CaState::Loss => 4,
    }
}

/// Microseconds.
fn us(ns: u64) -> i64 {
    (ns / 1_000) as i64
}

/// Milliseconds.
fn ms(ns: u64) -> i64 {
    (ns / 1_000_000) as i64
}

/// The field `tcpi_NAME`; `None` if there is none of that name.
pub fn field(info: &TcpInfo, name: &str, personality: &Personality) -> Option<i64> {
    let linux = personality.numbers == Numbers::Linux;
    // Linux counts its windows in segments, FreeBSD in octets.
    let window = |octets: u32| match linux {
        true => i64::from(octets / info.snd_mss.max(1)),
        false => i64::from(octets),
    };
    let counts = &info.counts;
    Some(match name {
        "state" => state_number(info.state, personality),
        "ca_state" => ca_number(info.ca_state),
        "options" => option_bits(info.negotiated, personality),
        "retransmits" => i64::from(info.retransmits),
        "probes" => i64::from(info.probes),
        "backoff" => i64::from(info.backoff),
        "snd_wscale" => i64::from(info.snd_wscale),
        "rcv_wscale" => i64::from(info.rcv_wscale),
        "rto" => us(info.rto),
        "ato" => us(info.ato),
        "snd_mss" => i64::from(info.snd_mss),
        "rcv_mss" => i64::from(info.rcv_mss),
        "advmss" => i64::from(info.advmss),
        "pmtu" => i64::from(info.pmtu),
        "rtt" => us(info.rtt),
        "rttvar" => us(info.rttvar),
        "min_rtt" => us(info.min_rtt),
        "snd_cwnd" => window(info.snd_cwnd),
        "snd_ssthresh" => match info.snd_ssthresh {
            Some(octets) => window(octets),
            None if linux => NO_THRESHOLD.0,
            None => NO_THRESHOLD.1,
        },
        "snd_wnd" => i64::from(info.snd_wnd),
        "rcv_wnd" | "rcv_space" => i64::from(info.rcv_wnd),
        "snd_nxt" => i64::from(info.snd_nxt),
        "rcv_nxt" => i64::from(info.rcv_nxt),
        "unacked" => i64::from(info.unacked),
        "sacked" => i64::from(info.sacked),
        "lost" => i64::from(info.lost),
        "retrans" => i64::from(info.retrans),
        "reordering" => i64::from(info.reordering),
        "notsent_bytes" => i64::from(info.notsent),
        "last_data_sent" => ms(info.last_data_sent),
        "last_data_recv" => ms(info.last_data_recv),
        "last_ack_recv" => ms(info.last_ack_recv),
        "busy_time" => us(info.busy_time),
        "rwnd_limited" => us(info.rwnd_limited),
        "sndbuf_limited" => us(info.sndbuf_limited),
        "delivered" => i64::from(counts.delivered),
        "total_retrans" | "snd_rexmitpack" => i64::from(counts.total_retrans),
        "segs_out" => i64::from(counts.segs_out),
        "segs_in" => i64::from(counts.segs_in),
        "data_segs_out" => i64::from(counts.data_segs_out),
        "data_segs_in" => i64::from(counts.data_segs_in),
        "bytes_sent" => counts.bytes_sent as i64,
        "bytes_retrans" => counts.bytes_retrans as i64,
        "bytes_acked" => counts.bytes_acked as i64,
        "bytes_received" => counts.bytes_received as i64,
        "rcv_ooopack" => i64::from(counts.out_of_order),
        _ => return None,
    })
}
