//! Remarks on packets: what a reader would not see from the bytes.

use xenemu::event::{Channel, DropReason};

use super::packet::Packet;
use crate::oracle::context::Sighting;
use crate::oracle::reading::Note;
use crate::trace::frames::KnownFrame;

/// What a segment is to its connection; empty for an ordinary one.
pub fn of_note(note: Note) -> String {
    match note {
        Note::New => String::new(),
        Note::Retransmission { .. } => "retransmission".into(),
        Note::DuplicateAck(n) => format!("dup ack {n}"),
        Note::KeepAlive => "keep-alive".into(),
        Note::WindowProbe => "window probe".into(),
        Note::OutOfOrder => "out of order".into(),
    }
}

/// The remarks on a frame at a vif.
pub fn of_sighting(sighting: &Sighting) -> Vec<String> {
    of_frame(&sighting.known, &sighting.packet, sighting.note)
}

/// The remarks on a frame, wherever it is.
pub fn of_frame(known: &KnownFrame, packet: &Packet, note: Note) -> Vec<String> {
    let mut notes = Vec::new();
    if known.forged {
        notes.push("forged".into());
    }
    if packet.ipv4().is_some_and(|ip| ip.evil) {
        notes.push("evil".into());
    }
    if known.corrupted {
        notes.push("corrupted".into());
    } else if !packet.checksums_ok() {
        notes.push("bad checksum".into());
    }
    notes.push(of_note(note));
    notes.retain(|note| !note.is_empty());
    notes
}

/// The remarks as they follow a line: ` (forged, dup ack 1)`.
pub fn suffix(notes: &[String]) -> String {
    if notes.is_empty() {
        String::new()
    } else {
        format!(" ({})", notes.join(", "))
    }
}

/// Why a machine dropped a frame.
pub const fn drop_word(reason: DropReason) -> &'static str {
    match reason {
        DropReason::VifQueueFull => "vif queue full",
        DropReason::VifDown => "vif down",
        DropReason::TooLong => "too long",
        DropReason::Runt => "runt",
        DropReason::BadGrant => "bad grant",
    }
}

/// A ring.
pub const fn channel_word(channel: Channel) -> &'static str {
    match channel {
        Channel::Vif => "vif",
        Channel::Xenstore => "xenstore",
        Channel::Console => "console",
    }
}
