//! Headers around a packet, outermost first: `ipv4 A > B: gre: …`, `mpls (label 1, tc 0, [S], ttl 64): …`.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::cursor::{Cursor, Parsed};
use super::ip::{IpInfo, ip_info};
use crate::scenario::Problem;

/// The most headers around one packet.
const HEADERS_MAX: usize = 8;
/// The most labels in one stack.
const LABELS_MAX: usize = 16;
/// The longest text of an address.
const ADDRESS_MAX: usize = 64;

/// A header around a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outer {
    Ipv4 {
        info: IpInfo,
        source: Ipv4Addr,
        destination: Ipv4Addr,
    },
    Ipv6 {
        info: IpInfo,
        source: Ipv6Addr,
        destination: Ipv6Addr,
    },
    Gre(Option<Gre>),
    Mpls(Vec<Label>),
}

/// RFC 2784, RFC 2890.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gre {
    pub flags: u16,
    pub sum: u16,
    pub offset: u16,
    pub key: u32,
    pub sequence: u32,
}

/// RFC 3032 §2.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub label: u32,
    pub traffic_class: u8,
    pub is_bottom: bool,
    pub ttl: u8,
}

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outer::Ipv4 {
                info,
                source,
                destination,
            } => write!(f, "ipv4 {info}{source} > {destination}: "),
            Outer::Ipv6 {
                info,
                source,
                destination,
            } => write!(f, "ipv6 {info}{source} > {destination} : "),
            Outer::Gre(None) => f.write_str("gre: "),
            Outer::Gre(Some(gre)) => write!(
                f,
                "gre flags {:#x}, sum {}, off {}, key {}, seq {}: ",
                gre.flags, gre.sum, gre.offset, gre.key, gre.sequence
            ),
            Outer::Mpls(labels) => {
                f.write_str("mpls")?;
                labels.iter().try_for_each(|label| write!(f, " {label}"))?;
                f.write_str(": ")
            }
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bottom = if self.is_bottom { "[S], " } else { "" };
        write!(
            f,
            "(label {}, tc {}, {bottom}ttl {})",
            self.label, self.traffic_class, self.ttl
        )
    }
}

/// Parses the headers around a packet, if there are any.
pub fn outer(cursor: &mut Cursor<'_>) -> Parsed<Vec<Outer>> {
    let mut headers = Vec::new();
    loop {
        let token = cursor.peek();
        let header = match token.text {
            "ipv4" => ip(cursor, |info, source, destination| Outer::Ipv4 {
                info,
                source,
                destination,
            })?,
            "ipv6" => ip(cursor, |info, source, destination| Outer::Ipv6 {
                info,
                source,
                destination,
            })?,
            "gre" | "GREv0" => gre(cursor)?,
            "mpls" => mpls(cursor)?,
            _ => return Ok(headers),
        };
        if headers.len() == HEADERS_MAX {
            let what = format!("more than {HEADERS_MAX} headers around a packet");
            return Err(Problem::new(
                token.span,
                what,
                "one too many",
                "leave some out",
            ));
        }
        headers.push(header);
    }
}

fn ip<A: FromStr>(cursor: &mut Cursor<'_>, header: fn(IpInfo, A, A) -> Outer) -> Parsed<Outer> {
    const HINT: &str = "as in ipv4 192.0.2.1 > 192.0.2.2:";
    cursor.advance();
    let info = ip_info(cursor)?;
    let source = address(cursor)?;
    cursor.expect(b'>', HINT)?;
    let destination = address(cursor)?;
    cursor.expect(b':', HINT)?;
    Ok(header(info, source, destination))
}

/// The tokens up to `>`, or up to the colon that ends the header: no token is an address by itself.
fn address<A: FromStr>(cursor: &mut Cursor<'_>) -> Parsed<A> {
    let start = cursor.peek();
    let mut text = String::new();
    loop {
        let token = cursor.peek();
        let next = cursor.peek_at(1);
        // A colon with a blank after it is no part of an address.
        let ends = token.is(b':') && next.span.offset > token.span.offset + 1;
        if ends
            || token.is(b'>')
            || text.len() + token.text.len() > ADDRESS_MAX
            || token.text.is_empty()
        {
            break;
        }
        text.push_str(cursor.advance().text);
    }
    text.parse().map_err(|_| {
        let what = format!("`{text}` is no address");
        let hint =
            "IPv4 as in 192.0.2.1, IPv6 as in 2001:db8::1, a blank after the colon that follows";
        Problem::new(cursor.since(start.span), what, "this address", hint)
    })
}

fn gre(cursor: &mut Cursor<'_>) -> Parsed<Outer> {
    const HINT: &str = "as in gre: or gre flags 0x2000, sum 0, off 0, key 1, seq 0:";
    cursor.advance();
    if cursor.take(b':') {
        return Ok(Outer::Gre(None));
    }
    cursor.take(b',');
    let gre = gre_fields(cursor)?;
    cursor.expect(b':', HINT)?;
    Ok(Outer::Gre(Some(gre)))
}

