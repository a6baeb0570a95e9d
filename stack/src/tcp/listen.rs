//! A listener: connections half open because of it, and connections that wait to be accepted, both bounded.

use alloc::collections::{BTreeSet, VecDeque};
use core::net::SocketAddr;

use xen_abi::Instant;

use crate::profile::{SEC, SynCookies, TcpProfile};
use crate::tcp::fast_open;
use crate::tcp::fast_open::server::{Pending, Verdict, judge};
use crate::tcp::incoming::Incoming;
use crate::tcp::options::SocketOptions;
use crate::tcp::shared::Shared;
use crate::tcp::signature::Signatures;
use crate::tcp::tuple::Tuple;

/// No cookie is good for longer.
const COOKIE_LIFETIME: u64 = 128 * SEC;

/// A socket in LISTEN.
pub struct Listener {
    pub local: SocketAddr,
    pub options: SocketOptions,
    backlog: usize,
    /// Connections in SYN-RECEIVED.
    half_open: BTreeSet<u32>,
    /// Connections that the application has not accepted, the oldest in front.
    established: VecDeque<u32>,
    /// It stands in the engine's queue of ready sockets.
    pub ready_queued: bool,
    /// Until when cookies that were given out are good.
    cookies_until: Option<Instant>,
    /// Keys that are shared with peers (RFC 2385).
    pub signatures: Signatures,
    /// What it does with SYN segments that hold data (RFC 7413).
    pub fast_open: fast_open::Settings,
    /// Connections that have taken such data, until their handshake is over.
    pub opening_fast: Pending,
}

impl Listener {
    /// A listener without connections.
    pub fn new(
        local: SocketAddr,
        options: SocketOptions,
        backlog: usize,
        profile: &TcpProfile,
    ) -> Listener {
        let mut listener = Listener {
            local,
            options,
            backlog: 0,
            half_open: BTreeSet::new(),
            established: VecDeque::new(),
            ready_queued: false,
            cookies_until: None,
            signatures: Signatures::default(),
            fast_open: fast_open::Settings::default(),
            opening_fast: Pending::default(),
        };
        listener.set_backlog(backlog, profile);
        listener
    }

    /// `listen(2)`'s argument, at least 1.
    pub fn set_backlog(&mut self, backlog: usize, profile: &TcpProfile) {
        self.backlog = backlog.clamp(1, profile.max_backlog);
    }

    /// Whether a SYN is answered without being kept. An accept queue that is full takes no connection, whatever its SYN.
    pub fn wants_cookie(&self, profile: &TcpProfile) -> bool {
        let acceptable = self.established.len() < self.backlog;
        acceptable
            && match profile.defence.syn_cookies {
                SynCookies::Never => false,
                SynCookies::WhenFull => self.half_open.len() >= profile.syn_queue,
                SynCookies::Always => true,
            }
    }

    /// A cookie was given out; ACKs that bring one count for a while.
    pub fn gave_cookie(&mut self, now: Instant) {
        self.cookies_until = Some(now.plus(COOKIE_LIFETIME));
    }

    /// Whether an ACK may bring a cookie, and what it makes would find room.
    pub fn expects_cookie(&self, now: Instant) -> bool {
        self.cookies_until.is_some_and(|until| now < until) && self.established.len() < self.backlog
    }

    /// Whether one more SYN can be taken. Half-open connections count against the SYN queue only, so that an attacker
    /// who never answers cannot fill the backlog.
    pub fn has_room(&self, profile: &TcpProfile) -> bool {
        self.half_open.len() < profile.syn_queue && self.established.len() < self.backlog
    }

    /// What to do with the data of a SYN.
    pub fn judge(
        &mut self,
        shared: &Shared,
        now: Instant,
        tuple: &Tuple,
        syn: &Incoming<'_>,
    ) -> Verdict {
        let profile = (&shared.tcp().fast_open, shared.keys.cookies);
        let pending = &mut self.opening_fast;
        judge(
            &self.fast_open,
            self.backlog,
            pending,
            profile,
            now,
            tuple,
            syn,
        )
    }

    /// Whether a connection waits.
    pub fn is_ready(&self) -> bool {
        !self.established.is_empty()
    }

    /// A SYN made a connection.
    pub fn opening(&mut self, connection: u32) {
        self.half_open.insert(connection);
    }

    /// The handshake is over.
    pub fn opened(&mut self, connection: u32) {
        self.half_open.remove(&connection);
        self.established.push_back(connection);
    }

    /// A half-open connection is gone.
    pub fn gone(&mut self, connection: u32) {
        self.half_open.remove(&connection);
    }

    /// The connection that waits longest.
    pub fn accept(&mut self) -> Option<u32> {
        self.established.pop_front()
    }

    /// All connections that nobody will accept.
    pub fn into_orphans(self) -> impl Iterator<Item = u32> {
        self.half_open.into_iter().chain(self.established)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_queues_are_bounded() {
        let profile = TcpProfile {
            syn_queue: 2,
            ..TcpProfile::default()
        };
        let local = "0.0.0.0:80".parse().expect("an address");
        let mut listener = Listener::new(local, SocketOptions::new(&profile), 2, &profile);
        listener.opening(1);
        listener.opening(2);
        assert!(!listener.has_room(&profile));
        listener.opened(1);
        assert!(listener.has_room(&profile));
        listener.opened(2);
        assert!(!listener.has_room(&profile));
        assert_eq!(listener.accept(), Some(1));
        assert!(listener.has_room(&profile));
        assert_eq!(listener.into_orphans().count(), 1);
    }
}
