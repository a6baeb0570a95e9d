//! The commands of a scripted guest (`guest="script"`) and of a peer without a stack (`guest="raw"`), and the text in
//! which they reach the guest through xenstore.
//!
//! The toolstack writes a block of commands, one a line, to `data/script/N`; a long block goes on in `data/script/N/1`,
//! `N/2`, … and `data/script/N/parts` holds the number of these further parts, 0 for a short block (written last; the
//! guest starts the block when it is there). A part may end inside a line.
//! Blocks run side by side, the commands of a block one after the other. A line is the command's word and its
//! arguments, separated by single spaces; each argument is percent-encoded (every byte that is not a letter, a digit
//! or one of `-._~:/`), so that anything can stand in it; an empty argument is a lone `%`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use thiserror::Error;

/// One command. Times are nanoseconds; addresses are text such as `10.0.0.2:80`; sockets go by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Opens a TCP connection and waits until it stands. `local` may be empty, or `:port`, or an address and port.
    Connect {
        name: String,
        remote: String,
        local: String,
    },
    /// As `Connect`, with TCP Fast Open (RFC 7413, `TCP_FASTOPEN_CONNECT`): where a cookie is known it does not wait, and what
    /// is sent first goes in the SYN.
    ConnectFast {
        name: String,
        remote: String,
        local: String,
    },
    /// As `Connect`, but the connection must be refused or fail with the named error (`ECONNREFUSED`).
    ConnectFails {
        name: String,
        remote: String,
        error: String,
    },
    /// Starts a connect and goes on at once.
    ConnectStart {
        name: String,
        remote: String,
        local: String,
    },
    /// Waits until a connect that was started stands.
    ConnectWait { name: String },
    /// Listens for TCP connections.
    Listen {
        name: String,
        local: String,
        backlog: u32,
    },
    /// Waits for a connection on listener `name`, and names it.
    Accept { name: String, new: String },
    /// Sends bytes and waits until all are in the send buffer.
    Send { name: String, data: Vec<u8> },
    /// Sends `len` bytes of the pattern 0, 1, … 250, 0, ….
    SendPattern { name: String, len: u64 },
    /// Receives exactly these bytes.
    Recv { name: String, data: Vec<u8> },
    /// Receives `len` bytes of the pattern.
    RecvPattern { name: String, len: u64 },
    /// Receives any `len` bytes.
    RecvAny { name: String, len: u64 },
    /// Receives until the end of the stream, which must come; at least `least` bytes.
    RecvEof { name: String, least: u64 },
    /// The next receive must fail with the named error (`ECONNRESET`).
    RecvFails { name: String, error: String },
    /// `shutdown(2)` of the sending side.
    Shutdown { name: String },
    /// `close(2)`
    Close { name: String },
    /// Close with a RST.
    Abort { name: String },
    /// Sets an option: `nodelay on`, `keepalive on`, `rcvbuf 4096`, `sndbuf 65536`, `linger 0`.
    SetOption {
        name: String,
        option: String,
        value: String,
    },
    /// Opens a UDP socket.
    Udp { name: String, local: String },
    /// Sends a datagram.
    SendTo {
        name: String,
        remote: String,
        data: Vec<u8>,
    },
    /// Sends `count` datagrams of `len` bytes of the pattern each, one after the other.
    SendToPattern {
        name: String,
        remote: String,
        len: u16,
        count: u32,
    },
    /// Receives a datagram with exactly these bytes.
    RecvFrom { name: String, data: Vec<u8> },
    /// Receives any datagram of at least `least` bytes.
    RecvFromAny { name: String, least: u64 },
    /// Sends an HTTP/1.1 GET on a connection, reads the response, and checks its status. `close`: asks for `Connection: close`.
    HttpGet {
        name: String,
        path: String,
        status: u16,
        close: bool,
    },
    /// As `HttpGet`, with a method and header lines (`If-None-Match: "x"`, separated by LF) of one's own.
    HttpRequest {
        name: String,
        method: String,
        path: String,
        headers: String,
        status: u16,
    },
    /// Gets `path` and every page linked from it on the same host, each once, over one connection.
    HttpCrawl { name: String, path: String },
    /// Sends `count` ICMP echo requests, an `interval` apart, and waits for each answer up to a second.
    Ping {
        remote: String,
        count: u32,
        interval: u64,
    },
    /// Waits.
    Sleep { ns: u64 },
    /// Writes a line to the console.
    Print { line: String },
    /// Shuts the domain down.
    Poweroff,
    /// Raw peer: names a flow. Sequence numbers are relative to each side's first SYN; `local` is `:port` or
    /// empty; or an address and port in whose name segments are forged.
    Flow {
        name: String,
        remote: String,
        local: String,
    },
    /// Raw peer: waits for a SYN to local port `port` and names its flow.
    FlowListen { name: String, port: u16 },
    /// Raw peer: sends one segment of a flow, in tcpdump's notation: `S 0:0(0) win 65535 <mss 1460,sackOK>`,
    /// `P. 1:101(100) ack 1 win 512`, `. ack 1 win 0`, `R 1:1(0)`; options may be raw bytes: `<hex 01020000>`.
    RawSend { name: String, segment: String },
    /// Raw peer: waits up to `timeout` for a segment of a flow that matches what is written; what is left out matches
    /// anything. Segments in between that do not match are passed over.
    RawAwait {
        name: String,
        segment: String,
        timeout: u64,
    },
    /// Raw peer: nothing may arrive on the flow for so long.
    RawSilence { name: String, ns: u64 },
    /// Raw peer: sends a SYN with each malformed option list of four bytes, in batches that are reset after `gap`
    /// nanoseconds.
    RawOptionSweep { remote: String, gap: u64 },
    /// Raw peer: sends a segment of a flow with each sequence number that is a multiple of `step`, 128 at a time, `gap`
    /// nanoseconds apart.
    RawSequenceSweep {
        name: String,
        segment: String,
        step: u32,
        gap: u64,
    },
    /// Raw peer: sends `count` SYN segments, each from a port of its own, 128 at a time, `gap` nanoseconds apart.
    RawSynFlood {
        remote: String,
        count: u32,
        gap: u64,
    },
}

