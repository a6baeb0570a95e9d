//! What ICMP messages mean for a connection (RFC 9293, 3.9.2.2; RFC 5927). Only those count that quote a segment which
//! is under way, for anybody can send such a message.

use core::net::SocketAddr;

use xen_abi::Instant;

use crate::api::SocketError;
use crate::event::TcpState;
use crate::seq::SeqNumber;
use crate::tcp::Tcp;
use crate::tcp::connection::Connection;
use crate::tcp::output::IcmpError;
use crate::tcp::shared::Shared;
use crate::tcp::tuple::Tuple;

/// Octets of the fixed IPv4 and TCP headers.
const HEADERS: u16 = 40;
/// RFC 1191, 5: what to try when the router names no MTU: the next lower common one.
const PLATEAU: u16 = 576;

impl Tcp {
    /// An ICMP message quoted a segment of ours with sequence number `seq`.
    pub fn icmp_error(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        seq: u32,
        error: IcmpError,
    ) {
        let Some(index) = self.table.find(&Tuple::new(local, remote)) else {
            return;
        };
        if let Some(connection) = self.table.connection(index) {
            connection.icmp_error(&mut self.shared, now, SeqNumber(seq), error);
        }
        self.settle(index);
    }
}

impl Connection {
    fn icmp_error(&mut self, shared: &mut Shared, now: Instant, seq: SeqNumber, error: IcmpError) {
        // RFC 5927, 4.1: the number must lie in what is under way.
        if !(seq.ge(self.snd.una) && seq.lt(self.snd.max)) {
            return;
        }
        let hard = match error {
            IcmpError::PortUnreachable | IcmpError::ProtocolUnreachable => {
                SocketError::ECONNREFUSED
            }
            IcmpError::PacketTooBig { mtu } => return self.packet_too_big(shared, now, mtu),
            // MUST-56 and SHLD-25: soft; the reason, should the connection time out.
            IcmpError::NetUnreachable => return self.note_soft(SocketError::ENETUNREACH),
            IcmpError::HostUnreachable | IcmpError::TimeExceeded | IcmpError::ParameterProblem => {
                return self.note_soft(SocketError::EHOSTUNREACH);
            }
            // MUST-55: discarded silently.
            IcmpError::SourceQuench => return,
        };
        // SHLD-26: abort; RFC 5927, 5.2: but only a connection that is not synchronized, or anybody could end it.
        match self.state() {
            TcpState::SynSent | TcpState::SynReceived => self.die(shared, Some(hard)),
            _ => self.note_soft(hard),
        }
    }

    fn note_soft(&mut self, error: SocketError) {
        self.soft_error = Some(error);
    }

    /// Path MTU discovery (RFC 1191): smaller segments from now on, and what is out again at once.
    fn packet_too_big(&mut self, shared: &Shared, now: Instant, mtu: u16) {
        let mtu = if mtu == 0 { PLATEAU } else { mtu };
        let mss = mtu.saturating_sub(HEADERS).max(shared.tcp().min_mss);
        if mss >= self.agreed.send_mss.min(self.agreed.recv_mss) || !self.snd.syn_acked() {
            return;
        }
        self.agreed.send_mss = mss;
        self.congestion.set_smss(self.agreed.smss());
        self.rto.stop_timing();
        self.lose_everything(now);
    }
}
