//! Explicit Congestion Notification (RFC 3168): whether a stack asks for it, or answers only.

/// Who begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EcnMode {
    /// Nobody: such bits are ignored.
    #[default]
    Off,
    /// Connections ask for it, and listeners grant it (Linux, `tcp_ecn`: 1; FreeBSD, `net.inet.tcp.ecn.enable`: 1).
    Active,
    /// Listeners grant it to those who ask (2).
    Passive,
}

/// ECN.
#[derive(Clone, Debug, Default)]
pub struct Ecn {
    /// Who begins.
    pub mode: EcnMode,
    /// Retransmissions of a SYN that still ask, before it is sent without, in case something on the way drops it
    /// (RFC 3168, 6.1.1.1; FreeBSD, `net.inet.tcp.ecn.maxretries`: 1; Linux: 0).
    pub asking_retries: u8,
}
