//! The echo service, RFC 862: what comes goes back.

use futures_util::future::try_join;

use super::service::{port, serve_tcp, serve_udp, until_stopped};
use crate::api::SocketError;
use crate::os::{Os, TcpIp, TcpStream};

/// RFC 862's port.
const PORT: u16 = 7;
/// How much is read at once.
const CHUNK: usize = 4096;

/// The application.
pub async fn main<S: TcpIp>(os: Os<S>) {
    let port = port(&os, PORT);
    let tcp = serve_tcp(&os, port, connection);
    let udp = serve_udp(&os, port, |datagram, _| Some(datagram.to_vec()));
    until_stopped(&os, async { try_join(tcp, udp).await.map(drop) }).await;
}

async fn connection<S: TcpIp>(_os: Os<S>, stream: TcpStream<S>) -> Result<(), SocketError> {
    let mut bytes = alloc::vec![0; CHUNK];
    loop {
        match stream.read(&mut bytes).await? {
            0 => return Ok(()),
            len => stream.write_all(&bytes[..len]).await?,
        }
    }
}
