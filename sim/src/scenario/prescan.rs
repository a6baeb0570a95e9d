//! What a file must be before a parser sees it: small, UTF-8, without NUL, and not nested deeply.
//!
//! A recursive-descent parser pays for each level with stack. So one linear pass goes first. It knows just enough of
//! KDL's lexis to tell structure from text, and it refuses what is left open: after it, every string and comment ends,
//! every brace has its partner, and the parser may descend.

use crate::plan::Span;
use crate::scenario::report::Problem;

/// The longest file, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// The deepest nesting of braces, of block comments, of slashdashes and of parentheses.
pub const MAX_DEPTH: usize = 32;

/// Checks a file's bytes, and gives them back as text.
pub fn check(bytes: &[u8]) -> Result<&str, Problem> {
    if bytes.len() > MAX_BYTES {
        return Err(Problem::new(
            Span::default(),
            "the file is longer than 1 MiB".into(),
            "too long",
            "a scenario has at most 1 MiB; large payloads are written pattern=BYTES",
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        Problem::new(
            span(e.valid_up_to(), 1),
            "the file is not UTF-8".into(),
            "this byte begins no character",
            "save the file as UTF-8; bytes of a payload are written hex=\"…\"",
        )
    })?;
    if let Some(at) = bytes.iter().position(|&b| b == 0) {
        return Err(Problem::new(
            span(at, 1),
            "the file contains a NUL byte".into(),
            "here",
            "is it a scenario at all? bytes of a payload are written hex=\"…\"",
        ));
    }
    Scan::new(text).run()?;
    Ok(text)
}

fn span(offset: usize, len: usize) -> Span {
    Span { offset, len }
}

fn too_deep(at: usize, what: &str) -> Problem {
    Problem::new(
        span(at, 1),
        format!("{what} nested more than {MAX_DEPTH} deep"),
        "one level too many",
        "the language itself needs no more than five levels",
    )
}

fn unclosed(at: usize, len: usize, what: &str, hint: &str) -> Problem {
    Problem::new(
        span(at, len),
        format!("{what} is never closed"),
        "opened here",
        hint,
    )
}

/// The pass's place and what is open there.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    braces: Vec<usize>,
    parens: usize,
    slashdashes: usize,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str) -> Self {
        Scan {
            bytes: text.as_bytes(),
            at: 0,
            braces: Vec::new(),
            parens: 0,
            slashdashes: 0,
        }
    }

    fn starts(&self, with: &[u8]) -> bool {
        self.bytes[self.at..].starts_with(with)
    }

    fn run(mut self) -> Result<(), Problem> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if self.starts(b"//") {
                self.line_comment();
            } else if self.starts(b"/*") {
                self.block_comment()?;
            } else if self.starts(b"/-") {
                self.slashdashes += 1;
                if self.slashdashes > MAX_DEPTH {
                    return Err(too_deep(self.at, "slashdashes"));
                }
                self.at += 2;
            } else if byte == b'"' || byte == b'#' {
                self.slashdashes = 0;
                self.quoted()?;
            } else {
                self.structure(byte)?;
                self.at += 1;
            }
        }
        match self.braces.last() {
            Some(&open) => Err(unclosed(open, 1, "this brace", "add a `}`")),
            None => Ok(()),
        }
    }

    fn structure(&mut self, byte: u8) -> Result<(), Problem> {
        match byte {
            b'{' => {
                self.braces.push(self.at);
                if self.braces.len() > MAX_DEPTH {
                    return Err(too_deep(self.at, "blocks"));
                }
            }
            b'}' if self.braces.pop().is_none() => {
                return Err(Problem::new(
                    span(self.at, 1),
                    "this brace closes nothing".into(),
                    "no `{` is open here",
                    "remove it, or look for a `}` too many above",
                ));
            }
            b'(' => {
                self.parens += 1;
                if self.parens > MAX_DEPTH {
                    return Err(too_deep(self.at, "parentheses"));
                }
            }
            b')' => self.parens = self.parens.saturating_sub(1),
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            self.slashdashes = 0;
        }
        Ok(())
    }

    fn line_comment(&mut self) {
        while self.bytes.get(self.at).is_some_and(|&b| b != b'\n') {
            self.at += 1;
        }
    }

    fn block_comment(&mut self) -> Result<(), Problem> {
        let open = self.at;
        let mut depth = 0;
        while self.at < self.bytes.len() {
            if self.starts(b"/*") {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(too_deep(self.at, "comments"));
                }
                self.at += 2;
            } else if self.starts(b"*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else {
                self.at += 1;
            }
        }
        Err(unclosed(open, 2, "this comment", "add a `*/`"))
    }

    /// A string, raw or not, of one line or of many; or a keyword such as `#true`.
    fn quoted(&mut self) -> Result<(), Problem> {
        let open = self.at;
        while self.starts(b"#") {
            self.at += 1;
        }
        let hashes = self.at - open;
        if !self.starts(b"\"") {
            return Ok(());
        }
        let quotes = if self.starts(b"\"\"\"") { 3 } else { 1 };
        self.at += quotes;
        while let Some(&byte) = self.bytes.get(self.at) {
            let rest = &self.bytes[self.at..];
            if byte == b'\\' && hashes == 0 {
                self.escape();
            } else if closes(rest, quotes, hashes) {
                self.at += quotes + hashes;
                return Ok(());
            } else if byte == b'\n' && quotes == 1 {
                break;
            } else {
                self.at += 1;
            }
        }
        let hint = if quotes == 1 {
            "add a `\"`; text of several lines stands between two `\"\"\"`"
        } else {
            "add a `\"\"\"`"
        };
        Err(unclosed(open, hashes + quotes, "this string", hint))
    }

    /// An escape: a backslash and a character, or a backslash and all the white space that it swallows.
    fn escape(&mut self) {
        self.at += 1;
        if !self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
            return;
        }
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }
}

