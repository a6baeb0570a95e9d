//! The files that exist: settings below `/proc/sys` and `/sys`, the lists of TCP sockets, and nothing.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::{Environment, Failure, Host};
use stack::event::TcpState;
use stack::tcp::Listed;

/// Where Linux shows its settings as files.
const SETTINGS: &str = "/proc/sys/";

/// The setting that a file shows.
pub fn setting(path: &str) -> Option<String> {
    match path.strip_prefix(SETTINGS) {
        Some(name) => Some(name.replace('/', ".")),
        None => path.starts_with("/sys/module/").then(|| path.to_owned()),
    }
}

/// What is in a file.
pub fn read(environment: &Environment, host: &mut dyn Host, path: &str) -> Result<String, Failure> {
    match path {
        "/dev/null" => Ok(String::new()),
        "/proc/net/tcp" => Ok(listing(host, false)),
        "/proc/net/tcp6" => Ok(listing(host, true)),
        _ => {
            let name = setting(path).ok_or_else(|| Failure::UnknownFile(path.to_owned()))?;
            Ok(format!("{}\n", environment.value(&name)?))
        }
    }
}

/// Writes a file: a setting takes the value, `/dev/null` everything.
pub fn write(
    environment: &mut Environment,
    host: &mut dyn Host,
    path: &str,
    text: &str,
) -> Result<(), Failure> {
    if path == "/dev/null" {
        return Ok(());
    }
    let name = setting(path).ok_or_else(|| Failure::UnknownFile(path.to_owned()))?;
    environment.set(host, &name, text.trim())
}

/// The columns of Linux' `/proc/net/tcp` that say who talks to whom, and how far they are.
fn listing(host: &mut dyn Host, ipv6: bool) -> String {
    let mut text = String::from("  sl  local_address rem_address   st tx_queue rx_queue\n");
    let sockets = host.sockets().into_iter();
    for (n, socket) in sockets.filter(|s| s.local.is_ipv6() == ipv6).enumerate() {
        let Listed { local, remote, .. } = socket;
        let (local, remote, state) = (hex(local), hex(remote), state(socket.state));
        writeln!(
            text,
            "{n:4}: {local} {remote} {state:02X} 00000000:00000000"
        )
        .expect("a string takes it");
    }
    text
}

/// An address in the byte order of a little-endian machine, and the port.
fn hex(address: SocketAddr) -> String {
    let words = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let mut text = String::new();
    for word in words.chunks(4) {
        for octet in word.iter().rev() {
            write!(text, "{octet:02X}").expect("a string takes it");
        }
    }
    format!("{text}:{:04X}", address.port())
}

/// Linux' number of a state (`include/net/tcp_states.h`).
fn state(state: TcpState) -> u8 {
    match state {
        TcpState::Established => 1,
        TcpState::SynSent => 2,
        TcpState::SynReceived => 3,
        TcpState::FinWait1 => 4,
        TcpState::FinWait2 => 5,
        TcpState::TimeWait => 6,
        TcpState::Closed => 7,
        TcpState::CloseWait => 8,
        TcpState::LastAck => 9,
        TcpState::Listen => 10,
        TcpState::Closing => 11,
    }
}
