//! What a call gave against what the script says it gives: the result, the error if one is named, and what was
//! written through pointers. What stands in brackets behind the error is for the reader, as in both tools.

use stack::posix::{Answer, Errno, OptionValue, Output, Personality, PollEvents};

use super::{Files, arguments as read, received, words};
use crate::packetdrill::call::Call;
use crate::packetdrill::expr::{Expr, ExprKind};
use crate::packetdrill::run::failure::Failure;
use crate::packetdrill::structure::StructureKind;

/// Holds an answer against its line; descriptors that the call made get the script's numbers.
pub fn judge(
    call: &Call,
    answer: &Answer,
    files: &mut Files,
    context: &received::Context<'_>,
) -> Result<(), Failure> {
    result(call, answer, files, context.personality)?;
    outputs(call, answer, files, context)
}

fn result(
    call: &Call,
    answer: &Answer,
    files: &mut Files,
    personality: &Personality,
) -> Result<(), Failure> {
    let got = shown(answer);
    let expected = match &call.errno {
        Some(errno) => format!("{} {errno}", call.result),
        None => call.result.to_string(),
    };
    let differs = |what: &str| {
        let message = format!(
            "{} gives another {what}: expected {expected}, got {got}",
            call.name
        );
        let mark = format!("= {got}");
        let (expected, got) = (with_result(call, &expected), with_result(call, &got));
        Failure::compared(call.place.0, message, expected, got).marked(mark)
    };
    if matches!(call.result.kind, ExprKind::Ellipsis) {
        return Ok(());
    }
    let wanted = read::number(&call.result, personality)?;
    let makes_descriptor = matches!(call.name.as_str(), "socket" | "accept" | "epoll_create");
    match makes_descriptor && wanted >= 0 && answer.result >= 0 {
        true => files.open(wanted, answer.result as i32),
        false if answer.result != wanted => return Err(differs("result")),
        false => {}
    }
    let named = call.errno.as_deref();
    match named {
        Some(name) if answer.errno != Errno::named(name) => Err(differs("error")),
        _ => Ok(()),
    }
}

/// A result as a script writes it.
fn shown(answer: &Answer) -> String {
    match answer.errno {
        None => answer.result.to_string(),
        Some(errno) => format!("{} {} ({})", answer.result, errno.name(), errno.text()),
    }
}

fn with_result(call: &Call, result: &str) -> String {
    let arguments = crate::packetdrill::expr::joined(&call.arguments, ", ");
    format!("{}({arguments}) = {result}", call.name)
}

