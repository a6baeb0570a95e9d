//! Why a script failed: where in it, what was expected and what came, side by side, and what went before.

use std::fmt::Write;
use std::path::Path;

use super::check::Difference;
use crate::plan::Span;
use crate::scenario::Problem;

/// A failure, at a place of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub span: Span,
    pub message: String,
    /// The script's line and what came instead.
    pub compared: Option<Compared>,
}

/// What was expected and what came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    pub expected: String,
    pub got: String,
    /// The part of `got` that differs.
    pub mark: String,
}

impl Failure {
    pub fn new(span: Span, message: impl Into<String>) -> Failure {
        Failure {
            span,
            message: message.into(),
            compared: None,
        }
    }

    /// A packet or an answer that is not what the script says.
    pub fn compared(
        span: Span,
        message: impl Into<String>,
        expected: impl ToString,
        got: impl ToString,
    ) -> Failure {
        Failure {
            span,
            message: message.into(),
            compared: Some(Compared {
                expected: expected.to_string(),
                got: got.to_string(),
                mark: String::new(),
            }),
        }
    }

    /// The same, with this part of what came underlined.
    pub fn marked(mut self, mark: impl Into<String>) -> Failure {
        if let Some(compared) = &mut self.compared {
            compared.mark = mark.into();
        }
        self
    }

    /// A packet that differs in a field.
    pub fn different(
        span: Span,
        difference: &Difference,
        expected: String,
        got: String,
    ) -> Failure {
        let Difference {
            field,
            expected: wanted,
            got: had,
            mark,
        } = difference;
        Failure {
            span,
            message: format!(
                "the packet's {field} differ{}: expected {wanted}, got {had}",
                verb(field)
            ),
            compared: Some(Compared {
                expected,
                got,
                mark: mark.clone(),
            }),
        }
    }

    /// The line of the script, from 1.
    pub fn line(&self, source: &str) -> usize {
        let before = source.get(..self.span.offset).unwrap_or(source);
        before.bytes().filter(|byte| *byte == b'\n').count() + 1
    }

    /// The text for people; `ladder` are the packets so far.
    pub fn text(&self, path: &Path, source: &str, ladder: &[String], replay: &str) -> String {
        let mut out = String::new();
        let mut line = |text: &str| writeln!(out, "{text}").expect("a String takes all");
        line(&format!(
            "{}:{}: {}",
            path.display(),
            self.line(source),
            self.message
        ));
        if let Some(compared) = &self.compared {
            line(&format!("  expected  {}", compared.expected));
            line(&format!("       got  {}", compared.got));
            let at = compared.got.find(&compared.mark);
            if let (Some(at), false) = (at, compared.mark.is_empty()) {
                let under = "^".repeat(compared.mark.chars().count());
                let before = compared.got[..at].chars().count();
                line(&format!("            {}{under}", " ".repeat(before)));
            }
        }
        if !ladder.is_empty() {
            line("  so far:");
            ladder.iter().for_each(|step| line(&format!("    {step}")));
        }
        line(&format!("  again: {replay}"));
        out
    }
}

/// The ending of a verb after a field's name.
fn verb(field: &str) -> &'static str {
    if field.ends_with('s') { "" } else { "s" }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        let Problem {
            span,
            message,
            hint,
            ..
        } = problem;
        Failure::new(span, format!("{message} ({hint})"))
    }
}
