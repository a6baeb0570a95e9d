//! Our stack raced against smoltcp: `cargo bench --bench peers [-- NAME…]`.
//!
//! One line a figure: `NAME ours=<number><unit> theirs=<number><unit> ratio=<x>`, above 1: ours is better. Both sides
//! run the same generic loop over the same raw devices, turn by turn in one process, and the best turn of each counts:
//! noise of the machine only ever adds. In reading order: [`host`] (a stack as the loop sees it), [`pair`] (two hosts
//! on a cable), and the races below. [`heap`] counts bytes.

mod heap;
mod host;
mod pair;

use std::process::ExitCode;
use std::time::Instant;

use host::{Host, Ours, Theirs};
use pair::{Pair, Talk};

/// Turns of each side; the best counts. Many short ones: a busy machine leaves few long stretches alone.
const TURNS: usize = 301;
/// Socket buffers of both sides, each direction.
const BUFFER: usize = 64 << 10;
/// Payload of a full segment.
const MSS: usize = 1460;

/// A race by name.
type Race = (&'static str, fn() -> String);

const RACES: [Race; 4] = [
    ("bulk", bulk),
    ("pingpong", pingpong),
    ("pingpong-10k", pingpong_10k),
    ("idle-memory", idle_memory),
];

fn main() -> ExitCode {
    // cargo passes `--bench`.
    let names: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    if let Some(unknown) = names.iter().find(|n| RACES.iter().all(|(r, _)| r != *n)) {
        eprintln!("no figure is called {unknown:?}; there are:");
        for (name, _) in RACES {
            eprintln!("  {name}");
        }
        return ExitCode::from(2);
    }
    for (name, race) in RACES {
        if names.is_empty() || names.iter().any(|n| n == name) {
            println!("{name} {}", race());
        }
    }
    ExitCode::SUCCESS
}

/// What is printed behind the name. Less is better for all figures.
fn line(ours: f64, theirs: f64, unit: &str) -> String {
    format!(
        "ours={ours:.1}{unit} theirs={theirs:.1}{unit} ratio={:.2}",
        theirs / ours
    )
}

/// Races two loops turn by turn; each gives how many things it did. The best time a thing of each, in ns.
fn race(mut ours: impl FnMut() -> usize, mut theirs: impl FnMut() -> usize) -> (f64, f64) {
    let turn = |run: &mut dyn FnMut() -> usize| {
        let start = Instant::now();
        let things = run();
        start.elapsed().as_nanos() as f64 / things as f64
    };
    // The first turn warms caches and grows buffers.
    turn(&mut ours);
    turn(&mut theirs);
    let mut best = (f64::MAX, f64::MAX);
    for _ in 0..TURNS {
        best.0 = best.0.min(turn(&mut ours));
        best.1 = best.1.min(turn(&mut theirs));
    }
    best
}

/// One connection pushes data: ns a segment.
fn bulk() -> String {
    const BYTES: usize = 1_000 * MSS;
    fn push<H: Host>() -> impl FnMut() -> usize {
        let mut pair = Pair::<H>::new(BUFFER);
        let talk = pair.connect();
        move || {
            pair.push(talk, BYTES);
            BYTES / MSS
        }
    }
    let (ours, theirs) = race(push::<Ours>(), push::<Theirs>());
    line(ours, theirs, "ns")
}

const ROUND_TRIPS: usize = 500;

/// A hundred bytes there and a hundred back, over and over, beside `idle` connections that are silent.
fn ping<H: Host>(idle: usize) -> impl FnMut() -> usize {
    let mut pair = Pair::<H>::new(BUFFER);
    let silent: Vec<Talk<H>> = (0..idle).map(|_| pair.connect()).collect();
    assert_eq!(silent.len(), idle);
    let talk = pair.connect();
    move || {
        for _ in 0..ROUND_TRIPS {
            pair.round_trip(talk);
        }
        ROUND_TRIPS
    }
}

/// ns a request and its response.
fn pingpong() -> String {
    let (ours, theirs) = race(ping::<Ours>(0), ping::<Theirs>(0));
    line(ours, theirs, "ns")
}

/// As `pingpong`, ours beside 10,000 idle connections; "theirs" is our own without them.
fn pingpong_10k() -> String {
    let (crowded, alone) = race(ping::<Ours>(10_000), ping::<Ours>(0));
    line(crowded, alone, "ns")
}

/// Bytes of heap that one end of an idle established connection keeps. Our buffers grow with use, theirs are given:
/// 1 KiB each, as small as is of use.
fn idle_memory() -> String {
    fn kept<H: Host>(connections: usize, buffer: usize) -> f64 {
        let mut pair = Pair::<H>::new(buffer);
        pair.connect();
        let before = heap::in_use();
        for _ in 0..connections {
            pair.connect();
        }
        pair.settle();
        (heap::in_use() - before) as f64 / (2 * connections) as f64
    }
    let ours = kept::<Ours>(10_000, BUFFER);
    let theirs = kept::<Theirs>(1_000, 1 << 10);
    line(ours, theirs, "B")
}
