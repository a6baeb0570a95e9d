//! The transmission control block (RFC 9293, 3.3.1): what is kept of a connection. Hot and small; what only a
//! connection in trouble needs is boxed by the part that needs it.

use alloc::boxed::Box;

use xen_abi::Instant;

use crate::api::{Ready, SignatureKey, SocketError};
use crate::event::{TcpState, TimerKinds};
use crate::profile::TcpProfile;
use crate::seq::SeqNumber;
use crate::tcp::agreed::Agreed;
use crate::tcp::congestion::Controller;
use crate::tcp::deadlines::{Deadlines, Timer};
use crate::tcp::delayed_ack::AckState;
use crate::tcp::fast_open::client::Opening;
use crate::tcp::meter::Meter;
use crate::tcp::mtu_probe::Search;
use crate::tcp::options::SocketOptions;
use crate::tcp::output::Route;
use crate::tcp::pacing::Pace;
use crate::tcp::recovery::Recovery;
use crate::tcp::recv_buffer::RecvBuffer;
use crate::tcp::recv_window::RecvSpace;
use crate::tcp::reset::{ChallengeLimit, Reset};
use crate::tcp::rto::Rto;
use crate::tcp::send_buffer::SendBuffer;
use crate::tcp::send_window::SendSpace;
use crate::tcp::shared::Shared;
use crate::tcp::timestamps::Stamps;
use crate::tcp::told::Told;
use crate::tcp::tuple::Tuple;
use crate::tcp::urgent::Urgent;

/// Who answers for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// An application holds the handle.
    Application,
    /// The listener with this index, until it is accepted.
    Listener(u32),
    /// The handle is closed; the connection says goodbye in the background.
    Nobody,
}

bitflags::bitflags! {
    /// What is true of a connection, or to be done with it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct Marks: u32 {
        /// The application receives no more.
        const READ_SHUT = 1;
        /// A tail loss probe is due.
        const TAIL_PROBE = 1 << 2;
        /// A zero-window probe is due.
        const PROBE = 1 << 3;
        /// Silly-window avoidance has waited long enough.
        const OVERRIDE = 1 << 4;
        /// A keep-alive is due.
        const KEEP_ALIVE = 1 << 5;
        /// The path's MTU is known.
        const ROUTED = 1 << 6;
        /// The SYN was sent more than once.
        const SYN_LOST = 1 << 7;
        /// It waits in its listener's accept queue.
        const ACCEPTABLE = 1 << 8;
        /// The application was refused room to send.
        const SEND_BLOCKED = 1 << 9;
        /// Readiness grew.
        const NEWS = 1 << 10;
        /// The window that is offered has grown to the whole buffer.
        const WINDOW_GROWN = 1 << 13;
        /// It stands in the engine's queue of connections with something to send.
        const PENDING = 1 << 11;
        /// It stands in the engine's queue of ready sockets.
        const READY_QUEUED = 1 << 12;
        /// The engine has taken it out of its tables.
        const BURIED = 1 << 14;
        /// Its local address was bound by the application.
        const BOUND = 1 << 1;
        /// Of the news: there may be something to read, room to write, something wrong.
        const NEWS_READ = 1 << 18;
        const NEWS_WRITE = 1 << 19;
        const NEWS_ERROR = 1 << 20;
        /// News of every kind.
        const NEWS_OF_ALL = (1 << 10) | (7 << 18);
        /// The application said with its last octets that more follows at once (`MSG_MORE`).
        const MORE = 1 << 15;
        /// Its SYN was taken with data and a cookie; the handshake is not over (RFC 7413).
        const FAST_OPENING = 1 << 16;
        /// Nothing was out when what is being sent now began.
        const WAS_IDLE = 1 << 23;
        /// A mark of congestion was received, and the peer has not said that it has heard (RFC 3168).
        const ECN_ECHO = 1 << 21;
        /// The window was reduced because of a mark; the peer shall know.
        const ECN_REDUCED = 1 << 22;
        /// The device's queue holds its segments back for a while.
        const PACED = 1 << 24;
        /// The device's queue has dropped what there is to send.
        const HELD_BACK = 1 << 25;
        /// The data in its SYN were taken.
        const SYN_DATA = 1 << 17;
    }
}

