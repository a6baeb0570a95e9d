//! README's tour, run as it stands there.

use crate::bench::{evilbit, repository};

#[test]
fn the_tour_in_the_readme_is_true() {
    // The paths in it begin here.
    std::env::set_current_dir(repository()).expect("the repository");
    trycmd::TestCases::new()
        .register_bin("evilbit", evilbit())
        .case("README.md")
        .run();
}
