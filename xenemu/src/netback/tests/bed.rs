//! The frontend that the tests play: it writes its rings and its directory by hand.

use std::collections::VecDeque;

use xen_abi::event_channel::EvtchnOp;
use xen_abi::io::netif::{
    NetifRxRequest, NetifRxResponse, NetifTxRequest, NetifTxResponse, RX_STRIDE, TX_STRIDE,
};
use xen_abi::io::ring::{REQ_EVENT, REQ_PROD, RSP_EVENT, RSP_PROD, SLOTS};
use xen_abi::{DomId, Gfn, GrantRef, Port, Width};
use zerocopy::{FromBytes, IntoBytes};

use crate::actor::{Actor, Births, Host, Message, Outbox, VifId};
use crate::event::{DropReason, Event, Record};
use crate::frame::{Frame, FrameId};
use crate::hypervisor::Hypervisor;
use crate::log::Log;
use crate::netback::{Netback, VifOptions, xenbus};
use crate::time::Time;
use crate::xenstore::Xenstored;
use crate::xenstore::perms::DOM0;

/// The domain.
pub const D1: DomId = DomId(1);
/// Its interface.
pub const VIF: VifId = VifId {
    domid: D1,
    handle: 0,
};
/// The frontend's directory.
pub const FRONTEND: &str = "/local/domain/1/device/vif/0";
/// The reference of the transmit ring.
pub const TX_REF: u32 = 8;
/// The reference of the receive ring.
pub const RX_REF: u32 = 9;
/// The reference of the first of the frontend's buffers, each a page.
pub const BUFFERS: u32 = 16;
/// How many there are.
pub const BUFFER_COUNT: u32 = 64;
/// More steps than any test's work takes.
pub const STEPS_MAX: u32 = 200_000;

/// A machine with one domain, whose frontend is this test.
pub struct Bed {
    pub host: Host,
    pub netback: Netback,
    /// The frames that entered the bridge.
    pub sent: VecDeque<Frame>,
    pub tx_ring: Gfn,
    pub rx_ring: Gfn,
    pub buffers: Gfn,
    pub port: Port,
    pub steps: u32,
}

/// A vif with all features.
pub fn options() -> VifOptions {
    VifOptions {
        bridge: 0,
        sg: true,
        csum: true,
        map_tx: false,
    }
}

impl Bed {
    /// A vif whose directories are there.
    pub fn new(options: VifOptions) -> Bed {
        let mut hv = Hypervisor::new(Log::new(Time::ZERO, 0), 0, 0);
        hv.create_domain(D1, 256);
        let memory = &mut hv.domains.get_mut(D1).unwrap().physmap;
        let mut pages = |n| memory.allocate(n).unwrap();
        let (tx_ring, rx_ring, buffers) = (pages(1), pages(1), pages(BUFFER_COUNT));
        hv.seed_grant(D1, GrantRef(TX_REF), DOM0, tx_ring);
        hv.seed_grant(D1, GrantRef(RX_REF), DOM0, rx_ring);
        for n in 0..BUFFER_COUNT {
            let page = Gfn(buffers.0 + u64::from(n));
            hv.seed_grant(D1, GrantRef(BUFFERS + n), DOM0, page);
        }
        let mut store = Xenstored::new();
        let backend = xenbus::path(VIF);
        store
            .write(&format!("{backend}/frontend"), FRONTEND.as_bytes())
            .unwrap();
        store.write(&format!("{backend}/online"), b"1").unwrap();
        store.write(&format!("{backend}/state"), b"1").unwrap();
        store.write(&format!("{FRONTEND}/state"), b"1").unwrap();
        let mut bed = Bed {
            host: Host {
                hv,
                store,
                births: Births::new(7, 100),
            },
            netback: Netback::default(),
            sent: VecDeque::new(),
            tx_ring,
            rx_ring,
            buffers,
            port: Port(0),
            steps: 0,
        };
        bed.netback.probe(&mut bed.host, VIF, options);
        bed.run();
        bed
    }

