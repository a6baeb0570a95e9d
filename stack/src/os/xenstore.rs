//! The xenstore as tasks see it: requests that are awaited, watches, transactions that are tried again.
//!
//! [`Store`] lies in the shared cell: requests wait in it until the kernel hands them to the ring, and answers until
//! their task takes them. The wire itself is [`crate::dev::xenbus`].

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use xen_abi::Errno;
use xen_abi::io::xs_wire::{ABS_PATH_MAX, PAYLOAD_MAX, xs};

use super::handle::Os;
use super::shared::TcpIp;
use crate::dev::xenbus::Message;

/// The transaction that is none.
const NO_TRANSACTION: u32 = 0;
/// How often a transaction that conflicts is tried again.
const TRIES: u32 = 100;
/// Watch events that may wait for their task; more are one and the same news.
const WATCH_BACKLOG: usize = 64;

enum Answer {
    Waiting(Option<Waker>),
    Here(Result<Vec<u8>, Errno>),
}

#[derive(Default)]
struct WatchState {
    fired: VecDeque<String>,
    waker: Option<Waker>,
}

/// Requests, answers and watches under way.
#[derive(Default)]
pub struct Store {
    outgoing: VecDeque<Message>,
    answers: BTreeMap<u32, Answer>,
    watches: BTreeMap<u32, (String, WatchState)>,
    last_request: u32,
    last_watch: u32,
    broken: bool,
}

impl Store {
    /// The next request for the ring.
    pub fn pop_outgoing(&mut self) -> Option<Message> {
        self.outgoing.pop_front()
    }

    /// Takes what xenstored sent: an answer, or a watch's event.
    pub fn receive(&mut self, message: Message) {
        if message.kind == xs::WATCH_EVENT {
            self.watch_fired(&message.payload);
            return;
        }
        // An answer that nobody waits for (an unwatch's) is passed over.
        let Some(answer) = self.answers.get_mut(&message.request) else {
            return;
        };
        let result = match message.kind {
            xs::ERROR => Err(error_of(&message.payload)),
            _ => Ok(message.payload),
        };
        if let Answer::Waiting(Some(waker)) = core::mem::replace(answer, Answer::Here(result)) {
            waker.wake();
        }
    }

    /// The ring is broken: all requests, present and future, fail with EIO.
    pub fn give_up(&mut self) {
        self.broken = true;
        self.outgoing.clear();
        for answer in self.answers.values_mut() {
            if let Answer::Waiting(waker) = answer {
                let waker = waker.take();
                *answer = Answer::Here(Err(Errno::EIO));
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        }
    }

    /// After a suspend that was not cancelled xenstored knows no watch of ours, and what was asked is lost: requests
    /// fail with EAGAIN, watches are registered again, which also makes each fire.
    pub fn resume(&mut self) {
        self.give_up();
        self.broken = false;
        let again: Vec<_> = self
            .watches
            .iter()
            .map(|(token, w)| (*token, w.0.clone()))
            .collect();
        for (token, path) in again {
            self.request(xs::WATCH, NO_TRANSACTION, watch_payload(&path, token));
        }
    }

    fn watch_fired(&mut self, payload: &[u8]) {
        let mut parts = payload.split(|byte| *byte == 0);
        let (path, token) = (parts.next(), parts.next());
        let watch = token
            .and_then(|token| core::str::from_utf8(token).ok()?.parse().ok())
            .and_then(|token: u32| self.watches.get_mut(&token));
        let path = path.and_then(|path| core::str::from_utf8(path).ok());
        if let (Some((_, watch)), Some(path)) = (watch, path) {
            if watch.fired.len() < WATCH_BACKLOG {
                watch.fired.push_back(path.to_string());
            }
            if let Some(waker) = watch.waker.take() {
                waker.wake();
            }
        }
    }

    fn request(&mut self, kind: u32, transaction: u32, payload: Vec<u8>) -> u32 {
        // 0 is the name of watch events.
        self.last_request = self.last_request.checked_add(1).unwrap_or(1);
        self.outgoing.push_back(Message {
            kind,
            request: self.last_request,
            transaction,
            payload,
        });
        self.last_request
    }
}

/// The error that an `XS_ERROR` names; one that we do not know is EIO.
fn error_of(payload: &[u8]) -> Errno {
    let name = payload.split(|byte| *byte == 0).next().unwrap_or_default();
    core::str::from_utf8(name)
        .ok()
        .and_then(Errno::from_name)
        .unwrap_or(Errno::EIO)
}

fn watch_payload(path: &str, token: u32) -> Vec<u8> {
    format!("{path}\0{token}\0").into_bytes()
}

fn path_payload(path: &str) -> Vec<u8> {
    format!("{path}\0").into_bytes()
}

/// The domain's xenstore, outside of transactions. A path that does not begin with `/` is below the domain's own.
pub struct Xenstore<S: TcpIp> {
    os: Os<S>,
    transaction: u32,
}

impl<S: TcpIp> Xenstore<S> {
    pub(super) fn new(os: Os<S>) -> Xenstore<S> {
        Xenstore {
            os,
            transaction: NO_TRANSACTION,
        }
    }