/// Why a line is not a command.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// No command has this word.
    #[error("no command is called {0:?}")]
    Word(String),
    /// An argument is missing, or one too many.
    #[error("{0}: wrong number of arguments")]
    Count(String),
    /// An argument is not what it should be.
    #[error("{0}: bad argument {1:?}")]
    Argument(String, String),
}

/// An argument's way in and out of its text.
trait Arg: Sized {
    fn put(&self) -> Vec<u8>;
    fn get(bytes: Vec<u8>) -> Option<Self>;
}

impl Arg for String {
    fn put(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
    fn get(bytes: Vec<u8>) -> Option<Self> {
        String::from_utf8(bytes).ok()
    }
}

impl Arg for Vec<u8> {
    fn put(&self) -> Vec<u8> {
        self.clone()
    }
    fn get(bytes: Vec<u8>) -> Option<Self> {
        Some(bytes)
    }
}

macro_rules! arg_by_text {
    ($($t:ty),*) => {$(impl Arg for $t {
        fn put(&self) -> Vec<u8> {
            self.to_string().into_bytes()
        }
        fn get(bytes: Vec<u8>) -> Option<Self> {
            core::str::from_utf8(&bytes).ok()?.parse().ok()
        }
    })*};
}
arg_by_text!(u64, u32, u16, bool);

fn escape(bytes: &[u8], to: &mut String) {
    if bytes.is_empty() {
        to.push('%');
    }
    for &b in bytes {
        if b.is_ascii_alphanumeric() || b"-._~:/".contains(&b) {
            to.push(b as char);
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            to.push('%');
            to.push(HEX[usize::from(b >> 4)] as char);
            to.push(HEX[usize::from(b & 15)] as char);
        }
    }
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    if text == "%" {
        return Some(Vec::new());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let digit = |b: u8| (b as char).to_digit(16);
            let (hi, lo) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
            out.push((hi * 16 + lo) as u8);
        } else {
            out.push(b);
        }
    }
    Some(out)
}

