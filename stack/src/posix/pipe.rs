//! Pipes: octets from one descriptor to another within the process, and `splice(2)`, which fills one from a socket.

use alloc::collections::VecDeque;
use alloc::vec;

use xen_abi::Instant;

use crate::api::{Ready, RecvFlags, SocketError, WideSockets};
use crate::posix::answer::{Message, Output};
use crate::posix::call::{Data, Fd, Room, Status};
use crate::posix::descriptors::{Descriptor, File};
use crate::posix::errno::Errno;
use crate::posix::process::{Attempt, Process, Step};

/// Octets that a pipe holds: Linux's and FreeBSD's 64 KiB.
const CAPACITY: usize = 64 * 1024;

/// A pipe.
#[derive(Debug)]
pub struct Pipe {
    octets: VecDeque<u8>,
    pub reader_open: bool,
    pub writer_open: bool,
}

impl Pipe {
    /// Octets in it.
    pub fn len(&self) -> usize {
        self.octets.len()
    }

    /// Octets that it takes now.
    pub fn room(&self) -> usize {
        CAPACITY - self.octets.len()
    }
}

impl Process {
    pub(super) fn pipe(&mut self) -> Attempt {
        self.descriptors.check_room(2)?;
        let number = self.next_number();
        let pipe = Pipe {
            octets: VecDeque::new(),
            reader_open: true,
            writer_open: true,
        };
        self.pipes.insert(number, pipe);
        let reader = File::PipeReader(number);
        let reader = self.descriptors.open(reader, Status::empty());
        let writer = File::PipeWriter(number);
        let writer = self.descriptors.open(writer, Status::empty());
        Ok(Step::Done(0, Output::Pipe([reader, writer])))
    }

    pub(super) fn close_pipe(&mut self, number: u32, close: impl FnOnce(&mut Pipe)) {
        if let Some(pipe) = self.pipes.get_mut(&number) {
            close(pipe);
            if !pipe.reader_open && !pipe.writer_open {
                self.pipes.remove(&number);
            }
        }
    }

    pub(super) fn read_pipe(&mut self, fd: Fd, into: &[Room]) -> Attempt {
        let Descriptor { file, status } = *self.descriptors.get(fd)?;
        let File::PipeReader(number) = file else {
            return Err(Errno::EBADF);
        };
        let pipe = self.pipe_mut(number)?;
        if pipe.octets.is_empty() && pipe.writer_open {
            return match status.contains(Status::NONBLOCK) {
                true => Err(Errno::EAGAIN),
                false => Ok(Step::Wait),
            };
        }
        let room = into.iter().map(Room::len).fold(0, u64::saturating_add);
        if into.iter().any(|r| matches!(r, Room::Null(1..))) {
            return Err(Errno::EFAULT);
        }
        let n = pipe
            .octets
            .len()
            .min(usize::try_from(room).unwrap_or(usize::MAX));
        let message = Message {
            data: pipe.octets.drain(..n).collect(),
            ..Message::default()
        };
        Ok(Step::Done(n as i64, Output::Message(message)))
    }

    /// As much as there is room for; `sent` octets of `from` were written before.
    pub(super) fn write_pipe(&mut self, fd: Fd, from: &[Data], sent: &mut u64) -> Attempt {
        let Descriptor { file, status } = *self.descriptors.get(fd)?;
        let File::PipeWriter(number) = file else {
            return Err(Errno::EBADF);
        };
        let pipe = self.pipe_mut(number)?;
        if !pipe.reader_open {
            return Err(Errno::EPIPE);
        }
        let mut skip = *sent;
        for data in from {
            let len = data.len();
            let from = skip.min(len);
            let n = (len - from).min(pipe.room() as u64) as usize;
            match data {
                Data::Null(_) if n > 0 => return Err(Errno::EFAULT),
                Data::Null(_) => {}
                Data::Zeros(_) => pipe.octets.extend(core::iter::repeat_n(0, n)),
                Data::Bytes(bytes) => pipe.octets.extend(&bytes[from as usize..from as usize + n]),
            }
            *sent += n as u64;
            skip -= from;
        }
        let whole = from.iter().map(Data::len).fold(0, u64::saturating_add);
        match status.contains(Status::NONBLOCK) {
            _ if *sent == whole => {}
            false => return Ok(Step::Wait),
            true if *sent == 0 => return Err(Errno::EAGAIN),
            true => {}
        }
        Ok(Step::Done(*sent as i64, Output::Nothing))
    }

    /// From a stream socket into a pipe.
    pub(super) fn splice<S: WideSockets>(
        &mut self,
        s: &mut S,
        now: Instant,
        from: Fd,
        to: Fd,
        len: u64,
        nonblocking: bool,
    ) -> Attempt {
        let (socket, blocking) = match self.descriptors.get(from)?.file {
            File::Socket(_) => self.descriptors.socket(from)?,
            _ => return Err(Errno::EINVAL),
        };
        let File::PipeWriter(number) = self.descriptors.get(to)?.file else {
            return Err(Errno::EINVAL);
        };
        let pipe = self.pipe_mut(number)?;
        if !pipe.reader_open {
            return Err(Errno::EPIPE);
        }
        let blocking = blocking && !nonblocking;
        let room = pipe.room().min(usize::try_from(len).unwrap_or(usize::MAX));
        if room == 0 {
            return match blocking {
                _ if len == 0 => Ok(Step::Done(0, Output::Nothing)),
                true => Ok(Step::Wait),
                false => Err(Errno::EAGAIN),
            };
        }
        let urgent = s.ready(socket.id).contains(Ready::URGENT);
        let mut octets = vec![0; room];
        match s.recv_message(now, socket.id, &mut octets, RecvFlags::empty()) {
            Ok(received) => {
                pipe.octets.extend(&octets[..received.len]);
                Ok(Step::Done(received.len as i64, Output::Nothing))
            }
            // The urgent octet stands in the way: nothing, but not the end (Linux, tcp_splice_read()).
            Err(SocketError::EAGAIN) if urgent => Ok(Step::Done(0, Output::Nothing)),
            Err(SocketError::EAGAIN) if blocking => Ok(Step::Wait),
            Err(error) => Err(error.into()),
        }
    }

    fn pipe_mut(&mut self, number: u32) -> Result<&mut Pipe, Errno> {
        self.pipes.get_mut(&number).ok_or(Errno::EBADF)
    }
}
