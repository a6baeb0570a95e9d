//! What the experimenter meant to do and did not: an action that could not be carried out, a switch of a schedule that
//! never came. Either would make a scenario hold that tests nothing.

use std::collections::BTreeMap;

use xenemu::Time;

use super::context::Context;
use super::expect::Failure;
use crate::plan::{Plan, Span};
use crate::trace::entry::{Author, Entry, Event, WorldEvent};
use crate::world::schedule;

/// What was meant, and how it went.
#[derive(Debug, Default)]
pub struct Deeds {
    /// Where each action stands, in the order in which the world counts them.
    spans: Vec<Span>,
    /// Switches that have not come yet: domain and call, with the actor.
    pending: BTreeMap<(String, u64), String>,
    failed: Vec<(Time, Option<Span>, String)>,
}

impl Deeds {
    /// In a run of that plan.
    pub fn new(plan: &Plan) -> Deeds {
        let points = plan.machines.iter().flat_map(|machine| &machine.schedule);
        Deeds {
            spans: (0..)
                .map_while(|n| schedule::action(plan, n))
                .map(|action| action.span)
                .collect(),
            pending: points
                .map(|point| ((point.domain.clone(), point.call), point.actor.clone()))
                .collect(),
            failed: Vec::new(),
        }
    }

    /// Looks at the next entry, which the context has observed already.
    pub fn feed(&mut self, entry: &Entry, context: &Context) {
        match (&entry.event, entry.author) {
            (Event::World(WorldEvent::ActionFailed { index, why }), _) => {
                let span = self.spans.get(*index as usize).copied();
                self.failed.push((entry.at, span, why.clone()));
            }
            (Event::Machine(xenemu::Event::Switch { domid, call, .. }), Author::Node(node)) => {
                let domain = context.names.domain(node, *domid).to_string();
                self.pending.remove(&(domain, *call));
            }
            _ => {}
        }
    }

    /// What did not happen.
    pub fn failures(self) -> Vec<Failure> {
        let failed = self.failed.into_iter().map(|(at, span, why)| Failure {
            span,
            message: format!("the action could not be carried out: {why}"),
            evidence: vec![format!("at {at:?}")],
        });
        let missed = self
            .pending
            .into_iter()
            .map(|((domain, call), actor)| Failure {
                span: None,
                message: format!(
                    "the schedule's switch to {actor} never came: {domain} has not made call {call}"
                ),
                evidence: Vec::new(),
            });
        failed.chain(missed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::SwitchPoint;
    use crate::view::testing::{Stream, plan};

    fn failures(plan: &Plan, entries: &[Entry]) -> Vec<String> {
        let (mut deeds, mut context) = (Deeds::new(plan), Context::new(plan));
        for entry in entries {
            context.observe(entry);
            deeds.feed(entry, &context);
        }
        deeds.failures().into_iter().map(|f| f.message).collect()
    }

    #[test]
    fn an_action_that_failed_is_a_failure_of_the_run() {
        let entry = Entry {
            at: Time(5),
            author: Author::World,
            seq: 0,
            event: Event::World(WorldEvent::ActionFailed {
                index: 0,
                why: "no such vif".into(),
            }),
        };
        assert_eq!(
            failures(&plan(), &[entry]),
            ["the action could not be carried out: no such vif"]
        );
    }

    #[test]
    fn a_switch_that_never_came_is_a_failure_of_the_run() {
        let mut plan = plan();
        let domain = plan.machines[0].domains[0].name.clone();
        plan.machines[0].schedule.push(SwitchPoint {
            domain,
            call: 999_999,
            actor: "netback".into(),
            steps: 1,
        });
        let entries = Stream::begin().entries;
        assert_eq!(failures(&plan, &entries).len(), 1);
    }
}
