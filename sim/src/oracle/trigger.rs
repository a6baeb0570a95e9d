//! What the `when`s of a scenario match, entry by entry. Counting up to `nth`, and acting, is the world's.

use super::context::Context;
use super::matcher::MatcherState;
use crate::plan::Plan;
use crate::trace::entry::Entry;

/// The matchers of a scenario's `when`s, watching the merged trace as it is made.
#[derive(Debug)]
pub struct Triggers {
    /// In the plan's order.
    whens: Vec<MatcherState>,
}

impl Triggers {
    /// All of a scenario's `when`s, armed.
    pub fn new(plan: &Plan) -> Triggers {
        let whens = plan.whens.iter();
        Triggers {
            whens: whens
                .map(|when| MatcherState::new(&when.matcher, plan))
                .collect(),
        }
    }

    /// Looks at the next entry, which the context has observed already: the places in the plan of the `when`s that it
    /// matches.
    pub fn feed(&mut self, entry: &Entry, context: &Context) -> Vec<u32> {
        let mut matched = Vec::new();
        for (index, when) in (0..).zip(&mut self.whens) {
            if when.feed(entry, context).matched {
                matched.push(index);
            }
        }
        matched
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Matcher, PacketKind, PacketMatcher, When};
    use crate::view::testing::{Stream, plan};

    #[test]
    fn a_when_is_named_each_time_it_matches() {
        let mut plan = plan();
        let when = |kind| When {
            matcher: Matcher::Packet(PacketMatcher::any(kind)),
            nth: 2,
            reaction: 1_000_000,
            actions: Vec::new(),
            span: Default::default(),
        };
        plan.whens = vec![when(PacketKind::Udp), when(PacketKind::Tcp)];
        let mut stream = Stream::begin();
        stream.handshake();
        let mut triggers = Triggers::new(&plan);
        let mut context = Context::new(&plan);
        let matched: Vec<(u64, Vec<u32>)> = stream
            .entries
            .iter()
            .map(|entry| {
                context.observe(entry);
                (entry.at.0, triggers.feed(entry, &context))
            })
            .filter(|(_, matched)| !matched.is_empty())
            .collect();
        let sent = [1_000_000, 22_000_000, 43_000_000];
        assert_eq!(matched, sent.map(|at| (at, vec![1])));
    }
}
