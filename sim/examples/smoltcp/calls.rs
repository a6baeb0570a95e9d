//! The calls of [`stack::api`], by smoltcp's.

use std::net::SocketAddr;

use evilbit::xen_abi::Instant;
use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::{Socket, State};
use smoltcp::time::Duration;
use smoltcp::wire::IpListenEndpoint;
use stack::api::{
    How, OptionName, Ready, Received, RecvFlags, SocketError, SocketId, SocketKind, SocketOption,
    Sockets, WideSockets,
};

use crate::entry::{Entry, Options, Role, Stream, is_connected, is_opening, readiness};
use crate::sockets::SmolSockets;

/// The most connections that may wait for `accept`.
const MOST_WAITING: usize = 8;
/// Seconds until the first keep-alive (RFC 9293, 3.8.4).
const KEEP_IDLE: u32 = 7200;

/// Puts options into effect that a socket may get at any time.
pub fn apply(options: &Options, socket: &mut Socket) {
    let mut keep_alive = false;
    let mut idle = KEEP_IDLE;
    for option in options.values() {
        match *option {
            SocketOption::NoDelay(on) => socket.set_nagle_enabled(!on),
            SocketOption::KeepAlive(on) => keep_alive = on,
            SocketOption::KeepIdle(seconds) => idle = seconds,
            SocketOption::HopLimit(limit) => socket.set_hop_limit(limit),
            SocketOption::UserTimeout(ms) => {
                let timeout = Duration::from_millis(ms.into());
                socket.set_timeout((ms > 0).then_some(timeout));
            }
            _ => {}
        }
    }
    let interval = Duration::from_secs(idle.into());
    socket.set_keep_alive(keep_alive.then_some(interval));
}

impl Sockets for SmolSockets {
    fn socket(&mut self, kind: SocketKind) -> Result<SocketId, SocketError> {
        match kind {
            SocketKind::Stream => Ok(self.add(Role::Fresh, None, Options::new())),
            // smoltcp's datagrams have a shape of their own, which nobody has brought into POSIX's here.
            SocketKind::Datagram => Err(SocketError::EAFNOSUPPORT),
        }
    }

    fn bind(&mut self, socket: SocketId, mut local: SocketAddr) -> Result<(), SocketError> {
        let entry = self.entry(socket)?;
        if entry.local.is_some() || !matches!(entry.role, Role::Fresh) {
            return Err(SocketError::EINVAL);
        }
        if !self.is_ours(local.ip()) {
            return Err(SocketError::EADDRNOTAVAIL);
        }
        if local.port() == 0 {
            local.set_port(self.free_port());
        }
        let port = |entry: &Entry| entry.local.is_some_and(|at| at.port() == local.port());
        let mut others = self.entries.values();
        if others.any(|other| port(other) && !matches!(other.role, Role::Stream(_))) {
            return Err(SocketError::EADDRINUSE);
        }
        self.entry_mut(socket)?.local = Some(local);
        Ok(())
    }

    fn listen(&mut self, socket: SocketId, backlog: usize) -> Result<(), SocketError> {
        let entry = self.entry(socket)?;
        let (local, options) = match (&entry.role, entry.local) {
            (Role::Listener(_), _) => return Ok(()),
            (Role::Stream(_), _) | (Role::Fresh, None) => return Err(SocketError::EINVAL),
            (Role::Fresh, Some(local)) => (local, entry.options.clone()),
        };
        let room = backlog.clamp(1, MOST_WAITING);
        let waiting: Result<Vec<_>, _> = (0..room)
            .map(|_| self.listen_once(&options, local))
            .collect();
        self.entry_mut(socket)?.role = Role::Listener(waiting?);
        Ok(())
    }

