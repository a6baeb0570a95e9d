//! Event channels: the ports of every domain.
//!
//! - [`table`]: a domain's ports and what each is bound to
//! - [`pending`]: how a port becomes pending, by exactly the steps of Xen's `evtchn_2l_set_pending`
//! - [`daemon`]: the ports of dom0's actors, who have no shared page and are told by upcalls
//!
//! This file answers the operations, in the order of checks of `xen/common/event_channel.c`.

mod daemon;
mod pending;
mod table;

use xen_abi::event_channel::{EvtchnOp, EvtchnStatus};
use xen_abi::{DomId, Errno, HypercallResult, Port};

use crate::event::Op;
use crate::hypervisor::Hypervisor;
pub use table::EventTable;
use table::State;

impl Hypervisor {
    /// `HYPERVISOR_event_channel_op` on behalf of `caller`.
    pub fn event_channel_op(&mut self, caller: DomId, op: &mut EvtchnOp) -> HypercallResult {
        let (name, args) = describe(op);
        let result = self.do_event_channel_op(caller, op).map(|()| 0);
        self.report(caller, name, args, result)
    }

    fn do_event_channel_op(&mut self, caller: DomId, op: &mut EvtchnOp) -> Result<(), Errno> {
        match op {
            EvtchnOp::AllocUnbound {
                dom,
                remote_dom,
                port,
            } => *port = self.alloc_unbound(caller, *dom, *remote_dom)?,
            EvtchnOp::BindInterdomain {
                remote_dom,
                remote_port,
                local_port,
            } => *local_port = self.bind_interdomain(caller, *remote_dom, *remote_port)?,
            EvtchnOp::BindVirq { virq, vcpu, port } => {
                *port = self.bind_virq(caller, *virq, *vcpu)?;
            }
            EvtchnOp::BindIpi { vcpu, port } => {
                self.domain(caller)?.vcpu(*vcpu)?;
                *port = self.domain_mut(caller)?.events.allocate(State::Ipi)?;
            }
            EvtchnOp::Close { port } => self.evtchn_close(caller, *port)?,
            EvtchnOp::Send { port } => self.evtchn_send(caller, *port)?,
            EvtchnOp::Status {
                dom,
                port,
                status,
                vcpu,
            } => {
                *vcpu = 0;
                *status = self.evtchn_status(caller, *dom, *port)?;
            }
            EvtchnOp::BindVcpu { port, vcpu } => self.evtchn_bind_vcpu(caller, *port, *vcpu)?,
            EvtchnOp::Unmask { port } => self.evtchn_unmask(caller, *port)?,
            EvtchnOp::Reset { dom } => {
                let dom = self.privileged_over(caller, *dom)?;
                self.close_all_ports(dom);
            }
            EvtchnOp::Unknown { .. } => return Err(Errno::ENOSYS),
        }
        Ok(())
    }

    fn alloc_unbound(&mut self, caller: DomId, dom: DomId, remote: DomId) -> Result<Port, Errno> {
        let dom = self.privileged_over(caller, dom)?;
        let remote = if remote == DomId::SELF {
            caller
        } else {
            remote
        };
        self.domain_mut(dom)?
            .events
            .allocate(State::Unbound { remote })
    }

    fn bind_interdomain(
        &mut self,
        caller: DomId,
        remote: DomId,
        port: Port,
    ) -> Result<Port, Errno> {
        let remote = self.resolve(caller, remote)?;
        let channel = self.domain(remote)?.events.get(port);
        match channel.map(|channel| channel.state) {
            Some(State::Unbound { remote: meant }) if meant == caller => {}
            _ => return Err(Errno::EINVAL),
        }
        let peer = State::Interdomain { dom: remote, port };
        let local = self.domain_mut(caller)?.events.allocate(peer)?;
        let back = State::Interdomain {
            dom: caller,
            port: local,
        };
        self.domain_mut(remote)?.events.set(port, back);
        // Xen makes the new port pending: an event may have been sent before the peer was bound.
        self.set_pending(caller, local);
        Ok(local)
    }

    fn bind_virq(&mut self, caller: DomId, virq: u32, vcpu: u32) -> Result<Port, Errno> {
        let domain = self.domain_mut(caller)?;
        let bound = *domain
            .events
            .virqs
            .get(virq as usize)
            .ok_or(Errno::EINVAL)?;
        domain.vcpu(vcpu)?;
        if bound != 0 {
            return Err(Errno::EEXIST);
        }
        let port = domain.events.allocate(State::Virq { virq })?;
        domain.events.virqs[virq as usize] = port.0;
        Ok(port)
    }