    /// A vif that is connected.
    pub fn connected(options: VifOptions) -> Bed {
        let mut bed = Bed::new(options);
        bed.hotplug();
        bed.offer();
        bed.set_state("4");
        assert_eq!(bed.backend_state(), "4");
        bed.take_events();
        bed
    }

    pub fn hotplug(&mut self) {
        let node = format!("{}/hotplug-status", xenbus::path(VIF));
        self.host.store.write(&node, b"connected").unwrap();
        self.run();
    }

    /// Writes what a frontend writes before it connects.
    pub fn offer(&mut self) {
        let mut op = EvtchnOp::AllocUnbound {
            dom: DomId::SELF,
            remote_dom: DOM0,
            port: Port(0),
        };
        self.host.hv.event_channel_op(D1, &mut op).unwrap();
        let EvtchnOp::AllocUnbound { port, .. } = op else {
            unreachable!()
        };
        self.port = port;
        for ring in [self.tx_ring, self.rx_ring] {
            self.set(ring, REQ_EVENT, 1);
            self.set(ring, RSP_EVENT, 1);
        }
        for (node, value) in [
            ("tx-ring-ref", TX_REF),
            ("rx-ring-ref", RX_REF),
            ("event-channel", port.0),
            ("request-rx-copy", 1),
            ("feature-rx-notify", 1),
            ("feature-sg", 1),
        ] {
            self.write(node, &value.to_string());
        }
    }

    pub fn write(&mut self, node: &str, value: &str) {
        let path = format!("{FRONTEND}/{node}");
        self.host.store.write(&path, value.as_bytes()).unwrap();
    }

    pub fn set_state(&mut self, state: &str) {
        self.write("state", state);
        self.run();
    }

    pub fn backend_state(&self) -> String {
        let node = format!("{}/state", xenbus::path(VIF));
        let state = self.host.store.read(&node).unwrap();
        String::from_utf8(state.to_vec()).unwrap()
    }

    /// Lets dom0 do all that it wants to.
    pub fn run(&mut self) {
        let now = Time::ZERO;
        let mut out = Outbox::default();
        loop {
            while let Some(event) = self.host.store.next_actor_event() {
                self.netback.store_event(&event, now);
            }
            while let Some((port, _)) = self.host.hv.take_upcall() {
                self.netback.upcall(port, now);
            }
            if self.netback.next_due().is_none() {
                return;
            }
            self.netback.step(&mut self.host, now, &mut out);
            self.steps += 1;
            assert!(self.steps < STEPS_MAX, "the work has no end");
            for message in out.messages.drain(..) {
                if let Message::Forward { frame, .. } = message {
                    self.sent.push_back(frame);
                }
            }
        }
    }

    pub fn kick(&mut self) {
        let mut op = EvtchnOp::Send { port: self.port };
        self.host.hv.event_channel_op(D1, &mut op).unwrap();
        self.run();
    }

    pub fn set(&mut self, ring: Gfn, index: u64, value: u32) {
        let at = ring.gpa().add(index);
        self.host.hv.store(D1, at, Width::B4, value.into()).unwrap();
    }

    pub fn get(&mut self, ring: Gfn, index: u64) -> u32 {
        let at = ring.gpa().add(index);
        self.host.hv.load(D1, at, Width::B4).unwrap() as u32
    }

    pub fn fill(&mut self, buffer: u32, offset: u16, bytes: &[u8]) {
        let at = Gfn(self.buffers.0 + u64::from(buffer)).gpa();
        self.host
            .hv
            .write(D1, at.add(offset.into()), bytes)
            .unwrap();
    }

