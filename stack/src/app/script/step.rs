//! One command of a script: sockets by name, each call awaited, what comes back compared.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::net::SocketAddr;

use super::http::HttpClient;
use super::{Outcome, Perform};
use crate::addr::IpAddress;
use crate::api::{How, SocketError, SocketOption};
use crate::app::command::Command;
use crate::event::Event;
use crate::os::handle::Os;
use crate::os::shared::TcpIp;
use crate::os::tcp::{TcpListener, TcpStream};
use crate::os::udp::UdpSocket;

/// How long a `ping` waits for each answer, ns.
const PING_LIMIT: u64 = 1_000_000_000;
/// What a `ping` sends: as many bytes as ping(8).
const PING_DATA: [u8; 56] = [0xA5; 56];
/// Bytes moved at a time.
const CHUNK: usize = 16_384;
/// The pattern's period: prime, so that it never lines up with segments.
const PATTERN: u64 = 251;

/// What a name stands for.
enum Named<S: TcpIp> {
    Stream(Rc<TcpStream<S>>),
    Listener(Rc<TcpListener<S>>),
    Udp(Rc<UdpSocket<S>>),
}

/// A guest's named sockets, shared by its blocks.
pub struct Script<S: TcpIp> {
    os: Os<S>,
    names: Rc<RefCell<BTreeMap<String, Named<S>>>>,
    http: HttpClient<S>,
}

impl<S: TcpIp> Clone for Script<S> {
    fn clone(&self) -> Self {
        Script {
            os: self.os.clone(),
            names: self.names.clone(),
            http: self.http.clone(),
        }
    }
}

fn say(error: SocketError) -> String {
    format!("{error}")
}

/// The error's name, as scripts write it.
fn name_of(error: SocketError) -> String {
    format!("{error:?}")
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("not an address and port: {text:?}"))
}

/// `""`: none; `":7"`: any address and that port.
fn local_address<S: TcpIp>(os: &Os<S>, text: &str) -> Result<Option<SocketAddr>, String> {
    match text.strip_prefix(':') {
        _ if text.is_empty() => Ok(None),
        Some(port) => port
            .parse()
            .map(|p| Some(os.any(p)))
            .map_err(|_| format!("not a port: {port:?}")),
        None => address(text).map(Some),
    }
}

/// Byte `i` of the pattern.
fn pattern(i: u64) -> u8 {
    (i % PATTERN) as u8
}

impl<S: TcpIp> Script<S> {
    /// A script without sockets.
    pub fn new(os: Os<S>) -> Script<S> {
        Script {
            http: HttpClient::new(os.clone()),
            os,
            names: Rc::default(),
        }
    }

