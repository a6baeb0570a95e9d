//! Event channels: the ports of every domain, and the 2-level bitmaps through which guests see them.
//!
//! A guest's ports become pending in its `shared_info`, by exactly the steps of Xen's `evtchn_2l_set_pending`. dom0's
//! daemons have no shared page: a port of theirs that becomes pending is queued as an *upcall* for the machine to hand
//! to the actor that bound it.

use xen_abi::event_channel::{EVTCHN_2L_NR_CHANNELS, EvtchnOp, EvtchnStatus, NR_VIRQS};
use xen_abi::shared_info::{
    EVTCHN_MASK, EVTCHN_PENDING, VCPU_EVTCHN_PENDING_SEL, VCPU_EVTCHN_UPCALL_PENDING,
};
use xen_abi::{DomId, Errno, HypercallResult, Port, Rmw, Width};

use crate::actor::ActorKind;
use crate::event::{Event, Op};
use crate::hypervisor::Hypervisor;

/// `EVTCHNS_PER_BUCKET`: a domain's ports become valid this many at a time.
const BUCKET: u32 = 64;
/// `EVTCHN_FIFO_NR_CHANNELS`: what dom0's daemons may have.
const FIFO_NR_CHANNELS: u32 = 1 << 17;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    Reserved,
    Unbound { remote: DomId },
    Interdomain { dom: DomId, port: Port },
    Virq { virq: u32 },
    Ipi,
}

#[derive(Clone, Copy)]
struct Channel {
    state: State,
    /// Whose upcall it is, in dom0.
    handler: Option<ActorKind>,
    /// Pending in a domain without a shared page.
    pending: bool,
}

const FREE: Channel = Channel {
    state: State::Free,
    handler: None,
    pending: false,
};

/// A domain's ports.
pub struct EventTable {
    channels: Vec<Channel>,
    limit: u32,
    virqs: [u32; NR_VIRQS as usize],
    /// No port below is free.
    lowest_free: u32,
    open: u32,
}

impl EventTable {
    /// The table of a guest with the 2-level ABI.
    pub fn two_level() -> EventTable {
        EventTable::with_limit(EVTCHN_2L_NR_CHANNELS)
    }

    /// The table of dom0's daemons.
    pub fn daemons() -> EventTable {
        EventTable::with_limit(FIFO_NR_CHANNELS)
    }

    fn with_limit(limit: u32) -> EventTable {
        let mut channels = vec![FREE; BUCKET as usize];
        channels[0].state = State::Reserved;
        EventTable {
            channels,
            limit,
            virqs: [0; NR_VIRQS as usize],
            lowest_free: 1,
            open: 0,
        }
    }

    /// Ports that are bound to something.
    pub fn open(&self) -> u32 {
        self.open
    }

    fn get(&self, port: Port) -> Option<&Channel> {
        self.channels.get(port.0 as usize)
    }

    /// `evtchn_get_port`: the lowest free one.
    fn allocate(&mut self, state: State) -> Result<Port, Errno> {
        let mut port = self.lowest_free as usize;
        while self
            .channels
            .get(port)
            .is_some_and(|c| c.state != State::Free)
        {
            port += 1;
        }
        if port as u32 >= self.limit {
            return Err(Errno::ENOSPC);
        }
        if port == self.channels.len() {
            self.channels.resize(port + BUCKET as usize, FREE);
        }
        self.channels[port].state = state;
        self.lowest_free = port as u32 + 1;
        self.open += 1;
        Ok(Port(port as u32))
    }

    fn set(&mut self, port: Port, state: State) {
        self.channels[port.0 as usize].state = state;
    }

    fn free(&mut self, port: Port) {
        if let State::Virq { virq } = self.channels[port.0 as usize].state {
            self.virqs[virq as usize] = 0;
        }
        self.channels[port.0 as usize] = FREE;
        self.lowest_free = self.lowest_free.min(port.0);
        self.open -= 1;
    }
}

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

    fn evtchn_unmask(&mut self, caller: DomId, port: Port) -> Result<(), Errno> {
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

    fn clear_pending(&mut self, domid: DomId, port: Port) {
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

    /// Closes every port of a domain: it is reset, or dies.
    pub(crate) fn close_all_ports(&mut self, domid: DomId) {
        let ports = self.domain(domid).map_or(0, |d| d.events.channels.len());
        for port in 1..ports as u32 {
            // A free port refuses, and that is all there is to it.
            let _ = self.evtchn_close(domid, Port(port));
        }
    }

    /// Binds one of dom0's actors to a domain's port.
    pub fn bind_daemon_port(
        &mut self,
        remote_dom: DomId,
        remote_port: Port,
        handler: ActorKind,
    ) -> Result<Port, Errno> {
        let mut op = EvtchnOp::BindInterdomain {
            remote_dom,
            remote_port,
            local_port: Port(0),
        };
        self.event_channel_op(DomId(0), &mut op)?;
        let EvtchnOp::BindInterdomain { local_port, .. } = op else {
            unreachable!("an operation keeps its kind");
        };
        self.set_handler(local_port, handler);
        Ok(local_port)
    }

    /// Closes a port of one of dom0's actors.
    pub fn close_daemon_port(&mut self, port: Port) {
        let closed = self.event_channel_op(DomId(0), &mut EvtchnOp::Close { port });
        assert_eq!(closed, Ok(0), "an actor closes what it has bound, once");
    }

    /// Sends an event from a port of one of dom0's actors.
    pub fn notify(&mut self, port: Port) {
        let sent = self.event_channel_op(DomId(0), &mut EvtchnOp::Send { port });
        assert_eq!(
            sent,
            Ok(0),
            "an actor sends through ports that it has bound"
        );
    }

    /// Says which of dom0's actors is to be told when `port` becomes pending.
    pub fn set_handler(&mut self, port: Port, handler: ActorKind) {
        if let Ok(dom0) = self.domain_mut(DomId(0))
            && let Some(channel) = dom0.events.channels.get_mut(port.0 as usize)
        {
            channel.handler = Some(handler);
        }
    }

    /// The next of dom0's ports that became pending, and who bound it. Taking it clears it.
    pub(crate) fn take_upcall(&mut self) -> Option<(Port, ActorKind)> {
        while let Some(port) = self.upcalls.pop_front() {
            let dom0 = self.domain_mut(DomId(0)).ok()?;
            let channel = &mut dom0.events.channels[port.0 as usize];
            // A port that was closed since is not pending any more, whoever has it now.
            if std::mem::take(&mut channel.pending)
                && let Some(handler) = channel.handler
            {
                return Some((port, handler));
            }
        }
        None
    }
}

/// The offset of a port's word in a bitmap, and its bit.
fn bit_of(port: Port) -> (usize, u64) {
    ((port.0 / 64 * 8) as usize, 1 << (port.0 % 64))
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
