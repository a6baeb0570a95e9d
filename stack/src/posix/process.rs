//! A process: its descriptors, and the one call that it may be waiting in.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use xen_abi::Instant;

use crate::api::WideSockets;
use crate::posix::answer::{Answer, Outcome, Output};
use crate::posix::call::{Call, Fd, Ioctl, Status};
use crate::posix::descriptors::{Descriptors, File};
use crate::posix::epoll::Epoll;
use crate::posix::errno::Errno;
use crate::posix::options::{self, Opt, OptionValue};
use crate::posix::personality::Personality;
use crate::posix::pipe::Pipe;

/// What an attempt at a call came to.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Done(i64, Output),
    /// Ask again later.
    Wait,
}

/// An attempt at a call.
pub(super) type Attempt = Result<Step, Errno>;

/// A call without a value.
pub(super) fn nothing() -> Attempt {
    Ok(Step::Done(0, Output::Nothing))
}

/// How far a call has come that is asked more than once.
#[derive(Debug)]
pub(super) struct Progress {
    /// When it was made.
    pub since: Instant,
    /// Its first step is done: a connect was sent, a close has said goodbye.
    pub begun: bool,
    /// What is sent went with a SYN that is not answered yet.
    pub opening: bool,
    /// It waits, and no longer than until then.
    pub deadline: Option<Instant>,
    /// It has waited before.
    pub waited: bool,
    /// Octets sent.
    pub sent: u64,
    /// Octets received.
    pub received: Vec<u8>,
}

/// A POSIX process with one thread.
pub struct Process {
    pub(super) personality: Personality,
    pub(super) descriptors: Descriptors,
    pub(super) pipes: BTreeMap<u32, Pipe>,
    pub(super) epolls: BTreeMap<u32, Epoll>,
    next_number: u32,
    blocked: Option<(Call, Progress)>,
}

impl Progress {
    /// The call waits so long at most; whether that time is up.
    pub fn is_over(&mut self, now: Instant, timeout: Option<u64>) -> bool {
        self.deadline = timeout.map(|ns| self.since.plus(ns));
        self.deadline.is_some_and(|at| now >= at)
    }
}

impl Process {
    /// A process without open sockets.
    pub fn new(personality: Personality) -> Process {
        Process {
            personality,
            descriptors: Descriptors::default(),
            pipes: BTreeMap::new(),
            epolls: BTreeMap::new(),
            next_number: 0,
            blocked: None,
        }
    }

    /// Makes a call. While another one blocks, it is made by another thread, and must not block itself: if it would,
    /// it fails with `EAGAIN`.
    pub fn call<S: WideSockets>(&mut self, sockets: &mut S, now: Instant, call: &Call) -> Outcome {
        let mut progress = Progress {
            since: now,
            begun: false,
            opening: false,
            deadline: None,
            waited: false,
            sent: 0,
            received: Vec::new(),
        };
        match self.attempt(sockets, now, call, &mut progress) {
            Ok(Step::Done(result, output)) => Outcome::Done(Answer::done(result, output)),
            Err(errno) => Outcome::Done(Answer::failed(errno)),
            Ok(Step::Wait) if self.blocked.is_some() => {
                Outcome::Done(Answer::failed(Errno::EAGAIN))
            }
            Ok(Step::Wait) => {
                progress.waited = true;
                self.blocked = Some((call.clone(), progress));
                Outcome::Blocks
            }
        }
    }

    /// Asks the call that blocks again; `None` if it still does, or none does.
    pub fn resume<S: WideSockets>(&mut self, sockets: &mut S, now: Instant) -> Option<Answer> {
        let (call, mut progress) = self.blocked.take()?;
        match self.attempt(sockets, now, &call, &mut progress) {
            Ok(Step::Done(result, output)) => Some(Answer::done(result, output)),
            Err(errno) => Some(Answer::failed(errno)),
            Ok(Step::Wait) => {
                self.blocked = Some((call, progress));
                None
            }
        }
    }

    /// Whether a call blocks.
    pub fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// When the call that blocks gives up, if it does: it must be asked again then.
    pub fn poll_at(&self) -> Option<Instant> {
        self.blocked.as_ref()?.1.deadline
    }

    /// The socket that a descriptor stands for.
    pub fn socket_of(&self, fd: Fd) -> Option<crate::api::SocketId> {
        Some(self.descriptors.socket(fd).ok()?.0.id)
    }

    /// All open descriptors.
    pub fn open_descriptors(&self) -> Vec<Fd> {
        self.descriptors.iter().map(|(fd, _)| fd).collect()
    }

