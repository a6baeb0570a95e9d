//! A segment's flags, one letter each as tcpdump prints them, or the ACE field as a number.

use std::fmt;

use super::cursor::{Cursor, Parsed};
use super::token::{Kind, Token};
use crate::scenario::Problem;

const FLAGS_HINT: &str =
    "flags are letters of FSRP.UEWA, or a digit from 0 to 7 for the ACE field, or - for none";

/// A segment's flags, as in the header: FIN is bit 0, CWR bit 7, AE (RFC 9768) bit 8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    pub const FIN: Flags = Flags(0x001);
    pub const SYN: Flags = Flags(0x002);
    pub const RST: Flags = Flags(0x004);
    pub const PSH: Flags = Flags(0x008);
    pub const ACK: Flags = Flags(0x010);
    pub const URG: Flags = Flags(0x020);
    pub const ECE: Flags = Flags(0x040);
    pub const CWR: Flags = Flags(0x080);
    pub const AE: Flags = Flags(0x100);
    const LETTERS: [(char, Flags); 9] = [
        ('F', Flags::FIN),
        ('S', Flags::SYN),
        ('R', Flags::RST),
        ('P', Flags::PSH),
        ('U', Flags::URG),
        ('E', Flags::ECE),
        ('W', Flags::CWR),
        ('A', Flags::AE),
        ('.', Flags::ACK),
    ];
    /// The ACE field of RFC 9768 §3.1: AE, CWR and ECE as a number.
    const ACE_SHIFT: u16 = 6;

    /// The flags of a header's word of data offset, reserved bits and flags.
    pub fn of_header(word: u16) -> Flags {
        Flags(word & 0x1ff)
    }

    /// These flags and others.
    pub fn with(self, others: Flags) -> Flags {
        Flags(self.0 | others.0)
    }

    /// These flags without others.
    pub fn without(self, others: Flags) -> Flags {
        Flags(self.0 & !others.0)
    }

    /// The bits, as in the header.
    pub fn bits(self) -> u16 {
        self.0
    }

    pub fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Adds what a letter or digit says; an ACE digit stands alone among the ECN flags.
    fn add(self, character: char) -> Option<Flags> {
        if let Some(&(_, flag)) = Flags::LETTERS.iter().find(|(c, _)| *c == character) {
            return Some(Flags(self.0 | flag.0));
        }
        let count = character.to_digit(8).and_then(|d| u16::try_from(d).ok())?;
        let is_alone = self.0 >> Flags::ACE_SHIFT == 0;
        is_alone.then_some(Flags(self.0 | count << Flags::ACE_SHIFT))
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("-");
        }
        let set = Flags::LETTERS
            .iter()
            .filter(|(_, flag)| self.contains(*flag));
        set.map(|(letter, _)| *letter)
            .try_for_each(|letter| write!(f, "{letter}"))
    }
}

/// Parses all tokens of the flags: a word, dots and an ACE digit may stand together.
pub fn flags(cursor: &mut Cursor<'_>) -> Parsed<Flags> {
    if cursor.take(b'-') {
        return Ok(Flags::default());
    }
    let mut flags = Flags::default();
    let first = cursor.peek();
    if !may_be_flags(first) {
        return Err(cursor.unexpected("TCP flags", FLAGS_HINT));
    }
    while may_be_flags(cursor.peek()) {
        let token = cursor.advance();
        for character in token.text.chars() {
            flags = flags.add(character).ok_or_else(|| {
                let what = format!("`{character}` is no TCP flag here");
                Problem::new(token.span, what, "these flags", FLAGS_HINT)
            })?;
        }
    }
    Ok(flags)
}

/// A word, a dot, or a dot with an ACE digit.
fn may_be_flags(token: Token<'_>) -> bool {
    let is_ace = token.kind == Kind::Decimal && token.text.starts_with('.');
    token.kind == Kind::Word || token.is(b'.') || is_ace
}
