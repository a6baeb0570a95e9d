//! When things happen, and what the experimenter does then.

use xenemu::Time;

use super::Lower;
use crate::plan::{Action, ActionPlan, Every, LinkChange, Span, Timed, When};
use crate::scenario::node::Node;

impl Lower<'_> {
    /// `at`, or `after`, which counts from the one before.
    pub(super) fn timed(&mut self, node: &Node, last: &mut u64) -> Timed {
        let said = node.number(0);
        let at = if node.name() == "after" {
            last.saturating_add(said)
        } else {
            said
        };
        *last = at;
        self.is_before_the_end(at, node.arg_span(0));
        Timed {
            at: Time(at),
            actions: self.actions(node),
            span: node.span,
        }
    }

    pub(super) fn is_before_the_end(&mut self, at: u64, span: Span) {
        if at >= self.duration {
            self.problem(
                span,
                "the run is over by then".into(),
                "never reached",
                "give the scenario a longer duration=, which is 60s if nothing is said",
            );
        }
    }

    pub(super) fn every(&mut self, node: &Node) -> Every {
        let period = node.number(0);
        if period < 1_000 {
            self.problem(
                node.arg_span(0),
                "a period that short would never let the clock go on".into(),
                "too short",
                "at least \"1us\"",
            );
        }
        let first = node.prop_number("start").unwrap_or(period);
        let span = if node.wrote("start") {
            node.prop_span("start")
        } else {
            node.arg_span(0)
        };
        self.is_before_the_end(first, span);
        Every {
            first: Time(first),
            period,
            actions: self.actions(node),
            span: node.span,
        }
    }

    pub(super) fn when(&mut self, node: &Node) -> Option<When> {
        let reaction = node.prop_number("reaction").unwrap_or(self.reaction);
        self.reaction_is_possible(reaction, node.prop_span("reaction"));
        let actions = self.actions(node);
        let matcher = self.trigger(node.matcher.as_deref()?)?;
        Some(When {
            matcher,
            nth: node.prop_number("nth").expect("default"),
            reaction,
            actions,
            span: node.span,
        })
    }

    fn actions(&mut self, block: &Node) -> Vec<ActionPlan> {
        if block.children.is_empty() && self.problems.is_empty() {
            self.problem(
                block.span,
                format!("`{}` does nothing", block.name()),
                "no action",
                "put actions between braces: { cut \"a-b\" }",
            );
        }
        let actions = block.children.iter().filter_map(|node| {
            let action = self.action(node)?;
            Some(ActionPlan {
                action,
                span: node.span,
            })
        });
        actions.collect()
    }

    fn action(&mut self, node: &Node) -> Option<Action> {
        let first = || node.text(0).to_owned();
        Some(match node.name() {
            "on" => self.on(node),
            "create" => Action::Create { domain: first() },
            "destroy" => Action::Destroy { domain: first() },
            "pause" => Action::Pause { domain: first() },
            "unpause" => Action::Unpause { domain: first() },
            "shutdown" => Action::ShutdownDomain { domain: first() },
            "reboot" => Action::Reboot { domain: first() },
            "crash" => Action::Crash { domain: first() },
            "detach" => Action::VifDetach {
                domain: first(),
                handle: u8::try_from(node.prop_number("vif").expect("default")).expect("in range"),
            },
            "set" => self.set_link(node),
            "cut" => Action::Cut { link: first() },
            "hold" => Action::Hold { link: first() },
            "release" => Action::Release { link: first() },
            "heal" => match node.text_if(0) {
                Some(link) => Action::Heal { link: link.into() },
                None => Action::HealAll {
                    left: Vec::new(),
                    right: Vec::new(),
                },
            },
            "partition" => {
                let (left, right) = self.sides(node)?;
                Action::Partition { left, right }
            }
            "heal-partition" => {
                let (left, right) = self.sides(node)?;
                Action::HealAll { left, right }
            }
            "power-off" => Action::PowerOff { machine: first() },
            "power-on" => Action::PowerOn { machine: first() },
            "inject" => self.inject(node),
            "stop" => Action::Stop,
            other => unreachable!("{other} is an action without a meaning"),
        })
    }

    fn set_link(&mut self, node: &Node) -> Action {
        let link = node.text(1).to_owned();
        let from = node.prop_string("from");
        let ends = self.names.ends(&link);
        if let (Some(from), Some((a, b))) = (&from, ends)
            && from != a
            && from != b
        {
            self.problem(
                node.prop_span("from"),
                format!("{from:?} is not an end of the link {link:?}"),
                "not an end",
                format!("its ends are {a:?} and {b:?}"),
            );
        }
        let change = self.change(node);
        if change == LinkChange::default() {
            self.problem(
                node.span,
                "nothing is changed".into(),
                "no setting",
                "say what changes: set link \"a-b\" delay=\"50ms\" loss=\"1%\"",
            );
        }
        Action::SetLink { link, from, change }
    }

    /// The two sides of a partition.
    fn sides(&mut self, node: &Node) -> Option<(Vec<String>, Vec<String>)> {
        let texts = |node: &Node| -> Vec<String> {
            (0..node.args().len())
                .map(|i| node.text(i).to_owned())
                .collect()
        };
        let mut left = texts(node);
        let mut right: Vec<String> = node.children.iter().flat_map(texts).collect();
        if node.children.is_empty() && left.len() == 2 {
            right.extend(left.pop());
        }
        let name = node.name();
        let problem = if right.is_empty() {
            Some("one side only")
        } else if left.iter().any(|n| right.contains(n)) {
            Some("the same name on both sides")
        } else {
            None
        };
        if let Some(message) = problem {
            let hint = format!(
                "write {name} \"a\" \"b\", or {name} \"a\" \"b\" {{ from \"c\" }} for larger sides"
            );
            self.problem(node.span, message.into(), "two sides are wanted", hint);
            return None;
        }
        Some((left, right))
    }

    fn inject(&mut self, node: &Node) -> Action {
        let frame = node.prop_bytes("hex").expect("required").to_vec();
        if !(14..=1_514).contains(&frame.len()) {
            self.problem(
                node.prop_span("hex"),
                format!("a frame of {} bytes", frame.len()),
                "too short or too long",
                "a frame has 14 to 1514 bytes: destination, source, type, payload",
            );
        }
        Action::Inject {
            domain: node.text(0).into(),
            frame,
        }
    }
}
