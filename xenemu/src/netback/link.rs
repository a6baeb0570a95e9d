//! A connected vif: its two rings and its event channels, made from what the frontend wrote into the store.

use std::collections::VecDeque;

use xen_abi::io::netif::{RX_STRIDE, TX_STRIDE};
use xen_abi::{GrantRef, Port};

use super::ring::BackRing;
use super::rx::Rx;
use super::tx::Tx;
use crate::actor::{ActorKind, Host, VifId};
use crate::frame::Frame;
use crate::hypervisor::Hypervisor;
use crate::xenstore::Xenstored;

/// Which of its halves an event channel serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// What the guest sends.
    Tx,
    /// What the guest receives.
    Rx,
    /// Both: `feature-split-event-channels` isn't used.
    Both,
}

/// A connected vif.
#[derive(Debug)]
pub struct Link {
    /// What the guest sends.
    pub tx: Tx,
    /// What the guest receives.
    pub rx: Rx,
    /// Our ends of the event channels; the same one twice unless they are split.
    pub ports: (Port, Port),
    /// The frontend wrote nonsense: nothing is done for it until it disconnects.
    pub shut: bool,
    /// Whose turn it is when both halves have something to do.
    pub rx_is_next: bool,
}

/// What a frontend wrote.
struct Wanted {
    tx_ring: GrantRef,
    rx_ring: GrantRef,
    tx_port: Port,
    /// None: the same.
    rx_port: Option<Port>,
    sg: bool,
}

impl Link {
    /// Maps the rings and binds the ports. An error says what is wrong; everything is given back then.
    pub fn connect(
        host: &mut Host,
        vif: VifId,
        frontend: &str,
        maps: bool,
    ) -> Result<Link, String> {
        let wanted = Wanted::read(&host.store, frontend)?;
        let hv = &mut host.hv;
        let tx = BackRing::attach(hv, vif.domid, wanted.tx_ring, TX_STRIDE)?;
        let rx = match BackRing::attach(hv, vif.domid, wanted.rx_ring, RX_STRIDE) {
            Ok(rx) => rx,
            Err(why) => {
                tx.detach(hv);
                return Err(why);
            }
        };
        match bind(hv, vif, &wanted) {
            Ok(ports) => Ok(Link {
                tx: Tx::new(tx, maps),
                rx: Rx::new(rx, wanted.sg),
                ports,
                shut: false,
                rx_is_next: false,
            }),
            Err(why) => {
                tx.detach(hv);
                rx.detach(hv);
                Err(why)
            }
        }
    }

    /// Gives everything back; the frames that waited for the guest.
    pub fn disconnect(self, hv: &mut Hypervisor) -> VecDeque<Frame> {
        let (tx_port, rx_port) = self.ports;
        hv.close_daemon_port(tx_port);
        if rx_port != tx_port {
            hv.close_daemon_port(rx_port);
        }
        self.tx.detach(hv);
        self.rx.detach(hv)
    }

    /// Whether there is a step to do.
    pub fn is_active(&self) -> bool {
        !self.shut && (self.tx.is_active() || self.rx.is_active())
    }
}

/// Binds to the frontend's port, or to both.
fn bind(hv: &mut Hypervisor, vif: VifId, wanted: &Wanted) -> Result<(Port, Port), String> {
    let mut bind_one = |port: Port| {
        hv.bind_daemon_port(vif.domid, port, ActorKind::Netback)
            .map_err(|e| format!("cannot bind event-channel {}: {e}", port.0))
    };
    let tx_port = bind_one(wanted.tx_port)?;
    match wanted.rx_port.map(&mut bind_one) {
        None => Ok((tx_port, tx_port)),
        Some(Ok(rx_port)) => Ok((tx_port, rx_port)),
        Some(Err(why)) => {
            hv.close_daemon_port(tx_port);
            Err(why)
        }
    }
}

impl Wanted {
    fn read(store: &Xenstored, frontend: &str) -> Result<Wanted, String> {
        let optional = |node: &str| number(store, frontend, node);
        let needed = |node: &str| optional(node)?.ok_or(format!("no {node}"));
        let flag = |node: &str| optional(node).map(|value| value == Some(1));
        // Only one queue was offered; nought of them is none.
        if optional("multi-queue-num-queues")?.unwrap_or(1) != 1 {
            return Err("multi-queue-num-queues isn't 1".to_owned());
        }
        for node in ["request-rx-copy", "feature-rx-notify"] {
            if !flag(node)? {
                return Err(format!("no {node}"));
            }
        }
        let (tx_port, rx_port) = match optional("event-channel-tx")? {
            Some(tx) => (tx, Some(Port(needed("event-channel-rx")?))),
            None => (needed("event-channel")?, None),
        };
        Ok(Wanted {
            tx_ring: GrantRef(needed("tx-ring-ref")?),
            rx_ring: GrantRef(needed("rx-ring-ref")?),
            tx_port: Port(tx_port),
            rx_port,
            sg: flag("feature-sg")?,
        })
    }
}

/// A node's decimal number; none if there is no such node.
fn number(store: &Xenstored, directory: &str, node: &str) -> Result<Option<u32>, String> {
    let Some(text) = store.read(&format!("{directory}/{node}")) else {
        return Ok(None);
    };
    let number = std::str::from_utf8(&text).ok().and_then(|t| t.parse().ok());
    number.map(Some).ok_or(format!("{node} is no number"))
}
