//! ICMP: echo requests answered, echo replies kept for the application, errors sent and understood.
//!
//! What is said here of messages is said of version 4; [`super::ipv6::icmp`] says it of version 6, in whose outbox and
//! purse they meet. Nothing is sent here: messages wait in a bounded outbox until the stack transmits. Errors obey RFC 1122, section
//! 3.2.2 (never about an error, a broadcast, or a fragment but the first) and a token bucket.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use xen_abi::Instant;

use crate::addr::IpAddress;
use crate::api::EchoReply;
use crate::net::ipv6;
use crate::net::profile::NetProfile;
use crate::tcp::IcmpError;
use crate::wire::icmpv4::{self, Kind, Message, TimeExceeded, Unreachable};
use crate::wire::icmpv6;
use crate::wire::ipv4::{self, Protocol};
use crate::wire::udp;

/// An error and its quotation make a packet of at most 576 bytes (RFC 1812, section 4.3.2.3).
const QUOTE: usize = 576 - ipv4::HEADER - icmpv4::HEADER;

/// A message that waits for the device.
#[derive(Debug, PartialEq, Eq)]
pub struct Posted {
    pub src: IpAddress,
    pub dst: IpAddress,
    /// Of the addresses' version.
    pub kind: IcmpKind,
    pub payload: Vec<u8>,
}

/// What a message is about, in either version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpKind {
    V4(Kind),
    V6(icmpv6::Kind),
}

impl IcmpKind {
    fn is_error(self) -> bool {
        match self {
            IcmpKind::V4(kind) => {
                !matches!(kind, Kind::EchoReply { .. } | Kind::EchoRequest { .. })
            }
            IcmpKind::V6(kind) => kind.is_error(),
        }
    }
    /// Bytes of a packet that an error about it quotes at most.
    fn quote(self) -> usize {
        match self {
            IcmpKind::V4(_) => QUOTE,
            IcmpKind::V6(_) => ipv6::icmp::QUOTE,
        }
    }
}

/// What an error says about a packet of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    pub protocol: Protocol,
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// The quoted segment's sequence number, if it was TCP's.
    pub seq: u32,
    pub error: IcmpError,
    /// What lies in a quoted datagram, if it holds a segment.
    pub inside: Option<Inside>,
}

/// The beginning of a segment that a quoted datagram holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    pub local_port: u16,
    pub remote_port: u16,
    pub seq: u32,
}

impl Inside {
    /// Of what is quoted of a packet behind its IP header.
    pub fn of(protocol: Protocol, quoted: &[u8]) -> Option<Inside> {
        let datagram = (protocol == Protocol::UDP).then_some(quoted)?;
        let &[a, b, c, d, e, f, g, h] = datagram.get(udp::HEADER..)?.first_chunk()?;
        Some(Inside {
            local_port: u16::from_be_bytes([a, b]),
            remote_port: u16::from_be_bytes([c, d]),
            seq: u32::from_be_bytes([e, f, g, h]),
        })
    }
}

/// Where a received message came from, and to which of our addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    pub src: IpAddress,
    pub dst: IpAddress,
    /// It was sent to us alone.
    pub unicast: bool,
}

/// ICMP's queues and its purse.
#[derive(Debug)]
pub struct Icmp {
    profile: NetProfile,
    outbox: VecDeque<Posted>,
    outbox_bytes: usize,
    replies: VecDeque<EchoReply>,
    /// Errors that may be sent now, counted as of `refilled`.
    tokens: u64,
    refilled: Instant,
}

impl Icmp {
    /// Nothing to say yet, and a full purse.
    pub fn new(profile: &NetProfile) -> Icmp {
        Icmp {
            profile: profile.clone(),
            outbox: VecDeque::new(),
            outbox_bytes: 0,
            replies: VecDeque::new(),
            tokens: profile.icmp_burst,
            refilled: Instant(0),
        }
    }

