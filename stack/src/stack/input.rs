//! A frame's way up: each step checks one header and hands on what it carries, or says why it refuses.

use xen_abi::Instant;

use super::Stack;
use crate::addr::IpAddress;
use crate::event::Layer;
use crate::net::icmp::{self, Ends, IcmpKind};
use crate::net::input;
use crate::net::ipv6;
use crate::net::output::Output;
use crate::net::reassembly::Fragment;
use crate::tcp::{IcmpError, IpInfo};
use crate::wire::ethernet::{EtherType, Frame};
use crate::wire::ipv4::{Packet, Protocol};
use crate::wire::{Malformed, arp, icmpv4, udp};

/// Why a packet was refused, and where.
pub(super) struct Refusal {
    pub layer: Layer,
    pub why: &'static str,
}

pub(super) type Verdict = Result<(), Refusal>;

pub(super) fn refuse(layer: Layer, why: &'static str) -> Verdict {
    Err(Refusal { layer, why })
}

pub(super) fn refused(layer: Layer) -> impl Fn(&'static str) -> Refusal {
    move |why| Refusal { layer, why }
}

pub(super) fn malformed(layer: Layer) -> impl Fn(Malformed) -> Refusal {
    move |malformed| Refusal {
        layer,
        why: malformed.why(),
    }
}

/// A packet for us, whole, of either version.
pub(super) struct Received<'a> {
    /// What its header says; handed on as it is, since a copy would wait for what was just written.
    pub ip: IpInfo,
    pub protocol: Protocol,
    /// It was sent to us alone.
    pub unicast: bool,
    /// The device vouches for the transport's checksum.
    pub csum_ok: bool,
    /// The packet's beginning, for an error about it.
    pub quote: &'a [u8],
    pub payload: &'a [u8],
}

impl Received<'_> {
    pub fn ends(&self) -> Ends {
        Ends {
            src: self.ip.src,
            dst: self.ip.dst,
            unicast: self.unicast,
        }
    }
}

impl Stack {
    pub(super) fn receive_frame(&mut self, now: Instant, bytes: &[u8], csum_ok: bool) -> Verdict {
        let frame = Frame::parse(bytes).map_err(malformed(Layer::Ethernet))?;
        let group = frame.dst().is_multicast();
        let others = if group {
            ipv6::input::is_for_others(self.output.six.as_deref(), frame.dst(), &frame)
        } else {
            frame.dst() != self.output.interface.mac
        };
        if others {
            // A bridge floods what it does not know; a network card's filter takes no note of it either.
            return Ok(());
        }
        if frame.src().is_multicast() {
            return refuse(Layer::Ethernet, "the source is a group");
        }
        match frame.ethertype() {
            EtherType::IPV4 => self.receive_ipv4(now, frame.payload(), group, csum_ok),
            EtherType::ARP => {
                let packet = arp::Packet::parse(frame.payload()).map_err(malformed(Layer::Arp))?;
                let Output {
                    neighbours,
                    interface,
                    ..
                } = &mut self.output;
                neighbours
                    .receive(now, interface, &packet)
                    .map_err(refused(Layer::Arp))
            }
            EtherType::IPV6 => self.receive_ipv6(now, frame.payload(), group, csum_ok),
            _ => refuse(Layer::Ethernet, "unknown EtherType"),
        }
    }

    fn receive_ipv4(&mut self, now: Instant, bytes: &[u8], group: bool, csum_ok: bool) -> Verdict {
        let layer = Layer::Ipv4;
        let packet = Packet::parse(bytes).map_err(malformed(layer))?;
        let unicast = input::check(&self.output.interface, &packet, group, &self.fuel)
            .map_err(refused(layer))?;
        if packet.is_fragment() {
            return self.receive_fragment(now, &packet, unicast);
        }
        self.deliver(now, &whole(&packet, unicast, csum_ok))
    }

    fn receive_fragment(&mut self, now: Instant, packet: &Packet<'_>, unicast: bool) -> Verdict {
        if !unicast {
            return refuse(Layer::Ipv4, "a fragment for many");
        }
        let whole = self
            .reassembly
            .receive(now, &Fragment::of(packet), &self.fuel)
            .map_err(refused(Layer::Ipv4))?;
        let Some(whole) = whole else { return Ok(()) };
        self.deliver(
            now,
            &Received {
                ip: IpInfo {
                    src: whole.src,
                    dst: whole.dst,
                    ecn: whole.ecn,
                    ttl: whole.ttl,
                    udp_port: 0,
                },
                protocol: whole.protocol,
                unicast,
                csum_ok: false,
                quote: &whole.quote,
                payload: &whole.payload,
            },
        )
    }

    fn deliver(&mut self, now: Instant, packet: &Received<'_>) -> Verdict {
        match packet.protocol {
            Protocol::TCP => self.deliver_tcp(now, packet),
            Protocol::UDP => self.deliver_udp(now, packet),
            Protocol::ICMP => self.deliver_icmp(now, packet),
            _ => {
                let kind = IcmpKind::V4(icmp::PROTOCOL_UNREACHABLE);
                self.icmp.error(now, packet.ends(), kind, packet.quote);
                refuse(Layer::Ipv4, "unknown protocol")
            }
        }
    }

    pub(super) fn deliver_tcp(&mut self, now: Instant, packet: &Received<'_>) -> Verdict {
        if !packet.unicast {
            return refuse(Layer::Tcp, "a segment for many");
        }
        self.tcp
            .receive(now, &packet.ip, packet.payload, packet.csum_ok);
        Ok(())
    }

