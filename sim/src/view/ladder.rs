//! The ladder: who sent what to whom, one packet a line, in the order of sending.
//!
//! Domains are columns. A line has the time of sending and of arrival, an arrow, and what tcpdump would say; a frame
//! that never arrived has an `x` where the arrow's head would be, and the reason. What happens to domains and to the
//! world lies across all columns. Lines are kept until the end, because an arrival is known only later.

use std::collections::BTreeMap;
use std::sync::Arc;

use xenemu::event::Life;
use xenemu::{FrameId, Time};

use super::grid::Grid;
use super::line::clock;
use super::notes;
use super::packet::Packet;
use super::tcpdump;
use crate::oracle::context::{Context, Sighting};
use crate::oracle::tracker::Direction;
use crate::trace::entry::{Entry, Event, LinkEvent, WorldEvent};

/// Lines that are kept; what comes after is only counted.
const MOST_ROWS: usize = 20_000;

/// Columns that are drawn; a world of more domains shows those that spoke first.
const MOST_COLUMNS: usize = 16;

/// Which packets are drawn.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Filter {
    /// Packets that one of these domains sends or receives; empty: all.
    pub only: Vec<String>,
    /// ARP and Neighbor Discovery too.
    pub arp: bool,
}

/// A ladder in the making.
#[derive(Debug, Default)]
pub struct Ladder {
    filter: Filter,
    /// In order of declaration, then of first appearance.
    columns: Vec<Arc<str>>,
    rows: Vec<Row>,
    /// The row of each frame that is drawn, by the frame's root.
    by_frame: BTreeMap<FrameId, usize>,
    left_out: u64,
}

#[derive(Debug)]
enum Row {
    /// Across all columns.
    Across {
        at: Time,
        text: String,
    },
    Packet(Box<PacketRow>),
}

#[derive(Debug)]
pub(super) struct PacketRow {
    pub(super) sent: Time,
    /// `None`: nobody's; it was put on the bridge by hand.
    pub(super) from: Option<Arc<str>>,
    pub(super) towards: Option<Arc<str>>,
    /// Who received it, and when first.
    pub(super) arrived: Vec<(Arc<str>, Time)>,
    pub(super) fate: Option<String>,
    pub(super) text: String,
    pub(super) notes: Vec<String>,
}

impl Ladder {
    /// With columns in this order; other domains follow as they speak.
    pub fn new(filter: Filter, columns: impl IntoIterator<Item = Arc<str>>) -> Ladder {
        Ladder {
            filter,
            columns: columns.into_iter().take(MOST_COLUMNS).collect(),
            ..Ladder::default()
        }
    }

    /// Takes the next entry, which the context has observed already.
    pub fn feed(&mut self, entry: &Entry, context: &Context) {
        match &entry.event {
            Event::World(event) => self.world(entry.at, event),
            Event::Machine(xenemu::Event::FrameAt { .. }) => {
                if let Some(sighting) = context.sighting() {
                    self.packet(sighting);
                }
            }
            Event::Machine(xenemu::Event::FrameDropped { frame, reason, .. }) => {
                let why = format!("dropped: {}", notes::drop_word(*reason));
                self.fate(*frame, why, context);
            }
            // What follows from another line, or is one with it, is left to the `life` part.
            Event::Machine(xenemu::Event::Life {
                life: Life::Unpaused | Life::Dying | Life::Zombie,
                ..
            }) => {}
            Event::Machine(xenemu::Event::Life { life, .. }) => {
                let who = super::line::author(entry, context);
                let text = format!("{who} {}", super::line::life_text(life));
                self.across(entry.at, text);
            }
            Event::Machine(xenemu::Event::Disconnected { .. }) => {
                let who = super::line::author(entry, context);
                let text = format!("{who} {}", super::line::what(&entry.event));
                self.across(entry.at, text);
            }
            Event::Link(event) => self.link(event, context),
            _ => {}
        }
    }

    fn world(&mut self, at: Time, event: &WorldEvent) {
        let text = match event {
            // A seed or the reason of the end would make one scenario's ladder many.
            WorldEvent::Begin { .. } | WorldEvent::Input { .. } => return,
            WorldEvent::Action { text, .. } => text.clone(),
            WorldEvent::ActionFailed { why, .. } => format!("action failed: {why}"),
            WorldEvent::Trigger { when, acts_at } => {
                format!("when #{when} fires, acts at {}", clock(*acts_at))
            }
            WorldEvent::End { why } => format!("end: {why}"),
        };
        self.across(at, text);
    }

