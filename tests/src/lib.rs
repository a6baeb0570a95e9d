//! What the integration tests in `tests/` share: the scenarios of the repository, and one way to run them.

pub mod interposed;
pub mod scenario;
