//! System calls between the script's words and the process: what a line asks for becomes a typed call
//! ([`translate`]), and what the process answers is held against the line ([`judge`]).

mod arguments;
pub mod judge;
pub mod received;
mod text;
pub mod words;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use stack::api::{How, SocketKind};
use stack::posix::{
    Call as Posix, Data, Domain, EpollControl, Fd, Ioctl, Level, Opt, OptionValue, Personality,
    Room, Status, Watched,
};

use self::arguments as read;
use super::config::{Config, IpVersion};
use super::failure::Failure;
use crate::packetdrill::call::Call;
use crate::packetdrill::expr::{Expr, ExprKind};
use crate::packetdrill::structure::{Structure, StructureKind};

/// The script's descriptors, and the process's that they stand for.
#[derive(Debug, Default)]
pub struct Files(BTreeMap<i64, Fd>);

impl Files {
    /// The script gives a descriptor a number; the one that had it is forgotten.
    pub fn open(&mut self, script: i64, live: Fd) {
        self.0.insert(script, live);
    }

    /// The descriptor of a number.
    pub fn get(&self, script: i64) -> Option<Fd> {
        self.0.get(&script).copied()
    }

    /// All descriptors.
    pub fn all(&self) -> Vec<Fd> {
        self.0.values().copied().collect()
    }

    /// The number stands for nothing any more.
    pub fn close(&mut self, script: i64) {
        self.0.remove(&script);
    }

    fn of(&self, expr: &Expr) -> Result<Fd, Failure> {
        let number = read::descriptor(expr)?;
        self.get(number).ok_or_else(|| {
            let what = format!("the script has no descriptor {number}: no call has made it");
            Failure::new(expr.place.0, what)
        })
    }
}

/// What a translation needs to know.
pub struct Context<'a> {
    pub config: &'a Config,
    pub personality: &'a Personality,
    pub files: &'a Files,
}

/// All calls that [`translate`] knows.
pub const NAMES: [&str; 27] = [
    "socket",
    "bind",
    "listen",
    "accept",
    "connect",
    "read",
    "write",
    "recv",
    "recvfrom",
    "recvmsg",
    "send",
    "sendto",
    "sendmsg",
    "shutdown",
    "close",
    "fcntl",
    "ioctl",
    "getsockname",
    "getpeername",
    "getsockopt",
    "setsockopt",
    "poll",
    "epoll_create",
    "epoll_ctl",
    "epoll_wait",
    "pipe",
    "splice",
];

/// All structures and functions that arguments may have.
pub const VALUES: [&str; 13] = [
    "sockaddr",
    "htons",
    "inet_addr",
    "inet_pton",
    "msghdr",
    "cmsghdr",
    "iovec",
    "group",
    "pollfd",
    "epoll_event",
    "linger",
    "scm_timestamping",
    "sock_extended_err",
];

