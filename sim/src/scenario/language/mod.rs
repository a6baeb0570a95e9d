//! The language, as data: each word, where it may stand, what it takes, and what it means.
//!
//! This table is the language: the checker knows nothing else of it, and `evilbit help scenario` prints it. A word
//! that is added here is checked, documented and offered as a did-you-mean at once; what it *does* is said in
//! [`super::lower`].
//!
//! - [`declarations`]: the scenario, machines, domains, links, switches
//! - [`actions`]: time, and what the experimenter does
//! - [`commands`]: what scripted guests and raw peers are told
//! - [`judgement`]: matchers, expectations, snapshots

pub mod actions;
pub mod commands;
pub mod declarations;
pub mod judgement;

/// Where a word may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Outside every block.
    Top,
    Scenario,
    Machine,
    Domain,
    Schedule,
    Link,
    /// One direction of a link, or a change of it.
    Direction,
    /// `at`, `after`, `every`, `when`.
    Actions,
    /// `on` a scripted guest.
    Script,
    /// `on` a raw peer.
    Raw,
    /// The other side of a `partition` or `heal-partition`.
    Side,
    /// `expect`, `always` and `within`.
    Judge,
    Snapshot,
}

impl Place {
    /// How messages name it.
    pub const fn name(self) -> &'static str {
        match self {
            Place::Top => "the top of the file",
            Place::Scenario => "a `scenario` block",
            Place::Machine => "a `machine` block",
            Place::Domain => "a `domain` block",
            Place::Schedule => "a `schedule` block",
            Place::Link => "a `link` block",
            Place::Direction => "a `from` or `set link` block",
            Place::Actions => "a block of actions (`at`, `after`, `every`, `when`)",
            Place::Script => "an `on` block of a scripted guest",
            Place::Raw => "an `on` block of a raw peer",
            Place::Side => "a `partition` or `heal-partition` block",
            Place::Judge => "an `expect`, `always` or `within` block",
            Place::Snapshot => "a `snapshot` block",
        }
    }
}

/// What a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A new name: letters, digits, `-`, `_` and `.`.
    Name,
    /// A declared domain.
    Domain,
    /// Declared domains, separated by spaces.
    Domains,
    Machine,
    /// A machine or a switch.
    Node,
    Link,
    Guest,
    /// A time, in ns.
    Duration,
    Rate,
    Bytes,
    Percent,
    Number(u64, u64),
    Bool,
    /// `#true`, `#false` or this word.
    BoolOr(&'static str),
    Count,
    Choice(&'static [&'static str]),
    /// Addresses with prefix lengths, separated by spaces.
    Cidrs,
    /// The same of version 6, or `auto`.
    Cidrs6,
    Ip,
    /// An address of one version.
    Ip4,
    Ip6,
    /// Address and port.
    Endpoint,
    /// `:port`, or address and port.
    Local,
    Mac,
    /// A path relative to the scenario's file.
    Path,
    Hex,
    /// A socket's or flow's name that this word introduces.
    NewSocket,
    /// A socket's or flow's name.
    Socket,
    Errno,
    Flags,
    Epoch,
    /// `key=value`
    KeyValue,
    /// A key of RFC 2385.
    Key,
    /// A segment in tcpdump's notation.
    Segment,
    /// A path on a web server.
    UrlPath,
}

/// Whether an argument must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Required,
    Optional,
    /// One or more; only the last argument.
    Many,
}

/// An argument: a value by its position.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    pub name: &'static str,
    pub kind: Kind,
    pub need: Need,
}

/// A property: a value by its name.
#[derive(Clone, Copy, Debug)]
pub struct Prop {
    pub name: &'static str,
    pub kind: Kind,
    /// As it would be written; `None`: none.
    pub default: Option<&'static str>,
    pub required: bool,
    pub doc: &'static str,
}

/// What stands between a word's braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    None,
    /// Words of a place.
    Of(Place),
    /// Commands, as the domain's guest understands them: [`Place::Script`] or [`Place::Raw`].
    Commands,
}

/// A word of the language.
#[derive(Debug)]
pub struct Word {
    pub name: &'static str,
    pub places: &'static [Place],
    pub args: &'static [Arg],
    /// In groups, so that words can share them.
    pub props: &'static [&'static [Prop]],
    pub block: Block,
    /// Says what is wanted there by a matcher: `when`.
    pub takes_matcher: bool,
    pub doc: &'static str,
}

