//! A program that is written while it runs: work is laid on its desk, a doorbell in xenstore is rung, and it is done in
//! the kernel's own turn, on the kernel's own stack, with the kernel's own clock. Conformance scripts are run so, with a
//! whole kernel on Xen's rings beneath their calls.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use xen_abi::Instant;

use crate::os::{Os, TcpIp};

/// The doorbell: a node below the domain's own path. Whatever is written there rings it.
pub const DOORBELL: &str = "data/desk";

/// Work for the program.
pub type Work<S> = Box<dyn FnOnce(Instant, &mut S)>;

/// What lies between the program and who writes it.
pub struct Desk<S> {
    work: RefCell<VecDeque<Work<S>>>,
    open: Cell<bool>,
}

impl<S> Default for Desk<S> {
    fn default() -> Desk<S> {
        Desk {
            work: RefCell::default(),
            open: Cell::new(false),
        }
    }
}

impl<S> Desk<S> {
    /// Whether the program is there and hears the doorbell.
    pub fn is_open(&self) -> bool {
        self.open.get()
    }

    /// Lays work on the desk.
    pub fn put(&self, work: Work<S>) {
        self.work.borrow_mut().push_back(work);
    }
}

/// The application: does what lies on the desk each time the doorbell rings, until the kernel stops.
pub async fn main<S: TcpIp>(os: Os<S>, desk: Rc<Desk<S>>) {
    let Ok(doorbell) = os.xenstore().watch(DOORBELL).await else {
        os.print("desk: no doorbell");
        return;
    };
    // What lies on the desk watches sockets itself.
    os.take_news();
    loop {
        // A watch fires once when it is registered: from then on it is heard.
        doorbell.changed().await;
        desk.open.set(true);
        loop {
            let next = desk.work.borrow_mut().pop_front();
            let Some(work) = next else { break };
            let done = os.with_net(|now, net| {
                work(now, net);
                Ok(())
            });
            if done.is_err() {
                os.print("desk: no stack");
            }
        }
    }
}
