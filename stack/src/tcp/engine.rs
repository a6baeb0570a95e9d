//! All connections together: segments find theirs, timers and queues say which ones have something to do. Every call
//! ends by settling the connection that it touched, so the cost never depends on how many others there are.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::ToString;

use xen_abi::{Fuel, Instant, Sink};

use crate::addr::IpAddress;
use crate::api::DeviceFull;
use crate::event::{Event, Layer, TcpNote, TcpState, TimerKinds};
use crate::profile::Profile;
use crate::seq::SeqNumber;
use crate::tcp::connection::{Connection, Marks, Owner};
use crate::tcp::incoming::Incoming;
use crate::tcp::isn;
use crate::tcp::output::{IpInfo, IpOutput};
use crate::tcp::ports::Ports;
use crate::tcp::reset::Reset;
use crate::tcp::shared::Shared;
use crate::tcp::state;
use crate::tcp::table::{Slot, Table};
use crate::tcp::timers::TimerHeap;
use crate::tcp::tuple::Tuple;
use crate::wire::tcp::{Flags, Segment};

/// All connections and listeners of a stack.
pub struct Tcp {
    pub(super) shared: Shared,
    pub(super) table: Table,
    pub(super) ports: Ports,
    timers: TimerHeap,
    armed: Armed,
    /// Connections that may have something to send, each once.
    pending: VecDeque<u32>,
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
            ready: VecDeque::new(),
        }
    }

    /// Takes one segment. Never transmits. `csum_ok`: the device vouches for the checksum.
    pub fn receive(&mut self, now: Instant, ip: &IpInfo, bytes: &[u8], csum_ok: bool) {
        self.shared.fuel.burn(1);
        let parsed = Segment::parse(bytes).and_then(|segment| {
            if !csum_ok {
                Segment::verify(bytes, ip.src, ip.dst)?;
            }
            Ok(segment)
        });
        let segment = match parsed {
            Ok(segment) => segment,
            Err(error) => return self.refuse(&error.to_string()),
        };
        // RFC 9293, MUST-57 and MUST-63: nothing from, and nothing to, what is not one host.
        if !is_one_host(ip.src) || !is_one_host(ip.dst) || segment.src_port() == 0 {
            return self.refuse("address is not one host's");
        }
        let tuple = Tuple {
            local: ip.dst,
            remote: ip.src,
            local_port: segment.dst_port(),
            remote_port: segment.src_port(),
        };
        match self.table.find(&tuple) {
            Some(index) => self.deliver(index, now, &segment),
            None => self.arrives_for_nobody(now, tuple, &segment, None),
        }
    }

    /// Sends what is due, until nothing is or the device is full.
    pub fn transmit(&mut self, now: Instant, out: &mut dyn IpOutput) {
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
            .and_then(|()| self.send_pending(now, out));
    }

    /// When [`Tcp::transmit`] must be called next even if nothing is received.
    pub fn poll_at(&self, now: Instant) -> Option<Instant> {
        if self.pending.is_empty() && self.shared.resets.is_empty() {
            self.timers.next()
        } else {
            Some(now)
        }
    }

    /// Which kinds of timers are armed.
    pub fn timers(&self) -> TimerKinds {
        self.armed.kinds()
    }

    fn send_resets(&mut self, now: Instant, out: &mut dyn IpOutput) -> Result<(), DeviceFull> {
        while let Some(reset) = self.shared.resets.front() {
            reset.send(now, out, self.shared.profile.tcp.ttl)?;
            self.shared.resets.pop_front();
        }
        Ok(())
    }

    /// Each connection in turn, a burst at a time.
    fn send_pending(&mut self, now: Instant, out: &mut dyn IpOutput) -> Result<(), DeviceFull> {
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
        out: &mut dyn IpOutput,
    ) -> Result<bool, DeviceFull> {
        let burst = self.shared.profile.tcp.burst;
        let Some(connection) = self.table.connection(index) else {
            return Ok(false);
        };
        for _ in 0..burst {
            self.shared.fuel.burn(1);
            let Some(mut plan) = connection.next_segment(&self.shared) else {
                connection.rest(&mut self.shared, now);
                return Ok(false);
            };
            if !connection.marks.contains(Marks::ROUTED) {
                match out.route(connection.tuple.remote) {
                    Ok(route) => connection.set_mtu(route.mtu, &self.shared),
                    Err(error) => {
                        connection.abort(&mut self.shared, Some(error));
                        return Ok(false);
                    }
                }
                // Asked again, since the route decides how large a segment may be.
                plan = connection.next_segment(&self.shared).unwrap_or(plan);
            }
            connection.emit(&mut self.shared, now, out, &plan)?;
        }
        Ok(true)
    }

    fn deliver(&mut self, index: u32, now: Instant, segment: &Segment<'_>) {
        let connection = self
            .table
            .connection(index)
            .expect("the hash names connections");
        if !connection.is_predicted(&mut self.shared, now, segment) {
            let mut incoming = Incoming::read(segment, &self.shared.fuel, &self.shared.profile);
            if is_new_incarnation(connection, &incoming) {
                let (tuple, used) = (connection.tuple, connection.snd.max);
                if self.table.find_listener(tuple.local_addr()).is_some() {
                    self.replace(index, now, tuple, segment, used);
                    return;
                }
            }
            let connection = self.table.connection(index).expect("it is still there");
            connection.segment_arrives(&mut self.shared, now, &mut incoming);
        }
        self.settle(index);
    }

    /// RFC 9293, MAY-2: a new SYN ends TIME-WAIT, and the new connection's numbers begin behind the old one's.
    fn replace(
        &mut self,
        index: u32,
        now: Instant,
        tuple: Tuple,
        segment: &Segment<'_>,
        used: SeqNumber,
    ) {
        if let Some(old) = self.table.connection(index) {
            old.die(&mut self.shared, None);
        }
        self.settle(index);
        self.arrives_for_nobody(now, tuple, segment, Some(used));
    }

    /// A segment for which there is no connection: RFC 9293, 3.10.7.1 (CLOSED) and 3.10.7.2 (LISTEN).
    fn arrives_for_nobody(
        &mut self,
        now: Instant,
        tuple: Tuple,
        segment: &Segment<'_>,
        used: Option<SeqNumber>,
    ) {
        let incoming = Incoming::read(segment, &self.shared.fuel, &self.shared.profile);
        match self.table.find_listener(tuple.local_addr()) {
            // First: an incoming RST should be ignored. Third: a SYN.
            Some(_) if incoming.has(Flags::RST) => {}
            Some(listener) if incoming.has(Flags::SYN) && !incoming.has(Flags::ACK) => {
                self.take_syn(listener, now, tuple, &incoming, used);
            }
            // Fourth: other data or control should not be there.
            Some(_) if !incoming.has(Flags::ACK) => {}
            // Second: any acknowledgment is bad; and in CLOSED everything is.
            _ => {
                if let Some(reset) = Reset::answer(tuple, &incoming) {
                    self.shared.reset(reset);
                }
            }
        }
    }

    /// A SYN for a listener makes a connection, if there is room for it.
    fn take_syn(
        &mut self,
        listener: u32,
        now: Instant,
        tuple: Tuple,
        syn: &Incoming<'_>,
        used: Option<SeqNumber>,
    ) {
        let owner = self
            .table
            .listener(listener)
            .expect("listeners are known by address");
        if !owner.has_room(self.shared.tcp()) {
            return self.shared.note(&tuple, TcpNote::ListenOverflow, syn.seq);
        }
        let options = owner.options;
        let key = self.shared.keys.isn;
        let iss = match used {
            Some(used) => isn::initial_after(key, &tuple, now, used),
            None => isn::initial(key, &tuple, now),
        };
        let connection = Connection::new(
            tuple,
            Owner::Listener(listener),
            options,
            iss,
            &self.shared,
            now,
        );
        let Ok(index) = self.open(connection) else {
            return self.shared.note(&tuple, TcpNote::ListenOverflow, syn.seq);
        };
        if let Some(owner) = self.table.listener(listener) {
            owner.opening(index);
        }
        if let Some(connection) = self.table.connection(index) {
            connection.take_first_syn(&mut self.shared, now, syn);
        }
        self.settle(index);
    }

    /// Gives a connection its place, its name and its port.
    pub(super) fn open(&mut self, connection: Connection) -> Result<u32, crate::api::SocketError> {
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
        self.settle_after_sending(index);
    }

    fn settle_after_sending(&mut self, index: u32) {
        let Some(connection) = self.table.connection(index) else {
            return;
        };
        self.timers.set(index, connection.deadlines.next());
        let kinds = connection.deadlines.kinds();
        if kinds != connection.counted {
            self.armed.change(connection.counted, kinds);
            connection.counted = kinds;
        }
        if let Owner::Listener(listener) = connection.owner
            && state::is_synchronized(connection.state())
            && !connection.marks.contains(Marks::ACCEPTABLE)
        {
            connection.marks |= Marks::ACCEPTABLE;
            self.hand_to_listener(index, listener);
        }
        self.tell_application(index);
        self.bury(index);
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

    fn tell_application(&mut self, index: u32) {
        let Some(connection) = self.table.connection(index) else {
            return;
        };
        if connection.marks.contains(Marks::NEWS) && connection.owner == Owner::Application {
            connection.marks -= Marks::NEWS;
            if !connection.marks.contains(Marks::READY_QUEUED) {
                connection.marks |= Marks::READY_QUEUED;
                self.ready.push_back(index);
            }
        }
    }

    /// A connection in CLOSED leaves the tables; its place stays while an application may still ask for it.
    fn bury(&mut self, index: u32) {
        let Some(connection) = self.table.connection(index) else {
            return;
        };
        if connection.state() != TcpState::Closed {
            return;
        }
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

    fn refuse(&mut self, why: &str) {
        self.shared.emit(&Event::Refused {
            layer: Layer::Tcp,
            why: why.to_string(),
        });
    }
}

/// RFC 9293, 3.10.7.4: in TIME-WAIT, a SYN with a number (or, RFC 6191, a timestamp) behind the old connection's.
fn is_new_incarnation(connection: &Connection, segment: &Incoming<'_>) -> bool {
    let syn = segment.has(Flags::SYN) && !segment.has(Flags::ACK) && !segment.has(Flags::RST);
    let newer_stamp = segment.stamp.is_some_and(|(value, _)| {
        connection.agreed.timestamps && SeqNumber(value).gt(SeqNumber(connection.stamps.recent))
    });
    syn && connection.state() == TcpState::TimeWait
        && (newer_stamp || segment.seq.gt(connection.rcv.nxt))
}

fn is_one_host(address: IpAddress) -> bool {
    let broadcast = matches!(address, IpAddress::V4(a) if a.is_broadcast());
    !(address.is_unspecified() || address.is_multicast() || broadcast)
}
