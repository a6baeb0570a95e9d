//! Arguments and results of calls: numbers, words, texts, `...`, lists in brackets, structures in braces.

use std::fmt;

use super::cursor::{self, Cursor, Parsed};
use super::place::Place;
use super::structure::{self, Structure};
use super::token::Kind;
use crate::scenario::Problem;

/// How deep expressions may nest; `recvmsg` with an error queue needs six levels.
pub const DEPTH_MAX: usize = 16;
const HINT: &str =
    "an argument is a number, a WORD, \"text\", ..., [list], {structure} or WORD | WORD";

/// An expression, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr {
    pub place: Place,
    pub kind: ExprKind,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExprKind {
    /// `...`: the tool supplies it, or does not look
    Ellipsis,
    Integer(Integer),
    /// `O_NONBLOCK`, `NULL`
    Word(String),
    /// `"a" "b"`: pieces that are one text
    Text(Vec<String>),
    /// `"a"...`: a text that begins so
    TextPrefix(String),
    /// `A | B`
    Or(Vec<Expr>),
    /// `name = value` outside a structure
    Assign {
        name: String,
        value: Box<Expr>,
    },
    /// `htons(80)`, `inet_addr("192.0.2.1")`
    Apply {
        function: String,
        arguments: Vec<Expr>,
    },
    /// `[a, b]`
    List(Vec<Expr>),
    /// `{a, b}`, as of an iovec
    Group(Vec<Expr>),
    /// `{name=value, …}`
    Structure(Structure),
}

/// A number; hexadecimal ones are printed so again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integer {
    pub value: i64,
    pub is_hex: bool,
}

impl Expr {
    /// The number that it is.
    pub fn integer(&self) -> Option<i64> {
        match &self.kind {
            ExprKind::Integer(integer) => Some(integer.value),
            _ => None,
        }
    }

    /// The word that it is.
    pub fn word(&self) -> Option<&str> {
        match &self.kind {
            ExprKind::Word(word) => Some(word),
            _ => None,
        }
    }

    /// The expressions right inside it.
    pub fn parts(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Or(parts) | ExprKind::List(parts) | ExprKind::Group(parts) => {
                parts.iter().collect()
            }
            ExprKind::Apply { arguments, .. } => arguments.iter().collect(),
            ExprKind::Assign { value, .. } => vec![value],
            ExprKind::Structure(structure) => structure.parts().collect(),
            ExprKind::Ellipsis
            | ExprKind::Integer(_)
            | ExprKind::Word(_)
            | ExprKind::Text(_)
            | ExprKind::TextPrefix(_) => Vec::new(),
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Ellipsis => f.write_str("..."),
            ExprKind::Integer(integer) if integer.is_hex => write!(f, "{:#x}", integer.value),
            ExprKind::Integer(integer) => write!(f, "{}", integer.value),
            ExprKind::Word(word) => f.write_str(word),
            ExprKind::Text(pieces) => {
                let quoted: Vec<String> = pieces.iter().map(|p| format!("\"{p}\"")).collect();
                f.write_str(&quoted.join(" "))
            }
            ExprKind::TextPrefix(text) => write!(f, "\"{text}\"..."),
            ExprKind::Or(parts) => f.write_str(&joined(parts, "|")),
            ExprKind::Assign { name, value } => write!(f, "{name}={value}"),
            ExprKind::Apply {
                function,
                arguments,
            } => write!(f, "{function}({})", joined(arguments, ", ")),
            ExprKind::List(parts) => write!(f, "[{}]", joined(parts, ", ")),
            ExprKind::Group(parts) => write!(f, "{{{}}}", joined(parts, ", ")),
            ExprKind::Structure(structure) => write!(f, "{structure}"),
        }
    }
}

/// Expressions with something between them.
pub fn joined(parts: &[Expr], between: &str) -> String {
    let texts: Vec<String> = parts.iter().map(Expr::to_string).collect();
    texts.join(between)
}

/// Parses an argument.
pub fn expr(cursor: &mut Cursor<'_>) -> Parsed<Expr> {
    alternatives(cursor, Site::Argument, DEPTH_MAX)
}

/// Parses a result: there a bracket after a word begins a note, not arguments.
pub fn result(cursor: &mut Cursor<'_>) -> Parsed<Expr> {
    alternatives(cursor, Site::Result, DEPTH_MAX)
}

/// Parses an expression at a depth that the caller counted.
pub(super) fn nested(cursor: &mut Cursor<'_>, depth: usize) -> Parsed<Expr> {
    alternatives(cursor, Site::Argument, depth)
}

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Site {
    Argument,
    Result,
}

/// One expression, or several with bars between them.
fn alternatives(cursor: &mut Cursor<'_>, site: Site, depth: usize) -> Parsed<Expr> {
    let Some(depth) = depth.checked_sub(1) else {
        let what = format!("expressions are nested more than {DEPTH_MAX} deep");
        let hint = "the deepest structure of the language needs six levels";
        return Err(Problem::new(
            cursor.peek().span,
            what,
            "one level too many",
            hint,
        ));
    };
    let start = cursor.peek().span;
    let first = single(cursor, site, depth)?;
    if !cursor.peek().is(b'|') {
        return Ok(first);
    }
    let mut parts = vec![first];
    while cursor.take(b'|') {
        parts.push(single(cursor, site, depth)?);
    }
    Ok(Expr {
        place: Place(cursor.since(start)),
        kind: ExprKind::Or(parts),
    })
}

