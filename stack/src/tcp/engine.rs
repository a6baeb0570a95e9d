//! All connections together: segments find theirs, timers and queues say which ones have something to do. Every call
//! ends by settling the connection that it touched, so the cost never depends on how many others there are.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;

use xen_abi::{Fuel, Instant, Sink};

use crate::api::{DeviceFull, SocketError};
use crate::event::{TcpState, TimerKinds};
use crate::profile::Profile;
use crate::tcp::connection::{Connection, Marks, Owner};
use crate::tcp::output::IpOutput;
use crate::tcp::ports::Ports;
use crate::tcp::shared::Shared;
use crate::tcp::state;
use crate::tcp::table::{Slot, Table};
use crate::tcp::timers::TimerHeap;
use crate::tcp::tuple::Tuple;

/// All connections and listeners of a stack.
pub struct Tcp {
    pub(super) shared: Shared,
    pub(super) table: Table,
    pub(super) ports: Ports,
    timers: TimerHeap,
    armed: Armed,
    /// Connections that may have something to send, each once.
    pending: VecDeque<u32>,
    /// Answers to SYN segments that are not kept, until the device takes them.
    pub(super) cookies: VecDeque<Box<Connection>>,
    /// Sockets whose readiness grew, each once.
    pub(super) ready: VecDeque<u32>,
}

/// How many connections have timers of each kind armed.
#[derive(Default)]
struct Armed([u32; 3]);

const KINDS: [TimerKinds; 3] = [
    TimerKinds::FINISH,
    TimerKinds::KEEP_ALIVE,
    TimerKinds::TIME_WAIT,
];

impl Armed {
    fn change(&mut self, from: TimerKinds, to: TimerKinds) {
        for (count, kind) in self.0.iter_mut().zip(KINDS) {
            *count = *count + u32::from(to.contains(kind)) - u32::from(from.contains(kind));
        }
    }
    fn kinds(&self) -> TimerKinds {
        let armed = self.0.iter().zip(KINDS).filter(|&(&count, _)| count > 0);
        armed
            .map(|(_, kind)| kind)
            .fold(TimerKinds::empty(), TimerKinds::union)
    }
}

impl Tcp {
    /// An engine without sockets. All its secrets come from `seed`.
    pub fn new(profile: Rc<Profile>, seed: [u8; 32], fuel: Fuel, sink: Rc<dyn Sink>) -> Tcp {
        let most = profile.tcp.max_sockets.min(1 << 31);
        let shared = Shared::new(profile, seed, fuel, sink);
        Tcp {
            table: Table::new(shared.keys.demux, most),
            shared,
            ports: Ports::default(),
            timers: TimerHeap::default(),
            armed: Armed::default(),
            pending: VecDeque::new(),
            cookies: VecDeque::new(),
            ready: VecDeque::new(),
        }
    }

    /// Another profile, from the next step on.
    pub fn set_profile(&mut self, profile: Rc<Profile>) {
        self.shared.profile = profile;
    }

    /// Whether the device's queue paces, from the next segment on.
    pub fn set_pacing(&mut self, on: bool) {
        self.shared.paced = on;
    }

    /// Sends what is due, until nothing is or the device is full.
    pub fn transmit(&mut self, now: Instant, out: &mut impl IpOutput) {
        while let Some(index) = self.timers.due(now) {
            self.shared.fuel.burn(1);
            let connection = self
                .table
                .connection(index)
                .expect("timers are set for connections");
            connection.expire(&mut self.shared, now);
            self.settle(index);
        }
        // The device is full: everything that is left stays queued and is asked for again.
        let _ = self
            .send_resets(now, out)
            .and_then(|()| self.send_cookies(now, out))
            .and_then(|()| self.send_pending(now, out));
    }

    /// When [`Tcp::transmit`] must be called next even if nothing is received.
    pub fn poll_at(&self, now: Instant) -> Option<Instant> {
        let idle = self.pending.is_empty() && self.cookies.is_empty();
        if idle && self.shared.resets.is_empty() {
            self.timers.next()
        } else {
            Some(now)
        }
    }

