//! What the checked words mean together: the plan, and the mistakes that no single word shows.
//!
//! - [`world`]: machines, domains, links
//! - [`time`]: when, and the actions
//! - [`commands`]: what guests are told
//! - [`judgement`]: matchers, expectations, snapshots

mod commands;
mod judgement;
mod time;
mod world;

use std::path::Path;

use super::Overrides;
use super::language::Place;
use super::names::Names;
use super::node::Node;
use super::report::Problem;
use super::suggest;
use crate::plan::{Plan, Scope, Span};

/// The longest run: ten days of simulated time.
const MAX_DURATION: u64 = 10 * 24 * 3_600 * 1_000_000_000;
/// The quickest reaction, which is also the least lookahead of a link.
const MIN_REACTION: u64 = 1_000;

/// What lowering needs to know everywhere.
struct Lower<'a> {
    names: &'a Names,
    base: &'a Path,
    problems: &'a mut Vec<Problem>,
    /// The run's longest duration, ns.
    duration: u64,
    /// The reaction of a `when` that says none, ns.
    reaction: u64,
    sockets: commands::Sockets,
}

impl Lower<'_> {
    fn problem(&mut self, span: Span, message: String, label: &str, hint: impl Into<String>) {
        self.problems.push(Problem::new(span, message, label, hint));
    }
}

/// Makes the plan; `None` only if there is no scenario at all.
pub fn plan(
    nodes: &[Node],
    names: &Names,
    base: &Path,
    overrides: &Overrides,
    problems: &mut Vec<Problem>,
) -> Option<Plan> {
    let scenario = the_scenario(nodes, problems)?;
    let mut lower = Lower {
        names,
        base,
        problems,
        duration: scenario.prop_number("duration")?,
        reaction: scenario.prop_number("reaction")?,
        sockets: commands::Sockets::gather(nodes),
    };
    lower.limits(scenario);
    let mut plan = Plan {
        path: None,
        source: "".into(),
        name: scenario.text(0).to_owned(),
        about: lower.about(scenario),
        seed: overrides.seed.or(scenario.prop_number("seed"))?,
        epoch_secs: scenario.prop_number("epoch")?,
        duration: lower.duration,
        machines: Vec::new(),
        switches: Vec::new(),
        links: Vec::new(),
        timeline: Vec::new(),
        everies: Vec::new(),
        whens: Vec::new(),
        expectations: Vec::new(),
        snapshot: Vec::new(),
    };
    lower.fill(nodes, &mut plan);
    lower.topology(&plan);
    Some(plan)
}

fn the_scenario<'n>(nodes: &'n [Node], problems: &mut Vec<Problem>) -> Option<&'n Node> {
    let mut found = nodes.iter().filter(|n| n.name() == "scenario");
    let first = found.next();
    for again in found {
        problems.push(Problem::new(
            again.span,
            "a second scenario in one file".into(),
            "again here",
            "a file holds one scenario: move this one to a file of its own",
        ));
    }
    // If there is one that was refused, its own problem says enough.
    if first.is_none() && problems.is_empty() {
        problems.push(Problem::new(
            Span::default(),
            "the file declares no scenario".into(),
            "nothing here",
            "begin with: scenario \"my-first\" { about \"what it shows\" }",
        ));
    }
    first
}

impl Lower<'_> {
    fn limits(&mut self, scenario: &Node) {
        if self.duration == 0 || self.duration > MAX_DURATION {
            let message = if self.duration == 0 {
                "a run of no duration"
            } else {
                "a run of more than ten days"
            };
            self.problem(
                scenario.prop_span("duration"),
                message.into(),
                "out of range",
                "from \"1ns\" to \"240h\" of simulated time; a quiet run ends by itself",
            );
        }
        self.reaction_is_possible(self.reaction, scenario.prop_span("reaction"));
    }

    fn reaction_is_possible(&mut self, reaction: u64, span: Span) {
        if reaction < MIN_REACTION {
            self.problem(
                span,
                "a reaction that quick cannot be simulated".into(),
                "too short",
                "at least \"1us\": the world looks that far ahead",
            );
        }
    }

    fn about(&mut self, scenario: &Node) -> String {
        let lines: Vec<&str> = scenario.children.iter().map(|n| n.text(0)).collect();
        if lines.is_empty() {
            self.problem(
                scenario.span,
                "the scenario does not say what it is about".into(),
                "no `about`",
                "add: { about \"what it shows\" }",
            );
        }
        lines.join("\n")
    }

    /// All but the scenario itself, in order of declaration.
    fn fill(&mut self, nodes: &[Node], plan: &mut Plan) {
        let mut last_at = 0;
        for node in nodes {
            assert!(node.word.places.contains(&Place::Top));
            match node.name() {
                "scenario" => {}
                "machine" => plan.machines.push(self.machine(node)),
                "switch" => plan.switches.push(self.switch(node)),
                "link" => plan.links.push(self.link(node)),
                "at" | "after" => plan.timeline.push(self.timed(node, &mut last_at)),
                "every" => plan.everies.push(self.every(node)),
                "when" => plan.whens.extend(self.when(node)),
                "expect" => self.judge(node, Scope::Expect, None, &mut plan.expectations),
                "always" => self.judge(node, Scope::Always, None, &mut plan.expectations),
                "snapshot" => plan
                    .snapshot
                    .extend(node.children.iter().map(judgement::snapshot_part)),
                other => unreachable!("{other} is a word of the top without a meaning"),
            }
        }
    }
}

/// A hint for a name that is not among `of`.
fn one_of(name: &str, of: &[&str], none: &str) -> String {
    if of.is_empty() {
        return none.to_owned();
    }
    suggest::or_else(name, of, &format!("one of: {}", of.join(", ")))
}
