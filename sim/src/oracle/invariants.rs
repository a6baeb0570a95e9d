//! Passive checks: what every run owes the specifications, whatever its scenario says.
//!
//! They look at what a guest's own stack sends, at its vif. Forged frames and packets with the evil bit (RFC 3514) are
//! the experimenter's, and are not judged. Each message names the section that it rests on.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use stack::event::{Event as GuestEvent, TcpState};
use xenemu::abi::DomId;

use super::context::{Context, Sighting, built};
use super::expect::{Failure, Leaks};
use super::reading::Breaches;
use super::states;
use super::tracker::Direction;
use crate::trace::entry::{Author, Entry, Event};
use crate::view::dissect::ethernet;
use crate::view::line;

/// Bytes of an IP packet that Ethernet carries (RFC 894).
const MTU: usize = 1500;

/// A zero-window probe may carry one byte behind the window (RFC 9293, section 3.8.6.1).
const PROBE_BYTES: u32 = 1;

/// Pure ACKs in a row that answer nothing: so many are a storm (RFC 9293, section 3.10.7.4, warns of the loop).
const ACK_STORM: u32 = 64;

/// Failures that are kept; a broken stack would make millions.
const MOST_FAILURES: usize = 20;

/// Connections whose state is followed.
const MOST_CONNECTIONS: usize = 65_536;

type Connection = (u16, DomId, SocketAddr, SocketAddr);

/// The passive checks, and what they found.
#[derive(Debug, Default)]
pub struct Invariants {
    failures: Vec<Failure>,
    /// How many there were, kept or not.
    found: u64,
    states: BTreeMap<Connection, TcpState>,
}

impl Invariants {
    /// Looks at the next entry, which the context has observed already.
    pub fn feed(&mut self, entry: &Entry, context: &Context) {
        if let Some(sighting) = context.sighting() {
            self.packet(sighting);
        }
        if let Some(born) = built(entry) {
            self.states.retain(|key, _| (key.0, key.1) != born);
        }
        if let (Event::Guest(domid, event), Author::Node(node)) = (&entry.event, entry.author) {
            self.guest(node, *domid, event, entry, context);
        }
    }

    /// What was found. `leaks` is what the world found after it destroyed all domains.
    pub fn failures(&self, leaks: &Leaks) -> Vec<Failure> {
        let mut failures = self.failures.clone();
        let kept = failures.len() as u64;
        if self.found > kept {
            let message = format!("and {} more breaches like these", self.found - kept);
            failures.push(Failure {
                span: None,
                message,
                evidence: Vec::new(),
            });
        }
        for (what, count) in leaks.counts.iter().filter(|(_, count)| **count > 0) {
            failures.push(Failure {
                span: None,
                message: format!("{count} {what} not given back when all domains were destroyed"),
                evidence: Vec::new(),
            });
        }
        failures
    }

    fn packet(&mut self, sighting: &Sighting) {
        let evil = sighting.packet.ipv4().is_some_and(|ip| ip.evil);
        if sighting.direction != Direction::Out || sighting.known.forged || evil {
            return;
        }
        let at = || vec![line::sighting(sighting)];
        if !sighting.packet.checksums_ok() {
            self.fail(
                "a bad checksum was sent (RFC 1071; RFC 9293, section 3.1)",
                at,
            );
        }
        if sighting.packet.len > MTU + ethernet::HEADER_LEN {
            self.fail("a packet longer than the MTU was sent (RFC 894)", at);
        }
        if let Some(reading) = &sighting.reading {
            for message in breaches(&reading.breaches) {
                self.fail(message, at);
            }
        }
    }

    fn guest(
        &mut self,
        node: u16,
        domid: DomId,
        event: &GuestEvent,
        entry: &Entry,
        context: &Context,
    ) {
        let GuestEvent::TcpState {
            local,
            remote,
            from,
            to,
        } = event
        else {
            return;
        };
        let connection = (node, domid, *local, *remote);
        let known = self.states.get(&connection);
        let evidence = || vec![line::entry(entry, context)];
        if known.is_some_and(|known| known != from) {
            self.fail(
                "a connection left a state that it was not in (RFC 9293, section 3.3.2)",
                evidence,
            );
        } else if !states::may_follow(*from, *to) {
            self.fail(
                "a state followed that the diagram does not allow (RFC 9293, section 3.3.2, figure 5)",
                evidence,
            );
        }
        if *to == TcpState::Closed {
            self.states.remove(&connection);
        } else if self.states.len() < MOST_CONNECTIONS {
            self.states.insert(connection, *to);
        }
    }

