//! The TCP options of a packet line, read: `<mss 1460,nop,wscale 7>`, `<...>`, or raw bytes `<0303ff>`.

use std::fmt;

use super::cursor::{Cursor, Parsed};
use super::hex;
use super::tcp_option::{AccEcn, FastOpen, Md5, SackBlock, TcpOption, Timestamp};
use crate::plan::Span;
use crate::scenario::Problem;
use crate::scenario::suggest;

/// RFC 9293 §3.1: the data offset counts at most 15 words, of which five are the fixed part.
const BYTES_MAX: usize = 40;
const NAMES: [&str; 18] = [
    "mss",
    "nop",
    "eol",
    "sackOK",
    "sack",
    "wscale",
    "TS",
    "md5",
    "FO",
    "FOEXP",
    "exp-FO",
    "ECN",
    "AccECN0",
    "AccECN1",
    "exp-AccECN0",
    "exp-AccECN1",
    "exp-tarr",
    "gen-253",
];

/// What is said of a segment's options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Options {
    /// These, in this order. A line that says nothing of options has none.
    These(Vec<TcpOption>),
    /// `<...>`: they are not compared
    Any,
    /// These bytes.
    Raw(Vec<u8>),
}

impl Options {
    /// How many bytes they take in the header, where that is said.
    pub fn wire_len(&self) -> Option<usize> {
        match self {
            Options::These(options) => Some(options.iter().map(TcpOption::wire_len).sum()),
            Options::Raw(bytes) => Some(bytes.len()),
            Options::Any => None,
        }
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Options::These(options) if options.is_empty() => Ok(()),
            Options::These(options) => {
                let options: Vec<String> = options.iter().map(TcpOption::to_string).collect();
                write!(f, " <{}>", options.join(","))
            }
            Options::Any => f.write_str(" <...>"),
            Options::Raw(bytes) => write!(f, " <{}>", hex::print(bytes)),
        }
    }
}

/// Parses a segment's options, if any come next.
pub fn options(cursor: &mut Cursor<'_>) -> Parsed<Options> {
    let start = cursor.peek().span;
    if !cursor.take(b'<') {
        return Ok(Options::These(Vec::new()));
    }
    let close = "options end with `>`: <mss 1460,nop,wscale 7>";
    let options = if cursor.take_ellipsis() {
        Options::Any
    } else if cursor.peek_at(1).is(b'>') && hex::is_blob(cursor.peek()) {
        Options::Raw(hex::bytes(cursor, BYTES_MAX)?)
    } else {
        let mut list = vec![option(cursor)?];
        while cursor.take(b',') {
            list.push(option(cursor)?);
        }
        Options::These(list)
    };
    cursor.expect(b'>', close)?;
    fits(&options, cursor.since(start))?;
    Ok(options)
}

/// Options fill whole words of the header: the language pads nothing.
fn fits(options: &Options, span: Span) -> Parsed<()> {
    let len = options.wire_len().unwrap_or(0);
    if len > BYTES_MAX {
        let what = format!("the options have {len} bytes");
        let hint = "a TCP header has room for 40";
        return Err(Problem::new(span, what, "these options", hint));
    }
    if !len.is_multiple_of(4) {
        let what = format!("the options have {len} bytes, which are no whole words");
        let hint = "fill them up to a multiple of four with nop or eol";
        return Err(Problem::new(span, what, "these options", hint));
    }
    Ok(())
}

