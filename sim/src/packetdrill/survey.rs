//! What blocks how many scripts: the list from which the next thing to build is taken.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::construct::Construct;
use super::support;

/// Scripts counted by what blocks them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// How many scripts were looked at.
    pub scripts: usize,
    /// How many of them something blocks.
    pub blocked: usize,
    by_construct: BTreeMap<Construct, usize>,
}

impl Survey {
    /// Counts a script that uses this.
    pub fn add(&mut self, used: BTreeSet<Construct>) {
        self.add_judged(used, support::runs);
    }

    fn add_judged(&mut self, used: BTreeSet<Construct>, runs: impl Fn(&Construct) -> bool) {
        let missing: Vec<Construct> = used.into_iter().filter(|c| !runs(c)).collect();
        self.scripts += 1;
        self.blocked += usize::from(!missing.is_empty());
        for construct in missing {
            *self.by_construct.entry(construct).or_default() += 1;
        }
    }

    /// What blocks scripts, and how many: the most blocking first.
    pub fn missing(&self) -> Vec<(&Construct, usize)> {
        let mut all: Vec<_> = self.by_construct.iter().map(|(c, &n)| (c, n)).collect();
        // The sort is stable: equals stay in the order of their names.
        all.sort_by_key(|&(_, scripts)| Reverse(scripts));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::construct::Class;

    fn uses(names: &[&str]) -> BTreeSet<Construct> {
        let construct = |name: &&str| Construct {
            class: Class::Call,
            name: (*name).to_owned(),
        };
        names.iter().map(construct).collect()
    }

    #[test]
    fn the_most_blocking_comes_first() {
        let mut survey = Survey::default();
        let runs = |construct: &Construct| construct.name == "close";
        survey.add_judged(uses(&["close", "poll"]), runs);
        survey.add_judged(uses(&["poll", "bind"]), runs);
        survey.add_judged(uses(&["accept", "poll"]), runs);
        survey.add_judged(uses(&["close"]), runs);
        let missing: Vec<String> = survey
            .missing()
            .into_iter()
            .map(|(construct, scripts)| format!("{scripts} {construct}"))
            .collect();
        assert_eq!(missing, ["3 call:poll", "1 call:accept", "1 call:bind"]);
        assert_eq!((survey.scripts, survey.blocked), (4, 3));
    }
}
