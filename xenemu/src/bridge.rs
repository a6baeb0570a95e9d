//! Learning Ethernet bridges between vifs and uplinks: a look-up a frame.
//!
//! As Linux's bridge in dom0: a frame's source is learnt with the port it came from, its destination is looked up,
//! and what is unknown, multicast or broadcast goes to all ports but the one it came from (hairpin is off). Learnt
//! addresses are forgotten after [`AGEING_NS`], and there are never more than [`TABLE_MAX`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use xen_abi::Port;

use crate::actor::{Actor, BridgePort, Host, Message, Outbox, VifId};
use crate::event::{DropReason, Event, Tap};
use crate::frame::{Frame, FrameId, UplinkId};
use crate::time::Time;
use crate::xenstore::ActorEvent;

/// `BR_DEFAULT_AGEING_TIME`: 300 s.
pub const AGEING_NS: u64 = 300 * 1_000_000_000;
/// Addresses that a bridge remembers: a guest that invents addresses cannot make it grow without end.
pub const TABLE_MAX: usize = 16_384;
/// An Ethernet header: destination, source, type.
pub const ETH_HLEN: usize = 14;

type Mac = [u8; 6];

#[derive(Clone, Copy, Debug)]
struct Learnt {
    port: BridgePort,
    seen: Time,
}

/// One bridge.
#[derive(Debug, Default)]
pub struct Bridge {
    ports: BTreeSet<BridgePort>,
    learnt: BTreeMap<Mac, Learnt>,
}

impl Bridge {
    /// Hands out the ports to which a frame goes that came in at `from`.
    pub fn forward(
        &mut self,
        from: BridgePort,
        bytes: &[u8],
        now: Time,
        mut to: impl FnMut(BridgePort),
    ) {
        let Some((destination, source)) = addresses(bytes) else {
            return;
        };
        if !is_group(source) {
            self.learn(source, from, now);
        }
        match self.look_up(destination, now) {
            Some(port) if port == from => {}
            Some(port) => to(port),
            None => self
                .ports
                .iter()
                .copied()
                .filter(|p| *p != from)
                .for_each(to),
        }
    }

    /// A port comes up.
    pub fn add_port(&mut self, port: BridgePort) {
        self.ports.insert(port);
    }

    /// A port goes down, and what was learnt there is forgotten.
    pub fn remove_port(&mut self, port: BridgePort) {
        self.ports.remove(&port);
        self.learnt.retain(|_, learnt| learnt.port != port);
    }

    fn look_up(&self, destination: Mac, now: Time) -> Option<BridgePort> {
        if is_group(destination) {
            return None;
        }
        let learnt = self.learnt.get(&destination)?;
        (now.since(learnt.seen) < AGEING_NS).then_some(learnt.port)
    }

    fn learn(&mut self, source: Mac, port: BridgePort, now: Time) {
        if self.learnt.len() >= TABLE_MAX && !self.learnt.contains_key(&source) {
            return;
        }
        self.learnt.insert(source, Learnt { port, seen: now });
    }
}

/// The I/G bit: multicast or broadcast.
fn is_group(mac: Mac) -> bool {
    mac[0] & 1 != 0
}

fn addresses(bytes: &[u8]) -> Option<(Mac, Mac)> {
    if bytes.len() < ETH_HLEN {
        return None;
    }
    let (destination, rest) = bytes.split_first_chunk::<6>()?;
    let source = rest.first_chunk::<6>()?;
    Some((*destination, *source))
}

/// All of a machine's bridges, and the frames that wait to cross one.
#[derive(Debug, Default)]
pub struct Bridges {
    bridges: BTreeMap<u32, Bridge>,
    bridge_of: BTreeMap<BridgePort, u32>,
    waiting: VecDeque<(Time, BridgePort, Frame)>,
}

impl Bridges {
    /// The machine's uplinks are all on its first bridge, and always up.
    pub fn with_uplinks(uplinks: u32) -> Bridges {
        let mut bridges = Bridges::default();
        for n in 0..uplinks {
            bridges.add_port(0, BridgePort::Uplink(UplinkId(n)));
        }
        bridges
    }

    /// A vif comes up on a bridge, or goes down.
    pub fn set_carrier(&mut self, vif: VifId, bridge: Option<u32>) {
        match bridge {
            Some(bridge) => self.add_port(bridge, BridgePort::Vif(vif)),
            None => self.remove_port(BridgePort::Vif(vif)),
        }
    }

    /// A port comes up on a bridge, which exists from its first port on.
    pub fn add_port(&mut self, bridge: u32, port: BridgePort) {
        self.remove_port(port);
        self.bridge_of.insert(port, bridge);
        self.bridges.entry(bridge).or_default().add_port(port);
    }

    /// A port goes down.
    pub fn remove_port(&mut self, port: BridgePort) {
        if let Some(bridge) = self.bridge_of.remove(&port)
            && let Some(bridge) = self.bridges.get_mut(&bridge)
        {
            bridge.remove_port(port);
        }
    }

    /// How many ports are up.
    pub fn ports(&self) -> usize {
        self.bridge_of.len()
    }

