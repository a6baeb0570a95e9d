//! The application's calls (RFC 9293, 3.10.1 to 3.10.5) in POSIX's shape: `connect` and `listen` are OPEN, then SEND,
//! RECEIVE, CLOSE, ABORT. Nothing blocks and nothing is sent here.

use alloc::boxed::Box;
use core::net::SocketAddr;

use xen_abi::Instant;

use crate::api::{
    How, OptionName, Queued, Ready, RecvFlags, Report, SendFlags, SocketError, SocketId,
    SocketOption, TcpInfo,
};
use crate::event::TcpState;
use crate::tcp::Tcp;
use crate::tcp::connection::{Connection, Marks, Owner};
use crate::tcp::fast_open;
use crate::tcp::info;
use crate::tcp::isn;
use crate::tcp::listen::Listener;
use crate::tcp::options::SocketOptions;
use crate::tcp::output::Route;
use crate::tcp::shared::Shared;
use crate::tcp::signature::Signatures;
use crate::tcp::table::{Fresh, Slot};
use crate::tcp::tuple::Tuple;

impl Tcp {
    /// `socket(2)`
    pub fn socket(&mut self) -> Result<SocketId, SocketError> {
        let options = SocketOptions::new(self.shared.tcp());
        let fresh = Box::new(Fresh {
            local: None,
            options,
            fast_open: fast_open::Settings::default(),
            signatures: Signatures::of(self.shared.tcp()),
        });
        self.table.insert(Slot::Fresh(fresh)).map(SocketId)
    }

    /// `bind(2)`; port 0 picks one.
    pub fn bind(&mut self, socket: SocketId, local: SocketAddr) -> Result<(), SocketError> {
        let fresh = self.fresh(socket)?;
        if fresh.local.is_some() {
            return Err(SocketError::EINVAL);
        }
        let (reuse, only_v6) = (fresh.options.reuse_addr, fresh.options.rare().only_v6);
        if local.ip().is_multicast() {
            return Err(SocketError::EADDRNOTAVAIL);
        }
        let local = if local.port() == 0 {
            let (range, key) = (self.shared.tcp().ephemeral, self.shared.keys.ports);
            self.ports
                .bind_any(local.ip(), range, key, &self.shared.fuel)?
        } else {
            self.ports.bind_versions(local, only_v6, reuse)?;
            local
        };
        self.fresh(socket)?.local = Some(local);
        self.table.bind(local, socket.0);
        Ok(())
    }

    /// `listen(2)`: a passive OPEN. On a listener it changes the backlog.
    pub fn listen(&mut self, socket: SocketId, backlog: usize) -> Result<(), SocketError> {
        match self.table.slot_mut(socket.0) {
            Some(Slot::Listener(listener)) => {
                listener.set_backlog(backlog, &self.shared.profile.tcp);
                return Ok(());
            }
            Some(Slot::Connection(_)) => return Err(SocketError::EISCONN),
            _ => {}
        }
        let fresh = self.fresh(socket)?;
        let (local, options, fast_open) = (fresh.local, fresh.options.clone(), fresh.fast_open);
        let local = local.ok_or(SocketError::EDESTADDRREQ)?;
        let mut listener = Listener::new(local, options, backlog, self.shared.tcp());
        listener.fast_open = fast_open;
        listener.signatures = core::mem::take(&mut self.fresh(socket)?.signatures);
        self.become_slot(socket, Slot::Listener(Box::new(listener)));
        self.table.unbind(local);
        self.table.listen(local, socket.0);
        self.report_listener(local, TcpState::Closed, TcpState::Listen);
        Ok(())
    }

