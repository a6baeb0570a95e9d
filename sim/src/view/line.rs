//! Any entry of the trace in one line, for people: failures' evidence, the ladder's full-width lines, the JSON's text.

use stack::addr::Mac;
use stack::event::Event as GuestEvent;
use xenemu::event::Life;
use xenemu::{Event as MachineEvent, Time};

use super::notes;
use super::words::{life_word, link_word, note_word};
use crate::oracle::context::{Context, Sighting};
use crate::trace::entry::{Author, Entry, Event, LinkEvent, WorldEvent};

/// Simulated time: seconds and microseconds, cut.
pub fn clock(at: Time) -> String {
    format!("{}.{:06}", at.0 / 1_000_000_000, at.0 / 1_000 % 1_000_000)
}

/// A frame at a vif: time, domain, packet, remarks.
pub fn sighting(sighting: &Sighting) -> String {
    let remarks = notes::suffix(&notes::of_sighting(sighting));
    let line = sighting.line();
    format!(
        "{} {}: {line}{remarks}",
        clock(sighting.at),
        sighting.domain
    )
}

/// Any entry: time, who speaks, what happened.
pub fn entry(entry: &Entry, context: &Context) -> String {
    if let Some(seen) = context.sighting() {
        return sighting(seen);
    }
    let at = clock(entry.at);
    format!("{at} {}: {}", author(entry, context), what(&entry.event))
}

/// Who reports an entry: `world`, a link with its direction, a machine, or the domain it is about.
pub fn author(entry: &Entry, context: &Context) -> String {
    let names = &context.names;
    match (entry.author, &entry.event) {
        (Author::World, _) => "world".into(),
        (Author::Link(link, direction), _) => match names.link_direction(link, direction) {
            Some((from, to)) => format!("{} ({from} > {to})", names.link(link)),
            None => format!("{} ({direction})", names.link(link)),
        },
        (Author::Node(node), Event::Guest(domid, _)) => names.domain(node, *domid).to_string(),
        (Author::Node(node), Event::Machine(event)) => match subject(event) {
            Some(domid) => names.domain(node, domid).to_string(),
            None => names.node(node).to_string(),
        },
        (Author::Node(node), _) => names.node(node).to_string(),
    }
}

/// The domain that a machine's event is about.
pub fn subject(event: &MachineEvent) -> Option<xenemu::abi::DomId> {
    match event {
        MachineEvent::Life { domid, .. }
        | MachineEvent::Console { domid, .. }
        | MachineEvent::ConsoleDropped { domid, .. }
        | MachineEvent::Hypercall { domid, .. }
        | MachineEvent::EventPending { domid, .. }
        | MachineEvent::GrantBytes { granter: domid, .. }
        | MachineEvent::Xenstore { domid, .. }
        | MachineEvent::XenstoreRing { domid, .. }
        | MachineEvent::Backend { domid, .. }
        | MachineEvent::Disconnected { domid, .. }
        | MachineEvent::Switch { domid, .. }
        | MachineEvent::Run { domid, .. } => Some(*domid),
        MachineEvent::Busy
        | MachineEvent::Idle
        | MachineEvent::FrameBorn { .. }
        | MachineEvent::FrameAt { .. }
        | MachineEvent::FrameDropped { .. } => None,
    }
}

/// What happened, without who and when.
pub fn what(event: &Event) -> String {
    match event {
        Event::World(event) => world(event),
        Event::Link(LinkEvent::Serialised {
            reordered: true, ..
        }) => "frame reordered".into(),
        Event::Link(event) => format!("frame {}", link_word(event)),
        Event::Machine(event) => machine(event),
        Event::Guest(_, event) => guest(event),
    }
}

fn world(event: &WorldEvent) -> String {
    match event {
        WorldEvent::Begin { seed, .. } => format!("begin seed={seed}"),
        WorldEvent::Action { text, .. } => text.clone(),
        WorldEvent::ActionFailed { why, .. } => format!("action failed: {why}"),
        WorldEvent::Trigger { when, acts_at } => {
            format!("when #{when} fires, acts at {}", clock(*acts_at))
        }
        WorldEvent::Input { link, bytes } => format!("input on {link}, {} bytes", bytes.len()),
        WorldEvent::End { why } => format!("end: {why}"),
    }
}

