//! Ports of dom0's actors: bound, closed and sent through by code that knows what it does.

use xen_abi::event_channel::EvtchnOp;
use xen_abi::{DomId, Errno, Port};

use crate::actor::ActorKind;
use crate::hypervisor::Hypervisor;

impl Hypervisor {
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