    async fn carry_out(&self, command: Command) -> Outcome {
        use Command::*;
        match command {
            Connect {
                name,
                remote,
                local,
            } => {
                let stream = self.start(&remote, &local, &[])?;
                stream.connected().await.map_err(say)?;
                self.keep(name, Named::Stream(Rc::new(stream)))
            }
            ConnectFast {
                name,
                remote,
                local,
            } => {
                let fast = [SocketOption::FastOpenConnect(true)];
                let stream = self.start(&remote, &local, &fast)?;
                stream.connected().await.map_err(say)?;
                self.keep(name, Named::Stream(Rc::new(stream)))
            }
            ConnectFails {
                name: _,
                remote,
                error,
            } => {
                // Without a way there it fails at once.
                let outcome = match TcpStream::start(&self.os, None, address(&remote)?) {
                    Ok(stream) => stream.connected().await,
                    Err(error) => Err(error),
                };
                match outcome {
                    Err(e) if name_of(e) == error => Ok(error),
                    Err(e) => Err(format!("{e} instead of {error}")),
                    Ok(()) => Err(format!("connected instead of {error}")),
                }
            }
            ConnectStart {
                name,
                remote,
                local,
            } => {
                let stream = self.start(&remote, &local, &[])?;
                self.keep(name, Named::Stream(Rc::new(stream)))
            }
            ConnectWait { name } => {
                self.stream(&name)?.connected().await.map_err(say)?;
                ok()
            }
            Listen {
                name,
                local,
                backlog,
            } => {
                let local = local_address(&self.os, &local)?.ok_or("where to listen?")?;
                let listener = TcpListener::bind(&self.os, local, backlog as usize).map_err(say)?;
                self.keep(name, Named::Listener(Rc::new(listener)))
            }
            Accept { name, new } => {
                let (stream, peer) = self.listener(&name)?.accept().await.map_err(say)?;
                self.keep(new, Named::Stream(Rc::new(stream)))?;
                Ok(format!("from {peer}"))
            }
            Send { name, data } => {
                self.stream(&name)?.write_all(&data).await.map_err(say)?;
                ok()
            }
            SendPattern { name, len } => self.send_pattern(&name, len).await,
            Recv { name, data } => {
                let mut wanted = data.iter();
                self.recv(&name, data.len() as u64, |_, b| wanted.next() == Some(&b))
                    .await
            }
            RecvPattern { name, len } => self.recv(&name, len, |i, b| b == pattern(i)).await,
            RecvAny { name, len } => self.recv(&name, len, |_, _| true).await,
            RecvEof { name, least } => self.recv_eof(&name, least).await,
            RecvFails { name, error } => self.recv_fails(&name, &error).await,
            Shutdown { name } => {
                self.stream(&name)?.shutdown(How::Write).map_err(say)?;
                ok()
            }
            Close { name } => {
                self.http.forget(&name);
                let gone = self.names.borrow_mut().remove(&name);
                gone.map(|_| String::new())
                    .ok_or_else(|| format!("no socket is called {name:?}"))
            }
            Abort { name } => self.abort(&name),
            SetOption {
                name,
                option,
                value,
            } => {
                let option = socket_option(&option, &value)?;
                self.stream(&name)?.set_option(option).map_err(say)?;
                ok()
            }
            Udp { name, local } => {
                let local = local_address(&self.os, &local)?.unwrap_or(self.os.any(0));
                let socket = UdpSocket::bind(&self.os, local).map_err(say)?;
                self.keep(name, Named::Udp(Rc::new(socket)))
            }
            SendTo { name, remote, data } => {
                self.udp(&name)?
                    .send_to(&data, address(&remote)?)
                    .await
                    .map_err(say)?;
                ok()
            }
            SendToPattern {
                name,
                remote,
                len,
                count,
            } => {
                let (socket, remote) = (self.udp(&name)?, address(&remote)?);
                let data: Vec<u8> = (0..u64::from(len)).map(pattern).collect();
                for _ in 0..count {
                    socket.send_to(&data, remote).await.map_err(say)?;
                }
                ok()
            }
            RecvFrom { name, data } => {
                let (got, from) = self.recv_from(&name).await?;
                if got == data {
                    Ok(format!("from {from}"))
                } else {
                    Err(format!(
                        "another datagram came from {from}: {} bytes",
                        got.len()
                    ))
                }
            }
            RecvFromAny { name, least } => {
                let (got, from) = self.recv_from(&name).await?;
                if got.len() as u64 >= least {
                    Ok(format!("{} bytes from {from}", got.len()))
                } else {
                    Err(format!("only {} bytes came from {from}", got.len()))
                }
            }
            HttpGet {
                name,
                path,
                status,
                close,
            } => {
                let stream = self.stream(&name)?;
                let headers = if close { "Connection: close" } else { "" };
                self.http
                    .request(&name, &stream, "GET", &path, headers, status)
                    .await
            }
            HttpRequest {
                name,
                method,
                path,
                headers,
                status,
            } => {
                let stream = self.stream(&name)?;
                self.http
                    .request(&name, &stream, &method, &path, &headers, status)
                    .await
            }
            HttpCrawl { name, path } => {
                let stream = self.stream(&name)?;
                self.http.crawl(&name, &stream, &path).await
            }
            Ping {
                remote,
                count,
                interval,
            } => self.ping(&remote, count, interval).await,
            Sleep { ns } => {
                self.os.sleep(ns).await;
                ok()
            }
            Print { line } => {
                self.os.print(&line);
                ok()
            }
            Poweroff => {
                self.os.poweroff();
                ok()
            }
            other => Err(format!("`{}` is for raw guests", other.word())),
        }
    }

    fn start(
        &self,
        remote: &str,
        local: &str,
        options: &[SocketOption],
    ) -> Result<TcpStream<S>, String> {
        let (local, remote) = (local_address(&self.os, local)?, address(remote)?);
        TcpStream::start_with(&self.os, local, remote, options).map_err(say)
    }

    /// Gives a socket its name; a socket that had it before is closed.
    fn keep(&self, name: String, socket: Named<S>) -> Outcome {
        self.http.forget(&name);
        let before = self.names.borrow_mut().insert(name, socket);
        drop(before);
        ok()
    }

    fn stream(&self, name: &str) -> Result<Rc<TcpStream<S>>, String> {
        match self.names.borrow().get(name) {
            Some(Named::Stream(stream)) => Ok(stream.clone()),
            _ => Err(format!("no connection is called {name:?}")),
        }
    }

    fn listener(&self, name: &str) -> Result<Rc<TcpListener<S>>, String> {
        match self.names.borrow().get(name) {
            Some(Named::Listener(listener)) => Ok(listener.clone()),
            _ => Err(format!("no listener is called {name:?}")),
        }
    }

    fn udp(&self, name: &str) -> Result<Rc<UdpSocket<S>>, String> {
        match self.names.borrow().get(name) {
            Some(Named::Udp(socket)) => Ok(socket.clone()),
            _ => Err(format!("no UDP socket is called {name:?}")),
        }
    }

