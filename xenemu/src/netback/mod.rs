//! netback: the other end of every guest's network interface.
//!
//! In reading order, with a packet:
//!
//! - [`xenbus`]: how a vif comes to be connected, and how it ends; [`link`]: its rings and event channels
//! - [`ring`]: the shared ring, which may hold anything; [`step`]: what one step has at hand
//! - [`packet`]: slots become a packet; [`tx`]: a packet becomes a frame on the bridge, after [`checksum`] filled in
//!   what the guest left blank
//! - [`rx`]: a frame goes into the buffers that the guest posted
//!
//! Each step does one shared-memory access or one hypercall for one vif; vifs take turns. A frontend that writes
//! nonsense loses its vif, and nobody else notices.

pub mod checksum;
pub mod link;
pub mod packet;
pub mod ring;
pub mod rx;
pub mod step;
pub mod tx;
pub mod xenbus;

use std::collections::{BTreeMap, VecDeque};

use xen_abi::io::xenbus::XenbusState;
use xen_abi::{DomId, Port};

use crate::actor::{Actor, ActorKind, Host, Message, Outbox, VifId};
use crate::event::{Channel, DropReason, Event, Tap};
use crate::frame::{Frame, FrameId};
use crate::hypervisor::Hypervisor;
use crate::time::Time;
use crate::xenstore::ActorEvent;
use link::{Half, Link};
use step::{Scratch, Step};
use xenbus::{Backend, Transition};

const ACTOR: u32 = ActorKind::Netback as u32;

/// How a vif is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VifOptions {
    /// The bridge that it is on.
    pub bridge: u32,
    /// Offer scatter-gather.
    pub sg: bool,
    /// Offer checksum offload.
    pub csum: bool,
    /// Map what is sent until it has left the bridge, instead of copying it.
    pub map_tx: bool,
}

#[derive(Debug)]
struct Vif {
    options: VifOptions,
    backend: Backend,
    link: Option<Link>,
    /// Something changed in the store.
    heard: bool,
    /// It stands in the queue of those that have a step to do.
    queued: bool,
}

/// All backends of a machine.
#[derive(Debug, Default)]
pub struct Netback {
    vifs: BTreeMap<VifId, Vif>,
    ports: BTreeMap<Port, (VifId, Half)>,
    ready: VecDeque<(Time, VifId)>,
    scratch: Scratch,
}

impl Netback {
    /// Takes care of a vif whose directories the toolstack has filled.
    pub fn probe(&mut self, host: &mut Host, vif: VifId, options: VifOptions) {
        let backend = Backend::new(vif, &host.store);
        let token = token(vif);
        for watched in [backend.path(), &format!("{}/state", backend.frontend())] {
            // The initial events of the watches are what starts it.
            let watching = host.store.watch(ACTOR, watched, &token);
            assert!(watching.is_ok(), "the toolstack wrote valid paths");
        }
        let new = Vif {
            options,
            backend,
            link: None,
            heard: false,
            queued: false,
        };
        let before = self.vifs.insert(vif, new);
        assert!(before.is_none(), "{vif:?} is served already");
    }

    /// A frame for a guest comes from its bridge.
    pub fn deliver(&mut self, hv: &Hypervisor, to: VifId, frame: Frame, now: Time) {
        let id = frame.id;
        let link = self.vifs.get_mut(&to).and_then(|vif| vif.link.as_mut());
        let taken = match link {
            Some(link) if !link.shut => link.rx.enqueue(frame),
            _ => Err(DropReason::VifDown),
        };
        match taken {
            Ok(()) => self.schedule(to, now),
            Err(reason) => dropped(hv, to, id, reason),
        }
    }

    /// A frame that came from a guest has left the bridge.
    pub fn forwarded(&mut self, from: VifId, frame: FrameId, now: Time) {
        if let Some(link) = self.vifs.get_mut(&from).and_then(|vif| vif.link.as_mut()) {
            link.tx.forwarded(frame);
            self.schedule(from, now);
        }
    }

