//! What the small services have in common: a port, a task a connection, an end when the kernel stops.

use core::future::Future;
use core::net::SocketAddr;
use core::pin::pin;

use futures_util::future::select;

use crate::api::SocketError;
use crate::os::{Os, TcpIp, TcpListener, TcpStream, UdpSocket};

/// Connections that may wait to be accepted.
const BACKLOG: usize = 128;
/// The longest UDP payload.
pub const LARGEST_DATAGRAM: usize = 65_507;

/// The port of the command line's `port=`, or the service's own.
pub fn port<S: TcpIp>(os: &Os<S>, well_known: u16) -> u16 {
    os.arg_or("port", well_known)
}

/// Runs a server until it fails, which the console tells, or the kernel stops.
pub async fn until_stopped<S: TcpIp>(
    os: &Os<S>,
    server: impl Future<Output = Result<(), SocketError>>,
) {
    let server = async {
        if let Err(error) = server.await {
            os.print(&alloc::format!("{}: {error}", os.app()));
        }
    };
    select(pin!(server), os.stopping()).await;
}

/// Accepts connections on `port`, each in its own task. A connection that fails ends alone.
pub async fn serve_tcp<S: TcpIp, F>(
    os: &Os<S>,
    port: u16,
    serve: impl Fn(Os<S>, TcpStream<S>) -> F,
) -> Result<(), SocketError>
where
    F: Future<Output = Result<(), SocketError>> + 'static,
{
    let listener = TcpListener::bind(os, os.any(port), BACKLOG)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = serve(os.clone(), stream);
                let stopping = os.stopping();
                os.spawn(async move {
                    // How a connection ended is its peer's news, not the service's.
                    select(pin!(connection), stopping).await;
                });
            }
            // The peer was faster than we: there is nothing to serve.
            Err(SocketError::ECONNABORTED) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Answers datagrams on `port`, until the socket fails.
pub async fn serve_udp<S: TcpIp>(
    os: &Os<S>,
    port: u16,
    mut answer: impl FnMut(&[u8], SocketAddr) -> Option<alloc::vec::Vec<u8>>,
) -> Result<(), SocketError> {
    let socket = UdpSocket::bind(os, os.any(port))?;
    let mut datagram = alloc::vec![0; LARGEST_DATAGRAM];
    loop {
        let (len, from) = socket.recv_from(&mut datagram).await?;
        let Some(reply) = answer(&datagram[..len], from) else {
            continue;
        };
        // A datagram that cannot be sent is lost, as any datagram may be.
        let _ = socket.send_to(&reply, from).await;
    }
}
