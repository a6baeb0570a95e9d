//! The nodes and the links between them: what the hosts of turmoil share with the driver.
//!
//! One [`Fabric::round`] of one node is: take what arrives in the window, act, let the egresses act. Nodes touch nothing
//! of each other in a round, so their order within it is free; all that passes between them goes through turmoil and
//! takes effect after the round.

use std::collections::VecDeque;

use xenemu::abi::codec::Get;
use xenemu::{FrameId, Record, Time, UplinkId};

use super::datagram::{self, Outbox, Passage};
use super::link::{Direction, Link};
use super::node::{ActionError, Leaks, Node, NodeAction};
use super::options::Stats;
use super::quiet;
use crate::trace::{Author, Entry, Event};

/// All nodes and links.
pub struct Fabric {
    /// By name.
    pub slots: Vec<Slot>,
    /// By name.
    pub links: Vec<Link>,
    pub stats: Stats,
    /// The end of the round that runs.
    end: Time,
    /// The least arrival of what turmoil carries.
    carried: Time,
    /// Frames put into turmoil, and taken out of it.
    put: u64,
    taken: u64,
    outbox: Outbox,
    drop_payloads: bool,
    /// An empty list that the merge reuses.
    pub records: Vec<Record>,
}

/// A place for a node, whose power may be off.
pub struct Slot {
    pub name: String,
    pub node: Option<Box<dyn Node>>,
    /// By uplink.
    pub ports: Vec<Port>,
    /// How often its power came on.
    pub boots: u32,
    pub next_frame: u64,
    pub next_seq: u64,
    /// Frames it received and has not yet acted on: the link's and direction's place, and the name.
    pub unseen: VecDeque<(usize, usize, FrameId)>,
}

/// A node's end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// The link's place.
    pub link: usize,
    /// Which direction leaves here.
    pub side: usize,
}

impl Slot {
    /// A place without a node.
    pub fn new(name: String) -> Slot {
        Slot {
            name,
            node: None,
            ports: Vec::new(),
            boots: 0,
            next_frame: 0,
            next_seq: 0,
            unseen: VecDeque::new(),
        }
    }
}

impl Fabric {
    /// Nodes whose ports are not yet known, and the links between them.
    pub fn new(slots: Vec<Slot>, links: Vec<Link>, drop_payloads: bool) -> Fabric {
        Fabric {
            slots,
            links,
            stats: Stats::default(),
            end: Time::ZERO,
            carried: Time::MAX,
            put: 0,
            taken: 0,
            outbox: Outbox::default(),
            drop_payloads,
            records: Vec::new(),
        }
    }

    /// Prepares a step of turmoil in which each node acts until `end`.
    pub fn begin_step(&mut self, end: Time) {
        assert!(end >= self.end, "a round ends before the last one did");
        self.end = end;
        self.carried = Time::MAX;
    }

    /// Whether frames are inside turmoil.
    pub fn carries(&self) -> bool {
        self.put > self.taken
    }
    /// Frames put into turmoil, and taken out of it, since the world began.
    pub fn counts(&self) -> (u64, u64) {
        (self.put, self.taken)
    }

    /// The least instant at which anything is due, here or in what turmoil carries. What is held is not due.
    pub fn next_due(&self) -> Time {
        let mut next = self.carried;
        for slot in &self.slots {
            if let Some(at) = slot.node.as_ref().and_then(|node| node.next_event()) {
                next = next.min(at);
            }
        }
        for link in &self.links {
            for direction in &link.directions {
                let end = direction.next_end_of_serialisation();
                let arrival = direction.flight.next_arrival().filter(|_| !link.held);
                next = [end, arrival].into_iter().flatten().fold(next, Time::min);
            }
        }
        next
    }

    /// Takes a datagram that turmoil delivered to node `to`.
    pub fn take(&mut self, to: usize, datagram: &[u8]) {
        let mut from = Get(datagram);
        while !from.0.is_empty() {
            let passage = datagram::take(&mut from).expect("a host sent it");
            let link = &mut self.links[usize::from(passage.link)];
            let direction = &mut link.directions[usize::from(passage.side)];
            assert_eq!(direction.to, to, "a frame reached the wrong host");
            direction.take_off(passage.serialised);
            self.taken += 1;
        }
    }

    /// Node `i` and its egresses act until the round's end; what they send to which node.
    pub fn round(&mut self, i: usize) -> &[(usize, Vec<u8>)] {
        self.outbox.clear();
        self.arrive(i);
        self.act(i);
        self.egress(i);
        &self.outbox.datagrams
    }

    fn arrive(&mut self, i: usize) {
        let slot = &mut self.slots[i];
        let Some(node) = &mut slot.node else { return };
        for (uplink, port) in slot.ports.iter().enumerate() {
            let link = &mut self.links[port.link];
            if link.held {
                continue;
            }
            let side = 1 - port.side;
            while let Some((at, seq, frame)) = link.directions[side].flight.arrive(self.end) {
                assert!(seq >> 48 == 0, "a link serialised 2^48 frames");
                slot.unseen.push_back((port.link, side, frame.id));
                let order = (port.link as u64) << 48 | seq;
                node.receive(at, UplinkId(uplink as u32), order, frame);
            }
        }
    }

