//! Everything but packets that a scenario speaks of, each found in one entry.

use stack::event::Event as GuestEvent;
use xenemu::abi::DomId;
use xenemu::event::Tap;

use super::context::Context;
use super::matcher::Verdict;
use super::tracker::Direction;
use crate::plan::Matcher;
use crate::trace::entry::{Author, Entry, Event, LinkEvent};
use crate::view::notes::drop_word;
use crate::view::words::{life_word, link_word, note_word};

/// Whether an entry could be meant, and whether it is.
pub fn judge(matcher: &Matcher, entry: &Entry, context: &Context) -> Verdict {
    match matcher {
        Matcher::Console { domain, contains } => console(domain, contains, entry, context),
        Matcher::Life { domain, is } => life(domain.as_deref(), is, entry, context),
        Matcher::TcpState {
            domain,
            state,
            port,
        } => tcp_state(domain, state, *port, entry, context),
        Matcher::TcpNote { domain, note } => tcp_note(domain, note, entry, context),
        Matcher::Refused { domain, contains } => refused(domain, contains, entry, context),
        Matcher::Address { domain, state } => address(domain, state, entry, context),
        Matcher::Http {
            domain,
            path,
            status,
        } => http(domain, path.as_deref(), *status, entry, context),
        Matcher::Link { link, from, event } => {
            link_event(link, from.as_deref(), event, entry, context)
        }
        Matcher::Dropped { domain, reason } => dropped(domain, reason.as_deref(), entry, context),
        Matcher::Hypercall { domain, op } => hypercall(domain.as_deref(), op, entry, context),
        Matcher::ScriptDone { domain } => script_done(domain, entry, context),
        // Judged elsewhere: packets and pages with their own state, leaks after the run.
        Matcher::Packet(_) | Matcher::SiteNotFetched { .. } | Matcher::Leaked { .. } => {
            Verdict::default()
        }
    }
}

/// The event, if that domain's guest reports it.
pub fn said_by<'a>(domain: &str, entry: &'a Entry, context: &Context) -> Option<&'a GuestEvent> {
    match (&entry.event, entry.author) {
        (Event::Guest(domid, event), Author::Node(node)) => context
            .names
            .is_domain(node, *domid, domain)
            .then_some(event),
        _ => None,
    }
}

/// The event, if that entry's machine reports it and it is about that domain (or any).
fn about<'a>(
    domain: Option<&str>,
    entry: &'a Entry,
    context: &Context,
    subject: impl Fn(&'a xenemu::Event) -> Option<DomId>,
) -> Option<&'a xenemu::Event> {
    match (&entry.event, entry.author) {
        (Event::Machine(event), Author::Node(node)) => {
            let domid = subject(event)?;
            domain
                .is_none_or(|name| context.names.is_domain(node, domid, name))
                .then_some(event)
        }
        _ => None,
    }
}

fn console(domain: &str, contains: &str, entry: &Entry, context: &Context) -> Verdict {
    let subject = |event: &xenemu::Event| match event {
        xenemu::Event::Console { domid, .. } => Some(*domid),
        _ => None,
    };
    match about(Some(domain), entry, context, subject) {
        Some(xenemu::Event::Console { line, .. }) => Verdict::candidate(line.contains(contains)),
        _ => Verdict::default(),
    }
}

fn life(domain: Option<&str>, is: &str, entry: &Entry, context: &Context) -> Verdict {
    let subject = |event: &xenemu::Event| match event {
        xenemu::Event::Life { domid, .. } => Some(*domid),
        _ => None,
    };
    match about(domain, entry, context, subject) {
        Some(xenemu::Event::Life { life, .. }) => Verdict::candidate(life_word(life) == is),
        _ => Verdict::default(),
    }
}

fn tcp_state(
    domain: &str,
    state: &str,
    port: Option<u16>,
    entry: &Entry,
    context: &Context,
) -> Verdict {
    match said_by(domain, entry, context) {
        Some(GuestEvent::TcpState { local, to, .. }) => {
            let port_ok = port.is_none_or(|port| local.port() == port);
            Verdict::candidate(to.name() == state && port_ok)
        }
        _ => Verdict::default(),
    }
}