fn option(cursor: &mut Cursor<'_>) -> Parsed<TcpOption> {
    let token = cursor.peek();
    let name = cursor.word("a TCP option", "as in <mss 1460,nop,wscale 7>")?;
    Ok(match name {
        "eol" => TcpOption::Eol,
        "nop" => TcpOption::Nop,
        "sackOK" => TcpOption::SackPermitted,
        "mss" => TcpOption::Mss(cursor.number("an MSS", u16::MAX)?),
        "wscale" => TcpOption::WindowScale(cursor.number("a window scale", u8::MAX)?),
        "sack" => sack(cursor)?,
        "TS" => timestamp(cursor)?,
        "md5" if cursor.take_word("valid") => TcpOption::Md5(Md5::Valid),
        "md5" => TcpOption::Md5(Md5::Digest(digest(cursor)?)),
        "FO" => fast_open(cursor, false)?,
        "FOEXP" | "exp-FO" | "EXP-FO" => fast_open(cursor, true)?,
        "ECN" => acc_ecn(cursor, cursor.peek().is_word("e1b"), false)?,
        "AccECN0" => acc_ecn(cursor, false, false)?,
        "AccECN1" => acc_ecn(cursor, true, false)?,
        "exp-AccECN0" => acc_ecn(cursor, false, true)?,
        "exp-AccECN1" => acc_ecn(cursor, true, true)?,
        "exp-tarr" => match cursor.peek().is_integer() {
            true => TcpOption::AckRateRequest(Some(cursor.number("a rate", 127_u8)?)),
            false => TcpOption::AckRateRequest(None),
        },
        _ => return by_number(cursor, name, token.span),
    })
}

fn sack(cursor: &mut Cursor<'_>) -> Parsed<TcpOption> {
    let mut blocks = Vec::new();
    while blocks.is_empty() || cursor.peek().is_integer() {
        let left = cursor.number("a SACK block's left edge", u32::MAX)?;
        cursor.expect(b':', "a SACK block is LEFT:RIGHT")?;
        let right = cursor.number("a SACK block's right edge", u32::MAX)?;
        blocks.push(SackBlock { left, right });
    }
    Ok(TcpOption::Sack(blocks))
}

fn timestamp(cursor: &mut Cursor<'_>) -> Parsed<TcpOption> {
    const HINT: &str = "as in TS val 100 ecr 0";
    cursor.expect_word("val", HINT)?;
    let val = match cursor.take_ellipsis() {
        true => None,
        false => Some(cursor.number("a timestamp", u32::MAX)?),
    };
    cursor.expect_word("ecr", HINT)?;
    let ecr = cursor.number("a timestamp", u32::MAX)?;
    Ok(TcpOption::Timestamp(Timestamp {
        val,
        ecr,
        ecr_is_absolute: cursor.take(b'!'),
    }))
}

fn digest(cursor: &mut Cursor<'_>) -> Parsed<Vec<u8>> {
    let token = cursor.peek();
    let bytes = hex::bytes(cursor, BYTES_MAX)?;
    if bytes.len() != 16 {
        let what = format!("an MD5 digest has 16 bytes, not {}", bytes.len());
        let hint = "32 hexadecimal digits, or md5 valid";
        return Err(Problem::new(token.span, what, "this digest", hint));
    }
    Ok(bytes)
}

fn fast_open(cursor: &mut Cursor<'_>, is_experiment: bool) -> Parsed<TcpOption> {
    let cookie = hex::optional(cursor, BYTES_MAX)?;
    Ok(TcpOption::FastOpen(FastOpen {
        cookie,
        is_experiment,
    }))
}

fn acc_ecn(cursor: &mut Cursor<'_>, ect1_first: bool, is_experiment: bool) -> Parsed<TcpOption> {
    let mut ecn = AccEcn {
        ect1_first,
        is_experiment,
        ect0: None,
        ce: None,
        ect1: None,
    };
    loop {
        let counter = match cursor.peek().text {
            "e0b" | "ee0b" => &mut ecn.ect0,
            "ceb" | "eceb" => &mut ecn.ce,
            "e1b" | "ee1b" => &mut ecn.ect1,
            _ => return Ok(TcpOption::AccEcn(ecn)),
        };
        if counter.is_some() {
            return Err(
                cursor.unexpected("each counter once", "as in AccECN0 ee0b 1 eceb 1 ee1b 1")
            );
        }
        cursor.advance();
        *counter = Some(cursor.number("a counter", 0xff_ffff_u32)?);
    }
}

