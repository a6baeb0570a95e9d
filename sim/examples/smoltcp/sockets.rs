//! smoltcp's TCP sockets in POSIX's shape. smoltcp has no listener that outlives a connection: a backlog is so many of
//! its sockets that listen. And it does not say how a connection ended: [`SmolSockets::observe`] sees what states were
//! left, and when.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use evilbit::xen_abi::Instant;
use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant as Then};
use smoltcp::wire::IpListenEndpoint;
use stack::api::{
    How, OptionName, Ready, Received, RecvFlags, SocketError, SocketId, SocketKind, SocketOption,
    Sockets, WideSockets,
};
use stack::event::TcpState;
use stack::tcp::Listed;

/// The most connections that may wait for `accept`.
const MOST_WAITING: usize = 8;
/// The first port that nobody asked for (RFC 6335, 6).
const EPHEMERAL: u16 = 49_152;
/// Seconds until the first keep-alive (RFC 9293, 3.8.4).
const KEEP_IDLE: u32 = 7200;

/// What may have ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    ByPeer,
    ByClock,
}

/// A connection that an application holds.
struct Stream {
    handle: SocketHandle,
    /// The state that was seen last.
    seen: State,
    /// It was open in both directions once.
    connected: bool,
    /// The peer has said its goodbye.
    ended: bool,
    /// `SHUT_RD`, of which smoltcp knows nothing.
    deaf: bool,
    error: Option<SocketError>,
}

/// What a socket is now.
enum Role {
    Fresh,
    Listener(Vec<SocketHandle>),
    Stream(Stream),
}

struct Entry {
    role: Role,
    local: Option<SocketAddr>,
    options: BTreeMap<OptionName, SocketOption>,
    /// What it was ready for when that was looked at last.
    ready: Ready,
}

/// The sockets of one interface.
pub struct SmolSockets {
    // Only asking for its deadline already takes it mutably.
    pub interface: RefCell<Interface>,
    pub set: SocketSet<'static>,
    /// What `SO_RCVBUF` says until it is set: where a buffer begins that may grow.
    pub recv_buffer: usize,
    /// How far it may. smoltcp's do not grow: it gets this at once, since the window scale is chosen for it.
    pub recv_most: Option<usize>,
    pub send_buffer: usize,
    pub timestamps: Option<fn() -> u32>,
    entries: BTreeMap<u32, Entry>,
    /// Connections that nobody holds any more.
    orphans: Vec<SocketHandle>,
    news: VecDeque<SocketId>,
    next: u32,
    next_port: u16,
}

impl Stream {
    fn new(handle: SocketHandle, seen: State) -> Stream {
        Stream {
            handle,
            seen,
            connected: is_connected(seen),
            ended: is_ended(seen),
            deaf: false,
            error: None,
        }
    }
}

fn is_opening(state: State) -> bool {
    matches!(state, State::SynSent | State::SynReceived)
}

fn is_connected(state: State) -> bool {
    !is_opening(state) && !matches!(state, State::Closed | State::Listen)
}

/// Whether the peer's FIN has come.
fn is_ended(state: State) -> bool {
    matches!(
        state,
        State::CloseWait | State::LastAck | State::Closing | State::TimeWait
    )
}

fn tcp_state(state: State) -> TcpState {
    match state {
        State::Closed => TcpState::Closed,
        State::Listen => TcpState::Listen,
        State::SynSent => TcpState::SynSent,
        State::SynReceived => TcpState::SynReceived,
        State::Established => TcpState::Established,
        State::FinWait1 => TcpState::FinWait1,
        State::FinWait2 => TcpState::FinWait2,
        State::CloseWait => TcpState::CloseWait,
        State::Closing => TcpState::Closing,
        State::LastAck => TcpState::LastAck,
        State::TimeWait => TcpState::TimeWait,
    }
}

