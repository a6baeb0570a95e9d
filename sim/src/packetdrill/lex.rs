//! From a script's bytes to its tokens, in one pass that looks at each byte a bounded number of times.
//!
//! The longest token wins, as in the tools' own lexers: `1.5` is one number, `1...5` is three tokens,
//! `3021b9d889017eeb` is a word. A comment inside quotes or code is part of them.

use super::token::{Kind, Token};
use crate::plan::Span;
use crate::scenario::Problem;

/// The longest script, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// The punctuation that the language knows.
const SIGNS: &[u8] = b"+*~<>.-:()[]{},=|!/";
/// Words that go on after a dash, as in `exp-FO` or `gen-253`.
const DASHED: [&str; 4] = ["exp", "EXP", "gen", "voice"];

/// Checks a file's bytes, and gives them back as text.
pub fn text(bytes: &[u8]) -> Result<&str, Problem> {
    if bytes.len() > MAX_BYTES {
        return Err(Problem::new(
            Span::default(),
            format!("the script has more than {MAX_BYTES} bytes"),
            "too long",
            "a script has at most 1 MiB",
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let span = Span {
            offset: e.valid_up_to(),
            len: 1,
        };
        let hint = "is it a packetdrill script at all? save it as UTF-8";
        Problem::new(
            span,
            "the script is not UTF-8".into(),
            "this byte begins no character",
            hint,
        )
    })?;
    Ok(text)
}

/// The tokens of a script, the last of which is [`Kind::End`].
pub fn lex(text: &str) -> Result<Vec<Token<'_>>, Problem> {
    let mut lexer = Lexer {
        text,
        at: 0,
        opens_line: true,
        tokens: Vec::new(),
    };
    while lexer.skip_blanks()? {
        lexer.token()?;
    }
    lexer.push(Kind::End, text.len(), text.len(), "");
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    opens_line: bool,
    tokens: Vec<Token<'a>>,
}

