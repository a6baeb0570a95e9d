//! What guests are told between the braces of `on`: sockets for `guest="script"`, segments for `guest="raw"`.

use super::Kind::*;
use super::{Place, Prop, Word, arg, default, optional, prop, required};

const SCRIPT: &[Place] = &[Place::Script];
const RAW: &[Place] = &[Place::Raw];
const BOTH: &[Place] = &[Place::Script, Place::Raw];

/// What is sent: exactly one of the text, `hex` and (for streams) `pattern`.
const BYTES: &[Prop] = &[prop("hex", Hex, "the bytes, two digits each")];
const PATTERN: &[Prop] = &[prop(
    "pattern",
    Number(1, 1 << 32),
    "so many bytes of the pattern 0, 1, … 250, 0, …",
)];

pub const WORDS: &[Word] = &[
    Word::new(
        "connect",
        SCRIPT,
        &[arg("socket", NewSocket), arg("address", Endpoint)],
        "Opens a TCP connection and waits until it stands.",
    )
    .with(&[&[
        prop("from", Local, "the local port, such as \":4000\", or address and port"),
        prop("fails", Errno, "it must fail with this error"),
        default(
            "fast-open",
            Bool,
            "#false",
            "RFC 7413: asks for a cookie; who has one does not wait, and what is sent first goes in the SYN (the domain says: tcp fast-open=\"client\")",
        ),
    ]]),
    Word::new(
        "connect-start",
        SCRIPT,
        &[arg("socket", NewSocket), arg("address", Endpoint)],
        "Begins to open a TCP connection and goes on at once.",
    )
    .with(&[&[prop("from", Local, "the local port, or address and port")]]),
    Word::new(
        "connect-wait",
        SCRIPT,
        &[arg("socket", Socket)],
        "Waits until a connection that was begun stands.",
    ),
    Word::new(
        "listen",
        SCRIPT,
        &[arg("socket", NewSocket), arg("address", Local)],
        "Listens for TCP connections.",
    )
    .with(&[&[default("backlog", Number(1, 65_535), "8", "how many may wait to be accepted")]]),
    Word::new(
        "accept",
        SCRIPT,
        &[arg("listener", Socket)],
        "Waits for a connection and names it.",
    )
    .with(&[&[required("as", NewSocket, "the connection's name")]]),
    Word::new(
        "send",
        SCRIPT,
        &[arg("socket", Socket), optional("text", Text)],
        "Sends bytes, and waits until all are in the send buffer.",
    )
    .with(&[BYTES, PATTERN]),
    Word::new(
        "recv",
        SCRIPT,
        &[arg("socket", Socket), optional("text", Text)],
        "Receives exactly these bytes; or any, or the end of the stream, or an error.",
    )
    .with(&[
        BYTES,
        PATTERN,
        &[
            prop("any", Number(1, 1 << 32), "any so many bytes"),
            prop("eof", Bool, "everything until the end of the stream, which must come"),
            prop("least", Number(0, 1 << 32), "with eof: at least so many bytes (0)"),
            prop("fails", Errno, "it must fail with this error"),
        ],
    ]),
    Word::new("shutdown", SCRIPT, &[arg("socket", Socket)], "Sends no more: a FIN follows what is queued."),
    Word::new("close", SCRIPT, &[arg("socket", Socket)], "Closes a socket."),
    Word::new("abort", SCRIPT, &[arg("socket", Socket)], "Closes a connection with a RST."),
    Word::new("set", SCRIPT, &[arg("socket", Socket)], "Sets a socket's options.").with(&[&[
        prop("nodelay", Bool, "send small segments at once"),
        prop("keepalive", Bool, "probe an idle connection"),
        prop("rcvbuf", Number(1, 1 << 30), "bytes of receive buffer"),
        prop("sndbuf", Number(1, 1 << 30), "bytes of send buffer"),
        prop("linger", Number(0, 65_535), "seconds that close waits; 0: close sends a RST"),
    ]]),
    Word::new(
        "udp",
        SCRIPT,
        &[arg("socket", NewSocket), optional("address", Local)],
        "Opens a UDP socket.",
    ),
    Word::new(
        "send-to",
        SCRIPT,
        &[
            arg("socket", Socket),
            arg("address", Endpoint),
            optional("text", Text),
        ],
        "Sends a datagram, or many.",
    )
    .with(&[
        BYTES,
        &[
            prop("pattern", Number(1, 65_507), "so many bytes of the pattern 0, 1, … 250, 0, …"),
            prop(
                "count",
                Number(1, 1_000_000),
                "with pattern: so many datagrams, one after the other (1)",
            ),
        ],
    ]),
    Word::new(
        "recv-from",
        SCRIPT,
        &[arg("socket", Socket), optional("text", Text)],
        "Receives a datagram with exactly these bytes; or any.",
    )
    .with(&[
        BYTES,
        &[prop("any", Number(0, 65_507), "any datagram of at least so many bytes")],
    ]),
    Word::new(
        "http-get",
        SCRIPT,
        &[arg("socket", Socket), arg("path", UrlPath)],
        "Gets a page over a connection, and reads the whole response.",
    )
    .with(&[&[
        default("status", Number(100, 599), "200", "the response must have it"),
        default("close", Bool, "#false", "asks for `Connection: close`"),
    ]]),
    Word::new(
        "http-request",
        SCRIPT,
        &[arg("socket", Socket), arg("method", Text), arg("path", UrlPath)],
        "Makes a request of one's own.",
    )
    .with(&[&[
        default("headers", Text, "", "header lines, separated by line feeds"),
        default("status", Number(100, 599), "200", "the response must have it"),
    ]]),
    Word::new(
        "http-crawl",
        SCRIPT,
        &[arg("socket", Socket), arg("path", UrlPath)],
        "Gets a page and all that is linked from it on the same host, each once, over one connection.",
    ),
    Word::new("ping", SCRIPT, &[arg("address", Ip)], "Sends ICMP echo requests and waits for each answer.").with(
        &[&[
            default("count", Number(1, 1_000_000), "1", "how many"),
            default("interval", Duration, "1s", "between two"),
        ]],
    ),
    Word::new("sleep", BOTH, &[arg("time", Duration)], "Waits."),
    Word::new("print", BOTH, &[arg("line", Text)], "Writes a line to the console."),
    Word::new("poweroff", BOTH, &[], "Shuts the domain down from inside."),
    Word::new(
        "flow",
        RAW,
        &[arg("flow", NewSocket), arg("address", Endpoint)],
        "Names a TCP connection to be. Sequence numbers count from each side's first SYN.",
    )
    .with(&[&[prop(
        "from",
        Local,
        "the local port, such as \":4000\"; or somebody else's address and port, in whose name segments are forged and who gets all answers",
    )]]),
    Word::new(
        "flow-listen",
        RAW,
        &[arg("flow", NewSocket), arg("port", Number(1, 65_535))],
        "Waits for a SYN to a port and names its flow.",
    ),
    Word::new(
        "send",
        RAW,
        &[arg("flow", Socket), arg("segment", Segment)],
        "Sends a segment: \"S 0:0(0) win 65535 <mss 1460,sackOK>\", \"P. 1:101(100) ack 1\", \"S 0:0(0) <hex 01020000>\". With one flow its name may be left out.",
    ),
    Word::new(
        "await",
        RAW,
        &[arg("flow", Socket), arg("segment", Segment)],
        "Waits for a segment; what is left out of it matches anything, and other segments are passed over.",
    )
    .with(&[&[default("timeout", Duration, "1s", "the longest wait")]]),
    Word::new(
        "silence",
        RAW,
        &[arg("flow", Socket), arg("time", Duration)],
        "Nothing may arrive on the flow for so long.",
    ),
    Word::new(
        "option-sweep",
        RAW,
        &[arg("address", Endpoint)],
        "Sends a SYN with each malformed TCP option list of four bytes, 128 at a time, and resets them.",
    )
    .with(&[&[default("gap", Duration, "25ms", "from the SYNs of a batch to their RSTs: longer than a round trip")]]),
    Word::new(
        "sequence-sweep",
        RAW,
        &[arg("flow", Socket), arg("segment", Segment)],
        "Sends a segment with each sequence number that is a multiple of a step, as who cannot see the connection must: sooner or later one lies in its window.",
    )
    .with(&[&[
        required("step", Number(1024, 1 << 31), "from one sequence number to the next: no more than the receiver's window"),
        default("gap", Duration, "1ms", "after 128 segments"),
    ]]),
    Word::new(
        "syn-flood",
        RAW,
        &[arg("address", Endpoint)],
        "Sends SYN segments, each from a port of its own, and answers nothing.",
    )
    .with(&[&[
        required("count", Number(1, 20_000), "how many"),
        default("gap", Duration, "1ms", "after 128 segments"),
    ]]),
];
