//! TCP as one vif sees it: relative numbers, and what each segment is to those before it.
//!
//! Incremental and bounded, outside the trace's hash. It feeds the matchers (retransmissions do not count unless asked
//! for), the views (relative numbers, remarks) and the passive checks (numbers that a sender must not use). One tracker
//! sees the whole trace; each flow is kept once for each vif that it crosses, because what is old to the sender may be
//! new to the receiver.

use std::collections::{BTreeMap, VecDeque};

use stack::addr::IpAddress;
use xenemu::abi::DomId;
use xenemu::{FrameId, Time};

use super::flow::Flow;
use super::reading::Reading;
use crate::trace::frames::FrameTable;
use crate::view::dissect::tcp::Tcp;
use crate::view::packet::Around;

/// A vif of a domain in one of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vantage {
    pub node: u16,
    pub domid: DomId,
    pub handle: u8,
}

/// Which way a frame passes a vif.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the domain.
    Out,
    /// To the domain.
    In,
}

/// An address and a port.
pub type Endpoint = (IpAddress, u16);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FlowKey {
    vantage: Vantage,
    ours: Endpoint,
    theirs: Endpoint,
}

impl FlowKey {
    fn of(vantage: Vantage, segment: &Segment<'_>) -> FlowKey {
        let source = (segment.ip.source, segment.tcp.source_port);
        let destination = (segment.ip.destination, segment.tcp.destination_port);
        let (ours, theirs) = match segment.direction {
            Direction::Out => (source, destination),
            Direction::In => (destination, source),
        };
        FlowKey {
            vantage,
            ours,
            theirs,
        }
    }
}

/// A TCP segment at a vif.
pub struct Segment<'a> {
    pub at: Time,
    pub frame: FrameId,
    pub direction: Direction,
    pub ip: Around,
    pub tcp: &'a Tcp,
    /// Where the data begins in the frame.
    pub data_at: usize,
    /// The frame.
    pub bytes: &'a [u8],
}

/// All flows at all vifs.
#[derive(Debug, Default)]
pub struct Tracker {
    flows: BTreeMap<FlowKey, Flow>,
    /// In order of first appearance: the oldest is forgotten first.
    order: VecDeque<FlowKey>,
}

/// Flows that are remembered; one more forgets the oldest.
const MAX_FLOWS: usize = 8192;

impl Tracker {
    /// Takes the next segment and says what it is.
    pub fn observe(
        &mut self,
        vantage: Vantage,
        segment: &Segment<'_>,
        frames: &FrameTable,
    ) -> Reading {
        let key = FlowKey::of(vantage, segment);
        if !self.flows.contains_key(&key) {
            self.make_room();
            self.order.push_back(key);
        }
        let flow = self.flows.entry(key).or_default();
        let reading = flow.observe(segment, frames);
        assert!(self.flows.len() <= MAX_FLOWS && self.order.len() == self.flows.len());
        reading
    }

    /// Says how a segment reads that somebody forged in another's name. It says nothing of the flow: whoever owns it has
    /// not sent it, and whoever acts on it is to be found out.
    pub fn glance(&mut self, vantage: Vantage, segment: &Segment<'_>) -> Reading {
        match self.flows.get_mut(&FlowKey::of(vantage, segment)) {
            Some(flow) => flow.glance(segment),
            None => Flow::default().glance(segment),
        }
    }

    /// A domain was built: whoever had its number before is gone, with all its connections.
    pub fn reborn(&mut self, node: u16, domid: DomId) {
        let old = |key: &FlowKey| key.vantage.node == node && key.vantage.domid == domid;
        self.flows.retain(|key, _| !old(key));
        self.order.retain(|key| !old(key));
    }

    fn make_room(&mut self) {
        while self.flows.len() >= MAX_FLOWS {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            self.flows.remove(&oldest);
        }
    }
}