    fn evtchn_close(&mut self, caller: DomId, port: Port) -> Result<(), Errno> {
        let state = self.domain(caller)?.events.get(port).map(|c| c.state);
        match state {
            None | Some(State::Free | State::Reserved) => return Err(Errno::EINVAL),
            Some(State::Interdomain { dom, port: peer }) => {
                let unbound = State::Unbound { remote: caller };
                self.domain_mut(dom)?.events.set(peer, unbound);
            }
            Some(State::Unbound { .. } | State::Virq { .. } | State::Ipi) => {}
        }
        self.clear_pending(caller, port);
        self.domain_mut(caller)?.events.free(port);
        Ok(())
    }

    fn evtchn_send(&mut self, caller: DomId, port: Port) -> Result<(), Errno> {
        match self.domain(caller)?.events.get(port).map(|c| c.state) {
            Some(State::Interdomain { dom, port }) => self.set_pending(dom, port),
            Some(State::Ipi) => self.set_pending(caller, port),
            // The peer has closed or was never there: lost without a word.
            Some(State::Unbound { .. }) => {}
            Some(State::Free | State::Reserved | State::Virq { .. }) | None => {
                return Err(Errno::EINVAL);
            }
        }
        Ok(())
    }

    fn evtchn_status(&self, caller: DomId, dom: DomId, port: Port) -> Result<EvtchnStatus, Errno> {
        let dom = self.resolve(caller, dom)?;
        let channel = self.domain(dom)?.events.get(port).ok_or(Errno::EINVAL)?;
        if dom != caller && caller != DomId(0) {
            return Err(Errno::EPERM);
        }
        Ok(match channel.state {
            State::Free | State::Reserved => EvtchnStatus::Closed,
            State::Unbound { remote } => EvtchnStatus::Unbound { dom: remote },
            State::Interdomain { dom, port } => EvtchnStatus::Interdomain { dom, port },
            State::Virq { virq } => EvtchnStatus::Virq { virq },
            State::Ipi => EvtchnStatus::Ipi,
        })
    }

    fn evtchn_bind_vcpu(&self, caller: DomId, port: Port, vcpu: u32) -> Result<(), Errno> {
        let domain = self.domain(caller)?;
        domain.vcpu(vcpu)?;
        match domain.events.get(port).map(|channel| channel.state) {
            Some(State::Unbound { .. } | State::Interdomain { .. }) => Ok(()),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Closes every port of a domain: it is reset, or dies.
    pub(crate) fn close_all_ports(&mut self, domid: DomId) {
        let ports = self.domain(domid).map_or(0, |d| d.events.channels.len());
        for port in 1..ports as u32 {
            // A free port refuses, and that is all there is to it.
            let _ = self.evtchn_close(domid, Port(port));
        }
    }
}

fn describe(op: &EvtchnOp) -> (Op, [u64; 2]) {
    let dom = |dom: &DomId| u64::from(dom.0);
    match op {
        EvtchnOp::AllocUnbound {
            dom: d, remote_dom, ..
        } => (Op::EvtchnAllocUnbound, [dom(d), dom(remote_dom)]),
        EvtchnOp::BindInterdomain {
            remote_dom,
            remote_port,
            ..
        } => (
            Op::EvtchnBindInterdomain,
            [dom(remote_dom), remote_port.0.into()],
        ),
        EvtchnOp::BindVirq { virq, vcpu, .. } => {
            (Op::EvtchnBindVirq, [(*virq).into(), (*vcpu).into()])
        }
        EvtchnOp::BindIpi { vcpu, .. } => (Op::EvtchnBindIpi, [(*vcpu).into(), 0]),
        EvtchnOp::Close { port } => (Op::EvtchnClose, [port.0.into(), 0]),
        EvtchnOp::Send { port } => (Op::EvtchnSend, [port.0.into(), 0]),
        EvtchnOp::Status { dom: d, port, .. } => (Op::EvtchnStatus, [dom(d), port.0.into()]),
        EvtchnOp::BindVcpu { port, vcpu } => (Op::EvtchnBindVcpu, [port.0.into(), (*vcpu).into()]),
        EvtchnOp::Unmask { port } => (Op::EvtchnUnmask, [port.0.into(), 0]),
        EvtchnOp::Reset { dom: d } => (Op::EvtchnReset, [dom(d), 0]),
        EvtchnOp::Unknown { cmd } => (Op::EvtchnUnknown, [(*cmd).into(), 0]),
    }
}

#[cfg(test)]
mod tests;
