//! A TCP segment as a packet line writes it: ports, flags, sequence numbers, window, options, and what it travels in.

use std::fmt;

use super::cursor::{Cursor, Parsed};
use super::flags::{Flags, flags};
use super::options::{Options, options};
use super::token::Kind;
use crate::scenario::Problem;

const SEQUENCE_HINT: &str = "START:END(LENGTH), or ...(LENGTH) where the start does not matter";

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// `encap psp spi N`: the security index of the PSP header around it
    pub psp: Option<u32>,
    pub ports: Option<Ports>,
    pub flags: Flags,
    pub sequence: Sequence,
    pub ack: Option<u32>,
    /// As it stands in the header, unscaled.
    pub window: Option<u16>,
    pub urgent: Option<u16>,
    pub options: Options,
    /// `[cause_code N, pen N]`: why the connection was reset (draft-boucadair-tcpm-rst-diagnostic-payload)
    pub reset_reason: Option<ResetReason>,
    /// `/udp(A > B)`: it travels in UDP
    pub udp: Option<Ports>,
}

/// `A > B`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    pub source: u16,
    pub destination: u16,
}

/// Where a segment's data begins, and how much there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    pub start: Start,
    pub len: u16,
}

/// A segment's sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// `1:1001(1000)`: counted from the initial sequence number
    Relative(u32),
    /// `1:1001(1000)!`: as it stands
    Absolute(u32),
    /// `...(1000)`: not compared
    Any,
}

/// Why a connection was reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetReason {
    pub code: u16,
    /// The private enterprise number.
    pub pen: u32,
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {}", self.source, self.destination)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.len;
        let end = |start: u32| start.wrapping_add(u32::from(len));
        match self.start {
            Start::Relative(start) => write!(f, "{start}:{}({len})", end(start)),
            Start::Absolute(start) => write!(f, "{start}:{}({len})!", end(start)),
            Start::Any => write!(f, "...({len})"),
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(spi) = self.psp {
            write!(f, "encap psp spi {spi} ")?;
        }
        if let Some(ports) = self.ports {
            write!(f, "{ports} ")?;
        }
        write!(f, "{} {}", self.flags, self.sequence)?;
        if let Some(ack) = self.ack {
            write!(f, " ack {ack}")?;
        }
        if let Some(window) = self.window {
            write!(f, " win {window}")?;
        }
        if let Some(urgent) = self.urgent {
            write!(f, " urg {urgent}")?;
        }
        write!(f, "{}", self.options)?;
        if let Some(reason) = self.reset_reason {
            write!(f, " [cause_code {}, pen {}]", reason.code, reason.pen)?;
        }
        match self.udp {
            Some(ports) => write!(f, "/udp({ports})"),
            None => Ok(()),
        }
    }
}

/// Parses a segment.
pub fn segment(cursor: &mut Cursor<'_>) -> Parsed<Segment> {
    Ok(Segment {
        psp: psp(cursor)?,
        ports: optional_ports(cursor)?,
        flags: flags(cursor)?,
        sequence: sequence(cursor)?,
        ack: field(cursor, "ack", |c| c.number("an acknowledgement", u32::MAX))?,
        window: field(cursor, "win", |c| c.number("a window", u16::MAX))?,
        urgent: field(cursor, "urg", |c| c.number("an urgent pointer", u16::MAX))?,
        options: options(cursor)?,
        reset_reason: reset_reason(cursor)?,
        udp: udp(cursor)?,
    })
}

/// Parses `A > B`, if it comes next.
pub fn optional_ports(cursor: &mut Cursor<'_>) -> Parsed<Option<Ports>> {
    match cursor.peek().is_integer() && cursor.peek_at(1).is(b'>') {
        true => ports(cursor).map(Some),
        false => Ok(None),
    }
}

/// Parses `/udp(A > B)`, if it comes next.
pub fn udp(cursor: &mut Cursor<'_>) -> Parsed<Option<Ports>> {
    const HINT: &str = "as in /udp(9899 > 9811)";
    if !cursor.take(b'/') {
        return Ok(None);
    }
    cursor.expect_word("udp", HINT)?;
    cursor.expect(b'(', HINT)?;
    let ports = ports(cursor)?;
    cursor.expect(b')', HINT)?;
    Ok(Some(ports))
}

/// Parses `START:END(LENGTH)`, with or without `!`, or `...(LENGTH)`.
pub fn sequence(cursor: &mut Cursor<'_>) -> Parsed<Sequence> {
    let at = cursor.peek().span;
    if cursor.take_ellipsis() {
        let len = length(cursor)?;
        return Ok(Sequence {
            start: Start::Any,
            len,
        });
    }
    if !cursor.peek().is_integer() && cursor.peek().kind != Kind::Word {
        return Err(cursor.unexpected("sequence numbers", SEQUENCE_HINT));
    }
    let start = cursor.number("a sequence number", u32::MAX)?;
    cursor.expect(b':', SEQUENCE_HINT)?;
    let end = cursor.number("a sequence number", u32::MAX)?;
    let len = length(cursor)?;
    let after = start.wrapping_add(u32::from(len));
    if after != end {
        let what = format!("{len} bytes from {start} end at {after}, not at {end}");
        let hint = format!("write {start}:{after}({len}), or another length");
        return Err(Problem::new(cursor.since(at), what, "these numbers", hint));
    }
    let start = match cursor.take(b'!') {
        true => Start::Absolute(start),
        false => Start::Relative(start),
    };
    Ok(Sequence { start, len })
}

