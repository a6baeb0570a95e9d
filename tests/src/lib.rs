//! What the integration tests in `tests/` share: the scenarios of the repository and one way to run them, the binary, and
//! the programs from outside that some need.

pub mod binary;
pub mod corpora;
pub mod interposed;
pub mod scenario;
pub mod tools;
