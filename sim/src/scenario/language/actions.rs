//! Words that say when, and what the experimenter does then.

use super::Kind::*;
use super::declarations::CHANGES;
use super::{Block, Place, Word, arg, default, many, optional, prop, required};

const ACTIONS: &[Place] = &[Place::Actions];

pub const WORDS: &[Word] = &[
    Word::new(
        "at",
        &[Place::Top],
        &[arg("time", Duration)],
        "Actions at a time since the run began.",
    )
    .holding(Place::Actions),
    Word::new(
        "after",
        &[Place::Top],
        &[arg("time", Duration)],
        "Actions so long after the `at` or `after` above it.",
    )
    .holding(Place::Actions),
    Word::new(
        "every",
        &[Place::Top],
        &[arg("period", Duration)],
        "Actions again and again; they do not hold the run open.",
    )
    .with(&[&[prop("start", Duration, "the first time; one period if left out")]])
    .holding(Place::Actions),
    Word {
        takes_matcher: true,
        ..Word::new(
            "when",
            &[Place::Top],
            &[],
            "Actions once something is seen: `when console=\"blog\" contains=\"ready\"`, `when tcp flags=\"S.\" from=\"blog\"`.",
        )
        .with(&[&[
            default("nth", Number(1, u64::MAX), "1", "at the n-th match"),
            prop("reaction", Duration, "so long after the match (the scenario's, if left out)"),
        ]])
        .holding(Place::Actions)
    },
    Word {
        block: Block::Commands,
        ..Word::new(
            "on",
            ACTIONS,
            &[arg("domain", Domain)],
            "Commands for a scripted guest or a raw peer, one after the other; several `on` blocks run side by side.",
        )
    },
    Word::new("create", ACTIONS, &[arg("domain", Domain)], "Creates a domain and starts it."),
    Word::new("destroy", ACTIONS, &[arg("domain", Domain)], "Destroys a domain, as `xl destroy` does."),
    Word::new("pause", ACTIONS, &[arg("domain", Domain)], "Stops a domain from running."),
    Word::new("unpause", ACTIONS, &[arg("domain", Domain)], "Lets a paused domain go on."),
    Word::new("shutdown", ACTIONS, &[arg("domain", Domain)], "Asks a domain to shut down, through xenstore."),
    Word::new("reboot", ACTIONS, &[arg("domain", Domain)], "Asks a domain to reboot, through xenstore."),
    Word::new("crash", ACTIONS, &[arg("domain", Domain)], "Crashes a domain where it stands."),
    Word::new(
        "detach",
        ACTIONS,
        &[arg("domain", Domain)],
        "Takes a vif away, as `xl network-detach` does.",
    )
    .with(&[&[default("vif", Number(0, 255), "0", "which one")]]),
    Word::new(
        "set",
        ACTIONS,
        &[arg("what", Choice(&["link"])), arg("link", Link)],
        "Changes a link: what is left out stays; what is being sent already is not affected.",
    )
    .with(&[
        CHANGES,
        &[prop("from", Node, "only the direction that begins at this end")],
    ])
    .holding(Place::Direction),
    Word::new("cut", ACTIONS, &[arg("link", Link)], "Cuts a link: what is in flight dies."),
    Word::new("hold", ACTIONS, &[arg("link", Link)], "Stops a link: what is in flight waits."),
    Word::new("release", ACTIONS, &[arg("link", Link)], "Lets a held link go on."),
    Word::new(
        "partition",
        ACTIONS,
        &[many("node", Node)],
        "Cuts every link between two sides: `partition \"a\" \"b\"`, or `partition \"a\" \"b\" { from \"c\" }`.",
    )
    .holding(Place::Side),
    Word::new(
        "heal",
        ACTIONS,
        &[optional("link", Link)],
        "Mends a link; without one, all links.",
    ),
    Word::new(
        "heal-partition",
        ACTIONS,
        &[many("node", Node)],
        "Mends every link between two sides, written as for `partition`.",
    )
    .holding(Place::Side),
    Word::new(
        "power-off",
        ACTIONS,
        &[arg("machine", Machine)],
        "A machine loses its power: its domains, its queues and what is on the way to it are gone.",
    ),
    Word::new("power-on", ACTIONS, &[arg("machine", Machine)], "The power is back: the machine boots again."),
    Word::new(
        "inject",
        ACTIONS,
        &[arg("domain", Domain)],
        "Puts a forged Ethernet frame before a domain, with the evil bit set if it is IPv4: IPv6 has none.",
    )
    .with(&[&[required("hex", Hex, "the frame's bytes, 14 to 1514")]]),
    Word::new("stop", ACTIONS, &[], "Ends the run."),
];
