//! Does nothing, and goes on doing so until it is told to stop: it has no stack, and throws away what it receives.

use core::pin::pin;

use futures_util::future::select;

use crate::os::{FramePort, Os};

/// The application.
pub async fn main(os: Os<FramePort>) {
    let frames = async { while os.recv_frame().await.is_ok() {} };
    select(pin!(frames), os.stopping()).await;
    os.stopping().await;
}
