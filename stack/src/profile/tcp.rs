//! TCP's constants, and its choices by groups.

use alloc::vec::Vec;

use super::{
    Acks, Buffers, Closing, Congestion, Defence, Ecn, FastOpen, Handshake, Icmp, MS, MtuProbing,
    Recovery, SEC, Sockets, UdpTunnel,
};
use crate::api::SignatureKey;

/// Which congestion controller new connections use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CongestionAlgorithm {
    /// RFC 5681.
    Reno,
    /// RFC 9438.
    Cubic,
}

/// What a segment that is less than full-sized waits for (Nagle's algorithm: RFC 9293, 3.7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nagle {
    /// Anything that is out.
    AnythingOut,
    /// Another such segment that is out (draft-minshall-nagle; Linux).
    SmallSegmentOut,
    /// What was out before the application wrote (FreeBSD, `tcp_output`).
    OutBefore,
}

/// TCP's constants. Times are nanoseconds.
#[derive(Clone, Debug)]
pub struct TcpProfile {
    /// TCP Fast Open (RFC 7413).
    pub fast_open: FastOpen,
    /// ICMP errors, and what they say about paths.
    pub icmp: Icmp,
    /// Explicit Congestion Notification (RFC 3168; RFC 9293, SHLD-8).
    pub ecn: Ecn,
    /// Finding out what paths take without ICMP.
    pub mtu_probing: MtuProbing,
    /// Segments in datagrams.
    pub udp_tunnel: UdpTunnel,
    /// The reset of an abort holds timestamps, where they are agreed on (Linux; RFC 7323, 3.2: MAY).
    pub resets_hold_stamps: bool,
    /// A signed segment (RFC 2385) from a peer with which no key is shared is dropped (Linux); otherwise the option is one
    /// that is not known (RFC 9293, MUST-6).
    pub drops_unexpected_signature: bool,
    /// Keys that every socket shares with these peers from its beginning (RFC 2385), as FreeBSD's tcp(4) takes them out of the
    /// security associations that an administrator has set.
    pub signatures: Vec<SignatureKey>,
    /// The last urgent octet stays in the line unless the application wants it out of it (RFC 6093, 4 and 6: it was never
    /// meant to leave it; 4.2BSD and its heirs take it out).
    pub urgent_in_line: bool,
    /// What was received before a reset can still be read (Linux, FreeBSD; RFC 9293, 3.10.7.4 flushes the queues).
    pub text_outlives_reset: bool,
    /// A SYN-ACK that echoes a timestamp which was never sent is answered with a reset (Linux).
    pub checks_syn_ack_echo: bool,
    /// SYN segments.
    pub handshake: Handshake,
    /// Windows and buffers.
    pub buffers: Buffers,
    /// Acknowledgments.
    pub acks: Acks,
    /// Ends.
    pub closing: Closing,
    /// Segments that nobody should have sent.
    pub defence: Defence,
    /// What applications see.
    pub sockets: Sockets,
    /// RTO before the first measurement: 1 s (RFC 6298, 2.1).
    pub initial_rto: u64,
    /// RTO after the handshake if the SYN was retransmitted without a measurement: 3 s (RFC 6298, 5.7).
    pub fallback_rto: u64,
    /// Least RTO: 1 s (RFC 6298, 2.4).
    pub min_rto: u64,
    /// Least part of the RTO that is not SRTT: none but the clock's granularity (RFC 6298, 2.3); Linux has its least RTO
    /// here (tcp_rtt_estimator()).
    pub min_rto_spread: u64,
    /// Greatest RTO: at least 60 s (RFC 6298, 2.5).
    pub max_rto: u64,
    /// What is added to every RTO that is estimated or backed off, and not to the first one (FreeBSD,
    /// `net.inet.tcp.rexmit_slop`; RFC 6298 knows none).
    pub rto_slop: u64,
    /// Clock granularity G of RFC 6298, 2.2: a millisecond, as the timestamps' (RFC 7323, 5.4).
    pub clock_granularity: u64,
    /// R1: retransmissions after which IP is asked for another route: 3 (RFC 9293, 3.8.3).
    pub r1_retransmits: u8,
    /// R2 for data: give up so long after the first transmission. At least 100 s (RFC 9293, 3.8.3); 15 min, as deployed.
    pub r2: u64,
    /// R2 for SYN segments: at least 3 min (RFC 9293, MUST-23).
    pub r2_syn: u64,
    /// How often a passive opener repeats its SYN-ACK before it forgets the half-open connection: 5, as deployed.
    pub syn_ack_retries: u8,
    /// Duplicate ACKs that stand for a loss: 3 (RFC 5681, 2; DupThresh of RFC 6675).
    pub dup_thresh: u8,
    /// Initial window in segments: 10 (RFC 6928), and in bytes at most 14600.
    pub initial_window_segments: u32,
    /// Byte limit of the initial window (RFC 6928).
    pub initial_window_bytes: u32,
    /// The controller.
    pub congestion: CongestionAlgorithm,
    /// How its window grows.
    pub growth: Congestion,
    /// Longest delay of an ACK: < 500 ms (RFC 9293, MUST-40); 40 ms is the deployed value.
    pub delayed_ack: u64,
    /// What small segments wait for.
    pub nagle: Nagle,
    /// An ACK at least for every second full-sized segment (RFC 9293, SHLD-19).
    pub ack_every_segments: u32,
    /// Sender silly-window avoidance: override timeout, 0.1 to 1 s (RFC 9293, 3.8.6.2.1).
    pub sws_override: u64,
    /// Text that the device's own queue has dropped is tried again after this: 500 ms (Linux, `TCP_RESOURCE_PROBE_INTERVAL`).
    pub local_drop_retry: u64,
    /// Idle time before the first keep-alive: 2 h (RFC 9293, MUST-28).
    pub keepalive_idle: u64,
    /// Between keep-alives: 75 s, as deployed since 4.2BSD.
    pub keepalive_interval: u64,
    /// Keep-alives without an answer before the connection is dead: 9, as deployed.
    pub keepalive_probes: u8,
    /// Maximum segment lifetime: 30 s, the deployed value; RFC 9293, 3.4.2 takes 2 min and leaves it to engineering.
    pub msl: u64,
    /// How long a connection that nobody owns any more stays in FIN-WAIT-2: 60 s, as deployed.
    pub fin_wait_2: u64,
    /// Send-MSS when the peer names none: 536 (RFC 9293, MUST-15).
    pub default_mss: u16,
    /// Least send-MSS that a peer can talk us into: 216, FreeBSD's `minmss` (against CVE-2019-11479).
    pub min_mss: u16,
    /// Send buffer, bytes.
    pub send_buffer: usize,
    /// Receive buffer, bytes: also the largest window offered.
    pub recv_buffer: usize,
    /// Disjoint ranges of data kept out of order in one connection.
    pub max_out_of_order: usize,
    /// Disjoint ranges that a scoreboard remembers.
    pub max_sacked: usize,
    /// Offer and accept window scaling (RFC 7323, 2).
    pub window_scaling: bool,
    /// Offer and accept timestamps (RFC 7323, 3).
    pub timestamps: bool,
    /// Offer and accept selective acknowledgements (RFC 2018).
    pub sack: bool,
    /// How losses are found and repaired.
    pub recovery: Recovery,
    /// Connections half open on one listener: beyond, a SYN is dropped and counted.
    pub syn_queue: usize,
    /// Largest backlog that `listen` grants.
    pub max_backlog: usize,
    /// Challenge ACKs in one [`TcpProfile::challenge_interval`], each connection: 10 (RFC 5961, 7).
    pub challenge_acks: u8,
    /// The interval: 5 s (RFC 5961, 7).
    pub challenge_interval: u64,
    /// Ephemeral ports: the dynamic range (RFC 6335, 6), first and last.
    pub ephemeral: (u16, u16),
    /// Resets waiting for the device: beyond, they are dropped.
    pub reset_queue: usize,
    /// Segments that one connection may send before the next one has its turn.
    pub burst: u32,
    /// Sockets of all kinds at once.
    pub max_sockets: usize,
    /// Time to live of outgoing packets: 64 (RFC 9293, MUST-49 asks that it can be set).
    pub ttl: u8,
}

