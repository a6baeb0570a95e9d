//! Words that say what there is: the scenario, machines and their domains, links and switches.

use stack::profile::Profile;

use super::Kind::*;
use super::{Place, Prop, Word, arg, default, many, optional, prop, required};

/// A link's settings where it is declared: each has a default.
pub const SETTINGS: &[Prop] = &[
    default(
        "delay",
        Duration,
        "1ms",
        "propagation, from the last bit sent to the frame's arrival",
    ),
    default(
        "jitter",
        Duration,
        "0ns",
        "the delay varies by up to so much, uniformly, either way",
    ),
    prop(
        "rate",
        Rate,
        "bits a second; without it a frame takes no time to send",
    ),
    default(
        "queue",
        Bytes,
        "1MiB",
        "how much may wait to be sent; what does not fit is dropped",
    ),
    prop(
        "mark",
        Bytes,
        "when more would wait, packets of ECN-capable senders are marked (RFC 3168); without it none is",
    ),
    default(
        "loss",
        Percent,
        "0%",
        "each frame is lost with this probability",
    ),
    default("duplicate", Percent, "0%", "a copy follows at once"),
    default(
        "reorder",
        Percent,
        "0%",
        "the frame overtakes: its delay is 1µs",
    ),
    default("corrupt", Percent, "0%", "one bit is flipped"),
];

/// The same where they change something: what is left out stays as it is.
pub const CHANGES: &[Prop] = &[
    prop("delay", Duration, "propagation"),
    prop("jitter", Duration, "variation of the delay"),
    prop("rate", Rate, "bits a second"),
    prop("queue", Bytes, "how much may wait to be sent"),
    prop("mark", Bytes, "how much may wait unmarked"),
    prop("loss", Percent, "probability of loss"),
    prop("duplicate", Percent, "probability of a copy"),
    prop("reorder", Percent, "probability of overtaking"),
    prop("corrupt", Percent, "probability of a flipped bit"),
];

/// Settings of a domain's TCP: each is one of `stack::profile::settings`.
pub const TCP: &[Prop] = &[
    prop(
        "congestion",
        Choice(&["cubic", "reno"]),
        "the congestion controller (RFC 9438, RFC 5681)",
    ),
    prop(
        "ecn",
        Choice(&["off", "passive", "active"]),
        "congestion notification (RFC 3168): not at all, if the peer asks, or connections ask for it",
    ),
    prop(
        "fast-open",
        Choice(&["off", "client", "server", "both"]),
        "who may send data in a SYN (RFC 7413): its connects with fast-open=#true, its listeners' peers",
    ),
    prop(
        "mtu-probing",
        Choice(&["off", "after-black-hole", "always"]),
        "find out what a path takes without ICMP (RFC 4821)",
    ),
    prop(
        "rack",
        Bool,
        "find losses by time (RFC 8985), not by counting",
    ),
    prop("sack", Bool, "selective acknowledgements (RFC 2018)"),
    prop(
        "syn-cookies",
        Choice(&["never", "when-full", "always"]),
        "when a listener answers a SYN without keeping it (RFC 4987)",
    ),
    prop("timestamps", Bool, "timestamps (RFC 7323)"),
    prop("window-scaling", Bool, "windows above 64 KiB (RFC 7323)"),
];

const EXITS: super::Kind = Choice(&["destroy", "restart", "preserve"]);

