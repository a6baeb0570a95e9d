//! What file descriptors stand for. The lowest free number is given, as POSIX has it; 0, 1 and 2 are the program's own.

use alloc::collections::BTreeMap;

use crate::api::{SocketId, SocketKind};
use crate::posix::call::{Domain, Fd, Status};
use crate::posix::errno::Errno;

/// Standard input, output and error are taken.
const FIRST: Fd = 3;
/// `RLIMIT_NOFILE`, as deployed.
const MOST: usize = 1024;

/// A socket of the process.
#[derive(Clone, Copy, Debug)]
pub struct SocketFile {
    pub id: SocketId,
    pub kind: SocketKind,
    pub domain: Domain,
    /// A non-blocking connect is under way, or has succeeded and nobody was told.
    pub connecting: bool,
}

/// What a descriptor refers to.
#[derive(Clone, Copy, Debug)]
pub enum File {
    Socket(SocketFile),
    /// The reading end of the pipe with this number.
    PipeReader(u32),
    /// The writing end.
    PipeWriter(u32),
    /// The epoll with this number.
    Epoll(u32),
}

/// An open file.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    pub file: File,
    pub status: Status,
}

/// A process's open files.
#[derive(Debug, Default)]
pub struct Descriptors {
    open: BTreeMap<Fd, Descriptor>,
}

impl Descriptors {
    /// Whether so many more can be opened.
    pub fn check_room(&self, more: usize) -> Result<(), Errno> {
        if self.open.len() + more > MOST {
            return Err(Errno::EMFILE);
        }
        Ok(())
    }

    /// Opens a file; there must be room.
    pub fn open(&mut self, file: File, status: Status) -> Fd {
        assert!(self.open.len() < MOST, "room was asked for");
        let status = status | Status::RDWR;
        let mut fd = FIRST;
        for &taken in self.open.keys() {
            if taken != fd {
                break;
            }
            fd += 1;
        }
        self.open.insert(fd, Descriptor { file, status });
        fd
    }

    /// An open file.
    pub fn get(&self, fd: Fd) -> Result<&Descriptor, Errno> {
        self.open.get(&fd).ok_or(Errno::EBADF)
    }

    /// An open file, to be changed.
    pub fn get_mut(&mut self, fd: Fd) -> Result<&mut Descriptor, Errno> {
        self.open.get_mut(&fd).ok_or(Errno::EBADF)
    }

    /// A socket, and whether calls on it block.
    pub fn socket(&self, fd: Fd) -> Result<(SocketFile, bool), Errno> {
        let descriptor = self.get(fd)?;
        match descriptor.file {
            File::Socket(socket) => Ok((socket, !descriptor.status.contains(Status::NONBLOCK))),
            _ => Err(Errno::ENOTSOCK),
        }
    }

    /// A socket, to be changed.
    pub fn socket_mut(&mut self, fd: Fd) -> Result<&mut SocketFile, Errno> {
        match &mut self.get_mut(fd)?.file {
            File::Socket(socket) => Ok(socket),
            _ => Err(Errno::ENOTSOCK),
        }
    }

    /// The number stands for nothing any more.
    pub fn close(&mut self, fd: Fd) -> Result<File, Errno> {
        Ok(self.open.remove(&fd).ok_or(Errno::EBADF)?.file)
    }

    /// All open files, by number.
    pub fn iter(&self) -> impl Iterator<Item = (Fd, &Descriptor)> {
        self.open.iter().map(|(&fd, descriptor)| (fd, descriptor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_given() {
        let mut files = Descriptors::default();
        let status = Status::empty();
        assert_eq!(files.open(File::PipeReader(0), status), 3);
        assert_eq!(files.open(File::PipeWriter(0), status), 4);
        files.close(3).expect("it is open");
        assert_eq!(files.open(File::PipeReader(1), status), 3);
        assert_eq!(files.open(File::PipeReader(1), status), 5);
        assert_eq!(files.get(6).err(), Some(Errno::EBADF));
    }

    #[test]
    fn a_process_has_so_many_descriptors_and_no_more() {
        let mut files = Descriptors::default();
        while files.check_room(1).is_ok() {
            files.open(File::PipeReader(0), Status::empty());
        }
        assert_eq!(files.iter().count(), MOST);
        assert_eq!(files.check_room(1), Err(Errno::EMFILE));
    }
}