    fn attempt<S: WideSockets>(
        &mut self,
        s: &mut S,
        now: Instant,
        call: &Call,
        progress: &mut Progress,
    ) -> Attempt {
        match call {
            Call::Socket {
                domain,
                kind,
                protocol,
                status,
            } if kind == protocol => self.socket(s, *domain, *kind, *status),
            Call::Socket { .. } => Err(Errno::EPROTONOSUPPORT),
            Call::Bind { fd, address } => self.bind(s, *fd, *address),
            Call::Listen { fd, backlog } => self.listen(s, *fd, *backlog),
            Call::Accept { fd, status } => self.accept(s, *fd, *status),
            Call::Connect { fd, address } => self.connect(s, now, *fd, *address, progress),
            Call::Read { fd, into } => self.recv(s, now, *fd, into, Default::default(), progress),
            Call::Write { fd, from } => {
                self.send(s, now, *fd, from, Default::default(), None, progress)
            }
            Call::Recv { fd, into, flags } => {
                self.descriptors.socket(*fd)?;
                self.recv(s, now, *fd, into, *flags, progress)
            }
            Call::Send {
                fd,
                from,
                flags,
                to,
            } => {
                self.descriptors.socket(*fd)?;
                self.send(s, now, *fd, from, *flags, *to, progress)
            }
            Call::Shutdown { fd, how } => self.shutdown(s, now, *fd, *how),
            Call::Close { fd } => self.close(s, now, *fd, progress),
            Call::GetStatus { fd } => self.get_status(*fd),
            Call::SetStatus { fd, status } => self.set_status(*fd, *status),
            Call::Ioctl { fd, request } => self.ioctl(s, *fd, *request),
            Call::GetOption { fd, option, len } => self.get_option(s, now, *fd, *option, *len),
            Call::SetOption {
                fd,
                option,
                value,
                len,
            } => self.set_option(s, *fd, *option, value, *len),
            Call::LocalName { fd } => self.local_name(s, *fd),
            Call::PeerName { fd } => self.peer_name(s, *fd),
            Call::Poll { watched, timeout } => self.poll(s, now, watched, *timeout, progress),
            Call::EpollCreate { size } => self.epoll_create(*size),
            Call::EpollControl { epoll, fd, control } => {
                self.epoll_control(s, *epoll, *fd, *control)
            }
            Call::EpollWait {
                epoll,
                most,
                timeout,
            } => self.epoll_wait(s, now, *epoll, *most, *timeout, progress),
            Call::Pipe => self.pipe(),
            Call::Splice {
                from,
                to,
                len,
                nonblocking,
            } => self.splice(s, now, *from, *to, *len, *nonblocking),
        }
    }

    /// A number for a pipe or an epoll. Each holds at least one of the process's few descriptors, so the number is free
    /// when it comes round again.
    pub(super) fn next_number(&mut self) -> u32 {
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        number
    }

    fn get_status(&self, fd: Fd) -> Attempt {
        let descriptor = self.descriptors.get(fd)?;
        let access = match descriptor.file {
            File::PipeReader(_) => 0,
            File::PipeWriter(_) => 1,
            File::Socket(_) | File::Epoll(_) => 2,
        };
        let nonblock = if descriptor.status.contains(Status::NONBLOCK) {
            self.personality.nonblock()
        } else {
            0
        };
        Ok(Step::Done(access | nonblock, Output::Nothing))
    }

    /// The access mode does not change, whatever is asked.
    fn set_status(&mut self, fd: Fd, status: Status) -> Attempt {
        let descriptor = self.descriptors.get_mut(fd)?;
        let nonblock = status.contains(Status::NONBLOCK);
        descriptor.status.set(Status::NONBLOCK, nonblock);
        nothing()
    }

    fn ioctl<S: WideSockets>(&mut self, s: &mut S, fd: Fd, request: Ioctl) -> Attempt {
        if let Ioctl::NonBlocking(on) = request {
            self.descriptors
                .get_mut(fd)?
                .status
                .set(Status::NONBLOCK, on);
            return nothing();
        }
        let octets = match self.descriptors.get(fd)?.file {
            File::PipeReader(pipe) if request == Ioctl::InQueue => self.pipes[&pipe].len() as u64,
            File::PipeReader(_) | File::PipeWriter(_) | File::Epoll(_) => {
                return Err(Errno::ENOTTY);
            }
            File::Socket(socket) => {
                let queued = s.queued(socket.id)?;
                match request {
                    Ioctl::InQueue => queued.unread,
                    Ioctl::OutQueue => queued.unacknowledged,
                    Ioctl::OutQueueUnsent => queued.unsent,
                    Ioctl::OutSpace => queued.room,
                    Ioctl::NonBlocking(_) => unreachable!("it was done above"),
                }
            }
        };
        Ok(Step::Done(0, Output::Number(octets as i64)))
    }

    fn get_option<S: WideSockets>(
        &self,
        s: &mut S,
        now: Instant,
        fd: Fd,
        option: Opt,
        len: u32,
    ) -> Attempt {
        let (socket, _) = self.descriptors.socket(fd)?;
        let value = match option {
            Opt::Error => OptionValue::Errno(s.take_error(socket.id).map(Errno::from)),
            Opt::Type => OptionValue::Int(options::type_number(socket.kind)),
            Opt::TcpInfo => OptionValue::Info(Box::new(s.tcp_info(now, socket.id)?)),
            Opt::Kept(name) => options::to_get(s.option(socket.id, name)?),
            Opt::Unknown => return Err(Errno::ENOPROTOOPT),
        };
        let len = options::length(&value, len);
        Ok(Step::Done(0, Output::Option(value, len)))
    }

    fn set_option<S: WideSockets>(
        &mut self,
        s: &mut S,
        fd: Fd,
        option: Opt,
        value: &OptionValue,
        len: u32,
    ) -> Attempt {
        let (socket, _) = self.descriptors.socket(fd)?;
        match option {
            Opt::Kept(name) => s.set_option(socket.id, options::to_set(name, value, len)?)?,
            Opt::Error | Opt::Type | Opt::TcpInfo | Opt::Unknown => return Err(Errno::ENOPROTOOPT),
        }
        nothing()
    }
}
