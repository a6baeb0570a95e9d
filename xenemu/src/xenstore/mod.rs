//! xenstored: the machine's tree of small values, over which toolstack, frontends and backends find each other.
//!
//! Sans-IO: bytes of a domain's ring come in by [`Xenstored::receive`] in pieces of any size and leave by
//! [`Xenstored::transmit`]. Dom0's own users read, write and watch without a wire. The semantics are those of the C
//! xenstored of Xen 4.17 (`docs/misc/xenstore.txt`, `xen/io/xs_wire.h`). In reading order:
//!
//! - [`path`], [`perms`]: names, and who may do what
//! - [`tree`]: the nodes; [`transaction`]: private copies of them and the check for conflicts; [`quota`]: limits
//! - [`nodes`]: what can be done with nodes
//! - [`watch`]: who is told of a change
//! - [`wire`], [`connection`]: messages from bytes in pieces, and back
//! - `requests`: what each kind of request does; `dom0`: the interface of dom0's own users
//!
//! A request's way: ring → `receive` → [`wire::Decoder`] → `handle` → [`nodes`] on a [`transaction::View`] → its answer
//! in [`wire::Outbox`] → the watch events that follow from it → `transmit` → ring.

pub mod connection;
mod dom0;
pub mod nodes;
pub mod path;
pub mod perms;
pub mod quota;
mod requests;
pub mod transaction;
pub mod tree;
pub mod watch;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use xen_abi::io::xs_wire::PAYLOAD_MAX;
use xen_abi::{DomId, Errno};

use crate::event::{Channel, Event};
use connection::Connection;
pub use path::Path;
use perms::DOM0;
pub use perms::{Access, Perms};
use requests::{Effect, reported};
use tree::Tree;
use watch::{Target, Watch, Watcher, Watches};
use wire::Message;

/// Fires when a domain is introduced.
pub const INTRODUCE_DOMAIN: &str = "@introduceDomain";
/// Fires when a domain shuts down, and when it is gone.
pub const RELEASE_DOMAIN: &str = "@releaseDomain";

/// That a watch of one of dom0's actors fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActorEvent {
    /// Whose watch.
    pub actor: u32,
    /// What changed.
    pub path: String,
    /// The watch's token.
    pub token: Vec<u8>,
}

/// The daemon.
#[derive(Debug)]
pub struct Xenstored {
    tree: Tree,
    watches: Watches,
    special_perms: BTreeMap<&'static str, Perms>,
    connections: BTreeMap<DomId, Connection>,
    /// Domains that were given something to hear since the transport looked.
    audible: BTreeSet<DomId>,
    actor_events: VecDeque<ActorEvent>,
    events: Vec<Event>,
}

impl Default for Xenstored {
    fn default() -> Self {
        Xenstored::new()
    }
}

impl Xenstored {
    /// A daemon with the nodes that xenstored creates for itself.
    pub fn new() -> Xenstored {
        let mut new = Xenstored {
            tree: Tree::default(),
            watches: Watches::default(),
            special_perms: BTreeMap::new(),
            connections: BTreeMap::new(),
            audible: BTreeSet::new(),
            actor_events: VecDeque::new(),
            events: Vec::new(),
        };
        new.mkdir("/tool/xenstored")
            .expect("dom0 may do everything");
        new
    }

    /// A domain's ring is there: from now on it is heard. If it was known, its connection begins anew.
    pub fn introduce(&mut self, domid: DomId) {
        self.connect(domid);
        self.apply(Effect::Special(INTRODUCE_DOMAIN));
    }

    /// A domain has shut down: tools that wait for it are told, once.
    pub fn domain_shut_down(&mut self, domid: DomId) {
        let Some(connection) = self.connections.get_mut(&domid) else {
            return;
        };
        if !std::mem::replace(&mut connection.domain_is_down, true) {
            self.apply(Effect::Special(RELEASE_DOMAIN));
        }
    }

    /// A domain is gone: its connection, watches, transactions and the nodes that it owns go with it.
    pub fn release(&mut self, domid: DomId) {
        let mut effects = Vec::new();
        self.forget(domid, &mut effects);
        effects.push(Effect::Special(RELEASE_DOMAIN));
        for effect in effects {
            self.apply(effect);
        }
    }

    /// A domain that had shut down (to suspend) runs again.
    pub fn resume(&mut self, domid: DomId) -> Result<(), Errno> {
        let connection = self.connections.get_mut(&domid).ok_or(Errno::ENOENT)?;
        connection.domain_is_down = false;
        Ok(())
    }

    /// Whether a domain was introduced and not released.
    pub fn is_introduced(&self, domid: DomId) -> bool {
        self.connections.contains_key(&domid)
    }

    /// Whether bytes of a domain's ring shall be read now: not while too many answers wait to be taken by it, and
    /// never again after it sent nonsense.
    pub fn wants_input(&self, domid: DomId) -> bool {
        let connection = self.connections.get(&domid);
        connection.is_some_and(|c| !c.shut && !c.output.is_crowded())
    }

    /// Whether a domain has something to hear.
    pub fn has_output(&self, domid: DomId) -> bool {
        let connection = self.connections.get(&domid);
        connection.is_some_and(|c| !c.output.is_empty())
    }

    /// The next domain that was given something to hear since it was last answered here.
    pub fn next_audible(&mut self) -> Option<DomId> {
        self.audible.pop_first()
    }

