//! What `recvmsg` gives besides octets, against what the script says: `msg_flags` and control messages.

use stack::posix::{Control, Errno, ExtendedError, Message, Personality};

use super::arguments as read;
use crate::packetdrill::expr::{Expr, ExprKind};
use crate::packetdrill::run::clock::Clock;
use crate::packetdrill::run::failure::Failure;
use crate::packetdrill::structure::{Structure, StructureKind};

/// What a comparison needs to know.
pub struct Context<'a> {
    pub personality: &'a Personality,
    pub clock: &'a Clock,
    /// How far a timestamp may be off, microseconds.
    pub tolerance: u64,
}

/// Holds a message against a script's `msghdr`.
pub fn message(wanted: &Structure, live: &Message, context: &Context<'_>) -> Result<(), Failure> {
    if let Some(flags) = wanted.get("msg_flags") {
        let expected = read::message_flags(flags)?;
        if expected != live.flags {
            return Err(differs(flags, flags, format!("{:?}", live.flags)));
        }
    }
    let Some(control) = wanted.get("msg_control") else {
        return Ok(());
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
