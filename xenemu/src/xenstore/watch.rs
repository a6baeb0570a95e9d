//! Watches, found by the path that changed.
//!
//! They hang in a trie of path components: a change walks from the root to its node and meets just those watches
//! that it concerns, however many others there are. (An arena, not boxes in boxes: a hostile path is 1,500 levels
//! deep.)

use std::collections::BTreeMap;

use xen_abi::DomId;

use super::path::Path;

/// Who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watcher {
    /// A domain, over its connection.
    Domain(DomId),
    /// One of dom0's own actors: the toolstack, a backend.
    Actor(u32),
}

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A node and all below it.
    Node(Path),
    /// `@introduceDomain`, `@releaseDomain`: always with the `@`.
    Special(String),
}

/// A registered watch.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Whose it is.
    pub watcher: Watcher,
    /// Handed back in each event.
    pub token: Vec<u8>,
    /// The watcher's home, if it named the path relatively: then events do so too.
    pub relative_to: Option<Path>,
    order: u64,
}

impl Watch {
    /// The path in the form in which the watch was registered.
    pub fn spell<'a>(&self, path: &'a Path) -> &'a str {
        match &self.relative_to {
            Some(home) => path.relative_to(home),
            None => path.as_str(),
        }
    }
}

#[derive(Debug, Default)]
struct TrieNode {
    parent: usize,
    name: Box<str>,
    children: BTreeMap<Box<str>, usize>,
    watches: Vec<Watch>,
}

const ROOT: usize = 0;

/// All watches.
#[derive(Debug)]
pub struct Watches {
    trie: Vec<TrieNode>,
    free: Vec<usize>,
    special: BTreeMap<String, Vec<Watch>>,
    /// Each watcher's own, so that leaving costs no search.
    registered: BTreeMap<Watcher, BTreeMap<(Target, Vec<u8>), u64>>,
    order: u64,
}

impl Default for Watches {
    /// None.
    fn default() -> Watches {
        Watches {
            trie: vec![TrieNode::default()],
            free: Vec::new(),
            special: BTreeMap::new(),
            registered: BTreeMap::new(),
            order: 0,
        }
    }
}

impl Watches {
    /// How many a watcher has.
    pub fn count(&self, watcher: Watcher) -> usize {
        self.registered.get(&watcher).map_or(0, BTreeMap::len)
    }

    /// How many there are.
    pub fn total(&self) -> usize {
        self.registered.values().map(BTreeMap::len).sum()
    }

    /// Whether the watcher has this one already.
    pub fn contains(&self, watcher: Watcher, target: &Target, token: &[u8]) -> bool {
        let own = self.registered.get(&watcher);
        own.is_some_and(|own| own.contains_key(&(target.clone(), token.to_vec())))
    }

    /// Registers a watch that the watcher hasn't got yet.
    pub fn add(
        &mut self,
        watcher: Watcher,
        target: Target,
        token: &[u8],
        relative_to: Option<Path>,
    ) -> Watch {
        self.order += 1;
        let watch = Watch {
            watcher,
            token: token.to_vec(),
            relative_to,
            order: self.order,
        };
        let place = match &target {
            Target::Node(path) => {
                let at = self.make_place(path);
                &mut self.trie[at].watches
            }
            Target::Special(name) => self.special.entry(name.clone()).or_default(),
        };
        place.push(watch.clone());
        let own = self.registered.entry(watcher).or_default();
        let before = own.insert((target, token.to_vec()), self.order);
        assert!(before.is_none(), "a watch is registered once");
        watch
    }

    /// Removes one; false if there is none.
    pub fn remove(&mut self, watcher: Watcher, target: Target, token: &[u8]) -> bool {
        let Some(own) = self.registered.get_mut(&watcher) else {
            return false;
        };
        let key = (target, token.to_vec());
        let Some(order) = own.remove(&key) else {
            return false;
        };
        if own.is_empty() {
            self.registered.remove(&watcher);
        }
        self.unhang(&key.0, order);
        true
    }

    /// Removes all of a watcher's.
    pub fn remove_all(&mut self, watcher: Watcher) {
        let own = self.registered.remove(&watcher).unwrap_or_default();
        for ((target, _), order) in own {
            self.unhang(&target, order);
        }
    }

