//! Octets between a program and its sockets. A blocking write returns when all is taken, a blocking read when there is
//! anything (POSIX, send(), recv()).

use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;

use xen_abi::Instant;

use crate::api::{Ready, RecvFlags, SendFlags, SocketError, SocketKind, WideSockets};
use crate::posix::answer::{Message, Output};
use crate::posix::call::{Data, Fd, MsgFlags, Room};
use crate::posix::descriptors::{File, SocketFile};
use crate::posix::errno::Errno;
use crate::posix::process::{Attempt, Process, Progress, Step};
use crate::posix::sockets::{for_program, for_stack};

/// Octets offered to the stack at once, and memory that a call takes at most beyond what was received.
const PIECE: usize = 1 << 20;
/// The longest datagram, headers counted.
const DATAGRAM: usize = 65_535;

/// The octets from `offset` on, at most a piece; `None`: the program's pointer leads nowhere.
fn piece(from: &[Data], mut offset: u64) -> Option<Cow<'_, [u8]>> {
    for data in from {
        if offset >= data.len() {
            offset -= data.len();
            continue;
        }
        let len = (data.len() - offset).min(PIECE as u64) as usize;
        return match data {
            Data::Null(_) => None,
            Data::Zeros(_) => Some(Cow::Owned(vec![0; len])),
            Data::Bytes(bytes) => Some(Cow::Borrowed(&bytes[offset as usize..][..len])),
        };
    }
    Some(Cow::Borrowed(&[]))
}

fn send_flags(flags: MsgFlags) -> SendFlags {
    let mut to = SendFlags::empty();
    to.set(SendFlags::MORE, flags.contains(MsgFlags::MORE));
    to.set(SendFlags::EOR, flags.contains(MsgFlags::EOR));
    to.set(SendFlags::OOB, flags.contains(MsgFlags::OOB));
    to.set(SendFlags::ZEROCOPY, flags.contains(MsgFlags::ZEROCOPY));
    to
}

fn recv_flags(flags: MsgFlags) -> RecvFlags {
    let mut to = RecvFlags::empty();
    to.set(RecvFlags::PEEK, flags.contains(MsgFlags::PEEK));
    to.set(RecvFlags::TRUNC, flags.contains(MsgFlags::TRUNC));
    to.set(RecvFlags::OOB, flags.contains(MsgFlags::OOB));
    to
}

/// So many octets went out.
fn sent(progress: &Progress) -> Attempt {
    Ok(Step::Done(progress.sent as i64, Output::Nothing))
}

impl Process {
    #[allow(clippy::too_many_arguments, reason = "they are sendmsg(2)'s")]
    pub(super) fn send<S: WideSockets>(
        &mut self,
        s: &mut S,
        now: Instant,
        fd: Fd,
        from: &[Data],
        flags: MsgFlags,
        to: Option<SocketAddr>,
        progress: &mut Progress,
    ) -> Attempt {
        let whole = from.iter().map(Data::len).fold(0, u64::saturating_add);
        if i64::try_from(whole).is_err() {
            return Err(Errno::EINVAL);
        }
        if !matches!(self.descriptors.get(fd)?.file, File::Socket(_)) {
            return self.write_pipe(fd, from, &mut progress.sent);
        }
        let (socket, blocking) = self.descriptors.socket(fd)?;
        let blocking = blocking && !flags.contains(MsgFlags::DONTWAIT);
        let to = to.map(|to| for_stack(socket.domain, to)).transpose()?;
        let result = match socket.kind {
            SocketKind::Datagram => send_datagram(s, now, socket, from, whole, to),
            SocketKind::Stream => {
                if let Some(to) = to
                    && !progress.begun
                    && (flags.contains(MsgFlags::FASTOPEN) || self.personality.implied_connect)
                {
                    let fast_open = flags.contains(MsgFlags::FASTOPEN);
                    open_sending(s, now, socket, from, to, fast_open, blocking, progress)?;
                    if fast_open && !blocking {
                        return sent(progress);
                    }
                }
                send_stream(s, now, socket, from, whole, flags, progress)
            }
        };
        match result {
            Err(Errno::EAGAIN) if blocking => Ok(Step::Wait),
            Err(Errno::EAGAIN) if progress.sent > 0 => sent(progress),
            Err(Errno::ENOTCONN) if socket.kind == SocketKind::Stream => {
                Err(self.personality.send_unconnected)
            }
            result => result,
        }
    }

