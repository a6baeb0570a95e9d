//! Async TCP sockets: the non-blocking [`Sockets`](crate::api::Sockets), awaited.

use core::net::SocketAddr;

use super::handle::{Interest, Os};
use super::shared::TcpIp;
use crate::api::{How, Ready, SocketError, SocketId, SocketKind, SocketOption};

/// A socket that is closed when it is dropped.
struct Owned<S: TcpIp> {
    os: Os<S>,
    id: SocketId,
}

impl<S: TcpIp> Owned<S> {
    fn open(os: &Os<S>) -> Result<Owned<S>, SocketError> {
        let id = os.with_net(|_, net| net.socket(SocketKind::Stream))?;
        Ok(Owned { os: os.clone(), id })
    }
}

impl<S: TcpIp> Drop for Owned<S> {
    fn drop(&mut self) {
        self.os.forget(self.id);
        // EBADF only says that the socket was aborted before.
        let _ = self.os.with_net(|now, net| net.close(now, self.id));
    }
}

/// A listening socket; dropping it closes it.
pub struct TcpListener<S: TcpIp> {
    socket: Owned<S>,
}

impl<S: TcpIp> TcpListener<S> {
    /// Listens on `local`, and says so on the console.
    pub fn bind(os: &Os<S>, local: SocketAddr, backlog: usize) -> Result<Self, SocketError> {
        let socket = Owned::open(os)?;
        let bound = os.with_net(|_, net| {
            net.bind(socket.id, local)?;
            net.listen(socket.id, backlog)?;
            net.local_addr(socket.id)
        })?;
        os.announce_listening(bound);
        Ok(TcpListener { socket })
    }

    /// The next connection.
    pub async fn accept(&self) -> Result<(TcpStream<S>, SocketAddr), SocketError> {
        let Owned { os, id } = &self.socket;
        let (new, peer) = os
            .until_ready(*id, Interest::Read, |_, net| net.accept(*id))
            .await?;
        let socket = Owned {
            os: os.clone(),
            id: new,
        };
        Ok((TcpStream { socket }, peer))
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Result<SocketAddr, SocketError> {
        let Owned { os, id } = &self.socket;
        os.with_net(|_, net| net.local_addr(*id))
    }

    /// Stops listening; as dropping it.
    pub fn close(self) {}
}

/// A connection; dropping it closes it. One task may read while another writes.
pub struct TcpStream<S: TcpIp> {
    socket: Owned<S>,
}

impl<S: TcpIp> TcpStream<S> {
    /// Connects, and waits until the connection stands.
    pub async fn connect(os: &Os<S>, remote: SocketAddr) -> Result<Self, SocketError> {
        let stream = Self::start(os, None, remote)?;
        stream.connected().await?;
        Ok(stream)
    }

    /// As [`TcpStream::connect`], from an address of one's own.
    pub async fn connect_from(
        os: &Os<S>,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<Self, SocketError> {
        let stream = Self::start(os, Some(local), remote)?;
        stream.connected().await?;
        Ok(stream)
    }

    /// Starts a connect; [`TcpStream::connected`] waits for its end.
    pub fn start(
        os: &Os<S>,
        local: Option<SocketAddr>,
        remote: SocketAddr,
    ) -> Result<Self, SocketError> {
        Self::start_with(os, local, remote, &[])
    }

    /// The same, of a socket that has options before it connects.
    pub fn start_with(
        os: &Os<S>,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        options: &[SocketOption],
    ) -> Result<Self, SocketError> {
        let socket = Owned::open(os)?;
        os.with_net(|now, net| {
            for option in options {
                net.set_option(socket.id, *option)?;
            }
            if let Some(local) = local {
                net.bind(socket.id, local)?;
            }
            match net.connect(now, socket.id, remote) {
                Ok(()) | Err(SocketError::EINPROGRESS) => Ok(()),
                Err(error) => Err(error),
            }
        })?;
        Ok(TcpStream { socket })
    }

    /// Waits until a connect that was started is over.
    pub async fn connected(&self) -> Result<(), SocketError> {
        const OVER: Ready = Ready::WRITE.union(Ready::HANGUP).union(Ready::ERROR);
        let Owned { os, id } = &self.socket;
        os.until_ready(*id, Interest::Write, |_, net| {
            if !net.ready(*id).intersects(OVER) {
                return Err(SocketError::EAGAIN);
            }
            match net.take_error(*id) {
                Some(error) => Err(error),
                None => Ok(()),
            }
        })
        .await
    }

    /// What has arrived, at least a byte; 0 at the end of the stream.
    pub async fn read(&self, to: &mut [u8]) -> Result<usize, SocketError> {
        let Owned { os, id } = &self.socket;
        os.until_ready(*id, Interest::Read, |now, net| net.recv(now, *id, to))
            .await
    }

    /// Fills `to`. How many bytes there were is less only at the end of the stream.
    pub async fn read_exact(&self, to: &mut [u8]) -> Result<usize, SocketError> {
        let mut filled = 0;
        while filled < to.len() {
            match self.read(&mut to[filled..]).await? {
                0 => break,
                n => filled += n,
            }
        }
        Ok(filled)
    }

    /// Hands bytes to the send buffer: how many it took, at least one.
    pub async fn write(&self, data: &[u8]) -> Result<usize, SocketError> {
        let Owned { os, id } = &self.socket;
        os.until_ready(*id, Interest::Write, |now, net| net.send(now, *id, data))
            .await
    }

    /// Hands all of `data` to the send buffer.
    pub async fn write_all(&self, mut data: &[u8]) -> Result<(), SocketError> {
        while !data.is_empty() {
            let taken = self.write(data).await?;
            data = data.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// `shutdown(2)`
    pub fn shutdown(&self, how: How) -> Result<(), SocketError> {
        let Owned { os, id } = &self.socket;
        os.with_net(|now, net| net.shutdown(now, *id, how))
    }

    /// Says goodbye in the background; as dropping it.
    pub fn close(self) {}

    /// Sends a RST and forgets.
    pub fn abort(self) -> Result<(), SocketError> {
        let Owned { os, id } = &self.socket;
        os.with_net(|now, net| net.abort(now, *id))
    }

    /// `setsockopt(2)`
    pub fn set_option(&self, option: SocketOption) -> Result<(), SocketError> {
        let Owned { os, id } = &self.socket;
        os.with_net(|_, net| net.set_option(*id, option))
    }

    /// The other end.
    pub fn peer_addr(&self) -> Result<SocketAddr, SocketError> {
        let Owned { os, id } = &self.socket;
        os.with_net(|_, net| net.peer_addr(*id))
    }

    /// This end.
    pub fn local_addr(&self) -> Result<SocketAddr, SocketError> {
        let Owned { os, id } = &self.socket;
        os.with_net(|_, net| net.local_addr(*id))
    }

    /// The pending error, cleared by asking.
    pub fn take_error(&self) -> Option<SocketError> {
        let Owned { os, id } = &self.socket;
        os.with_net(|_, net| Ok(net.take_error(*id))).ok().flatten()
    }
}
