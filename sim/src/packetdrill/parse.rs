//! From tokens to a script: options, the untimed commands, and the events between them.

use super::ast::{Action, Code, Event, OptionLine, Script};
use super::call::call;
use super::command::Command;
use super::cursor::{Cursor, Parsed};
use super::packet::{Direction, packet};
use super::place::Place;
use super::time::{LATEST, Micros, When, when};
use super::token::{Kind, Token};
use crate::plan::Span;
use crate::scenario::Problem;

/// After so many problems a text is no script, and the rest is not looked at.
const PROBLEMS_MAX: usize = 100;

/// Parses the tokens of a script; what is wrong in one event does not hide what is wrong in the next.
pub fn script(tokens: &[Token<'_>]) -> Result<Script, Vec<Problem>> {
    let mut cursor = Cursor::new(tokens);
    let options = options(&mut cursor);
    let init = command(&mut cursor);
    let mut problems = Vec::new();
    let mut events: Vec<Event> = Vec::new();
    let mut cleanup = None;
    let (mut begun, mut lasts) = (Micros(0), Micros(0));
    while cursor.peek().kind != Kind::End && problems.len() < PROBLEMS_MAX {
        let at = cursor.taken();
        if cleanup.is_none() && !events.is_empty() {
            cleanup = command(&mut cursor);
            if cleanup.is_some() {
                continue;
            }
        }
        let parsed = match &cleanup {
            Some(_) => {
                Err(cursor.unexpected("the end", "nothing follows the command without a time"))
            }
            None => event(&mut cursor, events.last(), begun),
        };
        match parsed {
            Ok(event) => {
                begun = event.when.earliest_after(begun);
                lasts = after(lasts, &event);
                if lasts > LATEST {
                    problems.push(too_late(&event));
                    break;
                }
                events.push(event);
            }
            Err(problem) => {
                problems.push(problem);
                skip_to_next_event(&mut cursor, at);
            }
        }
    }
    if events.is_empty() && problems.is_empty() {
        problems.push(empty(&cursor));
    }
    match problems.is_empty() {
        true => Ok(Script {
            options,
            init,
            events,
            cleanup,
        }),
        false => Err(problems),
    }
}

/// Goes on behind a problem in what began `at` this token.
fn skip_to_next_event(cursor: &mut Cursor<'_>, at: usize) {
    if cursor.taken() == at {
        cursor.advance();
    }
    while cursor.peek().kind != Kind::End && !cursor.is_at_an_event() {
        cursor.advance();
    }
}

fn empty(cursor: &Cursor<'_>) -> Problem {
    let what = "the script has no events".into();
    let hint = "the first one is often 0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3";
    Problem::new(cursor.peek().span, what, "here", hint)
}

fn options(cursor: &mut Cursor<'_>) -> Vec<OptionLine> {
    let mut options = Vec::new();
    while cursor.peek().kind == Kind::Option {
        let token = cursor.advance();
        let (name, value) = match token.text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (token.text, None),
        };
        options.push(OptionLine {
            place: Place(token.span),
            name: name.to_owned(),
            value,
        });
    }
    options
}

fn command(cursor: &mut Cursor<'_>) -> Option<Command> {
    (cursor.peek().kind == Kind::Command).then(|| Command {
        text: cursor.advance().text.to_owned(),
    })
}

/// `begun`: when the event before has begun at the earliest.
fn event(cursor: &mut Cursor<'_>, before: Option<&Event>, begun: Micros) -> Parsed<Event> {
    let start = cursor.peek().span;
    let when = when(cursor)?;
    let time = cursor.since(start);
    follows(when, before, begun, time)?;
    let action = action(cursor)?;
    fits(when, &action, time)?;
    Ok(Event {
        place: Place(cursor.since(start)),
        when,
        action,
    })
}

/// So far behind what times with a plus add up to a time of the clock is a slip, whatever tolerance the script asks for.
const BEHIND: Micros = Micros(100_000);

/// The first event is at zero, and the script's clock does not run backwards.
fn follows(when: When, before: Option<&Event>, begun: Micros, time: Span) -> Parsed<()> {
    let Some(before) = before else {
        if when.earliest() == Micros(0) {
            return Ok(());
        }
        let what = "the first event is not at time 0".into();
        let hint = "the clock starts with the first event: write 0";
        return Err(Problem::new(time, what, "this time", hint));
    };
    let backwards = |earlier: Micros, later: Micros| {
        let what = format!("time runs backwards, from {earlier} to {later}");
        let hint = "events stand in the order of their times";
        Err(Problem::new(time, what, "this time", hint))
    };
    match (before.when.absolute(), when.absolute()) {
        (Some(earlier), Some(later)) if later < earlier => backwards(earlier, later),
        (_, Some(later)) if later.0 + BEHIND.0 <= begun.0 => backwards(begun, later),
        _ => Ok(()),
    }
}

/// How long a script lasts with this event, at most, if what came before lasted so long.
fn after(before: Micros, event: &Event) -> Micros {
    let begun = event.when.after(before);
    match &event.action {
        Action::Call(call) => match (call.until, event.when.absolute()) {
            (Some(until), Some(_)) => begun.max(until),
            (Some(until), None) => Micros(before.0 + until.0),
            (None, _) => begun,
        },
        _ => begun,
    }
}

/// Times have a bound, and so has their sum: nanoseconds of it are counted in 64 bits.
fn too_late(event: &Event) -> Problem {
    let what = format!("the script lasts longer than {LATEST} seconds");
    let hint = "the times with a plus add up: make them shorter";
    Problem::new(event.place.0, what, "with this event", hint)
}

fn action(cursor: &mut Cursor<'_>) -> Parsed<Action> {
    let token = cursor.peek();
    match token.kind {
        Kind::Sign(b'<' | b'>') => packet(cursor).map(Box::new).map(Action::Packet),
        Kind::Ellipsis | Kind::Word => call(cursor).map(Box::new).map(Action::Call),
        Kind::Command => {
            cursor.advance();
            let text = token.text.to_owned();
            Ok(Action::Command(Command { text }))
        }
        Kind::Code => {
            cursor.advance();
            let text = token.text.to_owned();
            Ok(Action::Code(Code { text }))
        }
        _ => {
            let hint = "an event is < or > and a packet, a call, a `command` or %{ code }%";
            Err(cursor.unexpected("an event", hint))
        }
    }
}

/// Some times are for outbound packets only; a blocking call returns after it begins.
fn fits(when: When, action: &Action, time: Span) -> Parsed<()> {
    let is_outbound = matches!(action, Action::Packet(p) if p.direction == Direction::Out);
    if when.is_for_outbound() && !is_outbound {
        let what = "only an outbound packet has a window of time or a star".into();
        let hint = "give the one time at which this is done";
        return Err(Problem::new(time, what, "this time", hint));
    }
    match action {
        Action::Call(call) if call.until.is_some_and(|until| until < when.earliest()) => {
            let what = "the call returns before it begins".into();
            let hint = "BEGIN...END: the later time comes second";
            Err(Problem::new(time, what, "this time", hint))
        }
        _ => Ok(()),
    }
}
