//! A bulk transfer between two stacks over a simulated path on virtual time: a rate, a delay, a queue that drops what
//! does not fit, and losses on the way of the data. The same case gives the same figure everywhere.

use std::collections::VecDeque;
use std::rc::Rc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use stack::addr::{Cidr, Mac};
use stack::api::{DeviceCaps, NetStack, Ready, SocketError, SocketId, SocketKind, Sockets};
use stack::dev::raw::RawDevice;
use stack::profile::{CongestionAlgorithm, Profile};
use stack::stack::{Stack, StackConfig};
use xen_abi::{Fuel, Instant, Sink};

/// Nanoseconds for an octet at 100 Mbit/s.
const OCTET: u64 = 80;
/// One way.
const DELAY: u64 = 20_000_000;
/// Octets that the path holds in a round trip, and the queue before it.
pub const BDP: u64 = 2 * DELAY / OCTET;
const MTU: usize = 1500;
/// Octets of text in a full-sized segment with timestamps, and of its frame.
const TEXT: u64 = 1448;
const FRAME: u64 = 1514;

/// How a sender finds its losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// NewReno (RFC 6582).
    NoSack,
    /// RFC 6675.
    Sack,
    /// RFC 8985.
    Rack,
}

/// What becomes of data on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    None,
    /// Each frame by itself, in thousandths.
    Independent(u32),
    /// Gilbert and Elliott: one frame of a hundred, in bursts of four on the average.
    Bursts,
}

/// One transfer.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub algorithm: CongestionAlgorithm,
    pub repair: Repair,
    pub loss: Loss,
    pub octets: u64,
    pub seed: u64,
}

/// Text a second that the line carries at most, Mbit.
pub fn line_rate() -> f64 {
    8_000.0 / OCTET as f64 * TEXT as f64 / FRAME as f64
}

/// Mathis, Semke, Mahdavi and Ott: the rate of a Reno that grows a segment a round trip, Mbit.
pub fn mathis(loss: f64) -> f64 {
    let rtt = 2.0 * DELAY as f64 / 1e9;
    TEXT as f64 * 8.0 / rtt * (1.5 / loss).sqrt() / 1e6
}

struct Nowhere;

impl Sink for Nowhere {
    fn emit(&self, _event: &[u8]) {}
}

/// One direction of the path.
struct Way {
    loss: Loss,
    random: ChaCha8Rng,
    /// In a burst of losses.
    bad: bool,
    /// When the line is free again.
    free: u64,
    under_way: VecDeque<(u64, Vec<u8>)>,
    spare: Vec<Vec<u8>>,
}

impl Way {
    fn new(loss: Loss, seed: u64) -> Way {
        Way {
            loss,
            random: ChaCha8Rng::seed_from_u64(seed),
            bad: false,
            free: 0,
            under_way: VecDeque::new(),
            spare: Vec::new(),
        }
    }

    fn carry(&mut self, now: u64, frame: &[u8]) {
        let lost = self.is_lost();
        let queued = self.free.saturating_sub(now) / OCTET;
        if queued + frame.len() as u64 > BDP {
            return;
        }
        self.free = self.free.max(now) + frame.len() as u64 * OCTET;
        if !lost {
            let mut buffer = self.spare.pop().unwrap_or_default();
            buffer.clear();
            buffer.extend_from_slice(frame);
            self.under_way.push_back((self.free + DELAY, buffer));
        }
    }

    fn is_lost(&mut self) -> bool {
        let dice = self.random.next_u32() % 1_000_000;
        match self.loss {
            Loss::None => false,
            Loss::Independent(thousandths) => dice < thousandths * 1_000,
            Loss::Bursts => {
                // Out of a burst with a probability of 1/4, into one so often that one frame of a hundred is lost.
                self.bad = dice < if self.bad { 750_000 } else { 2_525 };
                self.bad
            }
        }
    }
}

struct Host {
    stack: Stack,
    device: RawDevice,
}

