//! Who may do what with a node.
//!
//! A node's permissions are a list. The first entry names the owner, who may do everything, and what everybody not
//! listed may do; each further entry is an exception for one domain. Dom0 may do everything everywhere.

use std::rc::Rc;

use bitflags::bitflags;
use xen_abi::{DomId, Errno};

/// Dom0, whose tools are not subject to permissions and quotas.
pub const DOM0: DomId = DomId(0);

bitflags! {
    /// `enum xs_perm_type`
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Access: u8 {
        /// `XS_PERM_READ`
        const READ = 1;
        /// `XS_PERM_WRITE`
        const WRITE = 2;
        /// `XS_PERM_OWNER`
        const OWNER = 4;
    }
}

/// One entry of a node's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    domid: DomId,
    access: Access,
}

/// A node's permissions; never empty, cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Perms(Rc<[Entry]>);

impl Perms {
    /// `n<owner>`: nobody but the owner.
    pub fn owned_by(owner: DomId) -> Perms {
        Perms(Rc::new([Entry {
            domid: owner,
            access: Access::empty(),
        }]))
    }

    /// `n<owner>`, with an exception for `other`.
    pub fn shared(owner: DomId, other: DomId, access: Access) -> Perms {
        Perms(Rc::new([
            Entry {
                domid: owner,
                access: Access::empty(),
            },
            Entry {
                domid: other,
                access,
            },
        ]))
    }

    /// The list that these strings spell, as in `XS_SET_PERMS`: `r0`, `b7`, …
    pub fn parse<'a>(strings: impl Iterator<Item = &'a [u8]>) -> Result<Perms, Errno> {
        let entries = strings.map(parse_entry).collect::<Result<Vec<_>, _>>()?;
        if entries.is_empty() {
            return Err(Errno::EINVAL);
        }
        Ok(Perms(entries.into()))
    }

    /// The strings, each with its NUL.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for entry in self.0.iter() {
            let read = entry.access.contains(Access::READ);
            let write = entry.access.contains(Access::WRITE);
            let letter = match (read, write) {
                (true, true) => 'b',
                (true, false) => 'r',
                (false, true) => 'w',
                (false, false) => 'n',
            };
            out.extend_from_slice(format!("{letter}{}\0", entry.domid).as_bytes());
        }
        out
    }

    /// The same list with another owner: what an unprivileged domain creates is its own.
    pub fn with_owner(&self, owner: DomId) -> Perms {
        let mut entries = self.0.to_vec();
        entries[0].domid = owner;
        Perms(entries.into())
    }

    /// Who owns the node.
    pub fn owner(&self) -> DomId {
        self.0[0].domid
    }

    /// The number of entries.
    pub fn entries(&self) -> usize {
        self.0.len()
    }

    /// Whether `caller` may do all of `wanted`.
    pub fn allow(&self, caller: DomId, wanted: Access) -> bool {
        if caller == DOM0 || caller == self.owner() {
            return true;
        }
        let exception = self.0[1..].iter().find(|e| e.domid == caller);
        exception.unwrap_or(&self.0[0]).access.contains(wanted)
    }
}

fn parse_entry(text: &[u8]) -> Result<Entry, Errno> {
    let (letter, number) = text.split_first().ok_or(Errno::EINVAL)?;
    let access = match letter {
        b'n' => Access::empty(),
        b'r' => Access::READ,
        b'w' => Access::WRITE,
        b'b' => Access::READ | Access::WRITE,
        _ => return Err(Errno::EINVAL),
    };
    let domid = parse_domid(number).ok_or(Errno::EINVAL)?;
    Ok(Entry { domid, access })
}

/// The domain that decimal digits name.
pub fn parse_domid(digits: &[u8]) -> Option<DomId> {
    let text = std::str::from_utf8(digits).ok()?;
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().map(DomId)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn perms(strings: &[&str]) -> Result<Perms, Errno> {
        Perms::parse(strings.iter().map(|s| s.as_bytes()))
    }

    #[test]
    fn the_owner_and_dom0_may_do_everything_and_exceptions_go_before_the_rule() {
        let p = perms(&["r3", "w4", "n5"]).unwrap();
        let all = Access::READ | Access::WRITE | Access::OWNER;
        assert!(p.allow(DomId(3), all) && p.allow(DOM0, all));
        assert!(p.allow(DomId(9), Access::READ) && !p.allow(DomId(9), Access::WRITE));
        assert!(p.allow(DomId(4), Access::WRITE) && !p.allow(DomId(4), Access::READ));
        assert!(!p.allow(DomId(5), Access::READ));
    }

    #[test]
    fn the_strings_come_back_as_they_were_given() {
        let p = perms(&["b0", "n1", "w65535", "r2"]).unwrap();
        assert_eq!(p.to_bytes(), b"b0\0n1\0w65535\0r2\0");
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in ["", "x1", "r", "r-1", "r+1", "r70000", "rr1"] {
            assert_eq!(perms(&[bad]), Err(Errno::EINVAL), "{bad:?}");
        }
        assert_eq!(perms(&[]), Err(Errno::EINVAL));
    }
}