/// What only some connections have, together in one box.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seldom {
    /// What Fast Open needs to know until the handshake is over.
    pub opening: Option<Opening>,
    /// The key that every segment is signed with (RFC 2385).
    pub signature: Option<SignatureKey>,
    /// Urgent data.
    pub urgent: Urgent,
    /// Octets that came before the handshake was over.
    pub with_syn: u32,
    /// The window that was last reduced because of a mark ends here: marks in it are one event (RFC 3168, 6.1.2).
    pub ecn_until: Option<SeqNumber>,
    /// The search for what the path takes (RFC 4821).
    pub mtu: Option<Search>,
    /// What the administrator wants the first congestion window to be, segments.
    pub initial_window: Option<u32>,
    /// When the device's queue lets the next segments go.
    pub pace: Pace,
}

static NOTHING: Seldom = Seldom {
    opening: None,
    signature: None,
    urgent: Urgent::NONE,
    with_syn: 0,
    ecn_until: None,
    mtu: None,
    initial_window: None,
    pace: Pace::NONE,
};

/// One connection.
pub struct Connection {
    pub tuple: Tuple,
    state: TcpState,
    pub owner: Owner,
    pub marks: Marks,
    /// Where our FIN stands, once the application sends no more.
    pub fin: Option<SeqNumber>,
    /// The pending error.
    pub error: Option<SocketError>,
    /// What ICMP said: the reason if the connection times out (RFC 9293, 3.9.2.2).
    pub soft_error: Option<SocketError>,
    pub options: SocketOptions,
    /// What only some connections have.
    seldom: Option<Box<Seldom>>,
    pub agreed: Agreed,
    pub snd: SendSpace,
    pub rcv: RecvSpace,
    pub outbox: SendBuffer,
    pub inbox: RecvBuffer,
    pub ack: AckState,
    pub stamps: Stamps,
    pub rto: Rto,
    pub congestion: Controller,
    pub recovery: Recovery,
    pub deadlines: Deadlines,
    /// The timers' kinds that the engine has counted.
    pub counted: TimerKinds,
    pub challenges: ChallengeLimit,
    /// Keep-alives without an answer.
    pub unanswered: u8,
    /// When a segment of the peer's last arrived.
    pub last_heard: Instant,
    /// When text was last sent.
    pub last_sent: Instant,
    /// What is kept only because the application may ask.
    pub told: Option<Box<Told>>,
}

impl Connection {
    /// A connection that is about to send its SYN.
    pub fn new(
        tuple: Tuple,
        owner: Owner,
        options: SocketOptions,
        iss: SeqNumber,
        shared: &Shared,
        now: Instant,
    ) -> Connection {
        let profile = shared.tcp();
        let mut agreed = Agreed::offer(profile, options.recv_buffer as usize);
        if options.rare().no_options {
            agreed.offer_nothing();
        }
        Connection {
            tuple,
            state: match owner {
                Owner::Listener(_) => TcpState::Listen,
                _ => TcpState::Closed,
            },
            owner,
            fin: None,
            marks: Marks::default(),
            error: None,
            soft_error: None,
            agreed,
            options,
            seldom: None,
            snd: SendSpace::new(iss),
            rcv: RecvSpace::default(),
            outbox: SendBuffer::default(),
            inbox: RecvBuffer::default(),
            ack: AckState::new(profile),
            // RFC 7323, 5.4: each connection's clock begins at a secret value of its own.
            stamps: Stamps::new(shared.keys.stamps.hash_tuple(&tuple) as u32),
            rto: Rto::new(profile),
            congestion: Controller::new(profile),
            recovery: Recovery::new(iss),
            deadlines: Deadlines::default(),
            counted: TimerKinds::empty(),
            challenges: ChallengeLimit::default(),
            unanswered: 0,
            last_heard: now,
            last_sent: now,
            told: profile
                .sockets
                .measure
                .then(|| Told::measuring(Meter::new(now))),
        }
    }