fn closes(rest: &[u8], quotes: usize, hashes: usize) -> bool {
    rest.len() >= quotes + hashes
        && rest[..quotes].iter().all(|&b| b == b'"')
        && rest[quotes..quotes + hashes].iter().all(|&b| b == b'#')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> Problem {
        check(text.as_bytes()).expect_err("refused")
    }

    #[test]
    fn a_file_is_small_and_utf8_and_without_nul() {
        assert!(check(&vec![b' '; MAX_BYTES]).is_ok());
        let long = check(&vec![b' '; MAX_BYTES + 1]).expect_err("refused");
        assert_eq!(long.message, "the file is longer than 1 MiB");
        let latin = check(b"about \"caf\xE9\"").expect_err("refused");
        assert_eq!(
            (latin.span.offset, latin.message.as_str()),
            (10, "the file is not UTF-8")
        );
        let nul = check(b"ab\0c").expect_err("refused");
        assert_eq!(
            (nul.span.offset, nul.message.as_str()),
            (2, "the file contains a NUL byte")
        );
    }

    #[test]
    fn each_kind_of_nesting_has_a_limit_of_its_own() {
        for (open, what) in [
            ("{", "blocks"),
            ("/*", "comments"),
            ("/-", "slashdashes"),
            ("(", "parentheses"),
        ] {
            let deep = refusal(&open.repeat(100_000));
            assert_eq!(deep.message, format!("{what} nested more than 32 deep"));
            assert_eq!(deep.span.offset, 32 * open.len(), "{what}");
        }
        let balanced = format!("{}{}", "a {".repeat(32), "}".repeat(32));
        assert!(check(balanced.as_bytes()).is_ok());
    }

    #[test]
    fn braces_in_strings_and_comments_are_text() {
        let many = "{".repeat(40);
        for text in [
            format!("a \"{many}\""),
            format!("a #\"\"{many}\"#"),
            format!("a \"\"\"\n{many}\n\"\"\""),
            format!("// {many}\n"),
            format!("/* {many} */"),
            format!("a \"\\\"{many}\" #true"),
        ] {
            assert!(check(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_left_open_is_pointed_at() {
        assert_eq!(refusal("a {\n b {\n }\n").span.offset, 2);
        assert_eq!(refusal("a }").message, "this brace closes nothing");
        assert_eq!(refusal("x\n/* y").span.offset, 2);
        assert_eq!(refusal("a \"b\nc\"").span.offset, 2);
        assert!(refusal("a \"\"\"\nb").hint.contains("\"\"\""));
        assert!(check(b"a \"b \\\n   c\"").is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_get_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = check(&bytes);
        }
    }
}
