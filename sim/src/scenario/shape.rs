//! From parsed lines to checked words: everything that the language's table says is checked here, and nothing
//! else.
//!
//! A node comes out only if all of its own entries were right, so that what follows can rely on them; its children
//! are checked in any case, so that one mistake does not hide the others (but for commands to a domain that is not).

use super::language::{self, Block, Kind, Need, Place, Prop, Word};
use super::names::Names;
use super::node::Node;
use super::report::Problem;
use super::suggest;
use super::syntax::{self, Entry, Literal};
use super::value::{self, Value};
use crate::plan::Span;

/// After so many problems nobody reads on.
const MAX_PROBLEMS: usize = 1_000;

/// Checks a whole document.
pub fn document(nodes: &[syntax::Node], names: &Names, problems: &mut Vec<Problem>) -> Vec<Node> {
    let mut shaper = Shaper { names, problems };
    shaper.block(nodes, Some(Place::Top))
}

struct Shaper<'a> {
    names: &'a Names,
    problems: &'a mut Vec<Problem>,
}

impl Shaper<'_> {
    fn problem(&mut self, span: Span, message: String, label: &str, hint: impl Into<String>) {
        self.problems.push(Problem::new(span, message, label, hint));
    }

    /// Checks the words of a block; `None`: nobody knows what may stand there.
    fn block(&mut self, nodes: &[syntax::Node], place: Option<Place>) -> Vec<Node> {
        let Some(place) = place else {
            return Vec::new();
        };
        let mut shaped = Vec::new();
        for node in nodes {
            if self.problems.len() >= MAX_PROBLEMS {
                break;
            }
            shaped.extend(self.node(node, place));
        }
        shaped
    }

    fn node(&mut self, node: &syntax::Node, place: Place) -> Option<Node> {
        let name = node.name.as_str();
        let Some(word) = language::word(name, place) else {
            self.unknown_word(node, place);
            return None;
        };
        let before = self.problems.len();
        let shaped = if word.takes_matcher {
            self.when(node, word)
        } else {
            Some(self.entries(word, node.span, node.entries.as_slice()))
        };
        let shaped = shaped.filter(|_| self.problems.len() == before);
        let children = self.children(node, word, shaped.as_ref());
        let mut shaped = shaped?;
        shaped.children = children;
        Some(shaped)
    }

    fn children(&mut self, node: &syntax::Node, word: &Word, shaped: Option<&Node>) -> Vec<Node> {
        if let Some(ty) = node.ty {
            self.type_annotation(ty);
        }
        let nodes = node.children.as_deref().unwrap_or(&[]);
        let place = match word.block {
            Block::Of(place) => Some(place),
            Block::Commands => shaped.and_then(|s| self.command_place(s)),
            Block::None if node.children.is_some() => {
                self.problem(
                    node.span,
                    format!("`{}` has no block", word.name),
                    "followed by `{`",
                    "remove the braces and what is between them",
                );
                None
            }
            Block::None => None,
        };
        self.block(nodes, place)
    }

    /// Which commands a domain understands.
    fn command_place(&mut self, on: &Node) -> Option<Place> {
        let domain = on.text_if(0)?;
        let guest = self.names.guest(domain)?;
        let place = language::commands_of(guest);
        if place.is_none() {
            let message =
                format!("the domain {domain:?} takes no commands: its guest is {guest:?}");
            self.problem(
                on.arg_span(0),
                message,
                "not a script",
                "only domains with guest=\"script\" or guest=\"raw\" can be told what to do",
            );
        }
        place
    }

    fn type_annotation(&mut self, span: Span) {
        self.problem(
            span,
            "this language has no type annotations".into(),
            "not here",
            "remove the parentheses and what is between them",
        );
    }

    fn unknown_word(&mut self, node: &syntax::Node, place: Place) {
        let name = node.name.as_str();
        let here: Vec<&str> = language::words()
            .filter(|w| w.places.contains(&place))
            .map(|w| w.name)
            .collect();
        let elsewhere: Vec<&str> = language::words()
            .filter(|w| w.name == name)
            .flat_map(|w| w.places.iter().map(|p| p.name()))
            .collect();
        let span = node.span;
        if elsewhere.is_empty() {
            let hint = suggest::or_else(name, &here, &format!("one of: {}", here.join(", ")));
            self.problem(
                span,
                format!("unknown word `{name}`"),
                "not in the language",
                hint,
            );
        } else {
            let message = format!("`{name}` does not stand in {}", place.name());
            let hint = format!("it stands in {}", elsewhere.join(", or in "));
            self.problem(span, message, "not here", hint);
        }
    }

    /// Checks a word's arguments and properties.
    fn entries(&mut self, word: &'static Word, span: Span, entries: &[Entry]) -> Node {
        let mut node = Node::blank(word, span);
        let entries: Vec<(Option<&str>, &Literal, Span)> =
            entries.iter().map(|e| self.entry(e)).collect();
        self.fill(&mut node, &entries);
        node
    }

    fn entry<'e>(&mut self, entry: &'e Entry) -> (Option<&'e str>, &'e Literal, Span) {
        if let Some(ty) = entry.ty {
            self.type_annotation(ty);
        }
        (entry.name.as_deref(), &entry.value, entry.span)
    }

    fn fill(&mut self, node: &mut Node, entries: &[(Option<&str>, &Literal, Span)]) {
        let args: Vec<_> = entries.iter().filter(|(name, ..)| name.is_none()).collect();
        // Of a raw peer with one flow its name may be left out: then the first argument is the segment or time.
        let unnamed = node.word.places == [Place::Raw]
            && args.len() == 1
            && node.word.args.len() == 2
            && node.word.args[0].kind == Kind::Socket;
        if unnamed {
            node.args.push((Value::Text(String::new()), node.span));
        }
        for (_, value, span) in args {
            let index = node.args.len();
            self.argument(node, index, value, *span);
        }
        for (name, value, span) in entries {
            if let Some(name) = name {
                self.property(node, name, value, *span);
            }
        }
        self.missing(node);
    }

    fn argument(&mut self, node: &mut Node, index: usize, value: &Literal, span: Span) {
        let last = node.word.args.last().filter(|a| a.need == Need::Many);
        let Some(arg) = node.word.args.get(index).or(last) else {
            let word = node.word.name;
            let hint = match node.word.args.len() {
                0 => format!("`{word}` takes no arguments; properties are written name=value"),
                n => format!("`{word}` takes at most {n}: {}", usage(node.word)),
            };
            return self.problem(
                span,
                format!("`{word}`: an argument too many"),
                "this one",
                hint,
            );
        };
        // A wrong value keeps its place: it is not missing, and those after it are the right ones.
        let value = self.value(arg.kind, value, span);
        node.args.push((value.unwrap_or(Value::Bool(false)), span));
    }

    fn property(&mut self, node: &mut Node, name: &str, value: &Literal, span: Span) {
        let word = node.word.name;
        let Some(prop) = node.word.props().find(|p| p.name == name) else {
            let among: Vec<&str> = node.word.props().map(|p| p.name).collect();
            let otherwise = if among.is_empty() {
                format!("`{word}` has no properties: {}", usage(node.word))
            } else {
                format!("it has: {}", among.join(", "))
            };
            let hint = suggest::or_else(name, &among, &otherwise);
            return self.problem(
                span,
                format!("`{word}` has no property `{name}`"),
                "unknown property",
                hint,
            );
        };
        if node.props.contains_key(prop.name) {
            return self.problem(
                span,
                format!("`{name}` is given twice"),
                "again here",
                "keep one of them",
            );
        }
        let value = self.value(prop.kind, value, span);
        node.props
            .insert(prop.name, (value.unwrap_or(Value::Bool(false)), span));
    }

    fn value(&mut self, kind: Kind, value: &Literal, span: Span) -> Option<Value> {
        match value::read(kind, value, self.names) {
            Ok(value) => Some(value),
            Err(c) => {
                self.problems
                    .push(Problem::new(span, c.message, c.label, c.hint));
                None
            }
        }
    }

    /// Fills defaults in, and complains about what has none and is not there.
    fn missing(&mut self, node: &mut Node) {
        let word = node.word;
        if let Some(arg) = word.args.get(node.args.len())
            && arg.need != Need::Optional
        {
            let message = format!("`{}` needs an argument: {}", word.name, arg.name);
            self.problem(node.span, message, "something is missing", usage(word));
        }
        for prop in word.props() {
            if node.props.contains_key(prop.name) {
                continue;
            }
            if let Some(text) = prop.default {
                let value =
                    value::default(prop.kind, text).expect("the table's own defaults are right");
                node.props.insert(prop.name, (value, node.span));
            } else if prop.required {
                self.missing_property(node, prop);
            }
        }
    }

    fn missing_property(&mut self, node: &Node, prop: &Prop) {
        let example = match prop.kind {
            Kind::Choice(of) => format!("one of: {}", of.join(", ")),
            Kind::Guest => format!(
                "one of: {}",
                self.names.guests().collect::<Vec<_>>().join(", ")
            ),
            kind => value::example(kind).map_or_else(
                || format!("write {}=\"…\"", prop.name),
                |e| format!("for example {}={e}", prop.name),
            ),
        };
        let message = format!("`{}` needs the property `{}`", node.word.name, prop.name);
        self.problem(node.span, message, "something is missing", example);
    }

    /// `when console="blog" contains="x"` and `when tcp flags="S."`: the matcher is a property's name or the first
    /// argument; what else stands there belongs to it, but for `when`'s own properties.
    fn when(&mut self, node: &syntax::Node, word: &'static Word) -> Option<Node> {
        let span = node.span;
        let named = node.entries.as_slice().iter().position(|e| {
            e.name
                .as_deref()
                .or(e.value.as_string())
                .is_some_and(|n| language::matcher(n).is_some())
        });
        let Some(index) = named else {
            self.no_matcher(node, span);
            return None;
        };
        let entry = &node.entries.as_slice()[index];
        let own: Vec<&str> = word.props().map(|p| p.name).collect();
        let (mut ours, mut its) = (Vec::new(), Vec::new());
        let (_, value, entry_span) = self.entry(entry);
        let matcher = match &entry.name {
            Some(name) => {
                its.push((None, value, entry_span));
                language::matcher(name)
            }
            None => value.as_string().and_then(language::matcher),
        };
        for (_, other) in node
            .entries
            .as_slice()
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != index)
        {
            let entry = self.entry(other);
            if entry.0.is_some_and(|n| own.contains(&n)) {
                ours.push(entry);
            } else {
                its.push(entry);
            }
        }
        let mut shaped = Node::blank(word, span);
        self.fill(&mut shaped, &ours);
        let mut found = Node::blank(matcher.expect("position() found it"), entry_span);
        self.fill(&mut found, &its);
        shaped.matcher = Some(Box::new(found));
        Some(shaped)
    }

    fn no_matcher(&mut self, node: &syntax::Node, span: Span) {
        let matchers: Vec<&str> = language::judgement::WORDS
            .iter()
            .filter(|w| language::matcher(w.name).is_some() && w.places == [Place::Judge])
            .map(|w| w.name)
            .collect();
        let first = node.entries.as_slice().first();
        let wrong = first.and_then(|e| e.name.as_deref().or(e.value.as_string()));
        let otherwise = format!("one of: {}", matchers.join(", "));
        let hint = suggest::or_else(wrong.unwrap_or(""), &matchers, &otherwise);
        let span = first.map_or(span, |e| e.span);
        self.problem(
            span,
            "`when` needs something to wait for".into(),
            "no matcher",
            hint,
        );
    }
}

/// How a word's arguments are written.
pub fn usage(word: &Word) -> String {
    let mut out = word.name.to_owned();
    for arg in word.args {
        out.push_str(&match arg.need {
            Need::Required => format!(" <{}>", arg.name),
            Need::Optional => format!(" [{}]", arg.name),
            Need::Many => format!(" <{}>…", arg.name),
        });
    }
    out
}
