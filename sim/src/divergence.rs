//! Two runs of one scenario that are not the same, by the first event in which they differ.

use crate::oracle::{Context, Failure};
use crate::plan::Plan;
use crate::trace::Entry;
use crate::view::line;
use crate::world::Run;

/// Where two runs of a plan part, if their hashes say that they do. Both kept their whole traces.
pub fn divergence(plan: &Plan, first: &Run, second: &Run) -> Option<Failure> {
    if first.hash == second.hash {
        return None;
    }
    let (a, b) = (first.trace.entries(), second.trace.entries());
    let n = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let mut context = Context::new(plan);
    a.iter().take(n).for_each(|entry| context.observe(entry));
    let say = |entry: Option<&Entry>| match entry {
        Some(entry) => line::entry(entry, &context),
        None => "the trace has ended".to_owned(),
    };
    let (first, second) = (say(a.get(n)), say(b.get(n)));
    let same = first.chars().zip(second.chars());
    let same = same.take_while(|(a, b)| a == b).count();
    Some(Failure {
        span: None,
        message: format!("not deterministic: two runs differ, first in event {n}"),
        evidence: vec![
            format!("first run: {}", around(&first, same)),
            format!("second run: {}", around(&second, same)),
        ],
    })
}

/// Characters shown of a line's beginning, and on either side of the first that differs.
const SHOWN: usize = 60;

/// A line without what is far from its beginning and from the character at `place`: a frame's bytes are many.
fn around(line: &str, place: usize) -> String {
    let chars: Vec<char> = line.chars().collect();
    let from = place.saturating_sub(SHOWN);
    let to = place.saturating_add(SHOWN).min(chars.len());
    let (head, gap) = match from > SHOWN {
        true => (&chars[..SHOWN], " … "),
        false => (&chars[..from], ""),
    };
    let tail = if to < chars.len() { " …" } else { "" };
    let text = |part: &[char]| part.iter().collect::<String>();
    format!("{}{gap}{}{tail}", text(head), text(&chars[from..to]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_shown_by_its_beginning_and_where_it_differs() {
        let line = format!("{}X{}", "a".repeat(200), "b".repeat(200));
        let shown = around(&line, 200);
        let (a, b) = ("a".repeat(60), "b".repeat(59));
        assert_eq!(shown, format!("{a} … {a}X{b} …"));
        assert_eq!(around("short", 3), "short");
        assert_eq!(around(&line[..100], 100), &line[..100]);
    }
}
