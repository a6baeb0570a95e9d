//! Where the packetdrill suites of google and FreeBSD are. They are other people's and not in this repository: what needs
//! them is skipped by name where they are not beside it.

use std::path::PathBuf;

use crate::scenario::root;

/// The folder that holds `google/` and `freebsd/`: what `EVILBIT_PACKETDRILL` says, or `../shared/packetdrill` as seen
/// from the repository. `None` if they are not there.
pub fn folder() -> Option<PathBuf> {
    let beside = || root().join("../shared/packetdrill");
    let folder = std::env::var_os("EVILBIT_PACKETDRILL").map_or_else(beside, PathBuf::from);
    let whole = ["google", "freebsd"].map(|name| folder.join(name).is_dir());
    (whole == [true; 2]).then_some(folder)
}