impl Word {
    /// All its properties.
    pub fn props(&self) -> impl Iterator<Item = &'static Prop> + use<> {
        self.props.iter().flat_map(|group| group.iter())
    }

    const fn new(
        name: &'static str,
        places: &'static [Place],
        args: &'static [Arg],
        doc: &'static str,
    ) -> Word {
        Word {
            name,
            places,
            args,
            props: &[],
            block: Block::None,
            takes_matcher: false,
            doc,
        }
    }

    const fn with(mut self, props: &'static [&'static [Prop]]) -> Word {
        self.props = props;
        self
    }

    const fn holding(mut self, place: Place) -> Word {
        self.block = Block::Of(place);
        self
    }
}

const fn arg(name: &'static str, kind: Kind) -> Arg {
    Arg {
        name,
        kind,
        need: Need::Required,
    }
}

const fn optional(name: &'static str, kind: Kind) -> Arg {
    Arg {
        name,
        kind,
        need: Need::Optional,
    }
}

const fn many(name: &'static str, kind: Kind) -> Arg {
    Arg {
        name,
        kind,
        need: Need::Many,
    }
}

/// A property that may be left out, and then is absent.
const fn prop(name: &'static str, kind: Kind, doc: &'static str) -> Prop {
    Prop {
        name,
        kind,
        default: None,
        required: false,
        doc,
    }
}

/// A property that may be left out, and then has a value.
const fn default(name: &'static str, kind: Kind, value: &'static str, doc: &'static str) -> Prop {
    Prop {
        name,
        kind,
        default: Some(value),
        required: false,
        doc,
    }
}

/// A property that must be there.
const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Prop {
    Prop {
        name,
        kind,
        default: None,
        required: true,
        doc,
    }
}

/// The guests that come with evilbit.
#[cfg(not(feature = "zoo"))]
pub const GUESTS: &[&str] = &[
    "empty", "echo", "discard", "chargen", "http", "script", "raw", "router",
];
/// The guests that come with evilbit, and the zoo's.
#[cfg(feature = "zoo")]
pub const GUESTS: &[&str] = &[
    "empty",
    "echo",
    "discard",
    "chargen",
    "http",
    "script",
    "raw",
    "router",
    "http-2014",
    "script-no-final-check",
];

/// Where the commands stand that a guest takes; most take none.
pub fn commands_of(guest: &str) -> Option<Place> {
    match guest {
        "script" | "script-no-final-check" => Some(Place::Script),
        "raw" => Some(Place::Raw),
        _ => None,
    }
}

/// Every word, in the order of the reference.
pub fn words() -> impl Iterator<Item = &'static Word> {
    [
        declarations::WORDS,
        actions::WORDS,
        commands::WORDS,
        judgement::WORDS,
    ]
    .into_iter()
    .flatten()
}

/// The word of a name at a place.
pub fn word(name: &str, place: Place) -> Option<&'static Word> {
    words().find(|w| w.name == name && w.places.contains(&place))
}

/// The matcher of a name.
pub fn matcher(name: &str) -> Option<&'static Word> {
    judgement::WORDS
        .iter()
        .find(|w| w.name == name && w.places.contains(&Place::Judge) && w.block == Block::None)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_means_one_thing_at_a_place() {
        let mut seen = BTreeSet::new();
        for word in words() {
            for &place in word.places {
                assert!(seen.insert((word.name, place)), "{} twice", word.name);
            }
            let names: BTreeSet<_> = word.props().map(|p| p.name).collect();
            assert_eq!(names.len(), word.props().count(), "{}", word.name);
            let last = word.args.len().saturating_sub(1);
            assert!(word.args.iter().take(last).all(|a| a.need != Need::Many));
            assert!(!word.doc.is_empty());
        }
    }

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        for word in words() {
            for prop in word.props() {
                if let Some(text) = prop.default {
                    let value = crate::scenario::value::default(prop.kind, text);
                    assert!(value.is_ok(), "{} {}: {value:?}", word.name, prop.name);
                }
            }
        }
    }
}
