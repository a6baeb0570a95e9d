//! A checked word with its values, and how the rest of the checker asks for them.
//!
//! Only [`super::shape`] makes these, and only when every value is what the language's table says: so what is asked for
//! here is there, and of its type, or it is our own mistake.

use std::collections::BTreeMap;

use super::language::Word;
use super::value::Value;
use crate::plan::{Count, Probability, Span};

/// A checked word with its values. Defaults are filled in.
#[derive(Debug)]
pub struct Node {
    pub word: &'static Word,
    /// The word itself.
    pub span: Span,
    pub(super) args: Vec<(Value, Span)>,
    pub(super) props: BTreeMap<&'static str, (Value, Span)>,
    pub children: Vec<Node>,
    /// What a `when` waits for.
    pub matcher: Option<Box<Node>>,
}

/// Access to what the checker has verified: asking for something of another type is our own mistake.
impl Node {
    pub(super) fn blank(word: &'static Word, span: Span) -> Node {
        Node {
            word,
            span,
            args: Vec::new(),
            props: BTreeMap::new(),
            children: Vec::new(),
            matcher: None,
        }
    }

    pub fn name(&self) -> &'static str {
        self.word.name
    }

    pub fn args(&self) -> &[(Value, Span)] {
        &self.args
    }

    /// The text of an argument that is there.
    pub fn text(&self, index: usize) -> &str {
        self.text_if(index).expect("the checker saw the argument")
    }

    /// The text of an optional argument.
    pub fn text_if(&self, index: usize) -> Option<&str> {
        self.args.get(index).map(|(value, _)| as_text(value))
    }

    /// The number of an argument that is there.
    pub fn number(&self, index: usize) -> u64 {
        as_number(&self.args[index].0)
    }

    /// An argument's place; the word's if it is not there.
    pub fn arg_span(&self, index: usize) -> Span {
        self.args.get(index).map_or(self.span, |(_, span)| *span)
    }

    /// Whether a property was written, not filled in.
    pub fn wrote(&self, name: &str) -> bool {
        self.prop_span(name) != self.span
    }

    /// A property's place; the word's if it is not there.
    pub fn prop_span(&self, name: &str) -> Span {
        self.props.get(name).map_or(self.span, |(_, span)| *span)
    }

    pub fn prop(&self, name: &str) -> Option<&Value> {
        assert!(
            self.word.props().any(|p| p.name == name),
            "{} has no {name}",
            self.word.name
        );
        self.props.get(name).map(|(value, _)| value)
    }

    pub fn prop_text(&self, name: &str) -> Option<&str> {
        self.prop(name).map(as_text)
    }

    pub fn prop_string(&self, name: &str) -> Option<String> {
        self.prop_text(name).map(str::to_owned)
    }

    pub fn prop_number(&self, name: &str) -> Option<u64> {
        self.prop(name).map(as_number)
    }

    pub fn prop_bool(&self, name: &str) -> Option<bool> {
        self.prop(name).map(|v| *v == Value::Bool(true))
    }

    pub fn prop_count(&self, name: &str) -> Option<Count> {
        self.prop(name).map(|v| match v {
            Value::Count(count) => *count,
            other => unreachable!("{name} is {other:?}"),
        })
    }

    pub fn prop_probability(&self, name: &str) -> Option<Probability> {
        self.prop(name).map(as_probability)
    }

    pub fn prop_bytes(&self, name: &str) -> Option<&[u8]> {
        self.prop(name).map(|v| match v {
            Value::Bytes(bytes) => bytes.as_slice(),
            other => unreachable!("{name} is {other:?}"),
        })
    }
}

fn as_text(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        other => unreachable!("not a text: {other:?}"),
    }
}

fn as_number(value: &Value) -> u64 {
    match value {
        Value::Number(n) => *n,
        other => unreachable!("not a number: {other:?}"),
    }
}

/// The probability of a value that is one.
pub fn as_probability(value: &Value) -> Probability {
    match value {
        Value::Probability(p) => *p,
        other => unreachable!("not a probability: {other:?}"),
    }
}
