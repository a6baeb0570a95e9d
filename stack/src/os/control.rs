//! `control/shutdown`: the toolstack's wish, read and acknowledged in one transaction, then carried out.

use alloc::vec::Vec;

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

/// Reads the wish and writes "" in its place. The look before spares a transaction: the watch fires at first, and for
/// our own "" too.
async fn take_request<S: TcpIp>(os: &Os<S>) -> Result<Vec<u8>, Errno> {
    let xs = os.xenstore();
    if wish(&xs).await?.is_empty() {
        return Ok(Vec::new());
    }
    xs.transaction(async |t: &Xenstore<S>| {
        let wish = wish(t).await?;
        if !wish.is_empty() {
            t.write(NODE, b"").await?;
        }
        Ok(wish)
    })
    .await
}

async fn wish<S: TcpIp>(xs: &Xenstore<S>) -> Result<Vec<u8>, Errno> {
    match xs.read(NODE).await {
        Err(Errno::ENOENT) => Ok(Vec::new()),
        answer => answer,
    }
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
