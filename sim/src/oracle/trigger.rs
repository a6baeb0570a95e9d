//! When a `when` fires: at its matcher's nth match, once.

use super::context::Context;
use super::matcher::MatcherState;
use crate::plan::Plan;
use crate::trace::entry::Entry;

/// The `when`s of a scenario, watching the merged trace as it is made.
#[derive(Debug)]
pub struct Triggers {
    context: Context,
    whens: Vec<Armed>,
}

#[derive(Debug)]
struct Armed {
    index: u32,
    matcher: MatcherState,
    nth: u64,
    matches: u64,
}

impl Triggers {
    /// All of a scenario's `when`s, armed.
    pub fn new(plan: &Plan) -> Triggers {
        let whens = (0..).zip(&plan.whens).map(|(index, when)| Armed {
            index,
            matcher: MatcherState::new(&when.matcher, plan),
            nth: when.nth.max(1),
            matches: 0,
        });
        Triggers {
            context: Context::new(plan),
            whens: whens.collect(),
        }
    }

    /// Looks at the next entry: which `when`s it makes fire, by their place in the plan.
    pub fn feed(&mut self, entry: &Entry) -> Vec<u32> {
        if self.whens.is_empty() {
            return Vec::new();
        }
        self.context.observe(entry);
        let mut fired = Vec::new();
        for when in &mut self.whens {
            if when.matcher.feed(entry, &self.context).matched {
                when.matches += 1;
                if when.matches == when.nth {
                    fired.push(when.index);
                }
            }
        }
        fired
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Matcher, PacketKind, PacketMatcher, When};
    use crate::view::testing::{Stream, plan};

    #[test]
    fn a_when_fires_once_at_its_nth_match() {
        let mut plan = plan();
        plan.whens.push(When {
            matcher: Matcher::Packet(PacketMatcher::any(PacketKind::Tcp)),
            nth: 2,
            reaction: 1_000_000,
            actions: Vec::new(),
            span: Default::default(),
        });
        let mut stream = Stream::begin();
        stream.handshake();
        let mut triggers = Triggers::new(&plan);
        let fired: Vec<(u64, Vec<u32>)> = stream
            .entries
            .iter()
            .map(|entry| (entry.at.0, triggers.feed(entry)))
            .filter(|(_, fired)| !fired.is_empty())
            .collect();
        assert_eq!(fired, [(22_000_000, vec![0])]);
    }
}
