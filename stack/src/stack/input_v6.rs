//! The way up of a packet of version 6: the fixed header, what stands between it and the upper layer, then as for
//! version 4. What is odd about a packet is told to its sender where RFC 8200 and RFC 4443 say so.

use core::net::Ipv6Addr;

use xen_abi::Instant;

use super::Stack;
use super::input::{Received, Verdict, malformed, refuse, refused};
use crate::event::Layer;
use crate::net::icmp::{Ends, IcmpKind};
use crate::net::ipv6::{self, host};
use crate::net::reassembly::{self, Whole};
use crate::tcp::IpInfo;
use crate::wire::ipv4::Protocol;
use crate::wire::ipv6::{HEADER, MAX_PAYLOAD, Packet};
use crate::wire::ipv6_extension::{self, ERRONEOUS_FIELD, INCOMPLETE_CHAIN, Problem, Upper};
use crate::wire::{icmpv6, ndp};

/// Where in a packet the payload's length and the next header are said.
const PAYLOAD_LENGTH_AT: usize = 4;
const NEXT_HEADER_AT: usize = 6;
/// Where in a fragment header the offset is said.
const FRAGMENT_OFFSET_AT: usize = 2;

/// What is known of a packet before its chain of headers is walked.
#[derive(Clone, Copy)]
struct Outer<'a> {
    src: Ipv6Addr,
    dst: Ipv6Addr,
    hop_limit: u8,
    ecn: u8,
    unicast: bool,
    csum_ok: bool,
    /// The packet's beginning, for an error about it.
    quote: &'a [u8],
    /// What an error's pointer is beyond a place in the chain's bytes.
    shift: usize,
}

impl Outer<'_> {
    fn ends(&self) -> Ends {
        Ends {
            src: self.src.into(),
            dst: self.dst.into(),
            unicast: self.unicast,
        }
    }
}

impl Stack {
    pub(super) fn receive_ipv6(
        &mut self,
        now: Instant,
        bytes: &[u8],
        group: bool,
        csum_ok: bool,
    ) -> Verdict {
        let layer = Layer::Ipv6;
        let Some(six) = &self.output.six else {
            return refuse(Layer::Ethernet, "no IPv6");
        };
        let packet = Packet::parse(bytes).map_err(malformed(layer))?;
        let unicast = ipv6::input::check(six, &packet, group).map_err(refused(layer))?;
        self.receive_packet(now, &packet, unicast, csum_ok)
    }

    /// Takes a packet that we sent to ourselves.
    pub(super) fn receive_ipv6_loopback(&mut self, now: Instant, bytes: &[u8]) -> Verdict {
        let packet = Packet::parse(bytes).map_err(malformed(Layer::Ipv6))?;
        self.receive_packet(now, &packet, true, true)
    }

    fn receive_packet(
        &mut self,
        now: Instant,
        packet: &Packet<'_>,
        unicast: bool,
        csum_ok: bool,
    ) -> Verdict {
        let outer = Outer {
            src: packet.src(),
            dst: packet.dst(),
            hop_limit: packet.hop_limit(),
            ecn: packet.ecn(),
            unicast,
            csum_ok,
            quote: packet.bytes(),
            shift: 0,
        };
        let walked = ipv6_extension::walk(
            packet.bytes(),
            packet.next_header(),
            NEXT_HEADER_AT,
            HEADER,
            true,
            &self.fuel,
        );
        let upper = walked.map_err(|problem| self.has_problem(now, &outer, problem))?;
        match upper.fragment {
            Some(_) => self.receive_fragment_v6(now, &outer, packet.bytes(), &upper),
            None => self.deliver_v6(now, &outer, packet.bytes(), &upper),
        }
    }