    fn link(&mut self, event: &LinkEvent, context: &Context) {
        let (frame, word) = match event {
            LinkEvent::Lost { frame } => (frame, "lost"),
            LinkEvent::QueueFull { frame } => (frame, "queue full"),
            LinkEvent::Died { frame } => (frame, "died on the link"),
            LinkEvent::Duplicated { frame, .. } => return self.note(*frame, "duplicated", context),
            LinkEvent::Corrupted { frame, .. } => return self.note(*frame, "corrupted", context),
            LinkEvent::Marked { frame, .. } => return self.note(*frame, "marked", context),
            LinkEvent::Serialised {
                frame,
                reordered: true,
                ..
            } => return self.note(*frame, "reordered", context),
            LinkEvent::Enqueued { .. } | LinkEvent::Serialised { .. } => return,
        };
        self.fate(*frame, word.into(), context);
    }

    fn packet(&mut self, sighting: &Sighting) {
        let root = sighting.known.root;
        match (sighting.direction, self.by_frame.get(&root)) {
            (Direction::Out, None) if self.wants(sighting) => self.sent(sighting),
            (Direction::In, Some(&row)) => self.arrived(row, sighting),
            // Nobody sent it: it was put on the bridge by hand.
            (Direction::In, None) if sighting.sender.is_none() && self.wants(sighting) => {
                self.sent(sighting);
                if let Some(&row) = self.by_frame.get(&root) {
                    self.arrived(row, sighting);
                }
            }
            _ => {}
        }
    }

    fn wants(&self, sighting: &Sighting) -> bool {
        let is_arp = sighting.packet.is_discovery();
        let among = |domain: &Option<Arc<str>>| {
            let only = &self.filter.only;
            domain
                .as_deref()
                .is_some_and(|d| only.iter().any(|o| o == d))
        };
        (self.filter.arp || !is_arp)
            && (self.filter.only.is_empty()
                || among(&sighting.sender)
                || among(&sighting.addressee)
                || among(&Some(sighting.domain.clone())))
    }

    fn sent(&mut self, sighting: &Sighting) {
        if self.rows.len() >= MOST_ROWS {
            self.left_out += 1;
            return;
        }
        for domain in sighting.sender.iter().chain(&sighting.addressee) {
            self.column(domain);
        }
        self.by_frame.insert(sighting.known.root, self.rows.len());
        self.rows.push(Row::Packet(Box::new(PacketRow {
            sent: sighting.at,
            from: sighting.sender.clone(),
            towards: sighting.addressee.clone(),
            arrived: Vec::new(),
            fate: None,
            text: label(&sighting.packet, sighting),
            notes: notes::of_sighting(sighting),
        })));
    }

    fn arrived(&mut self, row: usize, sighting: &Sighting) {
        self.column(&sighting.domain);
        if let Some(Row::Packet(packet)) = self.rows.get_mut(row)
            && packet.arrived.len() < MOST_COLUMNS
            && packet.arrived.iter().all(|(d, _)| *d != sighting.domain)
        {
            packet.arrived.push((sighting.domain.clone(), sighting.at));
        }
    }

    /// A frame ends on its way; of a copy's end nothing is said once the other arrived.
    fn fate(&mut self, frame: FrameId, why: String, context: &Context) {
        if let Some(packet) = self.row_of(frame, context) {
            packet.fate.get_or_insert(why);
        }
    }

    fn note(&mut self, frame: FrameId, word: &str, context: &Context) {
        if let Some(packet) = self.row_of(frame, context)
            && !packet.notes.iter().any(|note| note == word)
        {
            packet.notes.push(word.into());
        }
    }

    fn row_of(&mut self, frame: FrameId, context: &Context) -> Option<&mut PacketRow> {
        let row = *self.by_frame.get(&context.frames.root(frame))?;
        match self.rows.get_mut(row) {
            Some(Row::Packet(packet)) => Some(packet),
            _ => None,
        }
    }

    fn across(&mut self, at: Time, text: String) {
        if self.rows.len() < MOST_ROWS {
            self.rows.push(Row::Across { at, text });
        } else {
            self.left_out += 1;
        }
    }

    fn column(&mut self, domain: &Arc<str>) {
        if self.columns.len() < MOST_COLUMNS && !self.columns.contains(domain) {
            self.columns.push(domain.clone());
        }
    }

