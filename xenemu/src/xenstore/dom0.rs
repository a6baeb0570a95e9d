//! The store for dom0's own users (toolstack, backends), who need no wire.
//!
//! They are privileged and each call stands alone: nothing else acts within one of their steps, so they need no
//! transaction either.

use std::rc::Rc;

use xen_abi::Errno;

use super::path::Path;
use super::perms::{DOM0, Perms};
use super::requests::{Effect, watch_target};
use super::transaction::View;
use super::watch::Watcher;
use super::{Xenstored, nodes};

impl Xenstored {
    /// The node's value.
    pub fn read(&self, path: &str) -> Option<Rc<[u8]>> {
        let path = Path::absolute(path).ok()?;
        self.tree.get(&path).map(|node| node.value.clone())
    }

    /// The names of the node's children, in order of their creation; none if there is no such node.
    pub fn list(&self, path: &str) -> Vec<Rc<str>> {
        let node = Path::absolute(path).ok().and_then(|p| self.tree.get(&p));
        node.map_or_else(Vec::new, |node| node.children.iter().cloned().collect())
    }

    /// Whether there is such a node.
    pub fn exists(&self, path: &str) -> bool {
        Path::absolute(path).is_ok_and(|p| self.tree.get(&p).is_some())
    }

    /// Sets a value, creating what is missing above.
    pub fn write(&mut self, path: &str, value: &[u8]) -> Result<(), Errno> {
        let path = Path::absolute(path)?;
        self.as_dom0(|view| nodes::write(view, DOM0, &path, value.into()))
    }

    /// Creates a node without a value.
    pub fn mkdir(&mut self, path: &str) -> Result<(), Errno> {
        let path = Path::absolute(path)?;
        self.as_dom0(|view| nodes::mkdir(view, DOM0, &path))
    }

    /// Removes the node and all below it; that there is none is fine.
    pub fn remove(&mut self, path: &str) -> Result<(), Errno> {
        let path = Path::absolute(path)?;
        match self.as_dom0(|view| nodes::remove(view, DOM0, &path)) {
            Err(Errno::ENOENT) => Ok(()),
            other => other,
        }
    }

    /// Says who may do what with a node.
    pub fn set_perms(&mut self, path: &str, perms: Perms) -> Result<(), Errno> {
        let path = Path::absolute(path)?;
        self.as_dom0(|view| nodes::set_perms(view, DOM0, &path, perms))
    }

    /// Registers a watch of one of dom0's actors (again: nothing happens); it fires once at once.
    pub fn watch(&mut self, actor: u32, path: &str, token: &[u8]) -> Result<(), Errno> {
        let target = watch_target(DOM0, path.as_bytes())?;
        let watcher = Watcher::Actor(actor);
        if !self.watches.contains(watcher, &target, token) {
            let watch = self.watches.add(watcher, target.clone(), token, None);
            self.apply(Effect::Registered(watch, target));
        }
        Ok(())
    }

    /// Removes a watch of one of dom0's actors.
    pub fn unwatch(&mut self, actor: u32, path: &str, token: &[u8]) {
        if let Ok(target) = watch_target(DOM0, path.as_bytes()) {
            self.watches.remove(Watcher::Actor(actor), target, token);
        }
    }

    fn as_dom0(
        &mut self,
        operation: impl FnOnce(&mut View<'_>) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let mut changes = Vec::new();
        let mut view = View {
            tree: &mut self.tree,
            transaction: None,
            changes: &mut changes,
        };
        operation(&mut view)?;
        for change in changes {
            self.apply(Effect::Changed(change));
        }
        Ok(())
    }
}