fn length(cursor: &mut Cursor<'_>) -> Parsed<u16> {
    cursor.expect(b'(', SEQUENCE_HINT)?;
    let len = cursor.number("a length", u16::MAX)?;
    cursor.expect(b')', SEQUENCE_HINT)?;
    Ok(len)
}

fn ports(cursor: &mut Cursor<'_>) -> Parsed<Ports> {
    let source = cursor.number("a port", u16::MAX)?;
    cursor.expect(b'>', "ports are written SOURCE > DESTINATION")?;
    let destination = cursor.number("a port", u16::MAX)?;
    Ok(Ports {
        source,
        destination,
    })
}

fn psp(cursor: &mut Cursor<'_>) -> Parsed<Option<u32>> {
    const HINT: &str = "as in encap psp spi 7";
    if !cursor.take_word("encap") {
        return Ok(None);
    }
    cursor.expect_word("psp", HINT)?;
    cursor.expect_word("spi", HINT)?;
    cursor.number("a security index", u32::MAX).map(Some)
}

/// A word with a value after it, if the word comes next.
fn field<'a, T>(
    cursor: &mut Cursor<'a>,
    word: &str,
    value: impl FnOnce(&mut Cursor<'a>) -> Parsed<T>,
) -> Parsed<Option<T>> {
    match cursor.take_word(word) {
        true => value(cursor).map(Some),
        false => Ok(None),
    }
}

fn reset_reason(cursor: &mut Cursor<'_>) -> Parsed<Option<ResetReason>> {
    const HINT: &str = "as in [cause_code 1, pen 0]";
    if !cursor.take(b'[') {
        return Ok(None);
    }
    cursor.expect_word("cause_code", HINT)?;
    let code = cursor.number("a cause", u16::MAX)?;
    cursor.expect(b',', HINT)?;
    cursor.expect_word("pen", HINT)?;
    let pen = cursor.number("an enterprise number", u32::MAX)?;
    cursor.expect(b']', HINT)?;
    Ok(Some(ResetReason { code, pen }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::lex::lex;

    fn parsed(text: &str) -> Result<String, String> {
        let tokens = lex(text).expect("tokens");
        let mut cursor = Cursor::new(&tokens);
        let segment = segment(&mut cursor).map_err(|problem| problem.message)?;
        match cursor.peek().kind {
            Kind::End => Ok(segment.to_string()),
            _ => Err(format!("{:?} is left", cursor.peek())),
        }
    }

    #[test]
    fn each_part_of_a_segment_is_read_and_printed() {
        for (text, printed) in [
            ("S 0:0(0)", "S 0:0(0)"),
            (
                "S. 0:0(0) ack 1 win 5 <mss 9>",
                "S. 0:0(0) ack 1 win 5 <mss 9>",
            ),
            ("P.  1:11(10)   ack  1", "P. 1:11(10) ack 1"),
            ("- 1:1(0)", "- 1:1(0)"),
            ("U. 1:2(1) ack 1 win 0 urg 1", "U. 1:2(1) ack 1 win 0 urg 1"),
            ("FPSRUEWA. 0:0(0)", "FSRPUEWA. 0:0(0)"),
            (".5 1:1(0)", "EA. 1:1(0)"),
            ("S.1 1:1(0)", "SE. 1:1(0)"),
            ("SEWA 1:1(0)", "SEWA 1:1(0)"),
            ("R. 5:5(0)! ack 1", "R. 5:5(0)! ack 1"),
            ("S. ...(0) ack 1", "S. ...(0) ack 1"),
            ("4294967295:0(1)", ""),
            (". 4294967295:0(1)", ". 4294967295:0(1)"),
            ("encap psp spi 7 . 1:1(0)", "encap psp spi 7 . 1:1(0)"),
            ("80 > 90 F 1:1(0)", "80 > 90 F 1:1(0)"),
            (
                "R 1:1(0) [cause_code 2, pen 0]",
                "R 1:1(0) [cause_code 2, pen 0]",
            ),
            (
                ". 1:1(0) <nop,nop,TS val 1 ecr 1>/udp(1 > 2)",
                ". 1:1(0) <nop,nop,TS val 1 ecr 1>/udp(1 > 2)",
            ),
        ] {
            match parsed(text) {
                Ok(got) => {
                    assert_eq!(got, printed, "{text}");
                    assert_eq!(parsed(&got).as_deref(), Ok(printed));
                }
                Err(problem) => assert_eq!(printed, "", "{text}: {problem}"),
            }
        }
    }

    #[test]
    fn a_wrong_segment_is_a_problem() {
        for text in [
            "",
            "X 0:0(0)",
            "S",
            "S 0:0",
            "S 0:1(0)",
            "S 0:0(65536)",
            "S 0:0(0) win 65536",
            "S8 0:0(0)",
            "SE5 0:0(0)",
            ".15 0:0(0)",
            "S 0:0(0) ack",
            "70000 > 1 S 0:0(0)",
            "S 0:0(0)/tcp(1 > 2)",
            "S -1:0(1)",
            "S 4294967296:4294967296(0)",
            "encap ipsec",
            "S 0:0(0) [mtu 1]",
            "S MSS:1(1)",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }
}