    /// A frame comes in at a port.
    pub fn enqueue(&mut self, from: BridgePort, frame: Frame, now: Time) {
        self.waiting.push_back((now, from, frame));
    }

    /// The frames that wait to cross.
    pub fn waiting(&self) -> impl Iterator<Item = FrameId> {
        self.waiting.iter().map(|(_, _, frame)| frame.id)
    }

    fn bridge_of(&mut self, port: BridgePort) -> Option<&mut Bridge> {
        let bridge = self.bridge_of.get(&port)?;
        self.bridges.get_mut(bridge)
    }
}

impl Actor for Bridges {
    fn next_due(&self) -> Option<Time> {
        self.waiting.front().map(|(due, ..)| *due)
    }

    fn upcall(&mut self, _port: Port, _now: Time) {
        unreachable!("a bridge binds no port");
    }

    fn store_event(&mut self, _event: &ActorEvent, _now: Time) {
        unreachable!("a bridge watches nothing");
    }

    /// One frame crosses its bridge.
    fn step(&mut self, host: &mut Host, now: Time, out: &mut Outbox) {
        let Some((_, from, frame)) = self.waiting.pop_front() else {
            return;
        };
        if frame.bytes.len() < ETH_HLEN {
            host.hv.emit(&Event::FrameDropped {
                frame: frame.id,
                tap: incoming(from),
                reason: DropReason::Runt,
            });
        }
        let to = |target| {
            let frame = frame.clone();
            out.frames += 1;
            out.messages.push_back(match target {
                BridgePort::Vif(to) => Message::Deliver { to, frame },
                BridgePort::Uplink(uplink) => Message::Send { uplink, frame },
            });
        };
        if let Some(bridge) = self.bridge_of(from) {
            bridge.forward(from, &frame.bytes, now, to);
        }
        if let BridgePort::Vif(vif) = from {
            out.messages.push_back(Message::Forwarded {
                from: vif,
                frame: frame.id,
            });
        }
    }
}

fn incoming(port: BridgePort) -> Tap {
    match port {
        BridgePort::Vif(vif) => Tap::VifOut(vif.domid, vif.handle),
        BridgePort::Uplink(uplink) => Tap::UplinkIn(uplink),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: BridgePort = BridgePort::Uplink(UplinkId(0));
    const B: BridgePort = BridgePort::Uplink(UplinkId(1));
    const C: BridgePort = BridgePort::Uplink(UplinkId(2));

    fn frame(to: u8, from: u8) -> Vec<u8> {
        let mac = |n: u8| [if n == 0xFF { 0xFF } else { 0 }, 0, 0, 0, 0, n];
        [&mac(to)[..], &mac(from)[..], &[8, 0]].concat()
    }

    fn forward(bridge: &mut Bridge, from: BridgePort, bytes: &[u8], now: Time) -> Vec<BridgePort> {
        let mut to = Vec::new();
        bridge.forward(from, bytes, now, |port| to.push(port));
        to
    }

    fn bridge() -> Bridge {
        let mut bridge = Bridge::default();
        for port in [A, B, C] {
            bridge.add_port(port);
        }
        bridge
    }

    #[test]
    fn a_frame_goes_to_the_port_of_its_destination_and_never_back() {
        let mut b = bridge();
        let t = Time::ZERO;
        assert_eq!(
            forward(&mut b, A, &frame(2, 1), t),
            [B, C],
            "unknown: flooded"
        );
        assert_eq!(forward(&mut b, B, &frame(1, 2), t), [A]);
        assert_eq!(forward(&mut b, A, &frame(2, 1), t), [B]);
        assert_eq!(forward(&mut b, A, &frame(0xFF, 1), t), [B, C]);
        assert_eq!(forward(&mut b, B, &frame(2, 3), t), [], "hairpin is off");
    }

    #[test]
    fn an_address_moves_ages_and_goes_with_its_port() {
        let mut b = bridge();
        forward(&mut b, A, &frame(0xFF, 1), Time::ZERO);
        forward(&mut b, B, &frame(0xFF, 1), Time(1));
        assert_eq!(forward(&mut b, C, &frame(1, 3), Time(AGEING_NS)), [B]);
        assert_eq!(
            forward(&mut b, C, &frame(1, 3), Time(AGEING_NS + 1)),
            [A, B]
        );
        forward(&mut b, B, &frame(0xFF, 1), Time(AGEING_NS + 2));
        b.remove_port(B);
        assert_eq!(forward(&mut b, C, &frame(1, 3), Time(AGEING_NS + 3)), [A]);
    }

    #[test]
    fn runts_and_invented_addresses_do_no_harm() {
        let mut b = bridge();
        assert_eq!(forward(&mut b, A, &[0; 13], Time::ZERO), []);
        for n in 0..TABLE_MAX as u32 + 10 {
            let n = n.to_be_bytes();
            let source = [2, 0, n[0], n[1], n[2], n[3]];
            let bytes = [&[0, 0, 0, 0, 0, 9], &source[..], &[8, 0]].concat();
            forward(&mut b, A, &bytes, Time::ZERO);
        }
        assert_eq!(b.learnt.len(), TABLE_MAX);
    }
}