impl<'a> Lexer<'a> {
    /// The byte `ahead` of here; 0 beyond the end.
    fn byte(&self, ahead: usize) -> u8 {
        let bytes = self.text.as_bytes();
        bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// How many bytes from `ahead` on are like this.
    fn run(&self, ahead: usize, like: fn(u8) -> bool) -> usize {
        let bytes = self.text.as_bytes();
        let rest = bytes.get(self.at + ahead..).unwrap_or(&[]);
        rest.iter().take_while(|&&b| like(b)).count()
    }

    fn span(&self, len: usize) -> Span {
        Span {
            offset: self.at,
            len,
        }
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize, text: &'a str) {
        assert!(start <= end && end <= self.text.len());
        self.tokens.push(Token {
            kind,
            text,
            span: Span {
                offset: start,
                len: end - start,
            },
            opens_line: self.opens_line,
        });
        self.opens_line = false;
        self.at = end;
    }

    /// A token of the next `len` bytes, which are its text.
    fn plain(&mut self, kind: Kind, len: usize) {
        let (start, end) = (self.at, self.at + len);
        self.push(kind, start, end, &self.text[start..end]);
    }

    /// Goes over blanks and comments; is there anything after them?
    fn skip_blanks(&mut self) -> Result<bool, Problem> {
        loop {
            match self.byte(0) {
                b'\n' => {
                    self.opens_line = true;
                    self.at += 1;
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'/' if self.byte(1) == b'/' => {
                    self.at += self.rest().find('\n').unwrap_or(self.rest().len());
                }
                b'/' if self.byte(1) == b'*' => {
                    let end = self.rest()[2..]
                        .find("*/")
                        .ok_or_else(|| self.unclosed(2, "the comment", "close it with `*/`"))?;
                    let comment = &self.rest()[..2 + end];
                    self.opens_line |= comment.contains('\n');
                    self.at += end + 4;
                }
                _ => return Ok(self.at < self.text.len()),
            }
        }
    }

    fn token(&mut self) -> Result<(), Problem> {
        match self.byte(0) {
            b'"' => self.quoted(Kind::Text, b'"'),
            b'`' => self.quoted(Kind::Command, b'`'),
            b'%' if self.byte(1) == b'{' => self.code(),
            b'#' => self.directive(),
            b'-' if self.byte(1) == b'-' && is_word(self.byte(2)) => self.option(),
            _ if self.rest().starts_with("...") => {
                self.plain(Kind::Ellipsis, 3);
                Ok(())
            }
            b'-' | b'.' | b'0'..=b'9' if self.number() => Ok(()),
            byte if is_word(byte) => {
                self.word();
                Ok(())
            }
            byte if SIGNS.contains(&byte) => {
                self.plain(Kind::Sign(byte), 1);
                Ok(())
            }
            _ => Err(self.stranger()),
        }
    }

    /// A number, unless a longer word begins here.
    fn number(&mut self) -> bool {
        let sign = usize::from(self.byte(0) == b'-');
        let whole = self.run(sign, |b| b.is_ascii_digit());
        let fraction = match self.byte(sign + whole) {
            b'.' => self.run(sign + whole + 1, |b| b.is_ascii_digit()),
            _ => 0,
        };
        let word = self.run(0, is_word);
        if fraction > 0 {
            self.plain(Kind::Decimal, sign + whole + 1 + fraction);
        } else if whole == 0 {
            return false;
        } else if word > sign + whole {
            let digits = self.rest()[..word].strip_prefix("0x");
            let hex = digits.is_some_and(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
            let is_hex = hex && word > 2;
            self.plain(if is_hex { Kind::Hex } else { Kind::Word }, word);
        } else {
            self.plain(Kind::Integer, sign + whole);
        }
        true
    }

    fn word(&mut self) {
        let mut len = self.run(0, is_word);
        let dashed = DASHED.contains(&&self.rest()[..len]) && self.byte(len) == b'-';
        if dashed && is_word(self.byte(len + 1)) {
            len += 1 + self.run(len + 1, is_word);
        }
        self.plain(Kind::Word, len);
    }

    /// A text or a command: a backslash takes the next character with it.
    fn quoted(&mut self, kind: Kind, quote: u8) -> Result<(), Problem> {
        let inside = &self.rest()[1..];
        let Some(len) = end_of_quote(inside, quote) else {
            let (what, hint) = match kind {
                Kind::Text => ("the text", "close it with `\"`"),
                _ => ("the command", "close it with a back quote"),
            };
            return Err(self.unclosed(1, what, hint));
        };
        let (start, end) = (self.at, self.at + len + 2);
        self.push(kind, start, end, &inside[..len]);
        Ok(())
    }

    fn code(&mut self) -> Result<(), Problem> {
        let inside = &self.rest()[2..];
        let len = inside
            .find("}%")
            .ok_or_else(|| self.unclosed(2, "the code block", "close it with `}%`"))?;
        let code = inside[..len].trim_matches([' ', '\t']);
        let (start, end) = (self.at, self.at + len + 4);
        self.push(Kind::Code, start, end, code);
        Ok(())
    }

    /// `--name=value`: the value reaches to the next blank that is not quoted.
    fn option(&mut self) -> Result<(), Problem> {
        let name = 2 + self.run(2, is_word);
        let mut len = name;
        if self.byte(name) == b'=' {
            len += 1;
            while !matches!(self.byte(len), 0 | b' ' | b'\t' | b'\r' | b'\n') {
                let quote = self.byte(len);
                len += 1;
                if matches!(quote, b'"' | b'`') {
                    let end = end_of_quote(&self.rest()[len..], quote).ok_or_else(|| {
                        self.unclosed(name, "the option's value", "close its quotes")
                    })?;
                    len += end + 1;
                }
            }
        }
        let (start, end) = (self.at, self.at + len);
        self.push(Kind::Option, start, end, &self.text[start + 2..end]);
        Ok(())
    }

    fn directive(&mut self) -> Result<(), Problem> {
        let word = 1 + self.run(1, is_word);
        match &self.rest()[..word] {
            "#endif" => self.plain(Kind::EndIf, word),
            "#ifdef" => {
                let blanks = self.run(word, |b| matches!(b, b' ' | b'\t'));
                let name = self.run(word + blanks, is_word);
                if name == 0 {
                    let what = "`#ifdef` without a name".into();
                    let hint = "write it `#ifdef NAME`";
                    return Err(Problem::new(self.span(word), what, "here", hint));
                }
                let (start, end) = (self.at, self.at + word + blanks + name);
                self.push(Kind::IfDef, start, end, &self.text[end - name..end]);
            }
            other => {
                let what = format!("`{other}` is no directive");
                let hint = "`#ifdef NAME` and `#endif` are; a comment begins with `//`";
                return Err(Problem::new(self.span(word), what, "here", hint));
            }
        }
        Ok(())
    }

    fn unclosed(&self, len: usize, what: &str, hint: &str) -> Problem {
        let message = format!("{what} is not closed");
        Problem::new(self.span(len), message, "it begins here", hint)
    }

    fn stranger(&self) -> Problem {
        let stranger = self.rest().chars().next().unwrap_or(' ');
        Problem::new(
            self.span(stranger.len_utf8()),
            format!("{stranger:?} means nothing here"),
            "this character",
            "only texts, commands, code and comments may have any character",
        )
    }
}

/// The bytes before the closing quote.
fn end_of_quote(inside: &str, quote: u8) -> Option<usize> {
    let mut escaped = false;
    inside.bytes().position(|byte| {
        let closes = byte == quote && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        let tokens = lex(text).expect("tokens");
        tokens.iter().map(|t| (t.kind, t.text)).collect()
    }

    fn texts(text: &str) -> Vec<&str> {
        kinds(text).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn the_longest_token_wins() {
        assert_eq!(texts("1...2.5"), ["1", "...", "2.5", ""]);
        assert_eq!(texts("+.1 .. "), ["+", ".1", ".", ".", ""]);
        assert_eq!(
            texts("1:1001(1000)"),
            ["1", ":", "1001", "(", "1000", ")", ""]
        );
        assert_eq!(
            texts("S.5 exp-FO gen-253"),
            ["S", ".5", "exp-FO", "gen-253", ""]
        );
        assert_eq!(texts("fd-1"), ["fd", "-1", ""]);
        assert_eq!(
            kinds("0x1f 0xyz 12ab -3 - 0x")[..6],
            [
                (Kind::Hex, "0x1f"),
                (Kind::Word, "0xyz"),
                (Kind::Word, "12ab"),
                (Kind::Integer, "-3"),
                (Kind::Sign(b'-'), "-"),
                (Kind::Word, "0x"),
            ]
        );
    }

    #[test]
    fn a_comment_ends_with_its_line_and_is_no_comment_in_quotes() {
        assert_eq!(texts("a // b\n/* c\n d */ e"), ["a", "e", ""]);
        assert_eq!(texts("`a // b` \"/* c\""), ["a // b", "/* c", ""]);
        assert_eq!(texts("a // no newline"), ["a", ""]);
    }

    #[test]
    fn a_backslash_takes_the_next_character_with_it() {
        assert_eq!(
            texts(r#""a\"b" `c\`d` "\\""#),
            [r#"a\"b"#, r"c\`d", r"\\", ""]
        );
    }

    #[test]
    fn code_loses_the_blanks_beside_it_and_nothing_else() {
        assert_eq!(texts("%{ \n a = {1}\n  }%"), ["\n a = {1}\n", ""]);
    }

    #[test]
    fn an_option_reaches_to_the_next_blank() {
        assert_eq!(texts("--mtu=1500 --a"), ["mtu=1500", "a", ""]);
        assert_eq!(texts("--define=X=\"a b\" 1"), ["define=X=\"a b\"", "1", ""]);
        assert_eq!(texts("--local_ip=fd00::1\n"), ["local_ip=fd00::1", ""]);
    }

    #[test]
    fn a_token_knows_whether_it_opens_its_line() {
        let tokens = lex("a b\n c /* \n */ d").expect("tokens");
        let opens: Vec<bool> = tokens.iter().map(|t| t.opens_line).collect();
        assert_eq!(opens, [true, false, true, true, false]);
    }

    #[test]
    fn what_is_open_at_the_end_is_shown_where_it_begins() {
        for (text, at) in [
            ("a \"b", 2),
            ("`", 0),
            ("1 %{ }", 2),
            (" /* ", 1),
            ("--a=\"x", 0),
            ("#ifdef ", 0),
            ("#else", 0),
            ("a\u{1}", 1),
            ("aé", 1),
        ] {
            assert_eq!(lex(text).expect_err(text).span.offset, at, "{text}");
        }
    }

    #[test]
    fn a_script_is_text_of_at_most_a_mebibyte() {
        assert!(text(&vec![b' '; MAX_BYTES]).is_ok());
        assert!(text(&vec![b' '; MAX_BYTES + 1]).is_err());
        assert_eq!(text(b"ab\xff").expect_err("bytes").span.offset, 2);
    }
}
