//! The trace as JSON lines, made by decoding it: `--trace FILE.jsonl`.
//!
//! One object a line with stable keys: `at` (ns), `by`, `seq`, `event`, then the event's own. Frames go by
//! `origin.n`; bytes are hexadecimal; packets at vifs carry their line in tcpdump's notation.

use std::io::{self, Write};

use serde_json::{Map, Value, json};
use stack::event::Event as GuestEvent;
use xenemu::event::{Life, Tap};
use xenemu::{Event as MachineEvent, FrameId};

use super::line;
use super::notes;
use super::words::{life_word, link_word, note_word};
use crate::oracle::context::Context;
use crate::trace::entry::{Entry, Event, LinkEvent, WorldEvent};

/// Writes each entry as it comes.
pub struct JsonLines<W: Write> {
    to: W,
}

impl<W: Write> JsonLines<W> {
    /// Onto that writer, which should be buffered.
    pub fn new(to: W) -> JsonLines<W> {
        JsonLines { to }
    }

    /// Writes the next entry, which the context has observed already.
    pub fn feed(&mut self, entry: &Entry, context: &Context) -> io::Result<()> {
        let value = object(entry, context);
        serde_json::to_writer(&mut self.to, &value)?;
        self.to.write_all(b"\n")
    }

    /// Flushes, and gives the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.flush()?;
        Ok(self.to)
    }
}

/// The object of an entry.
pub fn object(entry: &Entry, context: &Context) -> Value {
    let (name, fields) = match &entry.event {
        Event::World(event) => world(event),
        Event::Link(event) => link(event),
        Event::Machine(event) => machine(event, context),
        Event::Guest(_, event) => guest(event),
    };
    let mut object = Map::new();
    object.insert("at".into(), entry.at.0.into());
    object.insert("by".into(), line::author(entry, context).into());
    object.insert("seq".into(), entry.seq.into());
    object.insert("event".into(), name.into());
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    Value::Object(object)
}

fn world(event: &WorldEvent) -> (&'static str, Value) {
    match event {
        WorldEvent::Begin {
            seed,
            epoch_secs,
            nodes,
            links,
        } => (
            "begin",
            json!({ "seed": seed, "epoch_secs": epoch_secs, "nodes": nodes, "links": links }),
        ),
        WorldEvent::Action { index, text } => ("action", json!({ "index": index, "text": text })),
        WorldEvent::ActionFailed { index, why } => {
            ("action-failed", json!({ "index": index, "why": why }))
        }
        WorldEvent::Trigger { when, acts_at } => {
            ("trigger", json!({ "when": when, "acts_at": acts_at.0 }))
        }
        WorldEvent::Input { link, bytes } => {
            ("input", json!({ "link": link, "bytes": hex(bytes) }))
        }
        WorldEvent::End { why } => ("end", json!({ "why": why })),
    }
}

fn link(event: &LinkEvent) -> (&'static str, Value) {
    let fields = match event {
        LinkEvent::Enqueued { frame, queued } => json!({ "frame": id(*frame), "queued": queued }),
        LinkEvent::Lost { frame } | LinkEvent::QueueFull { frame } | LinkEvent::Died { frame } => {
            json!({ "frame": id(*frame) })
        }
        LinkEvent::Duplicated { frame, copy } => {
            json!({ "frame": id(*frame), "copy": id(*copy) })
        }
        LinkEvent::Corrupted { frame, into, bytes } | LinkEvent::Marked { frame, into, bytes } => {
            json!({ "frame": id(*frame), "into": id(*into), "bytes": hex(bytes) })
        }
        LinkEvent::Serialised {
            frame,
            arrival,
            reordered,
        } => json!({ "frame": id(*frame), "arrival": arrival.0, "reordered": reordered }),
    };
    (link_word(event), fields)
}

fn machine(event: &MachineEvent, context: &Context) -> (&'static str, Value) {
    match event {
        MachineEvent::Life { life, .. } => (life_word(life), life_fields(life)),
        MachineEvent::Busy => ("busy", Value::Null),
        MachineEvent::Idle => ("idle", Value::Null),
        MachineEvent::FrameBorn {
            frame,
            forged,
            bytes,
        } => (
            "frame-born",
            json!({ "frame": id(*frame), "forged": forged, "bytes": hex(bytes) }),
        ),
        MachineEvent::FrameAt { frame, tap } => ("frame-at", frame_at(*frame, *tap, context)),
        MachineEvent::FrameDropped { frame, tap, reason } => (
            "frame-dropped",
            json!({ "frame": id(*frame), "tap": tap_text(*tap), "reason": notes::drop_word(*reason) }),
        ),
        MachineEvent::Console { line, .. } => ("console", json!({ "line": line })),
        MachineEvent::ConsoleDropped { bytes, .. } => {
            ("console-dropped", json!({ "bytes": bytes }))
        }
        MachineEvent::Hypercall {
            op, args, result, ..
        } => (
            "hypercall",
            json!({ "op": op.name(), "args": args, "result": result }),
        ),
        MachineEvent::EventPending { port, .. } => ("event-pending", json!({ "port": port })),
        MachineEvent::GrantBytes {
            gref,
            by,
            bytes,
            to_granter,
            mapped,
            ..
        } => (
            "grant-bytes",
            json!({ "gref": gref, "domid": by.0, "bytes": bytes, "to_granter": to_granter, "mapped": mapped }),
        ),
        MachineEvent::Backend { handle, state, .. } => {
            ("backend", json!({ "handle": handle, "state": state }))
        }
        MachineEvent::Disconnected { what, why, .. } => (
            "disconnected",
            json!({ "what": notes::channel_word(*what), "why": why }),
        ),
        MachineEvent::Switch {
            call, actor, steps, ..
        } => (
            "switch",
            json!({ "call": call, "actor": actor, "steps": steps }),
        ),
        MachineEvent::Run { wake, block, .. } => ("run", json!({ "wake": wake, "block": block })),
        MachineEvent::Xenstore {
            kind,
            path,
            value,
            error,
            ..
        } => (
            "xenstore",
            json!({ "kind": kind, "path": path, "value": String::from_utf8_lossy(value), "error": error }),
        ),
        MachineEvent::XenstoreRing {
            requested,
            answered,
            ..
        } => (
            "xenstore-ring",
            json!({ "requested": requested, "answered": answered }),
        ),
    }
}

