//! What must hold, what is looked for, and what a snapshot shows.

use super::Kind::*;
use super::{Place, Prop, Word, arg, default, optional, prop, required};

const JUDGE: &[Place] = &[Place::Judge];
const SNAPSHOT: &[Place] = &[Place::Snapshot];

/// How often a matcher must match: of every matcher but `site` and `xen leaked`, which are about nothing missing.
const COUNT: &[Prop] = &[default(
    "count",
    Count,
    ">=1",
    "how often: 1, \">=2\", \"<=3\", \"1..3\"",
)];
const VACUOUS: &[Prop] = &[default(
    "vacuous",
    Bool,
    "#false",
    "it may hold though there was nothing that it could have failed on",
)];

/// Of every packet matcher.
const PACKET: &[Prop] = &[
    prop("from", Domain, "sent by this domain"),
    prop("to", Domain, "to this domain"),
    default(
        "at",
        Choice(&["sender", "receiver"]),
        "sender",
        "looked at on the sender's or the receiver's vif",
    ),
    prop("evil", Bool, "with the evil bit (RFC 3514), or without"),
];
/// Of TCP and UDP.
const PORTS: &[Prop] = &[
    prop("port", Number(0, 65_535), "either port"),
    prop("sport", Number(0, 65_535), "the source port"),
    prop("dport", Number(0, 65_535), "the destination port"),
    prop("len", Count, "bytes of payload"),
    prop("contains", Text, "the payload contains this text"),
];
const TCP: &[Prop] = &[
    prop(
        "flags",
        Flags,
        "exactly these of tcpdump's letters F S R P . U E W; with ~ in front at least these",
    ),
    prop("win", Count, "the window field"),
    default(
        "retransmits",
        BoolOr("only"),
        "#false",
        "retransmissions count too, or only they",
    ),
];

/// The states of a connection (RFC 9293, section 3.3.2).
pub const STATES: &[&str] = &[
    "CLOSED",
    "LISTEN",
    "SYN-SENT",
    "SYN-RECEIVED",
    "ESTABLISHED",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "CLOSE-WAIT",
    "CLOSING",
    "LAST-ACK",
    "TIME-WAIT",
];
/// What a TCP notices or does.
pub const NOTES: &[&str] = &[
    "rto-expired",
    "recovery-entered",
    "recovery-left",
    "window-probe",
    "keep-alive",
    "challenge-ack",
    "listen-overflow",
    "renege",
    "retransmit",
    "tail-probe",
    "spurious",
];
/// What happens to an address.
pub const ADDRESSES: &[&str] = &["preferred", "deprecated", "duplicate", "removed"];
/// What happens to a domain.
pub const LIVES: &[&str] = &[
    "created",
    "unpaused",
    "paused",
    "shutdown",
    "crashed",
    "stuck",
    "destroyed",
    "rebooted",
];
/// What a link does with a frame.
pub const LINK_EVENTS: &[&str] = &[
    "enqueued",
    "lost",
    "queue-full",
    "marked",
    "duplicated",
    "corrupted",
    "reordered",
    "died",
];

/// Why a machine drops a frame.
pub const DROP_REASONS: &[&str] = &[
    "vif queue full",
    "vif down",
    "too long",
    "runt",
    "bad grant",
];

/// What can leak, as `xen` says it.
pub const LEAKS: &[(&str, &str)] = &[
    ("leaked", "all"),
    ("leaked-grants", "grants"),
    ("leaked-ports", "ports"),
    ("leaked-maps", "maps"),
    ("leaked-watches", "watches"),
    ("leaked-transactions", "transactions"),
    ("leaked-pages", "pages"),
];

