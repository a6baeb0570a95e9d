//! A failure as a person reads it: the command that replays it first, then what did not hold, where the scenario says
//! so, and the lines of the trace that show it.

use std::fmt::Write;
use std::path::Path;

use crate::oracle::Failure;
use crate::plan::{Plan, Span};

/// Lines of evidence shown for one failure; the rest are counted.
const EVIDENCE_MAX: usize = 20;

/// The command that replays a run, ready for a shell.
pub fn replay_line(path: &Path, seed: u64) -> String {
    format!("evilbit replay {} --seed {seed}", shell_word(path))
}

/// A path as a shell takes it for one word that is no option.
pub fn shell_word(path: &Path) -> String {
    let path = path.display().to_string();
    let path = match path.starts_with('-') {
        true => format!("./{path}"),
        false => path,
    };
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@%,".contains(c);
    match path.chars().all(plain) {
        true => path,
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

/// The whole text about a failed run, without its closing line. `first` says how to see it again; the scenario is called
/// `path`.
pub fn text(first: &str, path: &Path, plan: &Plan, failures: &[Failure]) -> String {
    let mut text = format!("{first}\n");
    for failure in failures {
        let _ = writeln!(text, "  × {}", tame(&failure.message));
        if let Some(span) = failure.span {
            show(&mut text, path, &plan.source, span);
        }
        for line in failure.evidence.iter().take(EVIDENCE_MAX) {
            let _ = writeln!(text, "      {}", tame(line));
        }
        if let Some(more @ 1..) = failure.evidence.len().checked_sub(EVIDENCE_MAX) {
            let _ = writeln!(text, "      … and {more} lines more");
        }
    }
    text
}

/// What a guest said, without what could steer the terminal.
fn tame(line: &str) -> String {
    let mut tame = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '\t' => tame.push(c),
            c if c.is_control() => tame.extend(c.escape_default()),
            c => tame.push(c),
        }
    }
    tame
}

/// A place's line and column, in characters, both from 1.
pub fn place(source: &str, span: Span) -> (usize, usize) {
    let before = source.get(..span.offset).unwrap_or("");
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    let row = before.matches('\n').count() + 1;
    (row, before[line_start..].chars().count() + 1)
}

/// The line of the scenario, with a caret under the place.
fn show(text: &mut String, path: &Path, source: &str, span: Span) {
    let (row, column) = place(source, span);
    let line = source.lines().nth(row - 1).unwrap_or("");
    let width = source
        .get(span.offset..span.offset + span.len)
        .map_or(1, |said| {
            said.lines().next().unwrap_or("").chars().count().max(1)
        });
    let indent: String = line
        .chars()
        .take(column - 1)
        .map(|c| if c == '\t' { '\t' } else { ' ' })
        .collect();
    let _ = writeln!(text, "      {}:{row}:{column}", path.display());
    let _ = writeln!(text, "      {row:>4} │ {line}");
    let _ = writeln!(text, "           │ {indent}{}", "^".repeat(width));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_line_is_one_for_a_shell() {
        let line = |path: &str| replay_line(Path::new(path), 7);
        assert_eq!(line("a/b-1.kdl"), "evilbit replay a/b-1.kdl --seed 7");
        assert_eq!(line("a b.kdl"), "evilbit replay 'a b.kdl' --seed 7");
        assert_eq!(line("it's.kdl"), r"evilbit replay 'it'\''s.kdl' --seed 7");
        assert_eq!(line("-v.kdl"), "evilbit replay ./-v.kdl --seed 7");
    }

    #[test]
    fn a_place_is_counted_in_characters() {
        let span = |offset| Span { offset, len: 1 };
        assert_eq!(place("ab\né c", span(0)), (1, 1));
        assert_eq!(place("ab\né c", span(6)), (2, 3));
        assert_eq!(place("ab", span(99)), (1, 1));
    }
}
