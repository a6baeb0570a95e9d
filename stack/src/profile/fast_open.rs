//! What a stack does about TCP Fast Open (RFC 7413). Off unless somebody switches it on: data in a SYN may be delivered
//! twice (6.1), which not every application can bear.

use super::SEC;

/// TCP Fast Open.
#[derive(Clone, Debug)]
pub struct FastOpen {
    /// Connects may ask for cookies and send data in their SYN (Linux, `tcp_fastopen` bit 0; FreeBSD,
    /// `net.inet.tcp.fastopen.client_enable`).
    pub client: bool,
    /// Listeners that ask for it take data out of a SYN (Linux, bit 1; FreeBSD, `server_enable`).
    pub server: bool,
    /// A SYN may hold data even where no cookie is known (Linux, bit 2).
    pub client_without_cookie: bool,
    /// Data in a SYN is taken even without a cookie (Linux, bit 9).
    pub server_without_cookie: bool,
    /// Every listener takes data, with a queue as long as its backlog, not only those that ask for it (Linux, bit 10).
    pub every_listener: bool,
    /// The key that cookies are made with, and the one before, whose cookies are still good and get replaced
    /// (RFC 7413, 4.1.2). Without: one out of the stack's seed.
    pub keys: [Option<[u8; 16]>; 2],
    /// Octets of a SYN with data that are left free for options, whatever the options are (Linux: 40). None: as many as
    /// the options take.
    pub option_room: Option<u16>,
    /// A destination that is silent about the option is asked next time by the experimental one (RFC 7413, appendix A.1;
    /// Linux).
    pub tries_experimental: bool,
    /// What fills the option's last word: NOP (1) or the end of the list (0).
    pub padding: u8,
    /// Destinations whose cookies are remembered; beyond, the oldest one is forgotten.
    pub destinations: usize,
    /// How long a destination gets no Fast Open that has taken no data and given no cookie (RFC 7413, 4.1.3.1: negative
    /// responses are to be cached; FreeBSD, `path_disable_time`: 900 s). 0: not at all.
    pub path_disable: u64,
    /// For how long nobody gets Fast Open, doubled each time up to 64-fold, when it looks as if a box on the way lets
    /// SYN segments with data through and then nothing more (Linux, `tcp_fastopen_blackhole_timeout_sec`). 0: not at all.
    pub blackhole: u64,
    /// How long a connection that was reset before its handshake was over holds its place in the listener's queue, so
    /// that spoofed resets gain nothing (RFC 7413, 5.1; Linux: 60 s).
    pub reset_hold: u64,
}

impl Default for FastOpen {
    fn default() -> FastOpen {
        FastOpen {
            client: false,
            server: false,
            client_without_cookie: false,
            server_without_cookie: false,
            every_listener: false,
            keys: [None, None],
            option_room: None,
            tries_experimental: false,
            padding: 1,
            destinations: 256,
            path_disable: 900 * SEC,
            blackhole: 0,
            reset_hold: 60 * SEC,
        }
    }
}
