//! The server: one task a connection, requests one after the other, pipelined ones from what has arrived already.
//!
//! A keep-alive connection that nobody uses ends with *our* FIN after the idle limit; a head that trickles in slower
//! than the head limit is answered 408; a client that does not take its answer is reset.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;

use super::request::{self, Method, Parsed, Request};
use super::response::{Head, none_match_hits};
use super::site::{Page, Site};
use crate::api::{How, SocketError, SocketOption};
use crate::app::service::{port, serve_tcp, until_stopped};
use crate::event::{Event, TimerKinds};
use crate::os::handle::{Os, TimedOut};
use crate::os::shared::TcpIp;
use crate::os::tcp::TcpStream;

const SECOND: u64 = 1_000_000_000;
/// Bytes asked of the socket at a time.
const CHUNK: usize = 4096;
/// How long an ended connection's last bytes are read and thrown away, so that the client sees the answer before a
/// RST could destroy it (RFC 9112, 9.6); ns.
const LINGER: u64 = 2 * SECOND;

/// A server's limits; each may be set on the kernel's command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `idle=` seconds: a connection between requests.
    pub idle: u64,
    /// `head=` seconds: from a request's first byte to the end of its head.
    pub head: u64,
    /// `stall=` seconds: an answer that the client does not take.
    pub stall: u64,
    /// `connections=`: beyond that a client is answered 503.
    pub connections: usize,
}

impl Limits {
    fn of<S: TcpIp>(os: &Os<S>) -> Limits {
        Limits {
            idle: os.arg_or("idle", 5u64).saturating_mul(SECOND),
            head: os.arg_or("head", 10u64).saturating_mul(SECOND),
            stall: os.arg_or("stall", 30u64).saturating_mul(SECOND),
            connections: os.arg_or("connections", 1024),
        }
    }
}

/// The application: serves the module `site` on `port=` (80).
pub async fn main<S: TcpIp>(os: Os<S>) {
    let modules = os.modules();
    let site = match modules.iter().find(|m| m.cmdline == "site") {
        None => Site::empty(),
        Some(module) => match Site::decode(module.bytes.clone()) {
            Ok(site) => site,
            Err(error) => return os.print(&alloc::format!("http: {error}")),
        },
    };
    let limits = Limits::of(&os);
    let open = Rc::new(Cell::new(0usize));
    let serve = |os, stream| {
        let place = Place::take(&open);
        let connection = Connection {
            os,
            site: site.clone(),
            stream,
            limits,
            buffer: Vec::new(),
            refuse: open.get() > limits.connections,
        };
        async move {
            connection.serve().await;
            drop(place);
            Ok(())
        }
    };
    until_stopped(&os, serve_tcp(&os, port(&os, 80), serve)).await;
}

/// One of the places for connections, given back when dropped.
struct Place(Rc<Cell<usize>>);

