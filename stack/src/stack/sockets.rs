//! The stack as applications see it: each call goes to TCP or UDP by one bit of the handle.

use core::net::SocketAddr;

use xen_abi::Instant;

use super::Stack;
use crate::addr::IpAddress;
use crate::api::{
    Echo, EchoReply, How, OptionName, Queued, Ready, Received, RecvFlags, Report, SendFlags,
    SocketError, SocketId, SocketKind, SocketOption, Sockets, TcpInfo, WideSockets,
};
use crate::net::icmp::{IcmpKind, Posted};
use crate::net::interface::Scope;
use crate::net::output::Output;
use crate::net::udp::{MAX_PAYLOAD, UDP_BIT};
use crate::tcp::Route;
use crate::wire::{icmpv4, icmpv6};

fn is_udp(socket: SocketId) -> bool {
    socket.0 & UDP_BIT != 0
}

/// Where a socket may be bound: to one of our addresses or to all of them.
fn check_local(output: &Output, local: SocketAddr) -> Result<(), SocketError> {
    match local.ip() {
        IpAddress::V6(_) if output.six.is_none() => Err(SocketError::EAFNOSUPPORT),
        ip if ip.is_unspecified() || output.is_ours(ip) => Ok(()),
        _ => Err(SocketError::EADDRNOTAVAIL),
    }
}

/// Without version 6's flow information and scope: a socket's name is an address and a port.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port())
}

impl Stack {
    /// The way to a stream's peer, which is one host.
    fn route_of_stream(&self, remote: SocketAddr) -> Result<Route, SocketError> {
        let (local, mtu) = self.output.route(remote.ip())?;
        if let IpAddress::V4(ip) = remote.ip()
            && !matches!(
                self.output.interface.scope(ip),
                Scope::Unicast | Scope::Local
            )
        {
            return Err(SocketError::ENETUNREACH);
        }
        if remote.ip().is_multicast() {
            return Err(SocketError::ENETUNREACH);
        }
        Ok(Route {
            local,
            mtu,
            path_mtu: self.output.path_mtu(remote.ip()),
            metrics: self.output.metrics.of(remote.ip()),
        })
    }
}

impl Sockets for Stack {
    fn socket(&mut self, kind: SocketKind) -> Result<SocketId, SocketError> {
        match kind {
            SocketKind::Stream => {
                let socket = self.tcp.socket()?;
                assert!(!is_udp(socket), "bit 31 of a handle says UDP");
                Ok(socket)
            }
            SocketKind::Datagram => self.udp.socket(),
        }
    }

    fn bind(&mut self, socket: SocketId, local: SocketAddr) -> Result<(), SocketError> {
        let local = plain(local);
        let free = self.option(socket, OptionName::FreeBind);
        if free != Ok(SocketOption::FreeBind(true)) {
            check_local(&self.output, local)?;
        }
        if is_udp(socket) {
            return self.udp.bind(socket, local, self.output.addresses());
        }
        self.tcp.bind(socket, local)
    }

    fn listen(&mut self, socket: SocketId, backlog: usize) -> Result<(), SocketError> {
        if is_udp(socket) {
            return Err(SocketError::EOPNOTSUPP);
        }
        self.tcp.listen(socket, backlog)
    }

    fn accept(&mut self, socket: SocketId) -> Result<(SocketId, SocketAddr), SocketError> {
        if is_udp(socket) {
            return Err(SocketError::EOPNOTSUPP);
        }
        self.tcp.accept(socket)
    }

    fn connect(
        &mut self,
        now: Instant,
        socket: SocketId,
        remote: SocketAddr,
    ) -> Result<(), SocketError> {
        let remote = plain(remote);
        if is_udp(socket) {
            self.output.route(remote.ip())?;
            return self.udp.connect(socket, remote);
        }
        let route = self.route_of_stream(remote)?;
        self.tcp.connect(now, socket, remote, route)
    }

    fn send(&mut self, now: Instant, socket: SocketId, data: &[u8]) -> Result<usize, SocketError> {
        if is_udp(socket) {
            let peer = self.udp.peer(socket)?;
            return self.send_to(now, socket, data, peer);
        }
        self.tcp.send(now, socket, data)
    }

    fn recv(
        &mut self,
        now: Instant,
        socket: SocketId,
        to: &mut [u8],
    ) -> Result<usize, SocketError> {
        if is_udp(socket) {
            return self.udp.recv_from(socket, to).map(|(len, _)| len);
        }
        self.tcp.recv(now, socket, to)
    }

    fn send_to(
        &mut self,
        _now: Instant,
        socket: SocketId,
        data: &[u8],
        to: SocketAddr,
    ) -> Result<usize, SocketError> {
        if !is_udp(socket) {
            return Err(SocketError::EOPNOTSUPP);
        }
        let to = plain(to);
        let (source, _) = self.output.route(to.ip())?;
        let ours = self.output.addresses();
        self.udp.send_to(socket, data, to, source, ours)
    }

    fn recv_from(
        &mut self,
        _now: Instant,
        socket: SocketId,
        to: &mut [u8],
    ) -> Result<(usize, SocketAddr), SocketError> {
        if !is_udp(socket) {
            return Err(SocketError::EOPNOTSUPP);
        }
        self.udp.recv_from(socket, to)
    }

