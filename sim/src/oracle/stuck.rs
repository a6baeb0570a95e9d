//! Guests that spin: whatever comes in, a guest's run ends. The packet after which it did not is named, since it is all
//! that is needed to see it again.
//!
//! A scenario that wants a stuck domain says so; in every other one it is a failure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use xenemu::FrameId;
use xenemu::abi::DomId;
use xenemu::event::Life;

use super::context::{Context, Sighting};
use super::expect::Failure;
use super::tracker::Direction;
use crate::plan::{Expectation, Matcher, Plan};
use crate::trace::entry::{Author, Entry, Event};
use crate::view::dissect::tcp;
use crate::view::line;

/// The guests that span, and what each was given last.
#[derive(Debug, Default)]
pub struct Stuck {
    /// The scenario wants one.
    expected: bool,
    given: BTreeMap<(u16, DomId), Sighting>,
    failures: Vec<Failure>,
}

impl Stuck {
    /// In a run of that plan.
    pub fn new(plan: &Plan) -> Stuck {
        let wants_it = |e: &Expectation| {
            matches!(&e.matcher, Matcher::Life { is, .. } if is == "stuck") && !e.count.contains(0)
        };
        Stuck {
            expected: plan.expectations.iter().any(wants_it),
            ..Stuck::default()
        }
    }

    /// Looks at the next entry, which the context has observed already.
    pub fn feed(&mut self, entry: &Entry, context: &Context) {
        if let Some(seen) = context.sighting()
            && seen.direction == Direction::In
        {
            let to = (seen.vantage.node, seen.vantage.domid);
            self.given.insert(to, seen.clone());
        }
        let Author::Node(node) = entry.author else {
            return;
        };
        if let Event::Machine(xenemu::Event::Life {
            domid,
            life: Life::Stuck { frame },
        }) = &entry.event
        {
            let failure = self.failure(node, *domid, *frame, entry, context);
            self.failures.push(failure);
        }
    }

    /// What was found.
    pub fn failures(self) -> Vec<Failure> {
        if self.expected {
            return Vec::new();
        }
        self.failures
    }

    fn failure(
        &self,
        node: u16,
        domid: DomId,
        frame: Option<FrameId>,
        entry: &Entry,
        context: &Context,
    ) -> Failure {
        let domain = context.names.domain(node, domid);
        let given = self.given.get(&(node, domid));
        let last = match frame {
            Some(FrameId { origin, n }) => {
                format!("the last frame that it was given is {origin}.{n}")
            }
            None => "it was never given a frame".into(),
        };
        let mut evidence = Vec::new();
        if let Some(seen) = given.filter(|seen| Some(seen.frame) == frame) {
            evidence.push(line::sighting(seen));
            evidence.extend(option_bytes(seen));
        }
        evidence.push(line::entry(entry, context));
        Failure {
            span: None,
            message: format!("{domain} is stuck, its run does not end: {last}"),
            evidence,
        }
    }
}

/// A segment's options as they lie in the frame: a view that reads them may be as wrong as the guest was.
fn option_bytes(seen: &Sighting) -> Option<String> {
    let (ip, _) = seen.packet.tcp()?;
    let begin = ip.at + tcp::HEADER_LEN;
    let bytes = seen.known.bytes.get(begin..seen.packet.payload()?.start)?;
    let mut text = String::from("its options:");
    for byte in bytes {
        let _ = write!(text, " {byte:02x}");
    }
    (!bytes.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Count, Scope};
    use crate::view::testing::{BLOG, DOMID, EC2, READER, Stream, TcpSpec, plan};

    fn spins_over_options(bytes: &[u8]) -> Stream {
        let mut stream = Stream::begin();
        let syn = TcpSpec {
            options: bytes.into(),
            ..TcpSpec::new(READER, BLOG, "S")
        };
        let frame = Some(stream.segment(1_000_000, &syn));
        let life = Life::Stuck { frame };
        stream.machine(21_000_200, EC2, xenemu::Event::Life { domid: DOMID, life });
        stream
    }

    fn judge(plan: &Plan, stream: &Stream) -> Vec<Failure> {
        let (mut context, mut stuck) = (Context::new(plan), Stuck::new(plan));
        for entry in &stream.entries {
            context.observe(entry);
            stuck.feed(entry, &context);
        }
        stuck.failures()
    }

    #[test]
    fn the_packet_is_named_with_its_number_its_time_and_its_option_bytes() {
        let failures = judge(&plan(), &spins_over_options(&[1, 2, 0, 0]));
        assert_eq!(failures.len(), 1);
        let message =
            "blog is stuck, its run does not end: the last frame that it was given is 1.0";
        assert_eq!(failures[0].message, message);
        let [packet, options, _] = failures[0].evidence.as_slice() else {
            panic!("{:?}", failures[0].evidence);
        };
        assert!(packet.starts_with("0.021000 blog: IP 10.0.0.9.40000 > 10.0.0.2.80: Flags [S]"));
        assert_eq!(options, "its options: 01 02 00 00");
    }

    #[test]
    fn a_scenario_may_want_it() {
        let mut plan = plan();
        plan.expectations.push(Expectation {
            scope: Scope::Expect,
            matcher: Matcher::Life {
                domain: None,
                is: "stuck".into(),
            },
            count: Count { least: 1, most: 1 },
            within: None,
            vacuous: false,
            span: Default::default(),
        });
        assert_eq!(judge(&plan, &spins_over_options(&[1, 2, 0, 0])), []);
    }
}
