//! A guest that corrupts what only it and dom0 share gets itself disconnected. Its neighbour's events are the same in
//! order and content as if nothing had happened; on another machine they are the same bit for bit, times included.

mod villain;

use std::path::Path;

use evilbit::oracle::Watch;
use evilbit::plan::{Plan, Scope};
use evilbit::scenario::{self, Overrides};
use evilbit::trace::{Author, Entry, Event, Retention, WorldEvent};
use evilbit::view::Wanted;
use evilbit::world::{Run, RunOptions, World};
use tests::scenario::assert_gave_back;
use xen_abi::DomId;
use xenemu::event::{Channel, Life, Op};
use xenemu::{Tap, Time};

use villain::{Attack, Villains};

fn plan() -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/neighbours.kdl");
    scenario::load(&path, &Overrides::default()).expect("it is a scenario")
}

/// The plan for an attack. Whoever is never connected must not have had anything to say in peace either.
fn plan_for(attack: Attack) -> Plan {
    let mut plan = plan();
    if attack == Attack::RingReference {
        let domains = plan
            .machines
            .iter_mut()
            .flat_map(|machine| &mut machine.domains);
        let villain = domains.into_iter().find(|domain| domain.name == "villain");
        villain.expect("it is in the plan").guest = "empty".into();
        plan.timeline.remove(0);
    }
    plan
}

fn run(plan: &Plan, attack: Option<Attack>) -> Run {
    let options = RunOptions {
        retention: Retention::Full,
        ..RunOptions::default()
    };
    let mut watch = Watch::new(plan, Scope::Always, &Wanted::default()).expect("no files");
    let run = World::run(plan, &Villains(attack), &options, &mut watch);
    let run = run.expect("the plan is sound");
    assert_gave_back(&plan.name, &run);
    assert_eq!(run.internal_error, None);
    assert_eq!(run.crashes, []);
    run
}

/// A machine's place in the trace.
fn place(run: &Run, machine: &str) -> Author {
    let Event::World(WorldEvent::Begin { nodes, .. }) = &run.trace.entries()[0].event else {
        panic!("a trace begins with Begin");
    };
    let place = nodes.iter().position(|name| name == machine);
    Author::Node(place.expect("it is in the plan") as u16)
}

fn of<'a>(run: &'a Run, machine: &str) -> impl Iterator<Item = &'a Entry> {
    let author = place(run, machine);
    let entries = run.trace.entries().iter();
    entries.filter(move |entry| entry.author == author)
}

/// The number that a domain of the rack got.
fn number(run: &Run, domain: &str) -> DomId {
    let created = |entry: &Entry| match &entry.event {
        Event::Machine(xenemu::Event::Life {
            domid,
            life: Life::Created { name },
        }) if name == domain => Some(*domid),
        _ => None,
    };
    of(run, "rack").find_map(created).expect("it was created")
}

/// The villain, and nobody else, was disconnected from its vif, and its neighbour went on.
fn assert_alone(run: &Run, villain: DomId) {
    let entries = run.trace.entries().iter();
    let cut = entries.filter_map(|entry| match &entry.event {
        Event::Machine(xenemu::Event::Disconnected { domid, what, .. }) => {
            Some((*domid, *what, entry.at))
        }
        _ => None,
    });
    let cut: Vec<(DomId, Channel, Time)> = cut.collect();
    let [(domid, Channel::Vif, at)] = cut[..] else {
        panic!("{cut:?}");
    };
    assert_eq!(domid, villain);
    let others = sent(run, number(run, "neighbour"));
    assert!(
        others.last().is_some_and(|last| *last > at),
        "the neighbour goes on"
    );
}

/// When a domain sent its frames.
fn sent(run: &Run, domain: DomId) -> Vec<Time> {
    let out = Tap::VifOut(domain, 0);
    let is_sent = |event: &Event| matches!(event, Event::Machine(xenemu::Event::FrameAt { tap, .. }) if *tap == out);
    let entries = of(run, "rack").filter(|entry| is_sent(&entry.event));
    entries.map(|entry| entry.at).collect()
}

