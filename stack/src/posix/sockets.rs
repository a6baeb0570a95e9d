//! Sockets: how they get their names, begin and end.

use core::net::{IpAddr, SocketAddr};

use xen_abi::Instant;

use crate::api::{How, OptionName, Ready, SocketError, SocketKind, SocketOption, WideSockets};
use crate::event::TcpState;
use crate::posix::answer::Output;
use crate::posix::call::{Domain, Fd, Status};
use crate::posix::descriptors::{File, SocketFile};
use crate::posix::errno::Errno;
use crate::posix::process::{Attempt, Process, Progress, Step, nothing};
use crate::profile::SEC;

/// A program's address as the stack knows it: a mapped one (RFC 4291, 2.5.5.2) is version 4's.
pub(super) fn for_stack(domain: Domain, address: SocketAddr) -> Result<SocketAddr, Errno> {
    match (domain, address.ip()) {
        (Domain::Inet, IpAddr::V4(_)) => Ok(address),
        (Domain::Inet, IpAddr::V6(_)) => Err(Errno::EAFNOSUPPORT),
        (Domain::Inet6, IpAddr::V4(_)) => Err(Errno::EINVAL),
        (Domain::Inet6, IpAddr::V6(ip)) => Ok(match ip.to_ipv4_mapped() {
            Some(ip) => (ip, address.port()).into(),
            None => address,
        }),
    }
}

/// The stack's address as a program of that family sees it.
pub(super) fn for_program(domain: Domain, address: SocketAddr) -> SocketAddr {
    match (domain, address.ip()) {
        (Domain::Inet6, IpAddr::V4(ip)) => (ip.to_ipv6_mapped(), address.port()).into(),
        _ => address,
    }
}

impl Process {
    pub(super) fn socket<S: WideSockets>(
        &mut self,
        s: &mut S,
        domain: Domain,
        kind: SocketKind,
        status: Status,
    ) -> Attempt {
        self.descriptors.check_room(1)?;
        let file = File::Socket(SocketFile {
            id: s.socket(kind)?,
            kind,
            domain,
            connecting: false,
        });
        let fd = self.descriptors.open(file, status);
        Ok(Step::Done(i64::from(fd), Output::Nothing))
    }

    pub(super) fn bind<S: WideSockets>(
        &mut self,
        s: &mut S,
        fd: Fd,
        address: SocketAddr,
    ) -> Attempt {
        let (socket, _) = self.descriptors.socket(fd)?;
        s.bind(socket.id, for_stack(socket.domain, address)?)?;
        nothing()
    }

    /// A negative backlog is the least one (POSIX, listen()).
    pub(super) fn listen<S: WideSockets>(&mut self, s: &mut S, fd: Fd, backlog: i64) -> Attempt {
        let (socket, _) = self.descriptors.socket(fd)?;
        s.listen(socket.id, usize::try_from(backlog).unwrap_or(0))?;
        nothing()
    }

    pub(super) fn accept<S: WideSockets>(&mut self, s: &mut S, fd: Fd, status: Status) -> Attempt {
        let (listener, blocking) = self.descriptors.socket(fd)?;
        self.descriptors.check_room(1)?;
        let (id, remote) = match s.accept(listener.id) {
            Ok(accepted) => accepted,
            Err(SocketError::EAGAIN) if blocking => return Ok(Step::Wait),
            Err(error) => return Err(error.into()),
        };
        let inherited = if self.personality.accept_inherits_status {
            self.descriptors.get(fd)?.status
        } else {
            Status::empty()
        };
        let file = File::Socket(SocketFile {
            id,
            kind: SocketKind::Stream,
            domain: listener.domain,
            connecting: false,
        });
        let fd = self.descriptors.open(file, status | inherited);
        let remote = for_program(listener.domain, remote);
        Ok(Step::Done(i64::from(fd), Output::Address(remote)))
    }

