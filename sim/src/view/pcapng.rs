//! Captures in pcapng: a named interface for each tap, nanoseconds, comments on what the bytes do not show.
//!
//! A capture is of all taps or of one. Of one it is what that interface saw, as a capture of a real one would be; of all
//! each packet is there several times, which readers that follow connections take for retransmissions.
//! Streaming, so that a long run needs no memory. A frame's fate (lost, dropped) is known only after it passed its
//! first taps, so packets wait in a bounded queue before they are written.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness, PcapError};
use xenemu::event::Tap;
use xenemu::{Event as MachineEvent, FrameId, Time};

use super::notes;
use super::packet::Packet;
use crate::oracle::context::Context;
use crate::plan::Plan;
use crate::trace::entry::{Author, Entry, Event, LinkEvent};

/// Packets and bytes that wait for their fate, and how long.
const MOST_PENDING: usize = 4096;
const MOST_PENDING_BYTES: usize = 8 << 20;
const PENDING_NS: u64 = 1_000_000_000;

/// Fates that are remembered: a link speaks before the machine does of the same instant.
const MOST_FATES: usize = 256;

/// `if_tsresol`: 10 to the minus nine seconds.
const NANOSECONDS: u8 = 9;

/// The direction bits of `epb_flags`.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// A capture in the making.
pub struct Capture<W: Write> {
    /// `None`: all taps.
    only: Option<String>,
    writer: PcapNgWriter<W>,
    epoch_secs: u64,
    interfaces: BTreeMap<String, u32>,
    pending: VecDeque<Pending>,
    pending_bytes: usize,
    fates: VecDeque<(FrameId, String)>,
}

struct Pending {
    at: Time,
    root: FrameId,
    interface: u32,
    flags: u32,
    bytes: Arc<[u8]>,
    notes: Vec<String>,
}

impl<W: Write> Capture<W> {
    /// Of all taps of the plan.
    pub fn new(plan: &Plan, to: W) -> Result<Capture<W>, PcapError> {
        Capture::begin(plan, None, to)
    }

    /// Of one tap, by its name: one of [`taps_of`].
    pub fn of_tap(plan: &Plan, tap: &str, to: W) -> Result<Capture<W>, PcapError> {
        Capture::begin(plan, Some(tap.to_string()), to)
    }

    /// Begins a section, and describes its interfaces.
    fn begin(plan: &Plan, only: Option<String>, to: W) -> Result<Capture<W>, PcapError> {
        let section = SectionHeaderBlock {
            endianness: Endianness::Little,
            options: vec![
                SectionHeaderOption::UserApplication(Cow::Borrowed("evilbit")),
                SectionHeaderOption::Comment(Cow::Owned(plan.name.clone())),
            ],
            ..SectionHeaderBlock::default()
        };
        let mut capture = Capture {
            only,
            writer: PcapNgWriter::with_section_header(to, section)?,
            epoch_secs: plan.epoch_secs,
            interfaces: BTreeMap::new(),
            pending: VecDeque::new(),
            pending_bytes: 0,
            fates: VecDeque::new(),
        };
        for name in taps_of(plan) {
            if capture.wants(&name) {
                capture.interface(name)?;
            }
        }
        // A place that takes nothing is told now, and not after hours of serving.
        capture
            .writer
            .get_mut()
            .flush()
            .map_err(PcapError::IoError)?;
        Ok(capture)
    }

