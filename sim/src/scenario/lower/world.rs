//! Machines, domains, switches and links.

use std::collections::BTreeMap;
use std::sync::Arc;

use stack::profile::settings;
use xenemu::Time;

use super::{Lower, one_of};
use crate::plan::{
    DomainPlan, LinkChange, LinkPlan, LinkSettings, Loss, MachinePlan, OnExit, Plan, Probability,
    Site, Span, SwitchPlan, SwitchPoint, VifPlan,
};
use crate::scenario::node::{Node, as_probability};
use crate::scenario::units;
use crate::scenario::value::Value;
use crate::site;

/// The longest Ethernet frame that a link carries, without its check sequence.
const MAX_FRAME: u64 = 1_514;
/// The machine's own actors, as a schedule names them.
const ACTORS: [&str; 4] = ["netback", "xenstored", "xenconsoled", "bridge"];

impl Lower<'_> {
    pub(super) fn machine(&mut self, node: &Node) -> MachinePlan {
        let name = node.text(0).to_owned();
        let mut plan = MachinePlan {
            name,
            ..MachinePlan::default()
        };
        for child in &node.children {
            if child.name() == "domain" {
                plan.domains.push(self.domain(child));
            } else {
                let points = child
                    .children
                    .iter()
                    .map(|p| self.switch_point(p, &plan.name));
                plan.schedule.extend(points.collect::<Vec<_>>());
            }
        }
        plan.schedule
            .sort_by(|a, b| (&a.domain, a.call).cmp(&(&b.domain, b.call)));
        plan
    }

    fn switch_point(&mut self, node: &Node, machine: &str) -> SwitchPoint {
        let domain = node.prop_string("domain").expect("required");
        let actor = node.prop_string("actor").expect("required");
        let domains: Vec<&str> = self
            .names
            .domains()
            .filter(|d| self.names.machine_of(d) == Some(machine))
            .collect();
        if !domains.contains(&domain.as_str()) {
            let hint = one_of(&domain, &domains, "the machine has no domain");
            self.problem(
                node.prop_span("domain"),
                format!("{domain:?} is not a domain of this machine"),
                "on another machine",
                hint,
            );
        }
        if !ACTORS.contains(&actor.as_str()) {
            let hint = one_of(&actor, &ACTORS, "");
            self.problem(
                node.prop_span("actor"),
                format!("no actor of dom0 is called {actor:?}"),
                "unknown actor",
                hint,
            );
        }
        SwitchPoint {
            domain,
            call: node.prop_number("call").expect("required"),
            actor,
            steps: u32::try_from(node.prop_number("steps").expect("default")).expect("in range"),
        }
    }

    fn domain(&mut self, node: &Node) -> DomainPlan {
        let guest = node.prop_string("guest").expect("required");
        let exit = |name| match node.prop_text(name) {
            Some("restart") => OnExit::Restart,
            Some("preserve") => OnExit::Preserve,
            _ => OnExit::Destroy,
        };
        let mut plan = DomainPlan {
            name: node.text(0).to_owned(),
            memory_kib: self.memory(node),
            args: BTreeMap::new(),
            vifs: Vec::new(),
            site: None,
            start: self.start(node),
            on_poweroff: exit("on_poweroff"),
            on_reboot: exit("on_reboot"),
            on_crash: exit("on_crash"),
            counted: node.prop_text("cpu") == Some("counted"),
            span: node.span,
            guest,
        };
        if let Some(profile) = node.prop_text("profile") {
            plan.args.insert("profile".into(), profile.into());
        }
        for child in &node.children {
            match child.name() {
                "vif" => plan.vifs.push(vif(child)),
                "site" => self.site(child, &mut plan),
                "arg" => self.arg(child, &mut plan),
                "tcp" => self.tcp(child, &mut plan),
                "md5" => self.md5(child, &mut plan),
                other => unreachable!("{other} is a word of a domain without a meaning"),
            }
        }
        if plan.guest.starts_with("http") && !node.children.iter().any(|c| c.name() == "site") {
            self.problem(
                node.span,
                format!("the domain {:?} has no site to serve", plan.name),
                "no `site`",
                "add: site \"folder\", a folder of Markdown beside this file",
            );
        }
        if ACTORS.contains(&plan.name.as_str()) {
            self.problem(
                node.arg_span(0),
                format!("{:?} is the name of an actor of dom0", plan.name),
                "taken",
                "a schedule could not tell them apart: choose another",
            );
        }
        if plan.vifs.len() > 1 {
            let message = format!("{} interfaces", plan.vifs.len());
            let hint = "the builtin kernels use one: give it more addresses, ip=\"10.0.0.2/24 10.1.0.2/24\"";
            self.problem(node.span, message, "too many", hint);
        }
        plan
    }

    fn memory(&mut self, node: &Node) -> u64 {
        let bytes = node.prop_number("memory").expect("default");
        if !(1 << 20..=16 << 30).contains(&bytes) || !bytes.is_multiple_of(4_096) {
            self.problem(
                node.prop_span("memory"),
                "a domain cannot have so much memory".into(),
                "out of range",
                "from \"1MiB\" to \"16GiB\", in whole pages of 4KiB",
            );
        }
        bytes / 1_024
    }

    fn start(&mut self, node: &Node) -> Option<Time> {
        let text = node.prop_text("start").expect("default");
        if text == "manual" {
            return None;
        }
        match units::quantity(text, &units::DURATION) {
            Ok(ns) => {
                self.is_before_the_end(ns, node.prop_span("start"));
                Some(Time(ns))
            }
            Err(error) => {
                self.problem(
                    node.prop_span("start"),
                    format!("{text:?}: {error}"),
                    "a time or \"manual\" is wanted here",
                    format!("for example \"5s\"; units: {}", units::DURATION.names()),
                );
                None
            }
        }
    }

    fn arg(&mut self, node: &Node, plan: &mut DomainPlan) {
        let (key, value) = node.text(0).split_once('=').expect("the checker saw the =");
        self.put_arg(plan, node.arg_span(0), key.into(), value);
    }

    fn put_arg(&mut self, plan: &mut DomainPlan, span: Span, key: String, value: &str) {
        let message = format!("the argument `{key}` is given twice");
        if plan.args.insert(key, value.into()).is_some() {
            self.problem(span, message, "again here", "keep one of them");
        }
    }

    fn tcp(&mut self, node: &Node, plan: &mut DomainPlan) {
        self.has_a_tcp(node, plan);
        let written: Vec<&str> = node.word.props().map(|p| p.name).collect();
        for name in written.into_iter().filter(|name| node.wrote(name)) {
            let value = match node.prop(name) {
                Some(Value::Bool(true)) => "on",
                Some(Value::Bool(false)) => "off",
                _ => node.prop_text(name).expect("it was written"),
            };
            let key = format!("{}{name}", settings::PREFIX);
            self.put_arg(plan, node.prop_span(name), key, value);
        }
    }

    fn md5(&mut self, node: &Node, plan: &mut DomainPlan) {
        self.has_a_tcp(node, plan);
        let peer = node.prop_text("peer").expect("required");
        let key = format!("{}{}{peer}", settings::PREFIX, settings::MD5);
        let value = node.prop_text("key").expect("required");
        self.put_arg(plan, node.prop_span("peer"), key, value);
    }

    fn has_a_tcp(&mut self, node: &Node, plan: &DomainPlan) {
        if matches!(plan.guest.as_str(), "raw" | "router" | "empty") {
            self.problem(
                node.span,
                format!("a guest {:?} has no TCP", plan.guest),
                "not here",
                "a raw peer writes each option itself, as in <mss 1460,sackOK>; a router and an empty guest have no connections",
            );
        }
    }

    fn site(&mut self, node: &Node, plan: &mut DomainPlan) {
        if !plan.guest.starts_with("http") {
            self.problem(
                node.span,
                format!("a guest {:?} serves no site", plan.guest),
                "not here",
                "only guest=\"http\" does: remove the site, or change the guest",
            );
            return;
        }
        if plan.site.is_some() {
            self.problem(
                node.span,
                "a second site".into(),
                "again here",
                "a domain serves one site",
            );
            return;
        }
        match site::configure(&self.base.join(node.text(0))) {
            Ok(site) => plan.site = Some(Arc::new(site)),
            Err(error) => {
                plan.site = Some(Arc::new(Site::default()));
                self.problem(
                    node.arg_span(0),
                    error.to_string(),
                    "this site",
                    error.hint(),
                );
            }
        }
    }

    pub(super) fn switch(&mut self, node: &Node) -> SwitchPlan {
        SwitchPlan {
            name: node.text(0).to_owned(),
        }
    }

    pub(super) fn link(&mut self, node: &Node) -> LinkPlan {
        let (a, b) = (node.text(0).to_owned(), node.text(1).to_owned());
        if a == b {
            self.problem(
                node.arg_span(1),
                format!("a link from {a:?} to itself"),
                "the same end",
                "a link joins two machines or switches",
            );
        }
        let name = node
            .prop_string("name")
            .unwrap_or_else(|| format!("{a}-{b}"));
        let mut both = LinkSettings::default();
        apply(&self.change(node), &mut both);
        let mut settings = [both; 2];
        for child in node.children.iter().filter(|c| c.name() == "from") {
            let end = child.text(0);
            let Some(index) = [&a, &b].iter().position(|e| *e == end) else {
                let message = format!("{end:?} is not an end of this link");
                let hint = one_of(end, &[&a, &b], "");
                self.problem(child.arg_span(0), message, "not an end", hint);
                continue;
            };
            apply(&self.change(child), &mut settings[index]);
        }
        let alike = usize::from(settings[0] == settings[1]);
        for one in &settings[alike..] {
            self.settings_are_possible(node, one);
        }
        LinkPlan {
            name,
            a,
            b,
            settings,
            span: node.span,
        }
    }

    fn settings_are_possible(&mut self, node: &Node, settings: &LinkSettings) {
        if settings.jitter > settings.delay {
            self.problem(
                node.prop_span("jitter"),
                "the jitter is greater than the delay".into(),
                "a frame would arrive before it was sent",
                "a jitter is at most the delay",
            );
        }
        if settings.rate.is_some() && settings.queue < MAX_FRAME {
            self.problem(
                node.prop_span("queue"),
                "the queue has no room for a whole frame".into(),
                "too short",
                format!("at least \"{MAX_FRAME}B\""),
            );
        }
    }

    /// What a `link`, a `from` or a `set link` says of a link's settings.
    pub(super) fn change(&mut self, node: &Node) -> LinkChange {
        let mut loss = node.prop_probability("loss").map(Loss::Independent);
        for model in node.children.iter().filter(|c| c.name() == "gemodel") {
            if node.wrote("loss") || matches!(loss, Some(Loss::GilbertElliott { .. })) {
                self.problem(
                    model.span,
                    "two ways of losing frames at once".into(),
                    "the second",
                    "either loss= or one gemodel",
                );
            }
            loss = Some(gilbert_elliott(model));
        }
        LinkChange {
            delay: node.prop_number("delay"),
            jitter: node.prop_number("jitter"),
            rate: node.prop_number("rate").map(Some),
            queue: node.prop_number("queue"),
            mark: node.prop_number("mark").map(Some),
            loss,
            duplicate: node.prop_probability("duplicate"),
            reorder: node.prop_probability("reorder"),
            corrupt: node.prop_probability("corrupt"),
        }
    }

    /// Bridges and switches learn, and speak no spanning tree: a loop would carry a broadcast round for ever.
    pub(super) fn topology(&mut self, plan: &Plan) {
        let mut group: BTreeMap<&str, &str> = BTreeMap::new();
        let mut loops: Vec<(Span, String)> = Vec::new();
        for link in plan.links.iter().filter(|l| l.a != l.b) {
            let (a, b) = (root(&group, &link.a), root(&group, &link.b));
            if a == b {
                loops.push((link.span, link.name.clone()));
            } else {
                group.insert(a, b);
            }
        }
        for (span, name) in loops {
            self.problem(
                span,
                format!("the link {name:?} closes a loop"),
                "frames would circle for ever",
                "bridges and switches speak no spanning tree: remove a link",
            );
        }
    }
}