    /// The state.
    pub fn state(&self) -> TcpState {
        self.state
    }

    /// Whether it has nothing that only some connections have.
    #[inline]
    pub fn has_nothing_seldom(&self) -> bool {
        self.seldom.is_none()
    }

    /// What only some connections have.
    #[inline]
    pub fn seldom(&self) -> &Seldom {
        self.seldom.as_deref().unwrap_or(&NOTHING)
    }

    /// The same, to change it: from then on the connection has a box for it.
    pub fn seldom_mut(&mut self) -> &mut Seldom {
        self.seldom.get_or_insert_default()
    }

    /// What Fast Open needed to know is of no use any more.
    pub fn take_opening(&mut self) -> Option<Opening> {
        self.seldom.as_mut()?.opening.take()
    }

    /// Whether the engine has more to do with it than to let it send: nearly always its timers, or news.
    #[inline]
    pub fn is_unsettled(&self) -> bool {
        self.deadlines.has_changed()
            || self.marks.intersects(Marks::NEWS | Marks::FAST_OPENING)
            || self.owner != Owner::Application
            || self.state == TcpState::Closed
    }

    /// Changes the state, and says so.
    pub fn enter(&mut self, shared: &mut Shared, to: TcpState) {
        let from = self.state;
        assert!(
            crate::tcp::state::is_transition(from, to),
            "{} to {} is no transition of RFC 9293",
            from.name(),
            to.name()
        );
        self.state = to;
        shared.report_state(&self.tuple, from, to);
    }

    /// From now on every segment is signed. Timestamps go, since there is not room for both in a SYN (RFC 2385, 4.2).
    pub fn sign(&mut self, key: &SignatureKey) {
        self.seldom_mut().signature = Some(*key);
        self.agreed.signed = true;
        self.agreed.timestamps = false;
    }

    /// The way to the peer is known.
    pub fn set_route(&mut self, route: &Route, profile: &TcpProfile) {
        self.marks |= Marks::ROUTED;
        let (ipv6, limit) = (self.tuple.remote.is_ipv6(), self.options.max_seg);
        let tunnel = match self.options.udp_port {
            0 => 0,
            _ => profile.udp_tunnel.overhead,
        };
        let advertised = route.metrics.advertised_mss;
        self.agreed
            .set_mtu(route.mtu, ipv6, tunnel, limit, advertised);
        if route.metrics.initial_window.is_some() {
            self.seldom_mut().initial_window = route.metrics.initial_window;
        }
        if route.path_mtu < route.mtu {
            let mtu = u16::try_from(route.path_mtu).unwrap_or(u16::MAX);
            self.agreed.limit_path(mtu, profile);
            if profile.icmp.announces_path {
                self.agreed.announce_path();
            }
        }
        if self.snd.syn_acked() {
            self.congestion.set_smss(self.agreed.smss());
        }
    }

    /// What was known of the way to the peer is not true any more; what a search has found out is.
    pub fn route_changed(&mut self) {
        self.marks -= Marks::ROUTED;
        if self.seldom().mtu.is_none() {
            self.agreed.path_mss = u16::MAX;
        }
    }

    /// The connection is over: enters CLOSED, forgets queues and timers. `error` is what the application learns.
    pub fn die(&mut self, shared: &mut Shared, error: Option<SocketError>) {
        self.outbox.clear(&mut shared.pool);
        self.forget_writes();
        if error.is_some() && !shared.tcp().text_outlives_reset {
            self.inbox.clear(&mut shared.pool);
        }
        self.recovery.end(&mut shared.spare);
        self.deadlines.disarm_all();
        self.ack.sent();
        self.marks |= Marks::NEWS_OF_ALL;
        self.error = self.error.or(error);
        self.enter(shared, TcpState::Closed);
    }