    /// Which kinds of timers are armed.
    pub fn timers(&self) -> TimerKinds {
        self.armed.kinds()
    }

    /// Sockets and connections that take a place, those in the background counted.
    pub fn sockets_in_use(&self) -> usize {
        self.table.len()
    }

    #[inline]
    fn send_resets(&mut self, now: Instant, out: &mut impl IpOutput) -> Result<(), DeviceFull> {
        if self.shared.resets.is_empty() {
            return Ok(());
        }
        self.send_all_resets(now, out)
    }

    #[cold]
    fn send_all_resets(&mut self, now: Instant, out: &mut impl IpOutput) -> Result<(), DeviceFull> {
        while let Some(reset) = self.shared.resets.front() {
            reset.send(now, out, &self.shared.profile.tcp)?;
            self.shared.resets.pop_front();
        }
        Ok(())
    }

    /// Each connection in turn, a burst at a time.
    fn send_pending(&mut self, now: Instant, out: &mut impl IpOutput) -> Result<(), DeviceFull> {
        while let Some(&index) = self.pending.front() {
            let burst = self.send_burst(index, now, out);
            let Ok(more) = burst else {
                self.settle_after_sending(index);
                return Err(DeviceFull);
            };
            self.pending.pop_front();
            if let Some(connection) = self.table.connection(index) {
                connection.marks -= Marks::PENDING;
                if more {
                    connection.marks |= Marks::PENDING;
                    self.pending.push_back(index);
                }
            }
            self.settle_after_sending(index);
            // An abort while sending (no route) leaves a reset.
            self.send_resets(now, out)?;
        }
        Ok(())
    }

    /// Whether there may be more to send than a burst.
    fn send_burst(
        &mut self,
        index: u32,
        now: Instant,
        out: &mut impl IpOutput,
    ) -> Result<bool, DeviceFull> {
        let burst = self.shared.profile.tcp.burst;
        let Some(connection) = self.table.connection(index) else {
            return Ok(false);
        };
        for _ in 0..burst {
            self.shared.fuel.burn(1);
            let mut planned = None;
            if connection.may_have_something_to_send() {
                planned = connection.next_segment(&self.shared);
            }
            let Some(mut plan) = planned else {
                connection.rest(&mut self.shared, now);
                return Ok(false);
            };
            if !connection.marks.contains(Marks::ROUTED) {
                match out.route(connection.tuple.remote) {
                    Ok(route) => connection.set_route(&route, self.shared.tcp()),
                    Err(error) => {
                        connection.abort(&mut self.shared, Some(error));
                        return Ok(false);
                    }
                }
                // Asked again, since the route decides how large a segment may be.
                match connection.next_segment(&self.shared) {
                    Some(smaller) => plan = smaller,
                    None => continue,
                }
            }
            if out.drops() && connection.stays_unsent(&self.shared, now, &plan) {
                return Ok(false);
            }
            connection.emit(&mut self.shared, now, out, &plan)?;
        }
        Ok(true)
    }

    /// Gives a connection its place, its name and its port.
    pub(super) fn open(&mut self, connection: Connection) -> Result<u32, SocketError> {
        let tuple = connection.tuple;
        let index = self.table.insert(Slot::Connection(Box::new(connection)))?;
        self.named(index, &tuple);
        Ok(index)
    }

    /// The connection at `index` is known by its name from now on.
    pub(super) fn named(&mut self, index: u32, tuple: &Tuple) {
        self.table.name(index, tuple);
        self.ports.connection_opened(tuple.local_port);
    }

    /// After a connection was touched: timers, queues, its listener, its end.
    pub(super) fn settle(&mut self, index: u32) {
        let Some(connection) = self.table.connection(index) else {
            return;
        };
        if connection.may_have_something_to_send() && !connection.marks.contains(Marks::PENDING) {
            connection.marks |= Marks::PENDING;
            self.pending.push_back(index);
        }
        if connection.is_unsettled() {
            self.settle_rest(index);
        }
    }

