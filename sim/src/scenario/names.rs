//! Who there is: the names that a scenario declares, gathered before anything else is checked.
//!
//! Declarations may stand in any order, so a first walk over the raw document finds the names; what is wrong with the
//! declarations in any other way is found later.

use std::collections::BTreeMap;

use super::language::GUESTS;
use super::report::Problem;
use super::syntax::Node;
use crate::plan::Span;

/// The declared names.
#[derive(Debug, Default)]
pub struct Names {
    /// By domain: its guest and its machine.
    domains: BTreeMap<String, (String, String)>,
    machines: BTreeMap<String, Span>,
    switches: BTreeMap<String, Span>,
    /// By link: its two ends.
    links: BTreeMap<String, (String, String)>,
    /// Guests beyond the builtin ones.
    more_guests: Vec<String>,
}

impl Names {
    /// Gathers the names; each that is declared twice is a problem.
    pub fn gather(nodes: &[Node], more_guests: &[String], problems: &mut Vec<Problem>) -> Names {
        let mut names = Names {
            more_guests: more_guests.to_vec(),
            ..Names::default()
        };
        for node in nodes {
            match node.name.as_str() {
                "machine" => names.machine(node, problems),
                "switch" => names.node_name(node, "switch", problems),
                "link" => names.link(node, problems),
                _ => {}
            }
        }
        names
    }

    fn machine(&mut self, node: &Node, problems: &mut Vec<Problem>) {
        self.node_name(node, "machine", problems);
        let machine = text_arg(node, 0).map_or("", |(name, _)| name);
        for domain in node.children.iter().flatten() {
            let Some((name, span)) = text_arg(domain, 0) else {
                continue;
            };
            if domain.name != "domain" {
                continue;
            }
            let guest = text_prop(domain, "guest").unwrap_or("");
            let entry = (guest.to_owned(), machine.to_owned());
            if self.domains.insert(name.to_owned(), entry).is_some() {
                problems.push(twice("domain", name, span));
            }
        }
    }

    fn node_name(&mut self, node: &Node, what: &str, problems: &mut Vec<Problem>) {
        let Some((name, span)) = text_arg(node, 0) else {
            return;
        };
        let among = if what == "machine" {
            &mut self.machines
        } else {
            &mut self.switches
        };
        let again = among.insert(name.to_owned(), span).is_some();
        if again || (self.machines.contains_key(name) && self.switches.contains_key(name)) {
            problems.push(twice("machine or switch", name, span));
        }
    }

    fn link(&mut self, node: &Node, problems: &mut Vec<Problem>) {
        let (Some((a, span)), Some((b, _))) = (text_arg(node, 0), text_arg(node, 1)) else {
            return;
        };
        let name = text_prop(node, "name").map_or_else(|| format!("{a}-{b}"), str::to_owned);
        let ends = (a.to_owned(), b.to_owned());
        if self.links.insert(name.clone(), ends).is_some() {
            problems.push(twice("link", &name, span));
        }
    }

    pub fn domains(&self) -> impl Iterator<Item = &str> {
        self.domains.keys().map(String::as_str)
    }

    pub fn machines(&self) -> impl Iterator<Item = &str> {
        self.machines.keys().map(String::as_str)
    }

    /// Machines and switches.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        self.machines()
            .chain(self.switches.keys().map(String::as_str))
    }

    pub fn links(&self) -> impl Iterator<Item = &str> {
        self.links.keys().map(String::as_str)
    }

    pub fn guests(&self) -> impl Iterator<Item = &str> {
        let more = self.more_guests.iter().map(String::as_str);
        GUESTS.iter().copied().chain(more)
    }

    /// A domain's guest.
    pub fn guest(&self, domain: &str) -> Option<&str> {
        self.domains.get(domain).map(|(guest, _)| guest.as_str())
    }

    /// The machine that a domain is declared on.
    pub fn machine_of(&self, domain: &str) -> Option<&str> {
        self.domains
            .get(domain)
            .map(|(_, machine)| machine.as_str())
    }

    /// A link's ends.
    pub fn ends(&self, link: &str) -> Option<(&str, &str)> {
        self.links.get(link).map(|(a, b)| (a.as_str(), b.as_str()))
    }
}

fn twice(what: &str, name: &str, span: Span) -> Problem {
    let hint = if what == "link" {
        "give one of them a name of its own: name=\"…\""
    } else {
        "names are unique in the whole scenario: choose another"
    };
    Problem::new(
        span,
        format!("the {what} {name:?} is declared twice"),
        "again here",
        hint,
    )
}

fn text_arg(node: &Node, index: usize) -> Option<(&str, Span)> {
    let entry = node
        .entries
        .iter()
        .filter(|e| e.name.is_none())
        .nth(index)?;
    Some((entry.value.as_string()?, entry.span))
}

fn text_prop<'a>(node: &'a Node, name: &str) -> Option<&'a str> {
    let entry = node
        .entries
        .iter()
        .find(|e| e.name.as_deref() == Some(name))?;
    entry.value.as_string()
}
