//! What tasks and the kernel share: the one cell that a task may touch, never across an await.
//!
//! Tasks put wishes in here (console lines, xenstore requests, work on devices) and the kernel's phases carry them
//! out; the phases put what happened in here and wake who waits for it.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::task::Waker;

use rand_chacha::ChaCha8Rng;
use xen_abi::sched::ShutdownReason;
use xen_abi::{Fuel, Instant, Sink};

use super::boot::BootInfo;
use super::executor::Task;
use super::ping::Echoes;
use super::timers::Timers;
use super::vif::VifWork;
use super::xenstore::Store;
use crate::addr::Cidr;
use crate::api::{Echo, NetStack, SocketId, Sockets};
use crate::event::{Event, TimerKinds};

/// A whole TCP/IP stack: what a kernel is built around.
pub trait TcpIp: NetStack + Sockets + Echo + 'static {}

impl<S: NetStack + Sockets + Echo + 'static> TcpIp for S {}

/// Who waits on a socket.
#[derive(Default)]
pub struct Waiting {
    pub read: Option<Waker>,
    pub write: Option<Waker>,
}

/// Any number of tasks that wait for one thing.
#[derive(Default)]
pub struct Waiters {
    wakers: BTreeMap<u64, Waker>,
    next: u64,
}

impl Waiters {
    /// Waits, or waits on with another waker; the key is for [`Waiters::leave`].
    pub fn wait(&mut self, key: Option<u64>, waker: &Waker) -> u64 {
        let key = key.unwrap_or_else(|| {
            self.next += 1;
            self.next
        });
        self.wakers.insert(key, waker.clone());
        key
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.wakers.is_empty()
    }

    /// Waits no longer.
    pub fn leave(&mut self, key: u64) {
        self.wakers.remove(&key);
    }

    /// Wakes all, in the order in which they came.
    pub fn wake_all(&mut self) {
        for waker in core::mem::take(&mut self.wakers).into_values() {
            waker.wake();
        }
    }
}

/// Console output that waits for the ring.
#[derive(Default)]
pub struct ConsoleQueue {
    bytes: VecDeque<u8>,
    dropped: u64,
}

impl ConsoleQueue {
    /// Bytes that may wait; what does not fit is dropped and counted.
    const LIMIT: usize = 64 * 1024;

    /// Queues a line, or drops all of it.
    pub fn push_line(&mut self, line: &str) {
        if self.bytes.len() + line.len() + 1 > Self::LIMIT {
            self.dropped += line.len() as u64 + 1;
            return;
        }
        self.bytes.extend(line.bytes());
        self.bytes.push_back(b'\n');
    }

    /// The bytes that wait.
    pub fn bytes(&mut self) -> &mut VecDeque<u8> {
        &mut self.bytes
    }

    /// How many bytes were dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// The cell's content.
pub struct Shared<S> {
    /// The clock as the present phase read it.
    pub now: Instant,
    /// The wall clock at system time 0.
    pub wall_base: WallClock,
    /// What the kernel found at boot.
    pub boot: Rc<BootInfo>,
    /// The stack; there is none before the first interface is configured.
    pub net: Option<S>,
    /// The interface's addresses.
    pub addresses: Vec<Cidr>,
    pub waiting: BTreeMap<SocketId, Waiting>,
    /// A program takes the stack's news itself, and no task waits for sockets.
    pub news_is_taken: bool,
    pub timers: Timers,
    pub spawned: Vec<Task>,
    pub console: ConsoleQueue,
    pub store: Store,
    pub echoes: Echoes,
    pub vif: VifWork,
    pub rng: ChaCha8Rng,
    pub sink: Rc<dyn Sink>,
    pub fuel: Fuel,
    /// The shutdown that was asked for, and who waits for that.
    pub stopping: Option<ShutdownReason>,
    pub stop_waiters: Waiters,
    /// Who waits until the addresses may be used.
    pub up_waiters: Waiters,
    /// A suspend was asked for.
    pub suspend: bool,
    /// The shutdown that the kernel shall carry out at the end of this run.
    pub halt: Option<ShutdownReason>,
}

/// A point on the wall clock: seconds since 1970 and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct WallClock {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub secs: u64,
    /// Nanoseconds of the second.
    pub nanos: u32,
}

