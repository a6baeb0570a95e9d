//! The stack: interface, neighbours, IP, ICMP, UDP and TCP put together, as the wire sees them.
//!
//! [`NetStack::receive`] takes a frame up as far as a socket (`input`, and `input_v6`), and never
//! transmits; [`NetStack::transmit`] sends in a fixed order: what waits from before, ICMP, UDP, TCP (`output`). What the
//! device has no room for stays where it was promised. Applications come in by `sockets`, administrators by `administration`.
//! This file makes a stack and keeps its deadlines.

mod administration;
mod input;
mod input_v6;
mod output;
mod sockets;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use xen_abi::{Fuel, Instant, Sink};

use self::input::Refusal;
use crate::addr::{Cidr, IpAddress, Mac};
use crate::api::{Device, NetStack};
use crate::event::{Event, TimerKinds};
use crate::net::icmp::{self, Ends, Icmp, IcmpKind};
use crate::net::interface::Interface;
use crate::net::ipv6::{self, Host};
use crate::net::output::Output;
use crate::net::reassembly::Reassembly;
use crate::net::routing::Routes;
use crate::net::udp::Udp;
use crate::profile::Profile;
use crate::tcp::{IcmpError, Tcp};
use crate::wire;
use crate::wire::ipv4::Packet;

/// What a stack is made from.
pub struct StackConfig {
    pub mac: Mac,
    /// Of both versions. One of version 6 brings a link-local address with it, and `fe80::/64` itself asks for
    /// autoconfiguration.
    pub addresses: Vec<Cidr>,
    /// Default routers, the first of each version counts.
    pub gateways: Vec<IpAddress>,
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
        let interface = Interface::new(config.mac, config.mtu, &config.addresses);
        let gateway = config.gateways.iter().find_map(|gateway| match gateway {
            IpAddress::V4(gateway) => Some(*gateway),
            IpAddress::V6(_) => None,
        });
        let six = version_6(&config, &mut random);
        let fuel = config.fuel;
        let mut stack = Stack {
            output: Output::new(interface, Routes { gateway }, six, net, ident),
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
        stack.emit(&stack.output.up());
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

    fn tick(&mut self, now: Instant) {
        let Output {
            neighbours,
            interface,
            ..
        } = &mut self.output;
        neighbours.tick(now, interface, &self.fuel);
        self.output.paths.expire(now);
        while let Some(parked) = self.output.neighbours.next_failed() {
            self.fuel.burn(1);
            let report = Packet::parse(&parked.packet)
                .ok()
                .and_then(|p| icmp::report(&p, IcmpError::HostUnreachable).ok());
            if let Some(report) = report {
                self.dispatch(now, &report);
            }
        }
        self.tick_v6(now);
        while let Some(expired) = self.reassembly.next_expired(now) {
            self.fuel.burn(1);
            if !expired.quote.is_empty() {
                let ends = Ends {
                    src: expired.src,
                    dst: expired.dst,
                    unicast: true,
                };
                let kind = match expired.src {
                    IpAddress::V4(_) => IcmpKind::V4(icmp::REASSEMBLY_TIMEOUT),
                    IpAddress::V6(_) => IcmpKind::V6(ipv6::icmp::REASSEMBLY_TIMEOUT),
                };
                self.icmp.error(now, ends, kind, &expired.quote);
            }
        }
    }

    /// Version 6's part of [`Stack::tick`].
    fn tick_v6(&mut self, now: Instant) {
        let Some(six) = &mut self.output.six else {
            return;
        };
        six.tick(now, &self.fuel);
        self.tell_news();
        while let Some(parked) = self.output.six.as_mut().and_then(|six| six.next_failed()) {
            self.fuel.burn(1);
            let report = wire::ipv6::Packet::parse(&parked.packet)
                .ok()
                .and_then(|p| ipv6::icmp::report(&p, IcmpError::HostUnreachable, &self.fuel).ok());
            if let Some(report) = report {
                self.dispatch(now, &report);
            }
        }
    }

    /// Reports what became of addresses and routers.
    fn tell_news(&mut self) {
        let news = self.output.six.as_mut().map(|six| six.take_news());
        for event in news.unwrap_or_default() {
            self.emit(&event);
        }
    }

    fn has_output(&self) -> bool {
        self.output.has_output() || self.icmp.next().is_some() || self.udp.next().is_some()
    }
}

impl Stack {
    /// Does what is due. Apart, so that the look before costs no more than the look.
    #[inline(never)]
    fn work(&mut self, now: Instant, device: &mut dyn Device) {
        self.tick(now);
        // A full device is no error: what it did not take is still queued, and `poll_at` says so.
        let _ = self.send_all(now, device);
    }

    /// Whether a `transmit` would find anything to do.
    #[inline]
    fn is_due(&self, now: Instant) -> bool {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        due(self.tcp.poll_at(now))
            || self.has_output()
            || due(self.output.neighbours.poll_at())
            || due(self.reassembly.poll_at())
            || due(self.output.six.as_ref().and_then(|six| six.poll_at()))
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
        // Most turns find nothing due, and cost no more than this look.
        if self.is_due(now) {
            self.work(now, device);
        }
    }

    fn poll_at(&self, now: Instant) -> Option<Instant> {
        if self.has_output() {
            return Some(now);
        }
        [
            self.output.neighbours.poll_at(),
            self.output.six.as_ref().and_then(|six| six.poll_at()),
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
        if let Some(six) = &self.output.six {
            kinds |= six.timers();
        }
        kinds.bits()
    }

    fn is_up(&self) -> bool {
        self.output.six.as_ref().is_none_or(|six| six.is_up())
    }
}

/// Version 6, if the configuration names an address or a router of it.
fn version_6(config: &StackConfig, random: &mut ChaCha8Rng) -> Option<Box<Host>> {
    let addresses: Vec<(Ipv6Addr, u8)> = config
        .addresses
        .iter()
        .filter_map(|cidr| match cidr.address {
            IpAddress::V6(ip) => Some((ip, cidr.prefix.min(128))),
            IpAddress::V4(_) => None,
        })
        .collect();
    let gateways: Vec<Ipv6Addr> = config
        .gateways
        .iter()
        .filter_map(|gateway| match gateway {
            IpAddress::V6(ip) => Some(*ip),
            IpAddress::V4(_) => None,
        })
        .collect();
    if addresses.is_empty() && gateways.is_empty() {
        return None;
    }
    let mut seed = [0; 32];
    random.fill_bytes(&mut seed);
    let net = &config.profile.net;
    let host = Host::new(net, config.mac, config.mtu, &addresses, &gateways, seed);
    Some(Box::new(host))
}