    /// RFC 8200, section 4.5.
    fn receive_fragment_v6(
        &mut self,
        now: Instant,
        outer: &Outer<'_>,
        bytes: &[u8],
        upper: &Upper,
    ) -> Verdict {
        let layer = Layer::Ipv6;
        let Some(fragment) = upper.fragment else {
            unreachable!("the caller has looked");
        };
        if !outer.unicast {
            return refuse(layer, "a fragment for many");
        }
        let payload = bytes.get(upper.at..).unwrap_or(&[]);
        let wrong = if fragment.more && (payload.is_empty() || !payload.len().is_multiple_of(8)) {
            Some((
                "a fragment's length is no multiple of eight",
                PAYLOAD_LENGTH_AT,
            ))
        } else if fragment.offset + payload.len() > MAX_PAYLOAD {
            let offset_at = upper.at - ipv6_extension::FRAGMENT_HEADER + FRAGMENT_OFFSET_AT;
            Some(("the fragments make too long a packet", offset_at))
        } else {
            None
        };
        if let Some((why, pointer)) = wrong {
            self.parameter_problem(now, outer, ERRONEOUS_FIELD, pointer);
            return refuse(layer, why);
        }
        let part = reassembly::Fragment {
            src: outer.src.into(),
            dst: outer.dst.into(),
            protocol: fragment.next_header,
            ident: fragment.ident,
            ttl: outer.hop_limit,
            ecn: outer.ecn,
            offset: fragment.offset,
            more: fragment.more,
            payload,
            quote: &bytes[..bytes.len().min(ipv6::icmp::QUOTE)],
            payload_at: upper.at,
        };
        if fragment.offset == 0 && fragment.more {
            self.check_first_fragment(now, outer, &part)?;
        }
        // RFC 6946: a packet that only looks like a fragment is whole, whatever else has its identification.
        let whole = if fragment.offset == 0 && !fragment.more {
            Some(Whole {
                src: part.src,
                dst: part.dst,
                protocol: part.protocol,
                ttl: part.ttl,
                ecn: part.ecn,
                quote: part.quote.to_vec(),
                payload_at: part.payload_at,
                payload: payload.to_vec(),
            })
        } else {
            self.reassembly
                .receive(now, &part, &self.fuel)
                .map_err(refused(layer))?
        };
        match whole {
            Some(whole) => self.deliver_whole(now, outer, &whole),
            None => Ok(()),
        }
    }

    /// RFC 7112: the first fragment holds all headers, up to the upper layer's.
    fn check_first_fragment(
        &mut self,
        now: Instant,
        outer: &Outer<'_>,
        part: &reassembly::Fragment<'_>,
    ) -> Verdict {
        let (first, named_at) = (part.protocol, 0);
        let inner = ipv6_extension::walk(part.payload, first, named_at, 0, false, &self.fuel);
        let least = match inner.map(|upper| (upper.protocol, upper.at)) {
            Ok((Protocol::TCP, at)) => at + crate::wire::tcp::HEADER_LEN,
            Ok((Protocol::UDP, at)) => at + crate::wire::udp::HEADER,
            Ok((Protocol::ICMPV6, at)) => at + icmpv6::HEADER,
            Ok((_, at)) => at,
            Err(Problem {
                code_and_pointer: None,
                ..
            }) => usize::MAX,
            // What is odd about it is told when it is whole.
            Err(_) => 0,
        };
        if least <= part.payload.len() {
            return Ok(());
        }
        self.parameter_problem(now, outer, INCOMPLETE_CHAIN, 0);
        refuse(Layer::Ipv6, "the first fragment lacks headers")
    }

    /// The fragmentable part of a packet has its own headers first.
    fn deliver_whole(&mut self, now: Instant, outer: &Outer<'_>, whole: &Whole) -> Verdict {
        let outer = Outer {
            hop_limit: whole.ttl,
            ecn: whole.ecn,
            csum_ok: false,
            quote: &whole.quote,
            shift: whole.payload_at,
            ..*outer
        };
        let (first, named_at) = (whole.protocol, 0);
        let walked = ipv6_extension::walk(&whole.payload, first, named_at, 0, false, &self.fuel);
        let upper = walked.map_err(|problem| self.has_problem(now, &outer, problem))?;
        if upper.fragment.is_some() {
            return refuse(Layer::Ipv6, "a fragment in fragments");
        }
        self.deliver_v6(now, &outer, &whole.payload, &upper)
    }

