//! Packet lines: what the script sends, and what it waits for.

use xenemu::abi::Instant;

use super::failure::Failure;
use super::live::Live;
use super::merge::Joined;
use super::remote::Protocol;
use super::subject::Subject;
use super::{GRACE, PATIENCE, Run, build, check, icmp_names};
use crate::packetdrill::ast::{Action, Event};
use crate::packetdrill::icmp::{Echoed, Icmp};
use crate::packetdrill::ip::IpInfo;
use crate::packetdrill::packet::{Body, Direction, Packet};
use crate::packetdrill::tcp::{Segment, Sequence, Start};
use crate::packetdrill::time::When;

/// What a message is about that does not say it.
const NOTHING: Sequence = Sequence {
    start: Start::Relative(0),
    len: 0,
};

impl<S: Subject> Run<'_, S> {
    pub(super) fn inject(&mut self, event: &Event, packet: &Packet) -> Result<(), Failure> {
        let fail = |what: String| Failure::new(event.place.0, what);
        if !packet.outer.is_empty() {
            return Err(fail("headers around a packet cannot be sent".into()));
        }
        let bytes = match &packet.body {
            Body::Tcp(segment) => {
                let live = self.remote.inbound(segment);
                let live = live.map_err(|why| fail(why.to_string()))?;
                build::tcp(&self.remote.envelope(&packet.ip), &live)
            }
            Body::Icmp(message) => self.icmp(event, message, &packet.ip)?,
            Body::Udp(datagram) => {
                let ports = self.remote.inbound_datagram(datagram);
                let ports = ports.map_err(|why| fail(why.to_string()))?;
                build::datagram(&self.remote.envelope(&packet.ip), ports, datagram.len)
            }
        };
        let Some(mut bytes) = bytes else {
            return Err(fail(format!(
                "the packet has more than {} bytes",
                build::LONGEST
            )));
        };
        build::mark_evil(&mut bytes);
        self.record.injected(self.now, &bytes, packet);
        self.subject.receive(self.now, &bytes);
        self.settle()
    }

    fn icmp(
        &self,
        event: &Event,
        message: &Icmp,
        info: &IpInfo,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let fail = |what: String| Failure::new(event.place.0, what);
        let is_v6 = self.config.remote.is_ipv6();
        let code = message.code.as_deref();
        let named = icmp_names::find(&message.kind, code, is_v6);
        let named = named.ok_or_else(|| {
            let code = code.map_or(String::new(), |code| format!(" {code}"));
            fail(format!(
                "ICMP of this IP version has no {}{code}",
                message.kind
            ))
        })?;
        let segment = |sequence: &Sequence, udp| {
            let segment = self.remote.complained_of(sequence, udp);
            segment.map(build::Quoted::Segment)
        };
        let datagram = |len| {
            let ports = self.remote.complained_of_datagram();
            ports.map(|ports| build::Quoted::Datagram { ports, len })
        };
        let about = match &message.echoed {
            None if self.remote.protocol() == Protocol::Udp => datagram(0),
            None => segment(&NOTHING, None),
            Some(Echoed::Tcp { sequence, udp }) => segment(sequence, *udp),
            Some(Echoed::Udp(len)) => datagram(*len),
            Some(Echoed::Raw(_)) => {
                return Err(fail(
                    "only segments and datagrams can be complained about".into(),
                ));
            }
        };
        let about = about.map_err(|why| fail(why.to_string()))?;
        let (to, from) = (self.remote.envelope(info), self.remote.envelope_back());
        Ok(build::icmp(&to, named, message.mtu, &from, &about))
    }

    pub(super) fn expect(&mut self, event: &Event, packet: &Packet) -> Result<(), Failure> {
        let window = self.clock.resolve(event.when);
        let tolerance = self.clock.tolerance(&self.config, window.from);
        let limit = match window.to {
            Some(to) => to.plus(tolerance + GRACE),
            None => self.now.plus(PATIENCE),
        };
        let live = match &packet.body {
            Body::Tcp(segment) if packet.outer.is_empty() => self.whole(event, segment, limit)?,
            Body::Udp(_) if packet.outer.is_empty() => self.next_sent(event, limit)?,
            _ => {
                let what = "only segments and datagrams without other headers can be waited for";
                return Err(Failure::new(event.place.0, what));
            }
        };
        let differs = self.compare(event, packet, &live);
        if !window.holds(live.at, tolerance) {
            differs.and_then(|()| Err(self.untimely(event, packet, &live, tolerance)))?;
        } else if !self.config.lenient_packets {
            differs?;
        }
        self.clock.advance(window.from, self.now);
        Ok(())
    }

    fn compare(&mut self, event: &Event, packet: &Packet, live: &Live) -> Result<(), Failure> {
        let ip = check::seen(&packet.ip, live);
        let (difference, body) = match (&packet.body, live.tcp(), &live.udp) {
            (Body::Udp(said), _, Some(udp)) if self.remote.protocol() == Protocol::Udp => {
                let (difference, got) = check::datagram(said, live, udp);
                (difference, Body::Udp(got))
            }
            (Body::Tcp(said), Some(tcp), _) if self.remote.protocol() == Protocol::Tcp => {
                let mut got = self.remote.outbound(live, tcp, said, &self.config);
                // What nobody asked for is not shown beside what was asked for.
                got.window = got.window.filter(|_| said.window.is_some());
                let difference = check::segment(said, &got, live, tcp, self.subject.layout());
                (difference, Body::Tcp(got))
            }
            _ => {
                let got = match self.remote.protocol() {
                    Protocol::Tcp => "a segment",
                    Protocol::Udp => "a datagram",
                };
                let what = format!("the packet is of another protocol: {got} came");
                return Err(Failure::compared(event.place.0, what, packet, got));
            }
        };
        let difference = difference.or_else(|| check::marks(&packet.ip, &ip, &mut self.remote));
        let got = Packet {
            direction: Direction::Out,
            outer: Vec::new(),
            ip,
            body,
        };
        let text = got.to_string();
        self.record.received(live.at, &text);
        match difference {
            None => Ok(()),
            Some(d) => {
                let expected = packet.to_string();
                Err(Failure::different(event.place.0, &d, expected, text))
            }
        }
    }

    fn untimely(&self, event: &Event, packet: &Packet, live: &Live, tolerance: u64) -> Failure {
        let window = self.clock.resolve(event.when);
        let from = self.clock.script_time(window.from);
        let due = match (event.when, window.to) {
            (When::Within(..) | When::AfterWithin(..), Some(to)) => {
                format!("{from}~{}", self.clock.script_time(to))
            }
            _ => from.to_string(),
        };
        let at = self.clock.script_time(live.at).to_string();
        let ms = tolerance / 1_000_000;
        let what = format!(
            "the packet came at the wrong time: expected at {due} (give or take {ms} ms), sent at {at}"
        );
        let (expected, got) = (format!("{due} {packet}"), format!("{at} {packet}"));
        Failure::compared(event.place.0, what, expected, got).marked(at)
    }

    /// The next packet of the connection under test, with what continues it while the script's is longer.
    fn whole(&mut self, event: &Event, segment: &Segment, limit: Instant) -> Result<Live, Failure> {
        let first = self.next_sent(event, limit)?;
        let wanted = usize::from(segment.sequence.len);
        if self.config.strict_segments {
            return Ok(first);
        }
        let mut joined = Joined::new(first);
        while joined.bytes() > 0 && joined.bytes() < wanted {
            let next = self.next_sent(event, limit)?;
            joined.push(next).map_err(|breach| {
                let (so_far, wanted) = (joined.bytes(), wanted);
                let what = format!(
                    "{so_far} of {wanted} bytes were sent, and the next packet does not continue them: {breach}"
                );
                Failure::new(event.place.0, what)
            })?;
        }
        Ok(joined.whole())
    }

    /// The next packet of the connection under test, waited for up to a moment.
    fn next_sent(&mut self, event: &Event, limit: Instant) -> Result<Live, Failure> {
        let mut others = 0;
        loop {
            while let Some(live) = self.sent.pop_front() {
                if self.remote.owns(&live) {
                    return Ok(live);
                }
                others += 1;
            }
            if !self.step(limit)? {
                let waited = self.clock.script_time(limit);
                let what = format!("no packet came, and none would by {waited}");
                let expected = match &event.action {
                    Action::Packet(packet) => packet.to_string(),
                    _ => String::new(),
                };
                let got = match others {
                    0 => "nothing".to_owned(),
                    _ => format!("nothing, and {others} that are not of the connection under test"),
                };
                return Err(Failure::compared(event.place.0, what, expected, got));
            }
        }
    }
}