    pub(super) fn connect<S: WideSockets>(
        &mut self,
        s: &mut S,
        now: Instant,
        fd: Fd,
        address: SocketAddr,
        progress: &mut Progress,
    ) -> Attempt {
        let (socket, blocking) = self.descriptors.socket(fd)?;
        if !progress.begun {
            let to = for_stack(socket.domain, address)?;
            match s.connect(now, socket.id, to) {
                Ok(()) => return nothing(),
                Err(SocketError::EISCONN)
                    if socket.connecting && self.personality.connect_tells_success =>
                {
                    self.descriptors.socket_mut(fd)?.connecting = false;
                    return nothing();
                }
                Err(error @ (SocketError::EINPROGRESS | SocketError::EALREADY)) => {
                    self.descriptors.socket_mut(fd)?.connecting = !blocking;
                    if !blocking {
                        return Err(error.into());
                    }
                    progress.begun = true;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let over = Ready::WRITE | Ready::ERROR | Ready::HANGUP;
        if !s.ready(socket.id).intersects(over) {
            return Ok(Step::Wait);
        }
        match s.take_error(socket.id) {
            None => nothing(),
            Some(error) => Err(error.into()),
        }
    }

    pub(super) fn shutdown<S: WideSockets>(
        &mut self,
        s: &mut S,
        now: Instant,
        fd: Fd,
        how: How,
    ) -> Attempt {
        let (socket, _) = self.descriptors.socket(fd)?;
        s.shutdown(now, socket.id, how)?;
        nothing()
    }

    pub(super) fn close<S: WideSockets>(
        &mut self,
        s: &mut S,
        now: Instant,
        fd: Fd,
        progress: &mut Progress,
    ) -> Attempt {
        if let File::Socket(socket) = self.descriptors.get(fd)?.file
            && self.lingers(s, now, fd, socket, progress)
        {
            return Ok(Step::Wait);
        }
        let file = self.descriptors.close(fd)?;
        for epoll in self.epolls.values_mut() {
            // Most watch it not.
            let _ = epoll.forget(fd);
        }
        match file {
            File::Epoll(number) => drop(self.epolls.remove(&number)),
            File::Socket(socket) => s.close(now, socket.id)?,
            File::PipeReader(pipe) => self.close_pipe(pipe, |p| p.reader_open = false),
            File::PipeWriter(pipe) => self.close_pipe(pipe, |p| p.writer_open = false),
        }
        nothing()
    }

    /// `SO_LINGER`: whether closing still waits for the peer to have everything, the goodbye as well.
    fn lingers<S: WideSockets>(
        &mut self,
        s: &mut S,
        now: Instant,
        fd: Fd,
        socket: SocketFile,
        progress: &mut Progress,
    ) -> bool {
        let Ok(SocketOption::Linger(Some(seconds @ 1..))) = s.option(socket.id, OptionName::Linger)
        else {
            return false;
        };
        let blocking = self
            .descriptors
            .socket(fd)
            .is_ok_and(|(_, blocking)| blocking);
        if !blocking && !self.personality.lingers_nonblocking {
            return false;
        }
        if !progress.begun {
            // What was not read makes it a reset, and nobody waits for that.
            let unread = s.queued(socket.id).map_or(0, |queued| queued.unread);
            if unread > 0 || s.shutdown(now, socket.id, How::Write).is_err() {
                return false;
            }
            progress.begun = true;
        }
        let state = s.tcp_info(now, socket.id).map(|info| info.state);
        let says_goodbye = matches!(
            state,
            Ok(TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck)
        );
        says_goodbye && !progress.is_over(now, Some(u64::from(seconds) * SEC))
    }

    pub(super) fn local_name<S: WideSockets>(&self, s: &mut S, fd: Fd) -> Attempt {
        let (socket, _) = self.descriptors.socket(fd)?;
        let name = match s.local_addr(socket.id) {
            // POSIX: the value of a socket that was not bound is unspecified. Both kernels give zeros.
            Err(SocketError::EINVAL) => match socket.domain {
                Domain::Inet => (core::net::Ipv4Addr::UNSPECIFIED, 0).into(),
                Domain::Inet6 => (core::net::Ipv6Addr::UNSPECIFIED, 0).into(),
            },
            name => for_program(socket.domain, name?),
        };
        Ok(Step::Done(0, Output::Address(name)))
    }

    pub(super) fn peer_name<S: WideSockets>(&self, s: &mut S, fd: Fd) -> Attempt {
        let (socket, _) = self.descriptors.socket(fd)?;
        let name = for_program(socket.domain, s.peer_addr(socket.id)?);
        Ok(Step::Done(0, Output::Address(name)))
    }
}