/// `gen-N` and `exp-XXXX`, or a name that nobody knows.
fn by_number(cursor: &mut Cursor<'_>, name: &str, span: Span) -> Parsed<TcpOption> {
    if let Some(kind) = name.strip_prefix("gen-").and_then(|n| n.parse().ok()) {
        let data = hex::optional(cursor, BYTES_MAX)?;
        return Ok(TcpOption::Generic { kind, data });
    }
    let id = name.strip_prefix("exp-");
    if let Some(id) = id.and_then(|id| u16::from_str_radix(id, 16).ok()) {
        let data = hex::optional(cursor, BYTES_MAX)?;
        return Ok(TcpOption::Experiment { id, data });
    }
    let what = format!("there is no TCP option `{name}`");
    let hint = suggest::or_else(name, &NAMES, "an unknown option is written gen-KIND HEX");
    Err(Problem::new(span, what, "this option", hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::lex::lex;

    fn parsed(text: &str) -> Parsed<Options> {
        let tokens = lex(text).expect("tokens");
        options(&mut Cursor::new(&tokens))
    }

    #[test]
    fn each_option_is_read_and_printed() {
        for (text, printed) in [
            ("", ""),
            ("<...>", " <...>"),
            ("<01010303>", " <01010303>"),
            ("<mss 1460>", " <mss 1460>"),
            ("<nop, nop,sackOK>", " <nop,nop,sackOK>"),
            ("<eol,wscale 14>", " <eol,wscale 14>"),
            ("<nop,nop,sack 1:3 5:7>", " <nop,nop,sack 1:3 5:7>"),
            ("<nop,nop,TS val 1 ecr 2>", " <nop,nop,TS val 1 ecr 2>"),
            (
                "<TS val ... ecr 2!,eol,eol>",
                " <TS val ... ecr 2!,eol,eol>",
            ),
            ("<nop,nop,md5 valid>", " <nop,nop,md5 valid>"),
            ("<FO,nop,nop>", " <FO,nop,nop>"),
            ("<FO 1234567890abcdef1234>", " <FO 1234567890abcdef1234>"),
            ("<FO 12,eol>", " <FO 12,eol>"),
            ("<exp-FO>", " <FOEXP>"),
            ("<FOEXP 3f01>", ""),
            ("<FOEXP 3f013f01>", " <FOEXP 3f013f01>"),
            ("<gen-77 ffff>", " <gen-77 ffff>"),
            ("<exp-F989>", " <exp-f989 >"),
            ("<exp-tarr>", " <exp-tarr>"),
            ("<exp-tarr 3,nop,nop,nop>", " <exp-tarr 3,nop,nop,nop>"),
            (
                "<ECN e1b 1 ceb 2 e0b 3,nop>",
                " <AccECN1 ee1b 1 eceb 2 ee0b 3,nop>",
            ),
            ("<exp-AccECN0>", " <exp-AccECN0>"),
        ] {
            match parsed(text) {
                Ok(options) => {
                    assert_eq!(options.to_string(), printed, "{text}");
                    assert_eq!(parsed(printed).expect(printed), options);
                }
                Err(problem) => assert_eq!(printed, "", "{text}: {problem:?}"),
            }
        }
    }

    #[test]
    fn a_wrong_option_is_a_problem() {
        for text in [
            "<>",
            "<mss>",
            "<mss 65536>",
            "<mss 1460",
            "<nop>",
            "<mss 1460,>",
            "<sack 1>",
            "<sack>",
            "<md5 00>",
            "<TS val 1>",
            "<TS ecr 1 val 1>",
            "<FO 1>",
            "<FO xyzxyz>",
            "<wscale 256,nop>",
            "<gen-256>",
            "<msss 1>",
            "<ECN e0b 1 e0b 1>",
            "<ECN e0b 16777216>",
            "<... nop>",
            "<TS val 1 ecr 1,TS val 1 ecr 1,TS val 1 ecr 1,TS val 1 ecr 1,TS val 1 ecr 1,nop,nop>",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        let problem = parsed("<wscal 7,nop>").expect_err("a slip");
        assert_eq!(problem.hint, "did you mean `wscale`?");
    }
}
