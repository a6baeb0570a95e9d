//! Which connection a segment belongs to, and what becomes of one that belongs to none: a listener's new connection, or
//! a reset (RFC 9293, 3.10.7.1 and 3.10.7.2).

use alloc::string::ToString;

use xen_abi::Instant;

use crate::addr::IpAddress;
use crate::event::{Event, Layer, TcpNote, TcpState};
use crate::profile::Blackhole;
use crate::seq::SeqNumber;
use crate::tcp::Tcp;
use crate::tcp::connection::{Connection, Owner};
use crate::tcp::ecn::CE;
use crate::tcp::fast_open::server::Verdict;
use crate::tcp::incoming::Incoming;
use crate::tcp::isn;
use crate::tcp::output::IpInfo;
use crate::tcp::reset::Reset;
use crate::tcp::tuple::Tuple;
use crate::wire::tcp::{Flags, Segment};

impl Tcp {
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
        let both = Flags::SYN | Flags::FIN;
        if segment.flags().contains(both) && self.shared.tcp().defence.drop_synfin {
            return self.refuse("SYN and FIN in one segment");
        }
        match self.table.find_for_segment(&tuple) {
            Some(index) => self.deliver(index, now, &segment, ip),
            None => self.arrives_for_nobody(now, tuple, &segment, ip.udp_port, None),
        }
    }

    fn deliver(&mut self, index: u32, now: Instant, segment: &Segment<'_>, ip: &IpInfo) {
        let udp_port = ip.udp_port;
        let connection = self
            .table
            .connection(index)
            .expect("the hash names connections");
        connection.measure_arrival(now, segment);
        let same_way = connection.options.udp_port == udp_port;
        let marked = ip.ecn == CE;
        if !(same_way && !marked && connection.is_predicted(&mut self.shared, now, segment)) {
            let mut incoming = Incoming::read(segment, &self.shared.fuel, &self.shared.profile);
            incoming.udp_port = udp_port;
            incoming.ce = marked;
            if is_new_incarnation(connection, &incoming) {
                let (tuple, used) = (connection.tuple, connection.snd.max);
                if self.table.find_listener(tuple.local_addr()).is_some() {
                    self.replace(index, now, tuple, segment, udp_port, used);
                    return;
                }
            }
            let connection = self.table.connection(index).expect("it is still there");
            if !same_way {
                // Neither does a segment change how a connection travels, nor is it the connection's.
                if let Some(reset) = Reset::answer(connection.tuple, &incoming) {
                    self.shared.reset(reset);
                }
                return;
            }
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
        udp_port: u16,
        used: SeqNumber,
    ) {
        if let Some(old) = self.table.connection(index) {
            old.die(&mut self.shared, None);
        }
        self.settle(index);
        self.arrives_for_nobody(now, tuple, segment, udp_port, Some(used));
    }

    /// A segment for which there is no connection: RFC 9293, 3.10.7.1 (CLOSED) and 3.10.7.2 (LISTEN).
    fn arrives_for_nobody(
        &mut self,
        now: Instant,
        tuple: Tuple,
        segment: &Segment<'_>,
        udp_port: u16,
        used: Option<SeqNumber>,
    ) {
        let mut incoming = Incoming::read(segment, &self.shared.fuel, &self.shared.profile);
        incoming.udp_port = udp_port;
        match self.table.find_listener(tuple.local_addr()) {
            // First: an incoming RST should be ignored. Third: a SYN.
            Some(_) if incoming.has(Flags::RST) => {}
            Some(listener) if incoming.has(Flags::SYN) && !incoming.has(Flags::ACK) => {
                self.take_syn(listener, now, tuple, &incoming, used);
            }
            Some(_)
                if incoming.has(Flags::SYN)
                    && self.shared.tcp().defence.listener_ignores_syn_ack => {}
            // Fourth: other data or control should not be there.
            Some(_) if !incoming.has(Flags::ACK) => {}
            // Second: any acknowledgment is bad; and in CLOSED everything is.
            listener => {
                if !self.is_blackholed(listener.is_some(), &incoming)
                    && let Some(reset) = Reset::answer(tuple, &incoming)
                {
                    self.shared.reset(reset);
                }
            }
        }
    }

    /// Whether what would be reset is met with silence.
    fn is_blackholed(&self, listening: bool, segment: &Incoming<'_>) -> bool {
        match self.shared.tcp().defence.blackhole {
            Blackhole::Off => false,
            Blackhole::Syn => !listening && segment.has(Flags::SYN),
            Blackhole::Closed => !listening,
            Blackhole::All => true,
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
        let mut options = owner.options.clone();
        options.udp_port = syn.udp_port;
        let verdict = owner.judge(&self.shared, now, &tuple, syn);
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
            let (granted, opens) = match verdict {
                Verdict::Plain => (None, false),
                Verdict::Grant {
                    cookie,
                    experimental,
                } => (Some((cookie, experimental)), false),
                Verdict::Open { replaced } => (replaced, true),
            };
            if opens {
                connection.open_at_once(&mut self.shared, now, listener, syn);
            }
            if let Some((cookie, experimental)) = granted {
                connection.grant_cookie(cookie, experimental);
            }
            if opens && let Some(owner) = self.table.listener(listener) {
                owner.opening_fast.begun(index);
            }
        }
        self.settle(index);
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
