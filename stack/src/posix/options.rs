//! Socket options as `getsockopt(2)` and `setsockopt(2)` know them: a level, a name, an integer or a structure.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::api::{OptionName, SocketKind, SocketOption, TcpInfo};
use crate::posix::errno::Errno;

/// An option's level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `SOL_SOCKET`
    Socket,
    /// `IPPROTO_IP`, `SOL_IP`
    Ip,
    /// `IPPROTO_IPV6`, `SOL_IPV6`
    Ipv6,
    /// `IPPROTO_TCP`, `SOL_TCP`
    Tcp,
}

impl Level {
    /// The level of that name.
    pub fn named(name: &str) -> Option<Level> {
        match name {
            "SOL_SOCKET" => Some(Level::Socket),
            "IPPROTO_IP" | "SOL_IP" => Some(Level::Ip),
            "IPPROTO_IPV6" | "SOL_IPV6" => Some(Level::Ipv6),
            "IPPROTO_TCP" | "SOL_TCP" => Some(Level::Tcp),
            _ => None,
        }
    }
}

/// An option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opt {
    /// `SO_ERROR`, which only the process can answer: asking takes it.
    Error,
    /// `SO_TYPE`
    Type,
    /// `TCP_INFO`
    TcpInfo,
    /// What the stack keeps.
    Kept(OptionName),
    /// No option of ours.
    Unknown,
}

/// What the stack keeps, by level and name.
const KEPT: &[(Level, &str, OptionName)] = &[
    (Level::Socket, "SO_KEEPALIVE", OptionName::KeepAlive),
    (Level::Socket, "SO_RCVBUF", OptionName::RecvBuffer),
    (Level::Socket, "SO_SNDBUF", OptionName::SendBuffer),
    (Level::Socket, "SO_REUSEADDR", OptionName::ReuseAddr),
    (Level::Socket, "SO_LINGER", OptionName::Linger),
    (Level::Socket, "SO_OOBINLINE", OptionName::OutOfBandInline),
    (Level::Socket, "SO_RCVLOWAT", OptionName::RecvLowat),
    (Level::Socket, "SO_PRIORITY", OptionName::Priority),
    (Level::Socket, "SO_ZEROCOPY", OptionName::ZeroCopy),
    (Level::Socket, "SO_TIMESTAMPING", OptionName::Timestamping),
    (Level::Ip, "IP_TOS", OptionName::TrafficClass),
    (Level::Ip, "IP_TTL", OptionName::HopLimit),
    (Level::Ip, "IP_FREEBIND", OptionName::FreeBind),
    (Level::Ipv6, "IPV6_TCLASS", OptionName::TrafficClass),
    (Level::Ipv6, "IPV6_UNICAST_HOPS", OptionName::HopLimit),
    (Level::Ipv6, "IPV6_FREEBIND", OptionName::FreeBind),
    (Level::Ipv6, "IPV6_V6ONLY", OptionName::OnlyV6),
    (Level::Tcp, "TCP_NODELAY", OptionName::NoDelay),
    (Level::Tcp, "TCP_MAXSEG", OptionName::MaxSeg),
    (
        Level::Tcp,
        "TCP_REMOTE_UDP_ENCAPS_PORT",
        OptionName::RemoteUdpPort,
    ),
    (Level::Tcp, "TCP_FASTOPEN", OptionName::FastOpen),
    (
        Level::Tcp,
        "TCP_FASTOPEN_CONNECT",
        OptionName::FastOpenConnect,
    ),
    (
        Level::Tcp,
        "TCP_FASTOPEN_NO_COOKIE",
        OptionName::FastOpenNoCookie,
    ),
    (Level::Tcp, "TCP_FASTOPEN_KEY", OptionName::FastOpenKeys),
    (Level::Tcp, "TCP_CORK", OptionName::Cork),
    (Level::Tcp, "TCP_NOPUSH", OptionName::Cork),
    (Level::Tcp, "TCP_QUICKACK", OptionName::QuickAck),
    (Level::Tcp, "TCP_USER_TIMEOUT", OptionName::UserTimeout),
    (Level::Tcp, "TCP_SYNCNT", OptionName::SynCount),
    (Level::Tcp, "TCP_KEEPIDLE", OptionName::KeepIdle),
    (Level::Tcp, "TCP_KEEPINTVL", OptionName::KeepInterval),
    (Level::Tcp, "TCP_KEEPCNT", OptionName::KeepCount),
    (Level::Tcp, "TCP_KEEPINIT", OptionName::KeepInit),
    (Level::Tcp, "TCP_NOTSENT_LOWAT", OptionName::NotSentLowat),
    (Level::Tcp, "TCP_INQ", OptionName::InQueue),
    (Level::Tcp, "TCP_NOOPT", OptionName::NoOptions),
    (Level::Tcp, "TCP_LINGER2", OptionName::Linger2),
];

