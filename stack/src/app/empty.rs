//! Does nothing, and goes on doing so until it is told to stop.

use crate::os::{Os, TcpIp};

/// The application.
pub async fn main<S: TcpIp>(os: Os<S>) {
    os.stopping().await;
}
