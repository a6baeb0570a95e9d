//! The `evilbit` binary. It belongs to another package than the tests, so Cargo does not bring it up to date by itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::scenario::root;

/// The binary as users get it, in the profile of the test that asks. Built once.
pub fn evilbit() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build(&[], &target()))
}

/// The binary with mistakes to plant. Built once, in a folder of its own: nobody finds it where the other one lies.
pub fn with_mistakes() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build(&["--features", "planted"], &target().join("planted")))
}

/// The folder of this test's profile: `target/PROFILE/deps/TEST` is the test.
fn profile() -> PathBuf {
    let me = std::env::current_exe().expect("a test has a path");
    let profile = me.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    profile.to_owned()
}

fn target() -> PathBuf {
    let target = profile().parent().map(Path::to_owned);
    target.expect("target/PROFILE")
}

fn build(how: &[&str], target: &Path) -> PathBuf {
    let profile = profile();
    let folder = profile.file_name().and_then(|name| name.to_str());
    let folder = folder.expect("a profile has a name");
    let name = if folder == "debug" { "dev" } else { folder };
    let mut build = Command::new(env!("CARGO"));
    build.args([
        "build",
        "--quiet",
        "--package",
        "evilbit",
        "--profile",
        name,
    ]);
    build.args(how).arg("--target-dir").arg(target);
    let built = build.current_dir(root()).status().expect("cargo runs");
    assert!(built.success(), "evilbit does not build");
    target.join(folder).join("evilbit")
}
