//! What a request does: one arm a kind, in the order of `xs_wire.h`.
//!
//! A request's answer is sent before what follows from it (watch events): so a client that hears of its own write
//! knows already that it succeeded.

use xen_abi::io::xs_wire::{PAYLOAD_MAX, REL_PATH_MAX, xs};
use xen_abi::{DomId, Errno};

use super::path::Path;
use super::perms::{Access, DOM0, Perms, parse_domid};
use super::transaction::{Change, View};
use super::tree::Node;
use super::watch::{Target, Watch, Watcher};
use super::wire::Message;
use super::{INTRODUCE_DOMAIN, RELEASE_DOMAIN, Xenstored, nodes, quota};

/// What follows from a request, after its answer.
#[derive(Debug)]
pub(super) enum Effect {
    /// A node changed.
    Changed(Change),
    /// A watch was registered: it fires once at once.
    Registered(Watch, Target),
    /// A special watch fires.
    Special(&'static str),
}

type Answer = Result<Vec<u8>, Errno>;

/// `"OK\0"`
fn ok() -> Answer {
    Ok(b"OK\0".to_vec())
}

/// The only string of a payload: it holds just one NUL, at its end.
fn only_string(payload: &[u8]) -> Result<&[u8], Errno> {
    let (last, text) = payload.split_last().ok_or(Errno::EINVAL)?;
    if *last != 0 || text.contains(&0) {
        return Err(Errno::EINVAL);
    }
    Ok(text)
}

/// A payload's first string and what follows its NUL.
fn first_string(payload: &[u8]) -> Result<(&[u8], &[u8]), Errno> {
    let end = payload.iter().position(|&b| b == 0);
    let end = end.ok_or(Errno::EINVAL)?;
    Ok((&payload[..end], &payload[end + 1..]))
}

/// Whether only dom0 may ask this.
fn is_privileged(kind: u32) -> bool {
    matches!(
        kind,
        xs::CONTROL
            | xs::INTRODUCE
            | xs::RELEASE
            | xs::IS_DOMAIN_INTRODUCED
            | xs::RESUME
            | xs::SET_TARGET
    )
}

impl Xenstored {
    /// The answer to a request of `domid`, and what follows from it.
    pub(super) fn handle(
        &mut self,
        domid: DomId,
        message: &Message,
        effects: &mut Vec<Effect>,
    ) -> Answer {
        let kind = message.header.kind;
        let payload = &message.payload[..];
        if is_privileged(kind) && domid != DOM0 {
            return Err(Errno::EACCES);
        }
        // Watches are not part of a transaction, whatever id stands in the header.
        let tx_id = match kind {
            xs::WATCH | xs::UNWATCH => 0,
            _ => message.header.tx_id,
        };
        if tx_id != 0 && !self.connection(domid).transactions.contains_key(&tx_id) {
            return Err(Errno::ENOENT);
        }
        match kind {
            xs::DIRECTORY => {
                let node = self.readable(domid, tx_id, only_string(payload)?)?;
                Ok(node.children.listing())
            }
            xs::READ => {
                let node = self.readable(domid, tx_id, only_string(payload)?)?;
                Ok(node.value.to_vec())
            }
            xs::GET_PERMS => {
                let node = self.readable(domid, tx_id, only_string(payload)?)?;
                Ok(node.perms.to_bytes())
            }
            xs::WATCH => self.watch_request(domid, payload, effects),
            xs::UNWATCH => self.unwatch_request(domid, payload),
            xs::TRANSACTION_START => self.start_transaction(domid, tx_id),
            xs::TRANSACTION_END => self.end_transaction(domid, tx_id, payload, effects),
            xs::INTRODUCE => self.introduce_request(payload, effects),
            xs::RELEASE => self.release_request(payload, effects),
            xs::GET_DOMAIN_PATH => {
                let domid = parse_domid(only_string(payload)?).ok_or(Errno::EINVAL)?;
                Ok(format!("{}\0", Path::of_domain(domid)).into_bytes())
            }
            xs::WRITE => {
                let (path, value) = first_string(payload)?;
                let path = Path::resolve(domid, path)?;
                self.change(domid, tx_id, effects, |view| {
                    nodes::write(view, domid, &path, value.into())
                })
            }
            xs::MKDIR => {
                let path = Path::resolve(domid, only_string(payload)?)?;
                self.change(domid, tx_id, effects, |view| {
                    nodes::mkdir(view, domid, &path)
                })
            }
            xs::RM => {
                let path = Path::resolve(domid, only_string(payload)?)?;
                self.change(domid, tx_id, effects, |view| {
                    nodes::remove(view, domid, &path)
                })
            }
            xs::SET_PERMS => self.set_perms_request(domid, tx_id, payload, effects),
            xs::IS_DOMAIN_INTRODUCED => {
                let domid = parse_domid(only_string(payload)?).ok_or(Errno::EINVAL)?;
                let known = domid == DOM0 || self.is_introduced(domid);
                Ok(if known {
                    b"T\0".to_vec()
                } else {
                    b"F\0".to_vec()
                })
            }
            xs::RESUME => {
                let domid = parse_domid(only_string(payload)?).ok_or(Errno::EINVAL)?;
                self.resume(domid)?;
                ok()
            }
            xs::RESET_WATCHES => {
                self.watches.remove_all(Watcher::Domain(domid));
                self.connection(domid).transactions.clear();
                ok()
            }
            xs::DIRECTORY_PART => self.directory_part(domid, tx_id, payload),
            _ => Err(Errno::ENOSYS),
        }
    }

