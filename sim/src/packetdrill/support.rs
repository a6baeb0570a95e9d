//! The one table of what scripts may use and still be run. What is not in it blocks a script.

use super::construct::{Class, Construct};

/// What can be run. Parsing is not running: nothing is here until something runs it.
const RUNS: &[(Class, &str)] = &[];

/// Can this be run?
pub fn runs(construct: &Construct) -> bool {
    let mut all = RUNS.iter();
    all.any(|&(class, name)| class == construct.class && name == construct.name)
}