    /// Aborts: a RST if the peer knows of the connection (RFC 9293, 3.10.5), then CLOSED.
    pub fn abort(&mut self, shared: &mut Shared, error: Option<SocketError>) {
        if crate::tcp::state::abort_sends_reset(self.state) {
            self.reset_peer(shared);
        }
        self.die(shared, error);
    }

    /// A RST that the peer accepts.
    pub fn reset_peer(&self, shared: &mut Shared) {
        let stamped = shared.tcp().resets_hold_stamps && self.agreed.timestamps;
        shared.reset(Reset {
            tuple: self.tuple,
            seq: self.snd.acceptable(),
            ack: Some(self.rcv.nxt),
            stamp: stamped.then_some((self.stamps.offset, self.stamps.recent)),
            key: self.seldom().signature,
            udp_port: self.options.udp_port,
            ip: self.options.rare().ip,
        });
    }

    /// Enters TIME-WAIT, or begins it again.
    pub fn time_wait(&mut self, shared: &mut Shared, now: Instant) {
        if self.state != TcpState::TimeWait {
            self.enter(shared, TcpState::TimeWait);
        }
        self.deadlines.disarm(Timer::Early);
        self.deadlines.disarm(Timer::Retransmit);
        self.deadlines.disarm(Timer::Persist);
        self.deadlines.disarm(Timer::KeepAlive);
        // RFC 9293, MUST-13: twice the maximum segment lifetime.
        self.deadlines
            .arm(Timer::Linger, now.plus(2 * shared.tcp().msl));
    }

    /// Where the octet behind the send buffer stands: the FIN's place, if there is one.
    pub fn data_end(&self) -> SeqNumber {
        self.fin
            .unwrap_or_else(|| self.snd.buffer_start().plus(self.outbox.len()))
    }

    /// The application sends no more: a FIN follows what is queued.
    pub fn queue_fin(&mut self) {
        self.fin = Some(self.data_end());
    }

    /// Whether our FIN was sent and is acknowledged.
    pub fn fin_acked(&self) -> bool {
        self.fin.is_some_and(|fin| self.snd.una.gt(fin))
    }

    /// Whether the peer's FIN has been taken.
    pub fn fin_received(&self) -> bool {
        crate::tcp::state::has_received_fin(self.state)
    }

    /// Octets of the receive buffer that are free.
    pub fn recv_room(&self) -> usize {
        (self.options.recv_buffer as usize).saturating_sub(self.inbox.len())
    }

    /// Octets of the free ones that may be offered by now.
    pub fn offerable(&self, profile: &TcpProfile) -> usize {
        self.recv_room().min(self.window_limit(profile))
    }

    /// The window to offer now, in octets, before it is scaled.
    pub fn window_to_offer(&self, profile: &TcpProfile) -> u32 {
        let limit = self.options.recv_buffer as usize;
        let free = self.offerable(profile);
        if profile.buffers.every_octet {
            self.rcv
                .offer_every_octet(free, limit, self.agreed.recv_mss)
        } else {
            self.rcv.offer(free, limit, self.agreed.recv_mss)
        }
    }

    /// Whether what the application has read makes a window that the peer should hear of at once.
    pub fn is_window_worth_telling(&self, profile: &TcpProfile) -> bool {
        let limit = self.options.recv_buffer as usize;
        let sayable = usize::from(u16::MAX) << self.agreed.recv_shift;
        let free = self.offerable(profile).min(sayable);
        if profile.buffers.told_when_doubled {
            return free as u64 >= 2 * u64::from(self.rcv.window());
        }
        self.rcv.is_worth_telling(free, limit, self.agreed.recv_mss)
    }

