//! Which scenarios a list of paths names: files as they are, folders by all scenarios below them, in order of names.

use std::fs;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

/// How deep folders are searched.
const DEPTH_MAX: usize = 32;

/// Why a path names no scenario.
#[derive(Debug, Error, Diagnostic)]
pub enum DiscoverError {
    #[error("{}: {error}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        error: std::io::Error,
    },
    #[error("{}: no scenario in this folder", path.display())]
    #[diagnostic(help("scenarios are files that end in .kdl"))]
    Empty { path: PathBuf },
    #[error("{}: folders are nested more than {DEPTH_MAX} deep", path.display())]
    TooDeep { path: PathBuf },
    #[error("{}: not a scenario", path.display())]
    #[diagnostic(help("scenarios are files that end in .kdl"))]
    NotAScenario { path: PathBuf },
}

/// The scenarios that `paths` name, each path's in order of their names.
pub fn scenarios(paths: &[PathBuf]) -> Result<Vec<PathBuf>, DiscoverError> {
    let mut found = Vec::new();
    for path in paths {
        let meta = fs::metadata(path).map_err(|error| DiscoverError::Io {
            path: path.clone(),
            error,
        })?;
        if meta.is_dir() {
            let before = found.len();
            below(path, DEPTH_MAX, &mut found)?;
            if found.len() == before {
                return Err(DiscoverError::Empty { path: path.clone() });
            }
        } else if path.extension().is_some_and(|e| e == "kdl") {
            found.push(path.clone());
        } else {
            return Err(DiscoverError::NotAScenario { path: path.clone() });
        }
    }
    Ok(found)
}

fn below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), DiscoverError> {
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
            below(&path, depth - 1, found)?;
        } else if kind.is_file() && path.extension().is_some_and(|e| e == "kdl") {
            found.push(path);
        }
    }
    Ok(())
}
