//! A TCP segment in tcpdump's notation, to send it or to recognise it.
//!
//! `FLAGS [SEQ:END(LEN)] [ack N] [win N] [urg N] [<OPTION,…>] ["payload"]`, as in `S 0:0(0) win 65535 <mss 1460>`,
//! `P. 1:101(100) ack 1 win 512` or `. ack 1 win 0`. Numbers are relative: sequence numbers to the sender's first SYN,
//! acknowledgements to the receiver's. `!` before a number makes it absolute. Options: `mss N`, `wscale N`, `sackOK`,
//! `sack A:B…` (relative), `TS val N ecr N`, `nop`, `eol`, and `hex 01020000` for bytes as they are. When sending,
//! what is left out is 0 (window: 65535); when awaiting, it matches anything.

use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

/// TCP's flags, in the header's bit order.
pub mod flag {
    pub const FIN: u8 = 1;
    pub const SYN: u8 = 2;
    pub const RST: u8 = 4;
    pub const PSH: u8 = 8;
    pub const ACK: u8 = 16;
    pub const URG: u8 = 32;
    pub const ECE: u8 = 64;
    pub const CWR: u8 = 128;
}

/// tcpdump's letter for each flag.
const LETTERS: [(char, u8); 8] = [
    ('F', flag::FIN),
    ('S', flag::SYN),
    ('R', flag::RST),
    ('P', flag::PSH),
    ('.', flag::ACK),
    ('U', flag::URG),
    ('E', flag::ECE),
    ('W', flag::CWR),
];

/// A sequence or acknowledgement number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// Relative to the side's first SYN.
    Relative(u32),
    /// As on the wire.
    Absolute(u32),
}

/// An option to send or to expect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionSpec {
    Mss(u16),
    WindowScale(u8),
    SackPermitted,
    /// Left and right edges.
    Sack(Vec<(u32, u32)>),
    Timestamps {
        val: u32,
        ecr: u32,
    },
    Nop,
    Eol,
    /// Bytes as they are.
    Hex(Vec<u8>),
}

/// A segment as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SegmentSpec {
    /// Flags; all of them, exactly.
    pub flags: u8,
    /// First sequence number and length of the payload.
    pub seq: Option<(Number, u32)>,
    pub ack: Option<Number>,
    pub win: Option<u16>,
    pub urg: Option<u16>,
    pub options: Option<Vec<OptionSpec>>,
    /// The payload, where it was written out.
    pub payload: Option<Vec<u8>>,
}

/// What is wrong with a notation, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} (at byte {at} of the segment)")]
pub struct NotationError {
    /// What was expected.
    pub what: &'static str,
    /// The byte where it should have been.
    pub at: usize,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }
    fn skip_spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches(' ').len();
    }
    fn eat(&mut self, word: &str) -> bool {
        let hit = self.rest().starts_with(word);
        if hit {
            self.at += word.len();
        }
        hit
    }
    fn error<T>(&self, what: &'static str) -> Result<T, NotationError> {
        Err(NotationError { what, at: self.at })
    }
    fn expect(&mut self, word: &str, what: &'static str) -> Result<(), NotationError> {
        if self.eat(word) {
            Ok(())
        } else {
            self.error(what)
        }
    }
    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }
    fn number<N: core::str::FromStr>(&mut self, what: &'static str) -> Result<N, NotationError> {
        let start = self.at;
        let digits = self.take_while(|c| c.is_ascii_digit());
        digits
            .parse()
            .map_err(|_| NotationError { what, at: start })
    }
    fn sequence(&mut self) -> Result<Number, NotationError> {
        Ok(if self.eat("!") {
            Number::Absolute(self.number("an absolute number")?)
        } else {
            Number::Relative(self.number("a relative number")?)
        })
    }
}

