//! A toy guest: it wakes at random, and sends, answers, sets timers and notifies others at random.

use std::collections::VecDeque;

use evilbit::rng::{scale, stream};
use evilbit::world::Boot;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use xenemu::{Frame, Time};

/// How long an answer to an answer may go on.
const MOST_HOPS: u8 = 6;

/// The guest's state.
pub struct ToyGuest {
    pub name: String,
    pub rng: Draws,
    pub wake: Option<Time>,
    /// A timer's instant, and whether it finishes anything.
    pub timers: Vec<(Time, bool)>,
    pub inbox: VecDeque<Frame>,
    pub scripts: VecDeque<u32>,
    pub paused: bool,
    booted: bool,
    idled: u32,
}
/// What a guest does in the course of a run.
pub enum Deed {
    Send { hops: u8, to: u8 },
    Timer { finishes: bool },
    Notify,
    Script(u32),
}

/// Randomness of a machine or guest, in a world's quantum of time.
pub struct Draws {
    rng: ChaCha8Rng,
    quantum: u64,
}

impl Draws {
    pub fn new(boot: &Boot, path: &str) -> Draws {
        let quantum = [1, 1, 1_000, 10_000][(boot.seed % 4) as usize];
        let path = format!("toy/{}/{}/{path}", boot.name, boot.boot);
        Draws {
            rng: stream(boot.seed, &path),
            quantum,
        }
    }
    pub fn below(&mut self, n: u64) -> u64 {
        scale(self.rng.next_u64(), n - 1)
    }
    pub fn percent(&mut self, p: u64) -> bool {
        self.below(100) < p
    }
    /// A time, rounded up to the quantum.
    pub fn time(&mut self, most: u64) -> u64 {
        self.below(most).div_ceil(self.quantum).max(1) * self.quantum
    }
    pub fn run_length(&mut self) -> u64 {
        match self.below(20) {
            0..12 => self.time(5_000),
            12..18 => self.time(100_000),
            18 => self.time(500_000),
            _ => self.time(3_000_000),
        }
    }
    pub fn timer(&mut self, finishes: bool) -> u64 {
        let most = if finishes { 3_000_000 } else { 8_000_000 };
        let scaled = most >> self.below(8);
        self.time(scaled)
    }
}

impl ToyGuest {
    pub fn new(name: &str, rng: Draws, wake: Time) -> ToyGuest {
        ToyGuest {
            name: name.to_owned(),
            rng,
            wake: Some(wake),
            timers: Vec::new(),
            inbox: VecDeque::new(),
            scripts: VecDeque::new(),
            paused: false,
            booted: false,
            idled: 0,
        }
    }
    pub fn due(&self) -> Option<Time> {
        if self.paused {
            return None;
        }
        let timers = self.timers.iter().map(|timer| timer.0);
        timers.chain(self.wake).min()
    }
    pub fn wake(&mut self, at: Time) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// What a run at `now` is for.
    pub fn deeds(&mut self, now: Time, nodes: u64) -> Vec<Deed> {
        self.wake = None;
        let mut deeds: Vec<Deed> = self.scripts.drain(..).map(Deed::Script).collect();
        if !std::mem::replace(&mut self.booted, true) {
            for _ in 0..1 + self.rng.below(4) {
                deeds.push(self.send(MOST_HOPS - 1, nodes));
            }
            deeds.push(Deed::Timer { finishes: false });
            if self.rng.percent(50) {
                deeds.push(Deed::Timer { finishes: true });
            }
        }
        let fired = self.timers.extract_if(.., |timer| timer.0 <= now);
        for (_, finishes) in fired.collect::<Vec<_>>() {
            self.on_timer(finishes, nodes, &mut deeds);
        }
        while let Some(frame) = self.inbox.pop_front() {
            self.on_frame(&frame, nodes, &mut deeds);
        }
        deeds
    }

    fn on_timer(&mut self, finishes: bool, nodes: u64, deeds: &mut Vec<Deed>) {
        if finishes {
            if self.rng.percent(60) {
                deeds.push(self.send(2, nodes));
            }
            if self.rng.percent(30) {
                deeds.push(Deed::Timer { finishes });
            }
        } else if self.idled < 3 {
            self.idled += 1;
            deeds.push(Deed::Timer { finishes });
            if self.rng.percent(30) {
                deeds.push(self.send(1, nodes));
            }
        }
    }

    fn on_frame(&mut self, frame: &Frame, nodes: u64, deeds: &mut Vec<Deed>) {
        let Some(hops) = hops(frame).checked_sub(1) else {
            return;
        };
        for _ in 0..self.rng.below(3) {
            let answer = self.rng.percent(50);
            let other = self.rng.below(nodes) as u8;
            let to = if answer { frame.bytes[11] } else { other };
            deeds.push(Deed::Send { hops, to });
        }
        if self.rng.percent(25) {
            deeds.push(Deed::Timer { finishes: true });
        }
        if self.rng.percent(30) {
            deeds.push(Deed::Notify);
        }
    }

    fn send(&mut self, hops: u8, nodes: u64) -> Deed {
        let to = self.rng.below(nodes) as u8;
        Deed::Send { hops, to }
    }
}

/// How often a frame may still be answered or passed on. A corrupted one may claim anything.
pub fn hops(frame: &Frame) -> u8 {
    frame.bytes[14].min(MOST_HOPS)
}