impl Place {
    fn take(open: &Rc<Cell<usize>>) -> Place {
        open.set(open.get() + 1);
        Place(open.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

struct Connection<S: TcpIp> {
    os: Os<S>,
    site: Site,
    stream: TcpStream<S>,
    limits: Limits,
    /// What has arrived and was not yet served.
    buffer: Vec<u8>,
    /// There is no place for this client: its first request is answered 503.
    refuse: bool,
}

/// How waiting for a request ended.
enum Next {
    Request(Request),
    Refuse(u16),
    /// The client is done, or idle for too long, or gone.
    Close,
}

/// Why a connection ends without ceremony.
enum Gone {
    Stalled,
    Socket,
}

impl From<TimedOut> for Gone {
    fn from(_: TimedOut) -> Self {
        Gone::Stalled
    }
}

impl From<SocketError> for Gone {
    fn from(_: SocketError) -> Self {
        Gone::Socket
    }
}

impl<S: TcpIp> Connection<S> {
    async fn serve(mut self) {
        // A response ends in a short segment, which Nagle would hold back until the client's delayed ACK. EBADF only
        // says that the connection is gone already; the loop below will find that out.
        let _ = self.stream.set_option(SocketOption::NoDelay(true));
        loop {
            let answered = match self.next().await {
                Next::Request(request) => self.answer(request).await,
                Next::Refuse(status) => self.refuse(status).await.map(|()| false),
                Next::Close => return,
            };
            match answered {
                Ok(true) => {}
                Ok(false) => return self.linger().await,
                Err(Gone::Stalled) => {
                    // EBADF only says that the connection is gone already.
                    let _ = self.stream.abort();
                    return;
                }
                Err(Gone::Socket) => return,
            }
        }
    }

    /// Waits for the next request's head.
    async fn next(&mut self) -> Next {
        let mut deadline = None;
        loop {
            match request::parse(&self.buffer) {
                Parsed::Head { len, request } => {
                    self.buffer.drain(..len);
                    return if self.refuse {
                        Next::Refuse(503)
                    } else {
                        Next::Request(request)
                    };
                }
                Parsed::Refused { status } => return Next::Refuse(status),
                Parsed::Partial => {}
            }
            let begun = !self.buffer.is_empty();
            let now = self.os.now();
            let wait = if begun {
                let until = *deadline.get_or_insert(now.plus(self.limits.head));
                until.since(now)
            } else {
                self.limits.idle
            };
            match self.fill(wait).await {
                Ok(Ok(0)) => return Next::Close,
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return Next::Close,
                Err(TimedOut) if begun => return Next::Refuse(408),
                Err(TimedOut) => return Next::Close,
            }
        }
    }

    /// Reads some more into the buffer within `ns`.
    async fn fill(&mut self, ns: u64) -> Result<Result<usize, SocketError>, TimedOut> {
        let used = self.buffer.len();
        self.buffer.resize(used + CHUNK, 0);
        let read = self.stream.read(&mut self.buffer[used..]);
        let outcome = self.os.timeout(ns, TimerKinds::SERVER_IDLE, read).await;
        let got = match &outcome {
            Ok(Ok(n)) => *n,
            _ => 0,
        };
        self.buffer.truncate(used + got);
        outcome
    }

    /// Answers a request; whether the connection stays open.
    async fn answer(&mut self, request: Request) -> Result<bool, Gone> {
        self.skip_body(request.body).await?;
        let site = self.site.clone();
        let (status, page) = match (request.method, site.get(&request.path)) {
            (Method::Other, _) => (405, None),
            (_, Some(page)) => match &request.if_none_match {
                Some(list) if none_match_hits(list, page.etag) => (304, Some(page)),
                _ => (200, Some(page)),
            },
            (_, None) => (404, site.get("/404.html")),
        };
        let body: &[u8] = match page {
            Some(page) if status != 304 => page.body,
            _ => b"",
        };
        self.send_head(status, page, body.len(), request.keep_alive)
            .await?;
        let sent = if request.method == Method::Get {
            body
        } else {
            b""
        };
        self.send(sent).await?;
        self.os.report(&Event::HttpServed {
            method: request.method_text,
            path: request.path,
            status,
            bytes: sent.len() as u32,
        });
        Ok(request.keep_alive)
    }

    /// Answers what was not a request that can be served; the connection ends.
    async fn refuse(&mut self, status: u16) -> Result<(), Gone> {
        self.send_head(status, None, 0, false).await?;
        self.os.report(&Event::HttpServed {
            method: String::new(),
            path: String::new(),
            status,
            bytes: 0,
        });
        Ok(())
    }

    async fn send_head(
        &self,
        status: u16,
        page: Option<Page<'_>>,
        length: usize,
        keep_alive: bool,
    ) -> Result<(), Gone> {
        let cacheable = matches!(status, 200 | 304);
        let head = Head {
            status,
            wall_secs: self.os.wall_clock().secs,
            content_type: page.filter(|_| status != 304).map(|p| p.content_type),
            etag: page.filter(|_| cacheable).map(|p| p.etag),
            length: (status != 304).then_some(length as u64),
            allow: status == 405,
            keep_alive,
        };
        self.send(head.text().as_bytes()).await
    }

    /// Sends all, each piece within the stall limit.
    async fn send(&self, mut data: &[u8]) -> Result<(), Gone> {
        while !data.is_empty() {
            let write = self.stream.write(data);
            let taken = self
                .os
                .timeout(self.limits.stall, TimerKinds::SERVER_IDLE, write)
                .await??;
            data = data.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Reads a request's body and forgets it.
    async fn skip_body(&mut self, bytes: u64) -> Result<(), Gone> {
        let mut left = bytes;
        loop {
            let here = left.min(self.buffer.len() as u64);
            self.buffer.drain(..here as usize);
            left -= here;
            if left == 0 {
                return Ok(());
            }
            if self.fill(self.limits.head).await?? == 0 {
                return Err(Gone::Socket);
            }
        }
    }

    /// Says FIN, and throws away what the client still sends.
    async fn linger(self) {
        if self.stream.shutdown(How::Write).is_err() {
            return;
        }
        let drain = async {
            let mut scrap = vec![0; CHUNK];
            while matches!(self.stream.read(&mut scrap).await, Ok(n) if n > 0) {}
        };
        // Either end of the wait is good: the client closed, or had its time.
        let _ = self
            .os
            .timeout(LINGER, TimerKinds::SERVER_IDLE, drain)
            .await;
    }
}
