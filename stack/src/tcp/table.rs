//! All sockets by index, and the two ways in which a segment finds its own: a hash of the connection's name, keyed so
//! that nobody can choose collisions, and listeners by local address. Nothing is ever scanned.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;

use hashbrown::HashTable;

use crate::addr::{IpAddress, Ipv4Addr, Ipv6Addr};
use crate::api::SocketError;
use crate::tcp::connection::Connection;
use crate::tcp::fast_open;
use crate::tcp::listen::Listener;
use crate::tcp::options::SocketOptions;
use crate::tcp::signature::Signatures;
use crate::tcp::siphash::Key;
use crate::tcp::tuple::Tuple;

/// A socket that neither listens nor is connected.
pub struct Fresh {
    pub local: Option<SocketAddr>,
    pub options: SocketOptions,
    pub fast_open: fast_open::Settings,
    pub signatures: Signatures,
}

/// What a handle leads to. Boxed, so that a slot is two words and growth moves little.
pub enum Slot {
    Free,
    Fresh(Box<Fresh>),
    Listener(Box<Listener>),
    Connection(Box<Connection>),
}

/// Sockets.
pub struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    names: HashTable<u32>,
    listeners: BTreeMap<SocketAddr, u32>,
    /// Sockets that have an address, and neither listen nor are connected.
    bound: BTreeMap<SocketAddr, u32>,
    key: Key,
    /// What was found last, as long as it has its name.
    recent: Option<u32>,
    most: usize,
}

impl Table {
    /// No sockets, and at most `most`.
    pub fn new(key: Key, most: usize) -> Table {
        Table {
            slots: Vec::new(),
            free: Vec::new(),
            names: HashTable::new(),
            listeners: BTreeMap::new(),
            bound: BTreeMap::new(),
            key,
            recent: None,
            most,
        }
    }

    /// Places taken.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Places that there are, free ones counted.
    pub fn places(&self) -> u32 {
        self.slots.len() as u32
    }

    /// The slot of an index; a free one if there is none.
    pub fn slot(&self, index: u32) -> &Slot {
        self.slots.get(index as usize).unwrap_or(&Slot::Free)
    }

    /// The slot of an index.
    pub fn slot_mut(&mut self, index: u32) -> Option<&mut Slot> {
        self.slots.get_mut(index as usize)
    }

    /// The connection at an index.
    pub fn connection(&mut self, index: u32) -> Option<&mut Connection> {
        match self.slot_mut(index) {
            Some(Slot::Connection(connection)) => Some(connection),
            _ => None,
        }
    }

    /// The listener at an index.
    pub fn listener(&mut self, index: u32) -> Option<&mut Listener> {
        match self.slot_mut(index) {
            Some(Slot::Listener(listener)) => Some(listener),
            _ => None,
        }
    }

    /// A place for a socket.
    pub fn insert(&mut self, slot: Slot) -> Result<u32, SocketError> {
        if let Some(index) = self.free.pop() {
            self.slots[index as usize] = slot;
            return Ok(index);
        }
        if self.slots.len() >= self.most {
            return Err(SocketError::ENOBUFS);
        }
        self.slots.push(slot);
        Ok(self.slots.len() as u32 - 1)
    }

    /// Frees a place.
    pub fn remove(&mut self, index: u32) -> Slot {
        let slot = core::mem::replace(&mut self.slots[index as usize], Slot::Free);
        assert!(!matches!(slot, Slot::Free), "a socket is freed once");
        self.free.push(index);
        slot
    }

    /// Makes the connection at `index` known by its name.
    pub fn name(&mut self, index: u32, tuple: &Tuple) {
        let (key, slots) = (self.key, &self.slots);
        self.names
            .insert_unique(key.hash_tuple(tuple), index, |&other| {
                match &slots[other as usize] {
                    Slot::Connection(connection) => key.hash_tuple(&connection.tuple),
                    _ => unreachable!("only connections have names"),
                }
            });
    }

    /// Forgets a connection's name.
    pub fn unname(&mut self, index: u32, tuple: &Tuple) {
        self.recent = None;
        let entry = self
            .names
            .find_entry(self.key.hash_tuple(tuple), |&other| other == index);
        match entry {
            Ok(entry) => drop(entry.remove()),
            Err(_) => unreachable!("a connection is named once"),
        }
    }

    /// The connection with this name.
    pub fn find(&self, tuple: &Tuple) -> Option<u32> {
        let hash = self.key.hash_tuple(tuple);
        self.names
            .find(hash, |&index| self.is_named(index, tuple))
            .copied()
    }

    /// As [`Table::find`], for a segment: they come in trains, so the connection of the last one is the likeliest.
    pub fn find_for_segment(&mut self, tuple: &Tuple) -> Option<u32> {
        match self.recent {
            Some(recent) if self.is_named(recent, tuple) => {}
            _ => self.recent = self.find(tuple),
        }
        self.recent
    }

    fn is_named(&self, index: u32, tuple: &Tuple) -> bool {
        matches!(self.slot(index), Slot::Connection(c) if c.tuple == *tuple)
    }

    /// The listener for a local address: one at exactly this address first, then one at any of its version, then one
    /// at any of both versions (RFC 3493, section 5.3).
    pub fn find_listener(&self, local: SocketAddr) -> Option<u32> {
        find(&self.listeners, local, |any| self.takes_both_versions(any))
    }

    /// The socket that is bound to a local address, and has no other use of it.
    pub fn find_bound(&self, local: SocketAddr) -> Option<&Fresh> {
        match self.slot(find(&self.bound, local, |_| true)?) {
            Slot::Fresh(fresh) => Some(fresh),
            _ => None,
        }
    }

    /// A socket has an address.
    pub fn bind(&mut self, local: SocketAddr, index: u32) {
        self.bound.insert(local, index);
    }

    /// It has another use, or is gone.
    pub fn unbind(&mut self, local: SocketAddr) {
        self.bound.remove(&local);
    }

    /// Whether a listener at all addresses of version 6 is one at those of version 4 too: not with `IPV6_V6ONLY`.
    fn takes_both_versions(&self, listener: u32) -> bool {
        matches!(self.slot(listener), Slot::Listener(listener) if !listener.options.rare().only_v6)
    }

    /// Makes a listener known.
    pub fn listen(&mut self, local: SocketAddr, index: u32) {
        let old = self.listeners.insert(local, index);
        assert!(old.is_none(), "two listeners at {local}");
    }

    /// Forgets a listener.
    pub fn unlisten(&mut self, local: SocketAddr) {
        self.listeners.remove(&local);
    }
}

/// Exactly this address first, then any of its version, then any of both.
fn find(
    sockets: &BTreeMap<SocketAddr, u32>,
    local: SocketAddr,
    takes_both_versions: impl Fn(u32) -> bool,
) -> Option<u32> {
    let at = |ip: IpAddress| sockets.get(&SocketAddr::new(ip, local.port())).copied();
    let exact = sockets.get(&local).copied();
    exact
        .or_else(|| {
            let v4 = local.is_ipv4();
            v4.then(|| at(Ipv4Addr::UNSPECIFIED.into())).flatten()
        })
        .or_else(|| {
            let any = at(Ipv6Addr::UNSPECIFIED.into())?;
            (local.is_ipv6() || takes_both_versions(any)).then_some(any)
        })
}