    fn settle_after_sending(&mut self, index: u32) {
        let connection = self.table.connection(index);
        if connection.is_some_and(|c| c.is_unsettled()) {
            self.settle_rest(index);
        }
    }

    /// What there is to settle beside the queue of those that send.
    fn settle_rest(&mut self, index: u32) {
        let Some(connection) = self.table.connection(index) else {
            return;
        };
        if connection.deadlines.take_changed() {
            self.timers.set(index, connection.deadlines.next());
            let kinds = connection.deadlines.kinds();
            if kinds != connection.counted {
                self.armed.change(connection.counted, kinds);
                connection.counted = kinds;
            }
        }
        if connection.marks.contains(Marks::NEWS) && connection.owner == Owner::Application {
            let queued = connection.marks.contains(Marks::READY_QUEUED);
            connection.marks = (connection.marks - Marks::NEWS) | Marks::READY_QUEUED;
            if !queued {
                self.ready.push_back(index);
            }
        }
        let closed = connection.state() == TcpState::Closed;
        let opens_fast = connection.marks.contains(Marks::FAST_OPENING);
        if let Owner::Listener(listener) = connection.owner
            && (state::is_synchronized(connection.state()) || opens_fast)
            && !connection.marks.contains(Marks::ACCEPTABLE)
        {
            connection.marks |= Marks::ACCEPTABLE;
            self.hand_to_listener(index, listener);
        }
        if opens_fast {
            self.settle_fast_open(index);
        }
        if closed {
            self.bury(index);
        }
    }

    fn hand_to_listener(&mut self, index: u32, listener: u32) {
        let Some(owner) = self.table.listener(listener) else {
            return;
        };
        owner.opened(index);
        if !owner.ready_queued {
            owner.ready_queued = true;
            self.ready.push_back(listener);
        }
    }

    /// A connection that opened fast has its handshake behind it, or is gone: its place in the queue is free, unless it
    /// was reset (RFC 7413, 5.1).
    fn settle_fast_open(&mut self, index: u32) {
        let Some(connection) = self.table.connection(index) else {
            return;
        };
        if connection.state() == TcpState::SynReceived {
            return;
        }
        connection.marks -= Marks::FAST_OPENING;
        let opening = connection.take_opening();
        let reset = connection.state() == TcpState::Closed
            && connection.error == Some(SocketError::ECONNRESET);
        let hold = reset.then(|| {
            connection
                .last_heard
                .plus(self.shared.tcp().fast_open.reset_hold)
        });
        if let Some(listener) = opening.and_then(|o| o.listener)
            && let Some(owner) = self.table.listener(listener)
        {
            owner.opening_fast.over(index, hold);
        }
    }

    /// A connection in CLOSED leaves the tables; its place stays while an application may still ask for it.
    fn bury(&mut self, index: u32) {
        let Some(connection) = self.table.connection(index) else {
            return;
        };
        assert_eq!(connection.state(), TcpState::Closed);
        let (tuple, owner, marks) = (connection.tuple, connection.owner, connection.marks);
        if !marks.contains(Marks::BURIED) {
            connection.marks |= Marks::BURIED;
            self.table.unname(index, &tuple);
            self.ports.connection_closed(tuple.local_port);
            if marks.contains(Marks::BOUND) {
                self.ports.unbind(tuple.local_addr());
            }
        }
        let keep = match owner {
            Owner::Application => true,
            Owner::Listener(_) => marks.contains(Marks::ACCEPTABLE),
            Owner::Nobody => false,
        };
        if keep {
            return;
        }
        if let Owner::Listener(listener) = owner
            && let Some(owner) = self.table.listener(listener)
        {
            owner.gone(index);
        }
        if let Slot::Connection(mut connection) = self.table.remove(index) {
            connection.inbox.clear(&mut self.shared.pool);
        }
    }
}
