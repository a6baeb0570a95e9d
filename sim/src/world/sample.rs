//! Random plans: small worlds full of faults, to drive in every way and compare.
//!
//! They grow with every word of the language: a word that no plan here can say is a word whose determinism nobody tests.
//! Times are sometimes whole multiples of a quantum, so that instants coincide.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use stack::app::command::Command;
use xenemu::Time;

use super::impair::LEAST_DELAY;
use crate::plan::*;
use crate::rng::{scale, stream};

/// The longest that a random world runs, ns.
const DURATION: u64 = 60_000_000;

/// A random plan whose domains run the kernel `guest`; `seed` is the plan's too.
pub fn plan(seed: u64, guest: &str) -> Plan {
    let mut sampler = Sampler::new(seed);
    sampler.lookahead = sampler.one_of(&[LEAST_DELAY, 100_000, 500_000, 1_000_000]);
    sampler.plan(seed, guest)
}

/// A random plan without short windows: no reaction and no delay is shorter than `lookahead` ns.
pub fn unhurried(seed: u64, guest: &str, lookahead: u64) -> Plan {
    let mut sampler = Sampler::new(seed);
    sampler.lookahead = lookahead;
    sampler.plan(seed, guest)
}

/// A plan of nothing.
pub fn empty(seed: u64) -> Plan {
    Plan {
        path: None,
        source: "".into(),
        name: format!("sample-{seed}"),
        about: String::new(),
        seed,
        epoch_secs: 1_405_036_800,
        duration: DURATION,
        machines: Vec::new(),
        switches: Vec::new(),
        links: Vec::new(),
        timeline: Vec::new(),
        everies: Vec::new(),
        whens: Vec::new(),
        expectations: Vec::new(),
        snapshot: Vec::new(),
    }
}

/// A domain with defaults that is started at `start`.
pub fn domain(name: &str, guest: &str, start: Option<Time>) -> DomainPlan {
    DomainPlan {
        name: name.to_owned(),
        guest: guest.to_owned(),
        memory_kib: 32 << 10,
        args: Default::default(),
        vifs: vec![VifPlan::default()],
        site: None,
        start,
        on_poweroff: OnExit::Destroy,
        on_reboot: OnExit::Restart,
        on_crash: OnExit::Destroy,
        counted: false,
        span: Span::default(),
    }
}

/// A link from `a` to `b`, the same in both directions, named `a-b`.
pub fn link(a: &str, b: &str, settings: LinkSettings) -> LinkPlan {
    LinkPlan {
        name: format!("{a}-{b}"),
        a: a.to_owned(),
        b: b.to_owned(),
        settings: [settings; 2],
        span: Span::default(),
    }
}

/// An action that was written nowhere.
pub fn act(action: Action) -> ActionPlan {
    ActionPlan {
        action,
        span: Span::default(),
    }
}

/// Draws the parts of a plan.
struct Sampler {
    rng: ChaCha8Rng,
    quantum: u64,
    /// No reaction is shorter: worlds with long windows and worlds with short ones break differently.
    lookahead: u64,
    /// No delay is shorter: in some worlds reactions bound the windows, in others links do.
    least_delay: u64,
}

impl Sampler {
    fn new(seed: u64) -> Sampler {
        let mut sampler = Sampler {
            rng: stream(seed, "sample"),
            quantum: 1,
            lookahead: LEAST_DELAY,
            least_delay: LEAST_DELAY,
        };
        sampler.quantum = sampler.one_of(&[1, 1, 1_000, 10_000]);
        sampler
    }

    fn plan(mut self, seed: u64, guest: &str) -> Plan {
        self.least_delay = self.lookahead * self.one_of(&[1, 1, 5]);
        let mut plan = self.places(seed, guest);
        self.links(&mut plan);
        for _ in 0..self.below(9) {
            self.timed(&mut plan);
        }
        for _ in 0..self.below(9) {
            self.when(&mut plan);
        }
        if self.percent(30) {
            self.every(&mut plan);
        }
        plan.timeline.sort_by_key(|timed| timed.at);
        plan
    }

