//! The nodes themselves, by full name, and how many of them each domain owns.
//!
//! Every write gives a node a new *generation*: unequal generations are what a transaction's conflict is made of.
//! Nodes are cheap to clone (a transaction keeps those that it has seen).

use std::collections::BTreeMap;
use std::rc::Rc;

use xen_abi::DomId;

use super::path::Path;
use super::perms::{DOM0, Perms};

/// Names of a node's children, in the order of their creation, as a listing gives them.
#[derive(Clone, Debug, Default)]
pub struct Children {
    by_birth: BTreeMap<u64, Rc<str>>,
    bytes: usize,
}

impl Children {
    /// The names, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Rc<str>> {
        self.by_birth.values()
    }
    /// The length of the listing: each name with its NUL.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
    /// The listing.
    pub fn listing(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes);
        for name in self.iter() {
            out.extend_from_slice(name.as_bytes());
            out.push(0);
        }
        out
    }
    /// Adds the name of a child born at `birth`.
    pub fn add(&mut self, birth: u64, name: &str) {
        self.bytes += name.len() + 1;
        let before = self.by_birth.insert(birth, name.into());
        assert!(before.is_none(), "two children were born at once");
    }
    /// Forgets the child born at `birth`.
    pub fn remove(&mut self, birth: u64) {
        let name = self.by_birth.remove(&birth);
        let name = name.expect("a node is listed by its parent");
        self.bytes -= name.len() + 1;
    }
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Who may do what with it.
    pub perms: Perms,
    /// Its value.
    pub value: Rc<[u8]>,
    /// The nodes below it.
    pub children: Rc<Children>,
    /// Which of all writes was its last.
    pub generation: u64,
    /// Which of all writes created it.
    pub birth: u64,
}

impl Node {
    /// A node without value and children.
    pub fn new(perms: Perms, birth: u64) -> Node {
        Node {
            perms,
            value: Rc::new([]),
            children: Rc::default(),
            generation: birth,
            birth,
        }
    }

    /// What the quota for a node's size counts: xenstored's record of it (24 bytes of header, 8 a permission).
    pub fn size(&self) -> usize {
        24 + 8 * self.perms.entries() + self.value.len() + self.children.bytes()
    }
}

/// All nodes that everybody sees.
#[derive(Debug)]
pub struct Tree {
    nodes: BTreeMap<Path, Node>,
    generation: u64,
    owned: BTreeMap<DomId, u32>,
}

impl Default for Tree {
    /// A tree with nothing but its root.
    fn default() -> Tree {
        let mut tree = Tree {
            nodes: BTreeMap::new(),
            generation: 0,
            owned: BTreeMap::new(),
        };
        let root = Node::new(Perms::owned_by(DOM0), tree.next_generation());
        tree.put(&Path::root(), root);
        tree
    }
}

impl Tree {
    /// A number that no write has had yet.
    pub fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    /// The node.
    pub fn get(&self, path: &Path) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Stores the node, which has a new generation already.
    pub fn put(&mut self, path: &Path, node: Node) {
        *self.owned.entry(node.perms.owner()).or_default() += 1;
        if let Some(before) = self.nodes.insert(path.clone(), node) {
            self.disown(before.perms.owner());
        }
    }

    /// Forgets the node.
    pub fn delete(&mut self, path: &Path) {
        if let Some(before) = self.nodes.remove(path) {
            self.disown(before.perms.owner());
        }
    }

    /// How many nodes `domid` owns.
    pub fn owned(&self, domid: DomId) -> u32 {
        self.owned.get(&domid).copied().unwrap_or(0)
    }

    /// The nodes that `domid` owns (but the root), parents first.
    pub fn owned_paths(&self, domid: DomId) -> Vec<Path> {
        if self.owned(domid) == 0 {
            return Vec::new();
        }
        let is_theirs = |path: &Path, node: &Node| node.perms.owner() == domid && !path.is_root();
        let theirs = self.nodes.iter().filter(|(p, n)| is_theirs(p, n));
        theirs.map(|(path, _)| path.clone()).collect()
    }

    fn disown(&mut self, owner: DomId) {
        let count = self.owned.get_mut(&owner).expect("an owner is counted");
        *count -= 1;
        if *count == 0 {
            self.owned.remove(&owner);
        }
    }
}
