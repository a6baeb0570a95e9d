//! A parser's place among the tokens: look, take, or say what was wanted instead.

use super::token::{Kind, Token};
use crate::plan::Span;
use crate::scenario::Problem;

/// What a part of the parser gives: the thing, or the first problem.
pub type Parsed<T> = Result<T, Problem>;

/// A walk over tokens, the last of which is [`Kind::End`]; it never passes that one.
#[derive(Debug)]
pub struct Cursor<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(tokens: &'a [Token<'a>]) -> Cursor<'a> {
        let last = tokens.last().expect("tokens end with their end");
        assert_eq!(last.kind, Kind::End, "tokens end with their end");
        Cursor { tokens, at: 0 }
    }

    /// The token `ahead` of the next one.
    pub fn peek_at(&self, ahead: usize) -> Token<'a> {
        self.tokens[(self.at + ahead).min(self.tokens.len() - 1)]
    }

    pub fn peek(&self) -> Token<'a> {
        self.peek_at(0)
    }

    pub fn advance(&mut self) -> Token<'a> {
        let token = self.peek();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    /// From `start` to the end of the last token taken.
    pub fn since(&self, start: Span) -> Span {
        let last = self.tokens[self.at.saturating_sub(1)].span;
        let end = (last.offset + last.len).max(start.offset + start.len);
        Span {
            offset: start.offset,
            len: end - start.offset,
        }
    }

    /// How many tokens were taken.
    pub fn taken(&self) -> usize {
        self.at
    }

    /// Is this the first token of its line, and one that an event may begin with?
    pub fn is_at_an_event(&self) -> bool {
        let token = self.peek();
        let begins = match token.kind {
            Kind::Integer | Kind::Decimal => true,
            Kind::Sign(sign) => matches!(sign, b'+' | b'*'),
            _ => false,
        };
        token.opens_line && begins
    }

    /// Takes this punctuation if it comes next.
    pub fn take(&mut self, sign: u8) -> bool {
        let taken = self.peek().is(sign);
        if taken {
            self.advance();
        }
        taken
    }

    /// Takes this word if it comes next.
    pub fn take_word(&mut self, word: &str) -> bool {
        let taken = self.peek().is_word(word);
        if taken {
            self.advance();
        }
        taken
    }

    /// Takes `...` if it comes next.
    pub fn take_ellipsis(&mut self) -> bool {
        let taken = self.peek().kind == Kind::Ellipsis;
        if taken {
            self.advance();
        }
        taken
    }

    /// Takes this punctuation; `hint` shows how the thing is written.
    pub fn expect(&mut self, sign: u8, hint: &str) -> Parsed<()> {
        if self.take(sign) {
            return Ok(());
        }
        Err(self.unexpected(&format!("`{}`", char::from(sign)), hint))
    }

    /// Takes this word.
    pub fn expect_word(&mut self, word: &str, hint: &str) -> Parsed<()> {
        if self.take_word(word) {
            return Ok(());
        }
        Err(self.unexpected(&format!("`{word}`"), hint))
    }

    /// Takes any word.
    pub fn word(&mut self, what: &str, hint: &str) -> Parsed<&'a str> {
        if self.peek().kind == Kind::Word {
            return Ok(self.advance().text);
        }
        Err(self.unexpected(what, hint))
    }

    /// Takes a whole number of at most `max`.
    pub fn number<T: TryFrom<u64> + Into<u64>>(&mut self, what: &str, max: T) -> Parsed<T> {
        let token = self.peek();
        if token.kind == Kind::Word {
            let message = format!("{what} is a number, and `{}` has no value", token.text);
            let hint = "write the number, or define the name: --define=NAME=VALUE";
            return Err(Problem::new(token.span, message, "here", hint));
        }
        if !token.is_integer() {
            return Err(self.unexpected(what, "a whole number"));
        }
        self.advance();
        let max: u64 = max.into();
        let value = integer(token.text).and_then(|value| u64::try_from(value).ok());
        let fits = value.filter(|&value| value <= max);
        fits.and_then(|value| T::try_from(value).ok())
            .ok_or_else(|| {
                let message = format!("{what} cannot be {}", token.text);
                Problem::new(
                    token.span,
                    message,
                    "out of range",
                    format!("a number from 0 to {max}"),
                )
            })
    }

    /// A problem at the next token: something else was wanted.
    pub fn unexpected(&self, wanted: &str, hint: &str) -> Problem {
        let token = self.peek();
        let message = format!("expected {wanted}, not {}", token.named());
        Problem::new(token.span, message, "here", hint)
    }
}

/// The value of an integer's or a hexadecimal number's text.
pub fn integer(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::lex::lex;

    #[test]
    fn a_number_is_in_range_or_a_problem() {
        for (text, value) in [
            ("65535", Some(65_535)),
            ("0xff", Some(255)),
            ("65536", None),
            ("-1", None),
            ("99999999999999999999999", None),
            ("0x", None),
            ("MSS", None),
            ("1.5", None),
            ("", None),
        ] {
            let tokens = lex(text).expect("tokens");
            let got = Cursor::new(&tokens).number("a window", u16::MAX);
            assert_eq!(got.ok(), value, "{text}");
        }
    }

    #[test]
    fn nothing_comes_after_the_end() {
        let tokens = lex("a").expect("tokens");
        let mut cursor = Cursor::new(&tokens);
        assert_eq!(cursor.advance().text, "a");
        assert_eq!(cursor.advance().kind, Kind::End);
        assert_eq!(cursor.advance().kind, Kind::End);
        assert_eq!(cursor.peek_at(9).kind, Kind::End);
        assert_eq!(cursor.since(Span { offset: 0, len: 1 }).len, 1);
    }
}
