//! xenstored's ears and mouth: the ring of every domain, and the port that says that something is in it.
//!
//! The engine ([`Xenstored`]) knows no rings. One step here moves one piece of one ring: out first, so that a domain
//! that does not listen is not asked for more. A domain whose indices are nonsense loses its ring and nothing else.

use std::collections::BTreeMap;

use xen_abi::grant_table::GNTTAB_RESERVED_XENSTORE;
use xen_abi::{DomId, Port};

use crate::actor::{Actor, ActorKind, Host, Outbox};
use crate::due::Due;
use crate::event::Event;
use crate::gnttab::MappedPage;
use crate::pipe::{RingError, STORE_ANSWERS, STORE_REQUESTS};
use crate::time::Time;
use crate::xenstore::{ActorEvent, Xenstored};

const DOM0: DomId = DomId(0);

struct Ring {
    page: MappedPage,
    port: Port,
}

/// The transport.
#[derive(Default)]
pub struct StoreRings {
    rings: BTreeMap<DomId, Ring>,
    ports: BTreeMap<Port, DomId>,
    due: Due<DomId>,
}

impl StoreRings {
    /// Connects to a new domain's ring: maps its page and binds its port.
    pub fn introduce(&mut self, host: &mut Host, domid: DomId, remote_port: Port) {
        let hv = &mut host.hv;
        let page = hv
            .map_page(DOM0, domid, GNTTAB_RESERVED_XENSTORE, false)
            .expect("the toolstack has seeded the grant");
        let port = hv
            .bind_daemon_port(domid, remote_port, ActorKind::Xenstored)
            .expect("the toolstack has opened the port");
        self.ports.insert(port, domid);
        self.rings.insert(domid, Ring { page, port });
        host.store.introduce(domid);
    }

    /// The domain is gone.
    pub fn release(&mut self, host: &mut Host, domid: DomId) {
        self.disconnect(host, domid);
        if host.store.is_introduced(domid) {
            host.store.release(domid);
        }
    }

    /// Domains that were given something to hear are due.
    pub fn listen(&mut self, store: &mut Xenstored, now: Time) {
        while let Some(domid) = store.next_audible() {
            self.schedule(domid, now);
        }
    }

    fn schedule(&mut self, domid: DomId, at: Time) {
        if self.rings.contains_key(&domid) {
            self.due.schedule(domid, at);
        }
    }

    fn disconnect(&mut self, host: &mut Host, domid: DomId) {
        self.due.cancel(domid);
        if let Some(ring) = self.rings.remove(&domid) {
            self.ports.remove(&ring.port);
            host.hv.close_daemon_port(ring.port);
            host.hv.unmap_page(DOM0, ring.page);
        }
    }

    /// Moves one piece, if one can be moved.
    fn exchange(&self, host: &mut Host, domid: DomId) -> Result<bool, RingError> {
        let Some(ring) = self.rings.get(&domid) else {
            return Ok(false);
        };
        let page = ring.page.at;
        let (mut requested, mut answered) = (0, 0);
        if host.store.has_output(domid) {
            let room = STORE_ANSWERS.room(&mut host.hv, page)?;
            let mut piece = vec![0; room as usize];
            let n = host.store.transmit(domid, &mut piece);
            STORE_ANSWERS.put(&mut host.hv, page, &piece[..n])?;
            answered = n as u32;
        }
        if answered == 0 && host.store.wants_input(domid) {
            let mut piece = Vec::new();
            requested = STORE_REQUESTS.take(&mut host.hv, page, &mut piece)?;
            host.store.receive(domid, &piece);
        }
        if requested == 0 && answered == 0 {
            return Ok(false);
        }
        host.hv.note_progress(domid);
        host.hv.emit(&Event::XenstoreRing {
            domid,
            requested,
            answered,
        });
        host.hv.notify(ring.port);
        Ok(true)
    }
}

impl Actor for StoreRings {
    fn next_due(&self) -> Option<Time> {
        self.due.next_due()
    }

    fn upcall(&mut self, port: Port, now: Time) {
        if let Some(&domid) = self.ports.get(&port) {
            self.schedule(domid, now);
        }
    }

    fn store_event(&mut self, _event: &ActorEvent, _now: Time) {}

    fn step(&mut self, host: &mut Host, now: Time, _out: &mut Outbox) {
        let Some(domid) = self.due.pop() else {
            return;
        };
        match self.exchange(host, domid) {
            // Looked at again after every piece: the domain may have gone on meanwhile without an event.
            Ok(true) => self.schedule(domid, now),
            Ok(false) => {}
            Err(nonsense) => {
                host.store.disconnect(domid, nonsense.to_string());
                self.disconnect(host, domid);
            }
        }
    }
}
