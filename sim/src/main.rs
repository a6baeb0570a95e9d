//! The `evilbit` command.
fn main() {}