    pub(super) fn deliver_udp(&mut self, now: Instant, packet: &Received<'_>) -> Verdict {
        let pseudo = udp::Pseudo {
            src: packet.ip.src,
            dst: packet.ip.dst,
        };
        let datagram = udp::Datagram::parse(packet.payload, pseudo, packet.csum_ok)
            .map_err(malformed(Layer::Udp))?;
        let tunnel = self.profile.tcp.udp_tunnel.port;
        if tunnel != 0 && datagram.dst_port() == tunnel && packet.unicast {
            let info = IpInfo {
                udp_port: datagram.src_port(),
                ..packet.ip
            };
            // The datagram's checksum has covered it.
            self.tcp.receive(now, &info, datagram.payload(), true);
            return Ok(());
        }
        let from = (packet.ip.src, datagram.src_port()).into();
        let to = (packet.ip.dst, datagram.dst_port()).into();
        let taken = self
            .udp
            .receive(from, to, datagram.payload())
            .map_err(refused(Layer::Udp))?;
        if taken {
            return Ok(());
        }
        let kind = match packet.ip.src {
            IpAddress::V4(_) => IcmpKind::V4(icmp::PORT_UNREACHABLE),
            IpAddress::V6(_) => IcmpKind::V6(ipv6::icmp::PORT_UNREACHABLE),
        };
        self.icmp.error(now, packet.ends(), kind, packet.quote);
        refuse(Layer::Udp, "nobody waits on the port")
    }

    fn deliver_icmp(&mut self, now: Instant, packet: &Received<'_>) -> Verdict {
        let layer = Layer::Icmp;
        let message = icmpv4::Message::parse(packet.payload).map_err(malformed(layer))?;
        let report = self
            .icmp
            .receive(now, packet.ends(), &message)
            .map_err(refused(layer))?;
        match report {
            Some(report) => self.take_report(now, &report),
            None => Ok(()),
        }
    }

    /// Takes what an ICMP error says about a packet that it quotes.
    pub(super) fn take_report(&mut self, now: Instant, report: &icmp::Report) -> Verdict {
        if !self.output.is_ours(report.local.ip()) {
            return refuse(Layer::Icmp, "an error about a packet that was not ours");
        }
        self.dispatch(now, report);
        Ok(())
    }

    /// Tells a transport what became of a packet of its.
    pub(super) fn dispatch(&mut self, now: Instant, report: &icmp::Report) {
        let &icmp::Report {
            protocol,
            local,
            remote,
            seq,
            error,
            inside,
        } = report;
        let tunnel = self.profile.tcp.udp_tunnel.port;
        if matches!(error, IcmpError::PacketTooBig { .. })
            && self.output.metrics.is_locked(remote.ip())
        {
            return;
        }
        match (protocol, inside) {
            (Protocol::TCP, _) => {
                let believed = self.tcp.icmp_error(now, local, remote, seq, 0, error);
                self.believe_path(now, remote.ip(), believed);
            }
            (Protocol::UDP, Some(inner)) if tunnel != 0 && local.port() == tunnel => {
                let (from, to) = (
                    (local.ip(), inner.local_port).into(),
                    (remote.ip(), inner.remote_port).into(),
                );
                let (seq, port) = (inner.seq, remote.port());
                let believed = self.tcp.icmp_error(now, from, to, seq, port, error);
                self.believe_path(now, remote.ip(), believed);
            }
            (Protocol::UDP, _) => self.udp.icmp_error(local, remote, error),
            _ => {}
        }
        if let IcmpError::PacketTooBig { mtu } = error
            && protocol != Protocol::TCP
            && remote.is_ipv6()
        {
            // Datagrams go in pieces of that length from now on (RFC 8201, section 5.2).
            self.lower_path_mtu(now, remote.ip(), mtu);
        }
    }

    fn lower_path_mtu(&mut self, now: Instant, remote: IpAddress, mtu: u16) {
        let profile = &self.profile.tcp.icmp;
        let until = now.plus(profile.path_lifetime);
        let paths = &mut self.output.paths;
        paths.lower(remote, usize::from(mtu), until, profile.paths);
    }

    /// Only what TCP believes about a path is remembered: anybody can send such a message (RFC 5927).
    fn believe_path(&mut self, now: Instant, remote: IpAddress, mtu: Option<u16>) {
        if let Some(mtu) = mtu {
            self.lower_path_mtu(now, remote, mtu);
        }
    }

    /// Takes the packets that we sent to ourselves; whether there were any.
    pub(super) fn receive_loopback(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(bytes) = self.output.next_loopback() {
            self.fuel.burn(1);
            any = true;
            let verdict = match Packet::parse(&bytes) {
                Ok(packet) => self.deliver(now, &whole(&packet, true, true)),
                Err(Malformed::Version) => self.receive_ipv6_loopback(now, &bytes),
                Err(why) => Err(malformed(Layer::Ipv4)(why)),
            };
            if let Err(refusal) = verdict {
                self.report(&refusal);
            }
        }
        any
    }
}

fn whole<'a>(packet: &Packet<'a>, unicast: bool, csum_ok: bool) -> Received<'a> {
    Received {
        ip: IpInfo {
            src: packet.src().into(),
            dst: packet.dst().into(),
            ecn: packet.ecn(),
            ttl: packet.ttl(),
            udp_port: 0,
        },
        protocol: packet.protocol(),
        unicast,
        csum_ok,
        quote: packet.bytes(),
        payload: packet.payload(),
    }
}
