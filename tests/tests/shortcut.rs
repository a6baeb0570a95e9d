//! Nothing in the path is a stand-in. What a page is made of travelled in datagrams, crossed a grant, and came from a
//! ring: counted in the events of a real run, and shown by taking the datagrams' bytes away.

use std::collections::BTreeMap;

use evilbit::plan::Plan;
use evilbit::runner::Outcome;
use evilbit::trace::{Author, Event, Retention, WorldEvent};
use evilbit::view::Wanted;
use evilbit::world::RunOptions;
use tests::scenario::{self, Scenario};
use xen_abi::DomId;
use xen_abi::io::xs_wire::{XsdSockmsg, xs};
use xenemu::Tap;
use xenemu::event::Life;

fn run(scenario: &Scenario) -> Outcome {
    let options = RunOptions {
        retention: Retention::Full,
        ..RunOptions::default()
    };
    let outcome = scenario.run(&Wanted::default(), &options);
    assert_eq!(outcome.failures, []);
    outcome
}

/// What a domain did, as its machine tells it.
struct Told<'a> {
    outcome: &'a Outcome,
    node: u16,
    domid: DomId,
}

impl<'a> Told<'a> {
    /// Of the one life of the domain called `name`.
    fn of(outcome: &'a Outcome, plan: &Plan, name: &str) -> Told<'a> {
        let entries = outcome.run.trace.entries();
        let Event::World(WorldEvent::Begin { nodes, .. }) = &entries[0].event else {
            panic!("a trace begins with Begin");
        };
        let has = |machine: &&evilbit::plan::MachinePlan| {
            machine.domains.iter().any(|domain| domain.name == name)
        };
        let machine = plan.machines.iter().find(has).expect("it has a machine");
        let node = nodes.iter().position(|node| *node == machine.name);
        let node = node.expect("the machine has a place") as u16;
        let mut told = Told {
            outcome,
            node,
            domid: DomId(0),
        };
        let created = |event: &xenemu::Event| match event {
            xenemu::Event::Life {
                domid,
                life: Life::Created { name: created },
            } if created == name => Some(*domid),
            _ => None,
        };
        told.domid = told.events().find_map(created).expect("it was created");
        told
    }

    fn events(&self) -> impl Iterator<Item = &'a xenemu::Event> + use<'a> {
        let node = Author::Node(self.node);
        let entries = self.outcome.run.trace.entries().iter();
        entries.filter_map(move |entry| match &entry.event {
            Event::Machine(event) if entry.author == node => Some(event),
            _ => None,
        })
    }

    /// The frames that passed a tap.
    fn frames(&self, tap: Tap) -> impl Iterator<Item = &'a [u8]> {
        let trace = &self.outcome.run.trace;
        self.events().filter_map(move |event| match event {
            xenemu::Event::FrameAt { frame, tap: at } if *at == tap => trace.frame(*frame),
            _ => None,
        })
    }

    /// The bytes of frames that it sent.
    fn sent(&self) -> u64 {
        self.frames(Tap::VifOut(self.domid, 0))
            .map(|f| f.len() as u64)
            .sum()
    }

    /// The bytes of frames that it received.
    fn received(&self) -> u64 {
        self.frames(Tap::VifIn(self.domid, 0))
            .map(|f| f.len() as u64)
            .sum()
    }

    /// The bytes that crossed its grants, by direction and by way.
    fn granted(&self, inwards: bool, by_map: bool) -> u64 {
        let crossed = self.events().filter_map(|event| match event {
            xenemu::Event::GrantBytes {
                granter,
                bytes,
                to_granter,
                mapped,
                ..
            } if *granter == self.domid && *to_granter == inwards && *mapped == by_map => {
                Some(u64::from(*bytes))
            }
            _ => None,
        });
        crossed.sum()
    }

    /// The TCP payload that it sent from port 80 in its one connection, in the order of sequence numbers.
    fn stream(&self) -> Vec<u8> {
        let mut pieces = BTreeMap::new();
        for (seq, payload) in self.frames(Tap::VifOut(self.domid, 0)).filter_map(segment) {
            let longest: &mut Vec<u8> = pieces.entry(seq).or_default();
            if payload.len() > longest.len() {
                *longest = payload.to_vec();
            }
        }
        let mut stream = Vec::new();
        let mut next = None;
        for (seq, payload) in pieces {
            let at = *next.get_or_insert(seq);
            assert!(seq <= at, "a hole in what the server sent");
            stream.extend_from_slice(payload.get((at - seq) as usize..).unwrap_or_default());
            next = Some(at.max(seq + payload.len() as u32));
        }
        stream
    }
}