    /// Takes bytes that a domain sent.
    pub fn receive(&mut self, domid: DomId, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Some(connection) = self.connections.get_mut(&domid).filter(|c| !c.shut) else {
                return;
            };
            match connection.input.feed(&mut bytes) {
                Ok(Some(message)) => self.serve(domid, &message),
                Ok(None) => debug_assert!(bytes.is_empty(), "the decoder wants more"),
                Err(nonsense) => self.disconnect(domid, nonsense.to_string()),
            }
        }
    }

    /// Fills `to` with bytes for a domain; how many there are.
    pub fn transmit(&mut self, domid: DomId, to: &mut [u8]) -> usize {
        let connection = self.connections.get_mut(&domid);
        connection.map_or(0, |c| c.output.transmit(to))
    }

    /// Stops listening and talking to a domain whose ring holds nonsense.
    pub fn disconnect(&mut self, domid: DomId, why: String) {
        let Some(connection) = self.connections.get_mut(&domid).filter(|c| !c.shut) else {
            return;
        };
        connection.shut();
        self.watches.remove_all(Watcher::Domain(domid));
        self.events.push(Event::Disconnected {
            domid,
            what: Channel::Xenstore,
            why,
        });
    }

    /// The next watch event for one of dom0's actors.
    pub fn next_actor_event(&mut self) -> Option<ActorEvent> {
        self.actor_events.pop_front()
    }

    /// What was answered since the last call, for the trace.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// All watches that exist, for the leak check.
    pub fn watches(&self) -> usize {
        self.watches.total()
    }

    /// All open transactions, for the leak check.
    pub fn transactions(&self) -> usize {
        self.connections
            .values()
            .map(|c| c.transactions.len())
            .sum()
    }

    /// How many nodes a domain owns, for the leak check.
    pub fn nodes_owned_by(&self, domid: DomId) -> u32 {
        self.tree.owned(domid)
    }

    fn serve(&mut self, domid: DomId, message: &Message) {
        let mut effects = Vec::new();
        let answer = match self.handle(domid, message, &mut effects) {
            Ok(bytes) if bytes.len() > PAYLOAD_MAX => Err(Errno::E2BIG),
            other => other,
        };
        let (path, value) = reported(&message.payload, &answer);
        self.events.push(Event::Xenstore {
            domid,
            kind: message.header.kind,
            path,
            value,
            error: answer.as_ref().err().map(|e| e.name().to_owned()),
        });
        if let Some(connection) = self.connections.get_mut(&domid) {
            connection.output.answer(&message.header, &answer);
            self.audible.insert(domid);
        }
        for effect in effects {
            self.apply(effect);
        }
    }

    fn connection(&mut self, domid: DomId) -> &mut Connection {
        let connection = self.connections.get_mut(&domid);
        connection.expect("a request comes over a connection")
    }

    fn connect(&mut self, domid: DomId) {
        self.watches.remove_all(Watcher::Domain(domid));
        self.connections.insert(domid, Connection::default());
    }

    fn forget(&mut self, domid: DomId, effects: &mut Vec<Effect>) {
        self.connections.remove(&domid);
        self.watches.remove_all(Watcher::Domain(domid));
        if domid == DOM0 {
            return;
        }
        let mut changes = Vec::new();
        let mut view = transaction::View {
            tree: &mut self.tree,
            transaction: None,
            changes: &mut changes,
        };
        for path in view.tree.owned_paths(domid) {
            // ENOENT: it went with a node above it.
            let gone = nodes::remove(&mut view, DOM0, &path);
            assert!(matches!(gone, Ok(()) | Err(Errno::ENOENT)));
        }
        effects.extend(changes.into_iter().map(Effect::Changed));
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Changed(change) => {
                for watch in self.watches.concerned(&change.path, change.exact) {
                    let told = match watch.watcher {
                        Watcher::Domain(domid) => change.visible_to(domid),
                        Watcher::Actor(_) => true,
                    };
                    if told {
                        self.deliver(&watch, watch.spell(&change.path));
                    }
                }
            }
            Effect::Registered(watch, Target::Node(path)) => {
                self.deliver(&watch, watch.spell(&path));
            }
            Effect::Registered(watch, Target::Special(name)) => self.deliver(&watch, &name),
            Effect::Special(name) => {
                let nobody = Perms::owned_by(DOM0);
                let perms = self.special_perms.get(name).cloned().unwrap_or(nobody);
                for watch in self.watches.on_special(name) {
                    let told = match watch.watcher {
                        Watcher::Domain(domid) => perms.allow(domid, Access::READ),
                        Watcher::Actor(_) => true,
                    };
                    if told {
                        self.deliver(&watch, name);
                    }
                }
            }
        }
    }

    fn deliver(&mut self, watch: &Watch, path: &str) {
        match watch.watcher {
            Watcher::Domain(domid) => {
                if let Some(connection) = self.connections.get_mut(&domid) {
                    connection.output.event(path, &watch.token);
                    self.audible.insert(domid);
                }
            }
            Watcher::Actor(actor) => {
                let event = ActorEvent {
                    actor,
                    path: path.to_owned(),
                    token: watch.token.clone(),
                };
                if !self.actor_events.contains(&event) {
                    self.actor_events.push_back(event);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
