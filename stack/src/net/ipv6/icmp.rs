//! ICMPv6 on a host: echo, errors sent and understood (RFC 4443). Queues, purse and replies are those of version 4.

use xen_abi::Instant;

use crate::api::EchoReply;
use crate::net::icmp::{Ends, Icmp, IcmpKind, Inside, Report};
use crate::tcp::IcmpError;
use crate::wire::icmpv6::{Kind, Message, TimeExceeded, Unreachable};
use crate::wire::ipv6::{self, MIN_MTU, Packet};
use crate::wire::ipv6_extension::{UNKNOWN_NEXT_HEADER, walk};
use xen_abi::Fuel;

/// An error and its quotation make a packet that every link takes: RFC 4443, section 2.4 (c).
pub const QUOTE: usize = MIN_MTU - ipv6::HEADER - crate::wire::icmpv6::HEADER;

/// The error for fragments that did not become a packet in time.
pub const REASSEMBLY_TIMEOUT: Kind = Kind::TimeExceeded(TimeExceeded::Reassembly);
/// The error for a datagram that nobody waits for.
pub const PORT_UNREACHABLE: Kind = Kind::Unreachable(Unreachable::Port);

impl Icmp {
    /// Takes a message that is no discovery message; gives what an error says about a packet of ours. `Err` says why it
    /// was refused.
    pub fn receive_v6(
        &mut self,
        now: Instant,
        ends: Ends,
        message: &Message<'_>,
        fuel: &Fuel,
    ) -> Result<Option<Report>, &'static str> {
        let payload = message.payload();
        let error = match message.kind() {
            // RFC 4443, section 4.2: to a group it may be answered; we don't, as with version 4.
            Kind::EchoRequest { .. } if !ends.unicast => return Err("echo request to a group"),
            Kind::EchoRequest { ident, seq } => {
                let kind = IcmpKind::V6(Kind::EchoReply { ident, seq });
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
            Kind::Unreachable(Unreachable::NoRoute) => IcmpError::NetUnreachable,
            Kind::Unreachable(Unreachable::Port) => IcmpError::PortUnreachable,
            // RFC 4443, 3.1: prohibited, against the policy of the source's network, a route that rejects.
            Kind::Unreachable(Unreachable::Other(1 | 5 | 6)) => IcmpError::Prohibited,
            Kind::Unreachable(Unreachable::Address | Unreachable::Other(_)) => {
                IcmpError::HostUnreachable
            }
            // RFC 8201, section 4: less than every link takes is no honest answer.
            Kind::PacketTooBig { mtu } if mtu < MIN_MTU as u32 => {
                return Err("no link is so small");
            }
            Kind::PacketTooBig { mtu } => IcmpError::PacketTooBig {
                mtu: u16::try_from(mtu).unwrap_or(u16::MAX),
            },
            Kind::TimeExceeded(_) => IcmpError::TimeExceeded,
            Kind::ParameterProblem { code, .. } if code == UNKNOWN_NEXT_HEADER => {
                IcmpError::ProtocolUnreachable
            }
            Kind::ParameterProblem { .. } => IcmpError::ParameterProblem,
            Kind::Other { .. } => return Err("unknown type"),
        };
        let quoted = Packet::parse_quoted(payload).map_err(|_| "bad quotation")?;
        report(&quoted, error, fuel).map(Some)
    }
}

