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
    let say = |run: &str, entry: Option<&Entry>| match entry {
        Some(entry) => format!("{run}: {}", line::entry(entry, &context)),
        None => format!("{run}: the trace has ended"),
    };
    Some(Failure {
        span: None,
        message: format!("not deterministic: two runs differ, first in event {n}"),
        evidence: vec![say("first run", a.get(n)), say("second run", b.get(n))],
    })
}
