//! The last look at a ring before a guest halts (`RING_FINAL_CHECK_FOR_RESPONSES`), watched, and taken out of a guest
//! that is *blind*: there it shows what the guest has seen before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use xen_abi::io::ring::{RSP_EVENT, RSP_PROD};
use xen_abi::{Gfn, Gpa, Hypercalls, Width};

use crate::interposed::Between;

/// A guest asks for an event, and would look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub ring: Gfn,
    /// The call that looked before.
    pub before: u64,
    /// The call that asks for the event.
    pub asks: u64,
}

/// All that a guest did, also for those who only have its machine.
#[derive(Clone, Debug, Default)]
pub struct Looks(Arc<Mutex<Vec<Look>>>);

impl Looks {
    /// So far.
    pub fn all(&self) -> Vec<Look> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
    fn add(&self, look: Look) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.push(look);
    }
}

/// Watches a guest's last looks.
#[derive(Debug, Default)]
pub struct LastLook {
    blind: bool,
    looks: Looks,
    /// Calls made, as the machine numbers them.
    calls: u64,
    /// Of each ring the producer index that was last shown, and in which call.
    shown: BTreeMap<Gfn, (u64, u64)>,
    /// The ring that is being looked at for the last time.
    looking: Option<Gfn>,
}

impl LastLook {
    /// Of a guest that misses its last looks, or not; they are written down in `looks`.
    pub fn new(blind: bool, looks: &Looks) -> LastLook {
        LastLook {
            blind,
            looks: looks.clone(),
            ..LastLook::default()
        }
    }
}

impl Between for LastLook {
    fn count(&mut self, calls: u64) {
        self.calls += calls;
    }

    fn load(&mut self, xen: &mut dyn Hypercalls, at: Gpa, width: Width) -> u64 {
        let value = xen.load(at, width);
        if at.offset() as u64 != RSP_PROD {
            return value;
        }
        let ring = at.frame();
        if self.looking.take() == Some(ring) && self.blind {
            return self.shown[&ring].0;
        }
        self.shown.insert(ring, (value, self.calls));
        value
    }

    fn store(&mut self, xen: &mut dyn Hypercalls, at: Gpa, width: Width, value: u64) {
        xen.store(at, width, value);
        let ring = at.frame();
        // Only a front ring has a word there that its guest ever stores to.
        if at.offset() as u64 == RSP_EVENT
            && let Some(&(_, before)) = self.shown.get(&ring)
        {
            self.looking = Some(ring);
            self.looks.add(Look {
                ring,
                before,
                asks: self.calls,
            });
        }
    }
}
