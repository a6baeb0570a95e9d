//! Which files a list of paths names: files as they are, folders by all files of the sort below them, in order of names.

use std::fs;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

/// How deep folders are searched.
const DEPTH_MAX: usize = 32;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Scenarios, `.kdl`.
    Scenario,
    /// packetdrill scripts, `.pkt`.
    Script,
    /// Either.
    Any,
}

impl Sort {
    fn extensions(self) -> &'static [&'static str] {
        match self {
            Sort::Scenario => &["kdl"],
            Sort::Script => &["pkt"],
            Sort::Any => &["kdl", "pkt"],
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Sort::Scenario => "scenario",
            Sort::Script => "script",
            Sort::Any => "scenario or script",
        }
    }

    /// What the names of such files end in.
    fn endings(self) -> String {
        let endings: Vec<String> = self.extensions().iter().map(|e| format!(".{e}")).collect();
        endings.join(" or ")
    }

    /// Is the file of this sort, by its name?
    pub fn fits(self, path: &Path) -> bool {
        let extension = path.extension().and_then(|e| e.to_str());
        extension.is_some_and(|e| self.extensions().contains(&e))
    }
}

/// Why a path names no such file.
#[derive(Debug, Error, Diagnostic)]
pub enum DiscoverError {
    #[error("{}: {error}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        error: std::io::Error,
    },
    #[error("{}: no {} in this folder", path.display(), sort.noun())]
    #[diagnostic(help("a {} is a file that ends in {}", sort.noun(), sort.endings()))]
    Empty { path: PathBuf, sort: Sort },
    #[error("{}: folders are nested more than {DEPTH_MAX} deep", path.display())]
    TooDeep { path: PathBuf },
    #[error("{}: not a {}", path.display(), sort.noun())]
    #[diagnostic(help("a {} is a file that ends in {}", sort.noun(), sort.endings()))]
    NotOfTheSort { path: PathBuf, sort: Sort },
}

/// The files of a sort that `paths` name, each path's in order of their names.
pub fn files(paths: &[PathBuf], sort: Sort) -> Result<Vec<PathBuf>, DiscoverError> {
    let mut found = Vec::new();
    for path in paths {
        let meta = fs::metadata(path).map_err(|error| DiscoverError::Io {
            path: path.clone(),
            error,
        })?;
        if meta.is_dir() {
            let before = found.len();
            below(path, sort, DEPTH_MAX, &mut found)?;
            if found.len() == before {
                return Err(DiscoverError::Empty {
                    path: path.clone(),
                    sort,
                });
            }
        } else if sort.fits(path) {
            found.push(path.clone());
        } else {
            return Err(DiscoverError::NotOfTheSort {
                path: path.clone(),
                sort,
            });
        }
    }
    Ok(found)
}

fn below(
    folder: &Path,
    sort: Sort,
    depth: usize,
    found: &mut Vec<PathBuf>,
) -> Result<(), DiscoverError> {
    let io = |error| DiscoverError::Io {
        path: folder.to_owned(),
        error,
    };
    if depth == 0 {
        return Err(DiscoverError::TooDeep {
            path: folder.to_owned(),
        });
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        // Links are not followed: a loop of them has no end.
        let kind = entry.file_type().map_err(io)?;
        paths.push((entry.path(), kind));
    }
    paths.sort_by(|a, b| a.0.cmp(&b.0));
    for (path, kind) in paths {
        if kind.is_dir() {
            below(&path, sort, depth - 1, found)?;
        } else if kind.is_file() && sort.fits(&path) {
            found.push(path);
        }
    }
    Ok(())
}
