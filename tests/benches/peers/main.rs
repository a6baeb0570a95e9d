//! Our stack raced against smoltcp, and our worlds against turmoil's own: `cargo bench --bench peers [-- NAME…]`.
//!
//! One line a figure: `NAME ours=<number><unit> theirs=<number><unit> ratio=<x>`, above 1: ours is better. The stacks
//! run the same generic loop over the same raw devices. Both sides take turns in one process, and the best turn of each
//! counts: noise of the machine only ever adds. A figure that misses its gate makes the exit code 1; some have none.
//!
//! In reading order: [`host`] (a stack as the loop sees it), [`pair`] (two hosts on a cable), [`xen`] (two domains on a
//! machine), [`world`] (two machines), and the races below. [`heap`] counts bytes.

mod heap;
mod host;
mod pair;
mod world;
mod xen;

use std::fmt;
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

/// What a race found. Less is better.
struct Figure {
    ours: f64,
    theirs: f64,
    unit: &'static str,
    /// What else there is to say, behind a blank.
    more: String,
}

impl Figure {
    fn new((ours, theirs): (f64, f64), unit: &'static str) -> Figure {
        let more = String::new();
        Figure {
            ours,
            theirs,
            unit,
            more,
        }
    }
    fn ratio(&self) -> f64 {
        self.theirs / self.ours
    }
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
            Gate::Ratio(least) if figure.ratio() < least => {
                Some(format!("a ratio of {least:.2} at least"))
            }
            Gate::Ours(most) if figure.ours > most => {
                Some(format!("{most}{} at most", figure.unit))
            }
            _ => None,
        }
    }
}

/// A race by name, and its gate.
type Race = (&'static str, fn() -> Figure, Gate);

const RACES: [Race; 7] = [
    ("bulk", bulk, Gate::Ratio(1.0)),
    ("pingpong", pingpong, Gate::Ratio(1.0)),
    ("pingpong-10k", pingpong_10k, Gate::Ratio(1.0 / 1.3)),
    ("idle-memory", idle_memory, Gate::Ours(1024.0)),
    ("xen-path", xen_path, Gate::None),
    ("get", get, Gate::None),
    ("idle", idle, Gate::None),
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
        let figure = race();
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
            unit,
            more,
        } = self;
        let ratio = self.ratio();
        write!(
            f,
            "ours={ours:.1}{unit} theirs={theirs:.1}{unit} ratio={ratio:.2}{more}"
        )
    }
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
fn bulk() -> Figure {
    const BYTES: usize = 1_000 * MSS;
    Figure::new(race(push::<Ours>(BYTES), push::<Theirs>(BYTES)), "ns")
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
    Figure::new(race(ping::<Ours>(0), ping::<Theirs>(0)), "ns")
}

/// As `pingpong`, ours beside 10,000 idle connections; "theirs" is our own without them.
fn pingpong_10k() -> Figure {
    Figure::new(race(ping::<Ours>(10_000), ping::<Ours>(0)), "ns")
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
    Figure::new((ours, theirs), "B")
}

/// The best of a few turns, one of each side after the other.
fn best(
    turns: usize,
    mut ours: impl FnMut() -> f64,
    mut theirs: impl FnMut() -> f64,
) -> (f64, f64) {
    (0..turns).fold((f64::MAX, f64::MAX), |best, _| {
        (best.0.min(ours()), best.1.min(theirs()))
    })
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
    Figure::new(best(15, xen::push, raw), "ns")
}

/// µs for a page of 10 KiB over a link of 10 ms: two machines built, booted, run, judged and dropped. "Theirs" are
/// turmoil's own hosts and TCP.
fn get() -> Figure {
    let (mut rounds, mut get) = (0, world::get());
    let ours = || time(|| rounds = get());
    let figure = best(101, ours, || time(world::turmoil_get));
    Figure {
        more: format!(" rounds={rounds}"),
        ..Figure::new(figure, "us")
    }
}

/// µs for a simulated second in which nothing happens; "theirs" is turmoil, which ticks every millisecond.
fn idle() -> Figure {
    Figure::new(best(5, world::idle, world::turmoil_idle), "us")
}
