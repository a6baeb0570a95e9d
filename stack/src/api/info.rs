//! What `TCP_INFO` tells of a connection: the fields that Linux and FreeBSD share or have for themselves, in the stack's
//! own units. A program's view of them, with a kernel's units and numbers, is the process's business.

use crate::event::TcpState;

/// What congestion control is doing, as Linux names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CaState {
    /// Nothing is amiss.
    #[default]
    Open,
    /// Duplicate ACKs or SACK blocks, which may be reordering.
    Disorder,
    /// The window is reduced because of an explicit congestion notification.
    Cwr,
    /// Fast recovery.
    Recovery,
    /// After a retransmission timeout.
    Loss,
}

bitflags::bitflags! {
    /// What the handshake has settled.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Negotiated: u8 {
        const TIMESTAMPS = 1;
        const SACK = 1 << 1;
        const WINDOW_SCALE = 1 << 2;
        const ECN = 1 << 3;
        /// A segment with ECT has arrived.
        const ECN_SEEN = 1 << 4;
        /// The peer has acknowledged data in our SYN.
        const SYN_DATA = 1 << 5;
        /// The connection was opened by Fast Open (RFC 7413).
        const FAST_OPEN = 1 << 6;
    }
}

/// A connection's insides. Times are nanoseconds, sizes octets, and counts segments, unless a field says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    pub state: TcpState,
    pub ca_state: CaState,
    pub negotiated: Negotiated,
    /// The shift of the peer's windows.
    pub snd_wscale: u8,
    /// The shift of ours.
    pub rcv_wscale: u8,
    /// Timeouts since something new was acknowledged.
    pub retransmits: u8,
    /// Probes (of a shut window, or keep-alives) without an answer.
    pub probes: u8,
    /// How often the timeout in force was doubled.
    pub backoff: u8,
    /// The retransmission timeout in force.
    pub rto: u64,
    /// The delay of delayed ACKs.
    pub ato: u64,
    /// Octets of text in a full-sized segment of ours.
    pub snd_mss: u32,
    /// In one of the peer's, as far as was seen.
    pub rcv_mss: u32,
    /// What we have announced.
    pub advmss: u32,
    /// The largest packet that the path takes.
    pub pmtu: u32,
    /// SRTT; 0: not measured.
    pub rtt: u64,
    /// RTTVAR
    pub rttvar: u64,
    /// The least round trip seen; 0: not measured.
    pub min_rtt: u64,
    /// cwnd
    pub snd_cwnd: u32,
    /// ssthresh; none: there was no loss
    pub snd_ssthresh: Option<u32>,
    /// The window that the peer offers.
    pub snd_wnd: u32,
    /// The window that we offer.
    pub rcv_wnd: u32,
    /// The next sequence numbers of both directions.
    pub snd_nxt: u32,
    pub rcv_nxt: u32,
    /// Segments that are out: sent and not acknowledged.
    pub unacked: u32,
    /// Of them: held by the peer, said its SACK blocks.
    pub sacked: u32,
    /// Of them: believed lost.
    pub lost: u32,
    /// Of them: sent again.
    pub retrans: u32,
    /// Segments by which order is believed to be upset at most.
    pub reordering: u32,
    /// Octets that are written and not sent.
    pub notsent: u32,
    /// Since text was last sent, text received, an ACK received.
    pub last_data_sent: u64,
    pub last_data_recv: u64,
    pub last_ack_recv: u64,
    pub counts: Counts,
    /// How long there was something to send; of that, how long the peer's window or our send buffer held it up.
    pub busy_time: u64,
    pub rwnd_limited: u64,
    pub sndbuf_limited: u64,
}

/// What is counted from the beginning of a connection, if its stack counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Segments that the peer has, as far as it has told.
    pub delivered: u32,
    /// Segments sent again.
    pub total_retrans: u32,
    pub segs_out: u32,
    pub segs_in: u32,
    pub data_segs_out: u32,
    pub data_segs_in: u32,
    /// Octets sent for the first time or again; of them, again.
    pub bytes_sent: u64,
    pub bytes_retrans: u64,
    /// Octets that the peer has acknowledged, and that came from it in order.
    pub bytes_acked: u64,
    pub bytes_received: u64,
    /// Segments that arrived out of order.
    pub out_of_order: u32,
}
