//! xenconsoled: drains every domain's console ring, and makes lines of what it finds.
//!
//! One step moves one piece of one ring. A domain whose indices are nonsense loses its console and nothing else.

use std::collections::{BTreeMap, VecDeque};

use xen_abi::grant_table::GNTTAB_RESERVED_CONSOLE;
use xen_abi::{DomId, Port};

use crate::actor::{Actor, ActorKind, Host, Outbox};
use crate::due::Due;
use crate::event::{Channel, Event};
use crate::gnttab::MappedPage;
use crate::hypervisor::Hypervisor;
use crate::pipe::CONSOLE_OUT;
use crate::time::Time;
use crate::xenstore::ActorEvent;

/// Bytes after which a line is broken though the guest did not end it.
const MAX_LINE: usize = 1024;
/// Lines that are kept of each console.
const MAX_LINES: usize = 4096;

const DOM0: DomId = DomId(0);

struct Console {
    page: Option<MappedPage>,
    port: Port,
    line: Vec<u8>,
    lines: VecDeque<String>,
}

/// The daemon.
#[derive(Default)]
pub struct Xenconsoled {
    consoles: BTreeMap<DomId, Console>,
    ports: BTreeMap<Port, DomId>,
    due: Due<DomId>,
}

impl Xenconsoled {
    /// Connects to a new domain's console: maps its page and binds its port.
    pub fn introduce(&mut self, hv: &mut Hypervisor, domid: DomId, remote_port: Port) {
        let page = hv
            .map_page(DOM0, domid, GNTTAB_RESERVED_CONSOLE, false)
            .expect("the toolstack has seeded the grant");
        let port = hv
            .bind_daemon_port(domid, remote_port, ActorKind::Xenconsoled)
            .expect("the toolstack has opened the port");
        self.ports.insert(port, domid);
        self.consoles.insert(
            domid,
            Console {
                page: Some(page),
                port,
                line: Vec::new(),
                lines: VecDeque::new(),
            },
        );
    }

    /// The domain is gone: what it said last is taken, the rest let go.
    pub fn release(&mut self, hv: &mut Hypervisor, domid: DomId) {
        self.due.cancel(domid);
        // The circle has two pieces at most.
        for _ in 0..2 {
            self.drain(hv, domid);
        }
        self.disconnect(hv, domid);
        if let Some(console) = self.consoles.get_mut(&domid) {
            console.end_line(hv, domid);
        }
    }

    /// The lines that a domain printed, the last ones if there were too many.
    pub fn lines(&self, domid: DomId) -> impl Iterator<Item = &str> {
        self.consoles
            .get(&domid)
            .into_iter()
            .flat_map(|console| console.lines.iter().map(String::as_str))
    }
}

impl Xenconsoled {
    /// Moves one piece; whether there was one.
    fn drain(&mut self, hv: &mut Hypervisor, domid: DomId) -> bool {
        let Some(console) = self.consoles.get_mut(&domid) else {
            return false;
        };
        let Some(page) = &console.page else {
            return false;
        };
        let mut piece = Vec::new();
        match CONSOLE_OUT.take(hv, page.at, &mut piece) {
            Ok(0) => false,
            Ok(_) => {
                hv.note_progress(domid);
                hv.notify(console.port);
                for byte in piece {
                    console.take(hv, domid, byte);
                }
                true
            }
            Err(nonsense) => {
                hv.emit(&Event::Disconnected {
                    domid,
                    what: Channel::Console,
                    why: nonsense.to_string(),
                });
                self.disconnect(hv, domid);
                false
            }
        }
    }

    fn disconnect(&mut self, hv: &mut Hypervisor, domid: DomId) {
        let Some(console) = self.consoles.get_mut(&domid) else {
            return;
        };
        if let Some(page) = console.page.take() {
            let port = console.port;
            hv.close_daemon_port(port);
            self.ports.remove(&port);
            hv.unmap_page(DOM0, page);
        }
    }
}

impl Console {
    fn take(&mut self, hv: &Hypervisor, domid: DomId, byte: u8) {
        match byte {
            b'\n' => self.end_full_line(hv, domid),
            b'\r' => {}
            _ => {
                self.line.push(byte);
                if self.line.len() == MAX_LINE {
                    self.end_full_line(hv, domid);
                }
            }
        }
    }

    fn end_line(&mut self, hv: &Hypervisor, domid: DomId) {
        if !self.line.is_empty() {
            self.end_full_line(hv, domid);
        }
    }

    fn end_full_line(&mut self, hv: &Hypervisor, domid: DomId) {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.clone());
        hv.emit(&Event::Console { domid, line });
    }
}

impl Actor for Xenconsoled {
    fn next_due(&self) -> Option<Time> {
        self.due.next_due()
    }

    fn upcall(&mut self, port: Port, now: Time) {
        if let Some(&domid) = self.ports.get(&port) {
            self.due.schedule(domid, now);
        }
    }

    fn store_event(&mut self, _event: &ActorEvent, _now: Time) {}

    fn step(&mut self, host: &mut Host, now: Time, _out: &mut Outbox) {
        let Some(domid) = self.due.pop() else {
            return;
        };
        // Looked at again after every piece: the domain may have printed meanwhile without an event.
        if self.drain(&mut host.hv, domid) {
            self.due.schedule(domid, now);
        }
    }
}