/// The typed call that a line asks for.
pub fn translate(call: &Call, context: &Context<'_>) -> Result<Posix, Failure> {
    let Context {
        config,
        personality,
        files,
    } = *context;
    let local = SocketAddr::new(config.local, config.bind_port);
    let remote = SocketAddr::new(config.remote, config.connect_port);
    let number = |expr| read::number(expr, personality);
    let length = |expr| read::length(expr, personality);
    Ok(match (call.name.as_str(), &call.arguments[..]) {
        ("socket", [domain, kind, protocol]) => socket(domain, kind, protocol, config)?,
        ("bind", [fd, address, _]) => Posix::Bind {
            fd: files.of(fd)?,
            address: read::address(address, config, local)?,
        },
        ("listen", [fd, backlog]) => Posix::Listen {
            fd: files.of(fd)?,
            backlog: number(backlog)?,
        },
        ("accept", [fd, _, _]) => Posix::Accept {
            fd: files.of(fd)?,
            status: Status::empty(),
        },
        ("connect", [fd, address, _]) => Posix::Connect {
            fd: files.of(fd)?,
            address: read::address(address, config, remote)?,
        },
        ("read", [fd, buffer, len]) => Posix::Read {
            fd: files.of(fd)?,
            into: vec![read::room(buffer, length(len)?)?],
        },
        ("write", [fd, buffer, len]) => Posix::Write {
            fd: files.of(fd)?,
            from: vec![read::data(buffer, length(len)?)?],
        },
        ("recv", [fd, buffer, len, flags]) | ("recvfrom", [fd, buffer, len, flags, _, _]) => {
            Posix::Recv {
                fd: files.of(fd)?,
                into: vec![read::room(buffer, length(len)?)?],
                flags: read::message_flags(flags)?,
            }
        }
        ("recvmsg", [fd, message, flags]) => {
            let message = structure(message, StructureKind::Msghdr)?;
            Posix::Recv {
                fd: files.of(fd)?,
                into: rooms(message, personality)?,
                flags: read::message_flags(flags)?,
            }
        }
        ("send", [fd, buffer, len, flags]) => Posix::Send {
            fd: files.of(fd)?,
            from: vec![read::data(buffer, length(len)?)?],
            flags: read::message_flags(flags)?,
            to: None,
        },
        ("sendto", [fd, buffer, len, flags, address, _]) => Posix::Send {
            fd: files.of(fd)?,
            from: vec![read::data(buffer, length(len)?)?],
            flags: read::message_flags(flags)?,
            to: match read::is_null(address) {
                true => None,
                false => Some(read::address(address, config, remote)?),
            },
        },
        ("sendmsg", [fd, message, flags]) => {
            let message = structure(message, StructureKind::Msghdr)?;
            Posix::Send {
                fd: files.of(fd)?,
                from: datas(message, personality)?,
                flags: read::message_flags(flags)?,
                to: match message.get("msg_name") {
                    Some(name) if !read::is_null(name) => {
                        Some(read::address(name, config, remote)?)
                    }
                    _ => None,
                },
            }
        }
        ("shutdown", [fd, how]) => Posix::Shutdown {
            fd: files.of(fd)?,
            how: match how.word() {
                Some("SHUT_RD") => How::Read,
                Some("SHUT_WR") => How::Write,
                Some("SHUT_RDWR") => How::Both,
                _ => return Err(read::unsupported(how, "what is shut down")),
            },
        },
        ("close", [fd]) => Posix::Close { fd: files.of(fd)? },
        ("fcntl", [fd, command]) if command.word() == Some("F_GETFL") => {
            Posix::GetStatus { fd: files.of(fd)? }
        }
        ("fcntl", [fd, command, flags]) if command.word() == Some("F_SETFL") => Posix::SetStatus {
            fd: files.of(fd)?,
            status: read::status(flags)?,
        },
        ("ioctl", [fd, request, ..]) => Posix::Ioctl {
            fd: files.of(fd)?,
            request: match request.word() {
                Some("SIOCINQ" | "FIONREAD") => Ioctl::InQueue,
                Some("SIOCOUTQ" | "FIONWRITE") => Ioctl::OutQueue,
                Some("SIOCOUTQNSD") => Ioctl::OutQueueUnsent,
                Some("FIONSPACE") => Ioctl::OutSpace,
                _ => return Err(read::unsupported(request, "a request of ioctl")),
            },
        },
        ("getsockname", [fd, _, _]) => Posix::LocalName { fd: files.of(fd)? },
        ("getpeername", [fd, _, _]) => Posix::PeerName { fd: files.of(fd)? },
        ("getsockopt", [fd, level, name, _, len]) => Posix::GetOption {
            fd: files.of(fd)?,
            option: option(level, name)?,
            len: option_length(read::pointed(len), personality)?,
        },
        ("setsockopt", [fd, level, name, value, len]) => Posix::SetOption {
            fd: files.of(fd)?,
            option: option(level, name)?,
            value: option_value(value, personality)?,
            len: option_length(len, personality)?,
        },
        ("poll", [watched, _, timeout]) => Posix::Poll {
            watched: watched_files(watched, files)?,
            timeout: milliseconds(number(timeout)?),
        },
        ("epoll_create", [size]) => Posix::EpollCreate {
            size: number(size)?,
        },
        ("epoll_ctl", [epoll, operation, fd, event]) => Posix::EpollControl {
            epoll: files.of(epoll)?,
            fd: files.of(fd)?,
            control: epoll_control(operation, event)?,
        },
        ("epoll_wait", [epoll, _, most, timeout]) => Posix::EpollWait {
            epoll: files.of(epoll)?,
            most: number(most)?,
            timeout: milliseconds(number(timeout)?),
        },
        ("pipe", [_]) => Posix::Pipe,
        ("splice", [from, _, to, _, len, flags]) => Posix::Splice {
            from: files.of(from)?,
            to: files.of(to)?,
            len: length(len)?,
            nonblocking: number(flags)? & SPLICE_F_NONBLOCK != 0,
        },
        (name, arguments) => {
            let what = format!(
                "the call {name} with {} arguments is unknown",
                arguments.len()
            );
            return Err(Failure::new(call.place.0, what));
        }
    })
}

