//! Judges what a scenario expects: how often, when, and whether it could have failed at all.

use std::collections::BTreeMap;

use super::context::Context;
use super::evidence::Evidence;
use super::matcher::MatcherState;
use crate::plan::{Count, Expectation, Matcher, Plan, Scope, Span};
use crate::trace::entry::Entry;
use crate::view::words;

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where the scenario says what did not hold; `None`: a passive check's failure.
    pub span: Option<Span>,
    pub message: String,
    /// The lines that did or did not match.
    pub evidence: Vec<String>,
}

/// What was not given back when all domains were destroyed. Taken by the world, outside the trace.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Leaks {
    /// By the scenario language's word: `grants`, `ports`, `maps`, `watches`, `transactions`, `pages`.
    pub counts: BTreeMap<String, u64>,
}

impl<'a> FromIterator<&'a crate::world::Leaks> for Leaks {
    /// The machines' reports together.
    fn from_iter<I: IntoIterator<Item = &'a crate::world::Leaks>>(machines: I) -> Leaks {
        let mut leaks = Leaks::default();
        for (what, count) in machines.into_iter().flat_map(|machine| machine.by_name()) {
            *leaks.counts.entry(what.to_string()).or_default() += count;
        }
        leaks
    }
}

impl Leaks {
    /// How many of that sort; of `all` the sum.
    pub fn count(&self, what: &str) -> u64 {
        if what == "all" {
            self.counts.values().sum()
        } else {
            self.counts.get(what).copied().unwrap_or(0)
        }
    }
}

/// The judge of a run.
#[derive(Debug)]
pub struct Judge {
    cases: Vec<Case>,
}

#[derive(Debug)]
struct Case {
    expectation: Expectation,
    matcher: MatcherState,
    candidates: u64,
    matches: u64,
    evidence: Evidence,
}

impl Judge {
    /// Of the scenario as written: every expectation counts.
    pub fn new(plan: &Plan) -> Judge {
        Judge::of(plan, |_| true)
    }

    /// Of an explored run: only what always holds.
    pub fn explored(plan: &Plan) -> Judge {
        Judge::of(plan, |scope| scope == Scope::Always)
    }

    fn of(plan: &Plan, judged: impl Fn(Scope) -> bool) -> Judge {
        let expectations = plan.expectations.iter().filter(|e| judged(e.scope));
        let cases = expectations.map(|expectation| Case {
            expectation: expectation.clone(),
            matcher: MatcherState::new(&expectation.matcher, plan),
            candidates: 0,
            matches: 0,
            evidence: Evidence::default(),
        });
        Judge {
            cases: cases.collect(),
        }
    }

    /// Looks at the next entry, which the context has observed already.
    pub fn feed(&mut self, entry: &Entry, context: &Context) {
        for case in &mut self.cases {
            case.feed(entry, context);
        }
    }

    /// What did not hold. `leaks` is what the world found after it destroyed all domains.
    pub fn failures(&self, leaks: &Leaks) -> Vec<Failure> {
        let failures = self.cases.iter().filter_map(|case| case.failure(leaks));
        failures.collect()
    }
}

impl Case {
    fn feed(&mut self, entry: &Entry, context: &Context) {
        let mut verdict = self.matcher.feed(entry, context);
        if !verdict.candidate {
            return;
        }
        self.candidates += 1;
        if let Some((from, to)) = self.expectation.within {
            verdict.matched &= from <= entry.at && entry.at < to;
        }
        self.matches += u64::from(verdict.matched);
        self.evidence.note(verdict, entry, context);
    }

    fn failure(&self, leaks: &Leaks) -> Option<Failure> {
        let Expectation { count, vacuous, .. } = self.expectation;
        let (candidates, matches) = match &self.expectation.matcher {
            // The leak check always looks, so it could always have failed.
            Matcher::Leaked { what } => (1, leaks.count(what)),
            Matcher::SiteNotFetched { .. } => {
                (self.candidates, self.matcher.missing().count() as u64)
            }
            _ => (self.candidates, self.matches),
        };
        let what = words::matcher(&self.expectation.matcher);
        let message = if !count.contains(matches) {
            let hint = match candidates {
                0 => "; nothing like it came by at all",
                _ => "",
            };
            format!(
                "{what}: {matches} found, {} expected{hint}",
                count_words(count)
            )
        } else if candidates == 0 && !vacuous {
            format!("{what}: held, but nothing came by that could have broken it")
        } else {
            return None;
        };
        Some(Failure {
            span: Some(self.expectation.span),
            message,
            evidence: self.lines(leaks),
        })
    }

