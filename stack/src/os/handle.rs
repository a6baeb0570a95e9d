//! [`Os`]: all that an application may ask of its kernel.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::future::{Future, poll_fn};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};

use rand_chacha::rand_core::RngCore;
use thiserror::Error;
use xen_abi::Instant;
use xen_abi::sched::ShutdownReason;

use super::boot::Module;
use super::shared::{Shared, TcpIp, WallClock};
use super::timers::TimerKey;
use super::xenstore::Xenstore;
use crate::addr::Cidr;
use crate::api::{NetStack, SocketError, SocketId};
use crate::event::{Event, TimerKinds};

/// A handle on the kernel; clones name the same kernel.
pub struct Os<S>(pub(super) Rc<RefCell<Shared<S>>>);

impl<S> Clone for Os<S> {
    fn clone(&self) -> Self {
        Os(self.0.clone())
    }
}

/// A limit passed before the future was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("timed out")]
pub struct TimedOut;

impl<S: TcpIp> Os<S> {
    /// Xen system time, as the present phase read it.
    pub fn now(&self) -> Instant {
        self.0.borrow().now
    }

    /// The wall clock.
    pub fn wall_clock(&self) -> WallClock {
        let shared = self.0.borrow();
        shared.wall_base.plus(shared.now.0)
    }

    /// Waits for `ns` nanoseconds; a run of the world does not end before.
    pub fn sleep(&self, ns: u64) -> Sleep<S> {
        self.sleep_as(ns, TimerKinds::FINISH)
    }

    /// Waits for `ns` nanoseconds with another kind of timer: [`TimerKinds::SERVER_IDLE`] holds no run open.
    pub fn sleep_as(&self, ns: u64, kind: TimerKinds) -> Sleep<S> {
        Sleep {
            at: self.now().plus(ns),
            os: self.clone(),
            kind,
            key: None,
        }
    }