/// What happened to a domain of the rack, without times, and with frames' bytes for their names.
fn story(run: &Run, domain: DomId) -> Vec<String> {
    of(run, "rack")
        .filter_map(|entry| tell(run, domain, &entry.event))
        .collect()
}

fn tell(run: &Run, domain: DomId, event: &Event) -> Option<String> {
    use xenemu::Event::*;
    let event = match event {
        Event::Guest(domid, event) if *domid == domain => return Some(format!("{event:?}")),
        Event::Machine(event) => event,
        _ => return None,
    };
    let mine = match event {
        // Its argument is an instant.
        Hypercall {
            domid,
            op: Op::VcpuSetSingleshotTimer,
            ..
        } => return (*domid == domain).then(|| "a timer".into()),
        Life { domid, .. }
        | Console { domid, .. }
        | ConsoleDropped { domid, .. }
        | Hypercall { domid, .. }
        | EventPending { domid, .. }
        | GrantBytes { granter: domid, .. }
        | Xenstore { domid, .. }
        | XenstoreRing { domid, .. }
        | Backend { domid, .. }
        | Disconnected { domid, .. }
        | Run { domid, .. } => *domid == domain,
        FrameAt { frame, tap } | FrameDropped { frame, tap, .. } => {
            let (Tap::VifOut(domid, _) | Tap::VifIn(domid, _)) = *tap else {
                return None;
            };
            let bytes = run.trace.frame(*frame);
            return (domid == domain).then(|| format!("{tap:?} {bytes:?}"));
        }
        Busy | Idle | FrameBorn { .. } | Switch { .. } => false,
    };
    mine.then(|| format!("{event:?}"))
}

/// What an attack did, beside what it must not have done.
fn attacked(attack: Attack) -> (Run, DomId) {
    let plan = plan_for(attack);
    let (peace, war) = (run(&plan, None), run(&plan, Some(attack)));
    let (villain, neighbour) = (number(&war, "villain"), number(&war, "neighbour"));
    assert_ne!(peace.hash, war.hash, "{attack:?} does something");
    let told = story(&peace, neighbour);
    assert!(told.len() > 200, "there is something to tell");
    for (n, (peace, war)) in told.iter().zip(story(&war, neighbour)).enumerate() {
        assert_eq!(*peace, war, "{attack:?}: the neighbour's event {n}");
    }
    assert_eq!(story(&war, neighbour).len(), told.len());
    let elsewhere = |run| of(run, "elsewhere").cloned().collect::<Vec<Entry>>();
    assert!(
        elsewhere(&war) == elsewhere(&peace),
        "{attack:?} is felt elsewhere"
    );
    let frames = |run| sent(run, villain).len();
    assert!(frames(&war) < frames(&peace) || attack == Attack::RingReference);
    (war, villain)
}

#[test]
fn a_ring_index_out_of_range_disconnects_its_owner_only() {
    let (run, villain) = attacked(Attack::Index);
    assert_alone(&run, villain);
}

#[test]
fn a_length_beyond_its_page_disconnects_its_owner_only() {
    let (run, villain) = attacked(Attack::Length);
    assert_alone(&run, villain);
}

#[test]
fn a_ring_that_was_never_granted_disconnects_its_owner_only() {
    let (run, villain) = attacked(Attack::RingReference);
    assert_alone(&run, villain);
    assert!(sent(&run, villain).is_empty());
}

/// Linux's netback answers such a request with `NETIF_RSP_ERROR` and goes on (`xenvif_tx_check_gop`): so does ours.
#[test]
fn a_frame_that_was_never_granted_is_not_sent_and_costs_nobody_else_anything() {
    let (run, villain) = attacked(Attack::Reference);
    let is_cut = |entry: &&Entry| {
        matches!(
            entry.event,
            Event::Machine(xenemu::Event::Disconnected { .. })
        )
    };
    assert_eq!(of(&run, "rack").find(is_cut), None);
    assert!(!sent(&run, villain).is_empty(), "it was honest at first");
}
