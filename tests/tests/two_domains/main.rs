//! Two domains on one machine: each boots, connects its vif, and speaks to the other through netfront, rings, grants,
//! netback and the bridge. Nothing in the path is a stand-in; the record of it is the same however time is cut.
//!
//! - [`bench`]: a machine, domains on it, and what is seen of them.
//! - [`traffic`]: what the domains say to each other.

mod bench;
mod traffic;
