//! The rules of event channels, as the public header and a real Xen state them.

use xen_abi::event_channel::{EvtchnOp, EvtchnStatus, VIRQ_DEBUG, VIRQ_TIMER};
use xen_abi::shared_info::{EVTCHN_MASK, EVTCHN_PENDING, VCPU_EVTCHN_PENDING_SEL};
use xen_abi::{DomId, Errno, Port};

use crate::actor::ActorKind;
use crate::fixture::{A, B, DOM0, two_domains};
use crate::hypervisor::Hypervisor;

/// A's port and B's, bound to each other, with nothing pending.
fn bound(hv: &mut Hypervisor) -> (Port, Port) {
    let a = hv.alloc(A, B).unwrap();
    let b = hv.bind(B, A, a).unwrap();
    quiet(hv, B);
    (a, b)
}

/// What a guest does before it sleeps.
fn quiet(hv: &mut Hypervisor, who: DomId) {
    for at in [0, VCPU_EVTCHN_PENDING_SEL, EVTCHN_PENDING] {
        hv.set_shared(who, at, 0);
    }
    hv.dequeue(who);
}

fn awake(hv: &Hypervisor, who: DomId) -> bool {
    hv.domain(who).unwrap().vcpu.wake.is_some()
}

#[test]
fn ports_begin_at_one_and_the_lowest_free_one_is_given() {
    let mut hv = two_domains();
    let ports: Vec<_> = (0..3).map(|_| hv.alloc(A, B).unwrap().0).collect();
    assert_eq!(ports, [1, 2, 3]);
    let close = hv.event_channel_op(A, &mut EvtchnOp::Close { port: Port(2) });
    assert_eq!(close, Ok(0));
    assert_eq!(hv.alloc(A, B), Ok(Port(2)));
}

#[test]
fn a_domain_has_4095_ports() {
    let mut hv = two_domains();
    while hv.alloc(A, B).is_ok() {}
    assert_eq!(hv.domain(A).unwrap().events.open(), 4095);
    assert_eq!(hv.alloc(A, B), Err(Errno::ENOSPC));
}

#[test]
fn only_who_is_meant_may_bind() {
    let mut hv = two_domains();
    let port = hv.alloc(A, DOM0).unwrap();
    assert_eq!(hv.bind(B, A, port), Err(Errno::EINVAL));
    assert_eq!(hv.bind(B, A, Port(60_000)), Err(Errno::EINVAL));
    assert_eq!(hv.bind(B, DomId(77), port), Err(Errno::ESRCH));
}

#[test]
fn nobody_opens_a_port_in_another_domain_but_dom0() {
    let mut hv = two_domains();
    let mut op = EvtchnOp::AllocUnbound {
        dom: A,
        remote_dom: B,
        port: Port(0),
    };
    assert_eq!(hv.event_channel_op(B, &mut op), Err(Errno::EPERM));
    assert_eq!(hv.event_channel_op(DOM0, &mut op), Ok(0));
}

#[test]
fn a_new_binding_is_pending_at_once() {
    let mut hv = two_domains();
    let a = hv.alloc(A, B).unwrap();
    let b = hv.bind(B, A, a).unwrap();
    assert_eq!(hv.shared(B, EVTCHN_PENDING), 1 << b.0);
    assert!(awake(&hv, B));
}

#[test]
fn an_event_sets_pending_selector_and_upcall_and_wakes() {
    let mut hv = two_domains();
    let (a, b) = bound(&mut hv);
    assert_eq!(hv.send(A, a), Ok(0));
    assert_eq!(hv.shared(B, EVTCHN_PENDING), 1 << b.0);
    assert_eq!(hv.shared(B, VCPU_EVTCHN_PENDING_SEL), 1);
    assert_eq!(hv.shared(B, 0) & 0xFF, 1);
    assert!(awake(&hv, B));
}

#[test]
fn a_port_that_is_pending_stays_as_it_is() {
    let mut hv = two_domains();
    let (a, b) = bound(&mut hv);
    hv.set_shared(B, EVTCHN_PENDING, 1 << b.0);
    assert_eq!(hv.send(A, a), Ok(0));
    assert_eq!(hv.shared(B, VCPU_EVTCHN_PENDING_SEL), 0, "the edge is lost");
    assert!(!awake(&hv, B));
}

#[test]
fn a_selector_that_is_set_stops_the_upcall() {
    let mut hv = two_domains();
    let (a, _) = bound(&mut hv);
    hv.set_shared(B, VCPU_EVTCHN_PENDING_SEL, 1);
    assert_eq!(hv.send(A, a), Ok(0));
    assert!(!awake(&hv, B));
}

