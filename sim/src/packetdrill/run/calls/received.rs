//! What calls write into a program's memory, against what the script says: octets, addresses, `msg_flags` and control
//! messages. `...` says nothing.

use std::net::SocketAddr;

use stack::posix::{Control, Errno, ExtendedError, Message, Personality};

use super::{arguments as read, text, words};
use crate::packetdrill::expr::{Expr, ExprKind};
use crate::packetdrill::run::clock::Clock;
use crate::packetdrill::run::config::Config;
use crate::packetdrill::run::failure::Failure;
use crate::packetdrill::structure::{Structure, StructureKind};

/// What a comparison needs to know.
pub struct Context<'a> {
    pub config: &'a Config,
    pub personality: &'a Personality,
    pub clock: &'a Clock,
    /// How far a timestamp may be off, microseconds.
    pub tolerance: u64,
}

/// Octets: a text is all of them; `...` and `NULL` say nothing.
pub fn octets(buffer: &Expr, live: &[u8]) -> Result<(), Failure> {
    let ExprKind::Text(pieces) = &buffer.kind else {
        return Ok(());
    };
    let wanted = text::bytes(pieces).ok_or_else(|| read::unsupported(buffer, "octets"))?;
    match live == wanted {
        true => Ok(()),
        false => Err(differs(buffer, buffer, shown(live))),
    }
}

/// Octets as a script would write them.
fn shown(octets: &[u8]) -> String {
    const MOST: usize = 64;
    let begin = &octets[..octets.len().min(MOST)];
    let more = if octets.len() > MOST { "..." } else { "" };
    format!("\"{}\"{more}", begin.escape_ascii())
}

/// The address of a socket or its peer, and how many octets it has.
pub fn address(
    name: &Expr,
    len: Option<&Expr>,
    live: Option<SocketAddr>,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let said = |expr: &Expr| !matches!(expr.kind, ExprKind::Ellipsis) && !read::is_null(expr);
    if said(name) {
        let wanted = read::sockaddr(name, context.config)?;
        if live != Some(wanted) {
            let got = live.map_or("none".into(), |live| live.to_string());
            return Err(differs(name, wanted, got));
        }
    }
    let (Some(len), Some(live)) = (len.filter(|len| said(len)), live) else {
        return Ok(());
    };
    // `struct sockaddr_in`, `struct sockaddr_in6`
    same(
        read::pointed(len),
        if live.is_ipv4() { 16 } else { 28 },
        context,
    )
}

/// Holds a message against a script's `msghdr`.
pub fn message(wanted: &Structure, live: &Message, context: &Context<'_>) -> Result<(), Failure> {
    let field = |name| wanted.get(name).expect("a msghdr has its fields");
    address(field("msg_name"), None, live.from, context)?;
    let mut left = live.data.as_slice();
    for (base, len) in super::pieces(wanted)? {
        let len = usize::try_from(read::length(len, context.personality)?).unwrap_or(usize::MAX);
        let (piece, rest) = left.split_at(left.len().min(len));
        octets(base, piece)?;
        left = rest;
    }
    if let Some(flags) = wanted.get("msg_flags") {
        let expected = read::message_flags(flags)?;
        if expected != live.flags {
            return Err(differs(flags, flags, words::shown_flags(live.flags)));
        }
    }
    let Some(control) = wanted.get("msg_control") else {
        return match live.control.len() {
            0 => Ok(()),
            got => Err(differs(
                field("msg_iov"),
                0,
                format!("{got} control messages"),
            )),
        };
    };
    let ExprKind::List(expected) = &control.kind else {
        return Err(read::unsupported(control, "control messages"));
    };
    for (expected, live) in expected.iter().zip(&live.control) {
        control_message(expected, live, context)?;
    }
    if expected.len() != live.control.len() {
        let (wanted, got) = (expected.len(), live.control.len());
        return Err(differs(control, wanted, format!("{got} control messages")));
    }
    Ok(())
}

fn control_message(expr: &Expr, live: &Control, context: &Context<'_>) -> Result<(), Failure> {
    let ExprKind::Structure(wanted) = &expr.kind else {
        return Err(read::unsupported(expr, "a control message"));
    };
    let field = |name| wanted.get(name).expect("a cmsghdr has its fields");
    let (levels, kinds) = names(live);
    for (expr, names) in [(field("cmsg_level"), levels), (field("cmsg_type"), kinds)] {
        if !expr.word().is_some_and(|word| names.contains(&word)) {
            return Err(differs(expr, expr, names[0].to_owned()));
        }
    }
    if let Some(len) = wanted.get("cmsg_len")
        && !matches!(len.kind, ExprKind::Ellipsis)
    {
        return Err(read::unsupported(len, "a control message's length"));
    }
    let data = field("cmsg_data");
    match (live, &data.kind) {
        (Control::InQueue(left), _) => same(data, *left, context),
        (Control::Stamp(at), ExprKind::Structure(stamp))
            if stamp.kind == StructureKind::ScmTimestamping =>
        {
            let part = |name| {
                let field = stamp.get(name).expect("an scm_timestamping has its fields");
                read::length(field, context.personality)
            };
            let wanted = part("scm_sec")?
                .saturating_mul(1_000_000)
                .saturating_add(part("scm_nsec")? / 1_000);
            let got = context.clock.script_time(*at);
            // A script that writes zeros does not look.
            if wanted != 0 && wanted.abs_diff(got.0) > context.tolerance {
                return Err(differs(data, data, got.to_string()));
            }
            Ok(())
        }
        (Control::ExtendedError(live), ExprKind::Structure(error))
            if error.kind == StructureKind::SockExtendedErr =>
        {
            extended_error(error, live, context)
        }
        _ => Err(read::unsupported(data, "this control message's data")),
    }
}

fn extended_error(
    wanted: &Structure,
    live: &ExtendedError,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let errno = live
        .errno
        .map_or(0, |e: Errno| context.personality.number(e));
    for (name, got) in [
        ("ee_errno", errno.unsigned_abs()),
        ("ee_origin", live.origin.number().into()),
        ("ee_type", live.kind.into()),
        ("ee_code", live.code.into()),
        ("ee_info", live.info),
        ("ee_data", live.data),
    ] {
        let expr = wanted
            .get(name)
            .expect("a sock_extended_err has its fields");
        same(expr, got, context)?;
    }
    Ok(())
}

/// By which names a control message's level and type go.
fn names(live: &Control) -> (&'static [&'static str], &'static [&'static str]) {
    match live {
        Control::InQueue(_) => (&["SOL_TCP", "IPPROTO_TCP"], &["TCP_CM_INQ"]),
        Control::Stamp(_) => (&["SOL_SOCKET"], &["SCM_TIMESTAMPING"]),
        Control::ExtendedError(error) if error.v6 => {
            (&["SOL_IPV6", "IPPROTO_IPV6"], &["IPV6_RECVERR"])
        }
        Control::ExtendedError(_) => (&["SOL_IP", "IPPROTO_IP"], &["IP_RECVERR"]),
    }
}

fn same(expr: &Expr, got: u32, context: &Context<'_>) -> Result<(), Failure> {
    let wanted = read::number(expr, context.personality)?;
    if wanted == i64::from(got) {
        return Ok(());
    }
    Err(differs(expr, wanted, got.to_string()))
}

fn differs(expr: &Expr, wanted: impl ToString, got: String) -> Failure {
    let wanted = wanted.to_string();
    let what = format!("what was received differs: expected {wanted}, got {got}");
    Failure::compared(expr.place.0, what, wanted, got)
}
