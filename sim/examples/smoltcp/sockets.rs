//! smoltcp's TCP sockets in POSIX's shape. smoltcp has no listener that outlives a connection: a backlog is so many of
//! its sockets that listen. And it does not say how a connection ended: [`SmolSockets::observe`] sees what states were
//! left, and when.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::IpListenEndpoint;
use stack::api::{OptionName, Ready, SocketError, SocketId, SocketOption};
use stack::event::TcpState;
use stack::tcp::Listed;

use crate::calls::apply;
use crate::entry::{
    Closing, Entry, Options, Role, Stream, is_connected, is_ended, readiness, tcp_state, why_closed,
};

/// The first port that nobody asked for (RFC 6335, 6).
const EPHEMERAL: u16 = 49_152;

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
    pub entries: BTreeMap<u32, Entry>,
    /// Connections that nobody holds any more.
    pub orphans: Vec<SocketHandle>,
    pub news: VecDeque<SocketId>,
    next: u32,
    next_port: u16,
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
    pub fn poll_at(&self, now: Instant) -> Option<Instant> {
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

    pub fn entry(&self, socket: SocketId) -> Result<&Entry, SocketError> {
        self.entries.get(&socket.0).ok_or(SocketError::EBADF)
    }

    pub fn entry_mut(&mut self, socket: SocketId) -> Result<&mut Entry, SocketError> {
        self.entries.get_mut(&socket.0).ok_or(SocketError::EBADF)
    }

    /// The connection of a socket, and smoltcp's side of it.
    pub fn stream(
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

    pub fn add(&mut self, role: Role, local: Option<SocketAddr>, options: Options) -> SocketId {
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
    pub fn make(&self, options: &Options) -> Socket<'static> {
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

    pub fn free_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(EPHEMERAL);
        port
    }

    pub fn is_ours(&self, address: IpAddr) -> bool {
        address.is_unspecified() || self.interface.borrow().has_ip_addr(address)
    }

    pub fn listen_once(
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
