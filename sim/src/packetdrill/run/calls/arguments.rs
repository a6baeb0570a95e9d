//! Arguments of calls read from the script's expressions: numbers, flags, addresses, buffers.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

use stack::posix::{Data, MsgFlags, Personality, PollEvents, Room, Status};

use super::{text, words};
use crate::packetdrill::expr::{Expr, ExprKind};
use crate::packetdrill::run::config::{Config, IpVersion};
use crate::packetdrill::run::failure::Failure;
use crate::packetdrill::structure::Structure;

/// An argument that means nothing here.
pub fn unsupported(expr: &Expr, what: &str) -> Failure {
    Failure::new(expr.place.0, format!("{what} cannot be `{expr}`"))
}

/// A number, by itself or by its name.
pub fn number(expr: &Expr, personality: &Personality) -> Result<i64, Failure> {
    let known = match &expr.kind {
        ExprKind::Integer(integer) => Some(integer.value),
        ExprKind::Word(word) => words::number(word, personality),
        ExprKind::Or(parts) => {
            let mut all = 0;
            for part in parts {
                all |= number(part, personality)?;
            }
            Some(all)
        }
        _ => None,
    };
    known.ok_or_else(|| unsupported(expr, "a number"))
}

/// A length, which is no negative number.
pub fn length(expr: &Expr, personality: &Personality) -> Result<u64, Failure> {
    let number = number(expr, personality)?;
    u64::try_from(number).map_err(|_| unsupported(expr, "a length"))
}

/// The value in `[N]`, or the number itself.
pub fn pointed(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::List(parts) if parts.len() == 1 => &parts[0],
        _ => expr,
    }
}

/// The words of `A | B`, or a number without flags.
fn flag_words(expr: &Expr) -> Option<Vec<&str>> {
    match &expr.kind {
        ExprKind::Integer(integer) if integer.value == 0 => Some(Vec::new()),
        ExprKind::Word(word) => Some(vec![word]),
        ExprKind::Or(parts) => parts.iter().map(Expr::word).collect(),
        _ => None,
    }
}

/// Flags of one message.
pub fn message_flags(expr: &Expr) -> Result<MsgFlags, Failure> {
    let words = flag_words(expr);
    let flags = words.and_then(|words| words.into_iter().map(words::message_flag).collect());
    flags.ok_or_else(|| unsupported(expr, "flags of a message"))
}

/// What `poll` looks for or reports.
pub fn events(expr: &Expr) -> Result<PollEvents, Failure> {
    let words = flag_words(expr);
    let events = words.and_then(|words| words.into_iter().map(words::event).collect());
    events.ok_or_else(|| unsupported(expr, "events"))
}

/// `fcntl`'s flags.
pub fn status(expr: &Expr) -> Result<Status, Failure> {
    let words = flag_words(expr).ok_or_else(|| unsupported(expr, "flags of a file"))?;
    let flag = |word: &str| match word {
        "O_RDWR" => Some(Status::RDWR),
        "O_NONBLOCK" => Some(Status::NONBLOCK),
        _ => None,
    };
    let flags: Option<Status> = words.into_iter().map(flag).collect();
    flags.ok_or_else(|| unsupported(expr, "flags of a file"))
}

/// A descriptor's number in the script.
pub fn descriptor(expr: &Expr) -> Result<i64, Failure> {
    expr.integer()
        .ok_or_else(|| unsupported(expr, "a descriptor"))
}

/// Is it `NULL`?
pub fn is_null(expr: &Expr) -> bool {
    expr.word() == Some("NULL")
}

/// Bytes to send: `...` is zeros.
pub fn data(expr: &Expr, len: u64) -> Result<Data, Failure> {
    match &expr.kind {
        ExprKind::Ellipsis => Ok(Data::Zeros(len)),
        ExprKind::Word(word) if word == "NULL" => Ok(Data::Null(len)),
        ExprKind::Text(pieces) => {
            let bytes = text::bytes(pieces);
            let mut bytes = bytes.ok_or_else(|| unsupported(expr, "bytes to send"))?;
            match usize::try_from(len) {
                Ok(len) if len <= bytes.len() => bytes.truncate(len),
                _ => return Err(unsupported(expr, "bytes of this length")),
            }
            Ok(Data::Bytes(Rc::from(bytes)))
        }
        _ => Err(unsupported(expr, "bytes to send")),
    }
}

/// Room to receive into.
pub fn room(expr: &Expr, len: u64) -> Result<Room, Failure> {
    match &expr.kind {
        ExprKind::Ellipsis | ExprKind::Text(_) => Ok(Room::Bytes(len)),
        ExprKind::Word(word) if word == "NULL" => Ok(Room::Null(len)),
        _ => Err(unsupported(expr, "room to receive into")),
    }
}

/// An address; for `...` the tool has one.
pub fn address(expr: &Expr, config: &Config, supplied: SocketAddr) -> Result<SocketAddr, Failure> {
    match &expr.kind {
        ExprKind::Ellipsis => Ok(as_sockets_write(supplied, config.ip_version)),
        _ => sockaddr(expr, config),
    }
}

/// An address that the script writes out.
pub fn sockaddr(expr: &Expr, config: &Config) -> Result<SocketAddr, Failure> {
    let address = match &expr.kind {
        ExprKind::Structure(structure) => written(structure),
        _ => None,
    };
    let address = address.ok_or_else(|| unsupported(expr, "an address"))?;
    Ok(as_sockets_write(address, config.ip_version))
}

/// `{sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("192.0.2.1")}`
fn written(structure: &Structure) -> Option<SocketAddr> {
    let applied = |field: &str, functions: &[&str]| match &structure.get(field)?.kind {
        ExprKind::Apply {
            function,
            arguments,
        } if functions.contains(&function.as_str()) => arguments.last().cloned(),
        _ => None,
    };
    let port = applied("sin_port", &["htons"])?.integer()?;
    let ip: IpAddr = match applied("sin_addr", &["inet_addr", "inet_pton"])?.kind {
        ExprKind::Text(pieces) => pieces.concat().parse().ok()?,
        _ => return None,
    };
    let family = structure.get("sa_family")?.word()?;
    let is_of_the_family = match ip {
        IpAddr::V4(_) => family == "AF_INET",
        IpAddr::V6(_) => family == "AF_INET6",
    };
    is_of_the_family.then_some(SocketAddr::new(ip, u16::try_from(port).ok()?))
}

/// Sockets of IPv6 write IPv4 addresses mapped (RFC 4291 §2.5.5.2).
fn as_sockets_write(address: SocketAddr, version: IpVersion) -> SocketAddr {
    match (address.ip(), version) {
        (IpAddr::V4(ip), IpVersion::Mapped) => {
            let mapped: Ipv6Addr = ip.to_ipv6_mapped();
            SocketAddr::new(mapped.into(), address.port())
        }
        _ => address,
    }
}
