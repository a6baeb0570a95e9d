//! `control/shutdown`: the toolstack's wish, read and acknowledged in one transaction, then carried out.

use xen_abi::Errno;
use xen_abi::sched::ShutdownReason;

use super::handle::Os;
use super::shared::TcpIp;
use super::xenstore::Xenstore;

const NODE: &str = "control/shutdown";

/// How often the applications may run between being told and being dropped.
const LAST_TURNS: u32 = 2;

/// Obeys the toolstack for as long as the domain lives.
pub async fn obey<S: TcpIp>(os: Os<S>) {
    if let Err(error) = watch_shutdown(&os).await {
        os.print(&alloc::format!("control: {error}"));
    }
}

async fn watch_shutdown<S: TcpIp>(os: &Os<S>) -> Result<(), Errno> {
    let watch = os.xenstore().watch(NODE).await?;
    loop {
        watch.changed().await;
        match take_request(os).await?.as_slice() {
            b"poweroff" | b"halt" => os.0.borrow_mut().begin_stop(ShutdownReason::Poweroff),
            b"reboot" => os.0.borrow_mut().begin_stop(ShutdownReason::Reboot),
            b"suspend" => os.0.borrow_mut().suspend = true,
            _ => {}
        }
    }
}

/// Reads the wish and writes "" in its place. Nothing, or what is no wish, stays as it is.
async fn take_request<S: TcpIp>(os: &Os<S>) -> Result<alloc::vec::Vec<u8>, Errno> {
    os.xenstore()
        .transaction(async |t: &Xenstore<S>| match t.read(NODE).await {
            Err(Errno::ENOENT) => Ok(alloc::vec::Vec::new()),
            Ok(wish) if wish.is_empty() => Ok(wish),
            Ok(wish) => t.write(NODE, b"").await.map(|()| wish),
            Err(error) => Err(error),
        })
        .await
}

/// Waits for the wish to stop, gives the applications their last turns, then has the kernel halt.
pub async fn stop<S: TcpIp>(os: Os<S>) {
    os.stopping().await;
    for _ in 0..LAST_TURNS {
        os.yield_now().await;
    }
    let mut shared = os.0.borrow_mut();
    shared.halt = shared.stopping;
}
