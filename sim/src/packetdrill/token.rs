//! The words that a script is made of, before anybody knows what they mean.

use crate::plan::Span;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `socket`, `SO_ERROR`, `mss`, `exp-FO`, `3021b9d889017eeb`
    Word,
    /// `12`, `-1`
    Integer,
    /// `0x2`
    Hex,
    /// `0.25`, `.1`
    Decimal,
    /// `"…"`, without its quotes
    Text,
    /// `` `…` ``, without its quotes
    Command,
    /// `%{ … }%`, without its marks and the blanks beside them
    Code,
    /// `--name` or `--name=value`, without its dashes
    Option,
    /// `...`
    Ellipsis,
    /// One character of punctuation.
    Sign(u8),
    /// `#ifdef NAME`: its text is the name
    IfDef,
    /// `#endif`
    EndIf,
    /// The end of the script.
    End,
}

/// A token, and where it stands. One that a definition replaced stands where its name stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub span: Span,
    /// Nothing but blanks stands before it on its line.
    pub opens_line: bool,
}

impl Token<'_> {
    /// Is it this punctuation?
    pub fn is(&self, sign: u8) -> bool {
        self.kind == Kind::Sign(sign)
    }

    /// Is it this word?
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text == word
    }

    /// A number without a point.
    pub fn is_integer(&self) -> bool {
        matches!(self.kind, Kind::Integer | Kind::Hex)
    }

    /// What a message calls it.
    pub fn named(&self) -> String {
        match self.kind {
            Kind::Word | Kind::Integer | Kind::Hex | Kind::Decimal => format!("`{}`", self.text),
            Kind::Text => "a text".into(),
            Kind::Command => "a command".into(),
            Kind::Code => "a code block".into(),
            Kind::Option => format!("the option `--{}`", self.text),
            Kind::Ellipsis => "`...`".into(),
            Kind::Sign(sign) => format!("`{}`", char::from(sign)),
            Kind::IfDef => "`#ifdef`".into(),
            Kind::EndIf => "`#endif`".into(),
            Kind::End => "the end of the script".into(),
        }
    }
}
