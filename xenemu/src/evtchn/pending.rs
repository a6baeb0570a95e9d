//! A port becomes pending: by the bitmaps of `shared_info` in a guest, by an upcall in dom0.

use xen_abi::shared_info::{
    EVTCHN_MASK, EVTCHN_PENDING, VCPU_EVTCHN_PENDING_SEL, VCPU_EVTCHN_UPCALL_PENDING,
};
use xen_abi::{DomId, Errno, Port, Rmw, Width};

use crate::event::Event;
use crate::hypervisor::Hypervisor;

impl Hypervisor {
    /// `EVTCHNOP_unmask`: what `set_pending` left undone while the port was masked.
    pub(super) fn evtchn_unmask(&mut self, caller: DomId, port: Port) -> Result<(), Errno> {
        let domain = self.domain(caller)?;
        domain.events.get(port).ok_or(Errno::EINVAL)?;
        let Some(page) = domain.shared_info else {
            return Ok(());
        };
        let (word, bit) = bit_of(port);
        let mask = self
            .memory
            .rmw(page, EVTCHN_MASK as usize + word, Width::B8, Rmw::And(!bit));
        let pending = self
            .memory
            .load(page, EVTCHN_PENDING as usize + word, Width::B8);
        if mask & bit != 0 && pending & bit != 0 {
            self.select(caller, port);
        }
        Ok(())
    }

    /// Makes a port pending: Xen's `evtchn_port_set_pending`.
    pub(crate) fn set_pending(&mut self, domid: DomId, port: Port) {
        let Ok(domain) = self.domain_mut(domid) else {
            return;
        };
        let Some(page) = domain.shared_info else {
            self.set_pending_for_daemons(domid, port);
            return;
        };
        let (word, bit) = bit_of(port);
        let at = EVTCHN_PENDING as usize + word;
        if self.memory.rmw(page, at, Width::B8, Rmw::Or(bit)) & bit != 0 {
            return;
        }
        self.emit(&Event::EventPending {
            domid,
            port: port.0,
        });
        let mask = self
            .memory
            .load(page, EVTCHN_MASK as usize + word, Width::B8);
        if mask & bit == 0 {
            self.select(domid, port);
        }
    }

    /// The second half of `set_pending`, which unmasking does too: the selector, then the upcall.
    fn select(&mut self, domid: DomId, port: Port) {
        let Some(page) = self.domain(domid).ok().and_then(|d| d.shared_info) else {
            return;
        };
        let at = VCPU_EVTCHN_PENDING_SEL as usize;
        let bit = 1 << (port.0 / 64);
        if self.memory.rmw(page, at, Width::B8, Rmw::Or(bit)) & bit != 0 {
            return;
        }
        let at = VCPU_EVTCHN_UPCALL_PENDING as usize;
        if self.memory.rmw(page, at, Width::B1, Rmw::Swap(1)) == 0 {
            self.wake(domid);
        }
    }

    fn set_pending_for_daemons(&mut self, domid: DomId, port: Port) {
        let Ok(domain) = self.domain_mut(domid) else {
            return;
        };
        let channel = &mut domain.events.channels[port.0 as usize];
        if std::mem::replace(&mut channel.pending, true) {
            return;
        }
        self.upcalls.push_back(port);
        self.emit(&Event::EventPending {
            domid,
            port: port.0,
        });
    }

    pub(super) fn clear_pending(&mut self, domid: DomId, port: Port) {
        if let Some(page) = self.domain(domid).ok().and_then(|d| d.shared_info) {
            let (word, bit) = bit_of(port);
            let at = EVTCHN_PENDING as usize + word;
            self.memory.rmw(page, at, Width::B8, Rmw::And(!bit));
        }
    }

    /// Raises a VIRQ, if it is bound.
    pub(crate) fn raise_virq(&mut self, domid: DomId, virq: u32) {
        let Ok(domain) = self.domain(domid) else {
            return;
        };
        match domain.events.virqs[virq as usize] {
            0 => {}
            port => self.set_pending(domid, Port(port)),
        }
    }
}

/// The offset of a port's word in a bitmap, and its bit.
fn bit_of(port: Port) -> (usize, u64) {
    ((port.0 / 64 * 8) as usize, 1 << (port.0 % 64))
}
