//! What a stack puts into its SYN segments, and how long it repeats them. The order of options and their padding are
//! nobody's rule (RFC 9293, 3.1 lets any order stand), so systems are recognised by them.

/// An option of a SYN segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SynOption {
    /// Maximum segment size (RFC 9293, 3.7.1).
    Mss,
    /// Window scale (RFC 7323, 2).
    WindowScale,
    /// SACK permitted (RFC 2018, 2).
    SackPermitted,
    /// Timestamps (RFC 7323, 3).
    Timestamps,
}

/// Where the padding of the SACK-permitted option goes; it is the only one whose length is not settled by NOPs in
/// front alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SackPadding {
    /// Two NOPs in front, always.
    Nops,
    /// It stands in the place of the two NOPs in front of the timestamps; without timestamps, two NOPs in front (Linux,
    /// `tcp_options_write`).
    NopsOfTimestamps,
    /// None in front: what follows is aligned, and behind the last option come end-of-list and zeros (FreeBSD,
    /// `tcp_addoptions`).
    EndOfList,
}

/// Order and padding of a SYN segment's options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SynLayout {
    /// Each kind once.
    pub order: [SynOption; 4],
    /// Where SACK-permitted is padded.
    pub sack: SackPadding,
}

/// SYN segments.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// Order and padding of the options.
    pub layout: SynLayout,
    /// Retransmissions of a SYN after which it offers nothing but a segment size, in case the options are what a box on
    /// the way does not like; 0: it always offers all (FreeBSD, `net.inet.tcp.rexmit_drop_options`: 3).
    pub plain_after: u8,
    /// Retransmissions of a SYN before the connection is given up; none: `r2_syn` decides (Linux, `tcp_syn_retries`).
    pub syn_retries: Option<u8>,
    /// Whether `r2_syn` ends the attempt when it is over (FreeBSD, `tcp_timer_keep`), or with the next timeout after it.
    pub r2_is_exact: bool,
}

impl Default for Handshake {
    fn default() -> Handshake {
        Handshake {
            layout: SynLayout {
                order: [
                    SynOption::Mss,
                    SynOption::SackPermitted,
                    SynOption::Timestamps,
                    SynOption::WindowScale,
                ],
                sack: SackPadding::Nops,
            },
            plain_after: 0,
            syn_retries: None,
            r2_is_exact: false,
        }
    }
}
