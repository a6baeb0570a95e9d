//! The plan's `when`s: counted, fired once, and part of the lookahead until they have acted.
//!
//! A `when` that fires at t acts at t + reaction. No window may pass that instant before the trigger is seen, so the
//! reaction bounds the lookahead like a link's delay. It stops doing so when the `when` has acted, not when it fires: the
//! lookahead changes at actions only, which every cut of windows has in common.

use xenemu::Time;

use crate::plan::When;

/// How far each `when` has come.
#[derive(Debug)]
pub struct Whens(Vec<Progress>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Armed { seen: u64 },
    Fired,
    Done,
}

impl Whens {
    /// All armed.
    pub fn new(count: usize) -> Whens {
        Whens(vec![Progress::Armed { seen: 0 }; count])
    }

    /// The matcher of `when` number `n` matched at `at`: when it acts, if this makes it fire.
    pub fn matched(&mut self, plan: &[When], n: usize, at: Time) -> Option<Time> {
        let when = plan.get(n)?;
        let Progress::Armed { seen } = &mut self.0[n] else {
            return None;
        };
        *seen += 1;
        if *seen < when.nth {
            return None;
        }
        self.0[n] = Progress::Fired;
        Some(at.plus(when.reaction))
    }

    /// It has acted.
    pub fn done(&mut self, n: usize) {
        assert_eq!(self.0[n], Progress::Fired, "a when acts once it has fired");
        self.0[n] = Progress::Done;
    }

    /// The least reaction of those that have not acted.
    pub fn reaction(&self, plan: &[When]) -> Option<u64> {
        let waiting = plan.iter().zip(&self.0);
        waiting
            .filter(|(_, progress)| **progress != Progress::Done)
            .map(|(when, _)| when.reaction)
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Matcher, Span};

    #[test]
    fn a_when_fires_at_its_nth_match_once_and_bounds_the_lookahead_until_it_has_acted() {
        let plan = [When {
            matcher: Matcher::Leaked { what: "all".into() },
            nth: 2,
            reaction: 100,
            actions: vec![],
            span: Span::default(),
        }];
        let mut whens = Whens::new(1);
        assert_eq!(whens.matched(&plan, 0, Time(5)), None);
        assert_eq!(whens.matched(&plan, 0, Time(6)), Some(Time(106)));
        assert_eq!(whens.matched(&plan, 0, Time(7)), None);
        assert_eq!(whens.matched(&plan, 9, Time(7)), None);
        assert_eq!(whens.reaction(&plan), Some(100));
        whens.done(0);
        assert_eq!(whens.reaction(&plan), None);
    }
}