impl Opt {
    /// The option of that name at that level; a name that nobody knows is [`Opt::Unknown`], and refused when it is used.
    pub fn named(level: Level, name: &str) -> Opt {
        match (level, name) {
            (Level::Socket, "SO_ERROR") => Opt::Error,
            (Level::Socket, "SO_TYPE") => Opt::Type,
            (Level::Tcp, "TCP_INFO") => Opt::TcpInfo,
            _ => KEPT
                .iter()
                .find(|(l, n, _)| (*l, *n) == (level, name))
                .map_or(Opt::Unknown, |&(_, _, name)| Opt::Kept(name)),
        }
    }
}

/// An option's value in the program's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionValue {
    /// `int`
    Int(i64),
    /// `struct linger`
    Linger { on: bool, seconds: i64 },
    /// Octets, as of a key.
    Bytes(Vec<u8>),
    /// `int`: what `SO_ERROR` gives.
    Errno(Option<Errno>),
    /// `struct tcp_info`; its fields by name: [`crate::posix::tcp_info::field`]
    Info(Box<TcpInfo>),
    /// `NULL`
    Null,
}

/// Octets of Linux's `struct tcp_info`, as it was in 6.x.
const TCP_INFO: u32 = 248;
/// Octets of an `int`.
const INT: u32 = 4;

/// What `setsockopt(2)` is to set.
pub fn to_set(name: OptionName, value: &OptionValue, len: u32) -> Result<SocketOption, Errno> {
    use OptionName as N;
    use SocketOption as O;
    if *value == OptionValue::Null {
        return Err(Errno::EFAULT);
    }
    if let (N::FastOpenKeys, OptionValue::Bytes(bytes)) = (name, value) {
        let octets = bytes.get(..len as usize).ok_or(Errno::EINVAL)?;
        return fast_open_keys(octets).ok_or(Errno::EINVAL);
    }
    if len < INT {
        return Err(Errno::EINVAL);
    }
    if let OptionValue::Linger { on, seconds } = *value {
        let seconds = u32::try_from(seconds).map_err(|_| Errno::EINVAL)?;
        return match name {
            N::Linger => Ok(O::Linger(on.then_some(seconds))),
            _ => Err(Errno::EINVAL),
        };
    }
    let OptionValue::Int(int) = *value else {
        return Err(Errno::EINVAL);
    };
    let on = int != 0;
    Ok(match name {
        N::NoDelay => O::NoDelay(on),
        N::KeepAlive => O::KeepAlive(on),
        N::ReuseAddr => O::ReuseAddr(on),
        N::OutOfBandInline => O::OutOfBandInline(on),
        N::ZeroCopy => O::ZeroCopy(on),
        N::FreeBind => O::FreeBind(on),
        N::OnlyV6 => O::OnlyV6(on),
        N::Cork => O::Cork(on),
        N::QuickAck => O::QuickAck(on),
        N::InQueue => O::InQueue(on),
        N::NoOptions => O::NoOptions(on),
        N::RecvBuffer => O::RecvBuffer(within(int)?),
        N::SendBuffer => O::SendBuffer(within(int)?),
        N::MaxSeg => O::MaxSeg(within(int)?),
        N::RemoteUdpPort => O::RemoteUdpPort(within(int)?),
        N::FastOpen => O::FastOpen(within(int)?),
        N::FastOpenConnect => O::FastOpenConnect(int != 0),
        N::FastOpenNoCookie => O::FastOpenNoCookie(int != 0),
        N::RecvLowat => O::RecvLowat(within(int)?),
        N::Priority => O::Priority(within(int)?),
        N::Timestamping => O::Timestamping(within(int)?),
        N::TrafficClass => O::TrafficClass(within(int)?),
        N::HopLimit if int == -1 => O::HopLimit(None),
        N::HopLimit => O::HopLimit(Some(within(int)?)),
        N::UserTimeout => O::UserTimeout(within(int)?),
        N::SynCount => O::SynCount(within(int)?),
        N::KeepIdle => O::KeepIdle(within(int)?),
        N::KeepInterval => O::KeepInterval(within(int)?),
        N::KeepCount => O::KeepCount(within(int)?),
        N::KeepInit => O::KeepInit(within(int)?),
        // It is unsigned, and a program may write its bits with a sign.
        N::NotSentLowat => O::NotSentLowat(within(int & 0xFFFF_FFFF)?),
        N::Linger2 => O::Linger2(within(int)?),
        N::Linger | N::FastOpenKeys | N::Signature => return Err(Errno::EINVAL),
    })
}

