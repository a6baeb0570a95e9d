//! TCP Fast Open (RFC 7413): data travels in the SYN of a client that proves by a cookie that it was here before, and
//! the server's application answers before the handshake is over.
//!
//! - `cookie`: what a cookie is, and how a server makes and checks one
//! - `destinations`: the cookies that a client remembers
//! - `client`: connects with data, and what the SYN-ACK makes of them
//! - `server`: what a listener does with a SYN that asks

use crate::api::{OptionName, SocketOption};

pub mod client;
pub mod cookie;
pub mod destinations;
pub mod server;

/// What an application has set on a socket before it listens or connects.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// `TCP_FASTOPEN`: a listener's queue, and for a client that it may send data in its SYN. 0: not set.
    pub queue: u32,
    /// `TCP_FASTOPEN_CONNECT`: `connect` waits for data.
    pub on_connect: bool,
    /// `TCP_FASTOPEN_NO_COOKIE`
    pub no_cookie: bool,
    /// `TCP_FASTOPEN_KEY`: the listener's own keys.
    pub keys: [Option<[u8; 16]>; 2],
}

impl Settings {
    /// Sets an option; whether it is one of these.
    pub fn set(&mut self, option: SocketOption) -> bool {
        match option {
            SocketOption::FastOpen(queue) => self.queue = queue,
            SocketOption::FastOpenConnect(on) => self.on_connect = on,
            SocketOption::FastOpenNoCookie(on) => self.no_cookie = on,
            SocketOption::FastOpenKeys(keys) => self.keys = keys,
            _ => return false,
        }
        true
    }

    /// Reads an option, if it is one of these.
    pub fn get(&self, name: OptionName) -> Option<SocketOption> {
        Some(match name {
            OptionName::FastOpen => SocketOption::FastOpen(self.queue),
            OptionName::FastOpenConnect => SocketOption::FastOpenConnect(self.on_connect),
            OptionName::FastOpenNoCookie => SocketOption::FastOpenNoCookie(self.no_cookie),
            OptionName::FastOpenKeys => SocketOption::FastOpenKeys(self.keys),
            _ => return None,
        })
    }
}
