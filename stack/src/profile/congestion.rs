//! How the congestion window grows.

/// When slow start ends before a loss does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowStart {
    /// It does not (RFC 5681).
    UntilLoss,
    /// HyStart++ (RFC 9406).
    HystartPlusPlus,
    /// HyStart as Linux's CUBIC has it: at once when round trips get longer, or when ACKs keep coming for half of one.
    Hystart,
}

/// Growth of the congestion window.
#[derive(Clone, Copy, Debug)]
pub struct Congestion {
    /// The end of slow start.
    pub slow_start: SlowStart,
    /// L: segments that one ACK earns at most in slow start: 8 without pacing (RFC 9406, 4.2).
    pub most_per_ack: u32,
    /// After a pause longer than the retransmission timeout begin with the restart window (RFC 5681, 4.1).
    pub restart_after_idle: bool,
    /// A reaction taken back gives the whole window back at once, not by slow start (RFC 4015 is more careful).
    pub whole_undo: bool,
}

impl Default for Congestion {
    fn default() -> Congestion {
        Congestion {
            slow_start: SlowStart::HystartPlusPlus,
            most_per_ack: 8,
            restart_after_idle: true,
            whole_undo: false,
        }
    }
}
