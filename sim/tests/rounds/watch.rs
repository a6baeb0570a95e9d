//! Observers for toy worlds: the triggers that random plans ask for, and an aim at windows' ends.

use std::collections::BTreeMap;

use evilbit::plan::{Action, At, Matcher, Plan, Span, When};
use evilbit::trace::{Author, Entry, Event, LinkEvent, WorldEvent};
use evilbit::world::sample::act;
use evilbit::world::{Observer, Triggers};
use xenemu::abi::DomId;
use xenemu::event::Life;
use xenemu::{Tap, Time};

/// Evaluates a plan's `when`s, as far as random plans use matchers.
pub struct Watch {
    matchers: Vec<Matcher>,
    names: Names,
}

/// Which domain has which number where.
#[derive(Default)]
struct Names {
    domains: BTreeMap<(Author, DomId), String>,
    links: Vec<String>,
}

impl Watch {
    pub fn new(plan: &Plan) -> Watch {
        Watch {
            matchers: plan.whens.iter().map(|when| when.matcher.clone()).collect(),
            names: Names::default(),
        }
    }
}

impl Observer for Watch {
    fn observes(&self) -> bool {
        false
    }
    fn on_entry(&mut self, _: &Entry) {}
    fn triggers(&mut self) -> Option<&mut dyn Triggers> {
        Some(self)
    }
}

impl Triggers for Watch {
    fn feed(&mut self, entry: &Entry) -> Vec<u32> {
        self.names.learn(entry);
        let matchers = (0..).zip(&self.matchers);
        let hits = matchers.filter(|(_, matcher)| self.names.matches(matcher, entry));
        hits.map(|(n, _)| n).collect()
    }
}

impl Names {
    fn learn(&mut self, entry: &Entry) {
        match &entry.event {
            Event::World(WorldEvent::Begin { links, .. }) => self.links = links.clone(),
            Event::Machine(xenemu::Event::Life {
                domid,
                life: Life::Created { name },
            }) => {
                self.domains.insert((entry.author, *domid), name.clone());
            }
            _ => {}
        }
    }

    fn is(&self, entry: &Entry, domid: DomId, name: &str) -> bool {
        self.domains.get(&(entry.author, domid)).map(String::as_str) == Some(name)
    }

    fn matches(&self, matcher: &Matcher, entry: &Entry) -> bool {
        match (matcher, &entry.event) {
            (
                Matcher::Console { domain, .. },
                Event::Machine(xenemu::Event::Console { domid, .. }),
            ) => self.is(entry, *domid, domain),
            (Matcher::Link { link, event, .. }, Event::Link(said)) => {
                let Author::Link(place, _) = entry.author else {
                    return false;
                };
                self.links[usize::from(place)] == *link && word(said) == event
            }
            (Matcher::Life { is, .. }, Event::Machine(xenemu::Event::Life { life, .. })) => {
                matches!(
                    (is.as_str(), life),
                    ("created", Life::Created { .. })
                        | ("crashed", Life::Crashed { .. })
                        | ("destroyed", Life::Destroyed)
                )
            }
            (Matcher::Packet(packet), Event::Machine(xenemu::Event::FrameAt { tap, .. })) => {
                match (tap, packet.at, &packet.from, &packet.to) {
                    (Tap::VifOut(domid, _), At::Sender, Some(name), _)
                    | (Tap::VifIn(domid, _), At::Receiver, _, Some(name)) => {
                        self.is(entry, *domid, name)
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }
}

fn word(event: &LinkEvent) -> &'static str {
    match event {
        LinkEvent::Enqueued { .. } => "enqueued",
        LinkEvent::Lost { .. } => "lost",
        LinkEvent::Died { .. } => "died",
        _ => "",
    }
}

/// Looks for entries in the last 1 % of a window that a `when` can be aimed at.
pub struct Aim {
    watch: Watch,
    links: Vec<String>,
    window: (Time, Time),
    /// How often each link enqueued a frame.
    seen: BTreeMap<u16, u64>,
    late: Vec<(u16, u64)>,
}

impl Aim {
    pub fn new(plan: &Plan) -> Aim {
        let mut links: Vec<String> = plan.links.iter().map(|link| link.name.clone()).collect();
        links.sort();
        Aim {
            watch: Watch::new(plan),
            links,
            window: (Time::ZERO, Time::ZERO),
            seen: BTreeMap::new(),
            late: Vec::new(),
        }
    }

    /// A `when` at one of them.
    pub fn when(&self, seed: u64) -> Option<When> {
        if self.late.is_empty() {
            return None;
        }
        let (place, nth) = self.late[(seed % self.late.len() as u64) as usize];
        let link = self.links[usize::from(place)].clone();
        Some(When {
            matcher: Matcher::Link {
                link: link.clone(),
                from: None,
                event: "enqueued".into(),
            },
            nth,
            reaction: 1_000_000,
            actions: vec![act(Action::Cut { link })],
            span: Span::default(),
        })
    }
}

impl Observer for Aim {
    fn on_round(&mut self, window: Time, end: Time) {
        self.window = (window, end);
    }
    fn on_entry(&mut self, entry: &Entry) {
        let (Author::Link(place, _), Event::Link(LinkEvent::Enqueued { .. })) =
            (entry.author, &entry.event)
        else {
            return;
        };
        let nth = self.seen.entry(place).or_default();
        *nth += 1;
        let (window, end) = self.window;
        if end.since(entry.at) * 100 <= end.since(window) {
            self.late.push((place, *nth));
        }
    }
    fn triggers(&mut self) -> Option<&mut dyn Triggers> {
        Some(&mut self.watch)
    }
}