    /// The frames that wait for their guests.
    pub fn waiting(&self) -> impl Iterator<Item = FrameId> {
        let links = self.vifs.values().filter_map(|vif| vif.link.as_ref());
        links.flat_map(|link| link.rx.waiting())
    }

    /// How many vifs are served, for the leak check.
    pub fn vifs(&self) -> usize {
        self.vifs.len()
    }

    fn schedule(&mut self, id: VifId, now: Time) {
        let Some(vif) = self.vifs.get_mut(&id) else {
            return;
        };
        let active = vif.heard || vif.link.as_ref().is_some_and(Link::is_active);
        if active && !vif.queued {
            vif.queued = true;
            self.ready.push_back((now, id));
        }
    }

    /// One transition of its xenbus state.
    fn transition(&mut self, host: &mut Host, id: VifId, out: &mut Outbox) {
        let vif = self.vifs.get_mut(&id).expect("it has a step to do");
        let seen = vif.backend.look(&host.store);
        let (hv, store) = (&mut host.hv, &mut host.store);
        vif.heard = true;
        match vif.backend.next(seen) {
            Transition::Rest => vif.heard = false,
            Transition::To(state) => vif.backend.switch(hv, store, state),
            Transition::Announce => {
                announce(host, vif);
                vif.backend
                    .switch(&host.hv, &mut host.store, XenbusState::InitWait);
            }
            Transition::Connect => self.connect(host, id, out),
            Transition::Disconnect => {
                self.disconnect(host, id, out);
                let vif = self.vifs.get_mut(&id).expect("it was there");
                vif.backend
                    .switch(&host.hv, &mut host.store, XenbusState::Closing);
            }
            Transition::Unregister => self.unregister(host, id, out),
        }
    }

    fn connect(&mut self, host: &mut Host, id: VifId, out: &mut Outbox) {
        let vif = self.vifs.get_mut(&id).expect("it has a step to do");
        let has_pages = self.scratch.take(&mut host.hv);
        assert!(has_pages, "dom0 has room for a few pages");
        match Link::connect(host, id, vif.backend.frontend(), vif.options.map_tx) {
            Ok(link) => {
                let (tx_port, rx_port) = link.ports;
                if tx_port == rx_port {
                    self.ports.insert(tx_port, (id, Half::Both));
                } else {
                    self.ports.insert(tx_port, (id, Half::Tx));
                    self.ports.insert(rx_port, (id, Half::Rx));
                }
                vif.link = Some(link);
                vif.backend
                    .switch(&host.hv, &mut host.store, XenbusState::Connected);
                let bridge = Some(vif.options.bridge);
                out.messages.push_back(Message::Carrier { vif: id, bridge });
            }
            Err(why) => {
                vif.backend.refuse();
                report_disconnected(&host.hv, id, why);
                self.give_scratch(&mut host.hv);
            }
        }
    }

    fn disconnect(&mut self, host: &mut Host, id: VifId, out: &mut Outbox) {
        let vif = self.vifs.get_mut(&id).expect("it is served");
        let Some(link) = vif.link.take() else {
            return;
        };
        let (tx_port, rx_port) = link.ports;
        self.ports.remove(&tx_port);
        self.ports.remove(&rx_port);
        for frame in link.disconnect(&mut host.hv) {
            dropped(&host.hv, id, frame.id, DropReason::VifDown);
        }
        let bridge = None;
        out.messages.push_back(Message::Carrier { vif: id, bridge });
        self.give_scratch(&mut host.hv);
    }

    fn unregister(&mut self, host: &mut Host, id: VifId, out: &mut Outbox) {
        self.disconnect(host, id, out);
        let mut vif = self.vifs.remove(&id).expect("it is served");
        let token = token(id);
        let frontend_state = format!("{}/state", vif.backend.frontend());
        host.store.unwatch(ACTOR, vif.backend.path(), &token);
        host.store.unwatch(ACTOR, &frontend_state, &token);
        vif.backend
            .switch(&host.hv, &mut host.store, XenbusState::Closed);
    }

    fn give_scratch(&mut self, hv: &mut Hypervisor) {
        if self.vifs.values().all(|vif| vif.link.is_none()) {
            self.scratch.give(hv);
        }
    }