/// One key of sixteen octets, or two.
fn fast_open_keys(bytes: &[u8]) -> Option<SocketOption> {
    let (keys, rest) = bytes.as_chunks::<16>();
    let legal = rest.is_empty() && (1..=2).contains(&keys.len());
    legal.then(|| SocketOption::FastOpenKeys([keys.first().copied(), keys.get(1).copied()]))
}

/// The integer, if the option's type holds it.
fn within<T: TryFrom<i64>>(int: i64) -> Result<T, Errno> {
    T::try_from(int).map_err(|_| Errno::EINVAL)
}

/// What `getsockopt(2)` gives.
pub fn to_get(option: SocketOption) -> OptionValue {
    use SocketOption as O;
    if let O::Signature(_) = option {
        // A kernel does not give a key back.
        return OptionValue::Null;
    }
    if let O::FastOpenKeys(keys) = option {
        return OptionValue::Bytes(keys.into_iter().flatten().flatten().collect());
    }
    OptionValue::Int(match option {
        O::NoDelay(on)
        | O::KeepAlive(on)
        | O::ReuseAddr(on)
        | O::OutOfBandInline(on)
        | O::ZeroCopy(on)
        | O::FreeBind(on)
        | O::OnlyV6(on)
        | O::Cork(on)
        | O::QuickAck(on)
        | O::InQueue(on)
        | O::NoOptions(on)
        | O::FastOpenConnect(on)
        | O::FastOpenNoCookie(on) => i64::from(on),
        O::RecvBuffer(bytes) | O::SendBuffer(bytes) => bytes as i64,
        O::MaxSeg(bytes) | O::RemoteUdpPort(bytes) => i64::from(bytes),
        O::FastOpenKeys(_) | O::Signature(_) => unreachable!("it is octets"),
        O::TrafficClass(number) | O::SynCount(number) | O::KeepCount(number) => i64::from(number),
        O::HopLimit(limit) => limit.map_or(-1, i64::from),
        O::RecvLowat(number)
        | O::Priority(number)
        | O::Timestamping(number)
        | O::UserTimeout(number)
        | O::KeepIdle(number)
        | O::KeepInterval(number)
        | O::KeepInit(number)
        | O::NotSentLowat(number)
        | O::FastOpen(number) => i64::from(number),
        O::Linger2(seconds) => i64::from(seconds),
        O::Linger(seconds) => {
            return OptionValue::Linger {
                on: seconds.is_some(),
                seconds: i64::from(seconds.unwrap_or(0)),
            };
        }
    })
}

/// Octets that a value takes, if there is room for so many.
pub fn length(value: &OptionValue, room: u32) -> u32 {
    let whole = match value {
        OptionValue::Int(_) | OptionValue::Errno(_) => INT,
        OptionValue::Linger { .. } => 2 * INT,
        OptionValue::Bytes(bytes) => bytes.len() as u32,
        OptionValue::Info(_) => TCP_INFO,
        OptionValue::Null => 0,
    };
    whole.min(room)
}

/// `SO_TYPE`'s value: `SOCK_STREAM` and `SOCK_DGRAM` have the same numbers everywhere.
pub fn type_number(kind: SocketKind) -> i64 {
    match kind {
        SocketKind::Stream => 1,
        SocketKind::Datagram => 2,
    }
}