    fn shutdown(&mut self, now: Instant, socket: SocketId, how: How) -> Result<(), SocketError> {
        if is_udp(socket) {
            return self.udp.shutdown(socket, how);
        }
        self.tcp.shutdown(now, socket, how)
    }

    fn close(&mut self, now: Instant, socket: SocketId) -> Result<(), SocketError> {
        if is_udp(socket) {
            return self.udp.close(socket);
        }
        self.tcp.close(now, socket)
    }

    fn abort(&mut self, now: Instant, socket: SocketId) -> Result<(), SocketError> {
        if is_udp(socket) {
            return self.udp.close(socket);
        }
        self.tcp.abort(now, socket)
    }

    fn set_option(&mut self, socket: SocketId, option: SocketOption) -> Result<(), SocketError> {
        if is_udp(socket) {
            return self.udp.set_option(socket, option);
        }
        self.tcp.set_option(socket, option)
    }

    fn local_addr(&self, socket: SocketId) -> Result<SocketAddr, SocketError> {
        if is_udp(socket) {
            return self.udp.local_addr(socket);
        }
        self.tcp.local_addr(socket)
    }

    fn peer_addr(&self, socket: SocketId) -> Result<SocketAddr, SocketError> {
        if is_udp(socket) {
            return self.udp.peer_addr(socket);
        }
        self.tcp.peer_addr(socket)
    }

    fn take_error(&mut self, socket: SocketId) -> Option<SocketError> {
        if is_udp(socket) {
            return self.udp.take_error(socket);
        }
        self.tcp.take_error(socket)
    }

    fn ready(&self, socket: SocketId) -> Ready {
        if is_udp(socket) {
            return self.udp.ready(socket);
        }
        self.tcp.ready(socket)
    }

    fn next_ready(&mut self) -> Option<SocketId> {
        self.tcp.next_ready().or_else(|| self.udp.next_ready())
    }
}

impl WideSockets for Stack {
    fn recv_message(
        &mut self,
        now: Instant,
        socket: SocketId,
        to: &mut [u8],
        flags: RecvFlags,
    ) -> Result<Received, SocketError> {
        if is_udp(socket) {
            return self.udp.recv_message(socket, to, flags);
        }
        let len = self.tcp.recv_with(now, socket, to, flags)?;
        Ok(Received {
            len,
            whole: len,
            from: None,
        })
    }

    fn send_message(
        &mut self,
        now: Instant,
        socket: SocketId,
        data: &[u8],
        flags: SendFlags,
    ) -> Result<usize, SocketError> {
        if is_udp(socket) {
            return self.send(now, socket, data);
        }
        self.tcp.send_with(now, socket, data, flags)
    }

    fn connect_sending(
        &mut self,
        now: Instant,
        socket: SocketId,
        remote: SocketAddr,
        data: &[u8],
        flags: SendFlags,
    ) -> Result<usize, SocketError> {
        if is_udp(socket) {
            return Err(SocketError::EOPNOTSUPP);
        }
        let remote = plain(remote);
        let route = self.route_of_stream(remote)?;
        self.tcp
            .connect_sending_with(now, socket, remote, route, data, flags)
    }

    fn option(&self, socket: SocketId, name: OptionName) -> Result<SocketOption, SocketError> {
        if is_udp(socket) {
            return self.udp.option(socket, name);
        }
        self.tcp.option(socket, name)
    }

    fn next_report(&mut self, socket: SocketId) -> Option<Report> {
        if is_udp(socket) {
            return None;
        }
        self.tcp.next_report(socket)
    }

    fn next_news(&mut self) -> Option<(SocketId, Ready)> {
        let streams = self.tcp.next_news();
        streams.or_else(|| Some((self.udp.next_ready()?, Ready::all())))
    }

    fn tcp_info(&self, now: Instant, socket: SocketId) -> Result<TcpInfo, SocketError> {
        if is_udp(socket) {
            return Err(SocketError::ENOPROTOOPT);
        }
        self.tcp.info(now, socket)
    }

    fn queued(&self, socket: SocketId) -> Result<Queued, SocketError> {
        if is_udp(socket) {
            return self.udp.queued(socket);
        }
        self.tcp.queued(socket)
    }
}

impl Echo for Stack {
    fn ping(
        &mut self,
        _now: Instant,
        to: IpAddress,
        ident: u16,
        seq: u16,
        payload: &[u8],
    ) -> Result<(), SocketError> {
        let (src, _) = self.output.route(to)?;
        if payload.len() > MAX_PAYLOAD {
            return Err(SocketError::EMSGSIZE);
        }
        let queued = self.icmp.post(Posted {
            src,
            dst: to,
            kind: match to {
                IpAddress::V4(_) => IcmpKind::V4(icmpv4::Kind::EchoRequest { ident, seq }),
                IpAddress::V6(_) => IcmpKind::V6(icmpv6::Kind::EchoRequest { ident, seq }),
            },
            payload: payload.to_vec(),
        });
        if queued {
            Ok(())
        } else {
            Err(SocketError::ENOBUFS)
        }
    }

    fn next_echo_reply(&mut self) -> Option<EchoReply> {
        self.icmp.next_reply()
    }
}