/// Why a connection is closed that was in `before`; none: it was over.
fn why_closed(before: State, closing: Closing) -> Option<SocketError> {
    match (before, closing) {
        (State::Closed | State::Listen, _) => None,
        (State::Closing | State::LastAck | State::TimeWait, _) => None,
        (_, Closing::ByClock) => Some(SocketError::ETIMEDOUT),
        (State::SynSent, Closing::ByPeer) => Some(SocketError::ECONNREFUSED),
        (_, Closing::ByPeer) => Some(SocketError::ECONNRESET),
    }
}

impl SmolSockets {
    /// No sockets yet.
    pub fn new(interface: Interface) -> SmolSockets {
        SmolSockets {
            interface: RefCell::new(interface),
            set: SocketSet::new(Vec::new()),
            recv_buffer: 0,
            recv_most: None,
            send_buffer: 0,
            timestamps: None,
            entries: BTreeMap::new(),
            orphans: Vec::new(),
            news: VecDeque::new(),
            next: 0,
            next_port: EPHEMERAL,
        }
    }

    /// When smoltcp has something to do.
    pub fn poll_at(&self, now: Then) -> Option<Then> {
        self.interface.borrow_mut().poll_at(now, &self.set)
    }

    /// Looks at what has become of all sockets.
    pub fn observe(&mut self, closing: Closing) {
        for (&id, entry) in &mut self.entries {
            if let Role::Stream(stream) = &mut entry.role {
                let state = self.set.get::<Socket>(stream.handle).state();
                if state == State::Closed && stream.seen != State::Closed {
                    stream.error = stream.error.or(why_closed(stream.seen, closing));
                }
                stream.connected |= is_connected(state);
                stream.ended |= is_ended(state);
                stream.seen = state;
            }
            let ready = readiness(&self.set, entry);
            if !entry.ready.contains(ready) {
                self.news.push_back(SocketId(id));
            }
            entry.ready = ready;
        }
        let set = &mut self.set;
        self.orphans.retain(|&handle| {
            let socket = set.get::<Socket>(handle);
            // A closed socket that still knows its peer owes it a reset.
            let over = socket.state() == State::Closed && socket.local_endpoint().is_none();
            if over {
                set.remove(handle);
            }
            !over
        });
    }

    /// All sockets, as `sockstat` lists them.
    pub fn listed(&self) -> Vec<Listed> {
        let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let one = |socket: &Socket, local: Option<SocketAddr>, owned| Listed {
            local: socket
                .local_endpoint()
                .map(SocketAddr::from)
                .or(local)
                .unwrap_or(nobody),
            remote: socket.remote_endpoint().map_or(nobody, SocketAddr::from),
            state: tcp_state(socket.state()),
            owned,
        };
        let mut all = Vec::new();
        for entry in self.entries.values() {
            match &entry.role {
                Role::Fresh => all.push(Listed {
                    local: entry.local.unwrap_or(nobody),
                    remote: nobody,
                    state: TcpState::Closed,
                    owned: true,
                }),
                Role::Stream(stream) => {
                    all.push(one(self.set.get(stream.handle), entry.local, true));
                }
                Role::Listener(waiting) => {
                    all.push(Listed {
                        local: entry.local.unwrap_or(nobody),
                        remote: nobody,
                        state: TcpState::Listen,
                        owned: true,
                    });
                    let sockets = waiting.iter().map(|&handle| self.set.get::<Socket>(handle));
                    let busy = sockets.filter(|socket| socket.state() != State::Listen);
                    all.extend(busy.map(|socket| one(socket, entry.local, false)));
                }
            }
        }
        let orphans = self.orphans.iter();
        all.extend(orphans.map(|&handle| one(self.set.get(handle), None, false)));
        all
    }

    /// Aborts every connection in the state.
    pub fn abort_all(&mut self, state: TcpState) {
        for (_, socket) in self.set.iter_mut() {
            let smoltcp::socket::Socket::Tcp(socket) = socket else {
                unreachable!("there are no other sockets");
            };
            if tcp_state(socket.state()) == state {
                socket.abort();
            }
        }
    }