    /// `accept(2)`
    pub fn accept(&mut self, socket: SocketId) -> Result<(SocketId, SocketAddr), SocketError> {
        let listener = match self.table.slot_mut(socket.0) {
            Some(Slot::Listener(listener)) => listener,
            Some(Slot::Fresh(_) | Slot::Connection(_)) => return Err(SocketError::EINVAL),
            _ => return Err(SocketError::EBADF),
        };
        let index = listener.accept().ok_or(SocketError::EAGAIN)?;
        let connection = self
            .table
            .connection(index)
            .expect("it waits to be accepted");
        connection.owner = Owner::Application;
        connection.marks -= Marks::ACCEPTABLE;
        connection.marks |= Marks::NEWS_OF_ALL;
        let remote = connection.tuple.remote_addr();
        self.settle(index);
        Ok((SocketId(index), remote))
    }

    /// `connect(2)` over `route`, an active OPEN: EINPROGRESS, then WRITE readiness, then [`Tcp::take_error`]. At once if
    /// the application has said that its SYN shall wait for data (`TCP_FASTOPEN_CONNECT`), and they may go in it.
    pub fn connect(
        &mut self,
        now: Instant,
        socket: SocketId,
        remote: SocketAddr,
        route: Route,
    ) -> Result<(), SocketError> {
        let settings = self.fast_open_settings(socket);
        self.open_active(now, socket, remote, route)?;
        let mut waits = false;
        if self.shared.tcp().fast_open.client && settings.on_connect {
            let connection = owned(self.table.slot_mut(socket.0))?;
            connection.open_fast(&mut self.shared, now, &[], &settings);
            waits = connection.syn_waits_for_data();
        }
        self.settle(socket.0);
        if waits {
            Ok(())
        } else {
            Err(SocketError::EINPROGRESS)
        }
    }

    /// `sendto(2)` on a stream that was not connected; how many octets of `data` were taken. They follow the handshake,
    /// but with `fast_open` (`MSG_FASTOPEN`) only those are taken that go in the SYN (RFC 7413): EINPROGRESS if none do.
    /// A socket with `TCP_FASTOPEN` does both.
    pub fn connect_sending(
        &mut self,
        now: Instant,
        socket: SocketId,
        remote: SocketAddr,
        route: Route,
        data: &[u8],
        fast_open: bool,
    ) -> Result<usize, SocketError> {
        let client = self.shared.tcp().fast_open.client;
        match self.table.slot(socket.0) {
            Slot::Connection(c) if c.syn_waits_for_data() => return self.send(now, socket, data),
            Slot::Fresh(_) if fast_open && !client => return Err(SocketError::EOPNOTSUPP),
            _ => {}
        }
        let settings = fast_open::Settings {
            on_connect: false,
            ..self.fast_open_settings(socket)
        };
        self.open_active(now, socket, remote, route)?;
        let connection = owned(self.table.slot_mut(socket.0))?;
        let mut taken = 0;
        if client && (fast_open || settings.queue > 0) {
            taken = connection.open_fast(&mut self.shared, now, data, &settings);
        }
        if !fast_open {
            taken += connection.queue_behind_syn(&mut self.shared, &data[taken..]);
        }
        self.settle(socket.0);
        if taken == 0 && fast_open {
            return Err(SocketError::EINPROGRESS);
        }
        Ok(taken)
    }

    /// The same, with all that `send` can be told of its data.
    pub fn connect_sending_with(
        &mut self,
        now: Instant,
        socket: SocketId,
        remote: SocketAddr,
        route: Route,
        data: &[u8],
        flags: SendFlags,
    ) -> Result<usize, SocketError> {
        let asked = flags.contains(SendFlags::FASTOPEN);
        let taken = self.connect_sending(now, socket, remote, route, data, asked)?;
        if let Ok(connection) = owned(self.table.slot_mut(socket.0)) {
            connection.note_flags(flags, taken == data.len());
        }
        Ok(taken)
    }

    /// Forgets what was learnt about destinations: cookies, and where Fast Open does not work.
    pub fn forget_destinations(&mut self) {
        self.shared.destinations.clear();
    }

    /// What was set about Fast Open before the socket listens or connects, or of a listener.
    fn fast_open_settings(&self, socket: SocketId) -> fast_open::Settings {
        match self.table.slot(socket.0) {
            Slot::Fresh(fresh) => fresh.fast_open,
            Slot::Listener(listener) => listener.fast_open,
            _ => fast_open::Settings::default(),
        }
    }

