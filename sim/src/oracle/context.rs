//! What everyone who reads the trace needs to know of what went by: names, frames, and TCP at every vif.
//!
//! Fed once with each entry, before the matchers, checks and views that look at it: they take the same entry and this.

use std::collections::BTreeMap;
use std::sync::Arc;

use stack::addr::IpAddress;
use xenemu::abi::DomId;
use xenemu::event::{Life, Tap};
use xenemu::{FrameId, Time};

use super::names::Names;
use super::reading::{Note, Reading};
use super::tracker::{Direction, Segment, Tracker, Vantage};
use crate::plan::Plan;
use crate::trace::entry::{Author, Entry, Event};
use crate::trace::frames::{FrameTable, KnownFrame};
use crate::view::packet::Packet;
use crate::view::tcpdump;

/// A frame at a vif.
#[derive(Clone, Debug)]
pub struct Sighting {
    pub at: Time,
    pub frame: FrameId,
    pub known: KnownFrame,
    pub packet: Arc<Packet>,
    pub vantage: Vantage,
    pub direction: Direction,
    /// The vif's domain.
    pub domain: Arc<str>,
    /// The domain that sent it, if one did.
    pub sender: Option<Arc<str>>,
    /// The domain that it is addressed to, if it is one.
    pub addressee: Option<Arc<str>>,
    /// Of a TCP segment: how it reads at this vif.
    pub reading: Option<Reading>,
    /// What it was to its connection where it was seen first.
    pub note: Note,
}

impl Sighting {
    /// Its line in tcpdump's notation.
    pub fn line(&self) -> String {
        tcpdump::line(&self.packet, &self.known.bytes, self.reading.as_ref())
    }
    /// Whether it was already a retransmission at its first vif.
    pub fn is_retransmission(&self) -> bool {
        matches!(self.note, Note::Retransmission { .. })
    }
}

/// Where a frame came from.
#[derive(Clone, Debug)]
struct Origin {
    sender: Option<Arc<str>>,
    note: Note,
}

/// Everything that was learnt so far.
#[derive(Debug, Default)]
pub struct Context {
    pub names: Names,
    pub frames: FrameTable,
    tracker: Tracker,
    /// By the frame's root.
    origins: BTreeMap<FrameId, Origin>,
    sighting: Option<Sighting>,
}

impl Context {
    /// For a run of that scenario.
    pub fn new(plan: &Plan) -> Context {
        Context {
            names: Names::new(plan),
            ..Context::default()
        }
    }

    /// Learns from the next entry.
    pub fn observe(&mut self, entry: &Entry) {
        self.names.observe(entry);
        if let Some((node, domid)) = built(entry) {
            self.tracker.reborn(node, domid);
        }
        for forgotten in self.frames.observe(entry) {
            self.origins.remove(&forgotten);
        }
        self.sighting = self.look(entry);
    }

    /// The frame at a vif that the entry just observed speaks of.
    pub fn sighting(&self) -> Option<&Sighting> {
        self.sighting.as_ref()
    }

    /// What a frame was to its connection where it was seen first.
    pub fn note(&self, frame: FrameId) -> Note {
        let origin = self.origins.get(&self.frames.root(frame));
        origin.map_or(Note::New, |origin| origin.note)
    }

    fn look(&mut self, entry: &Entry) -> Option<Sighting> {
        let Event::Machine(xenemu::Event::FrameAt { frame, tap }) = &entry.event else {
            return None;
        };
        let Author::Node(node) = entry.author else {
            return None;
        };
        let (domid, handle, direction) = match *tap {
            Tap::VifOut(domid, handle) => (domid, handle, Direction::Out),
            Tap::VifIn(domid, handle) => (domid, handle, Direction::In),
            Tap::UplinkOut(_) | Tap::UplinkIn(_) => return None,
        };
        let known = self.frames.get(*frame)?.clone();
        let vantage = Vantage {
            node,
            domid,
            handle,
        };
        let packet = Packet::decode(&known.bytes);
        let domain = self.names.domain(node, domid);
        let reading = self.read(entry.at, *frame, &known, &packet, vantage, direction);
        let origin = self.origin(known.root, &packet, direction, &domain, reading.as_ref());
        Some(Sighting {
            at: entry.at,
            frame: *frame,
            addressee: self.addressee(&packet),
            packet: Arc::new(packet),
            known,
            vantage,
            direction,
            domain,
            sender: origin.sender,
            reading,
            note: origin.note,
        })
    }

    fn read(
        &mut self,
        at: Time,
        frame: FrameId,
        known: &KnownFrame,
        packet: &Packet,
        vantage: Vantage,
        direction: Direction,
    ) -> Option<Reading> {
        let (ip, tcp) = packet.tcp()?;
        let segment = Segment {
            at,
            frame,
            direction,
            ip,
            tcp,
            data_at: packet.payload().map_or(0, |range| range.start),
            bytes: &known.bytes,
        };
        // A segment with a wrong checksum is noise: no TCP acts on it, so it moves no numbers.
        let readable = packet.checksums_ok() && !tcp.bad_offset;
        if !readable {
            return None;
        }
        Some(if self.is_imposture(known, ip.source, vantage, direction) {
            self.tracker.glance(vantage, &segment)
        } else {
            self.tracker.observe(vantage, &segment, &self.frames)
        })
    }

    /// Whether a packet was sent from the address of a domain, and neither by it nor by a router.
    fn is_imposture(
        &self,
        known: &KnownFrame,
        source: IpAddress,
        vantage: Vantage,
        direction: Direction,
    ) -> bool {
        let Some(owner) = self.names.owner_of_ip(source) else {
            return false;
        };
        let sender = match self.origins.get(&known.root) {
            Some(origin) => origin.sender.clone(),
            None if direction == Direction::Out => {
                Some(self.names.domain(vantage.node, vantage.domid))
            }
            None => None,
        };
        match sender {
            Some(sender) => sender != *owner && !self.names.is_router(&sender),
            None => known.forged,
        }
    }

    /// Remembers a frame's origin at its first vif; later ones look it up.
    fn origin(
        &mut self,
        root: FrameId,
        packet: &Packet,
        direction: Direction,
        domain: &Arc<str>,
        reading: Option<&Reading>,
    ) -> Origin {
        if let Some(origin) = self.origins.get(&root) {
            return origin.clone();
        }
        let sender = (direction == Direction::Out).then(|| domain.clone());
        if let (Some(_), Some(ethernet)) = (&sender, &packet.ethernet) {
            self.names.learn_mac(ethernet.source, domain);
        }
        let note = reading.map_or(Note::New, |reading| reading.note);
        let origin = Origin { sender, note };
        self.origins.insert(root, origin.clone());
        origin
    }

    fn addressee(&self, packet: &Packet) -> Option<Arc<str>> {
        let by_ip = packet
            .destination_ip()
            .and_then(|ip| self.names.owner_of_ip(ip));
        let by_mac = || {
            self.names
                .owner_of_mac(packet.ethernet.as_ref()?.destination)
        };
        by_ip.or_else(by_mac).cloned()
    }
}

/// The domain that the entry sees built: after a power failure a machine gives its numbers again.
pub fn built(entry: &Entry) -> Option<(u16, DomId)> {
    match (&entry.event, entry.author) {
        (
            Event::Machine(xenemu::Event::Life {
                domid,
                life: Life::Created { .. },
            }),
            Author::Node(node),
        ) => Some((node, *domid)),
        _ => None,
    }
}