/// What an error says about the packet that it quotes, which must have been ours: its source is our end.
pub fn report(quoted: &Packet<'_>, error: IcmpError, fuel: &Fuel) -> Result<Report, &'static str> {
    let named_at = 6;
    let mut upper = walk(
        quoted.bytes(),
        quoted.next_header(),
        named_at,
        ipv6::HEADER,
        true,
        fuel,
    )
    .map_err(|problem| problem.why)?;
    if let Some(fragment) = upper.fragment {
        if fragment.offset != 0 {
            return Err("a quotation without ports");
        }
        upper.protocol = fragment.next_header;
    }
    let behind = quoted.bytes().get(upper.at..).unwrap_or(&[]);
    let Some(&[a, b, c, d, e, f, g, h]) = behind.first_chunk() else {
        return Err("bad quotation");
    };
    Ok(Report {
        protocol: upper.protocol,
        local: (quoted.src(), u16::from_be_bytes([a, b])).into(),
        remote: (quoted.dst(), u16::from_be_bytes([c, d])).into(),
        seq: u32::from_be_bytes([e, f, g, h]),
        error,
        inside: Inside::of(upper.protocol, behind),
    })
}

/// The error for a protocol that we do not speak, named at `pointer`.
pub fn unknown_next_header(pointer: usize) -> Kind {
    parameter_problem(UNKNOWN_NEXT_HEADER, pointer)
}

/// The error for a packet that is odd at `pointer`.
pub fn parameter_problem(code: u8, pointer: usize) -> Kind {
    let pointer = u32::try_from(pointer).unwrap_or(u32::MAX);
    Kind::ParameterProblem { code, pointer }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;
    use core::net::Ipv6Addr;

    use super::*;
    use crate::net::profile::NetProfile;
    use crate::wire::icmpv6::{Pseudo, Repr};
    use crate::wire::ipv4::Protocol;

    const US: Ipv6Addr = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 2);
    const THEM: Ipv6Addr = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 9);

    fn receive(
        icmp: &mut Icmp,
        kind: Kind,
        payload: &[u8],
    ) -> Result<Option<Report>, &'static str> {
        let repr = Repr { kind, payload };
        let pseudo = Pseudo { src: THEM, dst: US };
        let mut bytes = vec![0; repr.size()];
        repr.emit(&mut bytes, pseudo);
        let ends = Ends {
            src: THEM.into(),
            dst: US.into(),
            unicast: true,
        };
        let message = Message::parse(&bytes, pseudo).unwrap();
        icmp.receive_v6(Instant(1), ends, &message, &Fuel::unlimited())
    }

    /// The beginning of a segment of ours in a fragment, port 80 to their 4000, sequence number 7.
    fn quote(offset: usize) -> Vec<u8> {
        let header = ipv6::Repr {
            src: US,
            dst: THEM,
            next_header: Protocol::FRAGMENT,
            hop_limit: 64,
            traffic_class: 0,
            flow_label: 0,
            payload_len: 16,
        };
        let fragment = crate::wire::ipv6_extension::Fragment {
            next_header: Protocol::TCP,
            offset,
            more: true,
            ident: 1,
        };
        let mut bytes = vec![0; ipv6::HEADER + 16];
        fragment
            .emit(header.emit(&mut bytes))
            .copy_from_slice(&[0, 80, 0x0F, 0xA0, 0, 0, 0, 7]);
        bytes
    }

    #[test]
    fn an_echo_request_is_answered() {
        let mut icmp = Icmp::new(&NetProfile::default());
        let ask = Kind::EchoRequest { ident: 5, seq: 6 };
        assert_eq!(receive(&mut icmp, ask, b"data"), Ok(None));
        let answer = icmp.next().expect("an answer");
        assert_eq!(
            answer.kind,
            IcmpKind::V6(Kind::EchoReply { ident: 5, seq: 6 })
        );
        assert_eq!((answer.src, answer.dst), (US.into(), THEM.into()));
    }

    #[test]
    fn an_error_names_the_connection_that_it_is_about() {
        let mut icmp = Icmp::new(&NetProfile::default());
        let kind = Kind::PacketTooBig { mtu: 1300 };
        let report = receive(&mut icmp, kind, &quote(0)).unwrap().unwrap();
        assert_eq!(report.error, IcmpError::PacketTooBig { mtu: 1300 });
        assert_eq!(report.local, (US, 80).into());
        assert_eq!(report.remote, (THEM, 4000).into());
        assert_eq!((report.protocol, report.seq), (Protocol::TCP, 7));
        for len in 0..quote(0).len() {
            assert!(receive(&mut icmp, kind, &quote(0)[..len]).is_err());
        }
        assert!(receive(&mut icmp, kind, &quote(8)).is_err());
        let small = Kind::PacketTooBig { mtu: 1279 };
        assert_eq!(
            receive(&mut icmp, small, &quote(0)),
            Err("no link is so small")
        );
    }
}
