//! smoltcp at the other end of a cable.

use std::collections::VecDeque;

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant as Then;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr};
use stack::api::NetStack;
use stack::dev::raw::RawDevice;
use xen_abi::Instant;

/// A device of two queues.
pub struct Queues {
    pub rx: VecDeque<Vec<u8>>,
    pub tx: VecDeque<Vec<u8>>,
}

pub struct Rx(Vec<u8>);
pub struct Tx<'a>(&'a mut VecDeque<Vec<u8>>);

impl phy::RxToken for Rx {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl phy::TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.push_back(frame);
        result
    }
}

impl Device for Queues {
    type RxToken<'a> = Rx;
    type TxToken<'a> = Tx<'a>;
    fn capabilities(&self) -> DeviceCapabilities {
        let mut caps = DeviceCapabilities::default();
        caps.medium = Medium::Ethernet;
        caps.max_transmission_unit = 1514;
        caps
    }
    fn receive(&mut self, _: Then) -> Option<(Rx, Tx<'_>)> {
        let frame = self.rx.pop_front()?;
        Some((Rx(frame), Tx(&mut self.tx)))
    }
    fn transmit(&mut self, _: Then) -> Option<Tx<'_>> {
        Some(Tx(&mut self.tx))
    }
}

/// A smoltcp interface at 10.0.0.`last`/24 with its sockets.
pub struct Peer {
    pub interface: Interface,
    pub device: Queues,
    pub sockets: SocketSet<'static>,
}

impl Peer {
    pub fn at(last: u8) -> Peer {
        Peer::on(IpCidr::new(IpAddress::v4(10, 0, 0, last), 24), last)
    }

    /// A smoltcp interface at 2001:db8::`last`/64.
    pub fn at_v6(last: u8) -> Peer {
        let address = IpAddress::v6(0x2001, 0xDB8, 0, 0, 0, 0, 0, last.into());
        Peer::on(IpCidr::new(address, 64), last)
    }

    fn on(address: IpCidr, last: u8) -> Peer {
        let mut device = Queues {
            rx: VecDeque::new(),
            tx: VecDeque::new(),
        };
        let mac = EthernetAddress([2, 0, 0, 0, 0, last]);
        let mut config = Config::new(HardwareAddress::Ethernet(mac));
        config.random_seed = 7;
        let mut interface = Interface::new(config, &mut device, Then::ZERO);
        interface.update_ip_addrs(|addresses| {
            addresses.push(address).expect("room for one address");
        });
        Peer {
            interface,
            device,
            sockets: SocketSet::new(Vec::new()),
        }
    }

    /// One turn: our stack sends, the peer receives and sends, our stack receives. Whether a frame went over.
    pub fn exchange(
        &mut self,
        now: Instant,
        ours: &mut impl NetStack,
        wire: &mut RawDevice,
    ) -> bool {
        ours.transmit(now, wire);
        let rx = &mut self.device.rx;
        while wire.take(|frame, _| rx.push_back(frame.to_vec())).is_some() {}
        let mut any = !self.device.rx.is_empty();
        let then = Then::from_micros((now.0 / 1000) as i64);
        self.interface
            .poll(then, &mut self.device, &mut self.sockets);
        while let Some(frame) = self.device.tx.pop_front() {
            any = true;
            ours.receive(now, &frame, false);
        }
        any
    }
}
