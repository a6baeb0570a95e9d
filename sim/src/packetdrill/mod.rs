//! packetdrill scripts: the language of google/packetdrill and of nplab/packetdrill, which FreeBSD's suite is written in.
//!
//! In reading order, which is the way of a file:
//!
//! - [`lex`]: bytes to [`token`]s; [`define`] replaces names and decides `#ifdef`; a [`cursor`] walks over what is left
//! - [`parse`](mod@parse): options, init command, events, cleanup command; the tree that it makes is in [`ast`]
//! - an event has a [`time`] and is a [`packet`], a [`call`], a [`command`] or code
//! - a packet has [`outer`] headers, [`ip`] marks and a body: [`tcp`] with its [`flags`] and [`options`], each
//!   a [`tcp_option`] and some with bytes in [`hex`]; or UDP, or [`icmp`]
//! - a call has [`expr`]essions, some of them a [`structure`]; each knows its [`place`]
//! - [`sense`]: what is told of a script's calls before it runs
//! - [`environment`]: what commands mean; [`code`]: what code blocks do
//! - [`run`](mod@run): a script's events on virtual time, against a stack of this testbed
//! - [`construct`]: what a script uses; [`support`]: which of it can be run; [`survey`]: what blocks how many scripts
//!
//! Every node prints as it is written, and what is printed parses to the same tree. Work is linear in a script's size,
//! and the only recursion, that of expressions, has a bound.

pub mod ast;
pub mod call;
pub mod code;
pub mod command;
pub mod construct;
pub mod cursor;
pub mod define;
pub mod environment;
pub mod expr;
pub mod flags;
pub mod hex;
pub mod icmp;
pub mod ip;
pub mod lex;
pub mod options;
pub mod outer;
pub mod packet;
pub mod parse;
pub mod place;
pub mod run;
pub mod sense;
pub mod structure;
pub mod support;
pub mod survey;
pub mod tcp;
pub mod tcp_option;
pub mod time;
pub mod token;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

pub use ast::Script;
pub use define::Definitions;

use crate::plan::Span;
use crate::scenario::{Problem, Report};

/// A script, and the text that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    pub script: Script,
    pub source: String,
}

/// Reads and parses a script's file.
pub fn load(path: &Path, definitions: &Definitions) -> Result<Loaded, Report> {
    let bytes = read(path).map_err(|error| {
        let what = format!("the file cannot be read: {error}");
        let hint = "give the path of a .pkt file";
        let problem = Problem::new(Span::default(), what, "no script", hint);
        Report::new(path, "".into(), vec![problem])
    })?;
    let script = parse(&bytes, path, definitions)?;
    let source = String::from_utf8(bytes).expect("a script that was parsed is text");
    let problems = sense::check(&script);
    match problems.is_empty() {
        true => Ok(Loaded { script, source }),
        false => Err(Report::new(path, source.into(), problems)),
    }
}

/// At most one byte more than a script may have: it is refused then.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let most = u64::try_from(lex::MAX_BYTES).expect("1 MiB") + 1;
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Parses a script's text; `name` stands in messages.
pub fn parse(bytes: &[u8], name: &Path, definitions: &Definitions) -> Result<Script, Report> {
    parse_text(bytes, definitions).map_err(|problems| {
        let shown: Arc<str> = String::from_utf8_lossy(bytes).into();
        Report::new(name, shown, problems)
    })
}

fn parse_text(bytes: &[u8], definitions: &Definitions) -> Result<Script, Vec<Problem>> {
    let one = |problem| vec![problem];
    let text = lex::text(bytes).map_err(one)?;
    let tokens = lex::lex(text).map_err(one)?;
    let definitions = definitions.with_those_of(&tokens);
    let tokens = define::expand(&tokens, &definitions).map_err(one)?;
    parse::script(&tokens)
}
