//! What a guest receives.

use xen_abi::Gfn;
use xen_abi::io::netif::{NETRXF_MORE_DATA, NetifRxRequest};
use xen_abi::io::ring::{REQ_EVENT, RSP_PROD, SLOTS};
use zerocopy::IntoBytes;

use super::bed::*;
use crate::event::DropReason;

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