impl Default for TcpProfile {
    fn default() -> TcpProfile {
        TcpProfile {
            fast_open: FastOpen::default(),
            icmp: Icmp::default(),
            ecn: Ecn::default(),
            mtu_probing: MtuProbing::default(),
            udp_tunnel: UdpTunnel::default(),
            resets_hold_stamps: false,
            drops_unexpected_signature: false,
            signatures: Vec::new(),
            urgent_in_line: true,
            text_outlives_reset: false,
            checks_syn_ack_echo: false,
            handshake: Handshake::default(),
            buffers: Buffers::default(),
            acks: Acks::default(),
            closing: Closing::default(),
            defence: Defence::default(),
            sockets: Sockets::default(),
            initial_rto: SEC,
            fallback_rto: 3 * SEC,
            min_rto: SEC,
            min_rto_spread: 0,
            max_rto: 60 * SEC,
            rto_slop: 0,
            clock_granularity: MS,
            r1_retransmits: 3,
            r2: 900 * SEC,
            r2_syn: 180 * SEC,
            syn_ack_retries: 5,
            dup_thresh: 3,
            initial_window_segments: 10,
            initial_window_bytes: 14_600,
            congestion: CongestionAlgorithm::Cubic,
            growth: Congestion::default(),
            delayed_ack: 40 * MS,
            nagle: Nagle::AnythingOut,
            ack_every_segments: 2,
            sws_override: 200 * MS,
            local_drop_retry: 500 * MS,
            keepalive_idle: 7_200 * SEC,
            keepalive_interval: 75 * SEC,
            keepalive_probes: 9,
            msl: 30 * SEC,
            fin_wait_2: 60 * SEC,
            default_mss: 536,
            min_mss: 216,
            send_buffer: 256 * 1024,
            recv_buffer: 256 * 1024,
            max_out_of_order: 64,
            max_sacked: 128,
            window_scaling: true,
            timestamps: true,
            sack: true,
            recovery: Recovery::default(),
            syn_queue: 256,
            max_backlog: 4096,
            challenge_acks: 10,
            challenge_interval: 5 * SEC,
            ephemeral: (49_152, 65_535),
            reset_queue: 64,
            burst: 64,
            max_sockets: 1 << 20,
            ttl: 64,
        }
    }
}
