//! How large buffers are, and which windows a stack offers out of them (RFC 9293, 3.8.6: "the receiver may" nearly
//! everything).

/// Windows and buffers.
#[derive(Clone, Debug)]
pub struct Buffers {
    /// The largest receive buffer that a connection may ever have, bytes, for which the window scale is chosen; none: the
    /// buffer that it has (Linux, `tcp_rmem[2]`; FreeBSD, `kern.ipc.maxsockbuf`).
    pub recv_most: Option<usize>,
    /// The window before the peer has sent anything, bytes; it grows by twice what arrives (Linux, `rcv_ssthresh`). None:
    /// the whole buffer.
    pub first_window: Option<u32>,
    /// The handshake rounds both buffers up to whole segments of the announced size (FreeBSD, `tcp_mss`).
    pub whole_segments: bool,
    /// No buffer is rounded up beyond this, bytes.
    pub most: usize,
    /// The window is rounded up to what the scaled field can say, not down (Linux, `__tcp_select_window`; FreeBSD,
    /// `tcp_output`).
    pub round_up: bool,
    /// Every free octet is offered as long as a segment fits, instead of growing the window by steps of a segment
    /// (FreeBSD, `tcp_output`; RFC 9293, 3.8.6.2.2 asks for steps).
    pub every_octet: bool,
    /// A segment is acceptable wherever the buffer has room, even beyond the window that was offered (FreeBSD,
    /// `tcp_do_segment`).
    pub accept_what_fits: bool,
    /// Reading is worth an ACK when it at least doubles the window (Linux, `tcp_cleanup_rbuf`), not when it opens a quarter of
    /// the buffer.
    pub told_when_doubled: bool,
    /// `SO_RCVBUF` and `SO_SNDBUF` set twice what is asked (Linux, socket(7)).
    pub doubled: bool,
}

impl Default for Buffers {
    fn default() -> Buffers {
        Buffers {
            recv_most: None,
            first_window: None,
            whole_segments: false,
            most: 16 << 20,
            round_up: false,
            every_octet: false,
            accept_what_fits: false,
            told_when_doubled: false,
            doubled: false,
        }
    }
}
