//! Scripts that test the tool: a comment `// Failure: …` announces that the event after it fails. Such a script passes
//! if it fails there, and only there.

use super::failure::Failure;
use super::verdict::{Ending, Verdict};
use crate::packetdrill::Loaded;
use crate::plan::Span;

const ANNOUNCEMENT: &str = "// Failure:";

/// The place of the event whose failure a comment announces.
fn announced(loaded: &Loaded) -> Option<Span> {
    let offset = loaded.source.find(ANNOUNCEMENT)?;
    let mut places = loaded.script.events.iter().map(|event| event.place.0);
    places.find(|place| place.offset > offset)
}

/// Turns an announced failure into a success, and its absence into a failure.
pub fn apply(verdict: &mut Verdict, loaded: &Loaded) {
    let Some(place) = announced(loaded) else {
        return;
    };
    let within = |span: Span| place.offset <= span.offset && span.offset < place.offset + place.len;
    match &verdict.ending {
        Ending::Failed(failure) if within(failure.span) => verdict.ending = Ending::Passed,
        Ending::Passed => {
            let what = "this event did not fail, though the comment before it says that it does";
            verdict.ending = Ending::Failed(Failure::new(place, what));
        }
        Ending::Failed(_) | Ending::Skipped(_) => {}
    }
}
