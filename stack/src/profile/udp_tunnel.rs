//! TCP segments in UDP datagrams (draft-cheshire-tcp-over-udp; FreeBSD, `net.inet.tcp.udp_tunneling_port`), for networks
//! that let nothing else through. Read at use: a change holds at once.

/// The tunnel.
#[derive(Clone, Debug)]
pub struct UdpTunnel {
    /// Our UDP port: datagrams to it hold segments, and segments of connections with a UDP port of the peer's leave from
    /// it. 0: there is no tunnel.
    pub port: u16,
    /// Octets that the tunnel takes out of every packet, for the segment size: a UDP header is 8.
    pub overhead: u16,
}

impl Default for UdpTunnel {
    fn default() -> UdpTunnel {
        UdpTunnel {
            port: 0,
            overhead: 8,
        }
    }
}