pub const WORDS: &[Word] = &[
    Word::new(
        "scenario",
        &[Place::Top],
        &[arg("name", Name)],
        "Names the scenario; there is exactly one.",
    )
    .with(&[&[
        default(
            "seed",
            Number(0, u64::MAX),
            "1",
            "everything random comes from it",
        ),
        default(
            "epoch",
            Epoch,
            "2014-07-11T00:00:00Z",
            "the wall clock when the run begins",
        ),
        default(
            "duration",
            Duration,
            "60s",
            "the run ends then, if it is not quiet before",
        ),
        default(
            "reaction",
            Duration,
            "1ms",
            "how long after a match a `when` acts",
        ),
    ]])
    .holding(Place::Scenario),
    Word::new(
        "about",
        &[Place::Scenario],
        &[arg("text", Text)],
        "Says what the scenario shows.",
    ),
    Word::new(
        "machine",
        &[Place::Top],
        &[arg("name", Name)],
        "A physical machine with one CPU, running Xen: a bridge joins its domains and its links.",
    )
    .holding(Place::Machine),
    Word::new(
        "domain",
        &[Place::Machine],
        &[arg("name", Name)],
        "A domain (a virtual machine). Its name is unique in the scenario.",
    )
    .with(&[&[
        required("guest", Guest, "the kernel that it runs"),
        default("memory", Bytes, "32MiB", "from 1MiB to 16GiB"),
        default(
            "start",
            Text,
            "0s",
            "when it is created first; \"manual\": by an action only",
        ),
        default(
            "on_poweroff",
            EXITS,
            "destroy",
            "what the toolstack does after a shutdown",
        ),
        default("on_reboot", EXITS, "restart", "after a reboot"),
        default(
            "on_crash",
            EXITS,
            "destroy",
            "after a crash, or when it is stuck",
        ),
        default(
            "cpu",
            Choice(&["fixed", "counted"]),
            "fixed",
            "what its time is made of: a fixed cost a run and frame, or each call and loop",
        ),
        prop(
            "profile",
            Choice(&Profile::NAMES),
            "whose choices the builtin kernel's stack makes where RFCs leave them: \"rfc\", what they recommend, if left out",
        ),
    ]])
    .holding(Place::Domain),
    Word::new(
        "vif",
        &[Place::Domain],
        &[],
        "A virtual network interface on the machine's bridge.",
    )
    .with(&[&[
        prop("ip", Cidrs, "its addresses, such as \"10.0.0.2/24\""),
        prop("gateway", Ip4, "where packets for other networks go"),
        prop(
            "ip6",
            Cidrs6,
            "its addresses of version 6, such as \"2001:db8::2/64\", or \"auto\": from a router's advertisement",
        ),
        prop("gateway6", Ip6, "where packets for other networks of version 6 go"),
        prop(
            "mac",
            Mac,
            "its Ethernet address; derived from the domain's name if left out",
        ),
        default("sg", Bool, "#true", "netback offers scatter-gather"),
        default("csum", Bool, "#true", "netback offers checksum offload"),
        default(
            "map-tx",
            Bool,
            "#false",
            "netback maps what is sent until it has left the bridge, instead of copying",
        ),
    ]]),
    Word::new(
        "site",
        &[Place::Domain],
        &[arg("folder", Path)],
        "The web site of an http guest: a folder of Markdown and files, relative to the scenario's file.",
    ),
    Word::new(
        "arg",
        &[Place::Domain],
        &[arg("key=value", KeyValue)],
        "A word more for the guest's command line, such as \"port=8080\".",
    ),
    Word::new(
        "tcp",
        &[Place::Domain],
        &[],
        "Settings of its stack's TCP, over those of its profile.",
    )
    .with(&[TCP]),
    Word::new(
        "md5",
        &[Place::Domain],
        &[],
        "A key that it shares with a peer: all TCP segments between them are signed (RFC 2385), and others are not listened to.",
    )
    .with(&[&[
        required("peer", Ip, "whose address it is"),
        required("key", Key, "the key, up to 80 characters without spaces"),
    ]]),
    Word::new(
        "schedule",
        &[Place::Machine],
        &[],
        "Forced switches of the machine's CPU: a race, written down. Inside a guest's run nobody else acts, but what is forced here and, with cpu=\"counted\", what dom0 has due.",
    )
    .holding(Place::Schedule),
    Word::new(
        "switch",
        &[Place::Schedule],
        &[],
        "Before a domain's n-th call (a hypercall, a look at the clock, an access to memory that it shares) one of dom0's actors takes steps of its own, one such call each. A switch that never comes fails the run.",
    )
    .with(&[&[
        required("domain", Domain, "whose calls are counted"),
        required(
            "call",
            Number(1, u64::MAX),
            "the call, counting from 1 at boot",
        ),
        required("actor", Text, "netback, xenstored, xenconsoled or bridge"),
        default(
            "steps",
            Number(1, 1_000_000),
            "1",
            "how many steps it takes",
        ),
    ]]),
    Word::new(
        "switch",
        &[Place::Top],
        &[arg("name", Name)],
        "A switch that joins links.",
    ),
    Word::new(
        "link",
        &[Place::Top],
        &[arg("a", Node), arg("b", Node)],
        "A full-duplex link between two machines or switches.",
    )
    .with(&[
        SETTINGS,
        &[prop(
            "name",
            Name,
            "its name in actions and matchers; \"a-b\" if left out",
        )],
    ])
    .holding(Place::Link),
    Word::new(
        "from",
        &[Place::Link],
        &[arg("end", Node)],
        "Settings of the direction that begins at this end.",
    )
    .with(&[CHANGES])
    .holding(Place::Direction),
    Word::new(
        "gemodel",
        &[Place::Link, Place::Direction],
        &[
            arg("p", Percent),
            arg("r", Percent),
            optional("1-h", Percent),
            optional("1-k", Percent),
        ],
        "Loss in bursts, after Gilbert and Elliott: to the bad state, back, loss in the bad (100%) and in the good state (0%).",
    ),
    Word::new(
        "from",
        &[Place::Side],
        &[many("node", Node)],
        "The machines and switches of the other side.",
    ),
];
