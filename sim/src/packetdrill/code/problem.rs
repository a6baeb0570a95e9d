//! What can go wrong in a code block, and where.

use thiserror::Error;

/// Something wrong at a place of a block.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line} of the code block: {what}")]
pub struct Problem {
    /// Which block, counted from 0.
    pub block: usize,
    /// The line in it, counted from 1.
    pub line: usize,
    pub what: What,
}

impl Problem {
    /// In whichever block is being read.
    pub fn at(line: usize, what: What) -> Problem {
        Problem {
            block: 0,
            line,
            what,
        }
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum What {
    /// `assert` without a message, with the operands' values if it compares.
    #[error("`{text}` does not hold{values}")]
    Assertion { text: String, values: String },
    #[error("`{0}` is not part of the Python that blocks are written in")]
    Unknown(String),
    #[error("{expected} is missing before `{found}`")]
    Expected {
        expected: &'static str,
        found: String,
    },
    #[error("no variable, field or constant `{0}`")]
    NoName(String),
    #[error("no function `{0}`")]
    NoFunction(String),
    #[error("`{operator}` does not go with {left} and {right}")]
    Types {
        operator: &'static str,
        left: &'static str,
        right: &'static str,
    },
    #[error("division by zero")]
    DivisionByZero,
    #[error("a number is too large")]
    Overflow,
    #[error("the format does not fit its values")]
    Format,
    #[error("expressions are nested too deep")]
    TooDeep,
    #[error("the line is too long")]
    TooLong,
    #[error("the blocks do too much")]
    TooMuch,
}
