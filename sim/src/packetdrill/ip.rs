//! What a packet line says of its IP header, in brackets: `[ect0]`, `(tos 0x10, ttl 64)`.

use std::fmt;

use super::cursor::{Cursor, Parsed};
use super::token::Kind;
use crate::scenario::Problem;

const WAYS: &str =
    "noecn, ect0, ect1, ce, ect01, tos 0xNN, class 0xNN, dscp NAME, flowlabel 0xN, ttl N or hlim N";
/// Code points by name: RFC 2474 (CS), 2597 (AF), 3246 (EF), 5865 (VOICE-ADMIT), 8622 (LE).
const CODE_POINTS: [(&str, u8); 23] = [
    ("cs0", 0),
    ("cs1", 8),
    ("cs2", 16),
    ("cs3", 24),
    ("cs4", 32),
    ("cs5", 40),
    ("cs6", 48),
    ("cs7", 56),
    ("af11", 10),
    ("af12", 12),
    ("af13", 14),
    ("af21", 18),
    ("af22", 20),
    ("af23", 22),
    ("af31", 26),
    ("af32", 28),
    ("af33", 30),
    ("af41", 34),
    ("af42", 36),
    ("af43", 38),
    ("ef", 46),
    ("voice-admit", 44),
    ("le", 1),
];

/// What is said of an IP header; what is not said is not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpInfo {
    /// The last two bits of the type of service.
    pub ecn: Option<Ecn>,
    /// The whole type of service, or IPv6 traffic class.
    pub tos: Option<u8>,
    /// The first six bits of the type of service.
    pub dscp: Option<u8>,
    pub flow_label: Option<u32>,
    /// Time to live, or hop limit.
    pub ttl: Option<u8>,
}

/// RFC 3168 §5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ecn {
    /// `noecn`
    NotCapable,
    Ect0,
    Ect1,
    Ce,
    /// Either ECT, in outbound packets.
    AnyEct,
}

impl Ecn {
    const NAMES: [(&'static str, Ecn); 5] = [
        ("noecn", Ecn::NotCapable),
        ("ect0", Ecn::Ect0),
        ("ect1", Ecn::Ect1),
        ("ce", Ecn::Ce),
        ("ect01", Ecn::AnyEct),
    ];

    fn of(word: &str) -> Option<Ecn> {
        let found = Ecn::NAMES.iter().find(|(name, _)| *name == word);
        found.map(|&(_, ecn)| ecn)
    }

    /// What a type of service says.
    pub fn of_tos(tos: u8) -> Ecn {
        match tos & 3 {
            0 => Ecn::NotCapable,
            1 => Ecn::Ect1,
            2 => Ecn::Ect0,
            _ => Ecn::Ce,
        }
    }

    /// Its word.
    pub fn name(self) -> &'static str {
        let found = Ecn::NAMES.iter().find(|(_, ecn)| *ecn == self);
        found.expect("each has a name").0
    }
}

impl fmt::Display for IpInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut marks = Vec::new();
        marks.extend(self.ecn.map(|ecn| ecn.name().to_owned()));
        marks.extend(self.tos.map(|tos| format!("tos {tos:#04x}")));
        marks.extend(self.dscp.map(|dscp| format!("dscp {dscp:#04x}")));
        marks.extend(self.flow_label.map(|label| format!("flowlabel {label:#x}")));
        marks.extend(self.ttl.map(|ttl| format!("ttl {ttl}")));
        match marks.is_empty() {
            true => Ok(()),
            false => write!(f, "({}) ", marks.join(", ")),
        }
    }
}

/// Parses what stands in brackets, if brackets come next.
pub fn ip_info(cursor: &mut Cursor<'_>) -> Parsed<IpInfo> {
    let close = match cursor.peek().kind {
        Kind::Sign(b'(') => b')',
        Kind::Sign(b'[') => b']',
        _ => return Ok(IpInfo::default()),
    };
    cursor.advance();
    let mut info = IpInfo::default();
    loop {
        mark(cursor, &mut info)?;
        if !cursor.take(b',') {
            break;
        }
    }
    cursor.expect(
        close,
        "a list of IP marks is closed by the bracket that fits",
    )?;
    Ok(info)
}

fn mark(cursor: &mut Cursor<'_>, info: &mut IpInfo) -> Parsed<()> {
    let token = cursor.peek();
    let word = cursor.word("an IP mark", WAYS)?;
    let twice = match word {
        "tos" | "class" => info
            .tos
            .replace(cursor.number("a type of service", u8::MAX)?)
            .is_some(),
        "dscp" => info.dscp.replace(code_point(cursor)?).is_some(),
        "flowlabel" => {
            let label = cursor.number("a flow label", 0xf_ffff_u32)?;
            info.flow_label.replace(label).is_some()
        }
        "ttl" | "hlim" => info
            .ttl
            .replace(cursor.number("a hop limit", u8::MAX)?)
            .is_some(),
        "ecn" => {
            let named = cursor.word("an ECN code point", WAYS)?;
            let ecn = Ecn::of(named);
            ecn.is_none_or(|ecn| info.ecn.replace(ecn).is_some())
        }
        _ => Ecn::of(word).is_none_or(|ecn| info.ecn.replace(ecn).is_some()),
    };
    match twice {
        false => Ok(()),
        true => {
            let what = format!("`{word}` is no IP mark, or is given twice");
            Err(Problem::new(token.span, what, "here", WAYS))
        }
    }
}

fn code_point(cursor: &mut Cursor<'_>) -> Parsed<u8> {
    let word = cursor.peek().text.to_ascii_lowercase();
    if let Some(&(_, value)) = CODE_POINTS.iter().find(|(name, _)| *name == word) {
        cursor.advance();
        return Ok(value);
    }
    cursor.number("a DSCP", 63_u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::lex::lex;

    fn parsed(text: &str) -> Parsed<IpInfo> {
        let tokens = lex(text).expect("tokens");
        ip_info(&mut Cursor::new(&tokens))
    }

    #[test]
    fn each_mark_is_read_and_printed() {
        for (text, printed) in [
            ("", ""),
            ("[ect0]", "(ect0) "),
            ("(ecn ce)", "(ce) "),
            ("[tos 0x12]", "(tos 0x12) "),
            ("(class 0x2,hlim 1)", "(tos 0x02, ttl 1) "),
            ("[dscp af11, ect01]", "(ect01, dscp 0x0a) "),
            ("(flowlabel 0xfffff)", "(flowlabel 0xfffff) "),
        ] {
            let info = parsed(text).expect(text);
            assert_eq!(info.to_string(), printed);
            assert_eq!(parsed(printed).expect(printed), info);
        }
    }

    #[test]
    fn a_wrong_mark_is_a_problem() {
        for text in [
            "()",
            "(ect2)",
            "(ttl 256)",
            "[tos 0x100)",
            "(flowlabel 0x100000)",
            "(ect0,ect0)",
            "(ecn x)",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }
}
