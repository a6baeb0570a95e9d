//! Options of a socket, by what `setsockopt(2)` knows them by. A value outside an option's type is the caller's mistake
//! and never gets here; a value that a stack does not accept is its `EINVAL`, an option that it does not have its
//! `ENOPROTOOPT`.

use core::fmt;

use crate::addr::IpAddress;

/// A key that is shared with a peer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SignatureKey {
    pub peer: IpAddress,
    len: u8,
    octets: [u8; SignatureKey::LONGEST],
}

impl SignatureKey {
    /// Most octets of a key: 80 (RFC 2385, 4.5).
    pub const LONGEST: usize = 80;

    /// The key, if it is not too long.
    pub fn new(peer: IpAddress, octets: &[u8]) -> Option<SignatureKey> {
        let mut key = SignatureKey {
            peer,
            len: octets.len() as u8,
            octets: [0; SignatureKey::LONGEST],
        };
        key.octets.get_mut(..octets.len())?.copy_from_slice(octets);
        Some(key)
    }

    /// Its octets.
    pub fn octets(&self) -> &[u8] {
        &self.octets[..usize::from(self.len)]
    }
}

impl fmt::Debug for SignatureKey {
    /// The key itself is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignatureKey({})", self.peer)
    }
}

/// Declares the options once: with values, and as names to ask for.
macro_rules! options {
    ($($(#[$about:meta])* $name:ident($value:ty),)*) => {
        /// An option with its value. Setting and getting use the same names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SocketOption {
            $($(#[$about])* $name($value),)*
        }

        /// An option that is asked for: the names of [`SocketOption`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum OptionName {
            $($(#[$about])* $name,)*
        }

        impl SocketOption {
            /// Its name.
            pub fn name(&self) -> OptionName {
                match self {
                    $(SocketOption::$name(_) => OptionName::$name,)*
                }
            }
        }
    };
}

options! {
    /// `TCP_NODELAY`
    NoDelay(bool),
    /// `SO_KEEPALIVE`
    KeepAlive(bool),
    /// `SO_RCVBUF`, bytes
    RecvBuffer(usize),
    /// `SO_SNDBUF`, bytes
    SendBuffer(usize),
    /// `SO_REUSEADDR`
    ReuseAddr(bool),
    /// `SO_LINGER`: `Some(0)` makes close send a RST.
    Linger(Option<u32>),
    /// `TCP_MAXSEG`, bytes
    MaxSeg(u16),
    /// `TCP_REMOTE_UDP_ENCAPS_PORT`: the peer's UDP port, before a connect whose segments travel in datagrams.
    RemoteUdpPort(u16),
    /// `TCP_MD5SIG`: the key that is shared with a peer (RFC 2385), before a connect or of a listener
    Signature(SignatureKey),
    /// `TCP_FASTOPEN`: a listener's queue of connections that have sent data in their SYN (RFC 7413, 5.1); of a client,
    /// not 0: it may.
    FastOpen(u32),
    /// `TCP_FASTOPEN_CONNECT`: `connect` waits for data if they can go in the SYN.
    FastOpenConnect(bool),
    /// `TCP_FASTOPEN_NO_COOKIE`
    FastOpenNoCookie(bool),
    /// `TCP_FASTOPEN_KEY`: the listener's key, and the one before.
    FastOpenKeys([Option<[u8; 16]>; 2]),
    /// `SO_OOBINLINE`: the last urgent octet stays in the line
    OutOfBandInline(bool),
    /// `SO_RCVLOWAT`, bytes: fewer make no socket readable
    RecvLowat(u32),
    /// `SO_PRIORITY`, which says something to queues of the device only
    Priority(u32),
    /// `SO_ZEROCOPY`: `MSG_ZEROCOPY` means something
    ZeroCopy(bool),
    /// `SO_TIMESTAMPING`: a set of `SOF_TIMESTAMPING_*`
    Timestamping(u32),
    /// `IP_TOS`, `IPV6_TCLASS`
    TrafficClass(u8),
    /// `IP_TTL`, `IPV6_UNICAST_HOPS`; none: the profile's
    HopLimit(Option<u8>),
    /// `IP_FREEBIND`, `IPV6_FREEBIND`: bind to any address
    FreeBind(bool),
    /// `IPV6_V6ONLY`
    OnlyV6(bool),
    /// `TCP_CORK`, `TCP_NOPUSH`: partial segments wait
    Cork(bool),
    /// `TCP_QUICKACK`: every segment is acknowledged at once
    QuickAck(bool),
    /// `TCP_USER_TIMEOUT`, milliseconds; 0: the profile's
    UserTimeout(u32),
    /// `TCP_SYNCNT`: retransmissions of the SYN
    SynCount(u8),
    /// `TCP_KEEPIDLE`, seconds
    KeepIdle(u32),
    /// `TCP_KEEPINTVL`, seconds
    KeepInterval(u32),
    /// `TCP_KEEPCNT`
    KeepCount(u8),
    /// `TCP_KEEPINIT`, seconds: how long an open may take
    KeepInit(u32),
    /// `TCP_NOTSENT_LOWAT`, bytes; 0: no limit
    NotSentLowat(u32),
    /// `TCP_INQ`: `recvmsg` tells how much is left
    InQueue(bool),
    /// `TCP_NOOPT`: no options in our segments
    NoOptions(bool),
    /// `TCP_LINGER2`, seconds in FIN-WAIT-2 when nobody owns the connection; negative: none
    Linger2(i32),
}
