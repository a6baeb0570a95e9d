//! The network between the hosts is turmoil's: one host a node, one step a round.
//!
//! Set up so that nothing of turmoil's own chance or clock is left: epoch, seed and latency are given, a datagram sent in
//! one step is delivered in the next whatever the order of hosts, so a step counts rounds and does not measure time. What
//! a round put into turmoil must have come out of it after the next step; that is asserted at each.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use tokio::sync::Notify;
use turmoil::net::UdpSocket;

use super::datagram::BUFFER;
use super::fabric::Fabric;
use super::options::WorldError;

/// A host's port: every host has the same.
const PORT: u16 = 9000;
/// turmoil's tick and latency. Whole milliseconds: less breaks its clocks, and no latency its order.
const TICK: Duration = Duration::from_millis(1);
/// Datagrams that a host's socket holds: turmoil's default of 64 overflows silently.
const UDP_CAPACITY: usize = 1 << 16;

/// turmoil's simulation and the bells that wake its hosts.
pub struct Net {
    sim: turmoil::Sim<'static>,
    bells: Vec<Rc<Notify>>,
    fabric: Rc<RefCell<Fabric>>,
}

impl Net {
    /// One host for each node of the fabric.
    pub fn new(fabric: Rc<RefCell<Fabric>>, epoch_secs: u64, reverse: bool) -> Net {
        let mut sim = turmoil::Builder::new()
            .epoch(UNIX_EPOCH + Duration::from_secs(epoch_secs))
            .rng_seed(0)
            .min_message_latency(TICK)
            .max_message_latency(TICK)
            .tick_duration(TICK)
            .udp_capacity(UDP_CAPACITY)
            .build();
        let nodes = fabric.borrow().slots.len();
        let bells: Vec<Rc<Notify>> = (0..nodes).map(|_| Rc::new(Notify::new())).collect();
        for turn in 0..nodes {
            let i = if reverse { nodes - 1 - turn } else { turn };
            let (fabric, bell) = (fabric.clone(), bells[i].clone());
            sim.host(name(i), move || {
                host(fabric.clone(), bell.clone(), i, nodes)
            });
        }
        Net { sim, bells, fabric }
    }

    /// Every host whose node has power takes what was sent to it in the last step, and does its round.
    pub fn step(&mut self) -> Result<(), WorldError> {
        let sent = {
            let fabric = self.fabric.borrow();
            for (slot, bell) in fabric.slots.iter().zip(&self.bells) {
                if slot.node.is_some() {
                    bell.notify_one();
                }
            }
            fabric.counts().0
        };
        self.sim
            .step()
            .map_err(|error| WorldError::Turmoil(error.to_string()))?;
        let taken = self.fabric.borrow().counts().1;
        assert_eq!(sent, taken, "turmoil lost frames or kept them too long");
        Ok(())
    }

    /// The host of a node that lost its power is dropped.
    pub fn crash(&mut self, i: usize) {
        self.sim.crash(name(i));
    }
    /// The host of a node whose power is back begins again.
    pub fn bounce(&mut self, i: usize) {
        self.sim.bounce(name(i));
    }
}

/// turmoil's name of node `i`: a scenario's names may look like addresses.
fn name(i: usize) -> String {
    format!("node-{i}")
}

async fn host(
    fabric: Rc<RefCell<Fabric>>,
    bell: Rc<Notify>,
    i: usize,
    nodes: usize,
) -> turmoil::Result {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    let peers: Vec<SocketAddr> = (0..nodes)
        .map(|peer| SocketAddr::new(turmoil::lookup(name(peer)), PORT))
        .collect();
    let mut buffer = vec![0; BUFFER];
    loop {
        bell.notified().await;
        let mut fabric = fabric.borrow_mut();
        while let Ok((len, _)) = socket.try_recv_from(&mut buffer) {
            assert!(len < buffer.len(), "a datagram was cut");
            fabric.take(i, &buffer[..len]);
        }
        for (peer, datagram) in fabric.round(i) {
            socket.try_send_to(datagram, peers[*peer])?;
        }
    }
}
