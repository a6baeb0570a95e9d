//! `evilbit help scenario`: the language's table, printed, with examples that are checked like any scenario.

mod sections;

use self::sections::{FIRST, INTRODUCTION, RULES, SECTIONS, Section};
use super::language::{self, Block, GUESTS, Kind, Prop, Word};
use super::shape::usage;
use super::value;

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
        let words: Vec<&Word> = words_of(section).collect();
        let shared = shared_groups(&words);
        for group in &shared {
            out.push('\n');
            wrap(&format!("{} take:", who(&words, group)), "  ", &mut out);
            group.iter().for_each(|prop| describe_prop(prop, &mut out));
        }
        for word in words {
            describe(word, &shared, &mut out);
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

/// Properties that so many words of a section share are said once.
const SHARED_BY: usize = 3;

type Group = &'static [Prop];

/// The groups of properties that several of these words share, in order of their first use.
fn shared_groups(words: &[&Word]) -> Vec<Group> {
    let mut shared: Vec<Group> = Vec::new();
    for group in words.iter().flat_map(|word| word.props).copied() {
        let known = shared.iter().any(|known| same(known, group));
        if !known && words_with(words, group).count() >= SHARED_BY {
            shared.push(group);
        }
    }
    shared
}

/// Who has a group: those that do, or all but the few that don't.
fn who(words: &[&Word], group: Group) -> String {
    let having: Vec<&str> = words_with(words, group).map(|word| word.name).collect();
    let others: Vec<&str> = words.iter().map(|word| word.name).collect();
    let others: Vec<&str> = others
        .into_iter()
        .filter(|name| !having.contains(name))
        .collect();
    match others.len() {
        0 => "All of these".to_owned(),
        1 | 2 => format!("All of these but {}", others.join(" and ")),
        _ => having.join(", "),
    }
}

fn words_with<'a>(words: &'a [&Word], group: Group) -> impl Iterator<Item = &'a Word> {
    let has = move |word: &&Word| word.props.iter().any(|own| same(own, group));
    words.iter().copied().filter(has)
}

/// Whether two words mean the same group: its constant may have several addresses.
fn same(a: Group, b: Group) -> bool {
    let said = |group: Group| group.iter().map(|p| (p.name, p.doc)).collect::<Vec<_>>();
    said(a) == said(b)
}

fn describe(word: &Word, shared: &[Group], out: &mut String) {
    let block = match word.block {
        Block::None => "",
        _ => " { … }",
    };
    out.push_str(&format!("\n  {}{block}\n", usage(word)));
    wrap(word.doc, "      ", out);
    let own = |group: &&Group| !shared.iter().any(|other| same(other, group));
    for prop in word.props.iter().filter(own).copied().flatten() {
        describe_prop(prop, out);
    }
}

fn describe_prop(prop: &Prop, out: &mut String) {
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
