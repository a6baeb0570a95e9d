//! Transactions: a private copy of each node touched, and a check at the end that nobody else touched it.
//!
//! As in xenstored, a node is copied when the transaction first looks at it, whether to read it, to write it or to
//! find it missing, and its generation is noted. The transaction commits only if each of them still has that
//! generation, otherwise `EAGAIN`: there is no half-success and no lost update.

use std::collections::BTreeMap;

use xen_abi::{DomId, Errno};

use super::path::Path;
use super::perms::{Access, DOM0, Perms};
use super::quota;
use super::tree::{Node, Tree};

/// That a node changed: what watches are told.
#[derive(Clone, Debug)]
pub struct Change {
    /// The node.
    pub path: Path,
    /// Whether only watches on just this node care: it went away with a node above it, which is reported itself.
    pub exact: bool,
    /// The node's permissions before, if it existed.
    pub before: Option<Perms>,
    /// Its permissions now, if it still exists.
    pub after: Option<Perms>,
    /// Those of the node that lists it.
    pub parent: Option<Perms>,
}

impl Change {
    /// Whether `domid` may know of it: whoever may read the node, could read it before, or may list it.
    pub fn visible_to(&self, domid: DomId) -> bool {
        let mut readers = [&self.after, &self.before, &self.parent]
            .into_iter()
            .flatten();
        readers.any(|perms| perms.allow(domid, Access::READ))
    }
}

#[derive(Debug)]
struct Accessed {
    /// The node's generation when it was first looked at; none: there was no node.
    seen: Option<u64>,
    now: Option<Node>,
    modified: bool,
}

/// What a transaction has seen and done.
#[derive(Debug, Default)]
pub struct Transaction {
    accessed: BTreeMap<Path, Accessed>,
    changes: Vec<Change>,
    owned: BTreeMap<DomId, i64>,
}

impl Transaction {
    /// Makes all of it visible and says what changed, or `EAGAIN` and nothing happened.
    pub fn commit(self, tree: &mut Tree) -> Result<Vec<Change>, Errno> {
        let untouched =
            |(path, a): (&Path, &Accessed)| tree.get(path).map(|node| node.generation) == a.seen;
        if !self.accessed.iter().all(untouched) {
            return Err(Errno::EAGAIN);
        }
        for (&domid, &more) in &self.owned {
            let after = i64::from(tree.owned(domid)) + more;
            if domid != DOM0 && more > 0 && after > i64::from(quota::NODES) {
                return Err(Errno::ENOSPC);
            }
        }
        for (path, accessed) in self.accessed {
            match accessed.now {
                _ if !accessed.modified => {}
                Some(mut node) => {
                    node.generation = tree.next_generation();
                    tree.put(&path, node);
                }
                None => tree.delete(&path),
            }
        }
        Ok(self.changes)
    }

    fn replace(&mut self, path: &Path, now: Option<Node>) {
        let accessed = self.accessed.get_mut(path);
        let accessed = accessed.expect("a node is looked at before it is changed");
        accessed.modified = true;
        if let Some(node) = &now {
            *self.owned.entry(node.perms.owner()).or_default() += 1;
        }
        if let Some(before) = std::mem::replace(&mut accessed.now, now) {
            *self.owned.entry(before.perms.owner()).or_default() -= 1;
        }
    }

    fn changed(&mut self, change: Change) {
        match self.changes.iter_mut().find(|c| c.path == change.path) {
            None => self.changes.push(change),
            Some(known) => {
                known.exact &= change.exact;
                known.after = change.after;
                known.parent = change.parent;
            }
        }
    }
}

/// The tree as one request sees it: through its transaction, if it names one.
pub struct View<'a> {
    /// The tree that everybody sees.
    pub tree: &'a mut Tree,
    /// The request's transaction.
    pub transaction: Option<&'a mut Transaction>,
    /// Where changes outside a transaction are noted.
    pub changes: &'a mut Vec<Change>,
}

impl View<'_> {
    /// The node, if there is one. `ENOSPC`: the transaction has touched too many.
    pub fn get(&mut self, path: &Path) -> Result<Option<Node>, Errno> {
        let Some(transaction) = &mut self.transaction else {
            return Ok(self.tree.get(path).cloned());
        };
        if let Some(accessed) = transaction.accessed.get(path) {
            return Ok(accessed.now.clone());
        }
        if transaction.accessed.len() >= quota::TRANSACTION_NODES {
            return Err(Errno::ENOSPC);
        }
        let now = self.tree.get(path).cloned();
        let accessed = Accessed {
            seen: now.as_ref().map(|node| node.generation),
            now: now.clone(),
            modified: false,
        };
        transaction.accessed.insert(path.clone(), accessed);
        Ok(now)
    }

    /// The node, without making the transaction depend on it.
    pub fn peek(&self, path: &Path) -> Option<&Node> {
        let accessed = self.transaction.as_ref().and_then(|t| t.accessed.get(path));
        match accessed {
            Some(accessed) => accessed.now.as_ref(),
            None => self.tree.get(path),
        }
    }

    /// Stores a node whose name was looked at before.
    pub fn put(&mut self, path: &Path, mut node: Node) {
        node.generation = self.tree.next_generation();
        match &mut self.transaction {
            None => self.tree.put(path, node),
            Some(transaction) => transaction.replace(path, Some(node)),
        }
    }

    /// Forgets a node that was looked at before.
    pub fn delete(&mut self, path: &Path) {
        match &mut self.transaction {
            None => self.tree.delete(path),
            Some(transaction) => transaction.replace(path, None),
        }
    }

    /// How many nodes `domid` would own if the transaction committed now.
    pub fn owned(&self, domid: DomId) -> i64 {
        let more = self.transaction.as_ref().and_then(|t| t.owned.get(&domid));
        i64::from(self.tree.owned(domid)) + more.copied().unwrap_or(0)
    }

    /// A number that no write has had yet.
    pub fn next_generation(&mut self) -> u64 {
        self.tree.next_generation()
    }

    /// Notes what watches will be told; in a transaction once a node.
    pub fn changed(&mut self, change: Change) {
        match &mut self.transaction {
            None => self.changes.push(change),
            Some(transaction) => transaction.changed(change),
        }
    }
}
