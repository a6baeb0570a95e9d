//! What happened in a run: a ladder for people, the packets for a capture, and a hash of all of it, by which two runs
//! are told apart.

use std::collections::VecDeque;

use stack::posix::Answer;
use xenemu::abi::Instant;
use xxhash_rust::xxh3::Xxh3;

use crate::packetdrill::call::Call;
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
}

impl Record {
    /// The stack sent a packet.
    pub fn sent(&mut self, at: Instant, bytes: &[u8]) {
        self.entry(at, b'>', bytes);
        self.capture(at, false, bytes);
    }

    /// The script sent a packet.
    pub fn injected(&mut self, at: Instant, bytes: &[u8], packet: &Packet) {
        self.entry(at, b'<', bytes);
        self.capture(at, true, bytes);
        self.step(at, packet);
    }

    /// A packet of the stack was compared with a line.
    pub fn received(&mut self, at: Instant, text: &str) {
        self.step(at, text);
    }

    /// A call returned.
    pub fn returned(&mut self, at: Instant, call: &Call, answer: &Answer) {
        let errno = answer.errno.map_or("", |errno| errno.name());
        let text = format!("{}(…) = {} {errno}", call.name, answer.result);
        self.entry(at, b'=', text.as_bytes());
        self.step(at, text.trim_end());
    }

    /// The last steps, the oldest first.
    pub fn ladder(&self) -> impl Iterator<Item = &String> {
        self.ladder.iter()
    }

    /// All packets.
    pub fn packets(&self) -> &[Captured] {
        &self.packets
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
