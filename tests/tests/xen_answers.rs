//! Real Xen as the judge.
//!
//! `xen-answers/` holds what Xen 4.17.7 answered to two bare-metal guests: one that asks alone (as dom0, so its ports
//! begin at 1), and two that meet over a port and a grant. The same hypercalls are made here in the same order, by
//! guests on the emulated machine, always as a PVH guest makes them; each answer must be the same. Of the lists that a
//! PV guest was answered, those lines are left out whose hypercall is for PV guests only.

mod asker;

use std::rc::Rc;

use asker::{Alone, Paper, RoleA, RoleB};
use xen_abi::{DomId, Guest};
use xenemu::{Action, DomainConfig, GuestFactory, Machine, MachineConfig, OnExit, Time};

const PVH_ALONE: &str = include_str!("../xen-answers/pvh-dom0.txt");
const PV_ALONE: &str = include_str!("../xen-answers/pv-dom0.txt");
const PVH_PAIR: &str = include_str!("../xen-answers/two-pvh-domains.txt");
const PV_PAIR: &str = include_str!("../xen-answers/two-pv-domains.txt");

/// Lines whose hypercall, `HYPERVISOR_update_va_mapping`, is for PV guests only: a PVH guest asks `add_to_physmap`.
const PV_ONLY: [&str; 2] = ["T map_shared_info", "T map gnttab frame"];
/// Lines that a PV guest has no cause to ask for: it maps a grant without giving up a frame.
const PVH_ONLY: [&str; 1] = ["T B decrease_reservation"];

fn machine() -> Machine {
    Machine::new(MachineConfig {
        name: "judged".into(),
        origin: 0,
        seed: 4177,
        boot: 0,
        epoch_secs: 1_405_036_800,
        uplinks: 0,
        started: Time::ZERO,
        first_frame: 0,
        first_seq: 0,
        costs: xenemu::Costs::default(),
        schedule: vec![],
    })
}

fn domain(name: &str) -> DomainConfig {
    DomainConfig {
        name: name.into(),
        memory_kib: 8 * 1024,
        cmdline: String::new(),
        modules: vec![],
        vifs: vec![],
        xenstore: vec![],
        on_poweroff: OnExit::Destroy,
        on_reboot: OnExit::Destroy,
        on_crash: OnExit::Preserve,
        fuel: 1_000_000,
        counted: false,
    }
}

fn guest<G: Guest + 'static>(paper: &Paper, make: impl Fn(Paper) -> G + 'static) -> GuestFactory {
    let paper = paper.clone();
    Rc::new(move |_, _| Box::new(make(paper.clone())))
}

fn finish(mut machine: Machine, names: &[&str]) {
    machine.run_until(Time(10_000_000_000));
    for name in names {
        assert_eq!(machine.crash_text(name), None);
    }
    assert_eq!(machine.internal_error(), None);
    assert_eq!(machine.domains(), [], "both guests shut down");
    assert_eq!(machine.destroy_all(), xenemu::LeakReport::default());
}

fn ask_alone() -> (Vec<String>, DomId) {
    let paper = Paper::default();
    let mut machine = machine();
    let factory = guest(&paper, Alone::new);
    let domid = machine
        .create_bare(Time::ZERO, domain("alone"), factory)
        .unwrap();
    finish(machine, &["alone"]);
    (paper.take(), domid)
}

fn ask_pair() -> Vec<String> {
    let (a, b) = (Paper::default(), Paper::default());
    let mut machine = machine();
    let first = Action::Create(domain("a"), guest(&a, |paper| RoleA::new(paper, DomId(2))));
    machine.act(Time::ZERO, first).unwrap();
    let second = Action::Create(domain("b"), guest(&b, |paper| RoleB::new(paper, DomId(1))));
    machine.act(Time::ZERO, second).unwrap();
    finish(machine, &["a", "b"]);
    [a.take(), b.take()].concat()
}

fn starts_with_any(line: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| line.starts_with(prefix))
}

fn without<'a>(lines: impl Iterator<Item = &'a str>, prefixes: &[&str]) -> Vec<&'a str> {
    lines
        .filter(|line| !starts_with_any(line, prefixes))
        .collect()
}

/// The lines of a list. Some of what came over the serial line still has its carriage return.
fn lines(list: &str) -> Vec<&str> {
    list.lines()
        .map(|line| line.trim_end_matches('\r'))
        .collect()
}

/// Xen answered dom0, whose number is 0: where an answer is the asker's own number, it is ours.
fn as_asked_by(domid: DomId, answers: &str) -> Vec<String> {
    let own = format!("T  unbound.dom = {domid}");
    lines(answers)
        .into_iter()
        .map(|line| match line {
            "T  unbound.dom = 0" => own.clone(),
            line => line.to_owned(),
        })
        .collect()
}

#[test]
fn a_pvh_guest_alone_is_answered_as_by_xen() {
    let (asked, domid) = ask_alone();
    assert_eq!(asked, as_asked_by(domid, PVH_ALONE));
}

#[test]
fn a_pv_guest_alone_was_answered_the_same() {
    let (asked, domid) = ask_alone();
    let expected = as_asked_by(domid, PV_ALONE);
    assert_eq!(
        without(asked.iter().map(String::as_str), &PV_ONLY),
        without(expected.iter().map(String::as_str), &PV_ONLY)
    );
}

#[test]
fn two_pvh_guests_are_answered_as_by_xen() {
    assert_eq!(ask_pair(), lines(PVH_PAIR));
}

#[test]
fn two_pv_guests_were_answered_the_same() {
    let asked = ask_pair();
    assert_eq!(
        without(asked.iter().map(String::as_str), &PVH_ONLY),
        lines(PV_PAIR)
    );
}

#[test]
fn the_lists_are_whole() {
    let lines = [PVH_ALONE, PV_ALONE, PVH_PAIR, PV_PAIR].map(|list| list.lines().count());
    assert_eq!(lines, [44, 44, 29, 28]);
}