    fn act(&mut self, i: usize) {
        let slot = &mut self.slots[i];
        let Some(node) = &mut slot.node else { return };
        let before = node.clock();
        node.run_until(self.end);
        if before < self.end && node.clock() > self.end {
            self.stats.overshoots += 1;
        }
        while let Some((at, uplink, frame)) = node.transmit() {
            assert!(at < self.end, "a frame stamped {at:?} left too early");
            let port = slot.ports[uplink.0 as usize];
            self.links[port.link].directions[port.side].offer(at, frame);
        }
    }

    fn egress(&mut self, i: usize) {
        for p in 0..self.slots[i].ports.len() {
            let Port { link, side } = self.slots[i].ports[p];
            let dead = self.dead(link);
            let direction = &mut self.links[link].directions[side];
            let to = direction.to;
            direction.transmit(self.end, dead, |mut serialised| {
                if self.drop_payloads {
                    serialised.frame.bytes = [][..].into();
                }
                self.carried = serialised.arrival.min(self.carried);
                self.put += 1;
                let passage = Passage {
                    link: link as u16,
                    side: side as u8,
                    serialised,
                };
                self.outbox.put(to, &passage);
            });
        }
    }

    /// Whether both directions of a link are dead.
    fn dead(&self, link: usize) -> bool {
        let [direction, _] = &self.links[link].directions;
        let off = |node: usize| self.slots[node].node.is_none();
        self.links[link].cut || off(direction.from) || off(direction.to)
    }

    /// The node loses its power: its queues die, what flies to it, and what it received and has not acted on.
    pub fn power_off(&mut self, i: usize, at: Time) -> bool {
        let slot = &mut self.slots[i];
        let Some(node) = slot.node.take() else {
            return false;
        };
        let loss = node.power_fail(at);
        (slot.next_frame, slot.next_seq) = (loss.next_frame, loss.next_seq);
        for (link, side, frame) in slot.unseen.drain(..) {
            self.links[link].directions[side].die(at, frame);
        }
        for Port { link, side } in slot.ports.clone() {
            self.links[link].directions[1 - side].lose_flight(at);
            self.links[link].directions[side].lose_egress(at);
        }
        true
    }

    /// Does an action to node `i`.
    pub fn act_on(&mut self, i: usize, at: Time, action: &NodeAction) -> Result<(), ActionError> {
        match &mut self.slots[i].node {
            Some(node) => node.act(at, action),
            None => Err(ActionError(format!("{} is off", self.slots[i].name))),
        }
    }

    /// Whether the entry says that a node acted for the first time on a frame that a link brought.
    pub fn acted_on(&mut self, entry: &Entry) -> bool {
        let (Author::Node(node), Event::Machine(event)) = (entry.author, &entry.event) else {
            return false;
        };
        let Some((uplink, frame)) = quiet::arrival(event) else {
            return false;
        };
        let slot = &mut self.slots[usize::from(node)];
        let Some(port) = slot.ports.get(uplink as usize) else {
            return false;
        };
        let is_it = |unseen: &(usize, usize, FrameId)| (unseen.0, unseen.2) == (port.link, frame);
        let place = slot.unseen.iter().position(is_it);
        place.and_then(|place| slot.unseen.remove(place)).is_some()
    }

    /// Whether a run that began before `at` ends after it.
    pub fn inside_run(&self, at: Time) -> bool {
        self.nodes().any(|node| node.clock() > at)
    }

    /// Frames that entered a link's queue and neither died nor were acted on.
    pub fn underway(&self) -> u64 {
        let directions = self.links.iter().flat_map(|link| &link.directions);
        let on_links: usize = directions.map(Direction::underway).sum();
        let unseen: usize = self.slots.iter().map(|slot| slot.unseen.len()).sum();
        (on_links + unseen) as u64 + (self.put - self.taken)
    }

    /// Every node that has power.
    pub fn nodes(&self) -> impl Iterator<Item = &dyn Node> {
        self.slots.iter().filter_map(|slot| slot.node.as_deref())
    }

    /// The first bug of the testbed itself.
    pub fn internal_error(&self) -> Option<String> {
        self.nodes().find_map(|node| node.internal_error())
    }

    /// Every direction of every link.
    pub fn directions(&mut self) -> impl Iterator<Item = &mut Direction> {
        self.links.iter_mut().flat_map(|link| &mut link.directions)
    }

    /// Destroys every domain.
    pub fn destroy_all(&mut self) {
        let nodes = self.slots.iter_mut().filter_map(|slot| slot.node.as_mut());
        nodes.for_each(|node| node.destroy_all());
    }

    /// What each node that has power holds.
    pub fn held(&self) -> impl Iterator<Item = (&str, Leaks)> {
        self.slots
            .iter()
            .filter_map(|slot| Some((slot.name.as_str(), slot.node.as_ref()?.held())))
    }
}
