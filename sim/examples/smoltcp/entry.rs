//! What one socket is: a name, a listener, or a connection, of which smoltcp tells less than POSIX wants to know.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, State};
use stack::api::{OptionName, Ready, SocketError, SocketOption};
use stack::event::TcpState;

/// What was set, by its name.
pub type Options = BTreeMap<OptionName, SocketOption>;

/// What may have ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    ByPeer,
    ByClock,
}

/// A connection that an application holds.
pub struct Stream {
    pub handle: SocketHandle,
    /// The state that was seen last.
    pub seen: State,
    /// It was open in both directions once.
    pub connected: bool,
    /// The peer has said its goodbye.
    pub ended: bool,
    /// `SHUT_RD`, of which smoltcp knows nothing.
    pub deaf: bool,
    pub error: Option<SocketError>,
}

/// What a socket is now.
pub enum Role {
    Fresh,
    Listener(Vec<SocketHandle>),
    Stream(Stream),
}

pub struct Entry {
    pub role: Role,
    pub local: Option<SocketAddr>,
    pub options: Options,
    /// What it was ready for when that was looked at last.
    pub ready: Ready,
}

impl Stream {
    pub fn new(handle: SocketHandle, seen: State) -> Stream {
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

pub fn is_opening(state: State) -> bool {
    matches!(state, State::SynSent | State::SynReceived)
}

pub fn is_connected(state: State) -> bool {
    !is_opening(state) && !matches!(state, State::Closed | State::Listen)
}

/// Whether the peer's FIN has come.
pub fn is_ended(state: State) -> bool {
    matches!(
        state,
        State::CloseWait | State::LastAck | State::Closing | State::TimeWait
    )
}

pub fn tcp_state(state: State) -> TcpState {
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
pub fn why_closed(before: State, closing: Closing) -> Option<SocketError> {
    match (before, closing) {
        (State::Closed | State::Listen, _) => None,
        (State::Closing | State::LastAck | State::TimeWait, _) => None,
        (_, Closing::ByClock) => Some(SocketError::ETIMEDOUT),
        (State::SynSent, Closing::ByPeer) => Some(SocketError::ECONNREFUSED),
        (_, Closing::ByPeer) => Some(SocketError::ECONNRESET),
    }
}

pub fn readiness(set: &SocketSet, entry: &Entry) -> Ready {
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
