//! Programs that list sockets and counters, or drop connections.

use std::fmt::Write as _;
use std::net::SocketAddr;

use stack::event::TcpState;
use stack::tcp::Listed;

use super::super::run::Outcome;
use super::super::{Environment, Failure, Host};
use super::unknown;

/// FreeBSD's `sockstat [-4|-6] -P tcp [-p PORT] -s`: a line for each socket, with its process and state.
pub fn sockstat(host: &mut dyn Host, arguments: &[&str]) -> Result<Outcome, Failure> {
    let (mut v4, mut v6, mut port, mut states) = (true, true, None, false);
    let mut rest = arguments;
    loop {
        rest = match rest {
            [] => break,
            ["-4", rest @ ..] => {
                v6 = false;
                rest
            }
            ["-6", rest @ ..] => {
                v4 = false;
                rest
            }
            ["-P", "tcp", rest @ ..] => rest,
            ["-s", rest @ ..] => {
                states = true;
                rest
            }
            ["-p", number, rest @ ..] => {
                let refused = |_| unknown("sockstat", number);
                port = Some(number.parse::<u16>().map_err(refused)?);
                rest
            }
            [argument, ..] => return Err(unknown("sockstat", argument)),
        };
    }
    let mut text = String::from("USER COMMAND PID FD PROTO LOCAL ADDRESS FOREIGN ADDRESS STATE\n");
    for socket in host.sockets() {
        let Listed { local, remote, .. } = socket;
        let wanted = if local.is_ipv4() { v4 } else { v6 };
        if !wanted || port.is_some_and(|port| port != local.port() && port != remote.port()) {
            continue;
        }
        // The suite's runner is known by the first ten letters of its name.
        let process = if socket.owned {
            "root packetdril 1 3"
        } else {
            "? ? ? ?"
        };
        let version = if local.is_ipv4() { "tcp4" } else { "tcp6" };
        let (local, remote) = (shown(local), shown(remote));
        let state = if states { state_name(socket.state) } else { "" };
        writeln!(text, "{process} {version} {local} {remote} {state}").expect("a string takes it");
    }
    Ok(Outcome::says(text))
}

fn shown(address: SocketAddr) -> String {
    if address.port() == 0 {
        "*:*".to_owned()
    } else {
        format!("{}:{}", address.ip(), address.port())
    }
}

/// FreeBSD's name of a state (`sys/netinet/tcp_fsm.h`).
fn state_name(state: TcpState) -> &'static str {
    match state {
        TcpState::Closed => "CLOSED",
        TcpState::Listen => "LISTEN",
        TcpState::SynSent => "SYN_SENT",
        TcpState::SynReceived => "SYN_RCVD",
        TcpState::Established => "ESTABLISHED",
        TcpState::CloseWait => "CLOSE_WAIT",
        TcpState::FinWait1 => "FIN_WAIT_1",
        TcpState::Closing => "CLOSING",
        TcpState::LastAck => "LAST_ACK",
        TcpState::FinWait2 => "FIN_WAIT_2",
        TcpState::TimeWait => "TIME_WAIT",
    }
}

/// FreeBSD's `tcpdrop -s STATE`.
pub fn tcpdrop(host: &mut dyn Host, arguments: &[&str]) -> Result<Outcome, Failure> {
    const STATES: [TcpState; 11] = [
        TcpState::Closed,
        TcpState::Listen,
        TcpState::SynSent,
        TcpState::SynReceived,
        TcpState::Established,
        TcpState::CloseWait,
        TcpState::FinWait1,
        TcpState::Closing,
        TcpState::LastAck,
        TcpState::FinWait2,
        TcpState::TimeWait,
    ];
    let state = match arguments {
        ["-s", name] => STATES.into_iter().find(|&state| state_name(state) == *name),
        _ => None,
    };
    let state = state.ok_or_else(|| unknown("tcpdrop", &arguments.join(" ")))?;
    host.drop_connections(state);
    Ok(Outcome::quiet())
}

/// Linux' `nstat`: the counters that have grown since they were last shown.
pub fn nstat(
    environment: &mut Environment,
    host: &mut dyn Host,
    arguments: &[&str],
) -> Result<Outcome, Failure> {
    if let Some(argument) = arguments.first() {
        return Err(unknown("nstat", argument));
    }
    let mut text = String::from("#kernel\n");
    for (name, value) in host.counters() {
        let before = environment.shown.insert(name, value).unwrap_or(0);
        if value > before {
            writeln!(text, "{name:32}{:16}  0.0", value - before).expect("a string takes it");
        }
    }
    Ok(Outcome::says(text))
}
