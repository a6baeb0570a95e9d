//! Netback against frontends, polite and hostile, that write their rings by hand.

use std::collections::VecDeque;

use proptest::prelude::*;
use xen_abi::event_channel::EvtchnOp;
use xen_abi::io::netif::{
    NETIF_RSP_ERROR, NETIF_RSP_NULL, NETIF_RSP_OKAY, NETRXF_MORE_DATA, NETTXF_CSUM_BLANK,
    NETTXF_EXTRA_INFO, NETTXF_MORE_DATA, NetifRxRequest, NetifRxResponse, NetifTxRequest,
    NetifTxResponse, RX_STRIDE, TX_STRIDE,
};
use xen_abi::io::ring::{REQ_EVENT, REQ_PROD, RSP_EVENT, RSP_PROD, SLOTS};
use xen_abi::{Gfn, GrantRef, Width};
use zerocopy::{FromBytes, IntoBytes};

use super::*;
use crate::actor::Births;
use crate::log::Log;
use crate::xenstore::Xenstored;
use crate::xenstore::perms::DOM0;

const D1: DomId = DomId(1);
const VIF: VifId = VifId {
    domid: D1,
    handle: 0,
};
const FRONTEND: &str = "/local/domain/1/device/vif/0";
const TX_REF: u32 = 8;
const RX_REF: u32 = 9;
/// The reference of the first of the frontend's buffers, each a page.
const BUFFERS: u32 = 16;
const BUFFER_COUNT: u32 = 64;
/// More steps than any test's work takes.
const STEPS_MAX: u32 = 200_000;

/// A machine with one domain, whose frontend is this test.
struct Bed {
    host: Host,
    netback: Netback,
    /// The frames that entered the bridge.
    sent: VecDeque<Frame>,
    tx_ring: Gfn,
    rx_ring: Gfn,
    buffers: Gfn,
    port: Port,
    steps: u32,
}

fn options() -> VifOptions {
    VifOptions {
        bridge: 0,
        sg: true,
        csum: true,
        map_tx: false,
    }
}

