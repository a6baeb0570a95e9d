//! The text that a scenario's snapshot holds: only what the scenario decides, so that it changes when behaviour does.

use std::sync::Arc;

use xenemu::Event as MachineEvent;

use super::grid::CLOCK_WIDTH;
use super::ladder::{Filter, Ladder};
use super::line;
use super::xen::XenCounts;
use crate::oracle::context::Context;
use crate::plan::{Plan, SnapshotPart};
use crate::trace::entry::{Author, Entry, Event, WorldEvent};

/// Lines that a part keeps; what comes after is only counted.
const MOST_LINES: usize = 20_000;

/// A snapshot in the making.
#[derive(Debug)]
pub struct Snapshot {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Ladder(Box<Ladder>),
    Xen(XenCounts),
    Console(Lines),
    Life(Lines),
    Tcp(Lines),
}

/// Timed lines of a domain, or of all.
#[derive(Debug, Default)]
struct Lines {
    domain: String,
    lines: Vec<String>,
    left_out: u64,
}

impl Snapshot {
    /// The parts that the plan asks for, in its order.
    pub fn new(plan: &Plan) -> Snapshot {
        let parts = plan.snapshot.iter().map(|part| match part {
            SnapshotPart::Ladder { only, arp } => {
                let filter = Filter {
                    only: only.clone(),
                    arp: *arp,
                };
                Part::Ladder(Box::new(Ladder::new(filter, columns(plan))))
            }
            SnapshotPart::XenSummary => Part::Xen(XenCounts::default()),
            SnapshotPart::Console { domain } => Part::Console(Lines::of(domain)),
            SnapshotPart::Life => Part::Life(Lines::default()),
            SnapshotPart::Tcp { domain } => Part::Tcp(Lines::of(domain)),
        });
        Snapshot {
            parts: parts.collect(),
        }
    }

    /// Takes the next entry, which the context has observed already.
    pub fn feed(&mut self, entry: &Entry, context: &Context) {
        for part in &mut self.parts {
            match part {
                Part::Ladder(ladder) => ladder.feed(entry, context),
                Part::Xen(counts) => counts.feed(entry, context),
                Part::Console(lines) => lines.console(entry, context),
                Part::Life(lines) => lines.life(entry, context),
                Part::Tcp(lines) => lines.tcp(entry, context),
            }
        }
    }

    /// The text; LF at the end of each line. Empty if the plan asks for nothing.
    pub fn render(&self) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Ladder(ladder) => ("ladder".to_string(), ladder.render()),
            Part::Xen(counts) => ("xen-summary".to_string(), counts.summary()),
            Part::Console(lines) => (format!("console {}", lines.domain), lines.render()),
            Part::Life(lines) => ("life".to_string(), lines.render()),
            Part::Tcp(lines) => (format!("tcp {}", lines.domain), lines.render()),
        });
        let texts: Vec<String> = parts
            .map(|(title, text)| format!("== {title} ==\n{text}"))
            .collect();
        texts.join("\n")
    }
}

/// The ladder's columns in the order in which the plan declares its domains.
pub fn columns(plan: &Plan) -> Vec<Arc<str>> {
    let domains = plan.machines.iter().flat_map(|machine| &machine.domains);
    domains
        .map(|domain| Arc::from(domain.name.as_str()))
        .collect()
}

impl Lines {
    fn of(domain: &str) -> Lines {
        Lines {
            domain: domain.into(),
            ..Lines::default()
        }
    }

    fn push(&mut self, entry: &Entry, text: &str) {
        if self.lines.len() < MOST_LINES {
            let at = line::clock(entry.at);
            self.lines.push(format!("{at:>CLOCK_WIDTH$}  {text}"));
        } else {
            self.left_out += 1;
        }
    }

    fn console(&mut self, entry: &Entry, context: &Context) {
        let (Event::Machine(MachineEvent::Console { domid, line }), Author::Node(node)) =
            (&entry.event, entry.author)
        else {
            return;
        };
        if context.names.is_domain(node, *domid, &self.domain) {
            self.push(entry, line);
        }
    }

    fn life(&mut self, entry: &Entry, context: &Context) {
        match &entry.event {
            Event::Machine(MachineEvent::Life { life, .. }) => {
                let who = line::author(entry, context);
                self.push(entry, &format!("{who} {}", line::life_text(life)));
            }
            Event::World(
                WorldEvent::Action { .. }
                | WorldEvent::ActionFailed { .. }
                | WorldEvent::Trigger { .. }
                | WorldEvent::End { .. },
            ) => self.push(entry, &line::what(&entry.event)),
            _ => {}
        }
    }

    fn tcp(&mut self, entry: &Entry, context: &Context) {
        use stack::event::Event as GuestEvent;
        let (
            Event::Guest(domid, event @ (GuestEvent::TcpState { .. } | GuestEvent::TcpNote { .. })),
            Author::Node(node),
        ) = (&entry.event, entry.author)
        else {
            return;
        };
        if context.names.is_domain(node, *domid, &self.domain) {
            self.push(entry, &line::guest(event));
        }
    }

    fn render(&self) -> String {
        let lines = self
            .lines
            .iter()
            .map(|line| format!("{}\n", line.trim_end()));
        let mut text: String = lines.collect();
        if self.left_out > 0 {
            text.push_str(&format!("... and {} lines more\n", self.left_out));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{DOMID, EC2, Stream, plan};
    use stack::event::{Event as GuestEvent, TcpState};

    #[test]
    fn the_parts_come_in_the_plans_order() {
        let mut plan = plan();
        let domain = || "blog".to_string();
        plan.snapshot = vec![
            SnapshotPart::Console { domain: domain() },
            SnapshotPart::Tcp { domain: domain() },
            SnapshotPart::Life,
        ];
        let mut stream = Stream::begin();
        let line = "listening on 80".to_string();
        stream.machine(2_000_000, EC2, MachineEvent::Console { domid: DOMID, line });
        stream.guest(
            3_000_000,
            EC2,
            GuestEvent::TcpState {
                local: "10.0.0.2:80".parse().expect("an address"),
                remote: "10.0.0.9:40000".parse().expect("an address"),
                from: TcpState::Listen,
                to: TcpState::SynReceived,
            },
        );
        let mut context = Context::new(&plan);
        let mut snapshot = Snapshot::new(&plan);
        for entry in &stream.entries {
            context.observe(entry);
            snapshot.feed(entry, &context);
        }
        assert_eq!(
            snapshot.render(),
            "== console blog ==
   0.002000  listening on 80

== tcp blog ==
   0.003000  10.0.0.2:80 10.0.0.9:40000 LISTEN -> SYN-RECEIVED

== life ==
   0.000001  blog created
   0.000001  reader created
"
        );
    }
}
