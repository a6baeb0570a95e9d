//! Socket options as `getsockopt(2)` and `setsockopt(2)` know them: a level, a name, an integer or a structure.

use alloc::vec::Vec;

use crate::api::{OptionName, SocketKind, SocketOption};
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
    (Level::Tcp, "TCP_NODELAY", OptionName::NoDelay),
    (Level::Tcp, "TCP_MAXSEG", OptionName::MaxSeg),
];

impl Opt {
    /// The option of that name at that level; a name that nobody knows is [`Opt::Unknown`], and refused when it is used.
    pub fn named(level: Level, name: &str) -> Opt {
        match (level, name) {
            (Level::Socket, "SO_ERROR") => Opt::Error,
            (Level::Socket, "SO_TYPE") => Opt::Type,
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
    /// `NULL`
    Null,
}

/// Octets of an `int`.
const INT: u32 = 4;

/// What `setsockopt(2)` is to set.
pub fn to_set(name: OptionName, value: &OptionValue, len: u32) -> Result<SocketOption, Errno> {
    use OptionName as N;
    use SocketOption as O;
    if *value == OptionValue::Null {
        return Err(Errno::EFAULT);
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
    Ok(match name {
        N::NoDelay => O::NoDelay(int != 0),
        N::KeepAlive => O::KeepAlive(int != 0),
        N::RecvBuffer => O::RecvBuffer(within(int)?),
        N::SendBuffer => O::SendBuffer(within(int)?),
        N::ReuseAddr => O::ReuseAddr(int != 0),
        N::MaxSeg => O::MaxSeg(within(int)?),
        N::Linger => return Err(Errno::EINVAL),
    })
}

/// The integer, if the option's type holds it.
fn within<T: TryFrom<i64>>(int: i64) -> Result<T, Errno> {
    T::try_from(int).map_err(|_| Errno::EINVAL)
}

/// What `getsockopt(2)` gives.
pub fn to_get(option: SocketOption) -> OptionValue {
    use SocketOption as O;
    OptionValue::Int(match option {
        O::NoDelay(on) | O::KeepAlive(on) | O::ReuseAddr(on) => i64::from(on),
        O::RecvBuffer(bytes) | O::SendBuffer(bytes) => bytes as i64,
        O::MaxSeg(bytes) => i64::from(bytes),
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
