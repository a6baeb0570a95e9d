//! `poll(2)`: which descriptors are ready.

use alloc::vec::Vec;

use xen_abi::Instant;

use crate::api::{Ready, WideSockets};
use crate::posix::answer::Output;
use crate::posix::call::{Fd, PollEvents, Watched};
use crate::posix::descriptors::File;
use crate::posix::process::{Attempt, Process, Progress, Step};

/// What is reported even if nobody asked.
pub(super) const ALWAYS: PollEvents = PollEvents::ERR
    .union(PollEvents::HUP)
    .union(PollEvents::NVAL);

/// A socket's readiness in `poll(2)`'s words.
pub(super) fn of_socket(ready: Ready) -> PollEvents {
    let mut events = PollEvents::empty();
    for (is, says) in [
        (Ready::READ, PollEvents::IN | PollEvents::RDNORM),
        (Ready::WRITE, PollEvents::OUT | PollEvents::WRNORM),
        (Ready::READ_CLOSED, PollEvents::RDHUP),
        (Ready::HANGUP, PollEvents::HUP),
        (Ready::ERROR, PollEvents::ERR),
        (Ready::URGENT, PollEvents::PRI),
        (Ready::REPORTS, PollEvents::ERR),
    ] {
        if ready.contains(is) {
            events |= says;
        }
    }
    events
}

impl Process {
    /// What is true of a descriptor now.
    pub(super) fn events_of<S: WideSockets>(&self, s: &S, fd: Fd) -> PollEvents {
        let Ok(descriptor) = self.descriptors.get(fd) else {
            return PollEvents::NVAL;
        };
        let mut events = PollEvents::empty();
        match descriptor.file {
            File::Socket(socket) => return of_socket(s.ready(socket.id)),
            File::Epoll(_) => {}
            File::PipeReader(number) => {
                let pipe = &self.pipes[&number];
                events.set(PollEvents::IN | PollEvents::RDNORM, pipe.len() > 0);
                events.set(PollEvents::HUP, !pipe.writer_open);
            }
            File::PipeWriter(number) => {
                let pipe = &self.pipes[&number];
                events.set(PollEvents::OUT | PollEvents::WRNORM, pipe.room() > 0);
                events.set(PollEvents::ERR, !pipe.reader_open);
            }
        }
        events
    }

    pub(super) fn poll<S: WideSockets>(
        &mut self,
        s: &mut S,
        now: Instant,
        watched: &[Watched],
        timeout: Option<u64>,
        progress: &mut Progress,
    ) -> Attempt {
        let found: Vec<PollEvents> = watched
            .iter()
            .map(|w| match w.fd {
                ..0 => PollEvents::empty(),
                fd => self.events_of(s, fd) & (w.events | ALWAYS),
            })
            .collect();
        let ready = found.iter().filter(|events| !events.is_empty()).count();
        let over = progress.is_over(now, timeout);
        if ready == 0 && !over {
            return Ok(Step::Wait);
        }
        Ok(Step::Done(ready as i64, Output::Polled(found)))
    }
}
