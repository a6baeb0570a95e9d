//! A folder's files, in order of names and within bounds.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::SiteError;

/// The largest file, in bytes.
pub const MAX_FILE: u64 = 4 << 20;
/// The largest site, in bytes.
pub const MAX_SITE: u64 = 64 << 20;
/// The most files.
pub const MAX_FILES: usize = 10_000;
/// The deepest nesting of folders.
pub const MAX_DEPTH: usize = 8;

/// A file with its path relative to the folder, separated by slashes.
pub struct File {
    pub path: String,
    pub bytes: Vec<u8>,
}

/// Reads all files below a folder; names that begin with a dot are passed over.
pub fn read(dir: &Path) -> Result<Vec<File>, SiteError> {
    let folder = |e| SiteError::Folder(dir.display().to_string(), e);
    let root = dir.canonicalize().map_err(folder)?;
    fs::read_dir(&root).map_err(folder)?;
    let mut walk = Walk {
        root,
        files: Vec::new(),
        bytes: 0,
    };
    walk.folder("", 0)?;
    Ok(walk.files)
}

struct Walk {
    root: PathBuf,
    files: Vec<File>,
    bytes: u64,
}

impl Walk {
    fn folder(&mut self, path: &str, depth: usize) -> Result<(), SiteError> {
        if depth > MAX_DEPTH {
            return Err(SiteError::TooDeep(path.to_owned()));
        }
        let io = |e| SiteError::File(path.to_owned(), e);
        let mut names = Vec::new();
        for entry in fs::read_dir(self.root.join(path)).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            names.push(name.to_string_lossy().into_owned());
            if names.len() > MAX_FILES {
                return Err(SiteError::TooManyFiles(path.to_owned()));
            }
        }
        names.sort();
        for name in names.iter().filter(|n| !n.starts_with('.')) {
            let below = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}/{name}")
            };
            self.entry(below, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: String, depth: usize) -> Result<(), SiteError> {
        let in_url = |c: char| c.is_ascii_alphanumeric() || "-_.~/".contains(c);
        if !path.chars().all(in_url) {
            return Err(SiteError::Name(path));
        }
        let full = self.root.join(&path);
        let kind = match fs::symlink_metadata(&full) {
            Ok(metadata) => metadata.file_type(),
            Err(e) => return Err(SiteError::File(path, e)),
        };
        if kind.is_dir() {
            return self.folder(&path, depth + 1);
        }
        if kind.is_symlink() {
            let target = full.canonicalize();
            let inside = target.is_ok_and(|t| t.starts_with(&self.root) && t.is_file());
            if !inside {
                return Err(SiteError::Escapes(path));
            }
        } else if !kind.is_file() {
            return Err(SiteError::Special(path));
        }
        self.file(path, &full)
    }

    fn file(&mut self, path: String, full: &Path) -> Result<(), SiteError> {
        if self.files.len() == MAX_FILES {
            return Err(SiteError::TooManyFiles(path));
        }
        let mut bytes = Vec::new();
        let read = fs::File::open(full).and_then(|f| {
            let size = f.metadata()?.len();
            f.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
            Ok(size)
        });
        let size = match read {
            Ok(size) => size.max(bytes.len() as u64),
            Err(e) => return Err(SiteError::File(path, e)),
        };
        if size > MAX_FILE {
            return Err(SiteError::FileTooLarge(path, size));
        }
        self.bytes += size;
        if self.bytes > MAX_SITE {
            return Err(SiteError::SiteTooLarge(path));
        }
        self.files.push(File { path, bytes });
        Ok(())
    }
}
