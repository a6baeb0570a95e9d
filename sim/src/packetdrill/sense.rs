//! What no run has to show: a call on a descriptor that no call before it has made, or of more octets than a call can
//! move. Both are slips of the pen, and are told with their place before anything runs.

use std::collections::BTreeSet;

use super::ast::{Action, Script};
use super::call::Call;
use super::expr::{Expr, ExprKind};
use super::run::calls::NAMES;
use crate::scenario::Problem;

/// The most octets that one call moves (Linux, `MAX_RW_COUNT`).
const MOST: i64 = 0x7FFF_F000;

/// Of the calls that can be run, those that result in a descriptor. What another one results in may be one.
const MAKERS: [&str; 4] = ["socket", "accept", "epoll_create", "fcntl"];

/// Of the calls that can be run, those whose first argument is no descriptor.
const ON_NONE: [&str; 4] = ["socket", "poll", "epoll_create", "pipe"];

/// Calls with a count of octets, and which argument it is.
const COUNTED: [(&str, usize); 6] = [
    ("read", 2),
    ("recv", 2),
    ("recvfrom", 2),
    ("write", 2),
    ("send", 2),
    ("sendto", 2),
];

/// What is wrong with a script's calls.
pub fn check(script: &Script) -> Vec<Problem> {
    let mut made = BTreeSet::new();
    let mut problems = Vec::new();
    for event in &script.events {
        let Action::Call(call) = &event.action else {
            continue;
        };
        problems.extend(unmade(call, &made).into_iter().chain(uncountable(call)));
        if MAKERS.contains(&call.name.as_str()) || !is_known(call) {
            made.extend(call.result.integer());
        }
        if call.name == "pipe" || !is_known(call) {
            call.arguments.iter().for_each(|a| numbers(a, &mut made));
        }
    }
    problems
}

/// Whether it can be run: what cannot is skipped by its name, not called a slip.
fn is_known(call: &Call) -> bool {
    NAMES.contains(&call.name.as_str())
}

fn unmade(call: &Call, made: &BTreeSet<i64>) -> Option<Problem> {
    let first = call.arguments.first()?;
    let number = first.integer()?;
    let expected = call.errno.as_deref() == Some("EBADF");
    let is_on_one = is_known(call) && !ON_NONE.contains(&call.name.as_str());
    if expected || !is_on_one || made.contains(&number) {
        return None;
    }
    let what = format!("the script has no descriptor {number}: no call has made it");
    let hint = "descriptors are what socket, accept and their like result in";
    Some(Problem::new(first.place.0, what, "this descriptor", hint))
}

fn uncountable(call: &Call) -> Option<Problem> {
    let &(_, at) = COUNTED.iter().find(|(name, _)| call.name == *name)?;
    let count = call.arguments.get(at)?;
    if count.integer()? <= MOST {
        return None;
    }
    let what = "no call moves so many octets".into();
    let hint = "2147479552 is the most";
    Some(Problem::new(count.place.0, what, "this count", hint))
}

/// All numbers in a list.
fn numbers(expr: &Expr, to: &mut BTreeSet<i64>) {
    match &expr.kind {
        ExprKind::List(parts) | ExprKind::Group(parts) => {
            parts.iter().for_each(|part| numbers(part, to));
        }
        _ => to.extend(expr.integer()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::packetdrill::{Definitions, parse};

    fn problems(text: &str) -> usize {
        let script = parse(text.as_bytes(), Path::new("a.pkt"), &Definitions::default());
        check(&script.expect("a script")).len()
    }

    const SOCKET: &str = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n";

    #[test]
    fn a_descriptor_is_made_before_it_is_used() {
        assert_eq!(problems(&format!("{SOCKET}+0 close(3) = 0")), 0);
        assert_eq!(problems(&format!("{SOCKET}+0 close(4) = 0")), 1);
        assert_eq!(problems(&format!("{SOCKET}+0 close(4) = -1 EBADF (no)")), 0);
        assert_eq!(problems(&format!("0 close(3) = 0\n+{SOCKET}")), 1);
        assert_eq!(problems("0 kqueue() = 5\n+0 close(5) = 0"), 0);
        assert_eq!(
            problems("0 pipe([5, 6]) = 0\n+0 close(5) = 0\n+0 close(6) = 0"),
            0
        );
    }

    #[test]
    fn a_count_is_what_a_call_can_move() {
        let write = |count: &str| problems(&format!("{SOCKET}+0 write(3, ..., {count}) = 1"));
        assert_eq!(write("2147479552"), 0);
        assert_eq!(write("1000000000000000000"), 1);
    }
}
