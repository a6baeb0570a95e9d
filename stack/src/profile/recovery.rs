//! How losses are found and repaired.

use super::{MS, SEC};

/// What a sender does about losses, and what a receiver tells it. Times are nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Recovery {
    /// Report segments that arrive twice (RFC 2883).
    pub dsack: bool,
    /// Find losses by time (RACK, RFC 8985, 6), with a peer that speaks SACK; otherwise by counting (RFC 6675).
    pub rack: bool,
    /// Probe for a lost tail (TLP, RFC 8985, 7), with a peer that speaks SACK.
    pub tail_probe: bool,
    /// The probe timeout before the first measurement: 1 s (RFC 8985, 7.2).
    pub tail_first: u64,
    /// How long a peer may delay the ACK of a lone segment, WCDelAckT: 200 ms (RFC 8985, 7.2).
    pub tail_delay: u64,
    /// What RACK's timers wait longer, for the sake of a coarse clock: 0; Linux has `TCP_TIMEOUT_MIN`, two ticks.
    pub slack: u64,
    /// Bring the window down in proportion to what arrives (PRR, RFC 9937), not at once.
    pub prr: bool,
    /// The first duplicate ACKs let new segments out (RFC 3042).
    pub limited_transmit: bool,
    /// Find spurious retransmissions by timestamps (Eifel, RFC 3522).
    pub eifel: bool,
    /// Find spurious timeouts by what arrives after them (F-RTO, RFC 5682).
    pub f_rto: bool,
    /// Transmissions remembered each connection; beyond, neighbours share a record.
    pub max_records: usize,
}

impl Default for Recovery {
    fn default() -> Recovery {
        Recovery {
            dsack: true,
            rack: true,
            tail_probe: true,
            tail_first: SEC,
            tail_delay: 200 * MS,
            slack: 0,
            prr: true,
            limited_transmit: true,
            eifel: true,
            f_rto: true,
            max_records: 16_384,
        }
    }
}
