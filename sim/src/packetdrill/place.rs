//! Where a node of the script was said.

use crate::plan::Span;

/// A span that compares equal to any other: where something was said is no part of what was said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place(pub Span);

impl PartialEq for Place {
    fn eq(&self, _: &Place) -> bool {
        true
    }
}

impl Eq for Place {}
