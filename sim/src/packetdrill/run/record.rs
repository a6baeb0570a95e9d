//! What happened in a run: a ladder for people, the packets for a capture, and a hash of all of it, by which two runs
//! are told apart.

use std::collections::VecDeque;

use stack::posix::{Answer, Message, Output};
use xenemu::abi::Instant;
use xxhash_rust::xxh3::Xxh3;

use crate::packetdrill::call::Call;
use crate::packetdrill::expr;
use crate::packetdrill::packet::Packet;

/// Steps of the ladder that are kept: the last ones tell what went wrong.
const LADDER_MAX: usize = 40;

/// A packet as it went over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    pub at: Instant,
    /// The script sent it.
    pub inbound: bool,
    /// From the IP header on.
    pub bytes: Vec<u8>,
}

/// What happened so far.
#[derive(Default)]
pub struct Record {
    hash: Box<Xxh3>,
    ladder: VecDeque<String>,
    packets: Vec<Captured>,
    octets: u64,
}

impl Record {
    /// The stack sent a packet.
    pub fn sent(&mut self, at: Instant, bytes: &[u8]) {
        self.entry(at, b'>', bytes);
        self.capture(at, false, bytes);
    }

    /// The script sent a packet.
    pub fn injected(&mut self, at: Instant, bytes: &[u8], packet: &Packet) {
        self.said(at, bytes);
        self.step(at, packet);
    }

    /// A packet was sent on the script's behalf, of which none of its lines tells.
    pub fn said(&mut self, at: Instant, bytes: &[u8]) {
        self.entry(at, b'<', bytes);
        self.capture(at, true, bytes);
    }

    /// A packet of the stack was compared with a line.
    pub fn received(&mut self, at: Instant, text: &str) {
        self.step(at, text);
    }

    /// A call returned.
    pub fn returned(&mut self, at: Instant, call: &Call, answer: &Answer) {
        let errno = answer.errno.map_or("", |errno| errno.name());
        let text = format!("{} = {} {errno}", in_short(call), answer.result);
        self.entry(at, b'=', text.as_bytes());
        self.wrote(at, &answer.output);
        self.step(at, text.trim_end());
    }

    /// A call has written something into the program's memory.
    fn wrote(&mut self, at: Instant, output: &Output) {
        if let Output::Message(message) = output {
            let Message {
                data,
                from,
                flags,
                control,
            } = message;
            self.entry(at, b'd', data);
            let beside = format!("{from:?} {flags:?} {control:?}");
            self.entry(at, b'o', beside.as_bytes());
        } else {
            self.entry(at, b'o', format!("{output:?}").as_bytes());
        }
    }

    /// What the subject has traced of its own inner life, all in one.
    pub fn traced(&mut self, at: Instant, hash: u128) {
        self.entry(at, b't', &hash.to_le_bytes());
    }

    /// How many octets went over the wire.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// The last steps, the oldest first.
    pub fn ladder(&self) -> impl Iterator<Item = &String> {
        self.ladder.iter()
    }

    /// All packets.
    pub fn into_packets(self) -> Vec<Captured> {
        self.packets
    }

    /// The hash of all that happened.
    pub fn hash(&self) -> u128 {
        self.hash.digest128()
    }

