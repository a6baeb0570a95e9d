//! smoltcp with a process on it, as the runner drives it.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;

use evilbit::packetdrill::environment::{Host, NoSuchSetting};
use evilbit::packetdrill::run::subject::{Layout, Making, Subject};
use evilbit::xen_abi::Instant;
use smoltcp::iface::{Config, Interface};
use smoltcp::time::Instant as Then;
use smoltcp::wire::{HardwareAddress, IpCidr};
use stack::event::TcpState;
use stack::posix::{Answer, Call, Outcome, Process};
use stack::profile::Profile;
use stack::tcp::Listed;
use thiserror::Error;

use crate::entry::Closing;
use crate::sockets::SmolSockets;
use crate::wire::Wire;

thread_local! {
    /// smoltcp asks a bare function for the value of its timestamps: simulated milliseconds, never a real clock's.
    static MILLISECONDS: Cell<u32> = const { Cell::new(0) };
}

fn timestamp() -> u32 {
    MILLISECONDS.get()
}

/// smoltcp's instants are microseconds.
fn then(now: Instant) -> Then {
    Then::from_micros((now.0 / 1000) as i64)
}

/// Why smoltcp cannot be made for a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoInterface {
    #[error("smoltcp has no room for the address or the route")]
    Full,
}

/// A smoltcp interface, its sockets, and a process that uses them.
pub struct Smoltcp {
    net: SmolSockets,
    wire: Wire,
    process: Process,
    /// What the settings say now.
    profile: Rc<Profile>,
}

impl Smoltcp {
    /// An interface that is up.
    pub fn new(making: Making<'_>) -> Result<Smoltcp, NoInterface> {
        let mut wire = Wire {
            mtu: making.config.mtu,
            received: Default::default(),
            sent: Default::default(),
        };
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = u64::from_le_bytes(*making.seed.first_chunk().expect("32 bytes"));
        let mut interface = Interface::new(config, &mut wire, then(making.now));
        let address = IpCidr::new(making.config.local.into(), making.config.prefix);
        let mut fits = true;
        interface.update_ip_addrs(|addresses| fits = addresses.push(address).is_ok());
        let routes = interface.routes_mut();
        fits &= match making.config.gateway {
            IpAddr::V4(gateway) => routes.add_default_ipv4_route(gateway).is_ok(),
            IpAddr::V6(gateway) => routes.add_default_ipv6_route(gateway).is_ok(),
        };
        if !fits {
            return Err(NoInterface::Full);
        }
        let mut net = SmolSockets::new(interface);
        obey(&mut net, &making.profile);
        Ok(Smoltcp {
            net,
            wire,
            process: Process::new(making.personality),
            profile: making.profile,
        })
    }
}

/// Takes from a profile what smoltcp has.
fn obey(net: &mut SmolSockets, profile: &Profile) {
    net.recv_buffer = profile.tcp.recv_buffer;
    net.recv_most = profile.tcp.buffers.recv_most;
    net.send_buffer = profile.tcp.send_buffer;
    net.timestamps = profile.tcp.timestamps.then_some(timestamp as fn() -> u32);
}

impl Subject for Smoltcp {
    fn receive(&mut self, _: Instant, packet: &[u8]) {
        self.wire.received.push_back(packet.to_vec());
    }

    fn run(&mut self, now: Instant, sent: &mut dyn FnMut(Vec<u8>)) {
        MILLISECONDS.set((now.0 / 1_000_000) as u32);
        let Smoltcp { net, wire, .. } = self;
        // In two steps, for smoltcp does not say why a connection is over: by what it received, or by the clock.
        while !wire.received.is_empty() {
            let interface = net.interface.get_mut();
            interface.poll_ingress_single(then(now), wire, &mut net.set);
            net.observe(Closing::ByPeer);
        }
        let interface = net.interface.get_mut();
        interface.poll(then(now), wire, &mut net.set);
        net.observe(Closing::ByClock);
        wire.sent.drain(..).for_each(sent);
    }

    fn poll_at(&self, now: Instant) -> Option<Instant> {
        if !self.wire.received.is_empty() {
            return Some(now);
        }
        let stack = self.net.poll_at(then(now));
        let stack = stack.map(|at| Instant(at.total_micros().max(0) as u64 * 1000));
        [stack, self.process.poll_at()].into_iter().flatten().min()
    }

    fn call(&mut self, now: Instant, call: &Call) -> Outcome {
        self.process.call(&mut self.net, now, call)
    }

    fn resume(&mut self, now: Instant) -> Option<Answer> {
        self.process.resume(&mut self.net, now)
    }

    fn end(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn host(&mut self) -> &mut dyn Host {
        self
    }

    fn layout(&self) -> Layout {
        Layout::AnyOrder
    }
}

impl Host for Smoltcp {
    /// A setting that leaves everything as it was is no wish, and few others smoltcp can fulfil.
    fn set_profile(&mut self, profile: Rc<Profile>) -> Result<(), NoSuchSetting> {
        let mut known = Profile::clone(&self.profile);
        known.tcp.recv_buffer = profile.tcp.recv_buffer;
        known.tcp.buffers.recv_most = profile.tcp.buffers.recv_most;
        known.tcp.send_buffer = profile.tcp.send_buffer;
        known.tcp.timestamps = profile.tcp.timestamps;
        // Profiles are compared by what they print: it is all that they hold.
        let told = format!("{known:?}") == format!("{profile:?}");
        obey(&mut self.net, &profile);
        self.profile = profile;
        told.then_some(()).ok_or(NoSuchSetting)
    }

    fn sockets(&self) -> Vec<Listed> {
        self.net.listed()
    }

    fn drop_connections(&mut self, state: TcpState) {
        self.net.abort_all(state);
    }

    /// smoltcp learns nothing of peers that outlives a connection.
    fn forget_peers(&mut self) {}
}
