//! Linux: the choices of `net/ipv4/tcp*.c` (6.x) and the defaults of its sysctls (Documentation/networking/ip-sysctl).

use super::handshake::{Handshake, SackPadding, SynLayout, SynOption};
use super::sockets::{Charge, Writable};
use super::{
    Acks, Buffers, Closing, Congestion, Defence, Ecn, EcnMode, FastOpen, Icmp, IcmpKinds, MS,
    MtuProbing, Nagle, Recovery, SEC, SlowStart, Sockets, SynCookies, TcpProfile,
};
use crate::api::SocketError;

/// TCP.
pub fn tcp() -> TcpProfile {
    TcpProfile {
        handshake: Handshake {
            layout: SynLayout {
                order: [
                    SynOption::Mss,
                    SynOption::SackPermitted,
                    SynOption::Timestamps,
                    SynOption::WindowScale,
                ],
                sack: SackPadding::NopsOfTimestamps,
            },
            plain_after: 0,
            syn_retries: Some(6),
            r2_is_exact: false,
        },
        buffers: Buffers {
            // tcp_rmem[2]
            recv_most: Some(6 << 20),
            first_window: Some(65_535),
            round_up: true,
            told_when_doubled: true,
            doubled: true,
            ..Buffers::default()
        },
        sockets: Sockets {
            measure: true,
            always_keep_alive: false,
            max_seg_at_open_only: true,
            writable: Writable::HalfOfUsed,
            // tcp_min_tso_segs, tcp_wmem[2]
            charge: Some(Charge {
                overhead: 1_280,
                least_segments: 2,
                most: 4 << 20,
            }),
        },
        acks: Acks {
            quick: 16,
            ..Acks::default()
        },
        closing: Closing {
            reset_in_close_wait: SocketError::EPIPE,
            text_is_for_nobody: true,
            ..Closing::default()
        },
        recovery: Recovery {
            // TCP_TIMEOUT_MIN: two ticks of a millisecond
            slack: 2 * MS,
            // TCP_RTO_MIN
            tail_delay: 200 * MS,
            ..Recovery::default()
        },
        growth: Congestion {
            slow_start: SlowStart::Hystart {
                train: true,
                delay: true,
            },
            // tcp_slow_start() takes all that is acknowledged.
            most_per_ack: u32::MAX,
            most_per_ack_later: u32::MAX,
            by_delivery: true,
            from_window: true,
            whole_undo: true,
            // tcp_min_tso_segs
            send_unit: 2,
            ..Congestion::default()
        },
        defence: Defence {
            syn_cookies: SynCookies::WhenFull,
            tolerate_missing_stamp: true,
            ..Defence::default()
        },
        ecn: Ecn {
            // tcp_ecn: 2; tcp_ecn_fallback
            mode: EcnMode::Passive,
            asking_retries: 0,
        },
        fast_open: FastOpen {
            // tcp_fastopen: 1
            client: true,
            // MAX_TCP_OPTION_SPACE
            option_room: Some(40),
            tries_experimental: true,
            path_disable: 0,
            ..FastOpen::default()
        },
        icmp: Icmp {
            // tcp_v4_err: whatever it is, as long as nothing is synchronized
            end_connect: IcmpKinds::all(),
            // tcp_req_err
            end_half_open: IcmpKinds::NET
                | IcmpKinds::HOST
                | IcmpKinds::TIME_EXCEEDED
                | IcmpKinds::PARAMETER,
            announces_path: true,
            ..Icmp::default()
        },
        mtu_probing: MtuProbing {
            passive_begins_full: true,
            ..MtuProbing::default()
        },
        resets_hold_stamps: true,
        drops_unexpected_signature: true,
        nagle: Nagle::SmallSegmentOut,
        urgent_in_line: false,
        text_outlives_reset: true,
        checks_syn_ack_echo: true,
        // TCP_RTO_MIN; RFC 6298, 2.4 says 1 s, and nobody does.
        min_rto: 200 * MS,
        min_rto_spread: 200 * MS,
        // TCP_RTO_MAX
        max_rto: 120 * SEC,
        // tcp_rmem[1], tcp_wmem[1]
        recv_buffer: 131_072,
        send_buffer: 16_384,
        // TCP_TIMEWAIT_LEN is 60 s.
        msl: 30 * SEC,
        // TCP_DELACK_MIN
        delayed_ack: 40 * MS,
        min_mss: 48,
        ephemeral: (32_768, 60_999),
        ..TcpProfile::default()
    }
}
