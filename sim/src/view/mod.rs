//! What people and other programs see of a run: every view is a pure function of the trace's entries.
//!
//! In reading order: [`dissect`] decodes one protocol a file into one [`packet`]; [`tcpdump`] writes it as a line, and
//! [`line`] any entry, with remarks from [`notes`] and matchers in their own [`words`]. Of these are made the
//! [`ladder`] (drawn by `grid`), the [`snapshot`] (its file: [`snapfile`]), the counts of [`xen`], [`pcapng`] captures and [`json`] lines
//! (into files that are whole or not there: [`outfile`]). [`log`] is what the simulator says of itself. [`views`] is what a run was asked for of all this.

pub mod dissect;
mod grid;
pub mod json;
pub mod ladder;
pub mod line;
pub mod log;
pub mod notes;
pub mod outfile;
pub mod packet;
pub mod pcapng;
pub mod snapfile;
pub mod snapshot;
pub mod tcpdump;
pub mod views;
pub mod words;
pub mod xen;

#[cfg(test)]
pub mod testing;

pub use views::{Rendered, ViewError, Views, Wanted};