    /// A connection in SYN-SENT, under the socket's handle.
    fn open_active(
        &mut self,
        now: Instant,
        socket: SocketId,
        remote: SocketAddr,
        route: Route,
    ) -> Result<(), SocketError> {
        let (bound, options) = match self.table.slot_mut(socket.0) {
            Some(Slot::Fresh(fresh)) => (fresh.local, fresh.options.clone()),
            Some(Slot::Connection(connection)) => return Err(already(connection)),
            Some(Slot::Listener(_)) => return Err(SocketError::EOPNOTSUPP),
            _ => return Err(SocketError::EBADF),
        };
        // RFC 9293, MUST-46: an OPEN to a broadcast or multicast address is refused.
        let ip = remote.ip();
        let broadcast = matches!(remote, SocketAddr::V4(a) if a.ip().is_broadcast());
        if ip.is_unspecified() || ip.is_multicast() || broadcast || remote.port() == 0 {
            return Err(SocketError::EADDRNOTAVAIL);
        }
        if bound.is_some_and(|bound| !reaches(bound, remote)) {
            return Err(SocketError::EAFNOSUPPORT);
        }
        let local = self.local_for(bound, remote, route)?;
        let tuple = Tuple::new(local, remote);
        let iss = isn::initial(self.shared.keys.isn, &tuple, now);
        let owner = Owner::Application;
        let mut connection = Connection::new(tuple, owner, options, iss, &self.shared, now);
        if let Some(key) = self.fresh(socket)?.signatures.key(remote.ip()) {
            connection.sign(key);
        }
        connection.set_route(&route, self.shared.tcp());
        if let Some(bound) = bound {
            // Bound to any address, it has one from now on.
            self.table.unbind(bound);
            self.ports.unbind(bound);
            self.ports.bind(local, true)?;
            connection.marks |= Marks::BOUND;
        }
        connection.enter(&mut self.shared, TcpState::SynSent);
        self.become_slot(socket, Slot::Connection(Box::new(connection)));
        self.named(socket.0, &tuple);
        Ok(())
    }

    /// `send(2)`: how many bytes were taken.
    pub fn send(
        &mut self,
        now: Instant,
        socket: SocketId,
        data: &[u8],
    ) -> Result<usize, SocketError> {
        self.send_with(now, socket, data, SendFlags::empty())
    }

    /// `send(2)` with flags.
    pub fn send_with(
        &mut self,
        now: Instant,
        socket: SocketId,
        data: &[u8],
        flags: SendFlags,
    ) -> Result<usize, SocketError> {
        let connection = owned(self.table.slot_mut(socket.0))?;
        let taken = connection.send(&mut self.shared, now, data, flags);
        if taken != Err(SocketError::EAGAIN) {
            self.settle(socket.0);
        }
        taken
    }

    /// `recv(2)`: how many bytes were given; 0 at the end of the stream.
    pub fn recv(
        &mut self,
        now: Instant,
        socket: SocketId,
        to: &mut [u8],
    ) -> Result<usize, SocketError> {
        self.recv_with(now, socket, to, RecvFlags::empty())
    }

    /// `recv(2)` with flags.
    pub fn recv_with(
        &mut self,
        _now: Instant,
        socket: SocketId,
        to: &mut [u8],
        flags: RecvFlags,
    ) -> Result<usize, SocketError> {
        let connection = owned(self.table.slot_mut(socket.0))?;
        let given = connection.recv(&mut self.shared, to, flags);
        let settled = match given {
            // Octets that were taken open the window; it may be worth an ACK.
            Ok(_) => !connection.ack.is_due(),
            Err(error) => error == SocketError::EAGAIN,
        };
        if !settled {
            self.settle(socket.0);
        }
        given
    }

    /// `shutdown(2)`
    pub fn shutdown(
        &mut self,
        _now: Instant,
        socket: SocketId,
        how: How,
    ) -> Result<(), SocketError> {
        let connection = owned(self.table.slot_mut(socket.0))?;
        let done = connection.shutdown(&mut self.shared, how);
        self.settle(socket.0);
        done
    }

