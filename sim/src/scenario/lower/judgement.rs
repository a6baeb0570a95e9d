//! Matchers, expectations and the parts of a snapshot.

use xenemu::Time;

use super::{Lower, one_of};
use crate::plan::{
    At, Count, Expectation, Matcher, PacketKind, PacketMatcher, Scope, SnapshotPart,
};
use crate::scenario::language::judgement::LEAKS;
use crate::scenario::node::Node;
use crate::scenario::value::Value;

impl Lower<'_> {
    /// The matcher of a `when`: of what can be seen while the run goes on.
    pub(super) fn trigger(&mut self, node: &Node) -> Option<Matcher> {
        for own in ["count", "vacuous"] {
            if node.word.props().any(|p| p.name == own) && node.wrote(own) {
                self.problem(
                    node.prop_span(own),
                    format!("`{own}` belongs to an expectation"),
                    "not in `when`",
                    "write nth=N for the N-th match",
                );
            }
        }
        let late = node.name() == "site"
            || LEAKS
                .iter()
                .any(|(p, _)| node.name() == "xen" && node.prop(p).is_some());
        if late {
            self.problem(
                node.span,
                "this is known only when the run is over".into(),
                "nothing to wait for",
                "wait for what happens: tcp, http, console, life, link-event, …",
            );
            return None;
        }
        self.matchers(node).pop().map(|(matcher, _)| matcher)
    }

    /// The expectations of a block.
    pub(super) fn judge(
        &mut self,
        block: &Node,
        scope: Scope,
        within: Option<(Time, Time)>,
        to: &mut Vec<Expectation>,
    ) {
        if block.children.is_empty() && self.problems.is_empty() {
            let message = format!("`{}` expects nothing", block.name());
            self.problem(
                block.span,
                message,
                "empty",
                "for example: tcp flags=\"S.\" count=1",
            );
        }
        for node in &block.children {
            if node.name() == "within" {
                self.within(node, scope, within, to);
                continue;
            }
            for (matcher, count) in self.matchers(node) {
                self.can_fail(node, count);
                to.push(Expectation {
                    scope,
                    matcher,
                    count,
                    within,
                    vacuous: node.prop_bool("vacuous").expect("default"),
                    span: node.span,
                });
            }
        }
    }

    fn within(
        &mut self,
        node: &Node,
        scope: Scope,
        outer: Option<(Time, Time)>,
        to: &mut Vec<Expectation>,
    ) {
        if outer.is_some() {
            self.problem(
                node.span,
                "`within` inside `within`".into(),
                "again here",
                "one stretch of time is enough: write the narrower one",
            );
        }
        let (from, until) = (node.number(0), node.number(1));
        if from >= until {
            self.problem(
                node.arg_span(1),
                "the stretch ends before it begins".into(),
                "not after the first time",
                "within \"1s\" \"2s\" is from 1s until before 2s",
            );
        }
        self.is_before_the_end(from, node.arg_span(0));
        self.judge(node, scope, Some((Time(from), Time(until))), to);
    }

    fn can_fail(&mut self, node: &Node, count: Count) {
        if count.least == 0 && count.most == u64::MAX {
            self.problem(
                node.prop_span("count"),
                "any count would do".into(),
                "this can never fail",
                "ask for something: count=1, count=\">=1\"",
            );
        }
    }

    /// A word's matcher and count; `xen` may ask for several things at once.
    fn matchers(&mut self, node: &Node) -> Vec<(Matcher, Count)> {
        let domain = || node.text(0).to_owned();
        let text = |prop: &str| node.prop_string(prop).expect("required, or a default");
        let port = |prop: &str| node.prop_number(prop).map(narrow);
        let matcher = match node.name() {
            "tcp" | "udp" | "icmp" | "icmp6" | "arp" | "ip" | "ip6" | "frame" => {
                Matcher::Packet(packet(node))
            }
            "console" => Matcher::Console {
                domain: domain(),
                contains: text("contains"),
            },
            "life" => Matcher::Life {
                domain: node.text_if(0).map(str::to_owned),
                is: text("is"),
            },
            "tcp-state" => Matcher::TcpState {
                domain: domain(),
                state: text("is"),
                port: port("port"),
            },
            "tcp-note" => Matcher::TcpNote {
                domain: domain(),
                note: text("is"),
            },
            "refused" => Matcher::Refused {
                domain: domain(),
                contains: text("contains"),
            },
            "address" => Matcher::Address {
                domain: domain(),
                state: text("is"),
            },
            "http" => Matcher::Http {
                domain: domain(),
                path: node.prop_string("path"),
                status: port("status"),
            },
            "site" => self.site_fetched(node),
            "link-event" => self.link_event(node),
            "dropped" => Matcher::Dropped {
                domain: domain(),
                reason: node.prop_string("is"),
            },
            "xen" => return self.xen(node),
            "script" => Matcher::ScriptDone { domain: domain() },
            other => unreachable!("{other} is a matcher without a meaning"),
        };
        vec![(matcher, node.prop_count("count").expect("default"))]
    }

    fn site_fetched(&mut self, node: &Node) -> Matcher {
        let server = node.prop_string("from").expect("required");
        let client = node.prop_string("by").expect("required");
        for (domain, prop, guest) in [(&server, "from", "http"), (&client, "by", "script")] {
            let is = self.names.guest(domain).unwrap_or("");
            if !is.starts_with(guest) {
                self.problem(
                    node.prop_span(prop),
                    format!("the domain {domain:?} has the guest {is:?}"),
                    "not the right side",
                    format!("{prop}= is a domain with guest={guest:?}"),
                );
            }
        }
        Matcher::SiteNotFetched { server, client }
    }

    fn link_event(&mut self, node: &Node) -> Matcher {
        let link = node.text(0).to_owned();
        let from = node.prop_string("from");
        if let (Some(from), Some((a, b))) = (&from, self.names.ends(&link))
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
        Matcher::Link {
            link,
            from,
            event: node.prop_string("is").expect("required"),
        }
    }

    fn xen(&mut self, node: &Node) -> Vec<(Matcher, Count)> {
        let mut found = Vec::new();
        for (prop, what) in LEAKS {
            if let Some(count) = node.prop_count(prop) {
                let what = (*what).to_owned();
                found.push((Matcher::Leaked { what }, count));
            }
        }
        let leaks = !found.is_empty();
        if let Some(op) = node.prop_text("op") {
            self.op_is_known(node, op);
            let matcher = Matcher::Hypercall {
                domain: node.prop_string("domain"),
                op: op.to_owned(),
            };
            found.push((matcher, node.prop_count("count").expect("default")));
        }
        if found.is_empty() {
            self.problem(
                node.span,
                "`xen` does not say what".into(),
                "what?",
                "leaked=0, leaked-grants=0, …, or op=\"GNTTABOP_copy\"",
            );
        } else if leaks
            && (node.wrote("count") || node.prop("op").is_some() || node.prop("domain").is_some())
        {
            self.problem(
                node.span,
                "leaks and hypercalls in one line".into(),
                "two things at once",
                "leaked…= is its own count: write op=, domain= and count= on a line of their own",
            );
        }
        found
    }

    fn op_is_known(&mut self, node: &Node, op: &str) {
        let known: Vec<&str> = (0..=u8::MAX)
            .filter_map(xenemu::event::Op::from_u8)
            .map(xenemu::event::Op::name)
            .collect();
        if !known.contains(&op) {
            let hint = one_of(op, &known, "");
            let message = format!("no hypercall's command is called {op:?}");
            self.problem(node.prop_span("op"), message, "unknown command", hint);
        }
    }
}

