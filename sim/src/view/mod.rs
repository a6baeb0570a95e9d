//! What people and other programs see of a run: every view is a pure function of the trace's entries.
//!
//! In reading order: [`dissect`] decodes one protocol a file into one [`packet`]; [`tcpdump`] writes it as a line, and
//! [`line`] any entry, with remarks from [`notes`] and matchers in their own [`words`].

pub mod dissect;
pub mod line;
pub mod notes;
pub mod packet;
pub mod tcpdump;
pub mod words;

#[cfg(test)]
pub mod testing;