    /// `close(2)`: the handle is gone; the connection says goodbye in the background.
    pub fn close(&mut self, now: Instant, socket: SocketId) -> Result<(), SocketError> {
        self.end(socket, |connection, shared| connection.close(shared, now))
    }

    /// Sends a RST and forgets.
    pub fn abort(&mut self, _now: Instant, socket: SocketId) -> Result<(), SocketError> {
        self.end(socket, |connection, shared| {
            if connection.state() != TcpState::Closed {
                connection.abort(shared, None);
            }
        })
    }

    /// `setsockopt(2)`
    pub fn set_option(
        &mut self,
        socket: SocketId,
        option: SocketOption,
    ) -> Result<(), SocketError> {
        if let SocketOption::Signature(key) = option {
            return match self.table.slot_mut(socket.0) {
                Some(Slot::Fresh(fresh)) => fresh.signatures.set(key),
                Some(Slot::Listener(listener)) => listener.signatures.set(key),
                Some(Slot::Connection(_)) => Err(SocketError::EISCONN),
                _ => Err(SocketError::EBADF),
            };
        }
        let profile = &self.shared.profile.tcp;
        match self.table.slot_mut(socket.0) {
            Some(Slot::Fresh(fresh)) => {
                if fresh.fast_open.set(option) {
                    return Ok(());
                }
                fresh.options.set(option, profile)
            }
            // Once a socket listens or is connected, where its segments go is settled.
            Some(Slot::Listener(_) | Slot::Connection(_))
                if matches!(option, SocketOption::RemoteUdpPort(_)) =>
            {
                Err(SocketError::EINVAL)
            }
            Some(Slot::Listener(listener)) => {
                if listener.fast_open.set(option) {
                    return Ok(());
                }
                listener.options.set(option, profile)
            }
            slot => {
                let connection = owned(slot)?;
                connection.options.set(option, profile)?;
                if let SocketOption::KeepAlive(_) | SocketOption::KeepIdle(_) = option {
                    let since = connection.last_heard;
                    connection.keep_alive_from(&self.shared, since);
                }
                if let SocketOption::MaxSeg(mss) = option
                    && !profile.sockets.max_seg_at_open_only
                    && !connection.lower_mss(mss)
                {
                    return Err(SocketError::EINVAL);
                }
                if let SocketOption::Timestamping(flags) = option {
                    connection.watch_writes(flags);
                }
                self.settle(socket.0);
                Ok(())
            }
        }
    }

    /// `getsockopt(2)`
    pub fn option(&self, socket: SocketId, name: OptionName) -> Result<SocketOption, SocketError> {
        if let Some(option) = self.fast_open_settings(socket).get(name) {
            return Ok(option);
        }
        match self.table.slot(socket.0) {
            Slot::Fresh(fresh) => fresh.options.get(name, self.shared.tcp()),
            Slot::Listener(listener) => listener.options.get(name, self.shared.tcp()),
            Slot::Connection(c) if c.owner == Owner::Application => {
                c.option(name, self.shared.tcp())
            }
            _ => Err(SocketError::EBADF),
        }
    }

    /// `TCP_INFO`
    pub fn info(&self, now: Instant, socket: SocketId) -> Result<TcpInfo, SocketError> {
        match self.table.slot(socket.0) {
            Slot::Fresh(_) => Ok(info::without_connection(TcpState::Closed)),
            Slot::Listener(_) => Ok(info::without_connection(TcpState::Listen)),
            Slot::Connection(c) if c.owner == Owner::Application => Ok(c.info(&self.shared, now)),
            _ => Err(SocketError::EBADF),
        }
    }

    /// Octets to be read until the reader is past the urgent data; none: it is (`SIOCATMARK` asks whether it is one).
    pub fn urgent_ahead(&self, socket: SocketId) -> Result<Option<u32>, SocketError> {
        match self.table.slot(socket.0) {
            Slot::Connection(c) if c.owner == Owner::Application => Ok(c.urgent_ahead()),
            Slot::Fresh(_) | Slot::Listener(_) => Err(SocketError::EINVAL),
            _ => Err(SocketError::EBADF),
        }
    }