    fn deliver_v6(
        &mut self,
        now: Instant,
        outer: &Outer<'_>,
        bytes: &[u8],
        upper: &Upper,
    ) -> Verdict {
        let received = Received {
            ip: IpInfo {
                src: outer.src.into(),
                dst: outer.dst.into(),
                ecn: outer.ecn,
                ttl: outer.hop_limit,
                udp_port: 0,
            },
            protocol: upper.protocol,
            unicast: outer.unicast,
            csum_ok: outer.csum_ok,
            quote: outer.quote,
            payload: bytes.get(upper.at..).unwrap_or(&[]),
        };
        if outer.src.is_unspecified() && upper.protocol != Protocol::ICMPV6 {
            return refuse(Layer::Ipv6, "martian source");
        }
        match upper.protocol {
            Protocol::TCP => self.deliver_tcp(now, &received),
            Protocol::UDP => self.deliver_udp(now, &received),
            Protocol::ICMPV6 => self.deliver_icmpv6(now, outer, received.payload),
            Protocol::NO_NEXT_HEADER => Ok(()),
            _ => {
                let pointer = outer.shift + upper.named_at;
                let kind = IcmpKind::V6(ipv6::icmp::unknown_next_header(pointer));
                self.icmp.error(now, outer.ends(), kind, outer.quote);
                refuse(Layer::Ipv6, "unknown protocol")
            }
        }
    }

    fn deliver_icmpv6(&mut self, now: Instant, outer: &Outer<'_>, payload: &[u8]) -> Verdict {
        let layer = Layer::Icmp;
        let pseudo = icmpv6::Pseudo {
            src: outer.src,
            dst: outer.dst,
        };
        let message = icmpv6::Message::parse(payload, pseudo).map_err(malformed(layer))?;
        if let Some(discovery) = ndp::Message::of(&message) {
            let message = discovery.map_err(malformed(layer))?;
            return self.discover(now, outer, message);
        }
        if outer.src.is_unspecified() {
            return refuse(layer, "martian source");
        }
        let report = self
            .icmp
            .receive_v6(now, outer.ends(), &message, &self.fuel)
            .map_err(refused(layer))?;
        let Some(report) = report else {
            return Ok(());
        };
        self.take_report(now, &report)
    }

    fn discover(&mut self, now: Instant, outer: &Outer<'_>, message: ndp::Message<'_>) -> Verdict {
        // RFC 6980: discovery messages do not come in pieces.
        if outer.shift != 0 {
            return refuse(Layer::Icmp, "a discovery message in fragments");
        }
        let Some(six) = &mut self.output.six else {
            unreachable!("a packet of version 6 was taken");
        };
        let received = host::Received {
            src: outer.src,
            dst: outer.dst,
            hop_limit: outer.hop_limit,
            message,
        };
        let verdict = six.receive(now, &received).map_err(refused(Layer::Icmp));
        self.tell_news();
        verdict
    }

    /// Tells the sender what is odd about its chain of headers, if it may be told.
    fn has_problem(
        &mut self,
        now: Instant,
        outer: &Outer<'_>,
        problem: Problem,
    ) -> super::input::Refusal {
        if let Some((code, pointer)) = problem.code_and_pointer {
            let outer = Outer {
                unicast: outer.unicast || problem.even_to_groups,
                ..*outer
            };
            self.parameter_problem(now, &outer, code, outer.shift + pointer);
        }
        refused(Layer::Ipv6)(problem.why)
    }

    fn parameter_problem(&mut self, now: Instant, outer: &Outer<'_>, code: u8, pointer: usize) {
        if outer.src.is_unspecified() {
            return;
        }
        let mut ends = outer.ends();
        if outer.dst.is_multicast() {
            // A group sends nothing: one of ours answers for it.
            let source = self.output.route(ends.src);
            let Ok((source, _)) = source else { return };
            ends.dst = source;
        }
        let kind = IcmpKind::V6(ipv6::icmp::parameter_problem(code, pointer));
        self.icmp.error(now, ends, kind, outer.quote);
    }
}
