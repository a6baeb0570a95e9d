//! Async UDP sockets.

use core::net::SocketAddr;

use super::handle::{Interest, Os};
use super::shared::TcpIp;
use crate::api::{SocketError, SocketId, SocketKind};

/// A UDP socket; dropping it closes it.
pub struct UdpSocket<S: TcpIp> {
    os: Os<S>,
    id: SocketId,
}

impl<S: TcpIp> UdpSocket<S> {
    /// Binds to `local`; port 0 picks one.
    pub fn bind(os: &Os<S>, local: SocketAddr) -> Result<Self, SocketError> {
        let id = os.with_net(|_, net| net.socket(SocketKind::Datagram))?;
        let socket = UdpSocket { os: os.clone(), id };
        os.with_net(|_, net| net.bind(id, local))?;
        Ok(socket)
    }

    /// Sends one datagram.
    pub async fn send_to(&self, data: &[u8], to: SocketAddr) -> Result<usize, SocketError> {
        self.os
            .until_ready(self.id, Interest::Write, |now, net| {
                net.send_to(now, self.id, data, to)
            })
            .await
    }

    /// Receives one datagram; a longer one is cut.
    pub async fn recv_from(&self, to: &mut [u8]) -> Result<(usize, SocketAddr), SocketError> {
        self.os
            .until_ready(self.id, Interest::Read, |now, net| {
                net.recv_from(now, self.id, to)
            })
            .await
    }

    /// This end.
    pub fn local_addr(&self) -> Result<SocketAddr, SocketError> {
        self.os.with_net(|_, net| net.local_addr(self.id))
    }
}

impl<S: TcpIp> Drop for UdpSocket<S> {
    fn drop(&mut self) {
        self.os.forget(self.id);
        // EBADF only says that the stack forgot it first.
        let _ = self.os.with_net(|now, net| net.close(now, self.id));
    }
}