    /// A node's value.
    pub async fn read(&self, path: &str) -> Result<Vec<u8>, Errno> {
        self.ask(xs::READ, path_payload(path)).await
    }

    /// A node's value as text.
    pub async fn read_text(&self, path: &str) -> Result<String, Errno> {
        String::from_utf8(self.read(path).await?).map_err(|_| Errno::EINVAL)
    }

    /// The names of a node's children.
    pub async fn directory(&self, path: &str) -> Result<Vec<String>, Errno> {
        let names = match self.ask(xs::DIRECTORY, path_payload(path)).await {
            Err(Errno::E2BIG) => self.directory_in_parts(path).await?,
            answer => answer?,
        };
        let text = String::from_utf8(names).map_err(|_| Errno::EINVAL)?;
        Ok(text.split_terminator('\0').map(String::from).collect())
    }

    /// Writes a node; creates it when it is not there.
    pub async fn write(&self, path: &str, value: &[u8]) -> Result<(), Errno> {
        let mut payload = path_payload(path);
        payload.extend_from_slice(value);
        self.ask(xs::WRITE, payload).await.map(drop)
    }

    /// Removes a node and all below it.
    pub async fn rm(&self, path: &str) -> Result<(), Errno> {
        self.ask(xs::RM, path_payload(path)).await.map(drop)
    }

    /// Watches a node and all below it. The watch fires once as soon as it is registered.
    pub async fn watch(&self, path: &str) -> Result<Watch<S>, Errno> {
        let token = {
            let store = &mut self.os.0.borrow_mut().store;
            store.last_watch += 1;
            let watch = (path.to_string(), WatchState::default());
            store.watches.insert(store.last_watch, watch);
            store.last_watch
        };
        let watch = Watch {
            os: self.os.clone(),
            token,
        };
        self.ask(xs::WATCH, watch_payload(path, token)).await?;
        Ok(watch)
    }

    /// Runs `body` in a transaction, again and again while its commit conflicts with somebody else's. When `body`
    /// fails the transaction is aborted.
    pub async fn transaction<T>(
        &self,
        body: impl AsyncFn(&Xenstore<S>) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        for _ in 0..TRIES {
            let started = self.ask(xs::TRANSACTION_START, path_payload("")).await?;
            let inner = Xenstore {
                os: self.os.clone(),
                transaction: transaction_number(&started)?,
            };
            let outcome = body(&inner).await;
            let verdict = if outcome.is_ok() { "T" } else { "F" };
            let end = inner.ask(xs::TRANSACTION_END, path_payload(verdict)).await;
            match (outcome, end) {
                (Ok(_), Err(Errno::EAGAIN)) => continue,
                (Ok(value), Ok(_)) => return Ok(value),
                (Ok(_), Err(error)) | (Err(error), _) => return Err(error),
            }
        }
        Err(Errno::EAGAIN)
    }