#[test]
fn a_masked_port_becomes_pending_and_wakes_nobody_until_it_is_unmasked_by_hypercall() {
    let mut hv = two_domains();
    let (a, b) = bound(&mut hv);
    hv.set_shared(B, EVTCHN_MASK, 1 << b.0);
    assert_eq!(hv.send(A, a), Ok(0));
    assert_eq!(hv.shared(B, EVTCHN_PENDING), 1 << b.0);
    assert!(!awake(&hv, B));
    hv.set_shared(B, EVTCHN_MASK, 0);
    assert!(!awake(&hv, B), "a store to the mask is only a store");
    let unmask = &mut EvtchnOp::Unmask { port: b };
    assert_eq!(hv.event_channel_op(B, unmask), Ok(0));
    assert!(!awake(&hv, B), "it was not masked");
    hv.set_shared(B, EVTCHN_MASK, 1 << b.0);
    assert_eq!(hv.event_channel_op(B, unmask), Ok(0));
    assert!(awake(&hv, B));
}

#[test]
fn closing_leaves_the_peer_unbound_without_an_event() {
    let mut hv = two_domains();
    let (a, b) = bound(&mut hv);
    quiet(&mut hv, A);
    let close = hv.event_channel_op(B, &mut EvtchnOp::Close { port: b });
    assert_eq!(close, Ok(0));
    assert_eq!(hv.status(A, a), Ok(EvtchnStatus::Unbound { dom: B }));
    assert_eq!(hv.status(B, b), Ok(EvtchnStatus::Closed));
    assert!(!awake(&hv, A));
    assert_eq!(hv.send(A, a), Ok(0), "sent, and lost");
    assert_eq!(hv.send(B, b), Err(Errno::EINVAL));
}

#[test]
fn closing_clears_what_was_pending() {
    let mut hv = two_domains();
    let (a, b) = bound(&mut hv);
    assert_eq!(hv.send(A, a), Ok(0));
    let close = hv.event_channel_op(B, &mut EvtchnOp::Close { port: b });
    assert_eq!(close, Ok(0));
    assert_eq!(hv.shared(B, EVTCHN_PENDING), 0);
}

#[test]
fn an_ipi_is_sent_to_oneself_and_a_virq_by_nobody() {
    let mut hv = two_domains();
    let ipi = &mut EvtchnOp::BindIpi {
        vcpu: 0,
        port: Port(0),
    };
    assert_eq!(hv.event_channel_op(A, ipi), Ok(0));
    assert_eq!(hv.send(A, Port(1)), Ok(0));
    assert_eq!(hv.shared(A, EVTCHN_PENDING), 2);
    let virq = &mut EvtchnOp::BindVirq {
        virq: VIRQ_TIMER,
        vcpu: 0,
        port: Port(0),
    };
    assert_eq!(hv.event_channel_op(A, virq), Ok(0));
    assert_eq!(hv.send(A, Port(2)), Err(Errno::EINVAL));
    hv.raise_virq(A, VIRQ_TIMER);
    assert_eq!(hv.shared(A, EVTCHN_PENDING), 6);
    hv.raise_virq(A, VIRQ_DEBUG);
    assert_eq!(hv.shared(A, EVTCHN_PENDING), 6, "it is bound to no port");
}

#[test]
fn a_virq_may_be_bound_again_after_it_was_closed() {
    let mut hv = two_domains();
    let virq = |virq, vcpu| EvtchnOp::BindVirq {
        virq,
        vcpu,
        port: Port(0),
    };
    assert_eq!(hv.event_channel_op(A, &mut virq(24, 0)), Err(Errno::EINVAL));
    assert_eq!(hv.event_channel_op(A, &mut virq(0, 1)), Err(Errno::ENOENT));
    assert_eq!(hv.event_channel_op(A, &mut virq(0, 0)), Ok(0));
    assert_eq!(hv.event_channel_op(A, &mut virq(0, 0)), Err(Errno::EEXIST));
    let close = hv.event_channel_op(A, &mut EvtchnOp::Close { port: Port(1) });
    assert_eq!(close, Ok(0));
    assert_eq!(hv.event_channel_op(A, &mut virq(0, 0)), Ok(0));
}

#[test]
fn dom0s_actor_is_told_once_of_events_that_come_before_it_looks() {
    let mut hv = two_domains();
    let a = hv.alloc(A, DOM0).unwrap();
    let port = hv.bind_daemon_port(A, a, ActorKind::Xenconsoled).unwrap();
    assert_eq!(hv.take_upcall(), Some((port, ActorKind::Xenconsoled)));
    for _ in 0..3 {
        assert_eq!(hv.send(A, a), Ok(0));
    }
    assert_eq!(hv.take_upcall(), Some((port, ActorKind::Xenconsoled)));
    assert_eq!(hv.take_upcall(), None);
}

#[test]
fn an_upcall_dies_with_its_port() {
    let mut hv = two_domains();
    let a = hv.alloc(A, DOM0).unwrap();
    let port = hv.bind_daemon_port(A, a, ActorKind::Netback).unwrap();
    hv.close_daemon_port(port);
    assert_eq!(hv.take_upcall(), None);
    assert_eq!(hv.domain(DOM0).unwrap().events.open(), 0);
}