    /// The whole ladder; LF at the end of each line, no blanks before it.
    pub fn render(&self) -> String {
        let columns = self.speaking_columns();
        let grid = Grid { columns: &columns };
        let mut lines = vec![grid.header()];
        lines.extend(self.rows.iter().map(|row| match row {
            Row::Across { at, text } => grid.across(*at, text),
            Row::Packet(packet) => grid.packet(packet),
        }));
        if self.left_out > 0 {
            lines.push(format!("... and {} lines more", self.left_out));
        }
        let trimmed = lines.iter().map(|line| format!("{}\n", line.trim_end()));
        trimmed.collect()
    }

    /// Only domains that send or receive something that is drawn.
    fn speaking_columns(&self) -> Vec<Arc<str>> {
        let packets = || {
            self.rows.iter().filter_map(|row| match row {
                Row::Packet(packet) => Some(packet),
                Row::Across { .. } => None,
            })
        };
        let speaks = |domain: &&Arc<str>| {
            packets().any(|packet| {
                packet.from.as_ref() == Some(domain)
                    || packet.towards.as_ref() == Some(domain)
                    || packet.arrived.iter().any(|(d, _)| d == *domain)
            })
        };
        self.columns.iter().filter(speaks).cloned().collect()
    }
}

/// tcpdump's line; of TCP the ports stand for the addresses, which the columns show already.
fn label(packet: &Packet, sighting: &Sighting) -> String {
    match packet.tcp() {
        Some((_, tcp)) => {
            let data = tcpdump::payload(packet, &sighting.known.bytes);
            let body = tcpdump::tcp_body(tcp, data, sighting.reading.as_ref());
            format!("{} > {}: {body}", tcp.source_port, tcp.destination_port)
        }
        None => sighting.line(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::entry::Author;
    use crate::view::testing::{
        BLOG, EC2, LAPTOP, READER, Stream, TcpSpec, arp_request, plan, tcp_frame,
    };

    fn ladder(stream: &Stream, filter: Filter) -> String {
        let mut context = Context::new(&plan());
        let mut ladder = Ladder::new(filter, ["reader".into(), "blog".into()]);
        for entry in &stream.entries {
            context.observe(entry);
            ladder.feed(entry, &context);
        }
        ladder.render()
    }

    #[test]
    fn a_lost_segment_and_its_retransmission_read_from_top_to_bottom() {
        let mut stream = Stream::begin();
        stream.handshake();
        let data = TcpSpec {
            seq: 1001,
            ack: 5001,
            payload: b"hello".to_vec(),
            ..TcpSpec::new(READER, BLOG, "P.")
        };
        let lost = stream.send(50_000_000, LAPTOP, tcp_frame(&data));
        stream.lose(50_000_100, LAPTOP, lost);
        let text = "cut \"laptop-ec2\"".to_string();
        let action = WorldEvent::Action { index: 0, text };
        stream.push(60_000_000, Author::World, Event::World(action));
        stream.segment(350_000_000, &data);
        let expected = "       sent     arrived  reader            blog
   0.000001              -- blog created --
   0.000001              -- reader created --
   0.001000    0.021000  |---------------->|   40000 > 80: Flags [S], seq 0, win 65535, length 0
   0.022000    0.042000  |<----------------|   80 > 40000: Flags [S.], seq 0, ack 1, win 65535, length 0
   0.043000    0.063000  |---------------->|   40000 > 80: Flags [.], ack 1, win 65535, length 0
   0.050000           -  |--------x        |   40000 > 80: Flags [P.], seq 1:6, ack 1, win 65535, length 5 (lost)
   0.060000              -- cut \"laptop-ec2\" --
   0.350000    0.370000  |---------------->|   40000 > 80: Flags [P.], seq 1:6, ack 1, win 65535, length 5 (retransmission)
";
        assert_eq!(ladder(&stream, Filter::default()), expected);
        assert_eq!(
            ladder(&stream, Filter::default()),
            expected,
            "a pure function"
        );
    }

    #[test]
    fn arp_is_drawn_only_when_it_is_asked_for() {
        let mut stream = Stream::begin();
        let frame = stream.send(5_000, LAPTOP, arp_request(READER, BLOG));
        stream.deliver(6_000, EC2, frame);
        assert!(!ladder(&stream, Filter::default()).contains("ARP"));
        let arp = Filter {
            arp: true,
            ..Filter::default()
        };
        assert!(ladder(&stream, arp).contains("|---------------->|   ARP, Request who-has"));
    }

    #[test]
    fn only_the_packets_of_the_named_domains_are_drawn() {
        let mut stream = Stream::begin();
        stream.handshake();
        let only = |name: &str| Filter {
            only: vec![name.into()],
            arp: false,
        };
        assert!(ladder(&stream, only("blog")).contains("Flags [S]"));
        assert!(!ladder(&stream, only("other")).contains("Flags"));
    }
}
