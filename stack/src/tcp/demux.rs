//! Which connection a segment belongs to, and what becomes of one that belongs to none: a listener's new connection, or
//! a reset (RFC 9293, 3.10.7.1 and 3.10.7.2).

use alloc::string::ToString;
use core::net::SocketAddr;

use xen_abi::Instant;

use crate::addr::IpAddress;
use crate::api::SignatureKey;
use crate::event::{Event, Layer, TcpNote, TcpState};
use crate::profile::{Blackhole, TcpProfile};
use crate::seq::SeqNumber;
use crate::tcp::Tcp;
use crate::tcp::connection::{Connection, Owner};
use crate::tcp::ecn::CE;
use crate::tcp::fast_open::server::Verdict;
use crate::tcp::incoming::Incoming;
use crate::tcp::isn;
use crate::tcp::options::IpChoice;
use crate::tcp::output::IpInfo;
use crate::tcp::reset::Reset;
use crate::tcp::shared::Shared;
use crate::tcp::signature::is_signed;
use crate::tcp::table::Slot;
use crate::tcp::tuple::Tuple;
use crate::wire::tcp::{Flags, Segment};

/// How a segment came, and as what.
#[derive(Clone, Copy)]
struct Arrival<'a> {
    ip: &'a IpInfo,
    bytes: &'a [u8],
}

/// Why a segment between two that share a key is none.
const NOT_SIGNED: &str = "not signed as agreed";

