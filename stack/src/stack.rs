//! The stack: interface, neighbours, IP, ICMP, UDP and TCP put together, as the wire sees them.
//!
//! [`NetStack::receive`] takes a frame up as far as a socket, and never transmits; [`NetStack::transmit`] sends in a
//! fixed order: what waits from before, ICMP, UDP, TCP. What the device has no room for stays where it was promised.
//! Applications come in by [`sockets`].

mod sockets;

use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use xen_abi::{Fuel, Instant, Sink};

use crate::addr::{Cidr, IpAddress, Mac};
use crate::api::{Device, DeviceFull, NetStack};
use crate::event::{Event, Layer, TimerKinds};
use crate::net::icmp::{self, Ends, Icmp};
use crate::net::input;
use crate::net::interface::Interface;
use crate::net::output::{Outgoing, Output, TcpOutput};
use crate::net::reassembly::Reassembly;
use crate::net::routing::Routes;
use crate::net::udp::Udp;
use crate::profile::Profile;
use crate::tcp::{IpInfo, Tcp};
use crate::wire::ethernet::{EtherType, Frame};
use crate::wire::ipv4::{self, Packet, Protocol};
use crate::wire::{Malformed, arp, icmpv4, udp};

/// Rounds of packets to ourselves in one `transmit`: more wait for the next.
const LOOPBACK_ROUNDS: u32 = 64;

/// What a stack is made from.
pub struct StackConfig {
    pub mac: Mac,
    pub addresses: Vec<Cidr>,
    pub gateway: Option<IpAddress>,
    /// The largest IP packet, in bytes.
    pub mtu: usize,
    pub profile: Rc<Profile>,
    /// Where all its randomness comes from.
    pub seed: [u8; 32],
    pub fuel: Fuel,
    pub sink: Rc<dyn Sink>,
}

/// A TCP/IP stack on one interface.
pub struct Stack {
    profile: Rc<Profile>,
    fuel: Fuel,
    sink: Rc<dyn Sink>,
    output: Output,
    reassembly: Reassembly,
    icmp: Icmp,
    udp: Udp,
    tcp: Tcp,
}

/// Why a packet was refused, and where.
struct Refusal {
    layer: Layer,
    why: &'static str,
}

type Verdict = Result<(), Refusal>;

fn refuse(layer: Layer, why: &'static str) -> Verdict {
    Err(Refusal { layer, why })
}

fn refused(layer: Layer) -> impl Fn(&'static str) -> Refusal {
    move |why| Refusal { layer, why }
}

fn malformed(layer: Layer) -> impl Fn(Malformed) -> Refusal {
    move |malformed| Refusal {
        layer,
        why: malformed.why(),
    }
}

/// A packet for us, whole.
struct Received<'a> {
    src: Ipv4Addr,
    dst: Ipv4Addr,
    protocol: Protocol,
    ttl: u8,
    ecn: u8,
    /// It was sent to us alone.
    unicast: bool,
    /// The device vouches for the transport's checksum.
    csum_ok: bool,
    /// The packet's beginning, for an error about it.
    quote: &'a [u8],
    payload: &'a [u8],
}

impl Received<'_> {
    fn ends(&self) -> Ends {
        Ends {
            src: self.src,
            dst: self.dst,
            unicast: self.unicast,
        }
    }
}

impl Stack {
    /// A stack whose interface is up: it has announced its addresses with the first `transmit`.
    pub fn new(config: StackConfig) -> Stack {
        let net = &config.profile.net;
        let mut random = ChaCha8Rng::from_seed(config.seed);
        let mut seed = || {
            let mut seed = [0; 32];
            random.fill_bytes(&mut seed);
            seed
        };
        let (tcp_seed, udp_seed) = (seed(), seed());
        let ident = random.next_u32() as u16;
        let (interface, refused) = Interface::new(config.mac, config.mtu, &config.addresses);
        let gateway = match config.gateway {
            Some(IpAddress::V4(gateway)) => Some(gateway),
            _ => None,
        };
        let fuel = config.fuel;
        let mut stack = Stack {
            output: Output::new(interface, Routes { gateway }, net, ident),
            reassembly: Reassembly::new(net),
            icmp: Icmp::new(net),
            udp: Udp::new(net, udp_seed, fuel.clone()),
            tcp: Tcp::new(
                config.profile.clone(),
                tcp_seed,
                fuel.clone(),
                config.sink.clone(),
            ),
            profile: config.profile,
            fuel,
            sink: config.sink,
        };
        if !refused.is_empty() || config.gateway.is_some_and(|g| g.is_ipv6()) {
            stack.report(&Refusal {
                layer: Layer::Ethernet,
                why: "no IPv6",
            });
        }
        stack.emit(&stack.output.interface.up());
        stack.output.announce();
        stack
    }

