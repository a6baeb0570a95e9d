//! What is wrong with a file, shown where it is wrong: place, caret and hint for each problem.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError,
    MietteSpanContents, SourceCode, SourceSpan, SpanContents,
};

use crate::plan::Span;

/// How many problems are shown; the rest are counted.
pub const MAX_SHOWN: usize = 20;
/// The longest message or hint, in characters.
const MAX_TEXT: usize = 1_000;
/// How much of a long line is shown before and after a problem.
const EXCERPT: usize = 160;

/// The text with control characters replaced by others of as many bytes, so that places stay.
fn harmless(text: &str) -> String {
    let replace = |c: char| match c {
        '\n' | '\t' => c,
        c if c.is_control() && c.is_ascii() => '?',
        c if c.is_control() => '·',
        c => c,
    };
    text.chars().map(replace).collect()
}

/// One problem. There is none without a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub span: Span,
    pub message: String,
    /// What stands beside the caret.
    pub label: String,
    /// What to do about it.
    pub hint: String,
}

impl Problem {
    pub fn new(
        span: Span,
        message: String,
        label: impl Into<String>,
        hint: impl Into<String>,
    ) -> Problem {
        Problem {
            span,
            message: clip(message),
            label: label.into(),
            hint: clip(hint.into()),
        }
    }
}

/// A text that quotes the file, cut to what anybody reads.
fn clip(text: String) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// All that is wrong with one file, in order of place.
#[derive(Clone, Debug)]
pub struct Report {
    /// The file as the user named it.
    pub file: String,
    source: Arc<str>,
    problems: Vec<Problem>,
}

impl Report {
    /// A report has at least one problem. What would steer a terminal is not shown: the file may be anybody's.
    pub fn new(file: &Path, source: Arc<str>, mut problems: Vec<Problem>) -> Report {
        assert!(!problems.is_empty(), "a report without a problem");
        problems.sort_by_key(|p| p.span.offset);
        Report {
            file: harmless(&file.display().to_string()),
            source: harmless(&source).into(),
            problems,
        }
    }

    /// The problems, in order of place.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The line and column (in characters) of a place, both from 1.
    pub fn place(&self, span: Span) -> (usize, usize) {
        let (line, start) = line_of(&self.source, span.offset);
        let before = self.source.get(start..span.offset).unwrap_or("");
        (line + 1, before.chars().count() + 1)
    }

    /// The text for people: in colour on a terminal, plain ASCII elsewhere.
    pub fn render(&self, colour: bool) -> String {
        let mut theme = if colour {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::none()
        };
        if !colour {
            // A caret also where the label hangs on it.
            theme.characters.underbar = '^';
        }
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(100)
            .with_links(false);
        let mut out = String::new();
        for problem in self.problems.iter().take(MAX_SHOWN) {
            let shown = Shown {
                report: self,
                problem,
            };
            if handler.render_report(&mut out, &shown).is_err() {
                // A place that cannot be shown still gets its words.
                let (line, column) = self.place(problem.span);
                out.push_str(&format!(
                    "{}:{line}:{column}: {}\n",
                    self.file, problem.message
                ));
            }
        }
        if let Some(more) = self.problems.len().checked_sub(MAX_SHOWN + 1) {
            out.push_str(&format!("… and {} more\n", more + 1));
        }
        out
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Report {}

/// The number and the first byte of the line that holds `offset`.
fn line_of(text: &str, offset: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.iter().filter(|&&b| b == b'\n').count();
    let start = before
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |n| n + 1);
    (line, start)
}

/// A problem as miette wants it.
#[derive(Debug)]
struct Shown<'a> {
    report: &'a Report,
    problem: &'a Problem,
}

impl Shown<'_> {
    /// The problem's span, cut to its first line and to the file.
    fn span(&self) -> SourceSpan {
        let text = &self.report.source;
        let offset = floor(text, self.problem.span.offset);
        let line = text[offset..].find('\n').unwrap_or(text.len() - offset);
        let len = self.problem.span.len.min(line).min(EXCERPT / 2);
        (offset, floor(text, offset + len) - offset).into()
    }
}

/// The nearest character boundary at or before `offset`.
fn floor(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.problem.hint))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.report)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::new_with_span(Some(self.problem.label.clone()), self.span());
        Some(Box::new(std::iter::once(label)))
    }
}

/// The line of a span, or as much of it as a reader wants to see: a megabyte on one line is not printed.
impl SourceCode for Report {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        _lines_before: usize,
        _lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let text = &*self.source;
        let at = span.offset();
        if at > text.len() {
            return Err(MietteError::OutOfBounds);
        }
        let (line, line_start) = line_of(text, at);
        let start = line_start.max(floor(text, at.saturating_sub(EXCERPT)));
        let line_end = text[floor(text, at)..]
            .find('\n')
            .map_or(text.len(), |n| floor(text, at) + n);
        let end = line_end
            .min(floor(text, at + span.len() + EXCERPT))
            .max(start);
        let (_, column) = self.place(Span { offset: at, len: 0 });
        Ok(Box::new(MietteSpanContents::new_named(
            self.file.clone(),
            &text.as_bytes()[start..end],
            (start, end - start).into(),
            line,
            column - 1,
            1,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(source: &str, offset: usize) -> Report {
        let problem = Problem::new(
            Span { offset, len: 3 },
            "it is wrong".into(),
            "here",
            "do better",
        );
        Report::new(Path::new("a.kdl"), source.into(), vec![problem])
    }

    #[test]
    fn a_problem_has_its_place_its_caret_and_its_hint() {
        let text = report("machine\n  é foo bar\n", 13).render(false);
        assert!(text.contains("a.kdl:2:5"), "{text}");
        assert!(text.contains("é foo bar"), "{text}");
        assert!(text.contains("^^^"), "{text}");
        assert!(text.contains("do better"), "{text}");
        assert!(!text.contains('\u{1b}'), "no colour: {text}");
    }

    #[test]
    fn a_file_does_not_steer_the_terminal() {
        let source = "a\u{1b}[2J\u{9b}5m\r\n b";
        let text = report(source, source.len() - 1).render(false);
        assert!(text.contains("a.kdl:2:2"), "{text}");
        let first = report(source, 0).render(false);
        assert!(first.contains("a?[2J·5m?"), "{first}");
    }

    #[test]
    fn any_place_can_be_shown() {
        for source in ["", "\n", "é", "ab\ncd"] {
            for offset in 0..=source.len() + 2 {
                assert!(report(source, offset).render(true).contains("it is wrong"));
            }
        }
        let long = "x".repeat(1 << 20);
        assert!(report(&long, 500_000).render(false).len() < 2_000);
    }

    #[test]
    fn twenty_are_shown_and_the_rest_counted() {
        let one = report("a\n", 0).problems()[0].clone();
        let many = Report::new(Path::new("a"), "a\n".into(), vec![one; 25]);
        let text = many.render(false);
        assert_eq!(text.matches("it is wrong").count(), 20);
        assert!(text.ends_with("… and 5 more\n"));
    }
}
