//! Node names: which bytes make one, and how a relative one resolves.
//!
//! A [`Path`] is always absolute and valid, so that everything behind the wire can rely on it. What begins with `@`
//! is not a node but the name of a special watch, and stays a string of its own.

use std::fmt;
use std::rc::Rc;

use xen_abi::io::xs_wire::{ABS_PATH_MAX, REL_PATH_MAX};
use xen_abi::{DomId, Errno};

/// The absolute name of a node: `/` or `/a/b`, without an empty component.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Rc<str>);

impl Path {
    /// `/`
    pub fn root() -> Path {
        Path("/".into())
    }

    /// A domain's home, against which its relative paths resolve.
    pub fn of_domain(domid: DomId) -> Path {
        Path(format!("/local/domain/{domid}").into())
    }

    /// The path that `text` names when `caller` says it.
    pub fn resolve(caller: DomId, text: &[u8]) -> Result<Path, Errno> {
        let text = std::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
        if text.starts_with('/') {
            return Path::absolute(text);
        }
        if text.len() > REL_PATH_MAX {
            return Err(Errno::EINVAL);
        }
        Path::absolute(&format!("/local/domain/{caller}/{text}"))
    }

    /// The path that the absolute `text` names.
    pub fn absolute(text: &str) -> Result<Path, Errno> {
        let valid_char = |b: u8| b.is_ascii_alphanumeric() || b"-/_@".contains(&b);
        let valid = text.starts_with('/')
            && (text == "/" || !text.ends_with('/'))
            && !text.contains("//")
            && text.len() <= ABS_PATH_MAX
            && text.bytes().all(valid_char);
        if valid {
            Ok(Path(text.into()))
        } else {
            Err(Errno::EINVAL)
        }
    }

    /// The node below this one that `name` (a valid component, or several) names.
    pub fn join(&self, name: &str) -> Path {
        let path = if self.is_root() {
            format!("/{name}")
        } else {
            format!("{}/{name}", self.0)
        };
        debug_assert!(!name.is_empty());
        Path(path.into())
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        &*self.0 == "/"
    }

    /// The node that lists this one; none for the root.
    pub fn parent(&self) -> Option<Path> {
        if self.is_root() {
            return None;
        }
        match self.0.rfind('/') {
            Some(0) => Some(Path::root()),
            Some(at) => Some(Path(self.0[..at].into())),
            None => unreachable!("a path is absolute"),
        }
    }

    /// The last component; empty for the root.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or("")
    }

    /// The components from the root downwards.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|c| !c.is_empty())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is left of this path below `home`: the form in which a domain named it, if it named it relatively.
    pub fn relative_to(&self, home: &Path) -> &str {
        let tail = self.0.strip_prefix(&*home.0).unwrap_or(&self.0);
        tail.strip_prefix('/').unwrap_or(tail)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<String, Errno> {
        Path::resolve(DomId(7), text.as_bytes()).map(|p| p.to_string())
    }

    #[test]
    fn a_relative_path_lies_below_the_callers_home() {
        assert_eq!(resolve("device/vif").unwrap(), "/local/domain/7/device/vif");
        assert_eq!(resolve("/tool").unwrap(), "/tool");
    }

    #[test]
    fn a_path_has_no_empty_component_and_no_strange_character() {
        let too_long = "a".repeat(REL_PATH_MAX + 1);
        let far_too_long = format!("/{}", "a".repeat(ABS_PATH_MAX));
        for bad in [
            "",
            "a/",
            "a//b",
            "/a/",
            "//",
            "a b",
            "a.b",
            "ä",
            &too_long,
            &far_too_long,
        ] {
            assert_eq!(resolve(bad), Err(Errno::EINVAL), "{bad:?}");
        }
        assert_eq!(Path::resolve(DomId(1), b"\xff"), Err(Errno::EINVAL));
    }

    #[test]
    fn parents_lead_to_the_root_and_end_there() {
        let path = Path::absolute("/a/b").unwrap();
        assert_eq!(path.name(), "b");
        let a = path.parent().unwrap();
        assert_eq!(a.as_str(), "/a");
        assert_eq!(a.parent().unwrap(), Path::root());
        assert_eq!(Path::root().parent(), None);
        assert_eq!(Path::root().join("a"), a);
    }
}