    fn below(&mut self, n: u64) -> u64 {
        scale(self.rng.next_u64(), n.max(1) - 1)
    }
    fn percent(&mut self, p: u64) -> bool {
        self.below(100) < p
    }
    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize].clone()
    }
    /// Between `least` and `most`, small numbers as likely as large ones.
    fn spread(&mut self, least: u64, most: u64) -> u64 {
        let mut most = most;
        for _ in 0..self.below(8) {
            most = (most / 3).max(least + 1);
        }
        least + self.below(most - least)
    }
    /// Rounded up to the quantum, never 0.
    fn quantised(&self, v: u64) -> u64 {
        v.div_ceil(self.quantum).max(1) * self.quantum
    }
    /// An instant, sometimes one that others draw too.
    fn instant(&mut self, most: u64) -> Time {
        let raw = self.spread(1, most);
        let coarse = if self.percent(30) { 1_000_000 } else { 1 };
        Time(raw.div_ceil(coarse) * coarse).max(Time(self.quantised(raw)))
    }

    /// Machines with domains, and perhaps a switch.
    fn places(&mut self, seed: u64, guest: &str) -> Plan {
        let mut plan = empty(seed);
        for m in 0..1 + self.below(4) {
            let mut machine = MachinePlan {
                name: format!("m{m}"),
                ..MachinePlan::default()
            };
            for d in 0..1 + self.below(3) {
                let start = match self.below(10) {
                    0 => None,
                    1 | 2 => Some(self.instant(5_000_000)),
                    _ => Some(Time::ZERO),
                };
                let name = format!("m{m}d{d}");
                let mut domain = domain(&name, guest, start);
                domain.counted = self.percent(25);
                domain.vifs[0].sg = self.percent(50);
                domain.vifs[0].csum = self.percent(50);
                domain.vifs[0].map_tx = self.percent(50);
                if self.percent(20) {
                    machine.schedule.push(self.switch_point(&name));
                }
                machine.domains.push(domain);
            }
            plan.machines.push(machine);
        }
        if plan.machines.len() == 1 || self.percent(50) {
            let name = "switch".into();
            plan.switches.push(SwitchPlan { name });
        }
        plan
    }

    /// A switch to one of dom0's actors at one of a domain's first calls.
    fn switch_point(&mut self, domain: &str) -> SwitchPoint {
        let actors = ["netback", "xenstored", "xenconsoled", "bridge"];
        SwitchPoint {
            domain: domain.to_owned(),
            call: 1 + self.below(400),
            actor: self.one_of(&actors).to_owned(),
            steps: 1 + self.below(20) as u32,
        }
    }

    /// A star around the switch, or a chain; sometimes one link more.
    fn links(&mut self, plan: &mut Plan) {
        let names: Vec<String> = plan.machines.iter().map(|m| m.name.clone()).collect();
        if plan.switches.is_empty() {
            for pair in names.windows(2) {
                let link = self.link(&pair[0], &pair[1]);
                plan.links.push(link);
            }
        } else {
            for name in &names {
                let link = self.link(name, "switch");
                plan.links.push(link);
            }
        }
        if self.percent(40) && names.len() > 1 {
            let more = self.link(&names[0], &names[names.len() - 1]);
            if plan.links.iter().all(|link| link.name != more.name) {
                plan.links.push(more);
            } else {
                let name = format!("{}-again", more.name);
                plan.links.push(LinkPlan { name, ..more });
            }
        }
    }

    fn link(&mut self, a: &str, b: &str) -> LinkPlan {
        let ab = self.settings();
        let ba = if self.percent(50) {
            ab
        } else {
            self.settings()
        };
        LinkPlan {
            settings: [ab, ba],
            ..link(a, b, ab)
        }
    }

    fn settings(&mut self) -> LinkSettings {
        let raw = self.spread(self.least_delay, 20_000_000);
        let delay = self.quantised(raw);
        let jitter = if self.percent(50) {
            self.jitter(delay)
        } else {
            0
        };
        let rates = [1, 10, 100, 1_000, 10_000].map(|mbit| Some(mbit * 1_000_000));
        LinkSettings {
            delay,
            jitter,
            rate: if self.percent(15) {
                None
            } else {
                self.one_of(&rates)
            },
            queue: self.one_of(&[2_000, 4_000, 16_384, 65_536]),
            loss: self.loss(),
            duplicate: self.rare(&[0, 0, 100_000]),
            reorder: self.reorder(),
            corrupt: self.rare(&[0, 0, 0, 50_000]),
        }
    }

    /// In worlds with short windows even more than the delay.
    fn jitter(&mut self, delay: u64) -> u64 {
        if self.least_delay == LEAST_DELAY {
            let raw = self.below(delay + delay / 4 + 1);
            self.quantised(raw)
        } else {
            self.below(delay - self.least_delay + 1)
        }
    }

    /// A frame that overtakes takes the least time, so only worlds with short windows have any.
    fn reorder(&mut self) -> Probability {
        let probability = self.rare(&[0, 0, 0, 100_000]);
        if self.least_delay == LEAST_DELAY {
            probability
        } else {
            Probability(0)
        }
    }

    fn rare(&mut self, millionths: &[u64]) -> Probability {
        Probability::from_millionths(self.one_of(millionths))
    }

    fn loss(&mut self) -> Loss {
        if self.percent(20) {
            Loss::GilbertElliott {
                p: self.rare(&[20_000, 100_000]),
                r: self.rare(&[100_000, 500_000]),
                loss_bad: self.rare(&[500_000, 1_000_000]),
                loss_good: self.rare(&[0, 10_000]),
            }
        } else {
            Loss::Independent(self.rare(&[0, 0, 50_000, 200_000]))
        }
    }

    /// An action at an instant, and its undoing later or at once.
    fn timed(&mut self, plan: &mut Plan) {
        let action = self.action(plan);
        let at = self.instant(30_000_000);
        let undo = undo(&action);
        let mut add = |at, action| {
            plan.timeline.push(Timed {
                at,
                actions: vec![act(action)],
                span: Span::default(),
            });
        };
        add(at, action);
        if let Some(undo) = undo {
            let raw = self.spread(1, 10_000_000);
            let later = if self.percent(10) {
                0
            } else {
                self.quantised(raw)
            };
            add(at.plus(later), undo);
        }
    }

    fn when(&mut self, plan: &mut Plan) {
        let action = self.action(plan);
        let reaction = if self.percent(40) {
            self.lookahead
        } else {
            self.spread(self.lookahead, 3_000_000)
        };
        let when = When {
            matcher: self.matcher(plan),
            nth: self.spread(1, 20),
            reaction: self.quantised(reaction),
            actions: vec![act(action)],
            span: Span::default(),
        };
        plan.whens.push(when);
    }

    fn every(&mut self, plan: &mut Plan) {
        let action = self.action(plan);
        let first = self.instant(5_000_000);
        let raw = self.spread(500_000, 10_000_000);
        let mut actions = vec![act(action.clone())];
        actions.extend(undo(&action).map(act));
        plan.everies.push(Every {
            first,
            period: self.quantised(raw),
            actions,
            span: Span::default(),
        });
    }

    fn action(&mut self, plan: &Plan) -> Action {
        let link = self.one_of(&plan.links).name;
        let machines: Vec<String> = plan.machines.iter().map(|m| m.name.clone()).collect();
        let machine = self.one_of(&machines);
        let domains: Vec<&DomainPlan> = super::schedule::domains(plan).collect();
        let domain = self.one_of(&domains).name.clone();
        match self.below(18) {
            0 | 1 => self.set_link(plan),
            2 => Action::Cut { link },
            3 => Action::Hold { link },
            4 => Action::Release { link },
            5 | 6 => Action::PowerOff { machine },
            7 => Action::Pause { domain },
            8 => Action::Unpause { domain },
            9 => Action::Destroy { domain },
            10 => Action::Reboot { domain },
            11 => Action::Crash { domain },
            12 => Action::ShutdownDomain { domain },
            13 => Action::Create { domain },
            14 => {
                let (left, right) = machines.split_at(machines.len() / 2);
                Action::Partition {
                    left: left.to_vec(),
                    right: right.to_vec(),
                }
            }
            15 => Action::VifDetach { domain, handle: 0 },
            16 => Action::Inject {
                domain,
                frame: self.forged(),
            },
            _ => Action::On {
                domain,
                commands: vec![Command::Sleep {
                    ns: self.spread(1, 5_000_000),
                }],
                spans: vec![Span::default()],
            },
        }
    }

    /// A broadcast frame that says it is IPv4, with anything behind.
    fn forged(&mut self) -> Vec<u8> {
        let mut frame = vec![0xFF; 6];
        frame.extend([0x02, 0, 0, 0, 0, 1, 0x08, 0x00, 0x45]);
        let len = 20 + self.below(200);
        frame.extend((0..len).map(|_| self.below(256) as u8));
        frame
    }

    fn set_link(&mut self, plan: &Plan) -> Action {
        let link = self.one_of(&plan.links);
        let settings = self.settings();
        let from = [None, Some(link.a), Some(link.b)];
        let change = LinkChange {
            delay: Some(settings.delay),
            jitter: Some(settings.jitter),
            rate: Some(settings.rate),
            queue: Some(settings.queue),
            loss: Some(settings.loss),
            duplicate: Some(settings.duplicate),
            reorder: Some(settings.reorder),
            corrupt: Some(settings.corrupt),
        };
        Action::SetLink {
            link: link.name,
            from: self.one_of(&from),
            change,
        }
    }

    fn matcher(&mut self, plan: &Plan) -> Matcher {
        let domains: Vec<&DomainPlan> = super::schedule::domains(plan).collect();
        let domain = self.one_of(&domains).name.clone();
        match self.below(5) {
            0 => Matcher::Console {
                domain,
                contains: String::new(),
            },
            1 => Matcher::Link {
                link: self.one_of(&plan.links).name,
                from: None,
                event: self
                    .one_of(&["enqueued", "enqueued", "lost", "died"])
                    .to_owned(),
            },
            2 => Matcher::Life {
                domain: None,
                is: self.one_of(&["created", "crashed", "destroyed"]).to_owned(),
            },
            3 => Matcher::Packet(PacketMatcher {
                to: Some(domain),
                at: At::Receiver,
                ..PacketMatcher::any(PacketKind::Frame)
            }),
            _ => Matcher::Packet(PacketMatcher {
                from: Some(domain),
                ..PacketMatcher::any(PacketKind::Frame)
            }),
        }
    }
}

/// What takes an action back.
fn undo(action: &Action) -> Option<Action> {
    Some(match action.clone() {
        Action::Cut { link } => Action::Heal { link },
        Action::Hold { link } => Action::Release { link },
        Action::PowerOff { machine } => Action::PowerOn { machine },
        Action::Pause { domain } => Action::Unpause { domain },
        Action::Destroy { domain }
        | Action::Crash { domain }
        | Action::ShutdownDomain { domain } => Action::Create { domain },
        Action::Partition { left, right } => Action::HealAll { left, right },
        _ => return None,
    })
}