fn epoll_control(operation: &Expr, event: &Expr) -> Result<EpollControl, Failure> {
    if operation.word() == Some("EPOLL_CTL_DEL") {
        return Ok(EpollControl::Delete);
    }
    let event = structure(event, StructureKind::EpollEvent)?;
    let events = event.get("events").expect("an epoll_event has its fields");
    let events = read::events(events)?;
    let data = epoll_data(event)?.map_or(0, |(_, data)| data as u64);
    match operation.word() {
        Some("EPOLL_CTL_ADD") => Ok(EpollControl::Add { events, data }),
        Some("EPOLL_CTL_MOD") => Ok(EpollControl::Modify { events, data }),
        _ => Err(read::unsupported(operation, "an operation of epoll_ctl")),
    }
}

/// What a script wants back with its events: one of the members of a union.
fn epoll_data(event: &Structure) -> Result<Option<(&Expr, i64)>, Failure> {
    let mut members = ["fd", "ptr", "u32", "u64"].into_iter();
    let Some(data) = members.find_map(|name| event.get(name)) else {
        return Ok(None);
    };
    match data.integer() {
        Some(number) => Ok(Some((data, number))),
        None => Err(read::unsupported(data, "a number")),
    }
}

const SPLICE_F_NONBLOCK: i64 = 2;

/// `poll`'s timeout in nanoseconds; a negative one is none.
fn milliseconds(timeout: i64) -> Option<u64> {
    let ms = u64::try_from(timeout).ok()?;
    Some(ms.saturating_mul(1_000_000))
}

fn socket(domain: &Expr, kind: &Expr, protocol: &Expr, config: &Config) -> Result<Posix, Failure> {
    let domain = match (&domain.kind, config.ip_version) {
        (ExprKind::Ellipsis, IpVersion::V4) => Domain::Inet,
        (ExprKind::Ellipsis, IpVersion::V6 | IpVersion::Mapped) => Domain::Inet6,
        (ExprKind::Word(word), _) if word == "AF_INET" => Domain::Inet,
        (ExprKind::Word(word), _) if word == "AF_INET6" => Domain::Inet6,
        _ => return Err(read::unsupported(domain, "an address family")),
    };
    let words: Vec<&str> = match &kind.kind {
        ExprKind::Or(parts) => parts.iter().filter_map(Expr::word).collect(),
        _ => kind.word().into_iter().collect(),
    };
    let sort = match words.first() {
        Some(&"SOCK_STREAM") => SocketKind::Stream,
        Some(&"SOCK_DGRAM") => SocketKind::Datagram,
        _ => return Err(read::unsupported(kind, "a socket's kind")),
    };
    let protocol = match (protocol.word(), protocol.integer()) {
        (Some("IPPROTO_TCP"), _) => SocketKind::Stream,
        (Some("IPPROTO_UDP"), _) => SocketKind::Datagram,
        (_, Some(0)) => sort,
        _ => return Err(read::unsupported(protocol, "a socket's protocol")),
    };
    let mut status = Status::empty();
    for word in words.iter().skip(1) {
        match *word {
            "SOCK_NONBLOCK" => status |= Status::NONBLOCK,
            "SOCK_CLOEXEC" => {}
            _ => return Err(read::unsupported(kind, "a socket's kind")),
        }
    }
    Ok(Posix::Socket {
        domain,
        kind: sort,
        protocol,
        status,
    })
}

