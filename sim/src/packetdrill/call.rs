//! A system call: `...TIME name(arguments) = result ERRNO (note)`.

use std::fmt;

use super::cursor::{Cursor, Parsed};
use super::expr::{self, Expr};
use super::place::Place;
use super::time::{Micros, micros};
use super::token::Kind;

/// A call, and what it has to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// `...TIME`: it blocks, and returns then
    pub until: Option<Micros>,
    pub name: String,
    /// Where the name stands.
    pub place: Place,
    pub arguments: Vec<Expr>,
    pub result: Expr,
    /// `EAGAIN`
    pub errno: Option<String>,
    /// What stands in brackets for the reader.
    pub note: Option<String>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(until) = self.until {
            write!(f, "...{until} ")?;
        }
        let arguments = expr::joined(&self.arguments, ", ");
        write!(f, "{}({arguments}) = {}", self.name, self.result)?;
        if let Some(errno) = &self.errno {
            write!(f, " {errno}")?;
        }
        match &self.note {
            Some(note) => write!(f, " ({note})"),
            None => Ok(()),
        }
    }
}

/// Parses a call.
pub fn call(cursor: &mut Cursor<'_>) -> Parsed<Call> {
    const HINT: &str = "a call is name(arguments) = result, as in close(3) = 0";
    let until = match cursor.take_ellipsis() {
        true => Some(micros(cursor)?),
        false => None,
    };
    let place = Place(cursor.peek().span);
    let name = cursor.word("a call", HINT)?.to_owned();
    cursor.expect(b'(', HINT)?;
    let arguments = expr::list(cursor, b')', expr::DEPTH_MAX)?;
    cursor.expect(b'=', HINT)?;
    let result = expr::result(cursor)?;
    let next = cursor.peek();
    // `1e300` is a word as well, but a slip in the time of the next event.
    let begins_like_a_name = next.text.starts_with(|c: char| !c.is_ascii_digit());
    let errno = match next.kind {
        Kind::Word if begins_like_a_name => Some(cursor.advance().text.to_owned()),
        _ => None,
    };
    Ok(Call {
        until,
        name,
        place,
        arguments,
        result,
        errno,
        note: note(cursor)?,
    })
}

/// Words in brackets; how they are spaced does not matter.
fn note(cursor: &mut Cursor<'_>) -> Parsed<Option<String>> {
    if !cursor.take(b'(') {
        return Ok(None);
    }
    let mut words = Vec::new();
    while cursor.peek().kind == Kind::Word {
        words.push(cursor.advance().text);
    }
    if words.is_empty() {
        return Err(cursor.unexpected("a note", "a note has words: (Connection refused)"));
    }
    cursor.expect(b')', "a note is words only, as in (Connection refused)")?;
    Ok(Some(words.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::lex::lex;

    fn parsed(text: &str) -> Result<String, String> {
        let tokens = lex(text).expect("tokens");
        let mut cursor = Cursor::new(&tokens);
        let call = call(&mut cursor).map_err(|problem| problem.message)?;
        match cursor.peek().kind {
            Kind::End => Ok(call.to_string()),
            _ => Err(format!("{:?} is left", cursor.peek())),
        }
    }

    #[test]
    fn each_part_of_a_call_is_read_and_printed() {
        for (text, printed) in [
            ("close(3) = 0", "close(3) = 0"),
            ("getpid()=...", "getpid() = ..."),
            (
                "...0.5 read(3, ..., 10) = 10",
                "...0.500000 read(3, ..., 10) = 10",
            ),
            (
                "connect(3, ..., ...) = -1 EAGAIN(Try again)",
                "connect(3, ..., ...) = -1 EAGAIN (Try again)",
            ),
            (
                "fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)",
                "fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)",
            ),
            ("read(3, NULL, 1) = -1 (Bad)", "read(3, NULL, 1) = -1 (Bad)"),
            ("f(1) = WORD (note)", "f(1) = WORD (note)"),
            ("f(1) = A|B", "f(1) = A|B"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(printed), "{text}");
            assert_eq!(parsed(printed).as_deref(), Ok(printed));
        }
    }

    #[test]
    fn a_wrong_call_is_a_problem() {
        for text in [
            "",
            "close",
            "close(",
            "close(3",
            "close(3)",
            "close(3) =",
            "close(3,) = 0",
            "... close(3) = 0",
            "close(3) = 0 ()",
            "close(3) = 0 (a",
            "close(3) = 0 E (1)",
            "close(3) = 0 1e300",
            "3(4) = 5",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }
}
