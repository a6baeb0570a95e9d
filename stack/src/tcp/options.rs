//! A socket's options, as set before or during a connection and inherited from its listener.

use crate::api::{OptionName, SocketError, SocketOption};
use crate::profile::TcpProfile;

/// Least and largest buffer.
const BUFFER_RANGE: (usize, usize) = (1024, 16 << 20);

/// What `setsockopt(2)` has set.
#[derive(Clone, Copy, Debug)]
pub struct SocketOptions {
    /// `SO_RCVBUF`
    pub recv_buffer: u32,
    /// `SO_SNDBUF`
    pub send_buffer: u32,
    /// `SO_LINGER`, seconds
    pub linger: Option<u32>,
    /// `TCP_MAXSEG`; 0: not set
    pub max_seg: u16,
    /// `TCP_NODELAY`
    pub no_delay: bool,
    /// `SO_KEEPALIVE`: off by default (RFC 9293, MUST-25).
    pub keep_alive: bool,
    /// `SO_REUSEADDR`
    pub reuse_addr: bool,
}

impl SocketOptions {
    /// A new socket's.
    pub fn new(profile: &TcpProfile) -> SocketOptions {
        SocketOptions {
            recv_buffer: clamp(profile.recv_buffer),
            send_buffer: clamp(profile.send_buffer),
            linger: None,
            max_seg: 0,
            no_delay: false,
            keep_alive: false,
            reuse_addr: false,
        }
    }

    /// Sets one.
    pub fn set(&mut self, option: SocketOption, profile: &TcpProfile) -> Result<(), SocketError> {
        match option {
            SocketOption::NoDelay(on) => self.no_delay = on,
            SocketOption::KeepAlive(on) => self.keep_alive = on,
            SocketOption::RecvBuffer(bytes) => self.recv_buffer = clamp(bytes),
            SocketOption::SendBuffer(bytes) => self.send_buffer = clamp(bytes),
            SocketOption::ReuseAddr(on) => self.reuse_addr = on,
            SocketOption::Linger(seconds) => self.linger = seconds,
            SocketOption::MaxSeg(mss) if mss < profile.min_mss => return Err(SocketError::EINVAL),
            SocketOption::MaxSeg(mss) => self.max_seg = mss,
        }
        Ok(())
    }

    /// Reads one.
    pub fn get(&self, name: OptionName) -> Result<SocketOption, SocketError> {
        Ok(match name {
            OptionName::NoDelay => SocketOption::NoDelay(self.no_delay),
            OptionName::KeepAlive => SocketOption::KeepAlive(self.keep_alive),
            OptionName::RecvBuffer => SocketOption::RecvBuffer(self.recv_buffer as usize),
            OptionName::SendBuffer => SocketOption::SendBuffer(self.send_buffer as usize),
            OptionName::ReuseAddr => SocketOption::ReuseAddr(self.reuse_addr),
            OptionName::Linger => SocketOption::Linger(self.linger),
            OptionName::MaxSeg => SocketOption::MaxSeg(self.max_seg),
        })
    }
}

fn clamp(bytes: usize) -> u32 {
    bytes.clamp(BUFFER_RANGE.0, BUFFER_RANGE.1) as u32
}
