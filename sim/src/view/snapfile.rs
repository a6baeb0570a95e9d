//! A snapshot's file, in insta's format: `X.snap` beside `X.kdl`, so that `cargo insta review` and `--accept` agree.
//!
//! A header between two lines of `---`, then the text, which insta compares without its trailing blanks.

use std::io;
use std::path::{Path, PathBuf};

use similar::TextDiff;
use thiserror::Error;

/// What the header says of a snapshot that `--accept` wrote first.
const SOURCE: &str = "tests/tests/scenarios.rs";
const EXPRESSION: &str = "snapshot";

/// The line before and behind the header.
const FENCE: &str = "---";

/// A file that cannot be read or written as a snapshot.
#[derive(Debug, Error)]
pub enum SnapError {
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error("{0}: not a snapshot: it has no header between two lines of ---")]
    Header(PathBuf),
}

/// How a text compares with the file that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    Same,
    /// There is no file yet.
    Missing,
    /// With a unified diff, from the accepted text to the new one.
    Different(String),
}

/// A snapshot as it stands in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapFile {
    /// The lines of the header.
    header: Vec<String>,
    /// Without blanks at the end.
    text: String,
}

/// Where a scenario's snapshot is.
pub fn path_of(scenario: &Path) -> PathBuf {
    scenario.with_extension("snap")
}

/// Compares a text with the accepted one.
pub fn compare(path: &Path, text: &str) -> Result<Comparison, SnapError> {
    let Some(file) = read(path)? else {
        return Ok(Comparison::Missing);
    };
    let new = normal(text);
    if file.text == new {
        return Ok(Comparison::Same);
    }
    Ok(Comparison::Different(diff(&file.text, &new)))
}

/// Accepts a text. The header of a file that is there stays as it is.
pub fn accept(path: &Path, text: &str) -> Result<(), SnapError> {
    let header = match read(path) {
        Ok(Some(file)) => file.header,
        Ok(None) | Err(SnapError::Header(_)) => vec![
            format!("source: {SOURCE}"),
            format!("expression: {EXPRESSION}"),
        ],
        Err(error) => return Err(error),
    };
    let file = SnapFile {
        header,
        text: normal(text),
    };
    let io = |error| SnapError::Io {
        path: path.into(),
        error,
    };
    let beside = path.with_extension("snap.tmp");
    std::fs::write(&beside, file.to_text()).map_err(io)?;
    std::fs::rename(&beside, path).map_err(io)
}

/// The snapshot in a file; `None` if there is none.
pub fn read(path: &Path) -> Result<Option<SnapFile>, SnapError> {
    match std::fs::read_to_string(path) {
        Ok(content) => match SnapFile::parse(&content) {
            Some(file) => Ok(Some(file)),
            None => Err(SnapError::Header(path.into())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SnapError::Io {
            path: path.into(),
            error,
        }),
    }
}

/// A unified diff of two texts.
pub fn diff(old: &str, new: &str) -> String {
    // Texts end without LF here; with it, the diff needs no remark about its absence.
    let (old, new) = (format!("{old}\n"), format!("{new}\n"));
    TextDiff::from_lines(&old, &new)
        .unified_diff()
        .context_radius(3)
        .header("accepted", "this run")
        .to_string()
}

impl SnapFile {
    fn parse(content: &str) -> Option<SnapFile> {
        let mut lines = content.lines();
        if lines.next()?.trim_end() != FENCE {
            return None;
        }
        let mut header = Vec::new();
        loop {
            let line = lines.next()?.trim_end();
            if line == FENCE {
                break;
            }
            header.push(line.to_string());
        }
        let rest: Vec<&str> = lines.collect();
        let text = normal(&rest.join("\n"));
        Some(SnapFile { header, text })
    }

    fn to_text(&self) -> String {
        let header = self.header.iter().map(|line| format!("{line}\n"));
        let header: String = header.collect();
        format!("{FENCE}\n{header}{FENCE}\n{}\n", self.text)
    }
}

/// What insta compares: LF, no blanks at the end.
fn normal(text: &str) -> String {
    text.trim_end().replace("\r\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let name = format!("evilbit-{name}-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&folder).expect("a folder for the test");
            Folder(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_was_accepted_compares_as_the_same_and_a_change_as_a_diff() {
        let folder = Folder::new("snap");
        let path = path_of(&folder.0.join("x.kdl"));
        assert!(path.ends_with("x.snap"));
        assert_eq!(compare(&path, "a\nb\n").expect("read"), Comparison::Missing);
        accept(&path, "a\nb\n").expect("written");
        assert_eq!(compare(&path, "a\nb").expect("read"), Comparison::Same);
        let Comparison::Different(diff) = compare(&path, "a\nc\n").expect("read") else {
            panic!("different");
        };
        assert!(diff.contains("-b\n+c\n"), "{diff}");
    }

    #[test]
    fn the_file_is_instas() {
        let folder = Folder::new("insta");
        let path = folder.0.join("x.snap");
        accept(&path, "  a\n\nb\n\n").expect("written");
        let content = std::fs::read_to_string(&path).expect("read");
        let expected =
            "---\nsource: tests/tests/scenarios.rs\nexpression: snapshot\n---\n  a\n\nb\n";
        assert_eq!(content, expected);
    }

    #[test]
    fn a_header_that_insta_wrote_stays() {
        let folder = Folder::new("header");
        let path = folder.0.join("x.snap");
        let file = "---\nsource: a.rs\nexpression: \"f(\\\"x\\\")\"\ninput_file: x.kdl\n---\nold\n";
        std::fs::write(&path, file).expect("written");
        accept(&path, "new").expect("written");
        let content = std::fs::read_to_string(&path).expect("read");
        assert_eq!(content, file.replace("old", "new"));
    }

    #[test]
    fn a_file_without_a_header_is_no_snapshot() {
        let folder = Folder::new("bad");
        let path = folder.0.join("x.snap");
        std::fs::write(&path, "---\nsource: x\n").expect("written");
        assert!(matches!(compare(&path, ""), Err(SnapError::Header(_))));
        accept(&path, "new").expect("replaced");
        assert_eq!(compare(&path, "new").expect("read"), Comparison::Same);
    }
}
