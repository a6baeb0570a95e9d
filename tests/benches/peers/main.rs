//! Our stack raced against smoltcp, and our worlds against turmoil's own: `cargo bench --bench peers [-- NAME…]`.
//!
//! One line a figure: `NAME ours=<number><unit> theirs=<number><unit> ratio=<x>`, above 1: ours is better. The stacks
//! run the same generic loop over the same raw devices. Both sides take turns in one process; a turn of each makes a pair,
//! and medians count: of each side's times, and of the pairs' ratios. A figure that misses its gate makes the exit code 1;
//! some have none.
//!
//! In reading order: [`host`] (a stack as the loop sees it), [`pair`] (two hosts on a cable), [`xen`] (two domains on a
//! machine), [`world`] (two machines), [`suites`] (scripts), and the races below. [`heap`] counts bytes.

mod heap;
mod host;
mod pair;
mod suites;
mod world;
mod xen;

use std::fmt;
use std::process::ExitCode;
use std::time::Instant;

use host::{Host, Ours, Theirs};
use pair::{Pair, Talk};
use tests::corpora;

/// Pairs of turns in a race of stacks. Many short ones: what else the machine does falls on both sides of a pair.
const PAIRS: usize = 301;
/// Socket buffers of both sides, each direction.
const BUFFER: usize = 64 << 10;
/// Payload of a full segment.
const MSS: usize = 1460;

/// What a race found. Less is better.
struct Figure {
    ours: f64,
    theirs: f64,
    /// theirs / ours
    ratio: f64,
    unit: &'static str,
    /// What else there is to say, behind a blank.
    more: String,
}

impl Figure {
    /// The medians of what turns of both sides gave.
    fn of(pairs: &[(f64, f64)], unit: &'static str) -> Figure {
        Figure {
            ours: median(pairs.iter().map(|&(ours, _)| ours)),
            theirs: median(pairs.iter().map(|&(_, theirs)| theirs)),
            ratio: median(pairs.iter().map(|&(ours, theirs)| theirs / ours)),
            unit,
            more: String::new(),
        }
    }
}

/// The value in the middle.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What a figure must hold.
enum Gate {
    /// It is only printed.
    None,
    /// The ratio is at least this.
    Ratio(f64),
    /// Ours is at most this.
    Ours(f64),
}

impl Gate {
    /// What is wrong, if something is.
    fn missed(&self, figure: &Figure) -> Option<String> {
        match *self {
            Gate::Ratio(least) if figure.ratio < least => {
                Some(format!("a ratio of {least:.2} at least"))
            }
            Gate::Ours(most) if figure.ours > most => {
                Some(format!("{most}{} at most", figure.unit))
            }
            _ => None,
        }
    }
}

/// A race by name, and its gate. There is no figure where what it needs is not there.
type Race = (&'static str, fn() -> Option<Figure>, Gate);

const RACES: [Race; 8] = [
    ("bulk", || Some(bulk()), Gate::Ratio(1.0)),
    ("pingpong", || Some(pingpong()), Gate::Ratio(1.0)),
    (
        "pingpong-10k",
        || Some(pingpong_10k()),
        Gate::Ratio(1.0 / 1.3),
    ),
    ("idle-memory", || Some(idle_memory()), Gate::Ours(1024.0)),
    ("xen-path", || Some(xen_path()), Gate::None),
    ("get", || Some(get()), Gate::None),
    ("idle", || Some(idle()), Gate::None),
    ("packetdrill", packetdrill, Gate::None),
];

fn main() -> ExitCode {
    // cargo passes `--bench`.
    let names: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    if let Some(unknown) = names.iter().find(|n| RACES.iter().all(|(r, ..)| r != *n)) {
        eprintln!("no figure is called {unknown:?}; there are:");
        for (name, ..) in RACES {
            eprintln!("  {name}");
        }
        return ExitCode::from(2);
    }
    let mut exit = ExitCode::SUCCESS;
    for (name, race, gate) in RACES {
        if !names.is_empty() && !names.iter().any(|n| n == name) {
            continue;
        }
        let Some(figure) = race() else {
            println!("{name} skipped: what it runs is not there");
            continue;
        };
        println!("{name} {figure}");
        if let Some(gate) = gate.missed(&figure) {
            eprintln!("{name} misses its gate: {gate}");
            exit = ExitCode::FAILURE;
        }
    }
    exit
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figure {
            ours,
            theirs,
            ratio,
            unit,
            more,
        } = self;
        write!(
            f,
            "ours={ours:.1}{unit} theirs={theirs:.1}{unit} ratio={ratio:.2}{more}"
        )
    }
}

