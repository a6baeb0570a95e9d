//! The device against a backend that the test plays: honest, slow, and hostile.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;
use xen_abi::Width;
use xen_abi::io::netif::{
    NETRXF_CSUM_BLANK, NETRXF_EXTRA_INFO, NETRXF_MORE_DATA, NETTXF_CSUM_BLANK,
    NETTXF_DATA_VALIDATED, NETTXF_MORE_DATA, NetifRxRequest, NetifRxResponse, NetifTxRequest,
    NetifTxResponse, RING_SLOTS, RX_STRIDE, TX_STRIDE,
};
use xen_abi::io::ring::{REQ_PROD, RSP_PROD, SLOTS};
use zerocopy::{FromZeros, IntoBytes};

use super::*;
use crate::dev::fake::FakeXen;

const FEATURES: Features = Features {
    scatter_gather: true,
    checksum: true,
};

/// A connected device with a backend in the test's hands.
struct Bench {
    xen: FakeXen,
    events: EventChannels,
    grants: GrantTable,
    device: Netfront,
    tx: Gfn,
    rx: Gfn,
    tx_seen: u32,
    rx_used: u32,
}

impl Bench {
    fn new(features: Features) -> Bench {
        let mut xen = FakeXen::new();
        let mut grants = GrantTable::new(&mut xen).unwrap();
        let shared_info = xen.reserve_gfns(1).unwrap();
        let events = EventChannels::new(&mut xen, shared_info.gpa());
        let (mut device, opened) =
            Netfront::open(&mut xen, &events, &mut grants, DomId(0), features).unwrap();
        device.start(&mut xen, Mac([2; 6]), 9000).unwrap();
        Bench {
            tx: xen.granted(opened.tx_ring),
            rx: xen.granted(opened.rx_ring),
            xen,
            events,
            grants,
            device,
            tx_seen: 0,
            rx_used: 0,
        }
    }

    fn send(&mut self, frame: &[u8], needs_csum: bool) -> Result<(), DeviceFull> {
        let mut port = self.device.port(&mut self.xen, &mut self.grants).unwrap();
        port.transmit(frame.len(), needs_csum, &mut |to| to.copy_from_slice(frame))
    }

    /// The requests that the backend sees, with the bytes that each grants.
    fn sent(&mut self) -> Vec<(NetifTxRequest, Vec<u8>)> {
        self.device.flush(&mut self.xen).unwrap();
        let prod = self.xen.load(self.tx.gpa().add(REQ_PROD), Width::B4) as u32;
        let mut seen = Vec::new();
        while self.tx_seen != prod {
            let slot = u64::from(self.tx_seen % RING_SLOTS);
            let mut request = NetifTxRequest::new_zeroed();
            let at = self.tx.gpa().add(SLOTS + slot * TX_STRIDE);
            self.xen.read(at, request.as_mut_bytes());
            let frame = self.xen.granted(GrantRef(request.gref));
            let mut bytes = vec![0; usize::from(request.size).min(4096)];
            self.xen.read(frame.gpa(), &mut bytes);
            seen.push((request, bytes));
            self.tx_seen += 1;
        }
        seen
    }

    /// Answers the transmit request in slot `index`.
    fn answer(&mut self, index: u32, id: u16) {
        let response = NetifTxResponse { id, status: 0 };
        let slot = u64::from(index % RING_SLOTS);
        let at = self.tx.gpa().add(SLOTS + slot * TX_STRIDE);
        self.xen.write(at, response.as_bytes());
        let at = self.tx.gpa().add(RSP_PROD);
        self.xen.store(at, Width::B4, u64::from(index + 1));
    }

    fn posted(&mut self) -> u32 {
        let prod = self.xen.load(self.rx.gpa().add(REQ_PROD), Width::B4) as u32;
        prod - self.rx_used
    }

    /// Fills the next posted buffer with `bytes` at `offset`, and says so.
    fn fill(&mut self, offset: u16, bytes: &[u8], flags: u16) {
        let slot = u64::from(self.rx_used % RING_SLOTS);
        let at = self.rx.gpa().add(SLOTS + slot * RX_STRIDE);
        let mut request = NetifRxRequest::new_zeroed();
        self.xen.read(at, request.as_mut_bytes());
        let frame = self.xen.granted(GrantRef(request.gref));
        self.xen.write(frame.gpa().add(u64::from(offset)), bytes);
        self.respond(NetifRxResponse {
            id: request.id,
            offset,
            flags,
            status: bytes.len() as i16,
        });
    }

    fn respond(&mut self, response: NetifRxResponse) {
        let slot = u64::from(self.rx_used % RING_SLOTS);
        let at = self.rx.gpa().add(SLOTS + slot * RX_STRIDE);
        self.xen.write(at, response.as_bytes());
        self.rx_used += 1;
        let at = self.rx.gpa().add(RSP_PROD);
        self.xen.store(at, Width::B4, u64::from(self.rx_used));
    }

