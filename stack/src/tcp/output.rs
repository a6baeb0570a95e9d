//! What TCP asks of IP, and what IP tells TCP: the seam between the two layers.

use thiserror::Error;
use xen_abi::Instant;

use crate::addr::IpAddress;
use crate::api::{DeviceFull, SocketError};
use crate::net::metrics::Metrics;

/// What the IP layer knows about a received segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpInfo {
    /// Who sent it.
    pub src: IpAddress,
    /// To which of our addresses.
    pub dst: IpAddress,
    /// The two ECN bits.
    pub ecn: u8,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// The sender's UDP port, if the segment came in a datagram; 0: it did not.
    pub udp_port: u16,
}

/// What the IP layer shall write around a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpPacket {
    /// Our address.
    pub src: IpAddress,
    /// The peer's.
    pub dst: IpAddress,
    /// [`crate::wire::tcp::PROTOCOL`].
    pub protocol: u8,
    /// The six bits of DSCP.
    pub dscp: u8,
    /// The two ECN bits.
    pub ecn: u8,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Our port and the peer's: IP may mark a flow's packets.
    pub ports: (u16, u16),
}

/// The way to a remote address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Our address on the interface that leads there.
    pub local: IpAddress,
    /// The largest IP packet that it takes.
    pub mtu: usize,
    /// The largest IP packet that the whole way is known to take; the same if nothing is known.
    pub path_mtu: usize,
    /// What the administrator says about it.
    pub metrics: Metrics,
}

/// The layer below, as TCP sees it while it transmits.
pub trait IpOutput {
    /// The way to `remote`.
    fn route(&self, remote: IpAddress) -> Result<Route, SocketError>;
    /// Whether the device completes checksums on the way to `remote`: then a segment holds only the pseudo-header's sum.
    fn tx_checksum(&self, remote: IpAddress) -> bool;
    /// Whether the device's queue drops whatever it is given.
    fn drops(&self) -> bool {
        false
    }
    /// Sends one IP packet whose payload of exactly `len` bytes is written by `fill`, called once or not at all.
    fn send(
        &mut self,
        now: Instant,
        packet: &IpPacket,
        len: usize,
        fill: impl FnMut(&mut [u8]),
    ) -> Result<(), DeviceFull>;
}

/// What an ICMP message says about a segment of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IcmpError {
    /// Destination unreachable, net (code 0 and its kin).
    #[error("network unreachable")]
    NetUnreachable,
    /// Destination unreachable, host.
    #[error("host unreachable")]
    HostUnreachable,
    /// Destination unreachable, protocol.
    #[error("protocol unreachable")]
    ProtocolUnreachable,
    /// Destination unreachable, port.
    #[error("port unreachable")]
    PortUnreachable,
    /// Destination unreachable, by somebody's wish (codes 9, 10 and 13).
    #[error("administratively prohibited")]
    Prohibited,
    /// Fragmentation needed and DF set.
    #[error("packet too big: the next hop takes {mtu} bytes")]
    PacketTooBig {
        /// The next hop's MTU; 0 where a router does not say.
        mtu: u16,
    },
    /// Time exceeded.
    #[error("time exceeded")]
    TimeExceeded,
    /// Parameter problem.
    #[error("parameter problem")]
    ParameterProblem,
    /// Source quench, obsolete (RFC 6633).
    #[error("source quench")]
    SourceQuench,
}
