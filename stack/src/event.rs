//! The typed events that a guest reports, and their canonical encoding.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use xen_abi::codec::{DecodeError, Field, decode};

bitflags::bitflags! {
    /// Kinds of armed timers. Only the kinds of `FINISH` make progress when nothing else happens.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct TimerKinds: u8 {
        /// Retransmission, delayed ACK, persist, reassembly, a pending address resolution, an application's sleep.
        const FINISH = 1;
        /// Keep-alive.
        const KEEP_ALIVE = 2;
        /// TIME-WAIT.
        const TIME_WAIT = 4;
        /// Expiry of a cache.
        const CACHE = 8;
        /// A server's idle limit.
        const SERVER_IDLE = 16;
    }
}

/// TCP's states: RFC 9293, section 3.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TcpState {
    Closed = 0,
    Listen = 1,
    SynSent = 2,
    SynReceived = 3,
    Established = 4,
    FinWait1 = 5,
    FinWait2 = 6,
    CloseWait = 7,
    Closing = 8,
    LastAck = 9,
    TimeWait = 10,
}

impl TcpState {
    /// RFC 9293's name.
    pub const fn name(self) -> &'static str {
        [
            "CLOSED",
            "LISTEN",
            "SYN-SENT",
            "SYN-RECEIVED",
            "ESTABLISHED",
            "FIN-WAIT-1",
            "FIN-WAIT-2",
            "CLOSE-WAIT",
            "CLOSING",
            "LAST-ACK",
            "TIME-WAIT",
        ][self as usize]
    }
}

/// Why a segment was sent again, or what a sender learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TcpNote {
    /// The retransmission timer fired.
    RtoExpired = 0,
    /// Fast retransmit, NewReno or SACK recovery began.
    RecoveryEntered = 1,
    /// Recovery is over.
    RecoveryLeft = 2,
    /// A zero-window probe was sent.
    WindowProbe = 3,
    /// A keep-alive probe was sent.
    KeepAlive = 4,
    /// A challenge ACK was sent (RFC 5961).
    ChallengeAck = 5,
    /// The listener's queue was full.
    ListenOverflow = 6,
    /// The peer took back a selective acknowledgement.
    Renege = 7,
    /// A segment was resent.
    Retransmit = 8,
    /// A tail loss probe was sent (RFC 8985).
    TailProbe = 9,
    /// Retransmissions turned out to have been unnecessary.
    Spurious = 10,
}

/// What a guest reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection changed its state.
    TcpState {
        local: SocketAddr,
        remote: SocketAddr,
        from: TcpState,
        to: TcpState,
    },
    /// Something worth knowing about a connection; `seq` is the absolute sequence number that it is about.
    TcpNote {
        local: SocketAddr,
        remote: SocketAddr,
        note: TcpNote,
        seq: u32,
    },
    /// A packet was refused; `why` is a short, stable text.
    Refused { layer: Layer, why: String },
    /// The set of armed timers' kinds changed: [`TimerKinds`] bits.
    Timers { kinds: u8 },
    /// A script's block began.
    ScriptStarted { block: u32 },
    /// A script's command ended; `name` is the socket's.
    ScriptStep {
        block: u32,
        step: u32,
        command: String,
        outcome: String,
    },
    /// A script's block is done.
    ScriptDone { block: u32 },
    /// A script's command failed, and its block ends.
    ScriptFailed {
        block: u32,
        step: u32,
        command: String,
        why: String,
    },
    /// The script's HTTP client has a whole response.
    HttpResponse {
        name: String,
        path: String,
        status: u16,
        bytes: u32,
        digest: u128,
    },
    /// A server answered a request.
    HttpServed {
        method: String,
        path: String,
        status: u16,
        bytes: u32,
    },
    /// The interface is up.
    InterfaceUp {
        mac: [u8; 6],
        addresses: Vec<String>,
    },
    /// An address of version 6 came, went, or is another's.
    Address {
        address: String,
        state: AddressState,
    },
    /// A default router came, for so many seconds, or went: 0.
    Router { address: String, lifetime: u32 },
}