    /// The watches that a change of `path` concerns: those on it and, unless `exact`, on all above it. In order of
    /// their registration.
    pub fn concerned(&self, path: &Path, exact: bool) -> Vec<Watch> {
        let mut found: Vec<&Watch> = Vec::new();
        let mut at = ROOT;
        let mut names = path.components().peekable();
        loop {
            if !exact || names.peek().is_none() {
                found.extend(&self.trie[at].watches);
            }
            let below = names
                .next()
                .and_then(|name| self.trie[at].children.get(name));
            match below {
                Some(&below) => at = below,
                None => break,
            }
        }
        found.sort_by_key(|watch| watch.order);
        found.into_iter().cloned().collect()
    }

    /// The watches on a special name.
    pub fn on_special(&self, name: &str) -> Vec<Watch> {
        self.special.get(name).cloned().unwrap_or_default()
    }

    fn make_place(&mut self, path: &Path) -> usize {
        let mut at = ROOT;
        for name in path.components() {
            at = match self.trie[at].children.get(name) {
                Some(&below) => below,
                None => self.sprout(at, name),
            };
        }
        at
    }

    fn sprout(&mut self, parent: usize, name: &str) -> usize {
        let node = TrieNode {
            parent,
            name: name.into(),
            ..TrieNode::default()
        };
        let at = match self.free.pop() {
            Some(at) => {
                self.trie[at] = node;
                at
            }
            None => {
                self.trie.push(node);
                self.trie.len() - 1
            }
        };
        self.trie[parent].children.insert(name.into(), at);
        at
    }

    fn unhang(&mut self, target: &Target, order: u64) {
        match target {
            Target::Special(name) => {
                let watches = self.special.get_mut(name);
                let watches = watches.expect("a registered watch hangs somewhere");
                watches.retain(|watch| watch.order != order);
                if watches.is_empty() {
                    self.special.remove(name);
                }
            }
            Target::Node(path) => {
                let at = self.make_place(path);
                self.trie[at].watches.retain(|watch| watch.order != order);
                self.prune(at);
            }
        }
    }

    /// Gives back what no watch hangs on any more, upwards.
    fn prune(&mut self, mut at: usize) {
        while at != ROOT && self.trie[at].watches.is_empty() && self.trie[at].children.is_empty() {
            let gone = std::mem::take(&mut self.trie[at]);
            self.trie[gone.parent].children.remove(&gone.name);
            self.free.push(at);
            at = gone.parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(path: &str) -> Target {
        Target::Node(Path::absolute(path).unwrap())
    }

    fn tokens(watches: &Watches, path: &str, exact: bool) -> Vec<String> {
        let found = watches.concerned(&Path::absolute(path).unwrap(), exact);
        let text = |w: Watch| String::from_utf8(w.token).unwrap();
        found.into_iter().map(text).collect()
    }

    #[test]
    fn a_change_concerns_the_watches_on_it_and_above_it_in_order_of_registration() {
        let mut w = Watches::default();
        let d = Watcher::Domain(DomId(1));
        for (path, token) in [
            ("/a/b", "ab"),
            ("/", "root"),
            ("/a", "a"),
            ("/a/b/c", "abc"),
        ] {
            w.add(d, node(path), token.as_bytes(), None);
        }
        assert_eq!(tokens(&w, "/a/b", false), ["ab", "root", "a"]);
        assert_eq!(tokens(&w, "/a/b", true), ["ab"]);
        assert_eq!(tokens(&w, "/a/bb", false), ["root", "a"]);
        assert_eq!(tokens(&w, "/", true), ["root"]);
    }

    #[test]
    fn what_no_watch_hangs_on_is_given_back() {
        let mut w = Watches::default();
        let d = Watcher::Domain(DomId(1));
        let a = Watcher::Actor(0);
        w.add(d, node("/a/b/c"), b"1", None);
        w.add(a, node("/a/b"), b"1", None);
        assert!(!w.remove(d, node("/a/b"), b"1"), "another's watch");
        assert!(w.remove(d, node("/a/b/c"), b"1"));
        w.remove_all(a);
        assert_eq!(w.total(), 0);
        assert!(w.trie[ROOT].children.is_empty());
        assert_eq!(w.free.len(), w.trie.len() - 1);
    }
}
