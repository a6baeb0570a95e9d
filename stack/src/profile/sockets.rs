//! What a stack does for the sockets' sake only.

/// When a socket is writable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writable {
    /// As soon as there is any room.
    #[default]
    AnyRoom,
    /// When half as much is free as is in use: a third of the buffer (Linux, `sk_stream_is_writeable`).
    HalfOfUsed,
    /// When so many octets are free, or the buffer is smaller (FreeBSD, `SO_SNDLOWAT`).
    LowWater(u32),
}

/// The send buffer's limit is memory, charged by chunks of octets (Linux, `sk_wmem_queued`).
#[derive(Clone, Copy, Debug)]
pub struct Charge {
    /// What a chunk costs beyond its octets (Linux, `SKB_TRUESIZE` of a header's worth).
    pub overhead: u32,
    /// Segments in a chunk that is sent, at least (Linux, `tcp_min_tso_segs`).
    pub least_segments: u16,
    /// The limit grows with the congestion window, up to this, until `SO_SNDBUF` is set (Linux, `tcp_wmem[2]`).
    pub most: u32,
}

/// Sockets.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    /// Connections count what `TCP_INFO` tells beyond their own needs (Linux and FreeBSD do).
    pub measure: bool,
    /// Connections are kept alive whether or not `SO_KEEPALIVE` is set (FreeBSD, `net.inet.tcp.always_keepalive`;
    /// RFC 9293, MUST-25 asks that the application decides).
    pub always_keep_alive: bool,
    /// `TCP_MAXSEG` holds for handshakes only (Linux, do_tcp_setsockopt()); otherwise it makes an established connection's
    /// segments smaller, too (FreeBSD, tcp_ctloutput()).
    pub max_seg_at_open_only: bool,
    /// When a socket is writable.
    pub writable: Writable,
    /// `TCP_NOTSENT_LOWAT` where the application says nothing, octets; 0: none (Linux, `tcp_notsent_lowat`).
    pub not_sent_lowat: u32,
    /// How the send buffer is charged; none: by its octets.
    pub charge: Option<Charge>,
}
