//! Standard output that survives a closed pipe: `evilbit run … | head -1` is silent about it, and its exit code still
//! tells how the run went. A disk that is full is another matter: the result is not there, and that is said.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};

/// The result's lines, on stdout.
#[derive(Debug, Default)]
pub struct Out {
    /// Why nothing more is written.
    closed: Option<ErrorKind>,
}

impl Out {
    /// Prints a line.
    pub fn line(&mut self, line: impl Display) {
        self.text(format_args!("{line}\n"));
    }

    /// Prints text as it is.
    pub fn text(&mut self, text: impl Display) {
        if self.closed.is_some() {
            return;
        }
        let mut stdout = io::stdout().lock();
        if let Err(error) = write!(stdout, "{text}").and_then(|()| stdout.flush()) {
            self.closed = Some(error.kind());
            if error.kind() != ErrorKind::BrokenPipe {
                talk(format_args!("error: stdout: {error}"));
            }
        }
    }

    /// Whether the result reached its reader, or one that had seen enough.
    pub fn arrived(&self) -> bool {
        matches!(self.closed, None | Some(ErrorKind::BrokenPipe))
    }
}

/// Prints a line of talk on stderr; a closed stderr is nobody to talk to.
pub fn talk(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Whether the talk may be coloured: on a terminal, unless <https://no-color.org> is heeded.
pub fn colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !refused
}