    /// The nodes as a request sees them.
    fn view<'a>(&'a mut self, domid: DomId, tx_id: u32, changes: &'a mut Vec<Change>) -> View<'a> {
        let connection = self.connections.get_mut(&domid);
        View {
            tree: &mut self.tree,
            transaction: connection.and_then(|c| c.transactions.get_mut(&tx_id)),
            changes,
        }
    }

    fn readable(&mut self, domid: DomId, tx_id: u32, path: &[u8]) -> Result<Node, Errno> {
        let path = Path::resolve(domid, path)?;
        let mut no_changes = Vec::new();
        let mut view = self.view(domid, tx_id, &mut no_changes);
        nodes::lookup(&mut view, domid, &path, Access::READ)
    }

    fn change(
        &mut self,
        domid: DomId,
        tx_id: u32,
        effects: &mut Vec<Effect>,
        operation: impl FnOnce(&mut View<'_>) -> Result<(), Errno>,
    ) -> Answer {
        let mut changes = Vec::new();
        operation(&mut self.view(domid, tx_id, &mut changes))?;
        effects.extend(changes.into_iter().map(Effect::Changed));
        ok()
    }

    fn set_perms_request(
        &mut self,
        domid: DomId,
        tx_id: u32,
        payload: &[u8],
        effects: &mut Vec<Effect>,
    ) -> Answer {
        let (path, rest) = first_string(payload)?;
        let rest = rest.strip_suffix(b"\0").ok_or(Errno::EINVAL)?;
        let count = rest.split(|&b| b == 0).count();
        if domid != DOM0 && count > quota::PERMS {
            return Err(Errno::ENOSPC);
        }
        let perms = Perms::parse(rest.split(|&b| b == 0))?;
        if path.starts_with(b"@") {
            return self.set_special_perms(domid, path, perms);
        }
        let path = Path::resolve(domid, path)?;
        self.change(domid, tx_id, effects, |view| {
            nodes::set_perms(view, domid, &path, perms)
        })
    }

    fn set_special_perms(&mut self, domid: DomId, name: &[u8], perms: Perms) -> Answer {
        if domid != DOM0 {
            return Err(Errno::EACCES);
        }
        let known = [INTRODUCE_DOMAIN, RELEASE_DOMAIN]
            .into_iter()
            .find(|known| known.as_bytes() == name);
        let name = known.ok_or(Errno::EINVAL)?;
        self.special_perms.insert(name, perms);
        ok()
    }

    /// Part of a listing, from an offset on: the parent's generation, then whole names; an empty one at the end.
    fn directory_part(&mut self, domid: DomId, tx_id: u32, payload: &[u8]) -> Answer {
        let (path, offset) = first_string(payload)?;
        let offset = std::str::from_utf8(only_string(offset)?).ok();
        let offset: Option<usize> = offset.and_then(|text| text.parse().ok());
        let offset = offset.ok_or(Errno::EINVAL)?;
        let node = self.readable(domid, tx_id, path)?;

        let mut answer = format!("{}\0", node.generation).into_bytes();
        let listing = node.children.listing();
        let rest = listing.get(offset..).unwrap_or(&[]);
        // Room for the answer's last byte: the empty name that ends the list.
        let room = PAYLOAD_MAX - answer.len() - 1;
        if rest.len() <= room {
            answer.extend_from_slice(rest);
            answer.push(0);
        } else {
            let whole_names = rest[..room].iter().rposition(|&b| b == 0);
            answer.extend_from_slice(&rest[..whole_names.map_or(0, |nul| nul + 1)]);
        }
        Ok(answer)
    }

    fn watch_request(&mut self, domid: DomId, payload: &[u8], effects: &mut Vec<Effect>) -> Answer {
        let (path, rest) = first_string(payload)?;
        let (token, _) = first_string(rest)?;
        let target = watch_target(domid, path)?;
        let watcher = Watcher::Domain(domid);
        if self.watches.contains(watcher, &target, token) {
            return Err(Errno::EEXIST);
        }
        if domid != DOM0 && self.watches.count(watcher) > quota::WATCHES {
            return Err(Errno::E2BIG);
        }
        let is_relative = !path.starts_with(b"/") && !path.starts_with(b"@");
        let home = is_relative.then(|| Path::of_domain(domid));
        let watch = self.watches.add(watcher, target.clone(), token, home);
        effects.push(Effect::Registered(watch, target));
        ok()
    }

    fn unwatch_request(&mut self, domid: DomId, payload: &[u8]) -> Answer {
        let (path, rest) = first_string(payload)?;
        let (token, _) = first_string(rest)?;
        let target = watch_target(domid, path).map_err(|_| Errno::ENOENT)?;
        if self.watches.remove(Watcher::Domain(domid), target, token) {
            ok()
        } else {
            Err(Errno::ENOENT)
        }
    }

    fn start_transaction(&mut self, domid: DomId, tx_id: u32) -> Answer {
        if tx_id != 0 {
            return Err(Errno::EBUSY);
        }
        let id = self.connection(domid).start_transaction(domid == DOM0)?;
        Ok(format!("{id}\0").into_bytes())
    }

    fn end_transaction(
        &mut self,
        domid: DomId,
        tx_id: u32,
        payload: &[u8],
        effects: &mut Vec<Effect>,
    ) -> Answer {
        let commit = match payload {
            b"T\0" => true,
            b"F\0" => false,
            _ => return Err(Errno::EINVAL),
        };
        let transaction = self.connection(domid).transactions.remove(&tx_id);
        let transaction = transaction.ok_or(Errno::ENOENT)?;
        if commit {
            let changes = transaction.commit(&mut self.tree)?;
            effects.extend(changes.into_iter().map(Effect::Changed));
        }
        ok()
    }

    fn introduce_request(&mut self, payload: &[u8], effects: &mut Vec<Effect>) -> Answer {
        let (domid, rest) = first_string(payload)?;
        let domid = parse_domid(domid).filter(|d| *d != DOM0 && d.0 < DomId::FIRST_RESERVED);
        let domid = domid.ok_or(Errno::EINVAL)?;
        let (_gfn, rest) = first_string(rest)?;
        let (_port, _) = first_string(rest)?;
        self.connect(domid);
        effects.push(Effect::Special(INTRODUCE_DOMAIN));
        ok()
    }

    fn release_request(&mut self, payload: &[u8], effects: &mut Vec<Effect>) -> Answer {
        let domid = parse_domid(only_string(payload)?);
        let domid = domid.filter(|d| *d != DOM0).ok_or(Errno::EINVAL)?;
        if !self.is_introduced(domid) {
            return Err(Errno::ENOENT);
        }
        self.forget(domid, effects);
        effects.push(Effect::Special(RELEASE_DOMAIN));
        ok()
    }
}

pub(super) fn watch_target(domid: DomId, path: &[u8]) -> Result<Target, Errno> {
    if !path.starts_with(b"@") {
        return Ok(Target::Node(Path::resolve(domid, path)?));
    }
    if path.len() > REL_PATH_MAX {
        return Err(Errno::EINVAL);
    }
    let name = std::str::from_utf8(path).map_err(|_| Errno::EINVAL)?;
    Ok(Target::Special(name.to_owned()))
}

/// The value that a request is reported with: what it carried besides its path, otherwise what it got.
pub(super) fn reported(payload: &[u8], answer: &Answer) -> (String, Vec<u8>) {
    let (path, rest) = first_string(payload).unwrap_or((payload, &[]));
    let value = match answer {
        _ if !rest.is_empty() => rest.to_vec(),
        Ok(got) if got != b"OK\0" => got.clone(),
        _ => Vec::new(),
    };
    (String::from_utf8_lossy(path).into_owned(), value)
}