impl WallClock {
    /// This point, `ns` nanoseconds later; saturates.
    pub fn plus(self, ns: u64) -> WallClock {
        const SECOND: u64 = 1_000_000_000;
        let nanos = u64::from(self.nanos) + ns % SECOND;
        WallClock {
            secs: self.secs.saturating_add(ns / SECOND + nanos / SECOND),
            nanos: (nanos % SECOND) as u32,
        }
    }
}

impl<S: TcpIp> Shared<S> {
    /// A kernel's cell at boot.
    pub fn new(boot: Rc<BootInfo>, rng: ChaCha8Rng, sink: Rc<dyn Sink>, fuel: Fuel) -> Shared<S> {
        Shared {
            now: Instant(0),
            wall_base: WallClock::default(),
            boot,
            net: None,
            addresses: Vec::new(),
            waiting: BTreeMap::new(),
            news_is_taken: false,
            timers: Timers::default(),
            spawned: Vec::new(),
            console: ConsoleQueue::default(),
            store: Store::default(),
            echoes: Echoes::default(),
            vif: VifWork::default(),
            rng,
            sink,
            fuel,
            stopping: None,
            stop_waiters: Waiters::default(),
            up_waiters: Waiters::default(),
            suspend: false,
            halt: None,
        }
    }

    /// Reports an event.
    pub fn report(&self, event: &Event) {
        let mut bytes = Vec::new();
        event.encode(&mut bytes);
        self.sink.emit(&bytes);
    }

    /// Wakes the tasks whose sockets became ready, or whose pings were answered.
    pub fn wake_sockets(&mut self) {
        let Some(net) = &mut self.net else { return };
        while !self.news_is_taken
            && let Some(socket) = net.next_ready()
        {
            self.fuel.burn(1);
            let Some(waiting) = self.waiting.remove(&socket) else {
                continue;
            };
            for waker in [waiting.read, waiting.write].into_iter().flatten() {
                waker.wake();
            }
        }
        if !self.up_waiters.is_empty() && net.is_up() {
            self.up_waiters.wake_all();
        }
        while let Some(reply) = net.next_echo_reply() {
            self.echoes.answered(&reply);
        }
    }

    /// Tells the applications that the domain shall stop. The first reason counts.
    pub fn begin_stop(&mut self, reason: ShutdownReason) {
        if self.stopping.is_none() {
            self.stopping = Some(reason);
            self.stop_waiters.wake_all();
        }
    }

    /// Whether nothing of ours is on its way: neither acknowledgements nor console lines.
    pub fn is_drained(&mut self) -> bool {
        let timers = self.net.as_ref().map_or(0, NetStack::timers);
        timers & TimerKinds::FINISH.bits() == 0 && self.console.bytes().is_empty()
    }

    /// Queues a console line.
    pub fn print(&mut self, line: &str) {
        self.console.push_line(line);
    }

    /// What the command line says for `key`.
    pub fn arg(&self, key: &str) -> Option<String> {
        self.boot.arg(key).map(String::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_carries_nanoseconds_into_seconds() {
        let base = WallClock {
            secs: 10,
            nanos: 999_999_999,
        };
        assert_eq!(base.plus(1), WallClock { secs: 11, nanos: 0 });
        assert_eq!(base.plus(2_000_000_002), WallClock { secs: 13, nanos: 1 });
    }

    #[test]
    fn a_console_line_that_does_not_fit_is_dropped_whole_and_counted() {
        let mut console = ConsoleQueue::default();
        console.push_line(&"x".repeat(ConsoleQueue::LIMIT - 1));
        console.push_line("y");
        assert_eq!(console.bytes().len(), ConsoleQueue::LIMIT);
        assert_eq!(console.dropped(), 2);
    }
}
