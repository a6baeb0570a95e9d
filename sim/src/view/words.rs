//! The scenario language's words for what the trace says: lives, notes, links' deeds, and whole matchers.

use std::fmt::Write as _;

use stack::event::TcpNote;
use xenemu::event::Life;

use crate::plan::{At, Count, Matcher, PacketKind, PacketMatcher};
use crate::trace::entry::LinkEvent;

/// For what happens to a domain.
pub const fn life_word(life: &Life) -> &'static str {
    match life {
        Life::Created { .. } => "created",
        Life::Unpaused => "unpaused",
        Life::Paused => "paused",
        Life::Shutdown { .. } => "shutdown",
        Life::Crashed { .. } => "crashed",
        Life::Stuck { .. } => "stuck",
        Life::Dying => "dying",
        Life::Zombie => "zombie",
        Life::Destroyed => "destroyed",
        Life::Rebooted { .. } => "rebooted",
    }
}

/// For a note.
pub const fn note_word(note: TcpNote) -> &'static str {
    match note {
        TcpNote::RtoExpired => "rto-expired",
        TcpNote::RecoveryEntered => "recovery-entered",
        TcpNote::RecoveryLeft => "recovery-left",
        TcpNote::WindowProbe => "window-probe",
        TcpNote::KeepAlive => "keep-alive",
        TcpNote::ChallengeAck => "challenge-ack",
        TcpNote::ListenOverflow => "listen-overflow",
        TcpNote::Renege => "renege",
        TcpNote::Retransmit => "retransmit",
        TcpNote::TailProbe => "tail-probe",
        TcpNote::Spurious => "spurious",
    }
}

/// For what a link does.
pub const fn link_word(event: &LinkEvent) -> &'static str {
    match event {
        LinkEvent::Enqueued { .. } => "enqueued",
        LinkEvent::Lost { .. } => "lost",
        LinkEvent::QueueFull { .. } => "queue-full",
        LinkEvent::Duplicated { .. } => "duplicated",
        LinkEvent::Corrupted { .. } => "corrupted",
        LinkEvent::Marked { .. } => "marked",
        LinkEvent::Serialised { .. } => "serialised",
        LinkEvent::Died { .. } => "died",
    }
}

/// The matcher's words.
pub fn matcher(matcher: &Matcher) -> String {
    let mut words = Words::default();
    match matcher {
        Matcher::Packet(packet) => return packet_words(packet),
        Matcher::Console { domain, contains } => {
            words.word("console").arg(domain).text("contains", contains)
        }
        Matcher::Life { domain, is } => words.word("life").opt_arg(domain).text("is", is),
        Matcher::TcpState {
            domain,
            state,
            port,
        } => words
            .word("tcp-state")
            .arg(domain)
            .text("is", state)
            .value("port", *port),
        Matcher::TcpNote { domain, note } => words.word("tcp-note").arg(domain).text("is", note),
        Matcher::Refused { domain, contains } => {
            words.word("refused").arg(domain).text("contains", contains)
        }
        Matcher::Address { domain, state } => words.word("address").arg(domain).text("is", state),
        Matcher::Http {
            domain,
            path,
            status,
        } => words
            .word("http")
            .arg(domain)
            .opt_text("path", path)
            .value("status", *status),
        Matcher::SiteNotFetched { server, client } => {
            words.word("site").text("from", server).text("by", client)
        }
        Matcher::Link { link, from, event } => words
            .word("link-event")
            .arg(link)
            .text("is", event)
            .opt_text("from", from),
        Matcher::Dropped { domain, reason } => {
            words.word("dropped").arg(domain).opt_text("is", reason)
        }
        Matcher::Hypercall { domain, op } => {
            words.word("xen").text("op", op).opt_text("domain", domain)
        }
        Matcher::Leaked { what } if what == "all" => words.word("xen").word("leaked"),
        Matcher::Leaked { what } => words.word("xen").word(&format!("leaked-{what}")),
        Matcher::ScriptDone { domain } => words.word("script").arg(domain),
    };
    words.0
}

fn packet_words(packet: &PacketMatcher) -> String {
    let mut words = Words::default();
    words
        .word(match packet.kind {
            PacketKind::Frame => "frame",
            PacketKind::Arp => "arp",
            PacketKind::Ipv4 => "ip",
            PacketKind::Ipv6 => "ip6",
            PacketKind::Icmp => "icmp",
            PacketKind::Icmpv6 => "icmp6",
            PacketKind::Udp => "udp",
            PacketKind::Tcp => "tcp",
        })
        .opt_text("from", &packet.from)
        .opt_text("to", &packet.to)
        .opt_text("flags", &packet.flags)
        .value("sport", packet.src_port)
        .value("dport", packet.dst_port)
        .value("port", packet.port)
        .value("len", packet.len.map(range))
        .value("win", packet.win.map(range))
        .opt_text("contains", &packet.contains)
        .value("evil", packet.evil.map(|evil| format!("#{evil}")))
        .value("type", packet.icmp_type);
    if packet.only_retransmits {
        words.text("retransmits", "only");
    } else if packet.retransmits {
        words.word("retransmits=#true");
    }
    if packet.at == At::Receiver {
        words.text("at", "receiver");
    }
    words.0
}

fn range(count: Count) -> String {
    match (count.least, count.most) {
        (least, most) if least == most => format!("{least}"),
        (least, u64::MAX) => format!("\">={least}\""),
        (least, most) => format!("\"{least}..{most}\""),
    }
}

/// Words separated by spaces.
#[derive(Default)]
struct Words(String);

impl Words {
    fn word(&mut self, word: &str) -> &mut Words {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(word);
        self
    }
    fn arg(&mut self, text: &str) -> &mut Words {
        self.word(&format!("{text:?}"))
    }
    fn opt_arg(&mut self, text: &Option<String>) -> &mut Words {
        match text {
            Some(text) => self.arg(text),
            None => self,
        }
    }
    fn text(&mut self, name: &str, text: &str) -> &mut Words {
        self.word(&format!("{name}={text:?}"))
    }
    fn opt_text(&mut self, name: &str, text: &Option<String>) -> &mut Words {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }
    fn value(&mut self, name: &str, value: Option<impl std::fmt::Display>) -> &mut Words {
        if let Some(value) = value {
            self.word("");
            write!(self.0, "{name}={value}").expect("a String takes everything");
        }
        self
    }
}