    /// Queues the answer to an echo request, of either version.
    pub(super) fn answer(
        &mut self,
        ends: Ends,
        kind: IcmpKind,
        payload: &[u8],
    ) -> Result<(), &'static str> {
        let posted = Posted {
            src: ends.dst,
            dst: ends.src,
            kind,
            payload: payload.to_vec(),
        };
        match self.post(posted) {
            true => Ok(()),
            false => Err("too many answers wait"),
        }
    }

    /// Takes a message; gives what an error says about a packet of ours. `Err` says why it was refused.
    pub fn receive(
        &mut self,
        now: Instant,
        ends: Ends,
        message: &Message<'_>,
    ) -> Result<Option<Report>, &'static str> {
        let payload = message.payload();
        let error = match message.kind() {
            Kind::EchoRequest { .. } if !ends.unicast => return Err("echo request to a group"),
            Kind::EchoRequest { ident, seq } => {
                let kind = IcmpKind::V4(Kind::EchoReply { ident, seq });
                return self.answer(ends, kind, payload).map(|()| None);
            }
            Kind::EchoReply { ident, seq } => {
                self.keep(EchoReply {
                    from: ends.src,
                    ident,
                    seq,
                    payload: payload.to_vec(),
                    at: now,
                });
                return Ok(None);
            }
            Kind::Unreachable(Unreachable::Net) => IcmpError::NetUnreachable,
            Kind::Unreachable(Unreachable::Host) => IcmpError::HostUnreachable,
            Kind::Unreachable(Unreachable::Protocol) => IcmpError::ProtocolUnreachable,
            Kind::Unreachable(Unreachable::Port) => IcmpError::PortUnreachable,
            Kind::Unreachable(Unreachable::PacketTooBig { mtu }) => IcmpError::PacketTooBig { mtu },
            Kind::Unreachable(Unreachable::Other(9 | 10 | 13)) => IcmpError::Prohibited,
            // RFC 1122, section 3.2.2.1: the others of codes 0 to 12 mean the network or the host.
            Kind::Unreachable(Unreachable::Other(_)) => IcmpError::HostUnreachable,
            Kind::TimeExceeded(_) => IcmpError::TimeExceeded,
            Kind::ParameterProblem { .. } => IcmpError::ParameterProblem,
            Kind::Other { kind: 4, .. } => IcmpError::SourceQuench,
            Kind::Other { .. } => return Err("unknown type"),
        };
        let quoted = ipv4::Packet::parse_quoted(payload).map_err(|_| "bad quotation")?;
        report(&quoted, error).map(Some)
    }

    /// Queues an error about a received packet whose beginning is `quote`; the caller knows that it was sent to us
    /// alone, and no fragment but the first. Whether it will be sent.
    pub fn error(&mut self, now: Instant, ends: Ends, kind: IcmpKind, quote: &[u8]) -> bool {
        assert!(kind.is_error(), "an echo is no error");
        if !ends.unicast || !self.pay(now) {
            return false;
        }
        self.post(Posted {
            src: ends.dst,
            dst: ends.src,
            kind,
            payload: quote[..quote.len().min(kind.quote())].to_vec(),
        })
    }

    /// Queues a message. Whether there was room.
    pub fn post(&mut self, posted: Posted) -> bool {
        let bytes = self.outbox_bytes + posted.payload.len();
        if self.outbox.len() >= self.profile.icmp_queue || bytes > self.profile.icmp_bytes {
            return false;
        }
        self.outbox_bytes = bytes;
        self.outbox.push_back(posted);
        true
    }

    /// The first message that waits.
    pub fn next(&self) -> Option<&Posted> {
        self.outbox.front()
    }
    /// The first message is on its way.
    pub fn sent(&mut self) {
        if let Some(posted) = self.outbox.pop_front() {
            self.outbox_bytes -= posted.payload.len();
        }
    }
    /// The oldest echo reply that was not taken yet.
    pub fn next_reply(&mut self) -> Option<EchoReply> {
        self.replies.pop_front()
    }

    /// Keeps an echo reply for the application.
    pub(in crate::net) fn keep(&mut self, reply: EchoReply) {
        if self.replies.len() >= self.profile.echo_replies {
            self.replies.pop_front();
        }
        self.replies.push_back(reply);
    }

    /// Takes a token, if there is one.
    fn pay(&mut self, now: Instant) -> bool {
        let earned = now.since(self.refilled) / self.profile.icmp_interval;
        if earned > 0 {
            self.tokens = self
                .profile
                .icmp_burst
                .min(self.tokens.saturating_add(earned));
            self.refilled = self
                .refilled
                .plus(earned.saturating_mul(self.profile.icmp_interval));
        }
        if self.tokens == 0 {
            return false;
        }
        self.tokens -= 1;
        true
    }
}

