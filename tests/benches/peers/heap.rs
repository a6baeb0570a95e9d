//! How many bytes of heap are in use: the system's allocator with a count.

#![allow(
    unsafe_code,
    reason = "an allocator's trait is unsafe to implement; this one only passes calls on"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

struct Counting;

#[global_allocator]
static HEAP: Counting = Counting;

static IN_USE: AtomicIsize = AtomicIsize::new(0);

/// Bytes in use.
pub fn in_use() -> isize {
    IN_USE.load(Ordering::Relaxed)
}

fn count(bytes: usize, sign: isize) {
    IN_USE.fetch_add(bytes as isize * sign, Ordering::Relaxed);
}

// SAFETY: every call goes unchanged to the system's allocator, which keeps the trait's promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
}
