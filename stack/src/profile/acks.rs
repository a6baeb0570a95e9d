//! When a stack acknowledges (RFC 9293, 3.8.6.3, and RFC 5681, 4.2, leave the delay and its exceptions open).

/// Acknowledgments.
#[derive(Clone, Debug, Default)]
pub struct Acks {
    /// The second segment is acknowledged at once whatever its size, not only a second full-sized one (FreeBSD,
    /// `DELAY_ACK`).
    pub every_second: bool,
    /// The acknowledgment of a segment that lies wholly before the window still counts (4.4BSD; FreeBSD,
    /// `tcp_do_segment`), where RFC 9293, 3.10.7.4, drops the segment.
    pub of_old_segments: bool,
    /// Segments that are acknowledged at once when a connection begins, so that the peer's slow start is not delayed; the
    /// first answer of the application ends that (Linux, `TCP_MAX_QUICKACKS` and `pingpong`).
    pub quick: u8,
}