/// Races two loops turn by turn; each gives how many things it did. The figure is ns a thing.
fn race(mut ours: impl FnMut() -> usize, mut theirs: impl FnMut() -> usize) -> Figure {
    let turn = |run: &mut dyn FnMut() -> usize| {
        let start = Instant::now();
        let things = run();
        start.elapsed().as_nanos() as f64 / things as f64
    };
    pairs(PAIRS, "ns", || turn(&mut ours), || turn(&mut theirs))
}

/// A figure of so many pairs of turns, one of each side after the other.
fn pairs(
    count: usize,
    unit: &'static str,
    mut ours: impl FnMut() -> f64,
    mut theirs: impl FnMut() -> f64,
) -> Figure {
    // The first turn warms caches and grows buffers.
    ours();
    theirs();
    let pairs: Vec<(f64, f64)> = (0..count).map(|_| (ours(), theirs())).collect();
    Figure::of(&pairs, unit)
}

/// One connection pushes data: ns a segment.
fn bulk() -> Figure {
    const BYTES: usize = 1_000 * MSS;
    race(push::<Ours>(BYTES), push::<Theirs>(BYTES))
}

fn push<H: Host>(bytes: usize) -> impl FnMut() -> usize {
    let mut pair = Pair::<H>::new(BUFFER);
    let talk = pair.connect();
    move || {
        pair.push(talk, bytes);
        bytes / MSS
    }
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
fn pingpong() -> Figure {
    race(ping::<Ours>(0), ping::<Theirs>(0))
}

/// As `pingpong`, ours beside 10,000 idle connections; "theirs" is our own without them.
fn pingpong_10k() -> Figure {
    race(ping::<Ours>(10_000), ping::<Ours>(0))
}

/// Bytes of heap that one end of an idle established connection keeps. Our buffers grow with use, theirs are given:
/// 1 KiB each, as small as is of use.
fn idle_memory() -> Figure {
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
    Figure::of(&[(ours, theirs)], "B")
}

/// How long something takes, in µs.
fn time(mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_nanos() as f64 / 1000.0
}

/// ns a segment from domain to domain on one machine; "theirs" is our own on raw devices.
fn xen_path() -> Figure {
    const SEGMENTS: usize = 1_000;
    let mut raw = push::<Ours>(SEGMENTS * MSS);
    let raw = move || {
        let us = time(|| {
            raw();
        });
        us * 1000.0 / SEGMENTS as f64
    };
    pairs(15, "ns", xen::push, raw)
}

/// µs for a page of 10 KiB over a link of 10 ms: two machines built, booted, run, judged and dropped. "Theirs" are
/// turmoil's own hosts and TCP.
fn get() -> Figure {
    let (mut rounds, mut get) = (0, world::get());
    let ours = || time(|| rounds = get());
    let figure = pairs(101, "us", ours, || time(world::turmoil_get));
    Figure {
        more: format!(" rounds={rounds}"),
        ..figure
    }
}

/// µs for a simulated second in which nothing happens; "theirs" is turmoil, which ticks every millisecond.
fn idle() -> Figure {
    pairs(15, "us", world::idle, world::turmoil_idle)
}

/// Seconds for google's and FreeBSD's packetdrill scripts, one after the other on bare devices. "Theirs" is real time, which
/// packetdrill itself takes: the ratio is simulated seconds a second.
fn packetdrill() -> Option<Figure> {
    let scripts = suites::load(&corpora::folder()?);
    let turns = 5;
    let mut ran = suites::Ran::default();
    let pairs: Vec<(f64, f64)> = (0..turns)
        .map(|_| {
            let us = time(|| ran = suites::run(&scripts));
            (us / 1e6, ran.simulated)
        })
        .collect();
    Some(Figure {
        more: format!(" scripts={} passed={}", scripts.len(), ran.passed),
        ..Figure::of(&pairs, "s")
    })
}