/// The sequence number and the payload of a frame with data from TCP's port 80.
fn segment(frame: &[u8]) -> Option<(u32, &[u8])> {
    let word = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
    let ip = 14;
    let tcp = ip + usize::from(frame.get(ip)? & 15) * 4;
    if word(12)? != 0x0800 || *frame.get(ip + 9)? != 6 || word(tcp)? != 80 {
        return None;
    }
    let end = ip + usize::from(word(ip + 2)?);
    let data = tcp + usize::from(frame.get(tcp + 12)? >> 4) * 4;
    let seq = u32::from(word(tcp + 4)?) << 16 | u32::from(word(tcp + 6)?);
    Some((seq, frame.get(data..end)?)).filter(|(_, payload)| !payload.is_empty())
}

/// Everything that the blog's readers got crossed the blog's grants, in the ways that are said.
fn assert_crossed(scenario: &Scenario, by_map: bool) {
    let outcome = run(scenario);
    let blog = Told::of(&outcome, &scenario.plan, "blog");
    let reader = Told::of(&outcome, &scenario.plan, "reader");
    for domain in [&blog, &reader] {
        assert_eq!(domain.granted(false, by_map), domain.sent());
        assert_eq!(domain.granted(false, !by_map), 0);
        // Netback maps nothing that it is to fill.
        assert_eq!(domain.granted(true, false), domain.received());
        assert_eq!(domain.granted(true, true), 0);
    }
    let stream = blog.stream();
    assert!(blog.sent() > stream.len() as u64, "payload and headers");
    let pages = &site(scenario).pages;
    assert!(pages.len() > 10);
    for (path, page) in pages {
        let body = &page.body;
        let found = stream.windows(body.len()).any(|part| part == body);
        assert!(found, "{path} came another way");
    }
}

fn site(scenario: &Scenario) -> &evilbit::plan::Site {
    let mut domains = scenario.plan.machines.iter().flat_map(|m| &m.domains);
    let site = domains.find_map(|domain| domain.site.as_deref());
    site.expect("the blog has a site")
}

#[test]
fn every_byte_of_every_page_crosses_a_grant_copy() {
    assert_crossed(&scenario::named("blog/blog"), false);
}

#[test]
fn every_byte_of_every_page_crosses_a_mapped_grant_where_netback_maps() {
    let mut scenario = scenario::named("blog/blog");
    let domains = scenario
        .plan
        .machines
        .iter_mut()
        .flat_map(|m| &mut m.domains);
    for vif in domains.flat_map(|domain| &mut domain.vifs) {
        vif.map_tx = true;
    }
    assert_crossed(&scenario, true);
}

#[test]
fn every_byte_of_xenstore_crosses_its_ring() {
    let scenario = scenario::named("blog/blog");
    let outcome = run(&scenario);
    for name in ["blog", "reader"] {
        let told = Told::of(&outcome, &scenario.plan, name);
        let (mut asked, mut answered) = (0, 0);
        let (mut requests, mut ring) = (0, (0, 0));
        for event in told.events() {
            match event {
                xenemu::Event::Xenstore {
                    domid,
                    kind,
                    path,
                    value,
                    ..
                } if *domid == told.domid => {
                    let (out, back) = least(*kind, path, value);
                    asked += out;
                    answered += back;
                    requests += 1;
                }
                xenemu::Event::XenstoreRing {
                    domid,
                    requested,
                    answered,
                } if *domid == told.domid => {
                    ring.0 += u64::from(*requested);
                    ring.1 += u64::from(*answered);
                }
                _ => {}
            }
        }
        assert!(requests > 20, "{name} asked the store {requests} times");
        assert!(
            ring.0 >= asked,
            "{name}: {asked} bytes asked, {} on the ring",
            ring.0
        );
        assert!(
            ring.1 >= answered,
            "{name}: {answered} answered, {} on the ring",
            ring.1
        );
    }
}

/// The fewest bytes that a request and its answer can be, from what is told of them.
fn least(kind: u32, path: &str, value: &[u8]) -> (u64, u64) {
    let header = size_of::<XsdSockmsg>() as u64;
    let (path, value) = (path.len() as u64, value.len() as u64);
    match kind {
        xs::READ => (header + path, header + value),
        xs::WRITE => (header + path + value, header),
        _ => (header + path, header),
    }
}

#[test]
fn without_the_bytes_in_turmoils_datagrams_the_blog_fails() {
    let hollow = RunOptions {
        drop_payloads: true,
        ..RunOptions::default()
    };
    let scenario = scenario::named("blog/blog");
    let outcome = scenario.run(&Wanted::default(), &hollow);
    assert!(outcome.run.stats.frames > 0, "empty frames travel");
    let unread = |text: &str| outcome.failures.iter().any(|f| f.message.contains(text));
    assert!(unread("site"), "{:?}", outcome.failures);
}
