//! What is to be done when: the plan's timeline, starts of domains, `every`, fired `when`s, and recorded inputs.
//!
//! At one instant groups are carried out in the order of [`Group`]: starts, then the plan's own in order of declaration
//! (`at`, `every`, `when`), then inputs.

use std::collections::BTreeSet;

use xenemu::Time;

use crate::plan::{ActionPlan, MachinePlan, Plan};

/// What is carried out together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The start of the n-th domain, counted over all machines.
    Start(usize),
    /// A place in [`Plan::timeline`].
    Timed(usize),
    /// A place in [`Plan::everies`].
    Every(usize),
    /// A place in [`Plan::whens`].
    When(usize),
    /// The n-th input.
    Input(usize),
}

/// What is still to be done.
#[derive(Debug, Default)]
pub struct Schedule {
    due: BTreeSet<(Time, Group)>,
    /// How many of them hold a run open.
    open: usize,
}

impl Schedule {
    /// All that a plan says from the beginning. Domains of the machines that `empty` names are not started.
    pub fn new(plan: &Plan, empty: impl Fn(&MachinePlan) -> bool) -> Schedule {
        let mut schedule = Schedule::default();
        let mut n = 0;
        for machine in &plan.machines {
            for domain in &machine.domains {
                if let Some(at) = domain.start.filter(|_| !empty(machine)) {
                    schedule.add(at, Group::Start(n));
                }
                n += 1;
            }
        }
        for (n, timed) in plan.timeline.iter().enumerate() {
            schedule.add(timed.at, Group::Timed(n));
        }
        for (n, every) in plan.everies.iter().enumerate() {
            schedule.add(every.first, Group::Every(n));
        }
        schedule
    }
    /// Adds a group.
    pub fn add(&mut self, at: Time, group: Group) {
        let new = self.due.insert((at, group));
        assert!(new, "{group:?} is already due at {at:?}");
        self.open += usize::from(group.holds_open());
    }
    /// When the next group is due.
    pub fn next(&self) -> Option<Time> {
        self.due.first().map(|&(at, _)| at)
    }
    /// Takes the next group that is due at `now`.
    pub fn take(&mut self, now: Time) -> Option<Group> {
        let &(at, group) = self.due.first()?;
        if at > now {
            return None;
        }
        assert_eq!(at, now, "{group:?} is late");
        self.due.pop_first();
        self.open -= usize::from(group.holds_open());
        Some(group)
    }
    /// Whether anything is left that holds a run open.
    pub fn is_open(&self) -> bool {
        self.open > 0
    }
}

impl Group {
    /// `every` goes on for ever, and inputs belong to worlds that end otherwise.
    fn holds_open(self) -> bool {
        !matches!(self, Group::Every(_) | Group::Input(_))
    }
}

/// How actions are counted: the timeline's, then those of `every`, then those of `when`, then the starts of domains.
#[derive(Debug)]
pub struct Numbers {
    timeline: Vec<u32>,
    everies: Vec<u32>,
    whens: Vec<u32>,
    starts: u32,
}

impl Numbers {
    /// A plan's.
    pub fn new(plan: &Plan) -> Numbers {
        let mut next = 0;
        let mut first = |actions: &[ActionPlan]| {
            let first = next;
            next += u32::try_from(actions.len()).expect("a plan has few actions");
            first
        };
        Numbers {
            timeline: plan.timeline.iter().map(|t| first(&t.actions)).collect(),
            everies: plan.everies.iter().map(|e| first(&e.actions)).collect(),
            whens: plan.whens.iter().map(|w| first(&w.actions)).collect(),
            starts: first(&[]),
        }
    }
    /// The number of a group's first action. Inputs are not counted.
    pub fn first(&self, group: Group) -> u32 {
        match group {
            Group::Start(n) => self.starts + n as u32,
            Group::Timed(n) => self.timeline[n],
            Group::Every(n) => self.everies[n],
            Group::When(n) => self.whens[n],
            Group::Input(_) => unreachable!("an input is not an action of the plan"),
        }
    }
}

/// The action of a plan that [`crate::trace::WorldEvent::Action`] counts as `index`; `None`: the start of a domain.
pub fn action(plan: &Plan, index: u32) -> Option<&ActionPlan> {
    let timeline = plan.timeline.iter().flat_map(|timed| &timed.actions);
    let everies = plan.everies.iter().flat_map(|every| &every.actions);
    let whens = plan.whens.iter().flat_map(|when| &when.actions);
    timeline.chain(everies).chain(whens).nth(index as usize)
}

/// The domains of all machines, in order of declaration.
pub fn domains(plan: &Plan) -> impl Iterator<Item = &crate::plan::DomainPlan> {
    plan.machines.iter().flat_map(|machine| &machine.domains)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_one_instant_groups_come_in_their_order_and_not_in_that_of_their_adding() {
        let mut schedule = Schedule::default();
        let groups = [
            Group::Input(0),
            Group::When(0),
            Group::Every(0),
            Group::Timed(1),
            Group::Timed(0),
            Group::Start(0),
        ];
        for group in groups {
            schedule.add(Time(5), group);
        }
        assert_eq!(schedule.take(Time(4)), None);
        let order: Vec<Group> = std::iter::from_fn(|| schedule.take(Time(5))).collect();
        assert!(order.is_sorted() && order.len() == 6);
    }

    #[test]
    fn every_and_inputs_do_not_hold_a_run_open() {
        let mut schedule = Schedule::default();
        schedule.add(Time(5), Group::Every(0));
        schedule.add(Time(5), Group::Input(0));
        assert!(!schedule.is_open());
        schedule.add(Time(6), Group::When(0));
        assert!(schedule.is_open());
    }
}
