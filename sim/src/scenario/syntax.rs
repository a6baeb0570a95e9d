//! KDL 2, read in linear time and bounded stack.
//!
//! Scenarios come from anywhere, and a parser that recovers from errors by recursion can be overflowed with a few
//! kilobytes of garbage (as the `kdl` crate's can: a thousand `=` will do). This one takes a step for each byte,
//! descends only with blocks, whose depth [`super::prescan`] has bounded, and goes on in the next line after an error.
//! Tests hold it against the `kdl` crate, which is right about everything that is well formed.

use super::report::Problem;
use crate::plan::Span;

/// A value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    String(String),
    Integer(i128),
    /// A number with a point or an exponent, or one of `#inf #-inf #nan`: never computed with, so kept as text.
    Float(String),
    Bool(bool),
    Null,
}

impl Literal {
    pub fn as_string(&self) -> Option<&str> {
        match self {
            Literal::String(text) => Some(text),
            _ => None,
        }
    }
}

/// An argument, or a property if it has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: Option<String>,
    pub value: Literal,
    /// Where a type annotation stands.
    pub ty: Option<Span>,
    pub span: Span,
}

/// A word with its entries and its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub name: String,
    /// The name's place.
    pub span: Span,
    pub ty: Option<Span>,
    pub entries: Vec<Entry>,
    pub children: Option<Vec<Node>>,
}

/// After so many errors nobody reads on.
const MAX_PROBLEMS: usize = 100;