    fn emit(&self, event: &Event) {
        let mut bytes = Vec::new();
        event.encode(&mut bytes);
        self.sink.emit(&bytes);
    }

    fn report(&self, refusal: &Refusal) {
        self.emit(&Event::Refused {
            layer: refusal.layer,
            why: refusal.why.to_string(),
        });
    }

    // A frame's way up.

    fn receive_frame(&mut self, now: Instant, bytes: &[u8], csum_ok: bool) -> Verdict {
        let frame = Frame::parse(bytes).map_err(malformed(Layer::Ethernet))?;
        let group = frame.dst().is_multicast();
        if !group && frame.dst() != self.output.interface.mac {
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
            EtherType::IPV6 => refuse(Layer::Ethernet, "no IPv6"),
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
            .receive(now, packet, &self.fuel)
            .map_err(refused(Layer::Ipv4))?;
        let Some(whole) = whole else { return Ok(()) };
        self.deliver(
            now,
            &Received {
                src: whole.src,
                dst: whole.dst,
                protocol: whole.protocol,
                ttl: whole.ttl,
                ecn: whole.ecn,
                unicast,
                csum_ok: false,
                quote: &whole.quote,
                payload: &whole.payload,
            },
        )
    }

    fn deliver(&mut self, now: Instant, packet: &Received<'_>) -> Verdict {
        match packet.protocol {
            Protocol::TCP if !packet.unicast => refuse(Layer::Tcp, "a segment for many"),
            Protocol::TCP => {
                let info = IpInfo {
                    src: packet.src.into(),
                    dst: packet.dst.into(),
                    ecn: packet.ecn,
                    ttl: packet.ttl,
                };
                self.tcp.receive(now, &info, packet.payload, packet.csum_ok);
                Ok(())
            }
            Protocol::UDP => self.deliver_udp(now, packet),
            Protocol::ICMP => self.deliver_icmp(now, packet),
            _ => {
                let kind = icmp::PROTOCOL_UNREACHABLE;
                self.icmp.error(now, packet.ends(), kind, packet.quote);
                refuse(Layer::Ipv4, "unknown protocol")
            }
        }
    }

    fn deliver_udp(&mut self, now: Instant, packet: &Received<'_>) -> Verdict {
        let pseudo = udp::Pseudo {
            src: packet.src,
            dst: packet.dst,
        };
        let datagram = udp::Datagram::parse(packet.payload, pseudo, packet.csum_ok)
            .map_err(malformed(Layer::Udp))?;
        let from = (packet.src, datagram.src_port()).into();
        let to = (packet.dst, datagram.dst_port()).into();
        let taken = self
            .udp
            .receive(from, to, datagram.payload())
            .map_err(refused(Layer::Udp))?;
        if taken {
            return Ok(());
        }
        let kind = icmp::PORT_UNREACHABLE;
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
        if let Some(report) = report {
            if !self.output.interface.is_ours(report.local.ip()) {
                return refuse(layer, "an error about a packet that was not ours");
            }
            self.dispatch(now, &report);
        }
        Ok(())
    }

    /// Tells a transport what became of a packet of its.
    fn dispatch(&mut self, now: Instant, report: &icmp::Report) {
        let &icmp::Report {
            protocol,
            local,
            remote,
            seq,
            error,
        } = report;
        match protocol {
            Protocol::TCP => self.tcp.icmp_error(now, local, remote, seq, error),
            Protocol::UDP => self.udp.icmp_error(local, remote, error),
            _ => {}
        }
    }

    // Timers.

    fn tick(&mut self, now: Instant) {
        let Output {
            neighbours,
            interface,
            ..
        } = &mut self.output;
        neighbours.tick(now, interface, &self.fuel);
        while let Some(parked) = self.output.neighbours.next_failed() {
            self.fuel.burn(1);
            let report = Packet::parse(&parked.packet)
                .ok()
                .and_then(|p| icmp::report(&p, crate::tcp::IcmpError::HostUnreachable).ok());
            if let Some(report) = report {
                self.dispatch(now, &report);
            }
        }
        while let Some(expired) = self.reassembly.next_expired(now) {
            self.fuel.burn(1);
            if !expired.quote.is_empty() {
                let ends = Ends {
                    src: expired.src,
                    dst: expired.dst,
                    unicast: true,
                };
                let kind = icmp::REASSEMBLY_TIMEOUT;
                self.icmp.error(now, ends, kind, &expired.quote);
            }
        }
    }

    // The way down.

    fn send_all(&mut self, now: Instant, device: &mut dyn Device) -> Result<(), DeviceFull> {
        let tx_checksum = device.caps().tx_checksum;
        for _ in 0..LOOPBACK_ROUNDS {
            self.output.flush(now, device)?;
            self.send_icmp(now, device)?;
            self.send_udp(now, device, tx_checksum)?;
            let mut output = TcpOutput {
                output: &mut self.output,
                device,
                tx_checksum,
            };
            self.tcp.transmit(now, &mut output);
            // What was sent just now may have asked for a neighbour.
            self.output.flush(now, device)?;
            if !self.receive_loopback(now) {
                break;
            }
        }
        Ok(())
    }

    fn send_icmp(&mut self, now: Instant, device: &mut dyn Device) -> Result<(), DeviceFull> {
        while let Some(posted) = self.icmp.next() {
            self.fuel.burn(1);
            let repr = icmpv4::Repr {
                kind: posted.kind,
                payload: &posted.payload,
            };
            let packet = Outgoing {
                src: posted.src,
                dst: posted.dst,
                protocol: Protocol::ICMP,
                ttl: self.profile.net.ttl,
                ecn: 0,
                dont_fragment: false,
                len: repr.size(),
                needs_csum: false,
            };
            self.output.send(now, device, &packet, &mut |to| {
                repr.emit(to);
            })?;
            self.icmp.sent();
        }
        Ok(())
    }

    fn send_udp(
        &mut self,
        now: Instant,
        device: &mut dyn Device,
        tx_checksum: bool,
    ) -> Result<(), DeviceFull> {
        while let Some(posted) = self.udp.next() {
            self.fuel.burn(1);
            let (IpAddress::V4(src), IpAddress::V4(dst)) = (posted.src.ip(), posted.dst.ip())
            else {
                unreachable!("no socket is bound or connected to an address of version 6");
            };
            let repr = udp::Repr {
                src_port: posted.src.port(),
                dst_port: posted.dst.port(),
                payload: &posted.payload,
            };
            let fits = ipv4::HEADER + repr.size() <= self.output.interface.mtu;
            let packet = Outgoing {
                src,
                dst,
                protocol: Protocol::UDP,
                ttl: self.profile.net.ttl,
                ecn: 0,
                dont_fragment: false,
                len: repr.size(),
                needs_csum: tx_checksum && fits,
            };
            let pseudo = udp::Pseudo { src, dst };
            self.output.send(now, device, &packet, &mut |to| {
                repr.emit(to, pseudo, packet.needs_csum);
            })?;
            self.udp.sent();
        }
        Ok(())
    }

    /// Takes the packets that we sent to ourselves; whether there were any.
    fn receive_loopback(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(bytes) = self.output.next_loopback() {
            self.fuel.burn(1);
            any = true;
            let verdict = match Packet::parse(&bytes) {
                Ok(packet) => self.deliver(now, &whole(&packet, true, true)),
                Err(why) => Err(malformed(Layer::Ipv4)(why)),
            };
            if let Err(refusal) = verdict {
                self.report(&refusal);
            }
        }
        any
    }

    fn has_output(&self) -> bool {
        self.output.has_output() || self.icmp.next().is_some() || self.udp.next().is_some()
    }
}

fn whole<'a>(packet: &Packet<'a>, unicast: bool, csum_ok: bool) -> Received<'a> {
    Received {
        src: packet.src(),
        dst: packet.dst(),
        protocol: packet.protocol(),
        ttl: packet.ttl(),
        ecn: packet.ecn(),
        unicast,
        csum_ok,
        quote: packet.bytes(),
        payload: packet.payload(),
    }
}

impl NetStack for Stack {
    fn receive(&mut self, now: Instant, frame: &[u8], csum_ok: bool) {
        // Each byte may be summed and copied once: that is the loop that this pays for.
        self.fuel.burn(1 + frame.len() as u64 / 64);
        if let Err(refusal) = self.receive_frame(now, frame, csum_ok) {
            self.report(&refusal);
        }
    }

    fn transmit(&mut self, now: Instant, device: &mut dyn Device) {
        self.tick(now);
        // A full device is no error: what it did not take is still queued, and `poll_at` says so.
        let _ = self.send_all(now, device);
    }

    fn poll_at(&self, now: Instant) -> Option<Instant> {
        if self.has_output() {
            return Some(now);
        }
        [
            self.output.neighbours.poll_at(),
            self.reassembly.poll_at(),
            self.tcp.poll_at(now),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn timers(&self) -> u8 {
        let mut kinds = self.output.neighbours.timers() | self.tcp.timers();
        if self.reassembly.poll_at().is_some() {
            kinds |= TimerKinds::FINISH;
        }
        kinds.bits()
    }
}
