//! README's tour, run as it stands there.

use tests::binary::evilbit;
use tests::scenario::root;

#[test]
fn the_tour_in_the_readme_is_true() {
    // The paths in it begin here.
    std::env::set_current_dir(root()).expect("the repository");
    trycmd::TestCases::new()
        .register_bin("evilbit", evilbit())
        .case("README.md")
        .run();
}