/// Reads a text that the pre-scan has accepted.
pub fn parse(text: &str) -> Result<Vec<Node>, Vec<Problem>> {
    let mut reader = Reader {
        text,
        at: 0,
        problems: Vec::new(),
    };
    let nodes = reader.nodes();
    if reader.at < text.len() && reader.problems.is_empty() {
        let problem = reader.wrong("this brace closes nothing", "remove it");
        reader.problems.push(problem);
    }
    if reader.problems.is_empty() {
        Ok(nodes)
    } else {
        Err(reader.problems)
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    problems: Vec<Problem>,
}

fn is_newline(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_space(c: char) -> bool {
    !is_newline(c) && (c.is_whitespace() || c == '\u{FEFF}')
}

fn is_identifier(c: char) -> bool {
    !is_newline(c) && !is_space(c) && !c.is_control() && !"()[]{}/\\\"#;=".contains(c)
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn starts(&self, with: &str) -> bool {
        self.rest().starts_with(with)
    }

    fn eat(&mut self, token: &str) -> bool {
        let there = self.starts(token);
        if there {
            self.at += token.len();
        }
        there
    }

    fn skip_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    fn span_from(&self, start: usize) -> Span {
        Span {
            offset: start,
            len: self.at - start,
        }
    }

    /// A problem with what stands here.
    fn wrong(&self, message: &str, hint: &str) -> Problem {
        let span = Span {
            offset: self.at,
            len: self.peek().map_or(0, char::len_utf8),
        };
        Problem::new(span, message.into(), "here", hint)
    }

    /// Skips what means nothing inside a line, and says whether there was any.
    fn space(&mut self) -> bool {
        let start = self.at;
        loop {
            self.skip_while(is_space);
            if self.starts("/*") {
                self.block_comment();
            } else if !self.continuation() {
                return self.at > start;
            }
        }
    }

    /// A backslash at the end of a line.
    fn continuation(&mut self) -> bool {
        let start = self.at;
        if self.eat("\\") {
            self.skip_while(is_space);
            if self.starts("//") {
                self.skip_while(|c| !is_newline(c));
            }
            match self.peek() {
                Some('\r') if self.eat("\r\n") => return true,
                Some(c) if is_newline(c) => {
                    self.at += c.len_utf8();
                    return true;
                }
                None => return true,
                Some(_) => self.at = start,
            }
        }
        false
    }

    fn block_comment(&mut self) {
        let mut depth = 0usize;
        loop {
            if self.eat("/*") {
                depth += 1;
            } else if self.eat("*/") {
                depth -= 1;
            } else {
                match self.peek() {
                    Some(c) => self.at += c.len_utf8(),
                    None => return,
                }
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Skips what means nothing, over lines.
    fn line_space(&mut self) {
        loop {
            let start = self.at;
            self.space();
            self.skip_while(is_newline);
            if self.starts("//") {
                self.skip_while(|c| !is_newline(c));
            }
            if self.at == start {
                return;
            }
        }
    }

    /// Skips what means nothing between nodes.
    fn blank(&mut self) {
        self.line_space();
        while self.eat(";") {
            self.line_space();
        }
    }

    /// The nodes up to the end of the block or file.
    fn nodes(&mut self) -> Vec<Node> {
        let mut nodes = Vec::new();
        loop {
            self.blank();
            let taken_out = self.eat("/-");
            if taken_out {
                self.line_space();
            }
            let ended = matches!(self.peek(), None | Some('}')) && !taken_out;
            if ended || self.problems.len() >= MAX_PROBLEMS {
                return nodes;
            }
            match self.node() {
                Ok(node) if !taken_out => nodes.push(node),
                Ok(_) => {}
                Err(problem) => {
                    self.problems.push(problem);
                    self.skip_line();
                }
            }
        }
    }

    /// After an error: to the end of the line, with all blocks that begin in it.
    fn skip_line(&mut self) {
        let mut depth = 0usize;
        while let Some(c) = self.peek() {
            match c {
                '"' | '#' => {
                    let start = self.at;
                    if self.string().is_err() || self.at == start {
                        self.at = start + 1;
                    }
                    continue;
                }
                '/' if self.starts("/*") => {
                    self.block_comment();
                    continue;
                }
                '/' if self.starts("//") => {
                    self.skip_while(|c| !is_newline(c));
                    continue;
                }
                '}' if depth == 0 => return,
                '}' => depth -= 1,
                '{' => depth += 1,
                c if depth == 0 && (c == ';' || is_newline(c)) => return,
                _ => {}
            }
            self.at += c.len_utf8();
        }
    }

    fn node(&mut self) -> Result<Node, Problem> {
        let ty = self.ty()?;
        let start = self.at;
        let literal = self.value()?;
        let span = self.span_from(start);
        let Literal::String(name) = literal else {
            let hint = "a line begins with a word of the language";
            return Err(Problem::new(span, "a value where a word is wanted".into(), "here", hint));
        };
        let mut node = Node {
            name,
            span,
            ty,
            entries: Vec::new(),
            children: None,
        };
        self.entries(&mut node)?;
        Ok(node)
    }

    fn entries(&mut self, node: &mut Node) -> Result<(), Problem> {
        loop {
            let spaced = self.space();
            let taken_out = self.eat("/-");
            if taken_out {
                self.line_space();
            }
            match self.peek() {
                None | Some(';' | '}') if !taken_out => return Ok(()),
                Some(c) if !taken_out && (is_newline(c) || self.starts("//")) => return Ok(()),
                Some('{') => {
                    let children = self.block()?;
                    if taken_out {
                        continue;
                    }
                    if node.children.replace(children).is_some() {
                        return Err(self.wrong("a second block", "a word has one block"));
                    }
                }
                Some(c) if !spaced && !taken_out => {
                    return Err(self.wrong(
                        &format!("`{c}` does not belong here"),
                        "put a space between values, and quotes around quantities: delay=\"20ms\"",
                    ));
                }
                _ if node.children.is_some() => {
                    return Err(self.wrong("something after a block", "begin a new line, or put a `;` between"));
                }
                _ => {
                    let entry = self.entry()?;
                    if !taken_out {
                        node.entries.push(entry);
                    }
                }
            }
        }
    }

    fn block(&mut self) -> Result<Vec<Node>, Problem> {
        let start = self.at;
        self.at += 1;
        let nodes = self.nodes();
        if self.eat("}") {
            return Ok(nodes);
        }
        let span = Span {
            offset: start,
            len: 1,
        };
        Err(Problem::new(span, "this brace is never closed".into(), "opened here", "add a `}`"))
    }

    fn ty(&mut self) -> Result<Option<Span>, Problem> {
        let start = self.at;
        if !self.eat("(") {
            return Ok(None);
        }
        self.space();
        self.value()?;
        self.space();
        if !self.eat(")") {
            return Err(self.wrong("a `)` is wanted here", "this language has no type annotations at all"));
        }
        Ok(Some(self.span_from(start)))
    }

    fn entry(&mut self) -> Result<Entry, Problem> {
        let start = self.at;
        let mut ty = self.ty()?;
        let mut value = self.value()?;
        let mut name = None;
        let end = self.at;
        self.space();
        if self.eat("=") {
            let Literal::String(key) = value else {
                self.at = start;
                return Err(self.wrong("a property's name is a word", "write name=\"value\""));
            };
            name = Some(key);
            self.space();
            ty = ty.or(self.ty()?);
            value = self.value()?;
        } else {
            self.at = end;
        }
        Ok(Entry {
            name,
            value,
            ty,
            span: self.span_from(start),
        })
    }

    fn value(&mut self) -> Result<Literal, Problem> {
        let rest = self.rest();
        let unsigned = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        if unsigned.starts_with(|c: char| c.is_ascii_digit()) {
            return self.number();
        }
        if self.starts("\"") || (self.starts("#") && rest.trim_start_matches('#').starts_with('"')) {
            return self.string().map(Literal::String);
        }
        if self.starts("#") {
            return self.keyword();
        }
        self.identifier()
    }

    fn identifier(&mut self) -> Result<Literal, Problem> {
        let start = self.at;
        let word = self.skip_while(is_identifier);
        let keyword = matches!(word, "true" | "false" | "null" | "inf" | "-inf" | "nan");
        if keyword || word.is_empty() || word.starts_with('.') && word[1..].starts_with(|c: char| c.is_ascii_digit()) {
            self.at = start;
            let hint = if keyword {
                format!("write #{word}, with the hash; or \"{word}\" for the text")
            } else {
                "a line is: word \"argument\" property=\"value\" { … }".to_owned()
            };
            let what = self.peek().map_or("the end".to_owned(), |c| format!("`{c}`"));
            let message = if keyword {
                format!("`{word}` alone is not a value")
            } else {
                format!("a word or a value is wanted here, not {what}")
            };
            return Err(self.wrong(&message, &hint));
        }
        Ok(Literal::String(word.to_owned()))
    }

    fn keyword(&mut self) -> Result<Literal, Problem> {
        let start = self.at;
        self.at += 1;
        let literal = match self.skip_while(is_identifier) {
            "true" => Literal::Bool(true),
            "false" => Literal::Bool(false),
            "null" => Literal::Null,
            word @ ("inf" | "-inf" | "nan") => Literal::Float(format!("#{word}")),
            _ => {
                self.at = start;
                return Err(self.wrong("no keyword begins like this", "there are #true and #false"));
            }
        };
        Ok(literal)
    }

    fn number(&mut self) -> Result<Literal, Problem> {
        let start = self.at;
        let word = self.skip_while(is_identifier);
        let (sign, digits) = match word.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", word.strip_prefix('+').unwrap_or(word)),
        };
        let (radix, digits) = match digits.get(..2) {
            Some("0x") => (16, &digits[2..]),
            Some("0o") => (8, &digits[2..]),
            Some("0b") => (2, &digits[2..]),
            _ => (10, digits),
        };
        let plain = digits.replace('_', "");
        let well_formed = !digits.starts_with('_') && !plain.is_empty();
        if well_formed && plain.chars().all(|c| c.is_digit(radix)) {
            if let Ok(n) = i128::from_str_radix(&format!("{sign}{plain}"), radix) {
                return Ok(Literal::Integer(n));
            }
        } else if well_formed && radix == 10 && is_decimal(&plain) {
            return Ok(Literal::Float(word.to_owned()));
        }
        let span = self.span_from(start);
        let hint = format!("a quantity with a unit stands between quotes: \"{word}\"");
        Err(Problem::new(span, format!("`{word}` is not a number"), "here", hint))
    }

    /// A quoted string of any kind.
    fn string(&mut self) -> Result<String, Problem> {
        let hashes = self.skip_while(|c| c == '#').len();
        let quote = if self.starts("\"\"\"") { "\"\"\"" } else { "\"" };
        let opened = self.at;
        if !self.eat(quote) {
            return Err(self.wrong("a string is wanted here", "put it between quotes"));
        }
        let close = format!("{quote}{}", "#".repeat(hashes));
        let start = self.at;
        while !self.starts(&close) {
            match self.peek() {
                Some('\\') if hashes == 0 => {
                    self.at += 1;
                    self.at += self.peek().map_or(0, char::len_utf8);
                }
                Some(c) => self.at += c.len_utf8(),
                None => {
                    self.at = opened;
                    return Err(self.wrong("this string is never closed", "add a `\"`"));
                }
            }
        }
        let raw = &self.text[start..self.at];
        self.at += close.len();
        let lines = if quote.len() == 3 {
            dedent(raw).ok_or_else(|| {
                let span = self.span_from(opened);
                let hint = "the text begins on the next line, and every line begins with the white space before the closing \"\"\"";
                Problem::new(span, "this text is not laid out well".into(), "here", hint)
            })?
        } else {
            raw.to_owned()
        };
        if hashes > 0 {
            return Ok(lines);
        }
        unescape(&lines).ok_or_else(|| {
            let span = self.span_from(opened);
            Problem::new(span, "an escape that does not exist".into(), "in here", "\\n \\r \\t \\s \\b \\f \\\" \\\\ and \\u{…}; raw text stands between #\" and \"#")
        })
    }
}

/// Digits, a point and digits, an exponent.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    digits(whole) && digits(fraction) && digits(exponent)
}

/// A text of several lines: the first and the last line go, and with them the last one's white space from each line.
fn dedent(raw: &str) -> Option<String> {
    let text = raw.replace("\r\n", "\n");
    let body = text.strip_prefix('\n')?;
    let (body, indent) = match body.rsplit_once('\n') {
        Some((body, indent)) => (Some(body), indent),
        None => (None, body),
    };
    if !indent.chars().all(is_space) {
        return None;
    }
    let Some(body) = body else {
        return Some(String::new());
    };
    let lines: Option<Vec<&str>> = body
        .split('\n')
        .map(|line| {
            if line.chars().all(is_space) {
                Some("")
            } else {
                line.strip_prefix(indent)
            }
        })
        .collect();
    Some(lines?.join("\n"))
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next()? {
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            's' => out.push(' '),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{C}'),
            '"' => out.push('"'),
            '\\' => out.push('\\'),
            'u' => {
                let mut digits = String::new();
                chars.next().filter(|&c| c == '{')?;
                loop {
                    match chars.next()? {
                        '}' => break,
                        c if digits.len() < 6 => digits.push(c),
                        _ => return None,
                    }
                }
                out.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
            }
            c if is_space(c) || is_newline(c) => {
                while chars.peek().is_some_and(|&c| is_space(c) || is_newline(c)) {
                    chars.next();
                }
            }
            _ => return None,
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use kdl::{KdlDocument, KdlNode, KdlValue};
    use proptest::prelude::*;

    use super::*;
    use crate::scenario::prescan;

    /// What the `kdl` crate says of a text, in our form.
    fn judge(text: &str) -> Option<Vec<Node>> {
        Some(KdlDocument::parse_v2(text).ok()?.nodes().iter().map(theirs).collect())
    }

    fn theirs(node: &KdlNode) -> Node {
        let literal = |value: &KdlValue| match value {
            KdlValue::String(s) => Literal::String(s.clone()),
            KdlValue::Integer(n) => Literal::Integer(*n),
            KdlValue::Float(_) => Literal::Float(String::new()),
            KdlValue::Bool(b) => Literal::Bool(*b),
            KdlValue::Null => Literal::Null,
        };
        Node {
            name: node.name().value().to_owned(),
            span: Span::default(),
            ty: node.ty().map(|_| Span::default()),
            entries: node
                .entries()
                .iter()
                .map(|e| Entry {
                    name: e.name().map(|n| n.value().to_owned()),
                    value: literal(e.value()),
                    ty: e.ty().map(|_| Span::default()),
                    span: Span::default(),
                })
                .collect(),
            children: node.children().map(|c| c.nodes().iter().map(theirs).collect()),
        }
    }

    /// Our nodes without places.
    fn bare(nodes: Vec<Node>) -> Vec<Node> {
        let entry = |mut e: Entry| {
            e.span = Span::default();
            e.ty = e.ty.map(|_| Span::default());
            if let Literal::Float(text) = &mut e.value {
                text.clear();
            }
            e
        };
        let node = |n: Node| Node {
            span: Span::default(),
            ty: n.ty.map(|_| Span::default()),
            entries: n.entries.into_iter().map(entry).collect(),
            children: n.children.map(bare),
            name: n.name,
        };
        nodes.into_iter().map(node).collect()
    }

    fn agree(text: &str) {
        let ours = parse(text).map(bare);
        assert_eq!(ours.ok(), judge(text), "{text:?}");
    }

    #[test]
    fn the_kdl_crate_reads_the_same() {
        for text in [
            "",
            "a",
            "a;b",
            "a b c=d \"e f\"=1 g=#true { h; i 2 }\nj",
            "a /* x */ b // c\n/- d e { f }\ng /-h i /-{ j } { k }",
            "a \\\n  b",
            "a -1 +2 0x1F 0b101 0o17 1_000 1.5 1e9 #null #inf",
            "a \"x\\n\\t\\\"\\u{e9}\" #\"raw \\ \"text\"#",
            "a \"\"\"\n    one\n      two\n\n    three\n    \"\"\"",
            "(t)a (u)1 b=(v)\"x\"",
            "a {}\nb { }",
            "a b = c",
            "a \"x \\   \n  y\"",
        ] {
            assert!(parse(text).is_ok(), "{text:?}");
            agree(text);
        }
    }

    #[test]
    fn both_refuse_the_same() {
        for text in ["=", "a =", "a b=", "{ }", "a true", "a 20ms", "a \"x\"y", "a (", "1", "a \"\\q\"", "a #yes", "a { b } c"] {
            assert!(parse(text).is_err(), "{text:?}");
            assert!(judge(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn errors_of_several_lines_are_told_at_once() {
        let problems = parse("a b=\nc\nd 20ms { e; f= }\ng true\n").expect_err("refused");
        let places: Vec<usize> = problems.iter().map(|p| p.span.offset).collect();
        assert_eq!(places, [4, 9, 26]);
        assert!(problems[1].hint.contains("\"20ms\"") && problems[2].hint.contains("#true"));
    }

    #[test]
    fn repeated_garbage_costs_no_stack_and_little_time() {
        for motif in ["=", "{}", "(u)", "# ", "a =", "\\ ", "{ }", "/ ", "a b=\n", "\"x\" ", "1.", "/-\n", "a {", "a;"] {
            let text = motif.repeat(200_000 / motif.len());
            if let Ok(text) = prescan::check(text.as_bytes()) {
                let _ = parse(text);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn what_is_well_formed_is_read_as_the_kdl_crate_reads_it(
            text in prop::collection::vec(
                prop::sample::select(vec![
                    "a", " ", " ", " ", "b=", "c", "\n", ";", " { ", " } ", "\"x y\"", "1", "-2", "#true",
                    "/*k*/", "// l\n", "/-", "\\\n", "#\"q\"#",
                ]),
                0..12,
            ),
        ) {
            let text = text.concat();
            if prescan::check(text.as_bytes()).is_ok() && let Ok(ours) = parse(&text) {
                prop_assert_eq!(Some(bare(ours)), judge(&text), "{:?}", text);
            }
        }
    }
}
