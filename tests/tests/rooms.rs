//! The three rooms and the contract between them: the arrows that the design draws, and no other.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Who may depend on whom.
const ARROWS: &[(&str, &str)] = &[
    ("evilbit", "evilbit-stack"),
    ("evilbit", "evilbit-xenemu"),
    ("evilbit-stack", "evilbit-xen-abi"),
    ("evilbit-xenemu", "evilbit-xen-abi"),
];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata failed");
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[test]
fn dependencies_between_the_rooms_are_the_designs_arrows_and_no_other() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let mut arrows = BTreeSet::new();
    for package in packages.iter().filter(|p| text(p, "name") != "tests") {
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            // Even in its tests no room sees another one.
            if text(dependency, "name").starts_with("evilbit") {
                arrows.insert((text(package, "name"), text(dependency, "name")));
            }
        }
    }
    assert_eq!(arrows, ARROWS.iter().copied().collect());
}