fn machine(event: &MachineEvent) -> String {
    match event {
        MachineEvent::Life { life, .. } => life_text(life),
        MachineEvent::Console { line, .. } => line.clone(),
        MachineEvent::Hypercall {
            op, args, result, ..
        } => format!("{}({}, {}) = {result}", op.name(), args[0], args[1]),
        MachineEvent::FrameDropped { reason, .. } => {
            format!("frame dropped: {}", notes::drop_word(*reason))
        }
        MachineEvent::Disconnected { what, why, .. } => {
            format!("{} disconnected: {why}", notes::channel_word(*what))
        }
        MachineEvent::Backend { handle, state, .. } => {
            format!("vif{handle} backend is in state {state}")
        }
        other => format!("{other:?}"),
    }
}

/// What happens to a domain, in words.
pub fn life_text(life: &Life) -> String {
    let word = life_word(life);
    match life {
        Life::Shutdown { reason } => format!("{word} ({})", shutdown_word(*reason)),
        Life::Crashed { krate } if krate.is_empty() => word.into(),
        Life::Crashed { krate } => format!("{word} in {krate}"),
        Life::Stuck { frame: Some(_) } => format!("{word} on a frame"),
        Life::Rebooted { as_domid } => format!("{word} as domain {as_domid}"),
        _ => word.into(),
    }
}

/// `SHUTDOWN_*` of `xen/include/public/sched.h`.
fn shutdown_word(reason: u8) -> String {
    match reason {
        0 => "poweroff".into(),
        1 => "reboot".into(),
        2 => "suspend".into(),
        3 => "crash".into(),
        4 => "watchdog".into(),
        5 => "soft reset".into(),
        other => format!("reason {other}"),
    }
}

/// A guest's event, in words.
pub fn guest(event: &GuestEvent) -> String {
    match event {
        GuestEvent::TcpState {
            local,
            remote,
            from,
            to,
        } => format!("{local} {remote} {} -> {}", from.name(), to.name()),
        GuestEvent::TcpNote {
            local,
            remote,
            note,
            ..
        } => format!("{local} {remote} {}", note_word(*note)),
        GuestEvent::Refused { layer, why } => format!("refused by {layer:?}: {why}"),
        GuestEvent::ScriptStarted { block } => format!("script block {block} begins"),
        GuestEvent::ScriptStep {
            command, outcome, ..
        } if outcome.is_empty() => command_text(command),
        GuestEvent::ScriptStep {
            command, outcome, ..
        } => format!("{}: {outcome}", command_text(command)),
        GuestEvent::ScriptDone { block } => format!("script block {block} is done"),
        GuestEvent::ScriptFailed {
            step, command, why, ..
        } => format!("step {step} failed: {}: {why}", command_text(command)),
        GuestEvent::HttpResponse {
            path,
            status,
            bytes,
            ..
        } => format!("got {path} {status}, {bytes} bytes"),
        GuestEvent::HttpServed {
            method,
            path,
            status,
            bytes,
        } => format!("served {method} {path} {status}, {bytes} bytes"),
        GuestEvent::InterfaceUp { mac, addresses } => {
            format!("interface {} is up, {}", Mac(*mac), addresses.join(" "))
        }
        GuestEvent::Address { address, state } => format!("address {address} {}", state.name()),
        GuestEvent::Router {
            address,
            lifetime: 0,
        } => format!("router {address} is gone"),
        GuestEvent::Router { address, lifetime } => {
            format!("router {address} for {lifetime} s")
        }
        other => format!("{other:?}"),
    }
}

/// A script's command as it was written, without the percent-encoding in which it travels.
pub fn command_text(command: &str) -> String {
    let mut bytes = command.bytes();
    let mut text = Vec::with_capacity(command.len());
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let digits = [ahead.next(), ahead.next()].map(|d| char::from(d?).to_digit(16));
        match (byte, digits) {
            (b'%', [Some(high), Some(low)]) => {
                text.push((high << 4 | low) as u8);
                bytes = ahead;
            }
            _ => text.push(byte),
        }
    }
    String::from_utf8_lossy(&text).escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_was_written() {
        assert_eq!(
            command_text("raw-send f S%200:0%280%29"),
            "raw-send f S 0:0(0)"
        );
        assert_eq!(command_text("send c %0D%0a% %4"), "send c \\r\\n% %4");
    }

    #[test]
    fn time_is_cut_to_microseconds() {
        assert_eq!(clock(Time(0)), "0.000000");
        assert_eq!(clock(Time(1_002_003_999)), "1.002003");
    }
}
