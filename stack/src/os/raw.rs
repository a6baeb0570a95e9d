//! [`FramePort`]: the stack of an application that is its own stack. It queues frames both ways and knows no sockets;
//! its one [`SocketId`] becomes ready when a frame has come.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use xen_abi::Instant;

use super::handle::{Interest, Os};
use super::kernel::StackConfig;
use crate::addr::{IpAddress, Mac};
use crate::api::{
    Device, Echo, EchoReply, How, NetStack, Ready, SocketError, SocketId, SocketKind, SocketOption,
    Sockets,
};

/// Frames that may wait in either direction; more are dropped and counted.
const BACKLOG: usize = 1024;
/// What is ready when a frame has come.
const FRAMES: SocketId = SocketId(0);

/// Whole Ethernet frames in and out.
pub struct FramePort {
    mac: Mac,
    inbox: VecDeque<Vec<u8>>,
    outbox: VecDeque<Vec<u8>>,
    news: bool,
    dropped: u64,
}

impl FramePort {
    /// A port on an interface that is up, with nothing in it.
    pub fn new(config: StackConfig) -> FramePort {
        let mut bytes = Vec::new();
        config.interface.up().encode(&mut bytes);
        config.sink.emit(&bytes);
        FramePort {
            mac: config.interface.mac,
            inbox: VecDeque::new(),
            outbox: VecDeque::new(),
            news: false,
            dropped: 0,
        }
    }

    /// The interface's address.
    pub fn mac(&self) -> Mac {
        self.mac
    }

    /// Sends a frame at the end of this run. Checksums must be filled in.
    pub fn send_frame(&mut self, frame: Vec<u8>) {
        match self.outbox.len() < BACKLOG {
            true => self.outbox.push_back(frame),
            false => self.dropped += 1,
        }
    }

    /// The next frame that came.
    pub fn take_frame(&mut self) -> Option<Vec<u8>> {
        self.inbox.pop_front()
    }

    /// Frames dropped because too many waited.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Os<FramePort> {
    /// Sends a frame at the end of this run.
    pub fn send_frame(&self, frame: Vec<u8>) -> Result<(), SocketError> {
        self.with_net(|_, port| {
            port.send_frame(frame);
            Ok(())
        })
    }

    /// The next frame.
    pub async fn recv_frame(&self) -> Result<Vec<u8>, SocketError> {
        self.until_ready(FRAMES, Interest::Read, |_, port| {
            port.take_frame().ok_or(SocketError::EAGAIN)
        })
        .await
    }
}

impl NetStack for FramePort {
    fn receive(&mut self, _now: Instant, frame: &[u8], _csum_ok: bool) {
        if self.inbox.len() == BACKLOG {
            self.dropped += 1;
            return;
        }
        self.inbox.push_back(frame.to_vec());
        self.news = true;
    }

    fn transmit(&mut self, _now: Instant, device: &mut dyn Device) {
        while let Some(frame) = self.outbox.front() {
            let sent = device.transmit(frame.len(), false, &mut |to| to.copy_from_slice(frame));
            if sent.is_err() {
                break;
            }
            self.outbox.pop_front();
        }
    }

    fn poll_at(&self, now: Instant) -> Option<Instant> {
        (!self.outbox.is_empty()).then_some(now)
    }

    fn timers(&self) -> u8 {
        0
    }
}

/// There are no sockets: every call is refused.
impl Sockets for FramePort {
    fn socket(&mut self, _kind: SocketKind) -> Result<SocketId, SocketError> {
        Err(SocketError::EOPNOTSUPP)
    }
    fn bind(&mut self, _socket: SocketId, _local: SocketAddr) -> Result<(), SocketError> {
        Err(SocketError::EBADF)
    }
    fn listen(&mut self, _socket: SocketId, _backlog: usize) -> Result<(), SocketError> {
        Err(SocketError::EBADF)
    }
    fn accept(&mut self, _socket: SocketId) -> Result<(SocketId, SocketAddr), SocketError> {
        Err(SocketError::EBADF)
    }
    fn connect(
        &mut self,
        _now: Instant,
        _socket: SocketId,
        _remote: SocketAddr,
    ) -> Result<(), SocketError> {
        Err(SocketError::EBADF)
    }
    fn send(
        &mut self,
        _now: Instant,
        _socket: SocketId,
        _data: &[u8],
    ) -> Result<usize, SocketError> {
        Err(SocketError::EBADF)
    }
    fn recv(
        &mut self,
        _now: Instant,
        _socket: SocketId,
        _to: &mut [u8],
    ) -> Result<usize, SocketError> {
        Err(SocketError::EBADF)
    }
    fn send_to(
        &mut self,
        _now: Instant,
        _socket: SocketId,
        _data: &[u8],
        _to: SocketAddr,
    ) -> Result<usize, SocketError> {
        Err(SocketError::EBADF)
    }
    fn recv_from(
        &mut self,
        _now: Instant,
        _socket: SocketId,
        _to: &mut [u8],
    ) -> Result<(usize, SocketAddr), SocketError> {
        Err(SocketError::EBADF)
    }
    fn shutdown(&mut self, _now: Instant, _socket: SocketId, _how: How) -> Result<(), SocketError> {
        Err(SocketError::EBADF)
    }
    fn close(&mut self, _now: Instant, _socket: SocketId) -> Result<(), SocketError> {
        Err(SocketError::EBADF)
    }
    fn abort(&mut self, _now: Instant, _socket: SocketId) -> Result<(), SocketError> {
        Err(SocketError::EBADF)
    }
    fn set_option(&mut self, _socket: SocketId, _option: SocketOption) -> Result<(), SocketError> {
        Err(SocketError::EBADF)
    }
    fn local_addr(&self, _socket: SocketId) -> Result<SocketAddr, SocketError> {
        Err(SocketError::EBADF)
    }
    fn peer_addr(&self, _socket: SocketId) -> Result<SocketAddr, SocketError> {
        Err(SocketError::EBADF)
    }
    fn take_error(&mut self, _socket: SocketId) -> Option<SocketError> {
        None
    }
    fn ready(&self, _socket: SocketId) -> Ready {
        Ready::empty()
    }
    fn next_ready(&mut self) -> Option<SocketId> {
        core::mem::take(&mut self.news).then_some(FRAMES)
    }
}

impl Echo for FramePort {
    fn ping(
        &mut self,
        _now: Instant,
        _to: IpAddress,
        _ident: u16,
        _seq: u16,
        _payload: &[u8],
    ) -> Result<(), SocketError> {
        Err(SocketError::EOPNOTSUPP)
    }
    fn next_echo_reply(&mut self) -> Option<EchoReply> {
        None
    }
}