fn outputs(
    call: &Call,
    answer: &Answer,
    files: &mut Files,
    context: &received::Context<'_>,
) -> Result<(), Failure> {
    let personality = context.personality;
    match (call.name.as_str(), &call.arguments[..], &answer.output) {
        ("getsockopt", [_, _, _, value, len], Output::Option(live, live_len)) => {
            option(value, live, personality)?;
            let wanted = read::number(read::pointed(len), personality)?;
            same(len, wanted, i64::from(*live_len), "the option's length")
        }
        ("ioctl", [_, _, value], Output::Number(live)) => {
            let wanted = read::number(read::pointed(value), personality)?;
            same(value, wanted, *live, "what ioctl tells")
        }
        ("pipe", [ends], Output::Pipe(live)) => {
            let ExprKind::List(numbers) = &ends.kind else {
                return Err(read::unsupported(ends, "the ends of a pipe"));
            };
            for (number, live) in numbers.iter().zip(live) {
                files.open(read::descriptor(number)?, *live);
            }
            Ok(())
        }
        ("recvmsg", [_, message, _], Output::Message(live)) => match &message.kind {
            ExprKind::Structure(wanted) if wanted.kind == StructureKind::Msghdr => {
                received::message(wanted, live, context)
            }
            _ => Err(read::unsupported(message, "a message")),
        },
        ("read", [_, buffer, _], Output::Message(live))
        | ("recv", [_, buffer, ..], Output::Message(live)) => received::octets(buffer, &live.data),
        ("recvfrom", [_, buffer, _, _, from, len], Output::Message(live)) => {
            received::octets(buffer, &live.data)?;
            received::address(from, Some(len), live.from, context)
        }
        ("accept" | "getsockname" | "getpeername", [_, name, len], Output::Address(live)) => {
            received::address(name, Some(len), Some(*live), context)
        }
        ("epoll_wait", [_, event, ..], Output::Epolled(live)) => epoll_event(event, live),
        ("poll", [watched, ..], Output::Polled(live)) => {
            let ExprKind::List(parts) = &watched.kind else {
                return Err(read::unsupported(watched, "what is polled"));
            };
            for (part, live) in parts.iter().zip(live) {
                let ExprKind::Structure(pollfd) = &part.kind else {
                    return Err(read::unsupported(part, "what is polled"));
                };
                let Some(revents) = pollfd.get("revents") else {
                    continue;
                };
                let wanted = read::events(revents)?;
                if wanted != *live {
                    let got = words::shown_events(*live, "POLL");
                    let message =
                        format!("poll reports other events: expected {revents}, got {got}");
                    return Err(Failure::compared(revents.place.0, message, revents, got));
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The first event that `epoll_wait` reports; a script has room for one, and zeros there if there is none.
fn epoll_event(expr: &Expr, live: &[(PollEvents, u64)]) -> Result<(), Failure> {
    let ExprKind::Structure(event) = &expr.kind else {
        return Err(read::unsupported(expr, "what epoll reports"));
    };
    let (events, data) = live.first().copied().unwrap_or_default();
    let wanted = event.get("events").expect("an epoll_event has its fields");
    if read::events(wanted)? != events {
        let got = words::shown_events(events, "EPOLL");
        let message = format!("epoll reports other events: expected {wanted}, got {got}");
        return Err(Failure::compared(wanted.place.0, message, wanted, got));
    }
    match super::epoll_data(event)? {
        Some((expr, wanted)) => same(expr, wanted, data as i64, "what comes back with the events"),
        None => Ok(()),
    }
}

fn option(expr: &Expr, live: &OptionValue, personality: &Personality) -> Result<(), Failure> {
    let value = read::pointed(expr);
    if let ExprKind::Ellipsis = value.kind {
        return Ok(());
    }
    match live {
        OptionValue::Int(int) => {
            let wanted = read::number(value, personality)?;
            // An `int` of 32 bits: the script may write it without its sign.
            same(
                expr,
                i64::from(wanted as i32),
                i64::from(*int as i32),
                "the option",
            )
        }
        OptionValue::Errno(errno) => {
            let name = errno.map_or("0", Errno::name);
            let holds = match &value.kind {
                ExprKind::Word(word) => Errno::named(word) == *errno,
                _ => {
                    let number = errno.map_or(0, |errno| personality.number(errno).into());
                    read::number(value, personality)? == number
                }
            };
            match holds {
                true => Ok(()),
                false => {
                    let message =
                        format!("the pending error is another: expected {value}, got {name}");
                    Err(Failure::compared(expr.place.0, message, value, name))
                }
            }
        }
        OptionValue::Linger { on, seconds } => match &value.kind {
            ExprKind::Structure(s) if s.kind == StructureKind::Linger => {
                let field = |name| {
                    let field = s.get(name).expect("a linger has its fields");
                    read::number(field, personality)
                };
                same(expr, field("onoff")?, i64::from(*on), "the option")?;
                same(expr, field("linger")?, *seconds, "the option")
            }
            _ => Err(read::unsupported(value, "this option")),
        },
        _ => Err(read::unsupported(value, "this option")),
    }
}

fn same(expr: &Expr, wanted: i64, got: i64, what: &str) -> Result<(), Failure> {
    if wanted == got {
        return Ok(());
    }
    let message = format!("{what} differs: expected {wanted}, got {got}");
    Err(Failure::compared(expr.place.0, message, wanted, got))
}
