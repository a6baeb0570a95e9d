//! What can be done with nodes, under permissions and quotas.
//!
//! Each operation looks at all it needs and checks it first, and only then writes: a refused one leaves nothing
//! behind.

use std::rc::Rc;

use xen_abi::{DomId, Errno};

use super::path::Path;
use super::perms::{Access, DOM0, Perms};
use super::quota;
use super::transaction::{Change, View};
use super::tree::{Children, Node};

/// The node, if `caller` may do `wanted` with it.
///
/// Whether a node that isn't there is `ENOENT` or `EACCES` depends on its nearest existing ancestor: who may not read
/// there shall not learn what doesn't exist.
pub fn lookup(
    view: &mut View<'_>,
    caller: DomId,
    path: &Path,
    wanted: Access,
) -> Result<Node, Errno> {
    let missing = match view.get(path)? {
        Some(node) if node.perms.allow(caller, wanted) => return Ok(node),
        Some(_) => Errno::EACCES,
        None => Errno::ENOENT,
    };
    let mut above = path.parent();
    while let Some(ancestor) = above {
        if let Some(node) = view.get(&ancestor)? {
            let may_know = node.perms.allow(caller, wanted);
            return Err(if may_know { missing } else { Errno::EACCES });
        }
        above = ancestor.parent();
    }
    Err(missing)
}

/// `XS_WRITE`: sets the value, after creating the node and all that is missing above it.
pub fn write(
    view: &mut View<'_>,
    caller: DomId,
    path: &Path,
    value: Rc<[u8]>,
) -> Result<(), Errno> {
    match lookup(view, caller, path, Access::WRITE) {
        Ok(mut node) => {
            node.value = value;
            check_size(caller, &node)?;
            let perms = node.perms.clone();
            view.put(path, node);
            report(view, path, Some(perms.clone()), Some(perms), false);
            Ok(())
        }
        Err(Errno::ENOENT) => create(view, caller, path, value),
        Err(other) => Err(other),
    }
}

/// `XS_MKDIR`: creates the node, and all that is missing above it, unless it exists.
pub fn mkdir(view: &mut View<'_>, caller: DomId, path: &Path) -> Result<(), Errno> {
    match lookup(view, caller, path, Access::WRITE) {
        Ok(_) => Ok(()),
        Err(Errno::ENOENT) => create(view, caller, path, Rc::new([])),
        Err(other) => Err(other),
    }
}

/// `XS_RM`: removes the node and all below it. That it isn't there is fine, if its parent is.
pub fn remove(view: &mut View<'_>, caller: DomId, path: &Path) -> Result<(), Errno> {
    let node = match lookup(view, caller, path, Access::WRITE) {
        Ok(node) => node,
        Err(Errno::ENOENT) => {
            let parent = path.parent().ok_or(Errno::ENOENT)?;
            return view.get(&parent)?.map(|_| ()).ok_or(Errno::ENOENT);
        }
        Err(other) => return Err(other),
    };
    let parent_path = path.parent().ok_or(Errno::EINVAL)?;
    let mut parent = view.get(&parent_path)?.expect("a node has a parent");
    let birth = node.birth;
    let doomed = subtree(view, path, node)?;
    for (below, node) in doomed.into_iter().rev() {
        report(view, &below, Some(node.perms), None, below != *path);
        view.delete(&below);
    }
    Rc::make_mut(&mut parent.children).remove(birth);
    view.put(&parent_path, parent);
    Ok(())
}

/// `XS_SET_PERMS`: for the node's owner; only dom0 gives a node to somebody else.
pub fn set_perms(
    view: &mut View<'_>,
    caller: DomId,
    path: &Path,
    perms: Perms,
) -> Result<(), Errno> {
    let mut node = lookup(view, caller, path, Access::WRITE | Access::OWNER)?;
    let before = node.perms.clone();
    if caller != DOM0 && perms.owner() != before.owner() {
        return Err(Errno::EPERM);
    }
    node.perms = perms.clone();
    check_size(caller, &node)?;
    view.put(path, node);
    report(view, path, Some(before), Some(perms), false);
    Ok(())
}

/// Creates a node where none is, below the nearest existing ancestor, whose permissions are inherited.
fn create(view: &mut View<'_>, caller: DomId, path: &Path, value: Rc<[u8]>) -> Result<(), Errno> {
    let mut missing = vec![path.clone()];
    let (mut above_path, mut above) = loop {
        let lowest = missing.last().expect("never empty");
        let parent = lowest.parent().expect("the root exists");
        match view.get(&parent)? {
            Some(node) => break (parent, node),
            None => missing.push(parent),
        }
    };
    let more = missing.len() as i64;
    if caller != DOM0 && view.owned(caller) + more > i64::from(quota::NODES) {
        return Err(Errno::ENOSPC);
    }
    let perms = match caller {
        DOM0 => above.perms.clone(),
        _ => above.perms.with_owner(caller),
    };

    let mut made = Vec::with_capacity(missing.len() + 1);
    while let Some(lower_path) = missing.pop() {
        let birth = view.next_generation();
        let mut lower = Node::new(perms.clone(), birth);
        if missing.is_empty() {
            lower.value = value.clone();
        }
        Rc::make_mut(&mut above.children).add(birth, lower_path.name());
        check_size(caller, &above)?;
        made.push((above_path, above));
        (above_path, above) = (lower_path, lower);
    }
    check_size(caller, &above)?;
    made.push((above_path, above));

    for (path, node) in made {
        view.put(&path, node);
    }
    report(view, path, None, Some(perms), false);
    Ok(())
}

/// The node and all below it, each before its children, siblings youngest first: backwards this is the order in
/// which they go away.
fn subtree(view: &mut View<'_>, path: &Path, node: Node) -> Result<Vec<(Path, Node)>, Errno> {
    let mut found = Vec::new();
    let mut to_visit = vec![(path.clone(), node)];
    while let Some((path, node)) = to_visit.pop() {
        let children: Rc<Children> = node.children.clone();
        found.push((path.clone(), node));
        for name in children.iter() {
            let child_path = path.join(name);
            let child = view.get(&child_path)?.expect("a listed child exists");
            to_visit.push((child_path, child));
        }
    }
    Ok(found)
}

fn check_size(caller: DomId, node: &Node) -> Result<(), Errno> {
    if caller != DOM0 && node.size() >= quota::NODE_SIZE {
        return Err(Errno::ENOSPC);
    }
    Ok(())
}

fn report(
    view: &mut View<'_>,
    path: &Path,
    before: Option<Perms>,
    after: Option<Perms>,
    exact: bool,
) {
    let parent = path.parent().and_then(|parent| {
        let node = view.peek(&parent)?;
        Some(node.perms.clone())
    });
    view.changed(Change {
        path: path.clone(),
        exact,
        before,
        after,
        parent,
    });
}