/// Reads a notation.
pub fn parse(text: &str) -> Result<SegmentSpec, NotationError> {
    let mut r = Reader { text, at: 0 };
    let mut spec = SegmentSpec {
        flags: flags(&mut r)?,
        ..SegmentSpec::default()
    };
    loop {
        r.skip_spaces();
        if r.rest().is_empty() {
            break;
        } else if r.eat("ack ") {
            spec.ack = Some(r.sequence()?);
        } else if r.eat("win ") {
            spec.win = Some(r.number("a window of 0 to 65535")?);
        } else if r.eat("urg ") {
            spec.urg = Some(r.number("an urgent pointer of 0 to 65535")?);
        } else if r.eat("<") {
            spec.options = Some(options(&mut r)?);
        } else if r.eat("\"") {
            spec.payload = Some(payload(&mut r)?);
        } else if spec.seq.is_none()
            && r.rest()
                .starts_with(|c: char| c.is_ascii_digit() || c == '!')
        {
            spec.seq = Some(range(&mut r)?);
        } else {
            return r.error(
                "one of `SEQ:END(LEN)`, `ack N`, `win N`, `urg N`, `<options>` or `\"payload\"`",
            );
        }
    }
    if let (Some(payload), Some((_, len))) = (&spec.payload, spec.seq)
        && payload.len() != len as usize
    {
        return r.error("a payload as long as the sequence numbers say");
    }
    Ok(spec)
}

fn flags(r: &mut Reader<'_>) -> Result<u8, NotationError> {
    let word = r.take_while(|c| c != ' ');
    if word == "none" {
        return Ok(0);
    }
    if word.is_empty() {
        return r.error("flags: letters of `FSRP.UEW`, or `none`");
    }
    let mut flags = 0;
    for (i, c) in word.char_indices() {
        match LETTERS.iter().find(|(l, _)| *l == c) {
            Some((_, bit)) if flags & bit == 0 => flags |= bit,
            _ => {
                return Err(NotationError {
                    what: "a flag of `FSRP.UEW`, each once",
                    at: i,
                });
            }
        }
    }
    Ok(flags)
}

fn range(r: &mut Reader<'_>) -> Result<(Number, u32), NotationError> {
    let start = r.sequence()?;
    r.expect(":", "`:` and the end of the sequence numbers")?;
    let end = r.sequence()?;
    r.expect("(", "`(` and the length")?;
    let len = r.number("a length")?;
    r.expect(")", "`)`")?;
    let span = match (start, end) {
        (Number::Relative(a), Number::Relative(b)) | (Number::Absolute(a), Number::Absolute(b)) => {
            b.wrapping_sub(a)
        }
        _ => return r.error("both numbers relative, or both absolute"),
    };
    if span != len {
        return r.error("a length that is END - SEQ");
    }
    if len > 65_000 {
        return r.error("a length that fits one packet");
    }
    Ok((start, len))
}

fn options(r: &mut Reader<'_>) -> Result<Vec<OptionSpec>, NotationError> {
    let mut list = Vec::new();
    if r.eat(">") {
        return Ok(list);
    }
    loop {
        r.skip_spaces();
        list.push(option(r)?);
        if r.eat(">") {
            return Ok(list);
        }
        r.expect(",", "`,` or `>`")?;
    }
}

