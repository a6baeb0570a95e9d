//! Standard output that survives a closed pipe: `evilbit run … | head -1` is silent about it, and its exit code still
//! tells how the run went.

use std::fmt::Display;
use std::io::{self, Write};

/// The result's lines, on stdout.
#[derive(Debug, Default)]
pub struct Out {
    closed: bool,
}

impl Out {
    /// Prints a line.
    pub fn line(&mut self, line: impl Display) {
        self.text(format_args!("{line}\n"));
    }

    /// Prints text as it is.
    pub fn text(&mut self, text: impl Display) {
        if self.closed {
            return;
        }
        let mut stdout = io::stdout().lock();
        if write!(stdout, "{text}")
            .and_then(|()| stdout.flush())
            .is_err()
        {
            // The reader has seen enough, or the disk is full: nobody is there to be told.
            self.closed = true;
        }
    }
}

/// Prints a line of talk on stderr; a closed stderr is nobody to talk to.
pub fn talk(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