    pub(super) fn recv<S: WideSockets>(
        &mut self,
        s: &mut S,
        now: Instant,
        fd: Fd,
        into: &[Room],
        flags: MsgFlags,
        progress: &mut Progress,
    ) -> Attempt {
        if !matches!(self.descriptors.get(fd)?.file, File::Socket(_)) {
            return self.read_pipe(fd, into);
        }
        let (socket, blocking) = self.descriptors.socket(fd)?;
        let blocking = blocking && !flags.contains(MsgFlags::DONTWAIT);
        let result = match socket.kind {
            SocketKind::Datagram => recv_datagram(s, now, socket, into, flags),
            // A blocking read waits for as much as the program wants at least (SO_RCVLOWAT).
            SocketKind::Stream if blocking && has_too_little(s, socket) => Err(Errno::EAGAIN),
            SocketKind::Stream => recv_stream(s, now, socket, into, flags, progress),
        };
        match result {
            Err(Errno::EAGAIN) if blocking => Ok(Step::Wait),
            Err(_) if !progress.received.is_empty() => received(progress),
            result => result,
        }
    }
}

/// Whether there is something to read, and yet the socket is not readable.
fn has_too_little<S: WideSockets>(s: &S, socket: SocketFile) -> bool {
    s.queued(socket.id).is_ok_and(|queued| queued.unread > 0)
        && !s.ready(socket.id).contains(Ready::READ)
}

/// All that was received so far.
fn received(progress: &mut Progress) -> Attempt {
    let message = Message {
        data: core::mem::take(&mut progress.received),
        ..Message::default()
    };
    Ok(Step::Done(
        message.data.len() as i64,
        Output::Message(message),
    ))
}

/// `sendto(2)` on a stream that is not connected: connects, with data if that can be. On one that is, it does nothing
/// unless it is Fast Open that was asked for.
#[allow(clippy::too_many_arguments, reason = "they are sendmsg(2)'s")]
fn open_sending<S: WideSockets>(
    s: &mut S,
    now: Instant,
    socket: SocketFile,
    from: &[Data],
    to: SocketAddr,
    fast_open: bool,
    blocking: bool,
    progress: &mut Progress,
) -> Result<(), Errno> {
    let data = piece(from, 0).ok_or(Errno::EFAULT)?;
    match s.connect_sending(now, socket.id, to, &data, fast_open) {
        Ok(taken) => {
            progress.sent = taken as u64;
            progress.opening = fast_open;
        }
        Err(SocketError::EISCONN | SocketError::EALREADY) if !fast_open => {}
        Err(SocketError::EINPROGRESS) if blocking => {}
        Err(error) => return Err(error.into()),
    }
    progress.begun = true;
    Ok(())
}