fn option(r: &mut Reader<'_>) -> Result<OptionSpec, NotationError> {
    if r.eat("mss ") {
        return Ok(OptionSpec::Mss(r.number("an MSS")?));
    }
    if r.eat("wscale ") {
        return Ok(OptionSpec::WindowScale(r.number("a shift")?));
    }
    if r.eat("sackOK") {
        return Ok(OptionSpec::SackPermitted);
    }
    if r.eat("sack ") {
        let mut blocks = Vec::new();
        while r.rest().starts_with(|c: char| c.is_ascii_digit()) && blocks.len() < 4 {
            let left = r.number("a left edge")?;
            r.expect(":", "`:` and a right edge")?;
            blocks.push((left, r.number("a right edge")?));
            r.skip_spaces();
        }
        return if blocks.is_empty() {
            r.error("blocks `LEFT:RIGHT`")
        } else {
            Ok(OptionSpec::Sack(blocks))
        };
    }
    if r.eat("TS val ") {
        let val = r.number("a timestamp")?;
        r.expect(" ecr ", "` ecr ` and the echoed timestamp")?;
        return Ok(OptionSpec::Timestamps {
            val,
            ecr: r.number("a timestamp")?,
        });
    }
    if r.eat("nop") {
        return Ok(OptionSpec::Nop);
    }
    if r.eat("eol") {
        return Ok(OptionSpec::Eol);
    }
    if r.eat("hex ") {
        let digits = r.take_while(|c| c.is_ascii_hexdigit());
        if digits.is_empty() || !digits.len().is_multiple_of(2) || digits.len() > 80 {
            return r.error("an even number of hexadecimal digits, at most 80");
        }
        let byte = |i: usize| u8::from_str_radix(&digits[i..i + 2], 16).unwrap_or(0);
        return Ok(OptionSpec::Hex(
            (0..digits.len()).step_by(2).map(byte).collect(),
        ));
    }
    r.error("an option: `mss`, `wscale`, `sackOK`, `sack`, `TS val N ecr N`, `nop`, `eol` or `hex`")
}

fn payload(r: &mut Reader<'_>) -> Result<Vec<u8>, NotationError> {
    let text = r.take_while(|c| c != '"');
    r.expect("\"", "`\"` at the end of the payload")?;
    Ok(String::from(text).into_bytes())
}

/// Flags in tcpdump's letters, in its order; `none` if there are none.
pub fn flags_text(flags: u8) -> String {
    let text: String = LETTERS
        .iter()
        .filter(|(l, bit)| *l != '.' && flags & bit != 0)
        .map(|(l, _)| *l)
        .collect();
    match (text.is_empty(), flags & flag::ACK != 0) {
        (true, false) => "none".into(),
        (_, ack) => text + if ack { "." } else { "" },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syn_with_options() {
        let s = parse("S 0:0(0) win 65535 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>").unwrap();
        assert_eq!(s.flags, flag::SYN);
        assert_eq!(s.seq, Some((Number::Relative(0), 0)));
        assert_eq!(s.win, Some(65535));
        let options = s.options.unwrap();
        assert_eq!(options[0], OptionSpec::Mss(1460));
        assert_eq!(options[4], OptionSpec::WindowScale(7));
    }

    #[test]
    fn what_is_left_out_is_none() {
        let s = parse(". ack 1").unwrap();
        assert_eq!((s.flags, s.ack), (flag::ACK, Some(Number::Relative(1))));
        assert_eq!(
            (s.seq, s.win, s.options, s.payload),
            (None, None, None, None)
        );
    }

    #[test]
    fn a_payload_is_as_long_as_it_says() {
        assert_eq!(
            parse("P. 1:5(4) ack 1 \"ping\"").unwrap().payload.unwrap(),
            b"ping"
        );
        assert!(parse("P. 1:5(4) ack 1 \"pin\"").is_err());
        assert!(parse("P. 1:5(3) ack 1").is_err());
    }

    #[test]
    fn an_error_says_where() {
        assert_eq!(parse("S 0:0(0) wim 5").unwrap_err().at, 9);
        assert_eq!(parse("SQ").unwrap_err().at, 1);
        assert_eq!(parse("").unwrap_err().at, 0);
        assert_eq!(parse("S <mss x>").unwrap_err().at, 7);
        assert!(parse("S win 65536").is_err());
        assert!(parse("S <hex 0>").is_err());
    }

    #[test]
    fn flags_print_as_tcpdump_prints_them() {
        assert_eq!(flags_text(flag::SYN | flag::ACK), "S.");
        assert_eq!(flags_text(flag::ACK), ".");
        assert_eq!(flags_text(0), "none");
    }
}
