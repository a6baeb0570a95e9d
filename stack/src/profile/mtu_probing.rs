//! Packetization Layer Path MTU Discovery (RFC 4821): finding what a path takes by larger segments, for paths on which no
//! ICMP message says it.

/// When paths are probed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProbingMode {
    /// Never: only ICMP says what a path takes.
    #[default]
    Off,
    /// Once full-sized segments seem to vanish (Linux, `tcp_mtu_probing`: 1).
    AfterBlackHole,
    /// Every connection begins small (2).
    Always,
}

/// Probing.
#[derive(Clone, Debug)]
pub struct MtuProbing {
    /// When.
    pub mode: ProbingMode,
    /// The segment size that probing begins with: 1024 (RFC 4821, 7.2; Linux, `tcp_base_mss`).
    pub base_mss: u16,
    /// The search ends when what is known to pass and what is not are closer than this (Linux, `tcp_probe_threshold`: 8).
    pub threshold: u16,
    /// Full-sized segments that must wait behind a probe, so that its loss is noticed (RFC 4821, 7.4; Linux: reordering + 1).
    pub behind: u32,
    /// Who was connected to goes on with the size that the handshake has settled until a probe says more (Linux, which
    /// looks at the search only when something about the path changes); otherwise everybody begins small.
    pub passive_begins_full: bool,
}

impl Default for MtuProbing {
    fn default() -> MtuProbing {
        MtuProbing {
            mode: ProbingMode::Off,
            base_mss: 1_024,
            threshold: 8,
            behind: 4,
            passive_begins_full: false,
        }
    }
}
