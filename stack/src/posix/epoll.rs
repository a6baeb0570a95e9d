//! `epoll(7)`: descriptors that are watched together. As in Linux, what may be ready stands on a list; a wait looks at
//! the list only, and what is watched for edges leaves it even if it stays ready.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use xen_abi::Instant;

use crate::api::{SocketId, WideSockets};
use crate::posix::answer::Output;
use crate::posix::call::{EpollControl, Fd, PollEvents, Status};
use crate::posix::descriptors::File;
use crate::posix::errno::Errno;
use crate::posix::poll::{ALWAYS, of_socket};
use crate::posix::process::{Attempt, Process, Progress, Step, nothing};

/// How a descriptor is watched, which is not what it is watched for.
const HOW: PollEvents = PollEvents::ET
    .union(PollEvents::ONESHOT)
    .union(PollEvents::EXCLUSIVE)
    .union(PollEvents::WAKEUP);

/// A descriptor that is watched.
#[derive(Clone, Copy, Debug)]
struct Watch {
    events: PollEvents,
    /// What the program wants back with its events.
    data: u64,
    /// It stands on the list.
    listed: bool,
}

/// One epoll descriptor's descriptors.
#[derive(Debug, Default)]
pub struct Epoll {
    watched: BTreeMap<Fd, Watch>,
    list: VecDeque<Fd>,
}

impl Epoll {
    /// Something happened to a descriptor that may make these true.
    fn note(&mut self, fd: Fd, may_be: PollEvents) {
        let Some(watch) = self.watched.get_mut(&fd) else {
            return;
        };
        // After its one shot nothing wakes it until it is armed again.
        let armed = !(watch.events - HOW).is_empty();
        if armed && may_be.intersects(watch.events | ALWAYS) && !watch.listed {
            watch.listed = true;
            self.list.push_back(fd);
        }
    }

    /// Forgets a descriptor.
    pub fn forget(&mut self, fd: Fd) -> Result<(), Errno> {
        self.watched.remove(&fd).ok_or(Errno::ENOENT)?;
        self.list.retain(|&listed| listed != fd);
        Ok(())
    }
}

impl Process {
    pub(super) fn epoll_create(&mut self, size: i64) -> Attempt {
        if size <= 0 {
            return Err(Errno::EINVAL);
        }
        self.descriptors.check_room(1)?;
        let number = self.next_number();
        self.epolls.insert(number, Epoll::default());
        let fd = self.descriptors.open(File::Epoll(number), Status::empty());
        Ok(Step::Done(i64::from(fd), Output::Nothing))
    }

    pub(super) fn epoll_control<S: WideSockets>(
        &mut self,
        s: &mut S,
        epoll: Fd,
        fd: Fd,
        control: EpollControl,
    ) -> Attempt {
        self.hear_news(s);
        let number = self.epoll_number(epoll)?;
        if matches!(self.descriptors.get(fd)?.file, File::Epoll(_)) {
            return Err(Errno::EINVAL);
        }
        let now = self.events_of(s, fd);
        let epoll = self.epolls.get_mut(&number).ok_or(Errno::EBADF)?;
        let (events, data) = match control {
            EpollControl::Delete => {
                epoll.forget(fd)?;
                return nothing();
            }
            EpollControl::Add { .. } if epoll.watched.contains_key(&fd) => {
                return Err(Errno::EEXIST);
            }
            EpollControl::Modify { .. } if !epoll.watched.contains_key(&fd) => {
                return Err(Errno::ENOENT);
            }
            // Exclusiveness is decided once.
            EpollControl::Modify { events, .. } if events.contains(PollEvents::EXCLUSIVE) => {
                return Err(Errno::EINVAL);
            }
            EpollControl::Add { events, data } | EpollControl::Modify { events, data } => {
                (events, data)
            }
        };
        let listed = epoll.watched.get(&fd).is_some_and(|watch| watch.listed);
        let watch = Watch {
            events,
            data,
            listed,
        };
        epoll.watched.insert(fd, watch);
        epoll.note(fd, now);
        nothing()
    }

    pub(super) fn epoll_wait<S: WideSockets>(
        &mut self,
        s: &mut S,
        now: Instant,
        epoll: Fd,
        most: i64,
        timeout: Option<u64>,
        progress: &mut Progress,
    ) -> Attempt {
        self.hear_news(s);
        let number = self.epoll_number(epoll)?;
        let most = usize::try_from(most).unwrap_or(0);
        if most == 0 {
            return Err(Errno::EINVAL);
        }
        let found = self.collect(s, number, most);
        let over = progress.is_over(now, timeout);
        if found.is_empty() && !over {
            return Ok(Step::Wait);
        }
        Ok(Step::Done(found.len() as i64, Output::Epolled(found)))
    }

    /// Takes at most so many descriptors from the list that are ready indeed.
    fn collect<S: WideSockets>(
        &mut self,
        s: &S,
        number: u32,
        most: usize,
    ) -> Vec<(PollEvents, u64)> {
        let mut found = Vec::new();
        let Some(mut epoll) = self.epolls.remove(&number) else {
            return found;
        };
        for _ in 0..epoll.list.len() {
            if found.len() == most {
                break;
            }
            let Some(fd) = epoll.list.pop_front() else {
                break;
            };
            let is = self.events_of(s, fd);
            let Some(watch) = epoll.watched.get_mut(&fd) else {
                continue;
            };
            watch.listed = false;
            let events = is & ((watch.events - HOW) | ALWAYS);
            if events.is_empty() {
                continue;
            }
            found.push((events, watch.data));
            if watch.events.contains(PollEvents::ONESHOT) {
                watch.events &= HOW;
            } else if !watch.events.contains(PollEvents::ET) {
                watch.listed = true;
                epoll.list.push_back(fd);
            }
        }
        self.epolls.insert(number, epoll);
        found
    }

    /// Lists what has happened to sockets. Pipes are watched by level only: they change by the program's own calls.
    fn hear_news<S: WideSockets>(&mut self, s: &mut S) {
        while let Some((socket, kinds)) = s.next_news() {
            if let Some(fd) = self.descriptor_of(socket) {
                let may_be = of_socket(kinds);
                for epoll in self.epolls.values_mut() {
                    epoll.note(fd, may_be);
                }
            }
        }
        let pipes: Vec<Fd> = self
            .descriptors
            .iter()
            .filter(|(_, d)| matches!(d.file, File::PipeReader(_) | File::PipeWriter(_)))
            .map(|(fd, _)| fd)
            .collect();
        for fd in pipes {
            let is = self.events_of(s, fd);
            for epoll in self.epolls.values_mut() {
                epoll.note(fd, is);
            }
        }
    }

    fn descriptor_of(&self, id: SocketId) -> Option<Fd> {
        let mut all = self.descriptors.iter();
        all.find(|(_, d)| matches!(d.file, File::Socket(s) if s.id == id))
            .map(|(fd, _)| fd)
    }

    fn epoll_number(&self, fd: Fd) -> Result<u32, Errno> {
        match self.descriptors.get(fd)?.file {
            File::Epoll(number) => Ok(number),
            _ => Err(Errno::EINVAL),
        }
    }
}