fn root<'a>(group: &BTreeMap<&'a str, &'a str>, mut node: &'a str) -> &'a str {
    while let Some(&up) = group.get(node) {
        node = up;
    }
    node
}

fn gilbert_elliott(node: &Node) -> Loss {
    let args: Vec<Probability> = node.args().iter().map(|(v, _)| as_probability(v)).collect();
    Loss::GilbertElliott {
        p: args[0],
        r: args[1],
        loss_bad: args.get(2).copied().unwrap_or(Probability::ONE),
        loss_good: args.get(3).copied().unwrap_or(Probability(0)),
    }
}

fn vif(node: &Node) -> VifPlan {
    let texts = |props: [&str; 2]| -> Vec<String> {
        let both = props.iter().filter_map(|prop| node.prop_text(prop));
        both.flat_map(str::split_whitespace)
            .map(str::to_owned)
            .collect()
    };
    let gateways = texts(["gateway", "gateway6"]);
    VifPlan {
        mac: node
            .prop_bytes("mac")
            .map(|b| b.try_into().expect("the checker counted six bytes")),
        ip: texts(["ip", "ip6"]),
        gateway: (!gateways.is_empty()).then(|| gateways.join(" ")),
        sg: node.prop_bool("sg").expect("default"),
        csum: node.prop_bool("csum").expect("default"),
        map_tx: node.prop_bool("map-tx").expect("default"),
    }
}

fn apply(change: &LinkChange, to: &mut LinkSettings) {
    to.delay = change.delay.unwrap_or(to.delay);
    to.jitter = change.jitter.unwrap_or(to.jitter);
    to.rate = change.rate.unwrap_or(to.rate);
    to.queue = change.queue.unwrap_or(to.queue);
    to.mark = change.mark.unwrap_or(to.mark);
    to.loss = change.loss.unwrap_or(to.loss);
    to.duplicate = change.duplicate.unwrap_or(to.duplicate);
    to.reorder = change.reorder.unwrap_or(to.reorder);
    to.corrupt = change.corrupt.unwrap_or(to.corrupt);
}