    /// One step of its rings.
    fn serve(&mut self, host: &mut Host, id: VifId, out: &mut Outbox) {
        let vif = self.vifs.get_mut(&id).expect("it has a step to do");
        let Some(link) = vif.link.as_mut().filter(|link| link.is_active()) else {
            return;
        };
        let is_rx = link.rx.is_active() && (link.rx_is_next || !link.tx.is_active());
        link.rx_is_next = !is_rx;
        let (tx_port, rx_port) = link.ports;
        let mut step = Step {
            host,
            out,
            scratch: self.scratch.pages(),
            vif: id,
            port: if is_rx { rx_port } else { tx_port },
        };
        let done = match is_rx {
            true => link.rx.step(&mut step),
            false => link.tx.step(&mut step),
        };
        if let Err(nonsense) = done {
            link.shut = true;
            report_disconnected(&host.hv, id, nonsense.to_string());
            let bridge = None;
            out.messages.push_back(Message::Carrier { vif: id, bridge });
        }
    }
}

impl Actor for Netback {
    fn next_due(&self) -> Option<Time> {
        self.ready.front().map(|(due, _)| *due)
    }

    fn upcall(&mut self, port: Port, now: Time) {
        let Some(&(id, half)) = self.ports.get(&port) else {
            return;
        };
        let vif = self.vifs.get_mut(&id).expect("a port's vif is served");
        let link = vif.link.as_mut().expect("a port's vif is connected");
        if half != Half::Rx {
            link.tx.kick();
        }
        if half != Half::Tx {
            link.rx.kick();
        }
        self.schedule(id, now);
    }

    fn store_event(&mut self, event: &ActorEvent, now: Time) {
        if let Some(id) = parse_token(&event.token)
            && let Some(vif) = self.vifs.get_mut(&id)
        {
            vif.heard = true;
            self.schedule(id, now);
        }
    }

    fn step(&mut self, host: &mut Host, now: Time, out: &mut Outbox) {
        let Some((_, id)) = self.ready.pop_front() else {
            return;
        };
        let Some(vif) = self.vifs.get_mut(&id) else {
            return;
        };
        vif.queued = false;
        if vif.heard {
            self.transition(host, id, out);
        } else {
            self.serve(host, id, out);
        }
        self.schedule(id, now);
    }
}

/// Writes what the backend offers (`xen/io/netif.h`).
fn announce(host: &mut Host, vif: &Vif) {
    let flag = |on: bool| if on { "1" } else { "0" };
    let VifOptions { sg, csum, .. } = vif.options;
    for (feature, value) in [
        ("feature-sg", flag(sg)),
        ("feature-no-csum-offload", flag(!csum)),
        ("feature-ipv6-csum-offload", flag(csum)),
        ("feature-rx-copy", "1"),
        ("feature-rx-flip", "0"),
        ("feature-split-event-channels", "1"),
    ] {
        let node = format!("{}/{feature}", vif.backend.path());
        let written = host.store.write(&node, value.as_bytes());
        assert!(written.is_ok(), "dom0 may write its own node");
    }
}

fn dropped(hv: &Hypervisor, vif: VifId, frame: FrameId, reason: DropReason) {
    let tap = Tap::VifIn(vif.domid, vif.handle);
    hv.emit(&Event::FrameDropped { frame, tap, reason });
}

fn report_disconnected(hv: &Hypervisor, vif: VifId, why: String) {
    hv.emit(&Event::Disconnected {
        domid: vif.domid,
        what: Channel::Vif,
        why,
    });
}

/// By which a watch event names its vif.
pub(crate) fn token(vif: VifId) -> Vec<u8> {
    format!("{}/{}", vif.domid, vif.handle).into_bytes()
}

pub(crate) fn parse_token(token: &[u8]) -> Option<VifId> {
    let (domid, handle) = std::str::from_utf8(token).ok()?.split_once('/')?;
    Some(VifId {
        domid: DomId(domid.parse().ok()?),
        handle: handle.parse().ok()?,
    })
}

#[cfg(test)]
mod tests;