    fn receive(&mut self) -> Result<Vec<(Vec<u8>, bool)>, NetfrontError> {
        let mut frames = Vec::new();
        let (xen, grants) = (&mut self.xen, &mut self.grants);
        self.device.receive(xen, grants, &mut |frame, csum_ok| {
            frames.push((frame.to_vec(), csum_ok));
        })?;
        Ok(frames)
    }

    /// Closes the device: nothing may be left.
    fn close(mut self) {
        let kept = self
            .device
            .close(&mut self.xen, &self.events, &mut self.grants);
        assert_eq!((kept, self.grants.given(), self.xen.allocated), (0, 0, 0));
        assert_eq!(self.xen.closed.len(), 1);
    }
}

#[test]
fn a_frame_is_granted_in_one_page_and_taken_back_when_answered() {
    let mut bench = Bench::new(FEATURES);
    let given = bench.grants.given();
    bench.send(b"some frame", true).unwrap();
    let sent = bench.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].1, b"some frame");
    assert_eq!(sent[0].0.flags, NETTXF_CSUM_BLANK | NETTXF_DATA_VALIDATED);
    assert_eq!(bench.grants.given(), given + 1);
    bench.answer(0, sent[0].0.id);
    bench.receive().unwrap();
    assert_eq!(bench.grants.given(), given);
    bench.close();
}

#[test]
fn a_large_frame_takes_several_slots_and_the_first_says_the_whole_size() {
    let mut bench = Bench::new(FEATURES);
    let frame: Vec<u8> = (0..9000u32).map(|n| n as u8).collect();
    bench.send(&frame, false).unwrap();
    let sent = bench.sent();
    let sizes: Vec<u16> = sent.iter().map(|(request, _)| request.size).collect();
    let flags: Vec<u16> = sent.iter().map(|(request, _)| request.flags).collect();
    assert_eq!(sizes, [9000, 4096, 9000 - 2 * 4096]);
    assert_eq!(flags, [NETTXF_MORE_DATA, NETTXF_MORE_DATA, 0]);
    let together: Vec<u8> = sent.into_iter().flat_map(|(_, bytes)| bytes).collect();
    assert!(together == frame);
    bench.close();
}

#[test]
fn a_full_ring_refuses_a_frame_without_filling_it() {
    let mut bench = Bench::new(FEATURES);
    for _ in 0..RING_SLOTS {
        bench.send(b"x", false).unwrap();
    }
    assert_eq!(bench.send(b"y", false), Err(DeviceFull));
    assert!(bench.device.is_full() && !bench.device.starved());
    let sent = bench.sent();
    assert!(sent.iter().all(|(_, bytes)| bytes == b"x"));
    bench.answer(0, sent[0].0.id);
    bench.receive().unwrap();
    assert_eq!(bench.send(b"y", false), Ok(()));
    bench.close();
}

#[test]
fn without_memory_a_frame_is_refused_and_the_device_says_that_no_event_will_come() {
    let mut bench = Bench::new(FEATURES);
    bench.xen.memory = 1;
    assert_eq!(bench.send(&[0; 5000], false), Err(DeviceFull));
    assert!(bench.device.starved());
    bench.close();
}

#[test]
fn thirty_two_buffers_are_posted_and_more_only_under_load() {
    let mut bench = Bench::new(FEATURES);
    assert_eq!(bench.posted(), 32);
    for _ in 0..8 {
        bench.fill(0, b"frame", 0);
    }
    assert_eq!(bench.receive().unwrap().len(), 8);
    assert_eq!(bench.posted(), 32);
    for expected in [64, 128, 256, 256] {
        for _ in 0..bench.posted() {
            bench.fill(0, b"frame", 0);
        }
        bench.receive().unwrap();
        assert_eq!(bench.posted(), expected);
    }
    bench.close();
}

#[test]
fn a_frame_is_handed_up_from_its_offset_with_what_the_backend_knows_of_its_checksum() {
    let mut bench = Bench::new(FEATURES);
    bench.fill(100, b"first", NETRXF_CSUM_BLANK);
    bench.fill(4090, b"second", 0);
    assert_eq!(
        bench.receive().unwrap(),
        [(b"first".to_vec(), true), (b"second".to_vec(), false)]
    );
    bench.close();
}

#[test]
fn a_frame_over_several_slots_is_put_together_even_when_they_come_one_by_one() {
    let mut bench = Bench::new(FEATURES);
    bench.fill(0, b"one ", NETRXF_MORE_DATA | NETRXF_CSUM_BLANK);
    assert!(bench.receive().unwrap().is_empty());
    bench.fill(9, b"two ", NETRXF_MORE_DATA);
    bench.fill(0, b"three", 0);
    assert_eq!(
        bench.receive().unwrap(),
        [(b"one two three".to_vec(), true)]
    );
    bench.close();
}

