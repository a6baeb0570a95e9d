//! `evilbit help scenario`: the language's table, printed, with examples that are checked like any scenario.

use super::language::{self, Block, GUESTS, Kind, Place, Prop, Word};
use super::shape::usage;
use super::value;

/// A part of the reference: the words of a place, and an example.
struct Section {
    title: &'static str,
    /// The words that stand here.
    place: Place,
    /// Only these of them, where a place holds words of several sections.
    only: Option<&'static [&'static str]>,
    example: &'static str,
}

const SECTIONS: &[Section] = &[
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
    domain "store" guest="echo" { vif ip="10.0.0.3/24" }
}
switch "patch-panel"
link "rack" "patch-panel" delay="20ms" rate="10Mbit" loss="0.5%""#,
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
        example: "",
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

const INTRODUCTION: &str = r#"The scenario language

A scenario says which machines there are, what they do, what goes wrong, and
what must hold. Save this as first.kdl, then: evilbit run first.kdl --ladder

"#;

/// A whole scenario, to be copied.
const FIRST: &str = include_str!("../../../docs/tour/first.kdl");

const RULES: &str = r#"
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

/// The widest line, so that it can be read in the narrowest usual terminal.
const COLUMNS: usize = 80;

/// The reference, from the table.
pub fn reference() -> String {
    let mut out = String::from(INTRODUCTION);
    for line in FIRST.lines() {
        out.push_str(format!("    {line}").trim_end());
        out.push('\n');
    }
    out.push_str(RULES);
    for section in SECTIONS {
        out.push_str(&format!(
            "\n{}\n{}\n",
            section.title,
            "-".repeat(section.title.chars().count())
        ));
        for word in words_of(section) {
            describe(word, &mut out);
        }
        if !section.example.is_empty() {
            out.push_str("\n  Example:\n");
            for line in section.example.lines() {
                out.push_str(&format!("    {line}\n"));
            }
        }
    }
    out
}

fn words_of(section: &Section) -> impl Iterator<Item = &'static Word> {
    let only = section.only;
    let place = section.place;
    language::words().filter(move |w| {
        w.places.contains(&place) && only.is_none_or(|names| names.contains(&w.name))
    })
}

fn describe(word: &Word, out: &mut String) {
    let block = match word.block {
        Block::None => "",
        _ => " { … }",
    };
    out.push_str(&format!("\n  {}{block}\n", usage(word)));
    wrap(word.doc, "      ", out);
    for prop in word.props() {
        let head = format!("{}={}", prop.name, kind_text(prop.kind));
        let head = format!("      {head:<22} ");
        if head.chars().count() > PROPERTY_COLUMNS {
            out.push_str(head.trim_end());
            out.push('\n');
            wrap(&prop_text(prop), &" ".repeat(PROPERTY_COLUMNS), out);
        } else {
            wrap(&prop_text(prop), &head, out);
        }
    }
}

fn prop_text(prop: &Prop) -> String {
    let choices = match prop.kind {
        Kind::Choice(of) => of.join(", "),
        Kind::Guest => GUESTS.join(", "),
        _ => String::new(),
    };
    let what: Vec<&str> = [prop.doc, &choices]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    let what = what.join(": ");
    match (prop.required, prop.default) {
        (true, _) => format!("{what} (required)"),
        (false, Some("") | None) => what,
        (false, Some(text)) => format!("{what} [{text}]"),
    }
}

fn kind_text(kind: Kind) -> String {
    if let Some(example) = value::example(kind) {
        return example.split(' ').next().unwrap_or(example).to_owned();
    }
    match kind {
        Kind::Number(..) => "N".into(),
        Kind::Bool => "#true".into(),
        Kind::BoolOr(word) => format!("#true|\"{word}\""),
        Kind::Domain => "\"domain\"".into(),
        Kind::Domains => "\"domain domain\"".into(),
        Kind::Machine => "\"machine\"".into(),
        Kind::Node => "\"machine\"".into(),
        Kind::Link => "\"link\"".into(),
        Kind::Guest => "\"guest\"".into(),
        Kind::Choice([first, ..]) => format!("\"{first}\""),
        _ => "\"…\"".into(),
    }
}

/// Where the text about a property begins.
const PROPERTY_COLUMNS: usize = 29;

/// Text after `head`, in lines of at most [`COLUMNS`], the next ones indented as far.
fn wrap(text: &str, head: &str, out: &mut String) {
    let indent = " ".repeat(head.chars().count());
    let mut line = head.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > COLUMNS {
            out.push_str(line.trim_end());
            out.push('\n');
            line.clone_from(&indent);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::{Overrides, parse};

    const SCENARIO: &str = "scenario \"example\" { about \"an example\" }\n";
    const WORLD: &str = r#"
machine "ec2" { domain "blog" guest="echo" { vif ip="10.0.0.2/24" } }
machine "laptop" {
    domain "reader" guest="script" { vif ip="10.0.0.9/24" }
    domain "devil" guest="raw" { vif ip="10.0.0.66/24" }
}
link "laptop" "ec2"
"#;

    #[test]
    fn every_example_is_a_scenario() {
        for section in SECTIONS.iter().filter(|s| !s.example.is_empty()) {
            let own = if section.example.starts_with("scenario") {
                ""
            } else {
                SCENARIO
            };
            // Only an http guest has a site; a folder for it is not at hand here.
            let example = section
                .example
                .replace("    site from=\"blog\" by=\"reader\"\n", "");
            let text = format!("{own}{WORLD}{example}\n");
            let base = Path::new("");
            if let Err(report) = parse(text.as_bytes(), base, base, &Overrides::default()) {
                panic!("{}: {report}", section.title);
            }
        }
    }

    #[test]
    fn the_first_scenario_is_one() {
        let base = Path::new("");
        if let Err(report) = parse(FIRST.as_bytes(), base, base, &Overrides::default()) {
            panic!("{report}");
        }
    }

    #[test]
    fn every_word_is_in_the_reference() {
        let told: Vec<*const Word> = SECTIONS
            .iter()
            .flat_map(words_of)
            .map(std::ptr::from_ref)
            .collect();
        for word in language::words() {
            assert!(told.contains(&std::ptr::from_ref(word)), "{}", word.name);
        }
        let text = reference();
        let wide = text.lines().find(|l| l.chars().count() > COLUMNS);
        assert_eq!(wide, None);
    }
}