/// What an error says about the packet that it quotes, which must have been ours: its source is our end.
pub fn report(quoted: &ipv4::Packet<'_>, error: IcmpError) -> Result<Report, &'static str> {
    if quoted.offset() != 0 {
        return Err("a quotation without ports");
    }
    // RFC 792: at least eight bytes behind the header are there, in which TCP and UDP keep ports and sequence number.
    let Some(&[a, b, c, d, e, f, g, h]) = quoted.payload().first_chunk() else {
        return Err("bad quotation");
    };
    Ok(Report {
        protocol: quoted.protocol(),
        local: (quoted.src(), u16::from_be_bytes([a, b])).into(),
        remote: (quoted.dst(), u16::from_be_bytes([c, d])).into(),
        seq: u32::from_be_bytes([e, f, g, h]),
        error,
        inside: Inside::of(quoted.protocol(), quoted.payload()),
    })
}

/// The error for fragments that did not become a packet in time.
pub const REASSEMBLY_TIMEOUT: Kind = Kind::TimeExceeded(TimeExceeded::Reassembly);
/// The error for a datagram that nobody waits for.
pub const PORT_UNREACHABLE: Kind = Kind::Unreachable(Unreachable::Port);
/// The error for a protocol that we do not speak.
pub const PROTOCOL_UNREACHABLE: Kind = Kind::Unreachable(Unreachable::Protocol);

#[cfg(test)]
mod tests {
    use alloc::vec;

    use core::net::Ipv4Addr;

    use super::*;

    const US: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
    const THEM: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

    fn receive(
        icmp: &mut Icmp,
        kind: Kind,
        payload: &[u8],
        unicast: bool,
    ) -> Result<Option<Report>, &'static str> {
        let repr = icmpv4::Repr { kind, payload };
        let mut bytes = vec![0; repr.size()];
        repr.emit(&mut bytes);
        let ends = Ends {
            src: THEM.into(),
            dst: US.into(),
            unicast,
        };
        icmp.receive(Instant(1), ends, &Message::parse(&bytes).unwrap())
    }

    /// The beginning of a segment of ours, port 80 to their 4000, sequence number 7.
    fn quote() -> Vec<u8> {
        let header = ipv4::Repr {
            src: US,
            dst: THEM,
            protocol: Protocol::TCP,
            ttl: 1,
            dscp: 0,
            ecn: 0,
            ident: 0,
            dont_fragment: true,
            more_fragments: false,
            offset: 0,
            payload_len: 1000,
        };
        let mut bytes = vec![0; ipv4::HEADER + 1000];
        header.emit(&mut bytes)[..8].copy_from_slice(&[0, 80, 0x0F, 0xA0, 0, 0, 0, 7]);
        bytes.truncate(ipv4::HEADER + 8);
        bytes
    }

    #[test]
    fn an_echo_request_is_answered_unless_a_group_was_asked() {
        let mut icmp = Icmp::new(&NetProfile::default());
        let ask = Kind::EchoRequest { ident: 5, seq: 6 };
        assert!(receive(&mut icmp, ask, b"data", false).is_err());
        assert_eq!(icmp.next(), None);
        assert_eq!(receive(&mut icmp, ask, b"data", true), Ok(None));
        let answer = Posted {
            src: US.into(),
            dst: THEM.into(),
            kind: IcmpKind::V4(Kind::EchoReply { ident: 5, seq: 6 }),
            payload: b"data".to_vec(),
        };
        assert_eq!(icmp.next(), Some(&answer));
    }

    #[test]
    fn an_error_names_the_connection_that_it_is_about() {
        let mut icmp = Icmp::new(&NetProfile::default());
        let kind = Kind::Unreachable(Unreachable::PacketTooBig { mtu: 1400 });
        let report = receive(&mut icmp, kind, &quote(), true).unwrap().unwrap();
        assert_eq!(report.error, IcmpError::PacketTooBig { mtu: 1400 });
        assert_eq!(report.local, (US, 80).into());
        assert_eq!(report.remote, (THEM, 4000).into());
        assert_eq!((report.protocol, report.seq), (Protocol::TCP, 7));
        for len in 0..quote().len() {
            assert!(receive(&mut icmp, kind, &quote()[..len], true).is_err());
        }
    }

    #[test]
    fn errors_are_rationed() {
        let profile = NetProfile::default();
        let mut icmp = Icmp::new(&profile);
        let ends = Ends {
            src: THEM.into(),
            dst: US.into(),
            unicast: true,
        };
        let mut send = |now| {
            let sent = icmp.error(
                Instant(now),
                ends,
                IcmpKind::V4(PORT_UNREACHABLE),
                &[0; 2000],
            );
            icmp.sent();
            sent
        };
        let burst = (0..100).filter(|_| send(0)).count();
        assert_eq!(burst as u64, profile.icmp_burst);
        assert!(send(profile.icmp_interval) && !send(profile.icmp_interval));
        assert!(send(profile.icmp_interval * 1000));
    }

    #[test]
    fn queues_are_bounded() {
        let profile = NetProfile::default();
        let mut icmp = Icmp::new(&profile);
        for seq in 0..1000 {
            let _ = receive(
                &mut icmp,
                Kind::EchoRequest { ident: 1, seq },
                &[0; 9000],
                true,
            );
            let _ = receive(&mut icmp, Kind::EchoReply { ident: 1, seq }, &[], true);
        }
        assert!(icmp.outbox_bytes <= profile.icmp_bytes && icmp.outbox.len() <= profile.icmp_queue);
        assert_eq!(icmp.replies.len(), profile.echo_replies);
        assert_eq!(icmp.next_reply().map(|r| r.seq), Some(1000 - 64));
    }
}