    /// A directory too long for one answer. `XS_DIRECTORY_PART` answers a generation, then names; the last part ends
    /// with an empty name; a generation that changes means starting again.
    async fn directory_in_parts(&self, path: &str) -> Result<Vec<u8>, Errno> {
        let mut names = Vec::new();
        let mut generation = Vec::new();
        for _ in 0..TRIES {
            let request = format!("{path}\0{}\0", names.len()).into_bytes();
            let part = self.ask(xs::DIRECTORY_PART, request).await?;
            let cut = part.iter().position(|b| *b == 0).ok_or(Errno::EINVAL)?;
            let (this, rest) = (&part[..cut], &part[cut + 1..]);
            if !names.is_empty() && generation != this {
                names.clear();
                continue;
            }
            generation = this.to_vec();
            match rest.strip_suffix(b"\0\0") {
                Some(last) => {
                    names.extend_from_slice(last);
                    names.push(0);
                    return Ok(names);
                }
                None if rest == b"\0" || rest.is_empty() => return Ok(names),
                None => names.extend_from_slice(rest),
            }
        }
        Err(Errno::E2BIG)
    }

    async fn ask(&self, kind: u32, payload: Vec<u8>) -> Result<Vec<u8>, Errno> {
        if payload.len() > PAYLOAD_MAX {
            return Err(Errno::E2BIG);
        }
        let request = {
            let store = &mut self.os.0.borrow_mut().store;
            if store.broken {
                return Err(Errno::EIO);
            }
            let request = store.request(kind, self.transaction, payload);
            store.answers.insert(request, Answer::Waiting(None));
            request
        };
        Asked {
            os: self.os.clone(),
            request,
        }
        .await
    }
}

fn transaction_number(payload: &[u8]) -> Result<u32, Errno> {
    let text = payload.strip_suffix(b"\0").unwrap_or(payload);
    core::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|number| *number != NO_TRANSACTION)
        .ok_or(Errno::EINVAL)
}

/// A request under way. Dropping it forgets the answer.
struct Asked<S: TcpIp> {
    os: Os<S>,
    request: u32,
}

impl<S: TcpIp> Future for Asked<S> {
    type Output = Result<Vec<u8>, Errno>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answers = &mut self.os.0.borrow_mut().store.answers;
        match answers.remove(&self.request) {
            Some(Answer::Here(result)) => Poll::Ready(result),
            _ => {
                let waiting = Answer::Waiting(Some(cx.waker().clone()));
                answers.insert(self.request, waiting);
                Poll::Pending
            }
        }
    }
}

impl<S: TcpIp> Drop for Asked<S> {
    fn drop(&mut self) {
        self.os.0.borrow_mut().store.answers.remove(&self.request);
    }
}

/// A registered watch; dropping it unwatches.
pub struct Watch<S: TcpIp> {
    os: Os<S>,
    token: u32,
}

impl<S: TcpIp> Watch<S> {
    /// The path of the next change, in the form in which the watch was registered.
    pub async fn changed(&self) -> String {
        poll_fn(|cx| {
            let store = &mut self.os.0.borrow_mut().store;
            let Some((_, watch)) = store.watches.get_mut(&self.token) else {
                return Poll::Pending;
            };
            match watch.fired.pop_front() {
                Some(path) => Poll::Ready(path),
                None => {
                    watch.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl<S: TcpIp> Drop for Watch<S> {
    fn drop(&mut self) {
        let store = &mut self.os.0.borrow_mut().store;
        if let Some((path, _)) = store.watches.remove(&self.token)
            && !store.broken
        {
            store.request(
                xs::UNWATCH,
                NO_TRANSACTION,
                watch_payload(&path, self.token),
            );
        }
    }
}

const _: () = assert!(ABS_PATH_MAX < PAYLOAD_MAX, "a path fits into a request");