    async fn send_pattern(&self, name: &str, len: u64) -> Outcome {
        let stream = self.stream(name)?;
        let mut at = 0;
        let mut chunk = Vec::with_capacity(CHUNK);
        while at < len {
            let end = len.min(at + CHUNK as u64);
            chunk.clear();
            chunk.extend((at..end).map(pattern));
            stream.write_all(&chunk).await.map_err(say)?;
            at = end;
        }
        ok()
    }

    /// Receives exactly `len` bytes, each of which must be as `right` says.
    async fn recv(&self, name: &str, len: u64, mut right: impl FnMut(u64, u8) -> bool) -> Outcome {
        let stream = self.stream(name)?;
        let mut buffer = vec![0; CHUNK.min(len as usize)];
        let mut at = 0;
        while at < len {
            let want = buffer.len().min((len - at) as usize);
            let got = stream.read(&mut buffer[..want]).await.map_err(say)?;
            if got == 0 {
                return Err(format!("the stream ended after {at} bytes of {len}"));
            }
            for &byte in &buffer[..got] {
                if !right(at, byte) {
                    return Err(format!("byte {at} is 0x{byte:02x}, which is wrong"));
                }
                at += 1;
            }
        }
        Ok(format!("{len} bytes"))
    }

    async fn recv_eof(&self, name: &str, least: u64) -> Outcome {
        let stream = self.stream(name)?;
        let mut buffer = vec![0; CHUNK];
        let mut total = 0;
        loop {
            match stream.read(&mut buffer).await.map_err(say)? {
                0 if total < least => return Err(format!("the stream ended after {total} bytes")),
                0 => return Ok(format!("{total} bytes, then the end")),
                n => total += n as u64,
            }
        }
    }

    async fn recv_fails(&self, name: &str, error: &str) -> Outcome {
        let mut byte = [0];
        match self.stream(name)?.read(&mut byte).await {
            Err(e) if name_of(e) == error => Ok(error.into()),
            Err(e) => Err(format!("{e} instead of {error}")),
            Ok(0) => Err(format!("the stream ended instead of {error}")),
            Ok(_) => Err(format!("a byte came instead of {error}")),
        }
    }

    fn abort(&self, name: &str) -> Outcome {
        self.http.forget(name);
        let stream = self.stream(name)?;
        self.names.borrow_mut().remove(name);
        match Rc::try_unwrap(stream) {
            Ok(stream) => stream.abort().map_err(say).map(|()| String::new()),
            Err(_) => Err(format!("{name:?} is in use by another block")),
        }
    }

    async fn recv_from(&self, name: &str) -> Result<(Vec<u8>, SocketAddr), String> {
        let mut buffer = vec![0; 65_535];
        let (n, from) = self.udp(name)?.recv_from(&mut buffer).await.map_err(say)?;
        buffer.truncate(n);
        Ok((buffer, from))
    }

    async fn ping(&self, remote: &str, count: u32, interval: u64) -> Outcome {
        let remote: IpAddress = remote
            .parse()
            .map_err(|_| format!("not an address: {remote:?}"))?;
        let mut answered = 0;
        for i in 0..count {
            if i > 0 {
                self.os.sleep(interval).await;
            }
            match self.os.ping(remote, &PING_DATA, PING_LIMIT).await {
                Ok(_) => answered += 1,
                Err(error) => return Err(format!("request {i}: {error}")),
            }
        }
        Ok(format!("{answered} answers"))
    }
}

impl<S: TcpIp> Perform for Script<S> {
    fn report(&self, event: &Event) {
        self.os.report(event);
    }
    async fn perform(&self, command: Command) -> Outcome {
        self.carry_out(command).await
    }
}

fn ok() -> Outcome {
    Ok(String::new())
}

fn socket_option(option: &str, value: &str) -> Result<SocketOption, String> {
    let bad = || format!("{option}: bad value {value:?}");
    let switch = || match value {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err(bad()),
    };
    Ok(match option {
        "nodelay" => SocketOption::NoDelay(switch()?),
        "keepalive" => SocketOption::KeepAlive(switch()?),
        "reuseaddr" => SocketOption::ReuseAddr(switch()?),
        "rcvbuf" => SocketOption::RecvBuffer(value.parse().map_err(|_| bad())?),
        "sndbuf" => SocketOption::SendBuffer(value.parse().map_err(|_| bad())?),
        "maxseg" => SocketOption::MaxSeg(value.parse().map_err(|_| bad())?),
        "linger" if value == "off" => SocketOption::Linger(None),
        "linger" => SocketOption::Linger(Some(value.parse().map_err(|_| bad())?)),
        _ => return Err(format!("no option is called {option:?}")),
    })
}