    /// What the window may have grown to, where it begins small.
    fn window_limit(&self, profile: &TcpProfile) -> usize {
        match profile.buffers.first_window {
            Some(first) if !self.marks.contains(Marks::WINDOW_GROWN) => {
                let received = match crate::tcp::state::is_synchronized(self.state) {
                    true => {
                        let received = self.rcv.nxt.since(self.rcv.irs);
                        received.saturating_sub(self.seldom().with_syn)
                    }
                    false => 0,
                };
                first.saturating_add(received.saturating_mul(2)) as usize
            }
            _ => usize::MAX,
        }
    }

    /// The window that has grown to the whole buffer is not held back any more.
    pub fn note_window_grown(&mut self, profile: &TcpProfile) {
        if self.window_limit(profile) >= self.options.recv_buffer as usize {
            self.marks |= Marks::WINDOW_GROWN;
        }
    }

    /// The window in which a segment is acceptable. A connection that its listener has not completed has no buffer yet.
    pub fn acceptable_window(&self, profile: &TcpProfile) -> u32 {
        let offered = self.rcv.window();
        let half_open =
            self.state == TcpState::SynReceived && matches!(self.owner, Owner::Listener(_));
        if !profile.buffers.accept_what_fits || half_open {
            return offered;
        }
        offered.max(self.recv_room().min(1 << 30) as u32)
    }

    /// The handshake has settled the segments' size: buffers hold whole ones.
    pub fn round_buffers(&mut self, profile: &TcpProfile) {
        if !profile.buffers.whole_segments {
            return;
        }
        let mss = u32::from(self.agreed.send_mss.min(self.agreed.link_mss));
        let most = u32::try_from(profile.buffers.most).unwrap_or(u32::MAX);
        for buffer in [&mut self.options.recv_buffer, &mut self.options.send_buffer] {
            *buffer = buffer.next_multiple_of(mss.max(1)).min(most).max(*buffer);
        }
    }

    /// Which kinds of readiness have grown; they are news no more, and it waits in no queue for being asked.
    pub fn take_news(&mut self) -> Ready {
        let marks = self.marks;
        let kinds = Marks::NEWS_READ | Marks::NEWS_WRITE | Marks::NEWS_ERROR;
        self.marks = marks - (kinds | Marks::READY_QUEUED);
        let mut news = Ready::empty();
        news.set(Ready::READ, marks.contains(Marks::NEWS_READ));
        news.set(Ready::WRITE, marks.contains(Marks::NEWS_WRITE));
        let error = Ready::ERROR | Ready::REPORTS;
        news.set(error, marks.contains(Marks::NEWS_ERROR));
        // The end comes with everything.
        let all = Ready::READ | Ready::WRITE | Ready::ERROR | Ready::REPORTS;
        if news == all || news.is_empty() {
            return Ready::all();
        }
        news
    }

    /// Whether there is as much to read as the application wants at least.
    pub fn is_readable(&self) -> bool {
        self.inbox.len() >= (self.options.rare().recv_lowat as usize).max(1)
    }

    /// What the socket is ready for.
    pub fn ready(&self, profile: &TcpProfile) -> Ready {
        let mut ready = Ready::empty();
        let closed = self.state == TcpState::Closed;
        let no_more = closed || self.fin_received() || self.marks.contains(Marks::READ_SHUT);
        let cannot_send = closed || self.fin.is_some();
        ready.set(Ready::READ, self.is_readable() || no_more);
        ready.set(Ready::URGENT, self.urgent_ahead().is_some());
        ready.set(Ready::READ_CLOSED, no_more);
        ready.set(Ready::WRITE, self.is_writable(profile) || closed);
        ready.set(Ready::HANGUP, no_more && cannot_send);
        ready.set(Ready::ERROR, self.error.is_some());
        ready.set(Ready::REPORTS, self.has_reports());
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_takes_half_a_kibibyte() {
        // Its slot, its name in the hash and its place among the timers add some thirty octets; its buffers are empty.
        assert!(
            size_of::<Connection>() <= 512,
            "{}",
            size_of::<Connection>()
        );
    }
}
