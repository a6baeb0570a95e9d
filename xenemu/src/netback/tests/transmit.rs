//! What a guest sends.

use xen_abi::io::netif::{
    NETIF_RSP_ERROR, NETIF_RSP_NULL, NETIF_RSP_OKAY, NETTXF_CSUM_BLANK, NETTXF_EXTRA_INFO,
    NETTXF_MORE_DATA,
};
use xen_abi::io::ring::{REQ_EVENT, REQ_PROD, RSP_EVENT, RSP_PROD};

use super::bed::*;
use crate::event::Event;
use crate::frame::FrameId;
use crate::netback::{VifOptions, checksum};
use crate::time::Time;

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
fn a_ring_goes_on_where_its_indices_stand_and_they_wrap() {
    let mut bed = Bed::new(options());
    bed.hotplug();
    bed.offer();
    let (ring, before) = (bed.tx_ring, u32::MAX - 1);
    for (index, value) in [
        (REQ_PROD, before),
        (RSP_PROD, before),
        (REQ_EVENT, u32::MAX),
        (RSP_EVENT, u32::MAX),
    ] {
        bed.set(ring, index, value);
    }
    bed.set_state("4");
    bed.take_events();
    let packets: Vec<_> = (0..5).map(|n| slot(n, 0, 0, 60, 0)).collect();
    bed.put(&packets);
    assert_eq!(bed.sent.len(), 5);
    assert_eq!((bed.get(ring, RSP_PROD), bed.get(ring, REQ_EVENT)), (3, 4));
    let notified = |e: &Event| matches!(e, Event::EventPending { domid: D1, .. });
    assert_eq!(bed.take_events().iter().filter(|e| notified(e)).count(), 1);
}