/// Parses a GRE header's fields, each with or without a comma after it.
fn gre_fields(cursor: &mut Cursor<'_>) -> Parsed<Gre> {
    const HINT: &str = "the fields are flags, sum, off, key and seq, in this order";
    if !cursor.take_word("Flags") {
        cursor.expect_word("flags", HINT)?;
    }
    let flags = match cursor.take(b'[') {
        true => gre_flags(cursor)?,
        false => cursor.number("GRE flags", u16::MAX)?,
    };
    cursor.take(b',');
    cursor.expect_word("sum", HINT)?;
    let sum = cursor.number("a checksum", u16::MAX)?;
    cursor.take(b',');
    cursor.expect_word("off", HINT)?;
    let offset = cursor.number("an offset", u16::MAX)?;
    cursor.take(b',');
    cursor.expect_word("key", HINT)?;
    cursor.take(b'=');
    let key = cursor.number("a key", u32::MAX)?;
    cursor.take(b',');
    cursor.expect_word("seq", HINT)?;
    let sequence = cursor.number("a sequence number", u32::MAX)?;
    Ok(Gre {
        flags,
        sum,
        offset,
        key,
        sequence,
    })
}

/// `[key present, sequence# present]`, without its first bracket.
fn gre_flags(cursor: &mut Cursor<'_>) -> Parsed<u16> {
    const HINT: &str = "GRE flags are none, checksum present, key present or sequence present";
    let mut flags = 0;
    loop {
        let bit = match cursor.peek().text {
            "none" => 0,
            "checksum" => 0x8000,
            "key" => 0x2000,
            "sequence" => 0x1000,
            _ => return Err(cursor.unexpected("a GRE flag", HINT)),
        };
        cursor.advance();
        if bit != 0 {
            cursor.expect_word("present", HINT)?;
        }
        flags |= bit;
        if !cursor.take(b',') {
            cursor.expect(b']', HINT)?;
            return Ok(flags);
        }
    }
}

fn mpls(cursor: &mut Cursor<'_>) -> Parsed<Outer> {
    const HINT: &str = "as in mpls (label 1, tc 0, [S], ttl 64):";
    cursor.advance();
    let mut labels = Vec::new();
    while cursor.take(b'(') {
        if labels.len() == LABELS_MAX {
            return Err(cursor.unexpected(&format!("at most {LABELS_MAX} labels"), HINT));
        }
        cursor.expect_word("label", HINT)?;
        let label = cursor.number("a label", 0xf_ffff)?;
        cursor.expect(b',', HINT)?;
        cursor.expect_word("tc", HINT)?;
        let traffic_class = cursor.number("a traffic class", 7)?;
        cursor.expect(b',', HINT)?;
        let is_bottom = cursor.take(b'[');
        if is_bottom {
            cursor.expect_word("S", HINT)?;
            cursor.expect(b']', HINT)?;
            cursor.expect(b',', HINT)?;
        }
        cursor.expect_word("ttl", HINT)?;
        let ttl = cursor.number("a TTL", u8::MAX)?;
        cursor.expect(b')', HINT)?;
        labels.push(Label {
            label,
            traffic_class,
            is_bottom,
            ttl,
        });
    }
    cursor.expect(b':', HINT)?;
    Ok(Outer::Mpls(labels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::lex::lex;

    fn parsed(text: &str) -> Result<String, String> {
        let tokens = lex(text).expect("tokens");
        let headers = outer(&mut Cursor::new(&tokens)).map_err(|problem| problem.message)?;
        Ok(headers.iter().map(Outer::to_string).collect())
    }

    #[test]
    fn each_header_is_read_and_printed() {
        for (text, printed) in [
            (". 1:1(0)", ""),
            (
                "ipv4 192.0.2.1 > 192.0.2.2: .",
                "ipv4 192.0.2.1 > 192.0.2.2: ",
            ),
            (
                "ipv4 [ttl 9] 1.2.3.4>5.6.7.8 : S",
                "ipv4 (ttl 9) 1.2.3.4 > 5.6.7.8: ",
            ),
            (
                "ipv6 2001:db8::1 > ::2: gre: .",
                "ipv6 2001:db8::1 > ::2 : gre: ",
            ),
            (
                "gre flags [key present,checksum present], sum 1, off 2, key=3, seq 4: .",
                "gre flags 0xa000, sum 1, off 2, key 3, seq 4: ",
            ),
            (
                "mpls (label 1, tc 2, ttl 3) (label 4, tc 5, [S], ttl 6): .",
                "mpls (label 1, tc 2, ttl 3) (label 4, tc 5, [S], ttl 6): ",
            ),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(printed), "{text}");
            assert_eq!(parsed(printed).as_deref(), Ok(printed));
        }
    }

    #[test]
    fn a_wrong_header_is_a_problem() {
        for text in [
            "ipv4",
            "ipv4 1.2.3 > 1.2.3.4: .",
            "ipv6 1.2.3.4 > ::1: .",
            "ipv6 ::1:",
            "gre flags",
            "mpls (label",
            "gre: gre: gre: gre: gre: gre: gre: gre: gre: .",
            "gre flags [x present]",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }
}
