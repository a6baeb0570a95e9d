//! The single-threaded executor: it polls tasks that something woke, a bounded number at a time.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};

use futures_util::stream::{FuturesUnordered, StreamExt};

/// A task: it owns what it needs, and ends without a value.
pub type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Set when any task is woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The tasks of a kernel.
#[derive(Default)]
pub struct Executor {
    tasks: FuturesUnordered<Task>,
    woken: Arc<Woken>,
}

impl Executor {
    /// Adds a task, to be polled soon.
    pub fn spawn(&mut self, task: Task) {
        self.tasks.push(task);
        self.woken.0.store(true, Ordering::Relaxed);
    }

    /// Whether a task waits to be polled.
    pub fn is_ready(&self) -> bool {
        self.woken.0.load(Ordering::Relaxed)
    }

    /// Polls tasks that are ready: each at most about once, so that a task that wakes itself cannot hold the kernel.
    pub fn poll(&mut self) {
        if !self.woken.0.swap(false, Ordering::Relaxed) {
            return;
        }
        let waker = Waker::from(self.woken.clone());
        let mut context = Context::from_waker(&waker);
        // Every turn but the last ends a task.
        while let Poll::Ready(Some(())) = self.tasks.poll_next_unpin(&mut context) {}
    }

    /// Drops all tasks.
    pub fn clear(&mut self) {
        self.tasks.clear();
    }
}

#[cfg(test)]
mod tests {
    use alloc::rc::Rc;
    use core::cell::Cell;
    use core::future::poll_fn;

    use super::*;

    #[test]
    fn a_task_that_wakes_itself_for_ever_does_not_hold_the_kernel() {
        let polls = Rc::new(Cell::new(0));
        let counter = polls.clone();
        let mut executor = Executor::default();
        executor.spawn(Box::pin(poll_fn(move |cx| {
            counter.set(counter.get() + 1);
            cx.waker().wake_by_ref();
            Poll::Pending
        })));
        executor.poll();
        let first = polls.get();
        assert!((1..5).contains(&first));
        assert!(executor.is_ready());
        executor.poll();
        assert!(polls.get() > first);
    }

    #[test]
    fn a_task_that_sleeps_is_not_polled() {
        let polls = Rc::new(Cell::new(0));
        let counter = polls.clone();
        let mut executor = Executor::default();
        executor.spawn(Box::pin(poll_fn(move |_| {
            counter.set(counter.get() + 1);
            Poll::Pending
        })));
        executor.poll();
        executor.poll();
        assert_eq!(polls.get(), 1);
        assert!(!executor.is_ready());
    }
}
