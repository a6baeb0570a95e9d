//! A packet line: a packet that the script sends, or one that it waits for.

use std::fmt;

use super::cursor::{Cursor, Parsed};
use super::icmp::{self, Icmp};
use super::ip::{Ecn, IpInfo, ip_info};
use super::options::Options;
use super::outer::{Outer, outer};
use super::tcp::{self, Ports, Segment};
use crate::plan::Span;
use crate::scenario::Problem;

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub direction: Direction,
    /// Headers around it, outermost first.
    pub outer: Vec<Outer>,
    pub ip: IpInfo,
    pub body: Body,
}

/// Seen from the stack under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `<`: the script sends it
    In,
    /// `>`: the script waits for it
    Out,
}

/// What the IP packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Tcp(Segment),
    Udp(Datagram),
    Icmp(Icmp),
}

/// `udp A > B (LENGTH)`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    pub ports: Option<Ports>,
    pub len: u16,
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.direction {
            Direction::In => "< ",
            Direction::Out => "> ",
        })?;
        self.outer.iter().try_for_each(|o| write!(f, "{o}"))?;
        write!(f, "{}", self.ip)?;
        match &self.body {
            Body::Tcp(segment) => write!(f, "{segment}"),
            Body::Icmp(message) => write!(f, "{message}"),
            Body::Udp(Datagram { ports: None, len }) => write!(f, "udp ({len})"),
            Body::Udp(Datagram {
                ports: Some(ports),
                len,
            }) => write!(f, "udp {ports} ({len})"),
        }
    }
}

/// Parses a packet line.
pub fn packet(cursor: &mut Cursor<'_>) -> Parsed<Packet> {
    let start = cursor.peek().span;
    let direction = match cursor.take(b'<') {
        true => Direction::In,
        false => {
            cursor.expect(b'>', "a packet line begins with < or >")?;
            Direction::Out
        }
    };
    let packet = Packet {
        direction,
        outer: outer(cursor)?,
        ip: ip_info(cursor)?,
        body: body(cursor)?,
    };
    if direction == Direction::In {
        can_be_sent(&packet, cursor.since(start))?;
    }
    Ok(packet)
}

fn body(cursor: &mut Cursor<'_>) -> Parsed<Body> {
    let token = cursor.peek();
    match token.text {
        "udp" => {
            cursor.advance();
            Ok(Body::Udp(Datagram {
                ports: tcp::optional_ports(cursor)?,
                len: icmp::length(cursor, "as in udp 53 > 1024 (100)")?,
            }))
        }
        "icmp" => {
            cursor.advance();
            icmp::icmp(cursor).map(Body::Icmp)
        }
        "sctp" | "udplite" => {
            let what = format!("there is no {} here", token.text);
            let hint = "the packets are TCP, UDP and ICMP";
            Err(Problem::new(token.span, what, "this packet", hint))
        }
        _ => tcp::segment(cursor).map(Body::Tcp),
    }
}

/// What an outbound packet may leave open, an inbound one has to say.
fn can_be_sent(packet: &Packet, span: Span) -> Parsed<()> {
    let open = |what: &str, hint: &str| {
        let what = format!("an inbound packet needs {what}");
        Err(Problem::new(span, what, "this packet", hint))
    };
    if packet.ip.ecn == Some(Ecn::AnyEct) {
        return open("one ECN code point", "choose ect0 or ect1");
    }
    let Body::Tcp(segment) = &packet.body else {
        return Ok(());
    };
    if segment.window.is_none() {
        return open("a window", "say it after the ack: win 65535");
    }
    if segment.options == Options::Any {
        return open("its options", "say them instead of <...>");
    }
    if segment.sequence.start == tcp::Start::Any {
        return open(
            "its sequence numbers",
            "say START:END(LENGTH) instead of ...",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::lex::lex;

    fn parsed(text: &str) -> Result<String, String> {
        let tokens = lex(text).expect("tokens");
        let packet = packet(&mut Cursor::new(&tokens)).map_err(|problem| problem.message)?;
        Ok(packet.to_string())
    }

    #[test]
    fn each_kind_of_packet_is_read_and_printed() {
        for (text, printed) in [
            ("< S 0:0(0) win 9", "< S 0:0(0) win 9"),
            (">  S 0:0(0)", "> S 0:0(0)"),
            ("<[ect0] . 1:1(0) win 9", "< (ect0) . 1:1(0) win 9"),
            ("> udp (10)", "> udp (10)"),
            ("< udp 1 > 2 (10)", "< udp 1 > 2 (10)"),
            ("<icmp unreachable", "< icmp unreachable"),
            (
                "> ipv4 1.2.3.4 > 1.2.3.5: gre: . 1:1(0)",
                "> ipv4 1.2.3.4 > 1.2.3.5: gre: . 1:1(0)",
            ),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(printed), "{text}");
            assert_eq!(parsed(printed).as_deref(), Ok(printed));
        }
    }

    #[test]
    fn an_inbound_packet_leaves_nothing_open() {
        for rest in [
            "S 0:0(0)",
            "S 0:0(0) win 1 <...>",
            "[ect01] S 0:0(0) win 1",
            "S ...(0) win 1",
        ] {
            assert!(parsed(&format!("> {rest}")).is_ok(), "{rest}");
            assert!(parsed(&format!("< {rest}")).is_err(), "{rest}");
        }
    }

    #[test]
    fn other_protocols_are_named() {
        assert_eq!(parsed("> sctp: INIT"), Err("there is no sctp here".into()));
    }
}
