//! The character generator, RFC 864: lines of 72 printable characters, each line beginning one character further; for
//! ever on a TCP connection, and once, up to 512 characters, for each UDP datagram.

use alloc::vec::Vec;
use core::pin::pin;

use futures_util::future::{Either, select, try_join};

use super::service::{port, serve_tcp, serve_udp, until_stopped};
use crate::api::SocketError;
use crate::os::{Os, TcpIp, TcpStream};

/// RFC 864's port.
const PORT: u16 = 19;
/// Characters in a line, without its CR LF.
const LINE: usize = 72;
/// The printable characters of ASCII, the space included.
const PRINTABLE: usize = 95;
/// Most characters in a datagram.
const DATAGRAM: usize = 512;

/// The application.
pub async fn main<S: TcpIp>(os: Os<S>) {
    let port = port(&os, PORT);
    let tcp = serve_tcp(&os, port, connection);
    let udp = serve_udp(&os, port, |_, _| Some(datagram()));
    until_stopped(&os, async { try_join(tcp, udp).await.map(drop) }).await;
}

/// Writes until the peer closes. What the peer sends is thrown away.
async fn connection<S: TcpIp>(_os: Os<S>, stream: TcpStream<S>) -> Result<(), SocketError> {
    let write = async {
        for n in (0..PRINTABLE).cycle() {
            stream.write_all(&line(n)).await?;
        }
        Ok(())
    };
    let read = async {
        let mut bytes = [0; 512];
        while stream.read(&mut bytes).await? > 0 {}
        Ok(())
    };
    match select(pin!(write), pin!(read)).await {
        Either::Left((ended, _)) | Either::Right((ended, _)) => ended,
    }
}

/// The line that begins with the `n`th printable character.
fn line(n: usize) -> Vec<u8> {
    let mut line: Vec<u8> = (n..n + LINE)
        .map(|c| b' ' + (c % PRINTABLE) as u8)
        .collect();
    line.extend_from_slice(b"\r\n");
    line
}

fn datagram() -> Vec<u8> {
    let mut text: Vec<u8> = (0..PRINTABLE).flat_map(line).take(DATAGRAM).collect();
    text.truncate(DATAGRAM / (LINE + 2) * (LINE + 2));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_wraps_from_tilde_to_space() {
        let line = line(94);
        assert_eq!(&line[..3], b"~ !");
        assert_eq!(line.len(), 74);
        assert!(line.ends_with(b"\r\n"));
    }

    #[test]
    fn a_datagram_is_whole_lines_within_512_characters() {
        let text = datagram();
        assert_eq!(text.len(), 444);
        assert_eq!(&text[74..76], b"!\"");
    }
}