fn structure(expr: &Expr, kind: StructureKind) -> Result<&Structure, Failure> {
    match &expr.kind {
        ExprKind::Structure(structure) if structure.kind == kind => Ok(structure),
        _ => Err(read::unsupported(expr, "this structure")),
    }
}

/// Base and length of each piece of a message: `msg_iov(2)=[{..., 10}, {..., 20}]`.
fn pieces(message: &Structure) -> Result<Vec<(&Expr, &Expr)>, Failure> {
    let list = message.get("msg_iov").expect("a msghdr has its fields");
    let ExprKind::List(parts) = &list.kind else {
        return Err(read::unsupported(list, "the pieces of a message"));
    };
    parts.iter().map(piece).collect()
}

fn piece(part: &Expr) -> Result<(&Expr, &Expr), Failure> {
    match part.parts()[..] {
        [base, len] => Ok((base, len)),
        _ => Err(read::unsupported(part, "a piece of a message")),
    }
}

fn rooms(message: &Structure, personality: &Personality) -> Result<Vec<Room>, Failure> {
    let pieces = pieces(message)?.into_iter();
    let room = |(base, len)| read::room(base, read::length(len, personality)?);
    pieces.map(room).collect()
}

fn datas(message: &Structure, personality: &Personality) -> Result<Vec<Data>, Failure> {
    let pieces = pieces(message)?.into_iter();
    let data = |(base, len)| read::data(base, read::length(len, personality)?);
    pieces.map(data).collect()
}

fn option(level: &Expr, name: &Expr) -> Result<Opt, Failure> {
    let known = level.word().and_then(Level::named);
    let Some(known) = known else {
        return Err(read::unsupported(level, "a level of options"));
    };
    match name.word().map(|name| Opt::named(known, name)) {
        // That an option is unknown to the process, and not only unlike anything it has, is for it to say.
        Some(option) => Ok(option),
        None => Err(read::unsupported(name, "a socket option")),
    }
}

fn option_length(expr: &Expr, personality: &Personality) -> Result<u32, Failure> {
    let len = read::length(expr, personality)?;
    u32::try_from(len).map_err(|_| read::unsupported(expr, "an option's length"))
}

fn option_value(expr: &Expr, personality: &Personality) -> Result<OptionValue, Failure> {
    let value = read::pointed(expr);
    match &value.kind {
        ExprKind::Word(word) if word == "NULL" => Ok(OptionValue::Null),
        ExprKind::Text(pieces) => match text::bytes(pieces) {
            Some(bytes) => Ok(OptionValue::Bytes(bytes)),
            None => Err(read::unsupported(value, "an option's bytes")),
        },
        ExprKind::Structure(s) if s.kind == StructureKind::Linger => {
            let field = |name| {
                let field = s.get(name).expect("a linger has its fields");
                read::number(field, personality)
            };
            Ok(OptionValue::Linger {
                on: field("onoff")? != 0,
                seconds: field("linger")?,
            })
        }
        _ => read::number(value, personality).map(OptionValue::Int),
    }
}

fn watched_files(expr: &Expr, files: &Files) -> Result<Vec<Watched>, Failure> {
    let ExprKind::List(parts) = &expr.kind else {
        return Err(read::unsupported(expr, "what is polled"));
    };
    let watched = |part| {
        let pollfd = structure(part, StructureKind::Pollfd)?;
        let field = |name| pollfd.get(name).expect("a pollfd has its fields");
        Ok(Watched {
            fd: files.of(field("fd"))?,
            events: read::events(field("events"))?,
        })
    };
    parts.iter().map(watched).collect()
}