#[test]
fn a_failed_slot_drops_its_packet_and_no_other() {
    let mut bench = Bench::new(FEATURES);
    bench.fill(0, b"lost ", NETRXF_MORE_DATA);
    bench.respond(NetifRxResponse {
        id: 1,
        offset: 0,
        flags: 0,
        status: -1,
    });
    bench.fill(0, b"good", 0);
    assert_eq!(bench.receive().unwrap(), [(b"good".to_vec(), false)]);
    bench.close();
}

#[test]
fn the_receive_ring_wraps() {
    let mut bench = Bench::new(FEATURES);
    for n in 0..600u32 {
        bench.fill(0, &n.to_le_bytes(), 0);
        assert_eq!(
            bench.receive().unwrap(),
            [(n.to_le_bytes().to_vec(), false)]
        );
    }
    bench.close();
}

#[test]
fn a_hostile_backend_gets_a_typed_error() {
    let honest = NetifRxResponse {
        id: 0,
        offset: 0,
        flags: 0,
        status: 4,
    };
    let cases = [
        (NetifRxResponse { id: 1, ..honest }, NetfrontError::BadId(1)),
        (
            NetifRxResponse {
                offset: 4093,
                ..honest
            },
            NetfrontError::BadExtent {
                offset: 4093,
                len: 4,
            },
        ),
        (
            NetifRxResponse {
                flags: NETRXF_EXTRA_INFO,
                ..honest
            },
            NetfrontError::UnexpectedExtra,
        ),
    ];
    for (response, error) in cases {
        let mut bench = Bench::new(FEATURES);
        bench.respond(response);
        assert_eq!(bench.receive(), Err(error));
        bench.close();
    }
}

#[test]
fn responses_to_requests_that_were_never_made_are_refused() {
    let mut bench = Bench::new(FEATURES);
    let at = bench.rx.gpa().add(RSP_PROD);
    bench.xen.store(at, Width::B4, 33);
    let overrun = RingOverrun {
        claimed: 33,
        outstanding: 32,
    };
    assert_eq!(bench.receive(), Err(overrun.into()));
    bench.close();
}

#[test]
fn a_transmit_answer_counts_once() {
    let mut bench = Bench::new(FEATURES);
    bench.send(b"a", false).unwrap();
    bench.send(b"b", false).unwrap();
    let id = bench.sent()[0].0.id;
    bench.answer(0, id);
    bench.answer(1, id);
    assert_eq!(bench.receive(), Err(NetfrontError::BadId(id)));
    bench.close();
}

#[test]
fn a_frame_that_the_backend_answers_but_keeps_is_never_touched_again() {
    let mut bench = Bench::new(FEATURES);
    bench.send(b"a", false).unwrap();
    let request = bench.sent()[0].0;
    let gref = GrantRef(request.gref);
    bench.xen.set_in_use(gref, true);
    bench.answer(0, request.id);
    assert_eq!(bench.receive(), Err(GrantError::InUse(gref).into()));
    let Bench {
        mut xen,
        events,
        mut grants,
        device,
        ..
    } = bench;
    assert_eq!(device.close(&mut xen, &events, &mut grants), 1);
    assert_eq!((grants.given(), xen.allocated), (1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_backend_writes_nothing_panics_and_nothing_is_lost(
        slots in prop::collection::vec(any::<(u16, u16, u16, i16)>(), 1..40),
        claimed in 0u32..40,
        tx_slots in prop::collection::vec((0u16..300, any::<i16>()), 0..4),
    ) {
        let mut bench = Bench::new(FEATURES);
        bench.send(b"one", false).unwrap();
        bench.send(&[7; 6000], false).unwrap();
        bench.sent();
        for (n, (id, status)) in tx_slots.iter().enumerate() {
            let response = NetifTxResponse { id: *id, status: *status };
            let at = bench.tx.gpa().add(SLOTS + n as u64 * TX_STRIDE);
            bench.xen.write(at, response.as_bytes());
        }
        let at = bench.tx.gpa().add(RSP_PROD);
        bench.xen.store(at, Width::B4, tx_slots.len() as u64);
        for (n, (id, offset, flags, status)) in slots.iter().enumerate() {
            // Every other response is plausible, so that the walk goes deep.
            let id = if id % 2 == 0 { n as u16 } else { *id };
            let response = NetifRxResponse {
                id,
                offset: offset % 4200,
                flags: flags & NETRXF_MORE_DATA,
                status: status % 1600,
            };
            bench.respond(response);
        }
        let at = bench.rx.gpa().add(RSP_PROD);
        bench.xen.store(at, Width::B4, u64::from(claimed));
        let _ = bench.receive();
        bench.close();
    }
}