impl Bed {
    /// A vif whose directories are there.
    fn new(options: VifOptions) -> Bed {
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
    fn connected(options: VifOptions) -> Bed {
        let mut bed = Bed::new(options);
        bed.hotplug();
        bed.offer();
        bed.set_state("4");
        assert_eq!(bed.backend_state(), "4");
        bed.take_events();
        bed
    }

    fn hotplug(&mut self) {
        let node = format!("{}/hotplug-status", xenbus::path(VIF));
        self.host.store.write(&node, b"connected").unwrap();
        self.run();
    }

    /// Writes what a frontend writes before it connects.
    fn offer(&mut self) {
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

    fn write(&mut self, node: &str, value: &str) {
        let path = format!("{FRONTEND}/{node}");
        self.host.store.write(&path, value.as_bytes()).unwrap();
    }

    fn set_state(&mut self, state: &str) {
        self.write("state", state);
        self.run();
    }

    fn backend_state(&self) -> String {
        let node = format!("{}/state", xenbus::path(VIF));
        let state = self.host.store.read(&node).unwrap();
        String::from_utf8(state.to_vec()).unwrap()
    }

    /// Lets dom0 do all that it wants to.
    fn run(&mut self) {
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

    fn kick(&mut self) {
        let mut op = EvtchnOp::Send { port: self.port };
        self.host.hv.event_channel_op(D1, &mut op).unwrap();
        self.run();
    }

    fn set(&mut self, ring: Gfn, index: u64, value: u32) {
        let at = ring.gpa().add(index);
        self.host.hv.store(D1, at, Width::B4, value.into()).unwrap();
    }

    fn get(&mut self, ring: Gfn, index: u64) -> u32 {
        let at = ring.gpa().add(index);
        self.host.hv.load(D1, at, Width::B4).unwrap() as u32
    }

    fn fill(&mut self, buffer: u32, offset: u16, bytes: &[u8]) {
        let at = Gfn(self.buffers.0 + u64::from(buffer)).gpa();
        self.host
            .hv
            .write(D1, at.add(offset.into()), bytes)
            .unwrap();
    }

    /// Puts slots into the transmit ring from its producer index on.
    fn put(&mut self, slots: &[[u8; 12]]) {
        let ring = self.tx_ring;
        let prod = self.get(ring, REQ_PROD);
        for (n, slot) in slots.iter().enumerate() {
            let index = u64::from((prod + n as u32) % 256);
            let at = ring.gpa().add(SLOTS + index * TX_STRIDE);
            self.host.hv.write(D1, at, slot).unwrap();
        }
        self.set(ring, REQ_PROD, prod + slots.len() as u32);
        self.kick();
    }

    /// The transmit responses so far.
    fn answers(&mut self) -> Vec<(u16, i16)> {
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
    fn post(&mut self, count: u32) {
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

    fn received(&mut self, index: u32) -> NetifRxResponse {
        let mut bytes = [0; 8];
        let at = self.rx_ring.gpa();
        let at = at.add(SLOTS + u64::from(index % 256) * RX_STRIDE);
        self.host.hv.read(D1, at, &mut bytes).unwrap();
        NetifRxResponse::read_from_bytes(&bytes).unwrap()
    }

    fn deliver(&mut self, n: u64, bytes: &[u8]) {
        let id = FrameId { origin: 9, n };
        let bytes = bytes.into();
        let frame = Frame { id, bytes };
        self.netback.deliver(&self.host.hv, VIF, frame, Time::ZERO);
    }

    fn take_events(&mut self) -> Vec<Event> {
        let mut records = Vec::new();
        self.host.hv.log.drain(Time::MAX, &mut records);
        let decode = |r: crate::event::Record| Event::decode(&r.payload).unwrap();
        records.into_iter().map(decode).collect()
    }

    fn drops(&mut self) -> Vec<DropReason> {
        let reason = |event| match event {
            Event::FrameDropped { reason, .. } => Some(reason),
            _ => None,
        };
        self.take_events().into_iter().filter_map(reason).collect()
    }

    fn why_disconnected(&mut self) -> Vec<String> {
        let why = |event| match event {
            Event::Disconnected { why, .. } => Some(why),
            _ => None,
        };
        self.take_events().into_iter().filter_map(why).collect()
    }

    /// What dom0 holds: mappings, ports, watches.
    fn held(&self) -> (usize, u32, usize) {
        let dom0 = self.host.hv.domain(DOM0).unwrap();
        let watches = self.host.store.watches();
        (dom0.maptrack.live(), dom0.events.open(), watches)
    }
}

fn slot(id: u16, buffer: u32, offset: u16, size: u16, flags: u16) -> [u8; 12] {
    let request = NetifTxRequest {
        gref: BUFFERS + buffer,
        offset,
        flags,
        id,
        size,
    };
    request.as_bytes().try_into().unwrap()
}

fn extra(kind: u8) -> [u8; 12] {
    [kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

#[test]
fn a_vif_announces_waits_for_hotplug_and_connects() {
    let mut bed = Bed::new(options());
    assert_eq!(bed.backend_state(), "2");
    let feature = |bed: &Bed, name: &str| {
        bed.host
            .store
            .read(&format!("{}/{name}", xenbus::path(VIF)))
    };
    assert_eq!(feature(&bed, "feature-rx-copy").as_deref(), Some(&b"1"[..]));
    assert_eq!(feature(&bed, "feature-rx-flip").as_deref(), Some(&b"0"[..]));
    bed.offer();
    bed.set_state("4");
    assert_eq!(bed.backend_state(), "2", "the hotplug script hasn't run");
    bed.hotplug();
    assert_eq!(bed.backend_state(), "4");
    assert_eq!(bed.held(), (2, 1, 2));
}

#[test]
fn whatever_way_a_vif_ends_everything_is_given_back() {
    for last_words in [&["5", "6"][..], &["6"], &["1", "6"]] {
        let mut bed = Bed::connected(options());
        bed.deliver(1, &[0; 60]);
        for state in last_words {
            bed.set_state(state);
        }
        assert_eq!(bed.backend_state(), "6");
        assert_eq!(bed.held(), (0, 0, 2), "{last_words:?}");
        assert_eq!(bed.drops(), [DropReason::VifDown]);
        let online = format!("{}/online", xenbus::path(VIF));
        bed.host.store.write(&online, b"0").unwrap();
        bed.run();
        assert_eq!((bed.held(), bed.netback.vifs()), ((0, 0, 0), 0));
    }
    for gone in [FRONTEND, &xenbus::path(VIF)] {
        let mut bed = Bed::connected(options());
        bed.host.store.remove(gone).unwrap();
        bed.run();
        assert_eq!((bed.held(), bed.netback.vifs()), ((0, 0, 0), 0));
        assert!(gone == FRONTEND || !bed.host.store.exists(gone));
    }
}

#[test]
fn a_vif_that_closed_connects_again() {
    let mut bed = Bed::connected(options());
    bed.set_state("6");
    bed.set_state("1");
    assert_eq!(bed.backend_state(), "2");
    bed.offer();
    bed.set_state("4");
    assert_eq!(bed.backend_state(), "4");
    bed.put(&[slot(1, 0, 0, 60, 0)]);
    assert_eq!(bed.sent.len(), 1);
}

#[test]
fn a_frontend_that_offers_nonsense_is_refused_and_nothing_leaks() {
    for (node, value) in [
        ("tx-ring-ref", "7000"),
        ("rx-ring-ref", "99999999"),
        ("event-channel", "77"),
        ("event-channel", "many"),
        ("event-channel-tx", "1"),
        ("request-rx-copy", "0"),
        ("feature-rx-notify", "0"),
        ("multi-queue-num-queues", "0"),
        ("tx-ring-ref", "\u{7f}"),
    ] {
        let mut bed = Bed::new(options());
        bed.hotplug();
        bed.offer();
        bed.write(node, value);
        bed.set_state("4");
        assert_eq!(bed.backend_state(), "6", "{node}={value}");
        assert_eq!(bed.why_disconnected().len(), 1);
        assert_eq!(bed.held(), (0, 0, 2), "{node}={value}");
    }
}

#[test]
fn a_packet_in_several_slots_becomes_one_frame() {
    let mut bed = Bed::connected(options());
    bed.fill(0, 100, &[1; 1000]);
    bed.fill(1, 0, &[2; 4096]);
    bed.fill(2, 4000, &[3; 96]);
    bed.put(&[
        slot(5, 0, 100, 5192, NETTXF_MORE_DATA),
        slot(6, 1, 0, 4096, NETTXF_MORE_DATA),
        slot(7, 2, 4000, 96, 0),
    ]);
    let expected = [&[1; 1000][..], &[2; 4096], &[3; 96]].concat();
    let frame = bed.sent.pop_front().unwrap();
    assert_eq!(&frame.bytes[..], &expected[..]);
    assert_eq!(frame.id, FrameId { origin: 7, n: 100 });
    let ok = NETIF_RSP_OKAY;
    assert_eq!(bed.answers(), [(5, ok), (6, ok), (7, ok)]);
    let crossed: u32 = bed
        .take_events()
        .iter()
        .map(|event| match event {
            Event::GrantBytes {
                bytes,
                mapped: false,
                ..
            } => *bytes,
            _ => 0,
        })
        .sum();
    assert_eq!(crossed, 5192);
    let ring = bed.tx_ring;
    assert_eq!(
        bed.get(ring, REQ_EVENT),
        4,
        "an event is wanted for the next request"
    );
}

#[test]
fn a_burst_is_answered_with_one_event() {
    let mut bed = Bed::connected(options());
    let burst: Vec<_> = (0..20).map(|n| slot(n, 0, 0, 60, 0)).collect();
    bed.put(&burst);
    assert_eq!((bed.sent.len(), bed.answers().len()), (20, 20));
    let events = bed.take_events();
    let to_guest = |e: &&Event| matches!(e, Event::EventPending { domid: D1, .. });
    assert_eq!(events.iter().filter(to_guest).count(), 1);
}

#[test]
fn a_blank_checksum_is_filled_in_before_the_frame_is_born() {
    let mut bed = Bed::connected(options());
    let mut packet = vec![0; 12];
    packet.extend_from_slice(&[8, 0, 0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2, 0, 7, 0, 7, 0, 9, 0, 0, 65]);
    let len = packet.len() as u16;
    bed.fill(0, 0, &packet);
    bed.fill(1, 0, &[0; 60]);
    bed.put(&[
        slot(1, 0, 0, len, NETTXF_CSUM_BLANK),
        slot(2, 1, 0, 60, NETTXF_CSUM_BLANK),
    ]);
    let mut expected = packet.clone();
    checksum::complete(&mut expected).unwrap();
    assert_ne!(expected, packet);
    assert_eq!(bed.sent.len(), 1, "nothing in the other could carry one");
    assert_eq!(&bed.sent[0].bytes[..], &expected[..]);
    assert_eq!(bed.answers(), [(1, NETIF_RSP_OKAY), (2, NETIF_RSP_ERROR)]);
}

#[test]
fn malformed_packets_are_answered_with_an_error_and_extras_with_null() {
    let mut bed = Bed::connected(options());
    bed.put(&[
        slot(1, 0, 0, 13, 0),
        slot(2, 0, 0, 100, NETTXF_MORE_DATA),
        slot(3, 0, 0, 200, 0),
        slot(4, 5000, 0, 60, 0),
        slot(5, 0, 0, 60, NETTXF_EXTRA_INFO),
        extra(1),
        slot(6, 0, 0, 60, NETTXF_EXTRA_INFO),
        extra(4),
        slot(7, 0, 0, 60, 0),
    ]);
    let (ok, error, null) = (NETIF_RSP_OKAY, NETIF_RSP_ERROR, NETIF_RSP_NULL);
    let expected = [
        (1, error),
        (2, error),
        (3, error),
        (4, error),
        (5, error),
        (0, null),
        (6, ok),
        (0, null),
        (7, ok),
    ];
    assert_eq!(bed.answers(), expected);
    assert_eq!(bed.sent.len(), 2);
    assert_eq!(bed.why_disconnected(), Vec::<String>::new());
}

#[test]
fn nonsense_shuts_the_vif_which_can_still_be_closed() {
    let overrun = |bed: &mut Bed| {
        let ring = bed.tx_ring;
        bed.set(ring, REQ_PROD, 257);
        bed.kick();
    };
    let rx_overrun = |bed: &mut Bed| {
        let ring = bed.rx_ring;
        bed.set(ring, REQ_PROD, 300);
        bed.deliver(1, &[0; 60]);
        bed.run();
    };
    let missing_slot = |bed: &mut Bed| bed.put(&[slot(1, 0, 0, 100, NETTXF_MORE_DATA)]);
    let missing_extra = |bed: &mut Bed| bed.put(&[slot(1, 0, 0, 100, NETTXF_EXTRA_INFO)]);
    let crosses = |bed: &mut Bed| bed.put(&[slot(1, 0, 4090, 100, 0)]);
    let bad_extra = |bed: &mut Bed| {
        bed.put(&[slot(1, 0, 0, 60, NETTXF_EXTRA_INFO), extra(0)]);
    };
    let acts: [&dyn Fn(&mut Bed); 6] = [
        &overrun,
        &rx_overrun,
        &missing_slot,
        &missing_extra,
        &crosses,
        &bad_extra,
    ];
    for act in acts {
        let mut bed = Bed::connected(options());
        act(&mut bed);
        assert_eq!(bed.why_disconnected().len(), 1);
        bed.deliver(2, &[0; 60]);
        bed.run();
        assert_eq!(bed.drops(), [DropReason::VifDown]);
        bed.set_state("6");
        assert_eq!(bed.held(), (0, 0, 2));
    }
}

#[test]
fn a_mapped_packet_is_answered_only_when_its_frame_has_left_the_bridge() {
    let map_tx = true;
    let mut bed = Bed::connected(VifOptions {
        map_tx,
        ..options()
    });
    bed.fill(0, 0, &[1; 60]);
    let packet = [
        slot(1, 0, 0, 80, NETTXF_MORE_DATA),
        slot(2, 1, 0, 20, 0),
        slot(3, 5000, 0, 60, 0),
    ];
    bed.put(&packet);
    assert_eq!(bed.answers(), [(3, NETIF_RSP_ERROR)]);
    assert_eq!(bed.held().0, 4, "two rings and two pages");
    let frame = bed.sent.pop_front().unwrap();
    bed.netback.forwarded(VIF, frame.id, Time::ZERO);
    bed.run();
    assert_eq!(bed.held().0, 2);
    let ok = NETIF_RSP_OKAY;
    assert_eq!(bed.answers()[1..], [(1, ok), (2, ok)]);
    bed.put(&packet);
    bed.set_state("6");
    assert_eq!(
        bed.held(),
        (0, 0, 2),
        "a frame on the bridge holds nothing back"
    );
}

#[test]
fn a_frame_fills_posted_buffers_and_each_response_stands_in_its_requests_slot() {
    let mut bed = Bed::connected(options());
    bed.post(8);
    bed.deliver(1, &[7; 5000]);
    bed.deliver(2, &[8; 60]);
    bed.run();
    let ring = bed.rx_ring;
    assert_eq!(bed.get(ring, RSP_PROD), 3);
    let answers: Vec<_> = (0..3).map(|n| bed.received(n)).collect();
    let seen: Vec<_> = answers.iter().map(|a| (a.id, a.status, a.flags)).collect();
    assert_eq!(seen, [(0, 4096, NETRXF_MORE_DATA), (1, 904, 0), (2, 60, 0)]);
    let mut page = [0; 4096];
    let second = Gfn(bed.buffers.0 + 1);
    bed.host.hv.read(D1, second.gpa(), &mut page).unwrap();
    assert!(page[..904] == [7; 904] && page[904] == 0);
}

#[test]
fn a_frame_waits_for_buffers_and_the_queue_is_bounded() {
    let mut bed = Bed::connected(options());
    bed.post(1);
    bed.deliver(1, &[7; 5000]);
    bed.run();
    let ring = bed.rx_ring;
    assert_eq!((bed.get(ring, RSP_PROD), bed.get(ring, REQ_EVENT)), (0, 2));
    bed.post(2);
    bed.kick();
    assert_eq!(bed.get(ring, RSP_PROD), 2);
    for n in 0..3000 {
        bed.deliver(n, &[0; 14]);
    }
    bed.deliver(0, &[0; 66_000]);
    bed.deliver(0, &[0; 13]);
    bed.run();
    let drops = bed.drops();
    let (full, last) = drops.split_at(drops.len() - 2);
    assert_eq!(last, [DropReason::TooLong, DropReason::Runt]);
    assert_eq!(full, vec![DropReason::VifQueueFull; 3000 - 2048]);
}

#[test]
fn without_scatter_gather_a_frame_is_a_page_at_most() {
    let mut bed = Bed::new(options());
    bed.hotplug();
    bed.offer();
    bed.write("feature-sg", "0");
    bed.set_state("4");
    bed.take_events();
    bed.deliver(1, &[0; 4097]);
    assert_eq!(bed.drops(), [DropReason::TooLong]);
}

#[test]
fn a_buffer_that_cannot_be_written_to_costs_the_frame() {
    let mut bed = Bed::connected(options());
    bed.post(2);
    let request = NetifRxRequest {
        id: 9,
        pad: 0,
        gref: 400,
    };
    let at = bed.rx_ring.gpa().add(SLOTS);
    bed.host.hv.write(D1, at, request.as_bytes()).unwrap();
    bed.deliver(1, &[1; 60]);
    bed.deliver(2, &[2; 60]);
    bed.run();
    assert_eq!(bed.drops(), [DropReason::BadGrant]);
    let refused = bed.received(0);
    assert!(refused.id == 9 && refused.status < 0);
    assert_eq!(bed.received(1).status, 60);
}

#[test]
fn split_event_channels_serve_one_half_each() {
    let mut bed = Bed::new(options());
    bed.hotplug();
    bed.offer();
    let tx_port = bed.port;
    bed.offer();
    bed.write("event-channel-tx", &tx_port.0.to_string());
    bed.write("event-channel-rx", &bed.port.0.to_string());
    bed.set_state("4");
    assert_eq!(bed.held(), (2, 2, 2));
    bed.post(1);
    bed.take_events();
    bed.deliver(1, &[0; 60]);
    bed.run();
    let rx_port = bed.port.0;
    let pending = Event::EventPending {
        domid: D1,
        port: rx_port,
    };
    assert!(bed.take_events().contains(&pending));
    bed.set_state("6");
    assert_eq!(bed.held(), (0, 0, 2));
}

/// What a hostile frontend does between two events.
#[derive(Clone, Debug)]
enum Act {
    /// Writes anything anywhere into a ring's page.
    Scribble { tx: bool, at: u16, bytes: Vec<u8> },
    /// Moves a producer or event index.
    Index { tx: bool, which: u64, by: u32 },
    /// Puts a slot that is nearly right.
    Slot {
        size: u16,
        offset: u16,
        flags: u16,
        buffer: u32,
    },
    /// A frame arrives.
    Frame(u16),
    /// Writes a state.
    State(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let index = prop::sample::select(vec![REQ_PROD, REQ_EVENT, RSP_PROD, RSP_EVENT]);
    let bytes = prop::collection::vec(any::<u8>(), 1..40);
    let sizes = prop_oneof![0_u16..200, any::<u16>()];
    prop_oneof![
        2 => (any::<bool>(), 0_u16..4000, bytes)
            .prop_map(|(tx, at, bytes)| Act::Scribble { tx, at, bytes }),
        3 => (any::<bool>(), index, prop_oneof![0_u32..20, any::<u32>()])
            .prop_map(|(tx, which, by)| Act::Index { tx, which, by }),
        8 => (sizes, prop_oneof![0_u16..100, any::<u16>()], 0_u16..16, 0_u32..70)
            .prop_map(|(size, offset, flags, buffer)| Act::Slot { size, offset, flags, buffer }),
        3 => (0_u16..6000).prop_map(Act::Frame),
        1 => (0_u8..9).prop_map(Act::State),
    ]
}

fn play(bed: &mut Bed, act: &Act) {
    match act {
        Act::Scribble { tx, at, bytes } => {
            let ring = if *tx { bed.tx_ring } else { bed.rx_ring };
            let at = ring.gpa().add((*at).into());
            bed.host.hv.write(D1, at, bytes).unwrap();
        }
        Act::Index { tx, which, by } => {
            let ring = if *tx { bed.tx_ring } else { bed.rx_ring };
            let value = bed.get(ring, *which).wrapping_add(*by);
            bed.set(ring, *which, value);
        }
        Act::Slot {
            size,
            offset,
            flags,
            buffer,
        } => {
            let ring = bed.tx_ring;
            let prod = bed.get(ring, REQ_PROD);
            let at = ring.gpa().add(SLOTS + u64::from(prod % 256) * TX_STRIDE);
            let slot = slot(1, *buffer, *offset, *size, *flags);
            bed.host.hv.write(D1, at, &slot).unwrap();
            bed.set(ring, REQ_PROD, prod.wrapping_add(1));
        }
        Act::Frame(len) => bed.deliver(0, &vec![0; (*len).into()]),
        Act::State(state) => bed.write("state", &state.to_string()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_hostile_frontend_hurts_nobody_but_itself(
        map_tx in any::<bool>(),
        acts in prop::collection::vec((act(), any::<bool>()), 1..40),
    ) {
        let mut bed = Bed::connected(VifOptions { map_tx, ..options() });
        for (act, kick) in &acts {
            play(&mut bed, act);
            if *kick {
                bed.kick();
            }
            while let Some(frame) = bed.sent.pop_front() {
                prop_assert!(frame.bytes.len() <= usize::from(u16::MAX));
                bed.netback.forwarded(VIF, frame.id, Time::ZERO);
            }
        }
        bed.run();
        bed.host.store.remove(FRONTEND).unwrap();
        bed.run();
        prop_assert_eq!((bed.held(), bed.netback.vifs()), ((0, 0, 0), 0));
    }
}