    /// Entries are as long as they say: bytes cannot move from one into the next unseen.
    fn entry(&mut self, at: Instant, kind: u8, bytes: &[u8]) {
        self.hash.update(&at.0.to_le_bytes());
        self.hash.update(&[kind]);
        self.hash.update(&(bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
    }

    fn capture(&mut self, at: Instant, inbound: bool, bytes: &[u8]) {
        self.octets += bytes.len() as u64;
        self.packets.push(Captured {
            at,
            inbound,
            bytes: bytes.to_vec(),
        });
    }

    fn step(&mut self, at: Instant, what: impl std::fmt::Display) {
        if self.ladder.len() == LADDER_MAX {
            self.ladder.pop_front();
        }
        let ms = at.since(super::BEGIN) / 1_000;
        let (seconds, micros) = (ms / 1_000_000, ms % 1_000_000);
        self.ladder
            .push_back(format!("{seconds}.{micros:06} {what}"));
    }
}

/// A call with as many of its arguments as fit.
fn in_short(call: &Call) -> String {
    const MOST: usize = 48;
    let arguments = expr::joined(&call.arguments, ", ");
    let shown = match (arguments.len() <= MOST, &call.arguments[..]) {
        (true, _) => arguments,
        (false, [first, ..]) if first.integer().is_some() => format!("{first}, …"),
        (false, _) => "…".into(),
    };
    format!("{}({shown})", call.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stack::posix::{Control, MsgFlags};

    /// What the hash of a record is of which `write` has written the only entry.
    fn hash(write: impl Fn(&mut Record)) -> u128 {
        let mut record = Record::default();
        write(&mut record);
        record.hash()
    }

    fn call() -> Call {
        let tokens = crate::packetdrill::lex::lex("read(3, ..., 4) = 4").expect("tokens");
        crate::packetdrill::call::call(&mut crate::packetdrill::cursor::Cursor::new(&tokens))
            .expect("a call")
    }

    fn message() -> Message {
        Message {
            data: vec![0; 4],
            ..Message::default()
        }
    }

    #[test]
    fn each_bit_of_a_packet_and_of_its_time_is_in_the_hash() {
        let packet = [0x45_u8, 0, 7, 9];
        type Way = fn(&mut Record, Instant, &[u8]);
        let ways: [Way; 2] = [Record::sent, Record::said];
        for way in ways {
            let whole = hash(|record| way(record, Instant(5), &packet));
            for bit in 0..packet.len() * 8 {
                let mut other = packet;
                other[bit / 8] ^= 1 << (bit % 8);
                assert_ne!(hash(|record| way(record, Instant(5), &other)), whole);
            }
            assert_ne!(hash(|record| way(record, Instant(4), &packet)), whole);
            assert_ne!(hash(|record| way(record, Instant(5), &packet[..3])), whole);
        }
        // Who sent it counts.
        let (one, other) = (ways[0], ways[1]);
        assert_ne!(
            hash(|record| one(record, Instant(5), &packet)),
            hash(|record| other(record, Instant(5), &packet))
        );
    }

    #[test]
    fn all_that_a_call_gives_is_in_the_hash() {
        let of = |at, answer: &Answer| hash(|record| record.returned(at, &call(), answer));
        let answer = |message| Answer::done(4, Output::Message(message));
        let whole = of(Instant(5), &answer(message()));
        let others = [
            Message {
                data: vec![0, 0, 1, 0],
                ..message()
            },
            Message {
                from: Some("192.0.2.1:9".parse().expect("an address")),
                ..message()
            },
            Message {
                flags: MsgFlags::PEEK,
                ..message()
            },
            Message {
                control: vec![Control::InQueue(1)],
                ..message()
            },
        ];
        let mut seen = vec![whole, of(Instant(4), &answer(message()))];
        seen.extend(others.map(|other| of(Instant(5), &answer(other))));
        seen.push(of(Instant(5), &Answer::done(3, Output::Message(message()))));
        seen.push(of(Instant(5), &Answer::done(4, Output::Number(4))));
        seen.push(of(Instant(5), &Answer::done(4, Output::Number(5))));
        seen.push(of(Instant(5), &Answer::failed(stack::posix::Errno::EAGAIN)));
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count, "two of these are one");
    }

    #[test]
    fn what_the_subject_traced_is_in_the_hash() {
        let of = |at, trace| hash(|record| record.traced(at, trace));
        assert_ne!(of(Instant(5), 1), of(Instant(5), 2));
        assert_ne!(of(Instant(5), 1), of(Instant(4), 1));
    }
}
