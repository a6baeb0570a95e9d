//! The script's HTTP client: requests on named connections, and crawls.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;

use xxhash_rust::xxh3::xxh3_128;

use super::Outcome;
use super::links::links;
use super::response::{self, Body, ResponseHead};
use crate::event::Event;
use crate::os::handle::Os;
use crate::os::shared::TcpIp;
use crate::os::tcp::TcpStream;

/// The longest body that is taken, bytes.
const BODY_MAX: u64 = 64 << 20;
/// The most pages of a crawl.
const PAGES_MAX: usize = 4096;
/// Bytes asked of the socket at a time.
const CHUNK: usize = 8192;

/// What arrived beyond the last response, by connection.
pub struct HttpClient<S: TcpIp> {
    os: Os<S>,
    early: Rc<RefCell<BTreeMap<String, Vec<u8>>>>,
}

impl<S: TcpIp> Clone for HttpClient<S> {
    fn clone(&self) -> Self {
        HttpClient {
            os: self.os.clone(),
            early: self.early.clone(),
        }
    }
}

/// A whole response.
struct Response {
    head: ResponseHead,
    body: Vec<u8>,
}

impl<S: TcpIp> HttpClient<S> {
    /// A client without connections.
    pub fn new(os: Os<S>) -> HttpClient<S> {
        HttpClient {
            os,
            early: Rc::default(),
        }
    }

    /// Forgets what arrived on a connection: its name is given to another.
    pub fn forget(&self, name: &str) {
        self.early.borrow_mut().remove(name);
    }

    /// Sends a request, reads the response, and compares its status.
    pub async fn request(
        &self,
        name: &str,
        stream: &TcpStream<S>,
        method: &str,
        path: &str,
        headers: &str,
        status: u16,
    ) -> Outcome {
        let response = self.exchange(name, stream, method, path, headers).await?;
        let (got, len) = (response.head.status, response.body.len());
        if got != status {
            return Err(format!("status {got} instead of {status}"));
        }
        Ok(format!("status {got}, {len} bytes"))
    }

    /// Gets a page and all that it leads to, each once.
    pub async fn crawl(&self, name: &str, stream: &TcpStream<S>, start: &str) -> Outcome {
        let mut queue = VecDeque::from([String::from(start)]);
        let mut seen = BTreeSet::from([String::from(start)]);
        let mut bytes = 0;
        while let Some(path) = queue.pop_front() {
            let response = self.exchange(name, stream, "GET", &path, "").await?;
            if response.head.status != 200 {
                return Err(format!("{path}: status {}", response.head.status));
            }
            bytes += response.body.len();
            if response.head.content_type.starts_with("text/html") {
                let html = String::from_utf8_lossy(&response.body);
                for link in links(&path, &html) {
                    if seen.len() < PAGES_MAX && seen.insert(link.clone()) {
                        queue.push_back(link);
                    }
                }
            }
            if response.head.close && !queue.is_empty() {
                return Err(format!(
                    "{path}: the server closes with {} pages to go",
                    queue.len()
                ));
            }
        }
        Ok(format!("{} pages, {bytes} bytes", seen.len()))
    }

    async fn exchange(
        &self,
        name: &str,
        stream: &TcpStream<S>,
        method: &str,
        path: &str,
        headers: &str,
    ) -> Result<Response, String> {
        let host = stream.peer_addr().map_err(|e| format!("{e}"))?;
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
        for line in headers.lines() {
            request += line;
            request += "\r\n";
        }
        request += "\r\n";
        stream
            .write_all(request.as_bytes())
            .await
            .map_err(|e| format!("{e}"))?;
        let response = self.read(name, stream, method == "HEAD").await?;
        self.os.report(&Event::HttpResponse {
            name: name.into(),
            path: path.into(),
            status: response.head.status,
            bytes: response.body.len() as u32,
            digest: xxh3_128(&response.body),
        });
        Ok(response)
    }

    async fn read(
        &self,
        name: &str,
        stream: &TcpStream<S>,
        head_only: bool,
    ) -> Result<Response, String> {
        let mut buffer = self.early.borrow_mut().remove(name).unwrap_or_default();
        let head = loop {
            match response::parse(&buffer, head_only).map_err(|e| format!("{e}"))? {
                // An interim response says that the real one follows: RFC 9110, 15.2.
                Some(head) if head.status < 200 => drop(buffer.drain(..head.len)),
                Some(head) => break head,
                None if fill(stream, &mut buffer).await? == 0 => {
                    return Err(format!(
                        "the stream ended after {} bytes of a response's head",
                        buffer.len()
                    ));
                }
                None => {}
            }
        };
        buffer.drain(..head.len);
        match head.body {
            Body::Length(n) if n > BODY_MAX => {
                return Err(format!("a body of {n} bytes is too long"));
            }
            Body::Length(n) => {
                let n = n as usize;
                while buffer.len() < n {
                    if fill(stream, &mut buffer).await? == 0 {
                        return Err(format!(
                            "the stream ended after {} bytes of {n}",
                            buffer.len()
                        ));
                    }
                }
                let rest = buffer.split_off(n);
                self.early.borrow_mut().insert(name.into(), rest);
            }
            Body::UntilClose => {
                while fill(stream, &mut buffer).await? > 0 {
                    if buffer.len() as u64 > BODY_MAX {
                        return Err("the body is too long".into());
                    }
                }
            }
        }
        Ok(Response { head, body: buffer })
    }
}

/// Appends what arrives next; 0 at the end of the stream.
async fn fill<S: TcpIp>(stream: &TcpStream<S>, buffer: &mut Vec<u8>) -> Result<usize, String> {
    let mut chunk = vec![0; CHUNK];
    let got = stream.read(&mut chunk).await.map_err(|e| format!("{e}"))?;
    buffer.extend_from_slice(&chunk[..got]);
    Ok(got)
}