    /// Takes the next entry, which the context has observed already.
    pub fn feed(&mut self, entry: &Entry, context: &Context) -> Result<(), PcapError> {
        match &entry.event {
            Event::Machine(MachineEvent::FrameAt { frame, tap }) => {
                self.packet(entry, *frame, *tap, context)
            }
            Event::Machine(MachineEvent::FrameDropped { frame, reason, .. }) => {
                let why = format!("dropped: {}", notes::drop_word(*reason));
                self.remark(context.frames.root(*frame), why);
                Ok(())
            }
            Event::Link(event) => {
                self.link(event, context);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Writes what waits, and gives the writer back.
    pub fn finish(mut self) -> Result<W, PcapError> {
        while let Some(packet) = self.pending.pop_front() {
            self.write(packet)?;
        }
        let mut to = self.writer.into_inner();
        to.flush().map_err(PcapError::IoError)?;
        Ok(to)
    }

    fn wants(&self, tap: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == tap)
    }

    fn packet(
        &mut self,
        entry: &Entry,
        frame: FrameId,
        tap: Tap,
        context: &Context,
    ) -> Result<(), PcapError> {
        let (Author::Node(node), Some(known)) = (entry.author, context.frames.get(frame)) else {
            return Ok(());
        };
        let names = &context.names;
        let (name, flags) = match tap {
            Tap::VifOut(domid, handle) => (vif_name(&names.domain(node, domid), handle), OUTBOUND),
            Tap::VifIn(domid, handle) => (vif_name(&names.domain(node, domid), handle), INBOUND),
            Tap::UplinkOut(uplink) => (uplink_name(&names.node(node), uplink.0), OUTBOUND),
            Tap::UplinkIn(uplink) => (uplink_name(&names.node(node), uplink.0), INBOUND),
        };
        if !self.wants(&name) {
            return Ok(());
        }
        let packet = Packet::decode(&known.bytes);
        let mut remarks = notes::of_frame(known, &packet, context.note(frame));
        let fates = self.fates.iter().filter(|(root, _)| *root == known.root);
        remarks.extend(fates.map(|(_, why)| why.clone()));
        let interface = self.interface(name)?;
        self.pending_bytes += known.bytes.len();
        self.pending.push_back(Pending {
            at: entry.at,
            root: known.root,
            interface,
            flags,
            bytes: known.bytes.clone(),
            notes: remarks,
        });
        self.write_due(entry.at)
    }

    fn link(&mut self, event: &LinkEvent, context: &Context) {
        let (frame, why) = match event {
            LinkEvent::Lost { frame } => (frame, "lost"),
            LinkEvent::QueueFull { frame } => (frame, "lost: queue full"),
            LinkEvent::Died { frame } => (frame, "lost: died on the link"),
            LinkEvent::Duplicated { frame, .. } => (frame, "duplicated"),
            LinkEvent::Corrupted { frame, .. } => (frame, "corrupted on the link"),
            LinkEvent::Marked { frame, .. } => (frame, "marked: congestion experienced"),
            LinkEvent::Enqueued { .. } | LinkEvent::Serialised { .. } => return,
        };
        self.remark(context.frames.root(*frame), why.into());
    }

    /// Adds a remark to every packet of a frame that still waits, and to those that follow.
    fn remark(&mut self, root: FrameId, why: String) {
        for packet in self.pending.iter_mut().filter(|p| p.root == root) {
            if !packet.notes.contains(&why) {
                packet.notes.push(why.clone());
            }
        }
        if self.fates.len() == MOST_FATES {
            self.fates.pop_front();
        }
        self.fates.push_back((root, why));
    }

    fn write_due(&mut self, now: Time) -> Result<(), PcapError> {
        while let Some(first) = self.pending.front() {
            let due = now.since(first.at) > PENDING_NS
                || self.pending.len() > MOST_PENDING
                || self.pending_bytes > MOST_PENDING_BYTES;
            if !due {
                break;
            }
            if let Some(packet) = self.pending.pop_front() {
                self.write(packet)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, packet: Pending) -> Result<(), PcapError> {
        assert!(self.pending_bytes >= packet.bytes.len());
        self.pending_bytes -= packet.bytes.len();
        let mut options = vec![EnhancedPacketOption::Flags(packet.flags)];
        if !packet.notes.is_empty() {
            options.push(EnhancedPacketOption::Comment(
                packet.notes.join(", ").into(),
            ));
        }
        let timestamp = Duration::from_secs(self.epoch_secs) + Duration::from_nanos(packet.at.0);
        self.writer.write_pcapng_block(EnhancedPacketBlock {
            interface_id: packet.interface,
            timestamp,
            original_len: u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX),
            data: Cow::Borrowed(&packet.bytes),
            options,
        })?;
        Ok(())
    }

    /// The number of the interface of that name, described to the file if it is new.
    fn interface(&mut self, name: String) -> Result<u32, PcapError> {
        if let Some(&number) = self.interfaces.get(&name) {
            return Ok(number);
        }
        let number = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        self.writer.write_pcapng_block(InterfaceDescriptionBlock {
            linktype: DataLink::ETHERNET,
            snaplen: 0,
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Owned(name.clone())),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ],
        })?;
        self.interfaces.insert(name, number);
        Ok(number)
    }
}

fn vif_name(domain: &str, handle: u8) -> String {
    format!("{domain} vif{handle}")
}

fn uplink_name(node: &str, uplink: u32) -> String {
    format!("{node} uplink{uplink}")
}

/// The names of all taps of the plan: vifs and uplinks machine by machine, then the switches' uplinks.
pub fn taps_of(plan: &Plan) -> Vec<String> {
    let mut taps = Vec::new();
    for machine in &plan.machines {
        for domain in &machine.domains {
            let handles = 0..u8::try_from(domain.vifs.len()).unwrap_or(u8::MAX);
            taps.extend(handles.map(|handle| vif_name(&domain.name, handle)));
        }
        taps.extend(uplinks_of(plan, &machine.name));
    }
    for switch in &plan.switches {
        taps.extend(uplinks_of(plan, &switch.name));
    }
    taps
}

fn uplinks_of(plan: &Plan, node: &str) -> Vec<String> {
    let ends = plan.links.iter().flat_map(|link| [&link.a, &link.b]);
    let uplinks = ends.filter(|end| *end == node).count();
    let uplinks = 0..u32::try_from(uplinks).unwrap_or(u32::MAX);
    uplinks.map(|uplink| uplink_name(node, uplink)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{BLOG, LAPTOP, READER, Stream, TcpSpec, plan, tcp_frame};
    use pcap_file::pcapng::{Block, PcapNgReader};

    fn capture(stream: &Stream) -> Vec<u8> {
        let capture = Capture::new(&plan(), Vec::new());
        fill(capture.expect("a Vec takes everything"), stream)
    }

    fn fill(mut capture: Capture<Vec<u8>>, stream: &Stream) -> Vec<u8> {
        let mut context = Context::new(&plan());
        for entry in &stream.entries {
            context.observe(entry);
            capture
                .feed(entry, &context)
                .expect("a Vec takes everything");
        }
        capture.finish().expect("a Vec takes everything")
    }

    fn lossy() -> Stream {
        let mut stream = Stream::begin();
        stream.handshake();
        let data = TcpSpec {
            seq: 1001,
            ack: 5001,
            payload: b"hello".to_vec(),
            ..TcpSpec::new(READER, BLOG, "P.")
        };
        let lost = stream.send(70_000_000, LAPTOP, tcp_frame(&data));
        stream.lose(70_000_100, LAPTOP, lost);
        // The link's entry comes before the machine's of the same instant.
        let uplink = stream.entries.len() - 2;
        stream.entries.swap(uplink, uplink + 1);
        stream.segment(350_000_000, &data);
        stream
    }

    #[test]
    fn the_file_reads_back_with_its_interfaces_times_and_comments() {
        let bytes = capture(&lossy());
        let mut reader = PcapNgReader::new(bytes.as_slice()).expect("a section");
        let (mut names, mut comments, mut first) = (Vec::new(), Vec::new(), None);
        while let Some(block) = reader.next_block() {
            match block.expect("a block") {
                Block::InterfaceDescription(interface) => {
                    for option in interface.options {
                        if let InterfaceDescriptionOption::IfName(name) = option {
                            names.push(name.into_owned());
                        }
                    }
                }
                Block::EnhancedPacket(packet) => {
                    first.get_or_insert(packet.timestamp);
                    comments.extend(packet.options.into_iter().filter_map(|o| match o {
                        EnhancedPacketOption::Comment(text) => Some(text.into_owned()),
                        _ => None,
                    }));
                }
                _ => {}
            }
        }
        assert_eq!(
            names,
            ["blog vif0", "ec2 uplink0", "reader vif0", "laptop uplink0"]
        );
        assert_eq!(first, Some(Duration::new(1_405_036_800, 1_000_000)));
        let lost = ["lost", "lost"];
        let resent = ["retransmission"; 4];
        assert_eq!(comments, [&lost[..], &resent].concat());
    }

    #[test]
    fn a_capture_of_one_tap_holds_what_passed_there() {
        let capture = Capture::of_tap(&plan(), "blog vif0", Vec::new());
        let bytes = fill(capture.expect("a Vec takes everything"), &lossy());
        let mut reader = PcapNgReader::new(bytes.as_slice()).expect("a section");
        let (mut interfaces, mut packets) = (0, 0);
        while let Some(block) = reader.next_block() {
            match block.expect("a block") {
                Block::InterfaceDescription(_) => interfaces += 1,
                Block::EnhancedPacket(_) => packets += 1,
                _ => {}
            }
        }
        assert_eq!((interfaces, packets), (1, 4));
    }

    #[test]
    fn the_same_entries_make_the_same_file() {
        assert_eq!(capture(&lossy()), capture(&lossy()));
    }
}
