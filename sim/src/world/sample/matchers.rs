//! What is waited for: every matcher of the language that a `when` takes.

use super::Sampler;
use crate::plan::*;
use crate::scenario::language::judgement::{
    ADDRESSES, DROP_REASONS, LINK_EVENTS, LIVES, NOTES, STATES,
};
use crate::world::schedule::domains;

impl Sampler {
    /// What is often seen, or anything at all.
    pub(super) fn matcher(&mut self, plan: &Plan) -> Matcher {
        let names: Vec<&str> = domains(plan).map(|domain| domain.name.as_str()).collect();
        let domain = self.one_of(&names).to_owned();
        match self.percent(50) {
            true => self.common(plan, domain),
            false => self.any(plan, domain),
        }
    }

    /// What machines of every kind say, toys too.
    fn common(&mut self, plan: &Plan, domain: String) -> Matcher {
        match self.below(5) {
            0 => Matcher::Console {
                domain,
                contains: String::new(),
            },
            1 => Matcher::Link {
                link: self.one_of(&plan.links).name,
                from: None,
                event: self.word(&["enqueued", "enqueued", "lost", "died"]),
            },
            2 => Matcher::Life {
                domain: None,
                is: self.word(&["created", "crashed", "destroyed"]),
            },
            3 => Matcher::Packet(PacketMatcher {
                to: Some(domain),
                at: At::Receiver,
                ..PacketMatcher::any(PacketKind::Frame)
            }),
            _ => Matcher::Packet(PacketMatcher {
                from: Some(domain),
                ..PacketMatcher::any(PacketKind::Frame)
            }),
        }
    }

    fn any(&mut self, plan: &Plan, domain: String) -> Matcher {
        match self.below(15) {
            0..4 => Matcher::Packet(self.packet(domain)),
            4 => Matcher::TcpState {
                domain,
                state: self.word(STATES),
                port: self.perhaps(7).map(|n| 4_000 + n as u16),
            },
            5 => Matcher::TcpNote {
                domain,
                note: self.word(NOTES),
            },
            6 => Matcher::Refused {
                domain,
                contains: String::new(),
            },
            7 => Matcher::Http {
                domain,
                path: self.perhaps(1).map(|_| "/".into()),
                status: self.perhaps(1).map(|_| 200),
            },
            8 | 9 => {
                let link = self.one_of(&plan.links);
                let from = [None, Some(link.a), Some(link.b)];
                Matcher::Link {
                    link: link.name,
                    from: self.one_of(&from),
                    event: self.word(LINK_EVENTS),
                }
            }
            10 => Matcher::Dropped {
                domain,
                reason: self.perhaps(1).map(|_| self.word(DROP_REASONS)),
            },
            11 => Matcher::Hypercall {
                domain: self.perhaps(1).map(|_| domain),
                op: self.word(&[
                    "EVTCHNOP_send",
                    "GNTTABOP_copy",
                    "VCPUOP_set_singleshot_timer",
                ]),
            },
            12 => Matcher::Life {
                domain: self.perhaps(1).map(|_| domain),
                is: self.word(LIVES),
            },
            13 => Matcher::Address {
                domain,
                state: self.word(ADDRESSES),
            },
            _ => Matcher::ScriptDone { domain },
        }
    }

    /// A kind of packet, and a few of its properties.
    fn packet(&mut self, domain: String) -> PacketMatcher {
        use PacketKind::*;
        let kind = self.one_of(&[Frame, Arp, Ipv4, Ipv6, Icmp, Icmpv6, Udp, Tcp, Tcp]);
        let mut packet = PacketMatcher::any(kind);
        match self.below(3) {
            0 => packet.from = Some(domain),
            1 => packet.to = Some(domain),
            _ => {}
        }
        packet.at = self.one_of(&[At::Sender, At::Receiver]);
        packet.evil = self.perhaps(1).map(|_| self.percent(50));
        if kind == Tcp {
            packet.flags = self
                .perhaps(1)
                .map(|_| self.word(&["S", "S.", "~F", "~R", "."]));
            packet.retransmits = self.percent(50);
            packet.only_retransmits = packet.retransmits && self.percent(50);
            let (least, most) = (self.below(1_000), u64::MAX);
            packet.win = self.perhaps(1).map(|_| Count { least, most });
        }
        if matches!(kind, Tcp | Udp) {
            packet.port = self
                .perhaps(6)
                .map(|n| [7, 9, 19, 80, 4_000, 4_001][n as usize]);
            packet.len = self.perhaps(2).map(|least| Count { least, most: 1_500 });
        }
        if kind == Icmp {
            packet.icmp_type = self.perhaps(1).map(|_| 8);
        }
        packet
    }

    /// A number below `n`, or nothing.
    fn perhaps(&mut self, n: u64) -> Option<u64> {
        self.percent(30).then(|| self.below(n))
    }

    fn word(&mut self, words: &[&str]) -> String {
        self.one_of(words).to_owned()
    }
}
