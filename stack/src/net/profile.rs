//! The timing and policy constants of everything below the transports, in one place.

use crate::net::ipv6::profile::Ipv6Profile;

/// One second, in the nanoseconds that all times are counted in.
pub const SECOND: u64 = 1_000_000_000;

/// Times are nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetProfile {
    /// Between two ARP requests for the same address (RFC 1122, section 2.3.2.1: at most one a second).
    pub arp_interval: u64,
    /// ARP requests before a neighbour is given up.
    pub arp_tries: u8,
    /// How long an answer is trusted.
    pub arp_reachable: u64,
    /// How long a neighbour that is no longer trusted, and not used, is remembered.
    pub arp_stale: u64,
    /// Between two defences of our own address (RFC 5227, DEFEND_INTERVAL).
    pub arp_defend: u64,
    /// Neighbours that are remembered at all.
    pub neighbours: usize,
    /// Packets that wait for one neighbour's address, and their bytes.
    pub neighbour_queue: usize,
    pub neighbour_bytes: usize,
    /// How long fragments wait for the others (RFC 791 suggests 15 s, RFC 1122 60 to 120).
    pub reassembly_timeout: u64,
    /// Packets that are being reassembled at one time, and all their bytes.
    pub reassembly_contexts: usize,
    pub reassembly_bytes: usize,
    /// Fragments that one packet may come in.
    pub reassembly_pieces: usize,
    /// ICMP errors: at most `icmp_burst` at once, then one each `icmp_interval` (RFC 1812, section 4.3.2.8).
    pub icmp_interval: u64,
    pub icmp_burst: u64,
    /// ICMP messages, echo replies among them, that wait to be sent, and their bytes.
    pub icmp_queue: usize,
    pub icmp_bytes: usize,
    /// Echo replies that wait for the application.
    pub echo_replies: usize,
    /// Bytes of datagrams that a UDP socket holds in each direction, unless it is told otherwise.
    pub udp_recv_buffer: usize,
    pub udp_send_buffer: usize,
    /// UDP sockets.
    pub udp_sockets: usize,
    /// The time to live, or hop limit, of what we send (RFC 1700: 64).
    pub ttl: u8,
    /// Version 6.
    pub ipv6: Ipv6Profile,
}

impl Default for NetProfile {
    fn default() -> Self {
        NetProfile {
            arp_interval: SECOND,
            arp_tries: 3,
            arp_reachable: 60 * SECOND,
            arp_stale: 600 * SECOND,
            arp_defend: 10 * SECOND,
            neighbours: 1024,
            neighbour_queue: 64,
            neighbour_bytes: 128 << 10,
            reassembly_timeout: 30 * SECOND,
            reassembly_contexts: 16,
            reassembly_bytes: 256 << 10,
            reassembly_pieces: 128,
            icmp_interval: SECOND / 1000,
            icmp_burst: 50,
            icmp_queue: 64,
            icmp_bytes: 256 << 10,
            echo_replies: 64,
            udp_recv_buffer: 208 << 10,
            udp_send_buffer: 208 << 10,
            udp_sockets: 4096,
            ttl: 64,
            ipv6: Ipv6Profile::default(),
        }
    }
}