/// As much as the stack takes.
fn send_stream<S: WideSockets>(
    s: &mut S,
    now: Instant,
    socket: SocketFile,
    from: &[Data],
    whole: u64,
    flags: MsgFlags,
    progress: &mut Progress,
) -> Attempt {
    loop {
        // Data that went with a SYN are sent when the SYN is answered; what ends the connection before ends this call.
        if progress.opening && s.peer_addr(socket.id).is_ok() {
            progress.opening = false;
        }
        if progress.opening && progress.sent > 0 {
            return match s.take_error(socket.id) {
                Some(error) => Err(error.into()),
                None => Err(Errno::EAGAIN),
            };
        }
        // An error that comes after some octets were taken is the next call's.
        if progress.sent > 0 && s.ready(socket.id).contains(Ready::ERROR) {
            return sent(progress);
        }
        let Some(data) = piece(from, progress.sent) else {
            if progress.sent > 0 {
                return sent(progress);
            }
            // The socket's own refusal comes first.
            s.send(now, socket.id, &[])?;
            return Err(Errno::EFAULT);
        };
        if data.is_empty() && whole > 0 {
            return sent(progress);
        }
        match s.send_message(now, socket.id, &data, send_flags(flags)) {
            Ok(taken) => {
                progress.opening |= progress.sent == 0 && s.peer_addr(socket.id).is_err();
                progress.sent += taken as u64;
            }
            Err(SocketError::EINPROGRESS) if progress.begun => return Err(Errno::EAGAIN),
            Err(error) if progress.sent > 0 && error != SocketError::EAGAIN => {
                return sent(progress);
            }
            Err(error) => return Err(error.into()),
        }
        if whole == 0 {
            return sent(progress);
        }
    }
}

fn send_datagram<S: WideSockets>(
    s: &mut S,
    now: Instant,
    socket: SocketFile,
    from: &[Data],
    whole: u64,
    to: Option<SocketAddr>,
) -> Attempt {
    if whole > DATAGRAM as u64 {
        return Err(Errno::EMSGSIZE);
    }
    let mut datagram = Vec::with_capacity(whole as usize);
    while datagram.len() < whole as usize {
        let data = piece(from, datagram.len() as u64).ok_or(Errno::EFAULT)?;
        datagram.extend_from_slice(&data);
    }
    let n = match to {
        Some(to) => s.send_to(now, socket.id, &datagram, to)?,
        None => s.send(now, socket.id, &datagram)?,
    };
    Ok(Step::Done(n as i64, Output::Nothing))
}

fn recv_stream<S: WideSockets>(
    s: &mut S,
    now: Instant,
    socket: SocketFile,
    into: &[Room],
    flags: MsgFlags,
    progress: &mut Progress,
) -> Attempt {
    let whole = into.iter().map(Room::len).fold(0, u64::saturating_add);
    let whole = usize::try_from(whole).unwrap_or(usize::MAX);
    if whole == 0 {
        return received(progress);
    }
    let null = into.iter().any(|room| matches!(room, Room::Null(1..)));
    let all = flags.contains(MsgFlags::WAITALL) && !flags.contains(MsgFlags::PEEK);
    loop {
        let unread = s.queued(socket.id).map_or(PIECE as u64, |q| q.unread);
        if null && unread > 0 {
            return Err(Errno::EFAULT);
        }
        let want = whole - progress.received.len();
        let mut to = vec![0; want.min((unread as usize).max(1))];
        let got = s.recv_message(now, socket.id, &mut to, recv_flags(flags))?;
        progress.received.extend_from_slice(&to[..got.len]);
        let over = got.len == 0 || progress.received.len() == whole;
        if over || !all {
            return received(progress);
        }
    }
}

fn recv_datagram<S: WideSockets>(
    s: &mut S,
    now: Instant,
    socket: SocketFile,
    into: &[Room],
    flags: MsgFlags,
) -> Attempt {
    let whole = into.iter().map(Room::len).fold(0, u64::saturating_add);
    let mut to = vec![0; whole.min(DATAGRAM as u64) as usize];
    let got = s.recv_message(now, socket.id, &mut to, recv_flags(flags))?;
    if into.iter().any(|room| matches!(room, Room::Null(1..))) {
        return Err(Errno::EFAULT);
    }
    to.truncate(got.len);
    let cut = got.whole > got.len;
    let result = match flags.contains(MsgFlags::TRUNC) {
        true => got.whole,
        false => got.len,
    };
    let message = Message {
        data: to,
        from: got.from.map(|from| for_program(socket.domain, from)),
        flags: if cut {
            MsgFlags::TRUNC
        } else {
            MsgFlags::empty()
        },
    };
    Ok(Step::Done(result as i64, Output::Message(message)))
}