/// Any sign of life of the domain's TCP is a candidate: where there is none, no note could be.
fn tcp_note(domain: &str, note: &str, entry: &Entry, context: &Context) -> Verdict {
    match said_by(domain, entry, context) {
        Some(GuestEvent::TcpNote { note: found, .. }) => {
            Verdict::candidate(note_word(*found) == note)
        }
        Some(GuestEvent::TcpState { .. }) => Verdict::candidate(false),
        _ => Verdict::default(),
    }
}

fn address(domain: &str, wanted: &str, entry: &Entry, context: &Context) -> Verdict {
    match said_by(domain, entry, context) {
        Some(GuestEvent::Address { state, .. }) => Verdict::candidate(state.name() == wanted),
        _ => Verdict::default(),
    }
}

/// Any packet that reaches the domain is a candidate: it could have been refused.
fn refused(domain: &str, contains: &str, entry: &Entry, context: &Context) -> Verdict {
    if let Some(GuestEvent::Refused { why, .. }) = said_by(domain, entry, context) {
        return Verdict::candidate(why.contains(contains));
    }
    let reached = context
        .sighting()
        .is_some_and(|sighting| sighting.direction == Direction::In && &*sighting.domain == domain);
    Verdict {
        candidate: reached,
        matched: false,
    }
}

fn http(
    domain: &str,
    wanted_path: Option<&str>,
    wanted_status: Option<u16>,
    entry: &Entry,
    context: &Context,
) -> Verdict {
    match said_by(domain, entry, context) {
        Some(GuestEvent::HttpResponse { path, status, .. }) => {
            let path_ok = wanted_path.is_none_or(|wanted| wanted == path);
            Verdict::candidate(path_ok && wanted_status.is_none_or(|wanted| wanted == *status))
        }
        _ => Verdict::default(),
    }
}

fn link_event(
    link: &str,
    from: Option<&str>,
    word: &str,
    entry: &Entry,
    context: &Context,
) -> Verdict {
    let (Event::Link(event), Author::Link(number, direction)) = (&entry.event, entry.author) else {
        return Verdict::default();
    };
    let sender = || context.names.link_direction(number, direction);
    let here = &*context.names.link(number) == link
        && from.is_none_or(|from| sender().is_some_and(|(sender, _)| &*sender == from));
    if !here {
        return Verdict::default();
    }
    Verdict::candidate(match event {
        LinkEvent::Serialised { reordered, .. } => *reordered && word == "reordered",
        other => link_word(other) == word,
    })
}

/// Any frame that reaches the domain's vif is a candidate: it could have been dropped.
fn dropped(domain: &str, reason: Option<&str>, entry: &Entry, context: &Context) -> Verdict {
    let subject = |event: &xenemu::Event| match event {
        xenemu::Event::FrameAt { tap, .. } | xenemu::Event::FrameDropped { tap, .. } => match tap {
            Tap::VifIn(domid, _) => Some(*domid),
            Tap::VifOut(..) | Tap::UplinkOut(_) | Tap::UplinkIn(_) => None,
        },
        _ => None,
    };
    match about(Some(domain), entry, context, subject) {
        Some(xenemu::Event::FrameDropped { reason: found, .. }) => {
            Verdict::candidate(reason.is_none_or(|reason| drop_word(*found) == reason))
        }
        Some(_) => Verdict::candidate(false),
        None => Verdict::default(),
    }
}

fn hypercall(domain: Option<&str>, name: &str, entry: &Entry, context: &Context) -> Verdict {
    let subject = |event: &xenemu::Event| match event {
        xenemu::Event::Hypercall { domid, .. } => Some(*domid),
        _ => None,
    };
    match about(domain, entry, context, subject) {
        Some(xenemu::Event::Hypercall { op, .. }) => Verdict::candidate(op.name() == name),
        _ => Verdict::default(),
    }
}

fn script_done(domain: &str, entry: &Entry, context: &Context) -> Verdict {
    match said_by(domain, entry, context) {
        Some(GuestEvent::ScriptDone { .. }) => Verdict::candidate(true),
        Some(GuestEvent::ScriptStarted { .. } | GuestEvent::ScriptFailed { .. }) => {
            Verdict::candidate(false)
        }
        _ => Verdict::default(),
    }
}
