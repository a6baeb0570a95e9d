//! The views that a run was asked for, fed once with each entry.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use pcap_file::PcapError;
use thiserror::Error;

use super::json::JsonLines;
use super::ladder::{Filter, Ladder};
use super::outfile::OutFile;
use super::pcapng::{Capture, taps_of};
use super::snapshot::{Snapshot, columns};
use super::xen::XenCounts;
use crate::oracle::context::Context;
use crate::plan::Plan;
use crate::trace::entry::Entry;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Wanted {
    pub ladder: bool,
    pub xen: bool,
    /// What the plan's `snapshot` block asks for.
    pub snapshot: bool,
    /// A capture of all taps, into this file.
    pub pcap: Option<PathBuf>,
    /// A capture of each tap, into a file of its own in this folder: `blog-vif0.pcapng`.
    pub pcap_taps: Option<PathBuf>,
    /// The trace as JSON lines, into this file.
    pub trace: Option<PathBuf>,
}

/// A view's file could not be written.
#[derive(Debug, Error)]
pub enum ViewError {
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error("{path}: {error}")]
    Capture { path: PathBuf, error: PcapError },
}

/// What was asked for as text; files are in their places.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Rendered {
    pub ladder: Option<String>,
    pub xen: Option<String>,
    pub snapshot: Option<String>,
}

/// Views in the making.
#[derive(Default)]
pub struct Views {
    ladder: Option<Ladder>,
    xen: Option<XenCounts>,
    snapshot: Option<Snapshot>,
    captures: Vec<(PathBuf, Capture<OutFile>)>,
    trace: Option<(PathBuf, JsonLines<OutFile>)>,
    /// The first that went wrong; that view is given up, the run goes on.
    error: Option<ViewError>,
}

impl Views {
    /// Begins the views; files must be creatable.
    pub fn open(plan: &Plan, wanted: &Wanted) -> Result<Views, ViewError> {
        let trace = wanted.trace.as_ref().map(|path| {
            let lines = JsonLines::new(create(path)?);
            Ok((path.clone(), lines))
        });
        Ok(Views {
            ladder: wanted
                .ladder
                .then(|| Ladder::new(Filter::default(), columns(plan))),
            xen: wanted.xen.then(XenCounts::default),
            snapshot: wanted.snapshot.then(|| Snapshot::new(plan)),
            captures: captures(plan, wanted)?,
            trace: trace.transpose()?,
            error: None,
        })
    }

    /// Takes the next entry, which the context has observed already.
    pub fn feed(&mut self, entry: &Entry, context: &Context) {
        if let Some(ladder) = &mut self.ladder {
            ladder.feed(entry, context);
        }
        if let Some(xen) = &mut self.xen {
            xen.feed(entry, context);
        }
        if let Some(snapshot) = &mut self.snapshot {
            snapshot.feed(entry, context);
        }
        let failed = self.captures.iter_mut().find_map(|(path, capture)| {
            let error = capture.feed(entry, context).err()?;
            Some(capture_error(path)(error))
        });
        if let Some(error) = failed {
            self.error.get_or_insert(error);
            self.captures.clear();
        }
        if let Some((path, lines)) = &mut self.trace
            && let Err(error) = lines.feed(entry, context)
        {
            self.error.get_or_insert(io_error(path)(error));
            self.trace = None;
        }
    }

    /// Puts files in their places, and gives the texts.
    pub fn finish(self) -> Result<Rendered, ViewError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut files = Vec::new();
        for (path, capture) in self.captures {
            let mut file = capture.finish().map_err(capture_error(&path))?;
            file.flush().map_err(io_error(&path))?;
            files.push((path, file));
        }
        if let Some((path, lines)) = self.trace {
            let file = lines.finish().map_err(io_error(&path))?;
            files.push((path, file));
        }
        // All are whole: none is put in its place before that is sure.
        for (path, file) in files {
            file.commit().map_err(io_error(&path))?;
        }
        Ok(Rendered {
            ladder: self.ladder.map(|ladder| ladder.render()),
            xen: self.xen.map(|xen| xen.render()),
            snapshot: self.snapshot.map(|snapshot| snapshot.render()),
        })
    }
}

/// Begins the captures that are asked for.
fn captures(plan: &Plan, wanted: &Wanted) -> Result<Vec<(PathBuf, Capture<OutFile>)>, ViewError> {
    let mut captures = Vec::new();
    if let Some(path) = &wanted.pcap {
        let capture = Capture::new(plan, create(path)?).map_err(capture_error(path))?;
        captures.push((path.clone(), capture));
    }
    if let Some(folder) = &wanted.pcap_taps {
        for tap in taps_of(plan) {
            let path = folder.join(format!("{}.pcapng", tap.replace(' ', "-")));
            let capture = Capture::of_tap(plan, &tap, create(&path)?);
            captures.push((path.clone(), capture.map_err(capture_error(&path))?));
        }
    }
    Ok(captures)
}

fn create(path: &Path) -> Result<OutFile, ViewError> {
    OutFile::create(path).map_err(io_error(path))
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> ViewError {
    let path = path.to_path_buf();
    move |error| ViewError::Io {
        path: path.clone(),
        error,
    }
}

fn capture_error(path: &Path) -> impl Fn(PcapError) -> ViewError {
    let path = path.to_path_buf();
    move |error| ViewError::Capture {
        path: path.clone(),
        error,
    }
}