    /// Awaits `future` for at most `ns` nanoseconds.
    pub async fn timeout<T>(
        &self,
        ns: u64,
        kind: TimerKinds,
        future: impl Future<Output = T>,
    ) -> Result<T, TimedOut> {
        let mut future = pin!(future);
        let mut limit = pin!(self.sleep_as(ns, kind));
        poll_fn(|cx| {
            if let Poll::Ready(value) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(value));
            }
            limit.as_mut().poll(cx).map(|()| Err(TimedOut))
        })
        .await
    }

    /// Lets every other ready task run first.
    pub async fn yield_now(&self) {
        let mut yielded = false;
        poll_fn(|cx| {
            if core::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Starts a task beside this one.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.0.borrow_mut().spawned.push(Box::pin(task));
    }

    /// Writes a line to the console.
    pub fn print(&self, line: &str) {
        self.0.borrow_mut().print(line);
    }

    /// Reports an event to the trace.
    pub fn report(&self, event: &Event) {
        self.0.borrow().report(event);
    }

    /// The application's name: `app=` on the command line.
    pub fn app(&self) -> String {
        self.arg("app").unwrap_or_else(|| String::from("guest"))
    }

    /// The value of `key=value` on the kernel's command line.
    pub fn arg(&self, key: &str) -> Option<String> {
        self.0.borrow().arg(key)
    }

    /// As [`Os::arg`], read as a number or the like; `default` when it is absent or unreadable.
    pub fn arg_or<T: core::str::FromStr>(&self, key: &str, default: T) -> T {
        self.arg(key)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    }

    /// The boot modules.
    pub fn modules(&self) -> Vec<Module> {
        self.0.borrow().boot.modules.clone()
    }

    /// The interface's addresses.
    pub fn addresses(&self) -> Vec<Cidr> {
        self.0.borrow().addresses.clone()
    }

    /// A number from the kernel's own random stream, seeded at boot.
    pub fn random(&self) -> u64 {
        self.0.borrow_mut().rng.next_u64()
    }

    /// The domain's xenstore.
    pub fn xenstore(&self) -> Xenstore<S> {
        Xenstore::new(self.clone())
    }

    /// Asks the kernel to stop: applications are told, sockets closed, then the domain powers off.
    pub fn poweroff(&self) {
        self.0.borrow_mut().begin_stop(ShutdownReason::Poweroff);
    }

    /// Waits until the kernel is asked to stop.
    pub fn stopping(&self) -> Stopping<S> {
        Stopping {
            os: self.clone(),
            key: None,
        }
    }

    /// All of our addresses, of both versions if there is one of version 6, and `port`: where a server listens.
    pub fn any(&self, port: u16) -> SocketAddr {
        let six = self.addresses().iter().any(|cidr| cidr.address.is_ipv6());
        let any: IpAddr = match six {
            true => Ipv6Addr::UNSPECIFIED.into(),
            false => Ipv4Addr::UNSPECIFIED.into(),
        };
        SocketAddr::new(any, port)
    }

    /// Whether the interface's addresses may be used.
    pub fn is_up(&self) -> bool {
        self.0.borrow().net.as_ref().is_none_or(NetStack::is_up)
    }

    /// Waits until the interface's addresses may be used.
    pub async fn until_up(&self) {
        let mut key = None;
        poll_fn(|cx| {
            let mut shared = self.0.borrow_mut();
            if shared.net.as_ref().is_none_or(NetStack::is_up) {
                return Poll::Ready(());
            }
            key = Some(shared.up_waiters.wait(key, cx.waker()));
            Poll::Pending
        })
        .await;
    }

    /// Prints `APP: listening on ADDRESS`, with the interface's address in place of the unspecified one.
    pub fn announce_listening(&self, local: SocketAddr) {
        let first = self.addresses().first().map(|cidr| cidr.address);
        let shown = match (local.ip().is_unspecified(), first) {
            (true, Some(address)) => SocketAddr::new(address, local.port()),
            _ => local,
        };
        self.print(&alloc::format!("{}: listening on {shown}", self.app()));
    }

    /// Calls the stack itself: for what the socket wrappers do not offer. The stack transmits at the end of the run.
    pub fn with_net<T>(
        &self,
        call: impl FnOnce(Instant, &mut S) -> Result<T, SocketError>,
    ) -> Result<T, SocketError> {
        let mut shared = self.0.borrow_mut();
        shared.fuel.burn(1);
        let now = shared.now;
        let net = shared.net.as_mut().ok_or(SocketError::ENETUNREACH)?;
        call(now, net)
    }

    /// From now on whoever calls [`Os::with_net`] asks the stack itself what is ready: no task waits for sockets.
    pub fn take_news(&self) {
        self.0.borrow_mut().news_is_taken = true;
    }

    /// Calls the stack until it answers other than EAGAIN, waiting for `socket`'s readiness in between.
    pub async fn until_ready<T>(
        &self,
        socket: SocketId,
        interest: Interest,
        mut call: impl FnMut(Instant, &mut S) -> Result<T, SocketError>,
    ) -> Result<T, SocketError> {
        poll_fn(|cx| match self.with_net(&mut call) {
            Err(SocketError::EAGAIN) => {
                self.wait_for(socket, interest, cx);
                Poll::Pending
            }
            answer => Poll::Ready(answer),
        })
        .await
    }

    fn wait_for(&self, socket: SocketId, interest: Interest, cx: &mut Context<'_>) {
        let mut shared = self.0.borrow_mut();
        let waiting = shared.waiting.entry(socket).or_default();
        let slot = match interest {
            Interest::Read => &mut waiting.read,
            Interest::Write => &mut waiting.write,
        };
        *slot = Some(cx.waker().clone());
    }

    /// Forgets who waits on a socket that is being closed.
    pub(super) fn forget(&self, socket: SocketId) {
        self.0.borrow_mut().waiting.remove(&socket);
    }

    /// The first of the interface's addresses.
    pub fn address(&self) -> Option<IpAddr> {
        self.addresses().first().map(|cidr| cidr.address)
    }
}

/// What a task waits for on a socket; at most one task waits for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Data, a connection to accept, the end of the stream.
    Read,
    /// Room to send, the end of a connect.
    Write,
}

/// Waits for an instant. Dropping it disarms the timer.
pub struct Sleep<S: TcpIp> {
    os: Os<S>,
    at: Instant,
    kind: TimerKinds,
    key: Option<TimerKey>,
}

impl<S: TcpIp> Future for Sleep<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let os = self.os.clone();
        let mut shared = os.0.borrow_mut();
        if shared.now >= self.at {
            return Poll::Ready(());
        }
        match self.key {
            Some(key) => shared.timers.rearm(key, cx.waker()),
            None => self.key = Some(shared.timers.arm(self.at, self.kind, cx.waker().clone())),
        }
        Poll::Pending
    }
}

impl<S: TcpIp> Drop for Sleep<S> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.os.0.borrow_mut().timers.cancel(key);
        }
    }
}

/// Waits until the kernel is asked to stop.
pub struct Stopping<S: TcpIp> {
    os: Os<S>,
    key: Option<u64>,
}

impl<S: TcpIp> Future for Stopping<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let os = self.os.clone();
        let mut shared = os.0.borrow_mut();
        if shared.stopping.is_some() {
            return Poll::Ready(());
        }
        self.key = Some(shared.stop_waiters.wait(self.key, cx.waker()));
        Poll::Pending
    }
}

impl<S: TcpIp> Drop for Stopping<S> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.os.0.borrow_mut().stop_waiters.leave(key);
        }
    }
}
