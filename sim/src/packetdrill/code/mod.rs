//! Code blocks: the subset of Python in which scripts assert what `TCP_INFO` says. All blocks of a script are one
//! program that runs after the last event; each sees the fields as they were sampled at its own event, and the variables
//! that the blocks before it have set.
//!
//! In reading order: [`token`] cuts lines into tokens, [`parse`](mod@parse) makes the [`tree`], [`eval`] runs it over
//! [`value`]s with [`format`](mod@format) for `%`; [`constants`] are the kernels' names for numbers; [`problem`] is what
//! can go wrong, and where. There are no loops, definitions or attributes, depth and steps have bounds, so a block ends.

pub mod constants;
pub mod eval;
pub mod format;
pub mod parse;
pub mod problem;
pub mod token;
pub mod tree;
pub mod value;

#[cfg(test)]
mod tests;

pub use problem::{Problem, What};

/// A block, and what its names mean: `tcpi_` fields, and nothing else, come from the sample.
pub struct Block<'a> {
    pub text: &'a str,
    /// The value of a field by its whole name, if the socket's `TCP_INFO` has it.
    pub field: &'a dyn Fn(&str) -> Option<i64>,
}

/// Runs blocks as one program; what they print.
///
/// # Errors
///
/// The first assertion that does not hold, and whatever is not in the subset.
pub fn run(blocks: &[Block<'_>]) -> Result<String, Problem> {
    let mut machine = eval::Machine::default();
    for (number, block) in blocks.iter().enumerate() {
        let in_block = |problem: Problem| Problem {
            block: number,
            ..problem
        };
        let statements = parse::parse(block.text).map_err(in_block)?;
        machine.run(&statements, block.field).map_err(in_block)?;
    }
    Ok(machine.printed)
}

/// Whether a block is in the subset.
///
/// # Errors
///
/// What is not in the subset.
pub fn check(text: &str) -> Result<(), Problem> {
    parse::parse(text).map(drop)
}
