//! Echo requests, awaited: each has its own name, and is forgotten when nobody waits for it any longer.

use alloc::collections::BTreeMap;
use core::future::poll_fn;
use core::net::IpAddr;
use core::task::{Poll, Waker};

use thiserror::Error;
use xen_abi::Instant;

use super::handle::{Os, TimedOut};
use super::shared::TcpIp;
use crate::api::{EchoReply, SocketError};
use crate::event::TimerKinds;

/// Why a ping has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PingError {
    /// It could not be sent.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// Nobody answered in time.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
}

/// An echo request that somebody waits for.
struct Request {
    remote: IpAddr,
    answered: Option<Instant>,
    waker: Option<Waker>,
}

/// The echo requests under way.
#[derive(Default)]
pub struct Echoes {
    waiting: BTreeMap<u16, Request>,
    last_seq: u16,
}

impl Echoes {
    /// Who asks: a kernel is one asker.
    const IDENT: u16 = 0xEB17;

    fn begin(&mut self, remote: IpAddr) -> u16 {
        self.last_seq = self.last_seq.wrapping_add(1);
        let request = Request {
            remote,
            answered: None,
            waker: None,
        };
        self.waiting.insert(self.last_seq, request);
        self.last_seq
    }

    /// An answer came. One that nobody waits for, or from somebody else, is passed over.
    pub fn answered(&mut self, reply: &EchoReply) {
        let request = self.waiting.get_mut(&reply.seq);
        let Some(request) = request.filter(|r| r.remote == reply.from) else {
            return;
        };
        if reply.ident == Self::IDENT {
            request.answered = Some(reply.at);
            if let Some(waker) = request.waker.take() {
                waker.wake();
            }
        }
    }
}

/// Forgets an echo request when its future is over or dropped.
struct Waiting<S: TcpIp> {
    os: Os<S>,
    seq: u16,
}

impl<S: TcpIp> Waiting<S> {
    /// When the answer came.
    async fn answer(&self) -> Instant {
        poll_fn(|cx| {
            let mut shared = self.os.0.borrow_mut();
            let Some(request) = shared.echoes.waiting.get_mut(&self.seq) else {
                return Poll::Pending;
            };
            request.waker = Some(cx.waker().clone());
            request.answered.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

impl<S: TcpIp> Drop for Waiting<S> {
    fn drop(&mut self) {
        self.os.0.borrow_mut().echoes.waiting.remove(&self.seq);
    }
}

impl<S: TcpIp> Os<S> {
    /// Sends an echo request with these bytes and waits up to `limit` nanoseconds for its answer: the round trip's
    /// time in nanoseconds.
    pub async fn ping(&self, remote: IpAddr, data: &[u8], limit: u64) -> Result<u64, PingError> {
        let seq = self.0.borrow_mut().echoes.begin(remote);
        let waiting = Waiting {
            os: self.clone(),
            seq,
        };
        let sent = self.now();
        self.with_net(|now, net| net.ping(now, remote, Echoes::IDENT, seq, data))?;
        let answered = self
            .timeout(limit, TimerKinds::FINISH, waiting.answer())
            .await?;
        Ok(answered.since(sent))
    }
}