    /// `SIOCINQ`, `SIOCOUTQ` and the like.
    pub fn queued(&self, socket: SocketId) -> Result<Queued, SocketError> {
        match self.table.slot(socket.0) {
            Slot::Connection(c) if c.owner == Owner::Application => Ok(c.queued(self.shared.tcp())),
            Slot::Fresh(_) => Ok(Queued::default()),
            Slot::Listener(_) => Err(SocketError::EINVAL),
            _ => Err(SocketError::EBADF),
        }
    }

    /// `getsockname(2)`
    pub fn local_addr(&self, socket: SocketId) -> Result<SocketAddr, SocketError> {
        match self.table.slot(socket.0) {
            Slot::Fresh(fresh) => fresh.local.ok_or(SocketError::EINVAL),
            Slot::Listener(listener) => Ok(listener.local),
            Slot::Connection(c) if c.owner == Owner::Application => Ok(c.tuple.local_addr()),
            _ => Err(SocketError::EBADF),
        }
    }

    /// `getpeername(2)`
    pub fn peer_addr(&self, socket: SocketId) -> Result<SocketAddr, SocketError> {
        match self.table.slot(socket.0) {
            Slot::Connection(c) if c.owner == Owner::Application => match c.state() {
                TcpState::SynSent | TcpState::Closed => Err(SocketError::ENOTCONN),
                _ => Ok(c.tuple.remote_addr()),
            },
            Slot::Fresh(_) | Slot::Listener(_) => Err(SocketError::ENOTCONN),
            _ => Err(SocketError::EBADF),
        }
    }

    /// `SO_ERROR`: the pending error, cleared by asking.
    pub fn take_error(&mut self, socket: SocketId) -> Option<SocketError> {
        owned(self.table.slot_mut(socket.0)).ok()?.error.take()
    }

    /// What the socket is ready for now.
    pub fn ready(&self, socket: SocketId) -> Ready {
        match self.table.slot(socket.0) {
            Slot::Listener(listener) if listener.is_ready() => Ready::READ,
            Slot::Connection(c) if c.owner == Owner::Application => c.ready(self.shared.tcp()),
            _ => Ready::empty(),
        }
    }

    /// The next socket whose readiness grew since it was last named here.
    pub fn next_ready(&mut self) -> Option<SocketId> {
        Some(self.next_news()?.0)
    }

    /// The next socket whose readiness grew since it was last named here, and what may have grown.
    #[inline]
    pub fn next_news(&mut self) -> Option<(SocketId, Ready)> {
        if self.ready.is_empty() {
            return None;
        }
        self.next_listed()
    }

    fn next_listed(&mut self) -> Option<(SocketId, Ready)> {
        while let Some(index) = self.ready.pop_front() {
            let news = match self.table.slot_mut(index) {
                Some(Slot::Listener(listener)) => {
                    listener.ready_queued = false;
                    Ready::READ
                }
                Some(Slot::Connection(c)) if c.owner == Owner::Application => c.take_news(),
                _ => continue,
            };
            return Some((SocketId(index), news));
        }
        None
    }

    /// `MSG_ERRQUEUE`
    pub fn next_report(&mut self, socket: SocketId) -> Option<Report> {
        owned(self.table.slot_mut(socket.0)).ok()?.next_report()
    }

    /// Ends a socket of any kind.
    fn end(
        &mut self,
        socket: SocketId,
        how: impl FnOnce(&mut Connection, &mut Shared),
    ) -> Result<(), SocketError> {
        match self.table.slot_mut(socket.0) {
            Some(Slot::Fresh(fresh)) => {
                let local = fresh.local;
                self.table.remove(socket.0);
                if let Some(local) = local {
                    self.table.unbind(local);
                    self.ports.unbind(local);
                }
            }
            Some(Slot::Listener(_)) => self.end_listener(socket),
            slot => {
                let connection = owned(slot)?;
                how(connection, &mut self.shared);
                connection.owner = Owner::Nobody;
                self.settle(socket.0);
            }
        }
        Ok(())
    }

