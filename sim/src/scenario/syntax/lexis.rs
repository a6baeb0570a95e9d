//! What a document is made of: white space, comments, words, numbers and strings.

use super::Literal;
use crate::plan::Span;
use crate::scenario::report::Problem;

/// The text, how far it is read, and what was wrong so far.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) problems: Vec<Problem>,
}

pub(super) fn is_newline(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

fn is_space(c: char) -> bool {
    !is_newline(c) && (c.is_whitespace() || c == '\u{FEFF}')
}

fn is_identifier(c: char) -> bool {
    !is_newline(c) && !is_space(c) && !c.is_control() && !"()[]{}/\\\"#;=".contains(c)
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Reader {
            text,
            at: 0,
            problems: Vec::new(),
        }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn starts(&self, with: &str) -> bool {
        self.rest().starts_with(with)
    }

    pub(super) fn eat(&mut self, token: &str) -> bool {
        let there = self.starts(token);
        if there {
            self.at += token.len();
        }
        there
    }

    pub(super) fn skip_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    pub(super) fn span_from(&self, start: usize) -> Span {
        Span {
            offset: start,
            len: self.at - start,
        }
    }

    /// A problem with what stands here.
    pub(super) fn wrong(&self, message: &str, hint: &str) -> Problem {
        let span = Span {
            offset: self.at,
            len: self.peek().map_or(0, char::len_utf8),
        };
        Problem::new(span, message.into(), "here", hint)
    }

    /// Skips what means nothing inside a line, and says whether there was any.
    pub(super) fn space(&mut self) -> bool {
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
    pub(super) fn continuation(&mut self) -> bool {
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

    pub(super) fn block_comment(&mut self) {
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
    pub(super) fn line_space(&mut self) {
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
    pub(super) fn blank(&mut self) {
        self.line_space();
        while self.eat(";") {
            self.line_space();
        }
    }

    /// After an error: to the end of the line, with all blocks that begin in it.
    pub(super) fn skip_line(&mut self) {
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

    pub(super) fn value(&mut self) -> Result<Literal, Problem> {
        let rest = self.rest();
        let unsigned = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        if unsigned.starts_with(|c: char| c.is_ascii_digit()) {
            return self.number();
        }
        if self.starts("\"") || (self.starts("#") && rest.trim_start_matches('#').starts_with('"'))
        {
            return self.string().map(Literal::String);
        }
        if self.starts("#") {
            return self.keyword();
        }
        self.identifier()
    }

    pub(super) fn identifier(&mut self) -> Result<Literal, Problem> {
        let start = self.at;
        let word = self.skip_while(is_identifier);
        let keyword = matches!(word, "true" | "false" | "null" | "inf" | "-inf" | "nan");
        if keyword
            || word.is_empty()
            || word.starts_with('.') && word[1..].starts_with(|c: char| c.is_ascii_digit())
        {
            self.at = start;
            let hint = if keyword {
                format!("write #{word}, with the hash; or \"{word}\" for the text")
            } else {
                "a line is: word \"argument\" property=\"value\" { … }".to_owned()
            };
            let what = self
                .peek()
                .map_or("the end".to_owned(), |c| format!("`{c}`"));
            let message = if keyword {
                format!("`{word}` alone is not a value")
            } else {
                format!("a word or a value is wanted here, not {what}")
            };
            return Err(self.wrong(&message, &hint));
        }
        Ok(Literal::String(word.to_owned()))
    }

    pub(super) fn keyword(&mut self) -> Result<Literal, Problem> {
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

    pub(super) fn number(&mut self) -> Result<Literal, Problem> {
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
        Err(Problem::new(
            span,
            format!("`{word}` is not a number"),
            "here",
            hint,
        ))
    }

    /// A quoted string of any kind.
    pub(super) fn string(&mut self) -> Result<String, Problem> {
        let hashes = self.skip_while(|c| c == '#').len();
        let quote = if self.starts("\"\"\"") {
            "\"\"\""
        } else {
            "\""
        };
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
            Problem::new(
                span,
                "an escape that does not exist".into(),
                "in here",
                "\\n \\r \\t \\s \\b \\f \\\" \\\\ and \\u{…}; raw text stands between #\" and \"#",
            )
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