fn single(cursor: &mut Cursor<'_>, site: Site, depth: usize) -> Parsed<Expr> {
    let token = cursor.peek();
    let kind = match token.kind {
        Kind::Ellipsis => {
            cursor.advance();
            ExprKind::Ellipsis
        }
        Kind::Integer | Kind::Hex => ExprKind::Integer(integer(cursor)?),
        Kind::Text => text(cursor),
        Kind::Word => word(cursor, site, depth)?,
        Kind::Sign(b'[') => {
            cursor.advance();
            ExprKind::List(list(cursor, b']', depth)?)
        }
        Kind::Sign(b'{') => {
            cursor.advance();
            structure::braces(cursor, depth)?
        }
        _ => return Err(cursor.unexpected("an argument", HINT)),
    };
    Ok(Expr {
        place: Place(cursor.since(token.span)),
        kind,
    })
}

fn integer(cursor: &mut Cursor<'_>) -> Parsed<Integer> {
    let token = cursor.advance();
    let value = cursor::integer(token.text).ok_or_else(|| {
        let what = format!("{} is out of range", token.text);
        let hint = "a number has at most 63 bits and a sign";
        Problem::new(token.span, what, "this number", hint)
    })?;
    Ok(Integer {
        value,
        is_hex: token.kind == Kind::Hex,
    })
}

fn text(cursor: &mut Cursor<'_>) -> ExprKind {
    let first = cursor.advance().text.to_owned();
    if cursor.take_ellipsis() {
        return ExprKind::TextPrefix(first);
    }
    let mut pieces = vec![first];
    while cursor.peek().kind == Kind::Text {
        pieces.push(cursor.advance().text.to_owned());
    }
    ExprKind::Text(pieces)
}

fn word(cursor: &mut Cursor<'_>, site: Site, depth: usize) -> Parsed<ExprKind> {
    let word = cursor.advance().text.to_owned();
    if site == Site::Argument && cursor.take(b'(') {
        return Ok(ExprKind::Apply {
            function: word,
            arguments: list(cursor, b')', depth)?,
        });
    }
    if site == Site::Argument && cursor.take(b'=') {
        return Ok(ExprKind::Assign {
            name: word,
            value: Box::new(nested(cursor, depth)?),
        });
    }
    Ok(ExprKind::Word(word))
}

/// Expressions with commas between them, and the bracket that closes them.
pub(super) fn list(cursor: &mut Cursor<'_>, close: u8, depth: usize) -> Parsed<Vec<Expr>> {
    let mut parts = Vec::new();
    if cursor.take(close) {
        return Ok(parts);
    }
    loop {
        parts.push(nested(cursor, depth)?);
        if !cursor.take(b',') {
            cursor.expect(close, "a comma before the next one, or the closing bracket")?;
            return Ok(parts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::lex::lex;

    fn parsed(text: &str) -> Result<String, String> {
        let tokens = lex(text).expect("tokens");
        let mut cursor = Cursor::new(&tokens);
        let expr = expr(&mut cursor).map_err(|problem| problem.message)?;
        match cursor.peek().kind {
            Kind::End => Ok(expr.to_string()),
            _ => Err(format!("{:?} is left", cursor.peek())),
        }
    }

    #[test]
    fn each_expression_is_read_and_printed() {
        for (text, printed) in [
            ("...", "..."),
            ("-1", "-1"),
            ("0x10", "0x10"),
            ("NULL", "NULL"),
            ("O_RDWR | O_NONBLOCK|X", "O_RDWR|O_NONBLOCK|X"),
            ("\"a\" \"b\\\"\"", "\"a\" \"b\\\"\""),
            ("\"a\"...", "\"a\"..."),
            ("[]", "[]"),
            ("[1,[2]]", "[1, [2]]"),
            ("{..., 10}", "{..., 10}"),
            ("inet_addr(\"1.2.3.4\")", "inet_addr(\"1.2.3.4\")"),
            ("a = b", "a=b"),
            ("{}", "{}"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(printed), "{text}");
            assert_eq!(parsed(printed).as_deref(), Ok(printed));
        }
    }

    #[test]
    fn a_wrong_expression_is_a_problem() {
        for text in [
            "",
            "[",
            "[1",
            "[1,",
            "{",
            "(",
            "1 |",
            "f(",
            "99999999999999999999",
            "1.5",
            "a=",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let nest = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parsed(&nest(DEPTH_MAX)).is_ok());
        assert!(parsed(&nest(DEPTH_MAX + 1)).is_err());
        for open in ["[", "{", "f(", "a=", "{a=", "{a(", "[{fd="] {
            assert!(parsed(&open.repeat(100_000)).is_err());
        }
    }
}