    /// RFC 9293, 3.10.4: connections that nobody will accept are reset.
    fn end_listener(&mut self, socket: SocketId) {
        let Slot::Listener(listener) = self.table.remove(socket.0) else {
            return;
        };
        let local = listener.local;
        self.table.unlisten(local);
        self.ports.unbind(local);
        self.report_listener(local, TcpState::Listen, TcpState::Closed);
        for index in listener.into_orphans() {
            self.shared.fuel.burn(1);
            if let Some(connection) = self.table.connection(index) {
                connection.owner = Owner::Nobody;
                if connection.state() != TcpState::Closed {
                    connection.abort(&mut self.shared, None);
                }
            }
            self.settle(index);
        }
    }

    /// The local end of a connection to `remote`.
    fn local_for(
        &mut self,
        bound: Option<SocketAddr>,
        remote: SocketAddr,
        route: Route,
    ) -> Result<SocketAddr, SocketError> {
        // RFC 9293, MUST-44: the address is IP's choice, unless the application named one.
        let ip = match bound {
            Some(bound) if !bound.ip().is_unspecified() => bound.ip(),
            _ => route.local,
        };
        let name = |port| Tuple::new(SocketAddr::new(ip, port), remote);
        let port = match bound {
            Some(bound) if self.table.find(&name(bound.port())).is_some() => {
                return Err(SocketError::EADDRINUSE);
            }
            Some(bound) => bound.port(),
            None => {
                let (range, key) = (self.shared.tcp().ephemeral, self.shared.keys.ports);
                let (table, fuel) = (&self.table, &self.shared.fuel);
                self.ports.ephemeral(&name(0), range, key, fuel, |port| {
                    table.find(&name(port)).is_none()
                })?
            }
        };
        Ok(SocketAddr::new(ip, port))
    }

    fn fresh(&mut self, socket: SocketId) -> Result<&mut Fresh, SocketError> {
        match self.table.slot_mut(socket.0) {
            Some(Slot::Fresh(fresh)) => Ok(fresh),
            Some(Slot::Listener(_) | Slot::Connection(_)) => Err(SocketError::EINVAL),
            _ => Err(SocketError::EBADF),
        }
    }

    /// The socket becomes something else under the same handle.
    fn become_slot(&mut self, socket: SocketId, slot: Slot) {
        if let Some(place) = self.table.slot_mut(socket.0) {
            *place = slot;
        }
    }

    fn report_listener(&mut self, local: SocketAddr, from: TcpState, to: TcpState) {
        let nobody = SocketAddr::new(core::net::Ipv4Addr::UNSPECIFIED.into(), 0);
        self.shared
            .report_state(&Tuple::new(local, nobody), from, to);
    }
}

/// The connection of a handle that an application holds.
fn owned(slot: Option<&mut Slot>) -> Result<&mut Connection, SocketError> {
    match slot {
        Some(Slot::Connection(c)) if c.owner == Owner::Application => Ok(c),
        Some(Slot::Fresh(_) | Slot::Listener(_)) => Err(SocketError::ENOTCONN),
        _ => Err(SocketError::EBADF),
    }
}

/// What `connect(2)` says on a socket that has connected before.
fn already(connection: &Connection) -> SocketError {
    match connection.state() {
        _ if connection.owner != Owner::Application => SocketError::EBADF,
        TcpState::SynSent | TcpState::SynReceived => SocketError::EALREADY,
        _ => SocketError::EISCONN,
    }
}

/// Whether a socket bound to `local` can speak to `remote`: one of all addresses of version 6 speaks both versions.
fn reaches(local: SocketAddr, remote: SocketAddr) -> bool {
    local.is_ipv4() == remote.is_ipv4() || (local.is_ipv6() && local.ip().is_unspecified())
}
