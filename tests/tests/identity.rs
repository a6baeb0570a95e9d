//! The hash is a run's identity: one flipped bit of a frame, of a console's line or of a time stamp, anywhere in the
//! trace of a real run, makes another.

use std::sync::LazyLock;

use evilbit::trace::{Entry, Event, LinkEvent, Raw, Retention, TraceHash};
use evilbit::view::Wanted;
use evilbit::world::RunOptions;
use proptest::prelude::*;
use proptest::sample::Index;
use tests::scenario;
use xen_abi::codec::Get;

/// A whole trace, and the hash that its run gave.
static TRACE: LazyLock<(Vec<Entry>, u128)> = LazyLock::new(|| {
    let options = RunOptions {
        retention: Retention::Full,
        ..RunOptions::default()
    };
    let scenario = scenario::named("blog/blog");
    let run = scenario.run(&Wanted::default(), &options).run;
    (run.trace.entries().to_vec(), run.hash)
});

fn encoded(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::new();
    entry.encode(&mut bytes);
    bytes
}

/// The hash of a trace, from the bytes of its entries.
fn hash<'a>(entries: impl Iterator<Item = &'a Entry>) -> u128 {
    let mut hash = TraceHash::new();
    for entry in entries {
        let bytes = encoded(entry);
        hash.update(&Raw::take(&mut Get(&bytes)).expect("what was encoded can be read"));
    }
    hash.digest()
}

/// The hash of the trace with entry `n` replaced.
fn with(n: usize, changed: &Entry) -> u128 {
    let (entries, _) = &*TRACE;
    let others = entries.iter().enumerate();
    hash(others.map(|(i, entry)| if i == n { changed } else { entry }))
}

/// The places of entries that have such bytes.
fn places(bytes: fn(&mut Event) -> Option<&mut [u8]>) -> Vec<usize> {
    let (entries, _) = &*TRACE;
    let mut numbered = entries.iter().cloned().enumerate();
    let has = |entry: &mut Entry| bytes(&mut entry.event).is_some_and(|bytes| !bytes.is_empty());
    let mut places = Vec::new();
    for (n, mut entry) in &mut numbered {
        if has(&mut entry) {
            places.push(n);
        }
    }
    places
}

fn frame(event: &mut Event) -> Option<&mut [u8]> {
    match event {
        Event::Machine(xenemu::Event::FrameBorn { bytes, .. })
        | Event::Link(LinkEvent::Corrupted { bytes, .. } | LinkEvent::Marked { bytes, .. }) => {
            Some(bytes)
        }
        _ => None,
    }
}

#[test]
fn the_entries_that_were_kept_hash_to_the_runs_identity() {
    let (entries, identity) = &*TRACE;
    assert_eq!(hash(entries.iter()), *identity);
    for entry in entries {
        assert_eq!(Entry::decode(&encoded(entry)).as_ref(), Ok(entry));
    }
}

/// Flips one bit of one of an entry's frame bytes.
fn flip(bytes: &mut [u8], at: Index, bit: u8) {
    let place = at.index(bytes.len());
    bytes[place] ^= 1 << bit;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_bit_of_a_frame_is_part_of_it(which: Index, at: Index, bit in 0_u8..8) {
        static PLACES: LazyLock<Vec<usize>> = LazyLock::new(|| places(frame));
        let n = *which.get(&PLACES);
        let mut changed = TRACE.0[n].clone();
        flip(frame(&mut changed.event).expect("chosen for it"), at, bit);
        prop_assert_ne!(with(n, &changed), TRACE.1);
    }

    #[test]
    fn a_bit_of_a_console_is_part_of_it(which: Index, at: Index, bit in 0_u8..7) {
        let lines = |entry: &&Entry| matches!(
            &entry.event, Event::Machine(xenemu::Event::Console { line, .. }) if !line.is_empty()
        );
        let found: Vec<&Entry> = TRACE.0.iter().filter(lines).collect();
        let mut changed = (*which.get(&found)).clone();
        let n = TRACE.0.iter().position(|entry| *entry == changed).expect("it is there");
        let Event::Machine(xenemu::Event::Console { line, .. }) = &mut changed.event else {
            unreachable!("chosen for it");
        };
        let mut bytes = std::mem::take(line).into_bytes();
        flip(&mut bytes, at, bit);
        // Seven bits of ASCII stay ASCII.
        *line = String::from_utf8(bytes).expect("ASCII");
        prop_assert_ne!(with(n, &changed), TRACE.1);
    }

    #[test]
    fn a_bit_of_a_time_stamp_is_part_of_it(which: Index, bit in 0_u32..64) {
        let n = which.index(TRACE.0.len());
        let mut changed = TRACE.0[n].clone();
        changed.at.0 ^= 1 << bit;
        prop_assert_ne!(with(n, &changed), TRACE.1);
    }
}