    fn accept(&mut self, socket: SocketId) -> Result<(SocketId, SocketAddr), SocketError> {
        let entry = self.entries.get_mut(&socket.0).ok_or(SocketError::EBADF)?;
        let (Role::Listener(waiting), Some(local)) = (&mut entry.role, entry.local) else {
            return Err(SocketError::EINVAL);
        };
        let set = &self.set;
        let is_there = |&handle: &SocketHandle| is_connected(set.get::<Socket>(handle).state());
        let at = waiting.iter().position(is_there);
        let handle = waiting.remove(at.ok_or(SocketError::EAGAIN)?);
        let options = entry.options.clone();
        let accepted = self.set.get::<Socket>(handle);
        let state = accepted.state();
        let (ours, theirs) = (accepted.local_endpoint(), accepted.remote_endpoint());
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            unreachable!("it is connected");
        };
        let next = self.listen_once(&options, local)?;
        if let Role::Listener(waiting) = &mut self.entry_mut(socket)?.role {
            waiting.push(next);
        }
        let role = Role::Stream(Stream::new(handle, state));
        Ok((self.add(role, Some(ours.into()), options), theirs.into()))
    }

    fn connect(
        &mut self,
        _: Instant,
        socket: SocketId,
        remote: SocketAddr,
    ) -> Result<(), SocketError> {
        let entry = self.entry_mut(socket)?;
        match &mut entry.role {
            Role::Fresh => {}
            Role::Listener(_) => return Err(SocketError::EOPNOTSUPP),
            Role::Stream(stream) => {
                return Err(match stream.error.take() {
                    Some(error) => error,
                    None if is_opening(stream.seen) => SocketError::EALREADY,
                    None => SocketError::EISCONN,
                });
            }
        }
        let (bound, options) = (entry.local, entry.options.clone());
        let local = match bound {
            Some(local) => IpListenEndpoint::from(local),
            None => IpListenEndpoint::from(self.free_port()),
        };
        let mut opening = self.make(&options);
        let mut interface = self.interface.borrow_mut();
        opening
            .connect(interface.context(), remote, local)
            .map_err(|_| SocketError::EADDRNOTAVAIL)?;
        drop(interface);
        let local = opening.local_endpoint().map(SocketAddr::from);
        let handle = self.set.add(opening);
        let entry = self.entry_mut(socket)?;
        entry.local = local;
        entry.role = Role::Stream(Stream::new(handle, State::SynSent));
        Err(SocketError::EINPROGRESS)
    }

    fn send(&mut self, _: Instant, socket: SocketId, data: &[u8]) -> Result<usize, SocketError> {
        let (stream, socket) = self.stream(socket)?;
        if let Some(error) = stream.error.take() {
            return Err(error);
        }
        if is_opening(socket.state()) {
            return Err(SocketError::EAGAIN);
        }
        match socket.send_slice(data) {
            Ok(0) if !data.is_empty() => Err(SocketError::EAGAIN),
            Ok(taken) => Ok(taken),
            Err(_) => Err(SocketError::EPIPE),
        }
    }

    fn recv(
        &mut self,
        now: Instant,
        socket: SocketId,
        to: &mut [u8],
    ) -> Result<usize, SocketError> {
        let received = self.recv_message(now, socket, to, RecvFlags::empty())?;
        Ok(received.len)
    }

    fn send_to(
        &mut self,
        _: Instant,
        _: SocketId,
        _: &[u8],
        _: SocketAddr,
    ) -> Result<usize, SocketError> {
        Err(SocketError::EOPNOTSUPP)
    }

    fn recv_from(
        &mut self,
        _: Instant,
        _: SocketId,
        _: &mut [u8],
    ) -> Result<(usize, SocketAddr), SocketError> {
        Err(SocketError::EOPNOTSUPP)
    }

    fn shutdown(&mut self, _: Instant, socket: SocketId, how: How) -> Result<(), SocketError> {
        let (stream, socket) = self.stream(socket)?;
        if !stream.connected || stream.seen == State::Closed {
            return Err(SocketError::ENOTCONN);
        }
        stream.deaf |= how != How::Write;
        if how != How::Read {
            socket.close();
        }
        Ok(())
    }

    /// Octets that nobody has read make it a reset (RFC 1122, 4.2.2.13).
    fn close(&mut self, _: Instant, socket: SocketId) -> Result<(), SocketError> {
        let entry = self.entries.remove(&socket.0).ok_or(SocketError::EBADF)?;
        match entry.role {
            Role::Fresh => {}
            Role::Listener(waiting) => {
                for handle in waiting {
                    let socket = self.set.get_mut::<Socket>(handle);
                    match socket.state() {
                        State::Listen => socket.close(),
                        _ => socket.abort(),
                    }
                    self.orphans.push(handle);
                }
            }
            Role::Stream(stream) => {
                let socket = self.set.get_mut::<Socket>(stream.handle);
                let linger = entry.options.get(&OptionName::Linger);
                let hard = linger == Some(&SocketOption::Linger(Some(0)));
                match hard || socket.recv_queue() > 0 {
                    true => socket.abort(),
                    false => socket.close(),
                }
                self.orphans.push(stream.handle);
            }
        }
        Ok(())
    }

    fn abort(&mut self, now: Instant, socket: SocketId) -> Result<(), SocketError> {
        if let Ok((_, socket)) = self.stream(socket) {
            socket.abort();
        }
        self.close(now, socket)
    }

    fn set_option(&mut self, socket: SocketId, option: SocketOption) -> Result<(), SocketError> {
        let entry = self.entries.get_mut(&socket.0).ok_or(SocketError::EBADF)?;
        let fresh = matches!(entry.role, Role::Fresh);
        match option {
            // smoltcp's buffers are made with the socket.
            SocketOption::RecvBuffer(size) | SocketOption::SendBuffer(size)
                if !fresh || size == 0 || size > 1 << 30 =>
            {
                return Err(SocketError::EINVAL);
            }
            SocketOption::Linger(Some(1..)) => return Err(SocketError::EINVAL),
            SocketOption::HopLimit(Some(0)) => return Err(SocketError::EINVAL),
            SocketOption::RecvBuffer(_)
            | SocketOption::SendBuffer(_)
            | SocketOption::NoDelay(_)
            | SocketOption::KeepAlive(_)
            | SocketOption::KeepIdle(_)
            | SocketOption::HopLimit(_)
            | SocketOption::Linger(_)
            | SocketOption::UserTimeout(_)
            // Names of connections that are over are free at once.
            | SocketOption::ReuseAddr(_) => {}
            _ => return Err(SocketError::ENOPROTOOPT),
        }
        entry.options.insert(option.name(), option);
        if let Role::Stream(stream) = &entry.role {
            apply(&entry.options, self.set.get_mut(stream.handle));
        }
        Ok(())
    }

    fn local_addr(&self, socket: SocketId) -> Result<SocketAddr, SocketError> {
        self.entry(socket)?.local.ok_or(SocketError::EINVAL)
    }

    fn peer_addr(&self, socket: SocketId) -> Result<SocketAddr, SocketError> {
        let Role::Stream(stream) = &self.entry(socket)?.role else {
            return Err(SocketError::ENOTCONN);
        };
        let remote = self.set.get::<Socket>(stream.handle).remote_endpoint();
        match remote {
            Some(remote) if stream.connected => Ok(remote.into()),
            _ => Err(SocketError::ENOTCONN),
        }
    }

    fn take_error(&mut self, socket: SocketId) -> Option<SocketError> {
        self.stream(socket).ok()?.0.error.take()
    }

    fn ready(&self, socket: SocketId) -> Ready {
        self.entry(socket)
            .map_or(Ready::empty(), |entry| readiness(&self.set, entry))
    }

    fn next_ready(&mut self) -> Option<SocketId> {
        self.news.pop_front()
    }
}

