//! A stack as the races see it: ours and smoltcp behind the same few calls, on the same devices.

use std::rc::Rc;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::socket::tcp;
use smoltcp::time::Instant as Then;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr};
use stack::addr::{Cidr, Mac};
use stack::api::{Device, NetStack, SocketError, SocketId, SocketKind, Sockets};
use stack::dev::raw::{RawDevice, deliver};
use stack::profile::Profile;
use stack::stack::{Stack, StackConfig};
use xen_abi::{Fuel, Instant, NoSink};

/// The port that is listened on.
pub const PORT: u16 = 7;

/// One end of the cable, at 10.0.0.`last`.
pub trait Host {
    type Socket: Copy;
    /// `buffer`: bytes of each socket's buffers.
    fn new(last: u8, buffer: usize) -> Self;
    /// Waits for connections on [`PORT`].
    fn listen(&mut self);
    fn accept(&mut self) -> Option<Self::Socket>;
    fn connect(&mut self, now: Instant, last: u8) -> Self::Socket;
    /// How many bytes were taken.
    fn send(&mut self, now: Instant, socket: Self::Socket, data: &[u8]) -> usize;
    /// How many bytes were given.
    fn recv(&mut self, now: Instant, socket: Self::Socket, to: &mut [u8]) -> usize;
    /// Receives what is there and sends what is due.
    fn poll(&mut self, now: Instant, rx: &mut RawDevice, tx: &mut RawDevice);
}

/// Our stack.
pub struct Ours {
    stack: Stack,
    listener: Option<SocketId>,
}

/// Nothing to take or to give is no error here.
fn or_none(result: Result<usize, SocketError>) -> usize {
    match result {
        Ok(bytes) => bytes,
        Err(SocketError::EAGAIN | SocketError::ENOTCONN) => 0,
        Err(why) => panic!("{why}"),
    }
}

impl Host for Ours {
    type Socket = SocketId;

    fn new(last: u8, buffer: usize) -> Ours {
        let mut profile = Profile::default();
        // As smoltcp has it: no timestamps, so that a segment carries 1460 bytes.
        profile.tcp.timestamps = false;
        profile.tcp.send_buffer = buffer;
        profile.tcp.recv_buffer = buffer;
        let stack = Stack::new(StackConfig {
            mac: Mac([2, 0, 0, 0, 0, last]),
            addresses: Cidr::parse(&format!("10.0.0.{last}/24"))
                .into_iter()
                .collect(),
            gateways: Vec::new(),
            mtu: 1500,
            profile: Rc::new(profile),
            seed: [last; 32],
            fuel: Fuel::unlimited(),
            sink: Rc::new(NoSink),
        });
        Ours {
            stack,
            listener: None,
        }
    }
    fn listen(&mut self) {
        let listener = self.stack.socket(SocketKind::Stream).expect("a socket");
        let local = ([0, 0, 0, 0], PORT).into();
        self.stack.bind(listener, local).expect("a free port");
        self.stack.listen(listener, 16).expect("a backlog");
        self.listener = Some(listener);
    }
    fn accept(&mut self) -> Option<SocketId> {
        let (socket, _) = self.stack.accept(self.listener?).ok()?;
        Some(socket)
    }
    fn connect(&mut self, now: Instant, last: u8) -> SocketId {
        let socket = self.stack.socket(SocketKind::Stream).expect("a socket");
        let started = self
            .stack
            .connect(now, socket, ([10, 0, 0, last], PORT).into());
        assert_eq!(started, Err(SocketError::EINPROGRESS));
        socket
    }
    fn send(&mut self, now: Instant, socket: SocketId, data: &[u8]) -> usize {
        or_none(self.stack.send(now, socket, data))
    }
    fn recv(&mut self, now: Instant, socket: SocketId, to: &mut [u8]) -> usize {
        or_none(self.stack.recv(now, socket, to))
    }
    fn poll(&mut self, now: Instant, rx: &mut RawDevice, tx: &mut RawDevice) {
        deliver(now, rx, &mut self.stack);
        self.stack.transmit(now, tx);
        // An application would look only at these.
        while self.stack.next_ready().is_some() {}
    }
}