pub const WORDS: &[Word] = &[
    Word::new("expect", &[Place::Top], &[], "What must hold of the scenario as written.").holding(Place::Judge),
    Word::new("always", &[Place::Top], &[], "What must hold of every run, explored ones too.").holding(Place::Judge),
    Word::new(
        "within",
        JUDGE,
        &[arg("from", Duration), arg("until", Duration)],
        "Only what happens from the first time until before the second counts.",
    )
    .holding(Place::Judge),
    Word::new("tcp", JUDGE, &[], "A TCP segment.").with(&[PACKET, PORTS, TCP, COUNT, VACUOUS]),
    Word::new("udp", JUDGE, &[], "A UDP datagram.").with(&[PACKET, PORTS, COUNT, VACUOUS]),
    Word::new("icmp", JUDGE, &[], "An ICMP message.").with(&[
        PACKET,
        &[prop("type", Number(0, 255), "8 is an echo request, 0 its answer, 3 unreachable")],
        COUNT,
        VACUOUS,
    ]),
    Word::new("icmp6", JUDGE, &[], "An ICMPv6 message, Neighbor Discovery's among them.").with(&[
        PACKET,
        &[prop(
            "type",
            Number(0, 255),
            "128 is an echo request, 129 its answer, 1 unreachable, 2 packet too big, 133 to 136 discovery",
        )],
        COUNT,
        VACUOUS,
    ]),
    Word::new("arp", JUDGE, &[], "An ARP packet.").with(&[PACKET, COUNT, VACUOUS]),
    Word::new("ip", JUDGE, &[], "An IPv4 packet.").with(&[PACKET, COUNT, VACUOUS]),
    Word::new("ip6", JUDGE, &[], "An IPv6 packet.").with(&[PACKET, COUNT, VACUOUS]),
    Word::new("frame", JUDGE, &[], "An Ethernet frame.").with(&[PACKET, COUNT, VACUOUS]),
    Word::new("console", JUDGE, &[arg("domain", Domain)], "A line on a domain's console.").with(&[
        &[default("contains", Text, "", "the line contains this text")],
        COUNT,
        VACUOUS,
    ]),
    Word::new("life", JUDGE, &[optional("domain", Domain)], "What happens to a domain, or to any.").with(&[
        &[required("is", Choice(LIVES), "")],
        COUNT,
        VACUOUS,
    ]),
    Word::new("tcp-state", JUDGE, &[arg("domain", Domain)], "A connection of a domain enters a state.").with(&[
        &[
            required("is", Choice(STATES), "RFC 9293's name"),
            prop("port", Number(1, 65_535), "its local port"),
        ],
        COUNT,
        VACUOUS,
    ]),
    Word::new("tcp-note", JUDGE, &[arg("domain", Domain)], "Something that a domain's TCP noticed or did.").with(&[
        &[required("is", Choice(NOTES), "")],
        COUNT,
        VACUOUS,
    ]),
    Word::new("refused", JUDGE, &[arg("domain", Domain)], "A packet that a domain's stack refused.").with(&[
        &[default("contains", Text, "", "the reason contains this text")],
        COUNT,
        VACUOUS,
    ]),
    Word::new("address", JUDGE, &[arg("domain", Domain)], "What becomes of a domain's addresses of version 6.").with(&[
        &[required("is", Choice(ADDRESSES), "RFC 4862's word")],
        COUNT,
        VACUOUS,
    ]),
    Word::new("http", JUDGE, &[arg("domain", Domain)], "A whole HTTP response that a script received.").with(&[
        &[
            prop("path", UrlPath, "of this path"),
            prop("status", Number(100, 599), "with this status"),
        ],
        COUNT,
        VACUOUS,
    ]),
    Word::new(
        "site",
        JUDGE,
        &[],
        "Every page of a site was fetched, byte for byte; the count is of those that were not.",
    )
    .with(&[
        &[
            required("from", Domain, "the server"),
            required("by", Domain, "the client"),
            default("count", Count, "0", "how many may be missing"),
        ],
        VACUOUS,
    ]),
    Word::new("link-event", JUDGE, &[arg("link", Link)], "What a link did with a frame.").with(&[
        &[
            required("is", Choice(LINK_EVENTS), ""),
            prop("from", Node, "in the direction that begins at this end"),
        ],
        COUNT,
        VACUOUS,
    ]),
    Word::new("dropped", JUDGE, &[arg("domain", Domain)], "A frame to a domain that its machine dropped.").with(&[
        &[prop("is", Choice(DROP_REASONS), "for this reason")],
        COUNT,
        VACUOUS,
    ]),
    Word::new(
        "xen",
        JUDGE,
        &[],
        "Xen: what was not given back at the end (`xen leaked=0`), or hypercalls (`xen op=\"GNTTABOP_copy\"`).",
    )
    .with(&[
        &[
            prop("leaked", Count, "everything that is counted below"),
            prop("leaked-grants", Count, "grants"),
            prop("leaked-ports", Count, "event channels"),
            prop("leaked-maps", Count, "mapped grants"),
            prop("leaked-watches", Count, "xenstore watches"),
            prop("leaked-transactions", Count, "xenstore transactions"),
            prop("leaked-pages", Count, "pages of memory"),
            prop("op", Text, "a hypercall's command, by the public header's name"),
            prop("domain", Domain, "with op: made by this domain"),
        ],
        COUNT,
        VACUOUS,
    ]),
    Word::new("script", JUDGE, &[arg("domain", Domain)], "A block of commands ended well.").with(&[COUNT, VACUOUS]),
    Word::new("snapshot", &[Place::Top], &[], "What is compared with the `.snap` file beside the scenario.")
        .holding(Place::Snapshot),
    Word::new("ladder", SNAPSHOT, &[], "Every packet, between the domains' vifs.").with(&[&[
        prop("only", Domains, "packets of these domains"),
        default("arp", Bool, "#false", "ARP too"),
    ]]),
    Word::new("console", SNAPSHOT, &[arg("domain", Domain)], "A domain's console."),
    Word::new("xen-summary", SNAPSHOT, &[], "Counts of hypercalls, grants and xenstore requests."),
    Word::new("life", SNAPSHOT, &[], "Lives of domains, and faults."),
    Word::new("tcp", SNAPSHOT, &[arg("domain", Domain)], "State changes and notes of a domain's TCP."),
];