    fn fail(&mut self, message: &str, evidence: impl FnOnce() -> Vec<String>) {
        self.found += 1;
        if self.failures.len() < MOST_FAILURES {
            self.failures.push(Failure {
                span: None,
                message: message.into(),
                evidence: evidence(),
            });
        }
    }
}

/// The sentences for what a segment breaches.
fn breaches(breaches: &Breaches) -> impl Iterator<Item = &'static str> {
    let checks = [
        (
            breaches.acks_unsent > 0,
            "an ACK acknowledges what was never sent (RFC 9293, section 3.4)",
        ),
        (
            breaches.beyond_window > PROBE_BYTES,
            "data lies behind the window that the receiver offered (RFC 9293, section 3.8.6)",
        ),
        (
            breaches.after_fin,
            "a segment lies behind its sender's FIN (RFC 9293, section 3.6)",
        ),
        (
            breaches.after_rst,
            "a segment follows its sender's RST (RFC 9293, section 3.5.2)",
        ),
        (
            breaches.changed_bytes,
            "retransmitted bytes differ from the first (RFC 9293, section 3.8.1)",
        ),
        (
            breaches.resent_held,
            "bytes that the receiver holds were sent again (RFC 2018, section 5; RFC 6675, section 5)",
        ),
        (
            breaches.idle_acks == ACK_STORM,
            "ACKs beget ACKs without end (RFC 9293, section 3.10.7.4)",
        ),
    ];
    checks
        .into_iter()
        .filter_map(|(breached, message)| breached.then_some(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{
        BLOG, DOMID, EC2, LAPTOP, READER, Stream, TcpSpec, plan, tcp_frame,
    };
    use xenemu::event::Life;

    fn found(stream: &Stream) -> Vec<String> {
        let mut context = Context::new(&plan());
        let mut invariants = Invariants::default();
        for entry in &stream.entries {
            context.observe(entry);
            invariants.feed(entry, &context);
        }
        let failures = invariants.failures(&Leaks::default());
        failures.into_iter().map(|f| f.message).collect()
    }

    fn after_handshake() -> Stream {
        let mut stream = Stream::begin();
        stream.handshake();
        stream
    }

    fn reader(flags: &str, seq: u32, payload: &[u8]) -> TcpSpec {
        TcpSpec {
            seq: 1001 + seq,
            ack: 5001,
            payload: payload.to_vec(),
            ..TcpSpec::new(READER, BLOG, flags)
        }
    }

    #[test]
    fn an_ordinary_exchange_breaches_nothing() {
        let mut stream = after_handshake();
        stream.segment(50_000_000, &reader("P.", 0, b"hello"));
        stream.segment(350_000_000, &reader("P.", 0, b"hello"));
        stream.segment(400_000_000, &reader("F.", 5, b""));
        let ack = TcpSpec {
            seq: 5001,
            ack: 1007,
            ..TcpSpec::new(BLOG, READER, ".")
        };
        stream.segment(440_000_000, &ack);
        assert_eq!(found(&stream), Vec::<String>::new());
    }

    #[test]
    fn each_breach_names_its_section() {
        let cases: [(TcpSpec, &str); 4] = [
            (reader("P.", 0, b"jello"), "bytes differ"),
            (
                TcpSpec {
                    ack: 5002,
                    ..reader(".", 5, b"")
                },
                "never sent",
            ),
            (reader("P.", 65_533, b"abcde"), "behind the window"),
            (reader("P.", 6, b"x"), "behind its sender's FIN"),
        ];
        for (breach, expected) in cases {
            let mut stream = after_handshake();
            stream.segment(50_000_000, &reader("P.", 0, b"hello"));
            if expected.contains("FIN") {
                stream.segment(60_000_000, &reader("F.", 5, b""));
            }
            stream.segment(70_000_000, &breach);
            let found = found(&stream);
            assert_eq!(found.len(), 1, "{expected}: {found:?}");
            assert!(found[0].contains(expected) && found[0].contains("RFC 9293"));
        }
    }

    /// The blog acknowledges `ack` of the reader's octets and holds some behind it.
    fn sack(ack: u32, held: (u32, u32)) -> TcpSpec {
        let mut options = vec![1, 1, 5, 10];
        options.extend((1001 + held.0).to_be_bytes());
        options.extend((1001 + held.1).to_be_bytes());
        TcpSpec {
            seq: 5001,
            ack: 1001 + ack,
            options,
            ..TcpSpec::new(BLOG, READER, ".")
        }
    }

    #[test]
    fn what_the_receiver_holds_is_not_sent_again_unless_it_took_it_back() {
        let holding = || {
            let mut stream = after_handshake();
            stream.segment(50_000_000, &reader(".", 0, b"hello"));
            stream.segment(51_000_000, &reader(".", 5, b"world"));
            stream.segment(90_000_000, &sack(0, (5, 10)));
            stream
        };
        let mut stream = holding();
        stream.segment(200_000_000, &reader(".", 0, b"hello"));
        assert_eq!(found(&stream), Vec::<String>::new());
        stream.segment(300_000_000, &reader(".", 5, b"world"));
        let messages = found(&stream);
        assert!(messages[0].contains("RFC 2018"), "{messages:?}");
        let mut stream = holding();
        let taken_back = TcpSpec {
            options: Vec::new(),
            ..sack(5, (0, 0))
        };
        stream.segment(250_000_000, &taken_back);
        stream.segment(300_000_000, &reader(".", 5, b"world"));
        assert_eq!(found(&stream), Vec::<String>::new());
    }

    #[test]
    fn nothing_but_a_reset_follows_a_reset() {
        let mut stream = after_handshake();
        stream.segment(50_000_000, &reader("R.", 0, b""));
        stream.segment(51_000_000, &reader("R.", 0, b""));
        assert_eq!(found(&stream), Vec::<String>::new());
        stream.segment(60_000_000, &reader("P.", 0, b"hello"));
        assert_eq!(found(&stream).len(), 1);
    }

    #[test]
    fn a_bad_checksum_is_the_senders_fault_unless_it_is_evil() {
        let mut frame = tcp_frame(&reader(".", 0, b""));
        frame[40] ^= 1;
        let mut stream = after_handshake();
        stream.send(50_000_000, LAPTOP, frame.clone());
        assert!(found(&stream)[0].contains("bad checksum"));
        frame[20] |= 0x80;
        let mut stream = after_handshake();
        stream.send(50_000_000, LAPTOP, frame);
        assert_eq!(found(&stream), Vec::<String>::new());
    }

    #[test]
    fn a_storm_of_acks_is_found_once() {
        let mut stream = after_handshake();
        for n in 0..200 {
            let spec = if n % 2 == 0 {
                reader(".", 0, b"")
            } else {
                TcpSpec {
                    seq: 5001,
                    ack: 1001,
                    ..TcpSpec::new(BLOG, READER, ".")
                }
            };
            stream.segment(100_000_000 + n * 21_000_000, &spec);
        }
        let found = found(&stream);
        assert!(found.iter().all(|message| message.contains("beget")));
        assert!(
            (1..=2).contains(&found.len()),
            "once at either vif: {found:?}"
        );
    }

    #[test]
    fn a_state_that_the_diagram_does_not_allow_is_found() {
        let address = |text: &str| text.parse().expect("an address");
        let step = |from, to| GuestEvent::TcpState {
            local: address("10.0.0.2:80"),
            remote: address("10.0.0.9:40000"),
            from,
            to,
        };
        let mut stream = Stream::begin();
        stream.guest(1, EC2, step(TcpState::Listen, TcpState::SynReceived));
        stream.guest(2, EC2, step(TcpState::SynReceived, TcpState::Established));
        assert_eq!(found(&stream), Vec::<String>::new());
        stream.guest(3, EC2, step(TcpState::CloseWait, TcpState::LastAck));
        assert_eq!(found(&stream).len(), 1);
        stream.guest(4, EC2, step(TcpState::LastAck, TcpState::TimeWait));
        assert_eq!(found(&stream).len(), 2);
    }

    #[test]
    fn a_domain_that_is_built_again_begins_without_connections() {
        let listen = || GuestEvent::TcpState {
            local: "0.0.0.0:80".parse().expect("an address"),
            remote: "0.0.0.0:0".parse().expect("an address"),
            from: TcpState::Closed,
            to: TcpState::Listen,
        };
        let mut stream = Stream::begin();
        stream.guest(1, EC2, listen());
        let life = Life::Created {
            name: "blog".into(),
        };
        let domid = DOMID;
        stream.machine(2, EC2, xenemu::Event::Life { domid, life });
        stream.guest(3, EC2, listen());
        assert_eq!(found(&stream), Vec::<String>::new());
        stream.guest(4, EC2, listen());
        assert_eq!(found(&stream).len(), 1);
    }
}
