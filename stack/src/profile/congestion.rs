//! How the congestion window grows.

/// When slow start ends before a loss does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowStart {
    /// It does not (RFC 5681).
    UntilLoss,
    /// HyStart++ (RFC 9406).
    HystartPlusPlus,
    /// HyStart as Linux's CUBIC has it, at once: when ACKs keep coming for half of a round trip (a `train`; for a whole
    /// one where segments are paced), or when round trips get longer (`delay`).
    Hystart { train: bool, delay: bool },
}

/// Growth of the congestion window.
#[derive(Clone, Copy, Debug)]
pub struct Congestion {
    /// The end of slow start.
    pub slow_start: SlowStart,
    /// L: segments that one ACK earns at most in a connection's first slow start: 8 without pacing (RFC 9406, 4.2).
    pub most_per_ack: u32,
    /// The same in the slow start after a timeout: 1 (RFC 3465, 2.3), for an ACK may cover much that arrived long ago.
    pub most_per_ack_later: u32,
    /// What an ACK earns is what it is the first to say has arrived (Linux), not what it acknowledges: octets that the
    /// peer held before count when that is said, and if the window does not grow then, never.
    pub by_delivery: bool,
    /// A threshold is a share of the window (Linux; RFC 9438, 4.6 allows it), not of what was out.
    pub from_window: bool,
    /// After a pause longer than the retransmission timeout begin with the restart window (RFC 5681, 4.1).
    pub restart_after_idle: bool,
    /// A reaction taken back gives the whole window back at once, not by slow start (RFC 4015 is more careful).
    pub whole_undo: bool,
    /// Segments that leave together, as one that a network card cuts, and of which the last one is pushed (Linux,
    /// `tcp_min_tso_segs`); 0: each for itself.
    pub send_unit: u32,
    /// The pacing rate, percent of a window in a round trip: as long as the window grows fast (Linux,
    /// `tcp_pacing_ss_ratio`: 200) …
    pub pacing_slow_start: u32,
    /// … and from half of the threshold on (`tcp_pacing_ca_ratio`: 120).
    pub pacing_avoidance: u32,
}

impl Default for Congestion {
    fn default() -> Congestion {
        Congestion {
            slow_start: SlowStart::HystartPlusPlus,
            most_per_ack: 8,
            most_per_ack_later: 1,
            by_delivery: false,
            from_window: false,
            restart_after_idle: true,
            whole_undo: false,
            send_unit: 0,
            pacing_slow_start: 200,
            pacing_avoidance: 120,
        }
    }
}
