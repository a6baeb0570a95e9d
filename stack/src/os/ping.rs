//! Echo requests, awaited: each has its own name, and is forgotten when nobody waits for it any longer.

use alloc::collections::BTreeMap;
use core::future::poll_fn;
use core::net::IpAddr;
use core::task::{Poll, Waker};

use thiserror::Error;

use super::handle::{Os, TimedOut};
use super::shared::TcpIp;
use crate::api::{EchoId, SocketError};
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
struct Echo {
    remote: IpAddr,
    answered: bool,
    waker: Option<Waker>,
}

/// The echo requests under way.
#[derive(Default)]
pub struct Echoes {
    waiting: BTreeMap<EchoId, Echo>,
    last_seq: u16,
}

impl Echoes {
    /// Who asks: a kernel is one asker.
    const IDENT: u16 = 0xEB17;

    fn begin(&mut self, remote: IpAddr) -> EchoId {
        self.last_seq = self.last_seq.wrapping_add(1);
        let id = EchoId {
            ident: Self::IDENT,
            seq: self.last_seq,
        };
        let echo = Echo {
            remote,
            answered: false,
            waker: None,
        };
        self.waiting.insert(id, echo);
        id
    }

    /// An answer came. One that nobody waits for, or from somebody else, is passed over.
    pub fn answered(&mut self, from: IpAddr, id: EchoId) {
        if let Some(echo) = self.waiting.get_mut(&id).filter(|echo| echo.remote == from) {
            echo.answered = true;
            if let Some(waker) = echo.waker.take() {
                waker.wake();
            }
        }
    }
}

/// Forgets an echo request when its future is over or dropped.
struct Waiting<S: TcpIp> {
    os: Os<S>,
    id: EchoId,
}

impl<S: TcpIp> Drop for Waiting<S> {
    fn drop(&mut self) {
        self.os.0.borrow_mut().echoes.waiting.remove(&self.id);
    }
}

impl<S: TcpIp> Os<S> {
    /// Sends an echo request with `len` bytes of data and waits up to `limit` nanoseconds for its answer: the round
    /// trip's time in nanoseconds.
    pub async fn ping(&self, remote: IpAddr, len: usize, limit: u64) -> Result<u64, PingError> {
        let id = self.0.borrow_mut().echoes.begin(remote);
        let waiting = Waiting {
            os: self.clone(),
            id,
        };
        let sent = self.now();
        self.with_net(|now, net| net.ping(now, remote, id, len))?;
        self.timeout(limit, TimerKinds::FINISH, waiting.answer())
            .await?;
        Ok(self.now().since(sent))
    }
}

impl<S: TcpIp> Waiting<S> {
    async fn answer(&self) {
        poll_fn(|cx| {
            let mut shared = self.os.0.borrow_mut();
            match shared.echoes.waiting.get_mut(&self.id) {
                Some(echo) if !echo.answered => {
                    echo.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
                _ => Poll::Ready(()),
            }
        })
        .await;
    }
}