fn frame_at(frame: FrameId, tap: Tap, context: &Context) -> Value {
    let mut fields = json!({ "frame": id(frame), "tap": tap_text(tap) });
    if let Some(sighting) = context.sighting() {
        fields["packet"] = sighting.line().into();
        fields["notes"] = notes::of_sighting(sighting).into();
    }
    fields
}

fn life_fields(life: &Life) -> Value {
    match life {
        Life::Created { name } => json!({ "name": name }),
        Life::Shutdown { reason } => json!({ "reason": reason }),
        Life::Crashed { krate } => json!({ "crate": krate }),
        Life::Stuck { frame } => json!({ "frame": frame.map(id) }),
        Life::Rebooted { as_domid } => json!({ "as_domid": as_domid }),
        _ => Value::Null,
    }
}

fn guest(event: &GuestEvent) -> (&'static str, Value) {
    match event {
        GuestEvent::TcpState {
            local,
            remote,
            from,
            to,
        } => (
            "tcp-state",
            json!({ "local": local.to_string(), "remote": remote.to_string(), "from": from.name(), "to": to.name() }),
        ),
        GuestEvent::TcpNote {
            local,
            remote,
            note,
            seq,
        } => (
            "tcp-note",
            json!({ "local": local.to_string(), "remote": remote.to_string(), "note": note_word(*note), "seqno": seq }),
        ),
        GuestEvent::Refused { layer, why } => (
            "refused",
            json!({ "layer": format!("{layer:?}").to_lowercase(), "why": why }),
        ),
        GuestEvent::Timers { kinds } => ("timers", json!({ "kinds": kinds })),
        GuestEvent::InterfaceUp { mac, addresses } => (
            "interface-up",
            json!({ "mac": stack::addr::Mac(*mac).to_string(), "addresses": addresses }),
        ),
        GuestEvent::Address { address, state } => (
            "address",
            json!({ "address": address, "state": state.name() }),
        ),
        GuestEvent::Router { address, lifetime } => (
            "router",
            json!({ "address": address, "lifetime": lifetime }),
        ),
        GuestEvent::HttpResponse {
            name,
            path,
            status,
            bytes,
            digest,
        } => (
            "http-response",
            json!({ "name": name, "path": path, "status": status, "bytes": bytes, "digest": format!("{digest:032x}") }),
        ),
        GuestEvent::HttpServed {
            method,
            path,
            status,
            bytes,
        } => (
            "http-served",
            json!({ "method": method, "path": path, "status": status, "bytes": bytes }),
        ),
        GuestEvent::ScriptStarted { block } => ("script-started", json!({ "block": block })),
        GuestEvent::ScriptStep {
            block,
            step,
            command,
            outcome,
        } => (
            "script-step",
            json!({ "block": block, "step": step, "command": command, "outcome": outcome }),
        ),
        GuestEvent::ScriptDone { block } => ("script-done", json!({ "block": block })),
        GuestEvent::ScriptFailed {
            block,
            step,
            command,
            why,
        } => (
            "script-failed",
            json!({ "block": block, "step": step, "command": command, "why": why }),
        ),
    }
}

fn id(frame: FrameId) -> String {
    format!("{}.{}", frame.origin, frame.n)
}

fn tap_text(tap: Tap) -> String {
    match tap {
        Tap::VifOut(domid, handle) => format!("vif{domid}.{handle} out"),
        Tap::VifIn(domid, handle) => format!("vif{domid}.{handle} in"),
        Tap::UplinkOut(uplink) => format!("uplink{} out", uplink.0),
        Tap::UplinkIn(uplink) => format!("uplink{} in", uplink.0),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{BLOG, READER, Stream, TcpSpec, plan};

    #[test]
    fn every_line_is_an_object_with_the_same_first_keys() {
        let mut stream = Stream::begin();
        stream.segment(1_000_000, &TcpSpec::new(READER, BLOG, "S"));
        let render = || {
            let mut context = Context::new(&plan());
            let mut lines = JsonLines::new(Vec::new());
            for entry in &stream.entries {
                context.observe(entry);
                lines.feed(entry, &context).expect("a Vec takes everything");
            }
            let bytes = lines.finish().expect("a Vec takes everything");
            String::from_utf8(bytes).expect("JSON is UTF-8")
        };
        let text = render();
        assert_eq!(text, render());
        assert_eq!(text.lines().count(), stream.entries.len());
        for line in text.lines() {
            assert!(line.starts_with("{\"at\":"), "{line}");
            let value: Value = serde_json::from_str(line).expect("JSON");
            assert!(value["by"].is_string() && value["event"].is_string());
        }
        assert!(text.contains(
            r#""by":"laptop","seq":4,"event":"frame-at","frame":"1.0","tap":"vif1.0 out","packet":"IP 10.0.0.9.40000 > 10.0.0.2.80: Flags [S], seq 0,"#
        ));
    }
}
