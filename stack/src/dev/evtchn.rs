//! Event channels in the two-level layout: `shared_info`'s bitmaps, and the port operations.

use xen_abi::event_channel::{EVTCHN_2L_NR_CHANNELS, EvtchnOp};
use xen_abi::shared_info::{
    EVTCHN_MASK, EVTCHN_PENDING, VCPU_EVTCHN_PENDING_SEL, VCPU_EVTCHN_UPCALL_PENDING,
};
use xen_abi::{DomId, Errno, Gpa, Hypercalls, Port, Rmw, Width};

const WORDS: u64 = EVTCHN_2L_NR_CHANNELS as u64 / 64;

/// The domain's event channels.
#[derive(Debug)]
pub struct EventChannels {
    shared_info: Gpa,
}

impl EventChannels {
    /// Takes over `shared_info` with every port masked: each is unmasked when it has a use.
    pub fn new(xen: &mut dyn Hypercalls, shared_info: Gpa) -> EventChannels {
        for word in 0..WORDS {
            xen.store(shared_info.add(EVTCHN_MASK + word * 8), Width::B8, u64::MAX);
        }
        EventChannels { shared_info }
    }

    /// Names every pending port once, clearing it. The order matters: the upcall flag, the selector, then the words;
    /// an event that comes in between sets the flag again.
    pub fn drain(&self, xen: &mut dyn Hypercalls, mut each: impl FnMut(Port)) {
        let base = self.shared_info;
        xen.store(base.add(VCPU_EVTCHN_UPCALL_PENDING), Width::B1, 0);
        let selector = base.add(VCPU_EVTCHN_PENDING_SEL);
        let mut words = xen.rmw(selector, Width::B8, Rmw::Swap(0));
        while words != 0 {
            let word = u64::from(words.trailing_zeros());
            words &= words - 1;
            let pending = base.add(EVTCHN_PENDING + word * 8);
            let masked = xen.load(base.add(EVTCHN_MASK + word * 8), Width::B8);
            let mut ports = xen.load(pending, Width::B8) & !masked;
            xen.rmw(pending, Width::B8, Rmw::And(!ports));
            while ports != 0 {
                each(Port(word as u32 * 64 + ports.trailing_zeros()));
                ports &= ports - 1;
            }
        }
    }

    /// A new port that `remote` may bind; unmasked.
    pub fn alloc_unbound(&self, xen: &mut dyn Hypercalls, remote: DomId) -> Result<Port, Errno> {
        let mut op = EvtchnOp::AllocUnbound {
            dom: DomId::SELF,
            remote_dom: remote,
            port: Port(0),
        };
        xen.event_channel_op(&mut op)?;
        let EvtchnOp::AllocUnbound { port, .. } = op else {
            return Err(Errno::EINVAL);
        };
        self.unmask(xen, port)?;
        Ok(port)
    }

    /// Binds a virtual interrupt of vCPU 0; unmasked.
    pub fn bind_virq(&self, xen: &mut dyn Hypercalls, virq: u32) -> Result<Port, Errno> {
        let mut op = EvtchnOp::BindVirq {
            virq,
            vcpu: 0,
            port: Port(0),
        };
        xen.event_channel_op(&mut op)?;
        let EvtchnOp::BindVirq { port, .. } = op else {
            return Err(Errno::EINVAL);
        };
        self.unmask(xen, port)?;
        Ok(port)
    }

    /// Lets events of a port through. Storing to the mask would not deliver what is pending: Xen must be asked.
    pub fn unmask(&self, xen: &mut dyn Hypercalls, port: Port) -> Result<(), Errno> {
        xen.event_channel_op(&mut EvtchnOp::Unmask { port })?;
        Ok(())
    }

    /// Closes a port.
    pub fn close(&self, xen: &mut dyn Hypercalls, port: Port) -> Result<(), Errno> {
        xen.event_channel_op(&mut EvtchnOp::Close { port })?;
        Ok(())
    }
}

/// Rings the peer of a port. A port without a peer swallows it, as Xen does.
pub fn notify(xen: &mut dyn Hypercalls, port: Port) -> Result<(), Errno> {
    xen.event_channel_op(&mut EvtchnOp::Send { port })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::dev::fake::FakeXen;

    #[test]
    fn draining_names_pending_unmasked_ports_once_and_leaves_masked_ones_pending() {
        let mut xen = FakeXen::new();
        let base = Gpa(0x70_0000);
        for offset in (0..4096).step_by(8) {
            xen.store(base.add(offset), Width::B8, 0);
        }
        let events = EventChannels::new(&mut xen, base);
        for (word, pending, mask) in [(0, 0b1010, 0b1000), (63, 1 << 63, 0)] {
            xen.store(base.add(EVTCHN_PENDING + word * 8), Width::B8, pending);
            xen.store(base.add(EVTCHN_MASK + word * 8), Width::B8, mask);
        }
        xen.store(base.add(VCPU_EVTCHN_PENDING_SEL), Width::B8, 1 | 1 << 63);
        xen.store(base.add(VCPU_EVTCHN_UPCALL_PENDING), Width::B1, 1);

        let mut ports = Vec::new();
        events.drain(&mut xen, |port| ports.push(port));
        assert_eq!(ports, [Port(1), Port(4095)]);
        assert_eq!(xen.load(base.add(EVTCHN_PENDING), Width::B8), 0b1000);
        let upcall = base.add(VCPU_EVTCHN_UPCALL_PENDING);
        assert_eq!(xen.load(upcall, Width::B1), 0);

        ports.clear();
        events.drain(&mut xen, |port| ports.push(port));
        assert!(ports.is_empty());
    }
}