/// What is not here, the defaults refuse.
impl WideSockets for SmolSockets {
    fn recv_message(
        &mut self,
        _: Instant,
        socket: SocketId,
        to: &mut [u8],
        flags: RecvFlags,
    ) -> Result<Received, SocketError> {
        if !RecvFlags::PEEK.contains(flags) {
            return Err(SocketError::EOPNOTSUPP);
        }
        let (stream, socket) = self.stream(socket)?;
        let state = socket.state();
        let len = if socket.can_recv() && !is_opening(state) {
            let got = match flags.contains(RecvFlags::PEEK) {
                true => socket.peek_slice(to),
                false => socket.recv_slice(to),
            };
            got.map_err(|_| SocketError::ENOTCONN)?
        } else if let Some(error) = stream.error.take() {
            return Err(error);
        } else if stream.ended || stream.deaf || state == State::Closed {
            0
        } else {
            return Err(SocketError::EAGAIN);
        };
        Ok(Received {
            len,
            whole: len,
            from: None,
        })
    }

    fn option(&self, socket: SocketId, name: OptionName) -> Result<SocketOption, SocketError> {
        let entry = self.entry(socket)?;
        let default = match name {
            OptionName::NoDelay => SocketOption::NoDelay(false),
            OptionName::KeepAlive => SocketOption::KeepAlive(false),
            OptionName::KeepIdle => SocketOption::KeepIdle(KEEP_IDLE),
            OptionName::HopLimit => SocketOption::HopLimit(None),
            OptionName::Linger => SocketOption::Linger(None),
            OptionName::UserTimeout => SocketOption::UserTimeout(0),
            OptionName::ReuseAddr => SocketOption::ReuseAddr(false),
            OptionName::RecvBuffer => SocketOption::RecvBuffer(self.recv_buffer),
            OptionName::SendBuffer => SocketOption::SendBuffer(self.send_buffer),
            _ => return Err(SocketError::ENOPROTOOPT),
        };
        Ok(entry.options.get(&name).copied().unwrap_or(default))
    }
}
