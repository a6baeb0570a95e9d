//! How a vif comes and goes.

use super::bed::*;
use crate::event::{DropReason, Event};
use crate::netback::xenbus;

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