impl Host {
    fn new(n: u8, profile: Profile) -> Host {
        let caps = DeviceCaps {
            mac: Mac([2, 0, 0, 0, 0, n]),
            mtu: MTU,
            tx_checksum: true,
        };
        let address = Cidr::parse(&format!("10.0.0.{n}/24")).expect("an address");
        let config = StackConfig {
            mac: caps.mac,
            addresses: vec![address],
            gateways: Default::default(),
            mtu: MTU,
            profile: Rc::new(profile),
            seed: [n; 32],
            fuel: Fuel::unlimited(),
            sink: Rc::new(Nowhere),
        };
        Host {
            stack: Stack::new(config),
            device: RawDevice::new(caps, 1024),
        }
    }

    fn send_into(&mut self, now: u64, way: &mut Way) {
        self.stack.transmit(Instant(now), &mut self.device);
        while self.device.take(|frame, _| way.carry(now, frame)).is_some() {}
    }

    fn receive_from(&mut self, now: u64, way: &mut Way) {
        while way.under_way.front().is_some_and(|&(at, _)| at <= now) {
            let (_, frame) = way.under_way.pop_front().expect("there is one");
            self.stack.receive(Instant(now), &frame, true);
            way.spare.push(frame);
        }
    }
}

impl Case {
    fn profile(&self) -> Profile {
        let mut profile = Profile::default();
        let tcp = &mut profile.tcp;
        // The text that the path and its queue hold together.
        let most = (2 * BDP / FRAME * TEXT) as usize;
        tcp.send_buffer = most;
        tcp.recv_buffer = most;
        tcp.congestion = self.algorithm;
        tcp.sack = self.repair != Repair::NoSack;
        tcp.recovery.rack = self.repair == Repair::Rack;
        tcp.recovery.tail_probe = self.repair == Repair::Rack;
        profile
    }

    /// Text a second, Mbit, from the call to `connect` to the last octet.
    pub fn goodput(&self) -> f64 {
        let mut sender = Host::new(1, self.profile());
        let mut receiver = Host::new(2, self.profile());
        let mut there = Way::new(self.loss, self.seed);
        let mut back = Way::new(Loss::None, self.seed);
        let address = "10.0.0.2:9".parse().expect("an address");
        let listener = receiver.stack.socket(SocketKind::Stream).expect("room");
        receiver.stack.bind(listener, address).expect("free");
        receiver.stack.listen(listener, 1).expect("bound");
        let begun = 1_000_000_000;
        let mut now = begun;
        let client = sender.stack.socket(SocketKind::Stream).expect("room");
        let connecting = sender.stack.connect(Instant(now), client, address);
        assert_eq!(connecting, Err(SocketError::EINPROGRESS));
        let mut accepted: Option<SocketId> = None;
        let (text, mut scratch) = (vec![0x5A; 65_536], vec![0; 65_536]);
        let (mut given, mut taken) = (0, 0);
        while taken < self.octets {
            if given < self.octets && sender.stack.ready(client).contains(Ready::WRITE) {
                let n = (self.octets - given).min(text.len() as u64) as usize;
                given += match sender.stack.send(Instant(now), client, &text[..n]) {
                    Ok(n) => n as u64,
                    Err(_) => 0,
                };
            }
            accepted = accepted.or_else(|| receiver.stack.accept(listener).ok().map(|a| a.0));
            if let Some(socket) = accepted {
                while let Ok(n) = receiver.stack.recv(Instant(now), socket, &mut scratch) {
                    assert!(n > 0, "the stream has not ended");
                    taken += n as u64;
                }
            }
            sender.send_into(now, &mut there);
            receiver.send_into(now, &mut back);
            let due = |host: &Host| host.stack.poll_at(Instant(now)).map(|at| at.0);
            let next = [
                due(&sender),
                due(&receiver),
                there.under_way.front().map(|f| f.0),
                back.under_way.front().map(|f| f.0),
            ];
            let next = next.into_iter().flatten().min();
            now = next.expect("something is always to come").max(now);
            receiver.receive_from(now, &mut there);
            sender.receive_from(now, &mut back);
        }
        self.octets as f64 * 8_000.0 / (now - begun) as f64
    }

    /// The mean over so many seeds.
    pub fn mean(&self, seeds: u64) -> f64 {
        let cases = (0..seeds).map(|seed| Case { seed, ..*self });
        cases.map(|case| case.goodput()).sum::<f64>() / seeds as f64
    }
}
