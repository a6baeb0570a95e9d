//! What a stack makes of segments that nobody should have sent: blind attacks (RFC 5961), SYN with FIN, probes of
//! closed ports, resets in TIME-WAIT (RFC 1337). These fields are read when a segment arrives, so a change of them
//! holds at once for every connection.

/// What stays silent to a segment for which there is no connection (FreeBSD, blackhole(4)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blackhole {
    /// A closed port answers with a reset (RFC 9293, 3.10.7.1).
    #[default]
    Off,
    /// A SYN to a closed port is not answered.
    Syn,
    /// Nothing to a closed port is.
    Closed,
    /// Nothing is, not even what a listener has to refuse.
    All,
}

/// When a listener answers a SYN without keeping it (RFC 4987, 3.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SynCookies {
    /// Never: what finds the queue full is dropped.
    #[default]
    Never,
    /// When the queue of half-open connections is full (Linux, `tcp_syncookies`: 1; FreeBSD, `net.inet.tcp.syncookies`).
    WhenFull,
    /// Always (Linux, 2; FreeBSD, `net.inet.tcp.syncookies_only`).
    Always,
}

/// Reactions to what should not be there.
#[derive(Clone, Debug, Default)]
pub struct Defence {
    /// Any reset inside the window ends the connection; not only the one at RCV.NXT (RFC 5961, 3.2 forbids; FreeBSD,
    /// `net.inet.tcp.insecure_rst`).
    pub insecure_rst: bool,
    /// A SYN inside the window ends the connection with a reset, as RFC 793 had it; instead of a challenge (RFC 5961,
    /// 4.2; FreeBSD, `net.inet.tcp.insecure_syn`).
    pub insecure_syn: bool,
    /// Segments with both SYN and FIN are dropped (FreeBSD, `net.inet.tcp.drop_synfin`).
    pub drop_synfin: bool,
    /// A listener is silent to a SYN with an ACK (FreeBSD, `tcp_input_with_port`); RFC 9293, 3.10.7.2 answers any ACK
    /// with a reset.
    pub listener_ignores_syn_ack: bool,
    /// SYN cookies.
    pub syn_cookies: SynCookies,
    /// Closed ports.
    pub blackhole: Blackhole,
    /// A reset does not end TIME-WAIT (RFC 1337, fix F1).
    pub time_wait_ignores_rst: bool,
    /// TIME-WAIT answers only segments with an ACK, and all of them but the expected one (FreeBSD, `tcp_twcheck`).
    pub time_wait_wants_ack: bool,
    /// Once timestamps are agreed on, a segment without one is taken all the same (RFC 7323, 3.2 drops it; FreeBSD,
    /// `net.inet.tcp.tolerate_missing_ts`; Linux always).
    pub tolerate_missing_stamp: bool,
}