    fn entry(&self, socket: SocketId) -> Result<&Entry, SocketError> {
        self.entries.get(&socket.0).ok_or(SocketError::EBADF)
    }

    fn entry_mut(&mut self, socket: SocketId) -> Result<&mut Entry, SocketError> {
        self.entries.get_mut(&socket.0).ok_or(SocketError::EBADF)
    }

    /// The connection of a socket, and smoltcp's side of it.
    fn stream(
        &mut self,
        socket: SocketId,
    ) -> Result<(&mut Stream, &mut Socket<'static>), SocketError> {
        let entry = self.entries.get_mut(&socket.0).ok_or(SocketError::EBADF)?;
        let Role::Stream(stream) = &mut entry.role else {
            return Err(SocketError::ENOTCONN);
        };
        let socket = self.set.get_mut(stream.handle);
        Ok((stream, socket))
    }

    fn add(&mut self, role: Role, local: Option<SocketAddr>, options: Options) -> SocketId {
        let id = SocketId(self.next);
        self.next += 1;
        let mut entry = Entry {
            role,
            local,
            options,
            ready: Ready::empty(),
        };
        entry.ready = readiness(&self.set, &entry);
        self.entries.insert(id.0, entry);
        id
    }

    /// A socket of smoltcp's with the options that were set.
    fn make(&self, options: &Options) -> Socket<'static> {
        let size = |name, otherwise| match options.get(&name) {
            Some(SocketOption::RecvBuffer(size) | SocketOption::SendBuffer(size)) => *size,
            _ => otherwise,
        };
        let received = self.recv_most.unwrap_or(self.recv_buffer);
        let buffer = |len: usize| SocketBuffer::new(vec![0; len.max(1)]);
        let mut socket = Socket::new(
            buffer(size(OptionName::RecvBuffer, received)),
            buffer(size(OptionName::SendBuffer, self.send_buffer)),
        );
        socket.set_tsval_generator(self.timestamps);
        apply(options, &mut socket);
        socket
    }

    fn free_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(EPHEMERAL);
        port
    }

    fn is_ours(&self, address: IpAddr) -> bool {
        address.is_unspecified() || self.interface.borrow().has_ip_addr(address)
    }

    fn listen_once(
        &mut self,
        options: &Options,
        local: SocketAddr,
    ) -> Result<SocketHandle, SocketError> {
        let mut socket = self.make(options);
        let listened = socket.listen(IpListenEndpoint::from(local));
        listened.map_err(|_| SocketError::EINVAL)?;
        Ok(self.set.add(socket))
    }
}

type Options = BTreeMap<OptionName, SocketOption>;

/// Puts options into effect that a socket may get at any time.
fn apply(options: &Options, socket: &mut Socket) {
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

fn readiness(set: &SocketSet, entry: &Entry) -> Ready {
    let stream = match &entry.role {
        Role::Fresh => return Ready::WRITE | Ready::HANGUP,
        Role::Listener(waiting) => {
            let is_there = |&handle: &SocketHandle| is_connected(set.get::<Socket>(handle).state());
            return match waiting.iter().any(is_there) {
                true => Ready::READ,
                false => Ready::empty(),
            };
        }
        Role::Stream(stream) => stream,
    };
    let socket = set.get::<Socket>(stream.handle);
    let state = socket.state();
    if is_opening(state) {
        return Ready::empty();
    }
    let closed = state == State::Closed;
    let ended = stream.ended || stream.deaf || closed;
    let mut ready = Ready::empty();
    ready.set(Ready::READ, socket.can_recv() || ended);
    ready.set(Ready::WRITE, socket.can_send() || !socket.may_send());
    ready.set(Ready::READ_CLOSED, ended);
    ready.set(Ready::HANGUP, closed || (ended && !socket.may_send()));
    ready.set(Ready::ERROR, stream.error.is_some());
    ready
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
