//! What stands around the table: the parts in which it is printed, with their examples, and what is said before them.

use crate::scenario::language::Place;

/// A part of the reference: the words of a place, and an example.
pub struct Section {
    pub title: &'static str,
    /// The words that stand here.
    pub place: Place,
    /// Only these of them, where a place holds words of several sections.
    pub only: Option<&'static [&'static str]>,
    pub example: &'static str,
}

pub const SECTIONS: &[Section] = &[
    Section {
        title: "The scenario",
        place: Place::Top,
        only: Some(&["scenario"]),
        example: r#"scenario "hello" seed=793 duration="10s" {
    about "Two machines, and a ping between them"
}"#,
    },
    Section {
        title: "In a scenario",
        place: Place::Scenario,
        only: None,
        example: "",
    },
    Section {
        title: "Machines, switches and links",
        place: Place::Top,
        only: Some(&["machine", "switch", "link"]),
        example: r#"machine "rack" {
    domain "store" guest="echo" { vif ip6="2001:db8::3/64"; }
}
switch "patch-panel"
link "rack" "patch-panel" delay="20ms" rate="10Mbit" mark="15KiB""#,
    },
    Section {
        title: "In a machine",
        place: Place::Machine,
        only: None,
        example: r#"machine "rack" {
    domain "store" guest="echo" memory="8MiB" on_crash="restart" {
        vif ip="10.0.0.3/24" gateway="10.0.0.1" mac="02:00:00:00:00:03"
        arg "port=8007"
    }
    schedule { switch domain="store" call=1200 actor="netback" steps=1 }
}"#,
    },
    Section {
        title: "In a domain",
        place: Place::Domain,
        only: None,
        example: r#"machine "rack" {
    domain "router" guest="script" profile="freebsd" {
        vif ip="10.0.0.3/24"
        tcp ecn="active" congestion="reno" timestamps=#false
        md5 peer="10.0.0.9" key="secret"
    }
}"#,
    },
    Section {
        title: "In a schedule",
        place: Place::Schedule,
        only: None,
        example: "",
    },
    Section {
        title: "In a link, a direction of it, or `set link`",
        place: Place::Link,
        only: None,
        example: r#"switch "up"
switch "down"
link "up" "down" name="adsl" delay="15ms" {
    from "up" rate="1Mbit"
    from "down" rate="16Mbit" { gemodel "0.1%" "20%" "50%" "0%" }
}"#,
    },
    Section {
        title: "Time",
        place: Place::Top,
        only: Some(&["at", "after", "every", "when"]),
        example: r#"at "5s" { cut "laptop-ec2" }
after "500ms" { heal "laptop-ec2" }
every "10s" start="1s" { on "reader" { ping "10.0.0.2" } }
when console="blog" contains="listening" { pause "blog" }
when tcp flags="S." from="blog" nth=2 reaction="50us" { crash "blog" }"#,
    },
    Section {
        title: "Actions",
        place: Place::Actions,
        only: None,
        example: r#"at "1s" {
    set link "laptop-ec2" from="ec2" delay="80ms" loss="2%"
    on "reader" { print "the line is bad now" }
}
at "2s" { partition "laptop" "ec2" }
at "3s" { heal-partition "laptop" "ec2"; power-off "ec2" }
at "4s" { power-on "ec2" }"#,
    },
    Section {
        title: "In `on` a scripted guest (guest=\"script\")",
        place: Place::Script,
        only: None,
        example: r#"at "0s" {
    on "reader" {
        connect "c" "10.0.0.2:80" from=":4000"
        http-get "c" "/" status=200
        send "c" hex="0d 0a"
        recv "c" eof=#true least=10
        close "c"
        connect "d" "10.0.0.2:81" fails="ECONNREFUSED"
    }
    on "reader" {
        listen "l" ":7" backlog=8
        accept "l" as="e"
        set "e" nodelay=#true
        recv "e" pattern=1000000
        shutdown "e"
    }
}"#,
    },
    Section {
        title: "In `on` a raw peer (guest=\"raw\")",
        place: Place::Raw,
        only: None,
        example: r#"at "0s" {
    on "devil" {
        flow "f" "10.0.0.2:80" from=":4000"
        send "S 0:0(0) win 65535 <mss 1460,sackOK>"
        await "S. 0:0(0) ack 1" timeout="2s"
        send ". 1:1(0) ack 1 win 0"
        silence "1s"
        send "R 1:1(0)"
    }
}"#,
    },
    Section {
        title: "The other side of `partition` and `heal-partition`",
        place: Place::Side,
        only: None,
        example: r#"at "1s" { partition "laptop" { from "ec2" } }"#,
    },
    Section {
        title: "Judgement",
        place: Place::Top,
        only: Some(&["expect", "always", "snapshot"]),
        example: "",
    },
    Section {
        title: "Matchers, in `expect`, `always`, `within`; and after `when`",
        place: Place::Judge,
        only: None,
        example: r#"expect {
    tcp from="blog" flags="F." count=1
    tcp from="blog" len=">=1400" retransmits="only" count="1..3"
    within "1s" "5s" { http "reader" path="/" status=200 }
    site from="blog" by="reader"
    life "blog" is="shutdown" vacuous=#true
}
always {
    tcp flags="~R" count=0
    xen leaked=0
}"#,
    },
    Section {
        title: "In a snapshot",
        place: Place::Snapshot,
        only: None,
        example: r#"snapshot {
    ladder only="blog reader" arp=#true
    console "blog"
    tcp "reader"
    xen-summary
}"#,
    },
];

pub const INTRODUCTION: &str = r#"The scenario language

A scenario says which machines there are, what they do, what goes wrong, and
what must hold. Save this as first.kdl, then: evilbit run first.kdl --ladder

"#;

/// A whole scenario, to be copied.
pub const FIRST: &str = include_str!("../../../../docs/tour/first.kdl");

pub const RULES: &str = r#"
It is a KDL 2 file: a word a line, its arguments and properties, and a block
between braces. Comments are // and /* */, and /- takes a whole word out. Texts
and quantities stand between quotes, truth values are #true and #false.
Declarations may stand in any order. Below, <arguments> must be there and
[arguments] may; what a property is if left out stands in [brackets] at the end.

Guests:
    http      serves its site on port 80
    echo      RFC 862, discard RFC 863, chargen RFC 864: over TCP and UDP
    script    does what `on` tells it, with the sockets of its own TCP/IP stack
    raw       a peer without a stack: sends and awaits single packets, all of
              them with the evil bit set
    router    forwards between the networks of its addresses; arg "mtu=1300"
              makes its way on narrow, and arg "errors=off" a black hole
    empty     boots, and does nothing

Units, read exactly:
    times     ns µs us ms s m h         "1.5ms"
    rates     bit kbit Mbit Gbit (SI)   "10Mbit"
    sizes     B KiB MiB GiB (IEC)       "64KiB"
    shares    %                         "0.5%"
    counts                              1, ">=2", "<=3", "1..3" (both included)

An expectation that could not have failed, because nothing that it looks at ever
came by, fails unless it says vacuous=#true.
"#;
