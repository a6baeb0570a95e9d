//! What ICMP messages mean for a connection (RFC 9293, 3.9.2.2; RFC 5927). Only those count that quote a segment which
//! is under way, for anybody can send such a message.

use core::net::SocketAddr;

use xen_abi::Instant;

use crate::api::SocketError;
use crate::event::TcpState;
use crate::profile::IcmpKinds;
use crate::seq::SeqNumber;
use crate::tcp::Tcp;
use crate::tcp::connection::{Connection, Marks, Owner};
use crate::tcp::output::IcmpError;
use crate::tcp::shared::Shared;
use crate::tcp::tuple::Tuple;

/// What to try when a router names no MTU: the next lower common one (RFC 1191, 7.1).
const PLATEAUS: [u16; 10] = [
    32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 576, 296, 68,
];

impl Tcp {
    /// An ICMP message quoted a segment of ours with sequence number `seq`, in a datagram to `udp_port` unless that is 0.
    /// What it says about the path, if that is to be believed: the largest packet.
    pub fn icmp_error(
        &mut self,
        _now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        seq: u32,
        udp_port: u16,
        error: IcmpError,
    ) -> Option<u16> {
        let index = self.table.find(&Tuple::new(local, remote))?;
        let connection = self.table.connection(index)?;
        if connection.options.udp_port != udp_port {
            return None;
        }
        let mtu = connection.icmp_error(&mut self.shared, SeqNumber(seq), error);
        self.settle(index);
        mtu
    }

    /// ICMP messages so far that quoted what was not under way: somebody guesses, or they are very late.
    pub fn out_of_window_icmps(&self) -> u64 {
        self.shared.out_of_window_icmps
    }
}

impl Connection {
    fn icmp_error(&mut self, shared: &mut Shared, seq: SeqNumber, error: IcmpError) -> Option<u16> {
        // RFC 5927, 4.1: the number must lie in what is under way.
        if !(seq.ge(self.snd.una) && seq.lt(self.snd.max)) {
            shared.out_of_window_icmps += 1;
            return None;
        }
        let profile = &shared.tcp().icmp;
        let (kind, reason) = match error {
            IcmpError::PacketTooBig { mtu } => return self.packet_too_big(shared, mtu),
            // MUST-55: discarded silently.
            IcmpError::SourceQuench => return None,
            IcmpError::PortUnreachable => (IcmpKinds::PORT, SocketError::ECONNREFUSED),
            IcmpError::ProtocolUnreachable => (IcmpKinds::PROTOCOL, SocketError::ECONNREFUSED),
            IcmpError::NetUnreachable => (IcmpKinds::NET, SocketError::ENETUNREACH),
            IcmpError::HostUnreachable => (IcmpKinds::HOST, SocketError::EHOSTUNREACH),
            IcmpError::Prohibited => (IcmpKinds::PROHIBITED, profile.prohibited),
            IcmpError::TimeExceeded => (IcmpKinds::TIME_EXCEEDED, SocketError::EHOSTUNREACH),
            IcmpError::ParameterProblem => (IcmpKinds::PARAMETER, SocketError::EHOSTUNREACH),
        };
        // SHLD-26: a hard error aborts; RFC 5927, 5.2: but only a connection that is not synchronized, or anybody could
        // end it.
        let hard = match (self.state(), self.owner) {
            (TcpState::SynSent, _) => profile.end_connect,
            // An application that has been given the connection already will see whether it comes about.
            (TcpState::SynReceived, Owner::Listener(_)) => profile.end_half_open,
            (TcpState::SynReceived, _) if !self.marks.contains(Marks::FAST_OPENING) => {
                profile.end_connect
            }
            _ => IcmpKinds::empty(),
        };
        if hard.contains(kind) {
            self.die(shared, Some(reason));
        } else {
            // MUST-56 and SHLD-25: the reason, should the connection time out.
            self.soft_error = Some(reason);
        }
        None
    }

    /// Path MTU discovery (RFC 1191): smaller segments from now on, and what is out again at once.
    fn packet_too_big(&mut self, shared: &Shared, mtu: u16) -> Option<u16> {
        let was = self.agreed.path_mtu();
        let mtu = match mtu {
            0 => PLATEAUS
                .into_iter()
                .find(|&p| p < was)
                .unwrap_or(PLATEAUS[9]),
            mtu => mtu,
        };
        if mtu >= was {
            return None;
        }
        self.agreed.limit_path(mtu, shared.tcp());
        let announced = shared.tcp().icmp.announces_path;
        if !self.snd.syn_acked() {
            // RFC 7413: only a SYN with data is ever too large.
            if self.state() == TcpState::SynSent && self.syn_text() > 0 {
                self.fall_back_to_plain_syn();
                if announced {
                    self.agreed.announce_path();
                }
                self.snd.nxt = self.snd.una;
            }
            return Some(mtu);
        }
        self.congestion.set_smss(self.agreed.smss());
        self.rto.stop_timing();
        if self.snd.has_outstanding() {
            self.lose_everything();
        }
        Some(mtu)
    }
}