    /// Puts slots into the transmit ring from its producer index on.
    pub fn put(&mut self, slots: &[[u8; 12]]) {
        let ring = self.tx_ring;
        let prod = self.get(ring, REQ_PROD);
        for (n, slot) in slots.iter().enumerate() {
            let index = u64::from(prod.wrapping_add(n as u32) % 256);
            let at = ring.gpa().add(SLOTS + index * TX_STRIDE);
            self.host.hv.write(D1, at, slot).unwrap();
        }
        self.set(ring, REQ_PROD, prod.wrapping_add(slots.len() as u32));
        self.kick();
    }

    /// The transmit responses so far.
    pub fn answers(&mut self) -> Vec<(u16, i16)> {
        let ring = self.tx_ring;
        let prod = self.get(ring, RSP_PROD);
        let one = |index: u32| {
            let mut bytes = [0; 4];
            let at = ring.gpa().add(SLOTS + u64::from(index % 256) * TX_STRIDE);
            self.host.hv.read(D1, at, &mut bytes).unwrap();
            let answer = NetifTxResponse::read_from_bytes(&bytes).unwrap();
            (answer.id, answer.status)
        };
        (0..prod).map(one).collect()
    }

    /// Posts receive buffers up to this many in all.
    pub fn post(&mut self, count: u32) {
        let ring = self.rx_ring;
        let prod = self.get(ring, REQ_PROD);
        for n in prod..count {
            let request = NetifRxRequest {
                id: n as u16,
                pad: 0,
                gref: BUFFERS + n % BUFFER_COUNT,
            };
            let at = ring.gpa().add(SLOTS + u64::from(n % 256) * RX_STRIDE);
            self.host.hv.write(D1, at, request.as_bytes()).unwrap();
        }
        self.set(ring, REQ_PROD, count);
    }

    pub fn received(&mut self, index: u32) -> NetifRxResponse {
        let mut bytes = [0; 8];
        let at = self.rx_ring.gpa();
        let at = at.add(SLOTS + u64::from(index % 256) * RX_STRIDE);
        self.host.hv.read(D1, at, &mut bytes).unwrap();
        NetifRxResponse::read_from_bytes(&bytes).unwrap()
    }

    pub fn deliver(&mut self, n: u64, bytes: &[u8]) {
        let id = FrameId { origin: 9, n };
        let bytes = bytes.into();
        let frame = Frame { id, bytes };
        self.netback.deliver(&self.host.hv, VIF, frame, Time::ZERO);
    }

    pub fn take_events(&mut self) -> Vec<Event> {
        let mut records = Vec::new();
        self.host.hv.log.drain(Time::MAX, &mut records);
        let decode = |r: Record| Event::decode(&r.payload).unwrap();
        records.into_iter().map(decode).collect()
    }

    pub fn drops(&mut self) -> Vec<DropReason> {
        let reason = |event| match event {
            Event::FrameDropped { reason, .. } => Some(reason),
            _ => None,
        };
        self.take_events().into_iter().filter_map(reason).collect()
    }

    pub fn why_disconnected(&mut self) -> Vec<String> {
        let why = |event| match event {
            Event::Disconnected { why, .. } => Some(why),
            _ => None,
        };
        self.take_events().into_iter().filter_map(why).collect()
    }

    /// What dom0 holds: mappings, ports, watches.
    pub fn held(&self) -> (usize, u32, usize) {
        let dom0 = self.host.hv.domain(DOM0).unwrap();
        let watches = self.host.store.watches();
        (dom0.maptrack.live(), dom0.events.open(), watches)
    }
}

/// A transmit slot whose bytes lie in a buffer.
pub fn slot(id: u16, buffer: u32, offset: u16, size: u16, flags: u16) -> [u8; 12] {
    let request = NetifTxRequest {
        gref: BUFFERS + buffer,
        offset,
        flags,
        id,
        size,
    };
    request.as_bytes().try_into().unwrap()
}

/// An extra's slot.
pub fn extra(kind: u8) -> [u8; 12] {
    [kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}