/// What an address of version 6 is good for: RFC 4862, section 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum AddressState {
    /// Nobody else has it: it is ours.
    Preferred = 0,
    /// Ours, but not for new connections.
    Deprecated = 1,
    /// Somebody else has it: it is not ours.
    Duplicate = 2,
    /// Its lifetime is over.
    Removed = 3,
}

impl AddressState {
    /// RFC 4862's word.
    pub const fn name(self) -> &'static str {
        ["preferred", "deprecated", "duplicate", "removed"][self as usize]
    }
}

/// Where a packet was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Layer {
    Ethernet = 0,
    Arp = 1,
    Ipv4 = 2,
    Icmp = 3,
    Udp = 4,
    Tcp = 5,
    Ipv6 = 6,
}

impl Event {
    /// Appends the canonical encoding.
    pub fn encode(&self, to: &mut Vec<u8>) {
        self.put(to);
    }
    /// The event that these bytes encode.
    pub fn decode(bytes: &[u8]) -> Result<Event, DecodeError> {
        decode(bytes)
    }
}

// The tags below are the trace's format.
xen_abi::fields!(enum TcpState {
    0 => Closed {},
    1 => Listen {},
    2 => SynSent {},
    3 => SynReceived {},
    4 => Established {},
    5 => FinWait1 {},
    6 => FinWait2 {},
    7 => CloseWait {},
    8 => Closing {},
    9 => LastAck {},
    10 => TimeWait {},
});

xen_abi::fields!(enum TcpNote {
    0 => RtoExpired {},
    1 => RecoveryEntered {},
    2 => RecoveryLeft {},
    3 => WindowProbe {},
    4 => KeepAlive {},
    5 => ChallengeAck {},
    6 => ListenOverflow {},
    7 => Renege {},
    8 => Retransmit {},
    9 => TailProbe {},
    10 => Spurious {},
});

xen_abi::fields!(enum Layer {
    0 => Ethernet {},
    1 => Arp {},
    2 => Ipv4 {},
    3 => Icmp {},
    4 => Udp {},
    5 => Tcp {},
    6 => Ipv6 {},
});

xen_abi::fields!(enum AddressState {
    0 => Preferred {},
    1 => Deprecated {},
    2 => Duplicate {},
    3 => Removed {},
});

xen_abi::fields!(enum Event {
    0 => TcpState { local, remote, from, to },
    1 => TcpNote { local, remote, note, seq },
    2 => Refused { layer, why },
    3 => Timers { kinds },
    4 => ScriptStarted { block },
    5 => ScriptStep { block, step, command, outcome },
    6 => ScriptDone { block },
    7 => ScriptFailed { block, step, command, why },
    8 => HttpResponse { name, path, status, bytes, digest },
    9 => HttpServed { method, path, status, bytes },
    10 => InterfaceUp { mac, addresses },
    11 => Address { address, state },
    12 => Router { address, lifetime },
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_its_encoding() {
        let (local, remote) = (
            "10.0.0.2:80".parse().unwrap(),
            "[::1]:4000".parse().unwrap(),
        );
        for event in [
            Event::TcpState {
                local,
                remote,
                from: TcpState::Listen,
                to: TcpState::SynReceived,
            },
            Event::Refused {
                layer: Layer::Tcp,
                why: "bad checksum".into(),
            },
            Event::HttpResponse {
                name: "c".into(),
                path: "/".into(),
                status: 200,
                bytes: 5,
                digest: 1 << 100,
            },
            Event::InterfaceUp {
                mac: [1; 6],
                addresses: alloc::vec!["10.0.0.2/24".into()],
            },
        ] {
            let mut bytes = Vec::new();
            event.encode(&mut bytes);
            assert_eq!(Event::decode(&bytes), Ok(event));
            assert_eq!(
                Event::decode(&bytes[..bytes.len() - 1]),
                Err(DecodeError::Truncated)
            );
        }
    }
}