/// smoltcp.
pub struct Theirs {
    interface: Interface,
    sockets: SocketSet<'static>,
    buffer: usize,
    listener: Option<SocketHandle>,
    next_port: u16,
}

/// Two raw devices as smoltcp's one.
struct Phy<'a> {
    rx: &'a mut RawDevice,
    tx: &'a mut RawDevice,
}

struct RxToken<'a>(&'a mut RawDevice);
struct TxToken<'a>(&'a mut RawDevice);

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        self.0.take(|frame, _| f(frame)).expect("a frame is there")
    }
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let (mut f, mut result) = (Some(f), None);
        let sent = self.0.transmit(len, false, &mut |frame| {
            result = f.take().map(|f| f(frame));
        });
        assert_eq!(sent, Ok(()), "a token is given only when there is room");
        result.expect("a frame is filled once")
    }
}

impl phy::Device for Phy<'_> {
    type RxToken<'a>
        = RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = TxToken<'a>
    where
        Self: 'a;
    fn capabilities(&self) -> DeviceCapabilities {
        let mut caps = DeviceCapabilities::default();
        caps.medium = Medium::Ethernet;
        caps.max_transmission_unit = 1514;
        caps
    }
    fn receive(&mut self, _: Then) -> Option<(RxToken<'_>, TxToken<'_>)> {
        let ready = !self.rx.is_empty() && self.tx.has_room();
        ready.then_some((RxToken(self.rx), TxToken(self.tx)))
    }
    fn transmit(&mut self, _: Then) -> Option<TxToken<'_>> {
        self.tx.has_room().then_some(TxToken(self.tx))
    }
}

impl Theirs {
    fn socket(&mut self) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; self.buffer]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(true);
        self.sockets.add(socket)
    }
    fn get(&mut self, socket: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(socket)
    }
}

impl Host for Theirs {
    type Socket = SocketHandle;

    fn new(last: u8, buffer: usize) -> Theirs {
        let mac = EthernetAddress([2, 0, 0, 0, 0, last]);
        let config = Config::new(HardwareAddress::Ethernet(mac));
        let (mut rx, mut tx) = (super::pair::device(last), super::pair::device(last));
        let mut device = Phy {
            rx: &mut rx,
            tx: &mut tx,
        };
        let mut interface = Interface::new(config, &mut device, Then::ZERO);
        interface.update_ip_addrs(|addresses| {
            let address = IpCidr::new(IpAddress::v4(10, 0, 0, last), 24);
            addresses.push(address).expect("room for one address");
        });
        Theirs {
            interface,
            sockets: SocketSet::new(Vec::new()),
            buffer,
            listener: None,
            next_port: 1024,
        }
    }
    fn listen(&mut self) {
        let listener = self.socket();
        self.get(listener).listen(PORT).expect("a port");
        self.listener = Some(listener);
    }
    fn accept(&mut self) -> Option<SocketHandle> {
        let listener = self.listener?;
        if self.get(listener).state() != tcp::State::Established {
            return None;
        }
        self.listen();
        Some(listener)
    }
    fn connect(&mut self, _: Instant, last: u8) -> SocketHandle {
        let socket = self.socket();
        self.next_port += 1;
        self.sockets
            .get_mut::<tcp::Socket>(socket)
            .connect(
                self.interface.context(),
                (IpAddress::v4(10, 0, 0, last), PORT),
                self.next_port,
            )
            .expect("a route");
        socket
    }
    fn send(&mut self, _: Instant, socket: SocketHandle, data: &[u8]) -> usize {
        let socket = self.get(socket);
        if !socket.can_send() {
            return 0;
        }
        socket.send_slice(data).expect("it stands")
    }
    fn recv(&mut self, _: Instant, socket: SocketHandle, to: &mut [u8]) -> usize {
        let socket = self.get(socket);
        if !socket.can_recv() {
            return 0;
        }
        socket.recv_slice(to).expect("it stands")
    }
    fn poll(&mut self, now: Instant, rx: &mut RawDevice, tx: &mut RawDevice) {
        let then = Then::from_micros((now.0 / 1000) as i64);
        self.interface
            .poll(then, &mut Phy { rx, tx }, &mut self.sockets);
    }
}
