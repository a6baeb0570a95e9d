//! The scenario language: from a file to a [`Plan`], or to a report of all that is wrong with it.
//!
//! In reading order, which is the way of a file:
//!
//! - [`prescan`]: is it a text, and shallow enough to be parsed at all?
//! - [`syntax`]: words, arguments, properties, blocks
//! - [`names`]: who is declared
//! - [`language`]: the table of words; [`shape`] checks the lines against it, with [`value`], [`address`] and [`units`],
//!   and makes a [`node`] of each
//! - [`lower`]: what the words mean together, and the plan
//! - [`report`]: problems with place, caret and hint; [`suggest`]: did you mean
//! - [`reference`]: the table, printed

mod address;
pub(crate) mod language;
mod lower;
mod names;
mod node;
mod prescan;
mod reference;
pub mod report;
mod shape;
pub(crate) mod suggest;
mod syntax;
mod units;
mod value;

use std::path::Path;
use std::sync::Arc;

pub use address::AUTO_CIDR;
pub use language::GUESTS;
pub use reference::reference;
pub use report::{Problem, Report};
pub(crate) use units::days_since_1970;

use crate::plan::{Plan, Span};

/// What the command line says instead of the file, or in addition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Instead of the scenario's seed.
    pub seed: Option<u64>,
    /// Guests that the caller can build beyond [`GUESTS`].
    pub guests: Vec<String>,
}

/// Reads, checks and lowers a scenario's file.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Plan, Report> {
    let bytes = read(path).map_err(|error| {
        let problem = Problem::new(
            Span::default(),
            format!("the file cannot be read: {error}"),
            "no scenario",
            "give the path of a .kdl file",
        );
        Report::new(path, "".into(), vec![problem])
    })?;
    let base = path.parent().unwrap_or(Path::new(""));
    let mut plan = parse(&bytes, path, base, overrides)?;
    plan.path = Some(path.to_owned());
    Ok(plan)
}

/// At most one byte more than a scenario may have: the pre-scan refuses it then.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    // Opening a pipe would wait for whoever writes to it.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    let most = u64::try_from(prescan::MAX_BYTES).expect("1 MiB") + 1;
    std::fs::File::open(path)?
        .take(most)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Checks and lowers a scenario's text; `name` stands in messages, folders are relative to `base`.
pub fn parse(
    bytes: &[u8],
    name: &Path,
    base: &Path,
    overrides: &Overrides,
) -> Result<Plan, Report> {
    let shown: Arc<str> = String::from_utf8_lossy(bytes).into();
    let report = |problems| Report::new(name, Arc::clone(&shown), problems);
    let text = prescan::check(bytes).map_err(|problem| report(vec![problem]))?;
    let document = syntax::parse(text).map_err(report)?;
    let mut problems = Vec::new();
    let names = names::Names::gather(&document, &overrides.guests, &mut problems);
    let nodes = shape::document(&document, &names, &mut problems);
    let plan = lower::plan(&nodes, &names, base, overrides, &mut problems);
    match plan {
        Some(mut plan) if problems.is_empty() => {
            plan.source = Arc::clone(&shown);
            Ok(plan)
        }
        _ => Err(report(problems)),
    }
}

#[cfg(test)]
mod tests;