fn narrow<N: TryFrom<u64>>(n: u64) -> N {
    N::try_from(n).unwrap_or_else(|_| unreachable!("the table lets {n} through"))
}

fn packet(node: &Node) -> PacketMatcher {
    let kind = match node.name() {
        "tcp" => PacketKind::Tcp,
        "udp" => PacketKind::Udp,
        "icmp" => PacketKind::Icmp,
        "icmp6" => PacketKind::Icmpv6,
        "arp" => PacketKind::Arp,
        "ip" => PacketKind::Ipv4,
        "ip6" => PacketKind::Ipv6,
        _ => PacketKind::Frame,
    };
    // Not every kind of packet has every property: what a word has not is absent.
    let has = |name: &str| node.word.props().any(|p| p.name == name);
    let text = |name: &str| has(name).then(|| node.prop_string(name)).flatten();
    let port = |name: &str| {
        has(name)
            .then(|| node.prop_number(name))
            .flatten()
            .map(narrow)
    };
    let count = |name: &str| has(name).then(|| node.prop_count(name)).flatten();
    let retransmits = has("retransmits")
        .then(|| node.prop("retransmits"))
        .flatten();
    let only = matches!(retransmits, Some(Value::Text(_)));
    PacketMatcher {
        kind,
        from: text("from"),
        to: text("to"),
        at: if text("at").as_deref() == Some("receiver") {
            At::Receiver
        } else {
            At::Sender
        },
        flags: text("flags"),
        src_port: port("sport"),
        dst_port: port("dport"),
        port: port("port"),
        len: count("len"),
        win: count("win"),
        contains: text("contains"),
        retransmits: only || retransmits == Some(&Value::Bool(true)),
        only_retransmits: only,
        evil: node.prop_bool("evil"),
        icmp_type: has("type")
            .then(|| node.prop_number("type"))
            .flatten()
            .map(narrow),
    }
}

/// A part of a snapshot.
pub(super) fn snapshot_part(node: &Node) -> SnapshotPart {
    let domain = || node.text(0).to_owned();
    match node.name() {
        "ladder" => SnapshotPart::Ladder {
            only: node.prop_text("only").map_or_else(Vec::new, |t| {
                t.split_whitespace().map(str::to_owned).collect()
            }),
            arp: node.prop_bool("arp").expect("default"),
        },
        "console" => SnapshotPart::Console { domain: domain() },
        "xen-summary" => SnapshotPart::XenSummary,
        "life" => SnapshotPart::Life,
        "tcp" => SnapshotPart::Tcp { domain: domain() },
        other => unreachable!("{other} is a part of a snapshot without a meaning"),
    }
}