macro_rules! commands {
    ($($word:literal => $name:ident { $($field:ident),* };)*) => {
        /// Every command's word.
        pub const WORDS: &[&str] = &[$($word),*];

        impl Command {
            /// The command's word.
            pub fn word(&self) -> &'static str {
                match self { $(Command::$name { .. } => $word,)* }
            }
            /// The line that says it, without a line feed.
            pub fn encode(&self) -> String {
                let mut line = String::from(self.word());
                match self {
                    $(Command::$name { $($field),* } => { $(line.push(' '); escape(&Arg::put($field), &mut line);)* })*
                }
                line
            }
            /// The command that a line says.
            pub fn parse(line: &str) -> Result<Command, CommandError> {
                let mut words = line.split(' ');
                let word = words.next().unwrap_or("");
                let command = match word {
                    $($word => Command::$name { $($field: {
                        let text = words.next().ok_or_else(|| CommandError::Count(word.into()))?;
                        unescape(text).and_then(Arg::get).ok_or_else(|| CommandError::Argument(word.into(), text.into()))?
                    },)* },)*
                    _ => return Err(CommandError::Word(word.into())),
                };
                if words.next().is_some() {
                    return Err(CommandError::Count(word.into()));
                }
                Ok(command)
            }
        }
    };
}

commands! {
    "connect" => Connect { name, remote, local };
    "connect-fast" => ConnectFast { name, remote, local };
    "connect-fails" => ConnectFails { name, remote, error };
    "connect-start" => ConnectStart { name, remote, local };
    "connect-wait" => ConnectWait { name };
    "listen" => Listen { name, local, backlog };
    "accept" => Accept { name, new };
    "send" => Send { name, data };
    "send-pattern" => SendPattern { name, len };
    "recv" => Recv { name, data };
    "recv-pattern" => RecvPattern { name, len };
    "recv-any" => RecvAny { name, len };
    "recv-eof" => RecvEof { name, least };
    "recv-fails" => RecvFails { name, error };
    "shutdown" => Shutdown { name };
    "close" => Close { name };
    "abort" => Abort { name };
    "set-option" => SetOption { name, option, value };
    "udp" => Udp { name, local };
    "send-to" => SendTo { name, remote, data };
    "send-to-pattern" => SendToPattern { name, remote, len, count };
    "recv-from" => RecvFrom { name, data };
    "recv-from-any" => RecvFromAny { name, least };
    "http-get" => HttpGet { name, path, status, close };
    "http-request" => HttpRequest { name, method, path, headers, status };
    "http-crawl" => HttpCrawl { name, path };
    "ping" => Ping { remote, count, interval };
    "sleep" => Sleep { ns };
    "print" => Print { line };
    "poweroff" => Poweroff {};
    "flow" => Flow { name, remote, local };
    "flow-listen" => FlowListen { name, port };
    "raw-send" => RawSend { name, segment };
    "raw-await" => RawAwait { name, segment, timeout };
    "raw-silence" => RawSilence { name, ns };
    "raw-option-sweep" => RawOptionSweep { remote, gap };
    "raw-sequence-sweep" => RawSequenceSweep { name, segment, step, gap };
    "raw-syn-flood" => RawSynFlood { remote, count, gap };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_survives_its_text() {
        let all = [
            Command::Connect {
                name: "c".into(),
                remote: "10.0.0.2:80".into(),
                local: String::new(),
            },
            Command::Send {
                name: "c d".into(),
                data: alloc::vec![0, 255, b'%', b'\n', b' '],
            },
            Command::HttpGet {
                name: "ü".into(),
                path: "/a b?c=%20".into(),
                status: 200,
                close: true,
            },
            Command::Poweroff,
        ];
        for c in all {
            assert_eq!(Command::parse(&c.encode()), Ok(c));
        }
    }

    #[test]
    fn a_line_that_is_no_command_says_why() {
        assert_eq!(
            Command::parse("conect c"),
            Err(CommandError::Word("conect".into()))
        );
        assert_eq!(
            Command::parse("close"),
            Err(CommandError::Count("close".into()))
        );
        assert_eq!(
            Command::parse("close a b"),
            Err(CommandError::Count("close".into()))
        );
        assert_eq!(
            Command::parse("sleep x"),
            Err(CommandError::Argument("sleep".into(), "x".into()))
        );
    }
}