impl Arrival<'_> {
    /// Whether it is signed with the key, if there is one (RFC 2385, 2.0: "silently dropped" otherwise).
    fn is_signed_as_agreed(
        &self,
        key: Option<&SignatureKey>,
        segment: &Incoming<'_>,
        profile: &TcpProfile,
    ) -> bool {
        match (key, segment.signature) {
            (None, None) => true,
            (None, Some(_)) => !profile.drops_unexpected_signature,
            (Some(_), None) => false,
            (Some(key), Some(digest)) => is_signed(key, self.ip, self.bytes, digest),
        }
    }
}

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
        let arrival = Arrival { ip, bytes };
        match self.table.find_for_segment(&tuple) {
            Some(index) => self.deliver(index, now, &segment, arrival),
            None => self.arrives_for_nobody(now, tuple, &segment, arrival, None),
        }
    }

    fn deliver(&mut self, index: u32, now: Instant, segment: &Segment<'_>, arrival: Arrival<'_>) {
        let udp_port = arrival.ip.udp_port;
        let connection = self
            .table
            .connection(index)
            .expect("the hash names connections");
        connection.measure_arrival(now, segment);
        let same_way = connection.options.udp_port == udp_port;
        let marked = arrival.ip.ecn == CE;
        let plain = same_way && !marked && !connection.agreed.signed;
        if !(plain && connection.is_predicted(&mut self.shared, now, segment)) {
            let mut incoming = Incoming::read(segment, &self.shared.fuel, &self.shared.profile);
            incoming.udp_port = udp_port;
            incoming.ce = marked;
            let key = connection.seldom().signature.as_ref();
            if !arrival.is_signed_as_agreed(key, &incoming, self.shared.tcp()) {
                return self.refuse(NOT_SIGNED);
            }
            if is_new_incarnation(connection, &incoming) {
                let (tuple, used) = (connection.tuple, connection.snd.max);
                if self.table.find_listener(tuple.local_addr()).is_some() {
                    self.replace(index, now, tuple, segment, arrival, used);
                    return;
                }
            }
            let connection = self.table.connection(index).expect("it is still there");
            if !same_way {
                // Neither does a segment change how a connection travels, nor is it the connection's.
                if let Some(reset) =
                    Reset::answer(connection.tuple, &incoming, connection.options.rare().ip)
                {
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
        arrival: Arrival<'_>,
        used: SeqNumber,
    ) {
        if let Some(old) = self.table.connection(index) {
            old.die(&mut self.shared, None);
        }
        self.settle(index);
        self.arrives_for_nobody(now, tuple, segment, arrival, Some(used));
    }

    /// A segment for which there is no connection: RFC 9293, 3.10.7.1 (CLOSED) and 3.10.7.2 (LISTEN).
    fn arrives_for_nobody(
        &mut self,
        now: Instant,
        tuple: Tuple,
        segment: &Segment<'_>,
        arrival: Arrival<'_>,
        used: Option<SeqNumber>,
    ) {
        let mut incoming = Incoming::read(segment, &self.shared.fuel, &self.shared.profile);
        incoming.udp_port = arrival.ip.udp_port;
        match self.table.find_listener(tuple.local_addr()) {
            // First: an incoming RST should be ignored. Third: a SYN.
            Some(_) if incoming.has(Flags::RST) => {}
            Some(listener) if incoming.has(Flags::SYN) && !incoming.has(Flags::ACK) => {
                self.take_syn(listener, now, tuple, &incoming, arrival, used);
            }
            Some(_)
                if incoming.has(Flags::SYN)
                    && self.shared.tcp().defence.listener_ignores_syn_ack => {}
            // Second: an acknowledgment is bad, unless it brings a cookie that we gave out.
            Some(listener)
                if incoming.has(Flags::ACK)
                    && !incoming.has(Flags::SYN)
                    && self.takes_cookie(listener, now, tuple, &incoming) => {}
            // Fourth: other data or control should not be there.
            Some(_) if !incoming.has(Flags::ACK) => {}
            // Second: any acknowledgment is bad; and in CLOSED everything is.
            listener => {
                if !self.is_blackholed(listener.is_some(), &incoming)
                    && let Some(reset) =
                        Reset::answer(tuple, &incoming, self.ip_of(listener, tuple.local_addr()))
                {
                    self.shared.reset(reset);
                }
            }
        }
    }

    /// What the socket at a port wants of the IP header, even if it takes no connections.
    fn ip_of(&self, listener: Option<u32>, local: SocketAddr) -> IpChoice {
        match listener {
            Some(listener) => match self.table.slot(listener) {
                Slot::Listener(listener) => listener.options.rare().ip,
                _ => IpChoice::default(),
            },
            None => self
                .table
                .find_bound(local)
                .map_or(IpChoice::default(), |fresh| fresh.options.rare().ip),
        }
    }

    /// Whether the ACK brought a cookie, and so made a connection.
    fn takes_cookie(
        &mut self,
        listener: u32,
        now: Instant,
        tuple: Tuple,
        ack: &Incoming<'_>,
    ) -> bool {
        let Some(owner) = self.table.listener(listener) else {
            return false;
        };
        if !owner.expects_cookie(now) {
            return false;
        }
        let mut options = owner.options.clone();
        options.udp_port = ack.udp_port;
        let owner = Owner::Listener(listener);
        let fresh = |shared: &Shared, iss| Connection::new(tuple, owner, options, iss, shared, now);
        let Some(connection) = self.revive(now, &tuple, ack, fresh) else {
            return false;
        };
        let Ok(index) = self.open(connection) else {
            return false;
        };
        if let Some(owner) = self.table.listener(listener) {
            owner.opening(index);
        }
        if let Some(connection) = self.table.connection(index) {
            let mut ack = *ack;
            connection.segment_arrives(&mut self.shared, now, &mut ack);
        }
        self.settle(index);
        true
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
        arrival: Arrival<'_>,
        used: Option<SeqNumber>,
    ) {
        let owner = self
            .table
            .listener(listener)
            .expect("listeners are known by address");
        let key = owner.signatures.key(tuple.remote).copied();
        if !arrival.is_signed_as_agreed(key.as_ref(), syn, self.shared.tcp()) {
            return self.refuse(NOT_SIGNED);
        }
        let mut options = owner.options.clone();
        options.udp_port = syn.udp_port;
        if owner.wants_cookie(self.shared.tcp()) && key.is_none() {
            owner.gave_cookie(now);
            let owner = Owner::Listener(listener);
            let nothing = SeqNumber(0);
            let connection = Connection::new(tuple, owner, options, nothing, &self.shared, now);
            return self.answer_with_cookie(connection, now, syn);
        }
        if !owner.has_room(self.shared.tcp()) {
            return self.shared.note(&tuple, TcpNote::ListenOverflow, syn.seq);
        }
        let verdict = owner.judge(&self.shared, now, &tuple, syn);
        let secret = self.shared.keys.isn;
        let iss = match used {
            Some(used) => isn::initial_after(secret, &tuple, now, used),
            None => isn::initial(secret, &tuple, now),
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
            if let Some(key) = &key {
                connection.sign(key);
            }
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
