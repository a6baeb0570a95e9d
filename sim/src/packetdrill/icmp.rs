//! An ICMP message as a packet line writes it: type and code by name, and the packet that it complains about.

use std::fmt;

use super::cursor::{Cursor, Parsed};
use super::tcp::{self, Ports, Sequence};

/// A message; the names are the same for ICMP and ICMPv6, and mean what the script's IP version says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// `unreachable`, `packet_too_big`
    pub kind: String,
    /// `port_unreachable`
    pub code: Option<String>,
    pub mtu: Option<u32>,
    /// The identifier of an echo.
    pub id: Option<u16>,
    pub echoed: Option<Echoed>,
}

/// The packet that a message complains about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Echoed {
    /// `[1:1001(1000)]`, in UDP or not
    Tcp {
        sequence: Sequence,
        udp: Option<Ports>,
    },
    /// `[udp (N)]`
    Udp(u16),
    /// `[raw (N)]`
    Raw(u16),
}

impl fmt::Display for Icmp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "icmp {}", self.kind)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if let Some(mtu) = self.mtu {
            write!(f, " mtu {mtu}")?;
        }
        if let Some(id) = self.id {
            write!(f, " id {id}")?;
        }
        match &self.echoed {
            Some(echoed) => write!(f, " [{echoed}]"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Echoed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Echoed::Tcp {
                sequence,
                udp: None,
            } => write!(f, "{sequence}"),
            Echoed::Tcp {
                sequence,
                udp: Some(ports),
            } => write!(f, "{sequence}/udp({ports})"),
            Echoed::Udp(len) => write!(f, "udp ({len})"),
            Echoed::Raw(len) => write!(f, "raw ({len})"),
        }
    }
}

/// Parses what comes after `icmp`.
pub fn icmp(cursor: &mut Cursor<'_>) -> Parsed<Icmp> {
    const HINT: &str = "as in icmp unreachable port_unreachable [1:1(0)]";
    let kind = cursor.word("an ICMP type", HINT)?.to_owned();
    let is_field = ["mtu", "id"].iter().any(|f| cursor.peek().is_word(f));
    let code = match is_field {
        true => None,
        false => optional_word(cursor),
    };
    let mtu = match cursor.take_word("mtu") {
        true => Some(cursor.number("an MTU", u32::MAX)?),
        false => None,
    };
    let id = match cursor.take_word("id") {
        true => Some(cursor.number("an identifier", u16::MAX)?),
        false => None,
    };
    let echoed = match cursor.take(b'[') {
        true => Some(echoed(cursor)?),
        false => None,
    };
    Ok(Icmp {
        kind,
        code,
        mtu,
        id,
        echoed,
    })
}

fn optional_word(cursor: &mut Cursor<'_>) -> Option<String> {
    cursor.word("a code", "").ok().map(str::to_owned)
}

fn echoed(cursor: &mut Cursor<'_>) -> Parsed<Echoed> {
    const HINT: &str = "the echoed packet is [START:END(LENGTH)], [udp (LENGTH)] or [raw (LENGTH)]";
    let echoed = if cursor.take_word("udp") {
        Echoed::Udp(length(cursor, HINT)?)
    } else if cursor.take_word("raw") {
        Echoed::Raw(length(cursor, HINT)?)
    } else {
        Echoed::Tcp {
            sequence: tcp::sequence(cursor)?,
            udp: tcp::udp(cursor)?,
        }
    };
    cursor.expect(b']', HINT)?;
    Ok(echoed)
}

/// Parses `(N)`.
pub fn length(cursor: &mut Cursor<'_>, hint: &str) -> Parsed<u16> {
    cursor.expect(b'(', hint)?;
    let len = cursor.number("a length", u16::MAX)?;
    cursor.expect(b')', hint)?;
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::lex::lex;

    fn parsed(text: &str) -> Result<String, String> {
        let tokens = lex(text).expect("tokens");
        let message = icmp(&mut Cursor::new(&tokens)).map_err(|problem| problem.message)?;
        Ok(message.to_string())
    }

    #[test]
    fn each_form_is_read_and_printed() {
        for text in [
            "unreachable",
            "unreachable port_unreachable",
            "unreachable frag_needed mtu 840 [1:1(0)]",
            "packet_too_big mtu 1300 [1:1(0)/udp(1 > 2)]",
            "echo_request id 7",
            "unreachable host_unreachable [udp (10)]",
            "unreachable [raw (10)]",
        ] {
            assert_eq!(parsed(text), Ok(format!("icmp {text}")));
        }
    }

    #[test]
    fn a_wrong_message_is_a_problem() {
        for text in [
            "",
            "unreachable [",
            "a b [1:1]",
            "a mtu",
            "a [udp 5]",
            "a [1:1(0)",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }
}