    fn lines(&self, leaks: &Leaks) -> Vec<String> {
        match &self.expectation.matcher {
            Matcher::Leaked { .. } => {
                let left = leaks.counts.iter().filter(|(_, n)| **n > 0);
                left.map(|(what, n)| format!("not given back: {n} {what}"))
                    .collect()
            }
            Matcher::SiteNotFetched { .. } => {
                let missing = self.matcher.missing().take(20);
                missing
                    .map(|path| format!("not fetched as it is: {path}"))
                    .collect()
            }
            _ => self.evidence.lines(),
        }
    }
}

fn count_words(count: Count) -> String {
    match (count.least, count.most) {
        (least, most) if least == most => format!("{least}"),
        (least, u64::MAX) => format!("at least {least}"),
        (0, most) => format!("at most {most}"),
        (least, most) => format!("{least} to {most}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{PacketKind, PacketMatcher};
    use crate::view::testing::{Stream, plan};
    use xenemu::Time;

    fn tcp(flags: &str) -> Matcher {
        Matcher::Packet(PacketMatcher {
            flags: Some(flags.into()),
            ..PacketMatcher::any(PacketKind::Tcp)
        })
    }

    fn expectation(matcher: Matcher, count: u64) -> Expectation {
        Expectation {
            scope: Scope::Expect,
            matcher,
            count: Count {
                least: count,
                most: count,
            },
            within: None,
            vacuous: false,
            span: Span { offset: 3, len: 4 },
        }
    }

    fn failures(expectation: Expectation, stream: &Stream) -> Vec<Failure> {
        let mut plan = plan();
        plan.expectations.push(expectation);
        let mut context = Context::new(&plan);
        let mut judge = Judge::new(&plan);
        for entry in &stream.entries {
            context.observe(entry);
            judge.feed(entry, &context);
        }
        judge.failures(&Leaks::default())
    }

    fn handshake() -> Stream {
        let mut stream = Stream::begin();
        stream.handshake();
        stream
    }

    #[test]
    fn a_count_that_is_met_holds_and_one_that_is_not_shows_the_packets() {
        assert_eq!(failures(expectation(tcp("S"), 1), &handshake()), []);
        let failed = failures(expectation(tcp("S."), 2), &handshake());
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].span, Some(Span { offset: 3, len: 4 }));
        assert_eq!(failed[0].message, "tcp flags=\"S.\": 1 found, 2 expected");
        assert!(
            failed[0].evidence[0].starts_with("matched: 0.022000 blog: IP 10.0.0.2.80 > "),
            "{:?}",
            failed[0].evidence
        );
        assert_eq!(failed[0].evidence.len(), 3);
    }

    #[test]
    fn an_expectation_that_could_not_have_failed_fails() {
        let quiet = Stream::begin();
        let failed = failures(expectation(tcp("R"), 0), &quiet);
        assert_eq!(failed.len(), 1);
        assert!(failed[0].message.contains("could have broken it"));
        let vacuous = Expectation {
            vacuous: true,
            ..expectation(tcp("R"), 0)
        };
        assert_eq!(failures(vacuous, &quiet), []);
        assert_eq!(failures(expectation(tcp("R"), 0), &handshake()), []);
    }

    #[test]
    fn a_failure_says_when_nothing_like_it_came_by() {
        let failed = failures(expectation(tcp("S"), 1), &Stream::begin());
        assert!(
            failed[0]
                .message
                .ends_with("1 expected; nothing like it came by at all")
        );
    }

    #[test]
    fn only_matches_within_the_stretch_count() {
        let within = |from, to| Expectation {
            within: Some((Time(from), Time(to))),
            ..expectation(tcp("S"), 1)
        };
        assert_eq!(failures(within(1_000_000, 1_000_001), &handshake()), []);
        assert_eq!(failures(within(0, 1_000_000), &handshake()).len(), 1);
    }

    #[test]
    fn what_was_not_given_back_is_counted_by_its_word() {
        let mut plan = plan();
        let what = "all".to_string();
        plan.expectations
            .push(expectation(Matcher::Leaked { what }, 0));
        let judge = Judge::new(&plan);
        assert_eq!(judge.failures(&Leaks::default()), []);
        let leaks = Leaks {
            counts: BTreeMap::from([("grants".to_string(), 2)]),
        };
        let failed = judge.failures(&leaks);
        assert_eq!(failed[0].evidence, ["not given back: 2 grants"]);
    }

    #[test]
    fn an_explored_run_is_judged_by_what_always_holds_only() {
        let mut plan = plan();
        plan.expectations.push(expectation(tcp("S"), 9));
        plan.expectations.push(Expectation {
            scope: Scope::Always,
            ..expectation(tcp("S"), 8)
        });
        assert_eq!(Judge::explored(&plan).failures(&Leaks::default()).len(), 1);
        assert_eq!(Judge::new(&plan).failures(&Leaks::default()).len(), 2);
    }
}
