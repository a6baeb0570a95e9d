//! The command line, as a shell sees it: exit codes, what goes to stdout and to stderr, what is left on the disk.
//!
//! [`contract`]: what each command promises. [`bad_input`]: files that mean nothing. [`bad_places`]: files that cannot be
//! written. [`packetdrill`]: scripts of that language. [`tour`]: README's commands and their output.

mod bad_input;
mod bad_places;
mod bench;
mod contract;
mod packetdrill;
mod tour;
