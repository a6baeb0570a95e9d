//! The simulator's own log: entries of the trace as they are merged, told through `tracing`.
//!
//! Each line carries simulated time and whom it is about: machine and domain, or the link. What the experimenter and the
//! domains do is `info`, what packets, connections and applications do is `debug`, everything else is `trace`.

use std::sync::Arc;

use stack::event::Event as GuestEvent;
use tracing::field::{DisplayValue, display};
use tracing::level_filters::LevelFilter;
use xenemu::Event as MachineEvent;

use super::line;
use crate::oracle::context::Context;
use crate::trace::entry::{Author, Entry, Event, LinkEvent};

/// Whether anybody listens at all.
pub fn wanted() -> bool {
    LevelFilter::current() >= LevelFilter::INFO
}

/// Tells an entry, which the context has observed already.
pub fn entry(entry: &Entry, context: &Context) {
    if level(entry, context) > LevelFilter::current() {
        return;
    }
    let At {
        machine,
        domain,
        link,
    } = place(entry, context);
    let (at, what) = (entry.at, what(entry, context));
    let (machine, domain, link) = (shown(machine), shown(domain), shown(link));
    macro_rules! tell {
        ($level:ident) => {
            tracing::$level!(target: "evilbit", ?at, machine, domain, link, "{what}")
        };
    }
    match level(entry, context) {
        LevelFilter::INFO => tell!(info),
        LevelFilter::DEBUG => tell!(debug),
        _ => tell!(trace),
    }
}

/// Where something happened.
#[derive(Default)]
struct At {
    machine: Option<Arc<str>>,
    domain: Option<Arc<str>>,
    link: Option<Arc<str>>,
}

fn shown(name: Option<Arc<str>>) -> Option<DisplayValue<Arc<str>>> {
    name.map(display)
}

fn level(entry: &Entry, context: &Context) -> LevelFilter {
    match &entry.event {
        Event::World(_)
        | Event::Machine(
            MachineEvent::Life { .. }
            | MachineEvent::Console { .. }
            | MachineEvent::Disconnected { .. },
        )
        | Event::Guest(_, GuestEvent::ScriptFailed { .. }) => LevelFilter::INFO,
        Event::Link(LinkEvent::Enqueued { .. } | LinkEvent::Serialised { .. })
        | Event::Guest(_, GuestEvent::Timers { .. }) => LevelFilter::TRACE,
        Event::Link(_)
        | Event::Guest(..)
        | Event::Machine(MachineEvent::FrameDropped { .. } | MachineEvent::Backend { .. }) => {
            LevelFilter::DEBUG
        }
        Event::Machine(_) if context.sighting().is_some() => LevelFilter::DEBUG,
        Event::Machine(_) => LevelFilter::TRACE,
    }
}

fn place(entry: &Entry, context: &Context) -> At {
    let names = &context.names;
    match entry.author {
        Author::World => At::default(),
        Author::Link(..) => At {
            link: Some(line::author(entry, context).into()),
            ..At::default()
        },
        Author::Node(node) => {
            let subject = match &entry.event {
                Event::Guest(domid, _) => Some(*domid),
                Event::Machine(event) => line::subject(event),
                Event::World(_) | Event::Link(_) => None,
            };
            let at_vif = || Some(context.sighting()?.domain.clone());
            At {
                machine: Some(names.node(node)),
                domain: subject
                    .map(|domid| names.domain(node, domid))
                    .or_else(at_vif),
                link: None,
            }
        }
    }
}

fn what(entry: &Entry, context: &Context) -> String {
    match context.sighting() {
        Some(sighting) => sighting.line(),
        None => line::what(&entry.event),
    }
}
