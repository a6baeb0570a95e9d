//! What a step of a vif has at hand.

use xen_abi::{Gfn, Port};

use super::packet::PAGES_MAX;
use crate::actor::{Host, Outbox, VifId};
use crate::hypervisor::Hypervisor;
use crate::physmap::Entry;
use crate::xenstore::perms::DOM0;

/// The surroundings of one step.
pub struct Step<'a> {
    /// Xen, and names for new frames.
    pub host: &'a mut Host,
    /// What the step leaves behind.
    pub out: &'a mut Outbox,
    /// Dom0's own pages, to copy through.
    pub scratch: &'a [Gfn],
    /// Whose step it is.
    pub vif: VifId,
    /// Our end of the event channel of the half that does the step.
    pub port: Port,
}

impl Step<'_> {
    /// Sends the frontend an event.
    pub fn notify(&mut self) {
        self.host.hv.notify(self.port);
    }
}

/// Pages of dom0 that exist while there is a vif to serve.
#[derive(Debug, Default)]
pub struct Scratch {
    pages: Vec<Gfn>,
}

impl Scratch {
    /// The pages.
    pub fn pages(&self) -> &[Gfn] {
        &self.pages
    }

    /// Makes sure that they are there. False: dom0 has no place for them.
    pub fn take(&mut self, hv: &mut Hypervisor) -> bool {
        let Some(dom0) = hv.domains.get_mut(DOM0) else {
            return false;
        };
        let physmap = &mut dom0.physmap;
        while self.pages.len() < PAGES_MAX {
            let Some(gfn) = physmap.take_hole() else {
                return false;
            };
            physmap.insert(gfn, Entry::Ram(hv.memory.allocate()));
            self.pages.push(gfn);
        }
        true
    }

    /// Gives them back.
    pub fn give(&mut self, hv: &mut Hypervisor) {
        let Some(dom0) = hv.domains.get_mut(DOM0) else {
            return;
        };
        for gfn in self.pages.drain(..) {
            dom0.physmap.remove(gfn, &mut hv.memory);
            dom0.physmap.give_hole(gfn);
        }
    }
}
