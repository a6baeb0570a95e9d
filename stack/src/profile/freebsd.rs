//! FreeBSD: the choices of `sys/netinet/tcp_*.c` (15.x) and the defaults of its sysctls (tcp(4)).

use super::handshake::{Handshake, SackPadding, SynLayout, SynOption};
use super::sockets::Writable;
use super::{
    Acks, Buffers, Closing, Defence, Ecn, EcnMode, FastOpen, Icmp, IcmpKinds, MS, Nagle, SEC,
    Sockets, SynCookies, TcpProfile,
};
use crate::api::SocketError;

/// TCP.
pub fn tcp() -> TcpProfile {
    TcpProfile {
        handshake: Handshake {
            layout: SynLayout {
                order: [
                    SynOption::Mss,
                    SynOption::WindowScale,
                    SynOption::SackPermitted,
                    SynOption::Timestamps,
                ],
                sack: SackPadding::EndOfList,
            },
            plain_after: 0,
            syn_retries: None,
            r2_is_exact: true,
        },
        buffers: Buffers {
            // kern.ipc.maxsockbuf
            recv_most: Some(2 << 20),
            first_window: None,
            whole_segments: true,
            most: 2 << 20,
            round_up: true,
            every_octet: true,
            accept_what_fits: true,
            doubled: false,
            told_when_doubled: false,
        },
        sockets: Sockets {
            not_sent_lowat: 0,
            measure: true,
            always_keep_alive: true,
            max_seg_at_open_only: false,
            // SO_SNDLOWAT
            writable: Writable::LowWater(2_048),
            charge: None,
        },
        acks: Acks {
            every_second: true,
            of_old_segments: true,
            ..Acks::default()
        },
        closing: Closing {
            repeats_fin: true,
            reset_is_told: true,
            ..Closing::default()
        },
        defence: Defence {
            syn_cookies: SynCookies::WhenFull,
            listener_ignores_syn_ack: true,
            time_wait_ignores_rst: true,
            time_wait_wants_ack: true,
            ..Defence::default()
        },
        ecn: Ecn {
            // net.inet.tcp.ecn.enable: 2; net.inet.tcp.ecn.maxretries
            mode: EcnMode::Passive,
            asking_retries: 1,
        },
        fast_open: FastOpen {
            // net.inet.tcp.fastopen.client_enable
            client: true,
            padding: 0,
            ..FastOpen::default()
        },
        icmp: Icmp {
            // tcp_ctlinput with net.inet.tcp.icmp_may_rst
            end_connect: IcmpKinds::PORT
                | IcmpKinds::PROTOCOL
                | IcmpKinds::PROHIBITED
                | IcmpKinds::TIME_EXCEEDED,
            end_half_open: IcmpKinds::empty(),
            prohibited: SocketError::ECONNREFUSED,
            ..Icmp::default()
        },
        nagle: Nagle::OutBefore,
        urgent_in_line: false,
        text_outlives_reset: true,
        // tcp_rexmit_min, and tcp_rexmit_slop on top of every estimate.
        min_rto: 30 * MS,
        rto_slop: 200 * MS,
        // TCPTV_REXMTMAX
        max_rto: 64 * SEC,
        // net.inet.tcp.keepinit
        r2_syn: 75 * SEC,
        recv_buffer: 65_536,
        send_buffer: 32_768,
        keepalive_probes: 8,
        // net.inet.tcp.minmss
        min_mss: 216,
        ephemeral: (10_000, 65_535),
        ..TcpProfile::default()
    }
}
