//! Octets between a program and its sockets. A blocking write returns when all is taken, a blocking read when there is
//! anything (POSIX, send(), recv()).

use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;

use xen_abi::Instant;

use crate::api::{
    OptionName, Ready, RecvFlags, SendFlags, SocketError, SocketKind, SocketOption, WideSockets,
};
use crate::posix::answer::{Control, Message, Output};
use crate::posix::call::{Data, Fd, MsgFlags, Room};
use crate::posix::descriptors::{File, SocketFile};
use crate::posix::errno::Errno;
use crate::posix::error_queue;
use crate::posix::process::{Attempt, Process, Progress, Step};
use crate::posix::sockets::{for_program, for_stack};

/// Octets offered to the stack at once, and memory that a call takes at most beyond what was received.
const PIECE: usize = 1 << 20;
/// The longest datagram, headers counted.
const DATAGRAM: usize = 65_535;

/// A write under way.
struct Sending<'a> {
    socket: SocketFile,
    from: &'a [Data],
    /// Octets in all.
    whole: u64,
    flags: MsgFlags,
    /// Elements of a zero-copy write that fit a segment.
    most_elements: Option<usize>,
}

/// A part of a write.
struct Piece<'a> {
    octets: Cow<'a, [u8]>,
    flags: SendFlags,
}

impl<'a> Sending<'a> {
    /// All octets in one piece, or the first so many.
    fn gathered(&self, most: usize) -> Result<Vec<u8>, Errno> {
        let whole = usize::try_from(self.whole).map_or(most, |whole| whole.min(most));
        let mut octets = Vec::with_capacity(whole);
        while octets.len() < whole {
            let piece = self.piece(octets.len() as u64).ok_or(Errno::EFAULT)?;
            let rest = whole - octets.len();
            octets.extend_from_slice(&piece.octets[..piece.octets.len().min(rest)]);
        }
        Ok(octets)
    }

    /// The octets from `offset` on, at most so many as make a piece; `None`: the program's pointer leads nowhere.
    fn piece(&self, mut offset: u64) -> Option<Piece<'a>> {
        let last = self.from.iter().rposition(|data| !data.is_empty());
        for (at, data) in self.from.iter().enumerate() {
            if offset >= data.len() {
                offset -= data.len();
                continue;
            }
            let rest = data.len() - offset;
            let len = rest.min(PIECE as u64) as usize;
            let octets = match data {
                Data::Null(_) => return None,
                Data::Zeros(_) => Cow::Owned(vec![0; len]),
                Data::Bytes(bytes) => Cow::Borrowed(&bytes[offset as usize..][..len]),
            };
            let mut flags = send_flags(self.flags);
            if Some(at) != last || rest > len as u64 {
                flags -= SendFlags::ZEROCOPY | SendFlags::EOR | SendFlags::OOB;
                // A segment of a zero-copy write has room for so many elements.
                let full = self.most_elements.is_some_and(|most| (at + 1) % most == 0);
                flags.set(SendFlags::EOR, full && rest == len as u64);
            }
            return Some(Piece { octets, flags });
        }
        Some(Piece {
            octets: Cow::Borrowed(&[]),
            flags: send_flags(self.flags),
        })
    }
}

fn send_flags(flags: MsgFlags) -> SendFlags {
    let mut to = SendFlags::empty();
    to.set(SendFlags::MORE, flags.contains(MsgFlags::MORE));
    to.set(SendFlags::EOR, flags.contains(MsgFlags::EOR));
    to.set(SendFlags::OOB, flags.contains(MsgFlags::OOB));
    to.set(SendFlags::ZEROCOPY, flags.contains(MsgFlags::ZEROCOPY));
    to.set(SendFlags::FASTOPEN, flags.contains(MsgFlags::FASTOPEN));
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
        let zero_copy = flags.contains(MsgFlags::ZEROCOPY);
        let sending = Sending {
            socket,
            from,
            whole,
            flags,
            most_elements: self.personality.zero_copy_pieces.filter(|_| zero_copy),
        };
        let result = match socket.kind {
            SocketKind::Datagram => sending.datagram(s, now, to),
            SocketKind::Stream => {
                let fast_open = flags.contains(MsgFlags::FASTOPEN) && !progress.begun;
                let mut attempt = match fast_open {
                    true => Err(Errno::ENOTCONN),
                    false => sending.stream(s, now, progress),
                };
                if let Some(to) = to
                    && attempt == Err(Errno::ENOTCONN)
                    && !progress.begun
                    && (fast_open || self.personality.implied_connect)
                {
                    let tells = socket.connecting && self.personality.connect_tells_success;
                    let opened = sending.open(s, now, to, blocking, progress);
                    // As `connect` does, the first Fast Open after the one that was in progress succeeds.
                    let connected = opened == Err(Errno::EISCONN) && tells;
                    let begun = fast_open && matches!(opened, Ok(()) | Err(Errno::EINPROGRESS));
                    self.descriptors.socket_mut(fd)?.connecting = begun && !blocking;
                    if !connected {
                        opened?;
                    }
                    attempt = match fast_open && !blocking && !connected {
                        true => return sent(progress),
                        false => sending.stream(s, now, progress),
                    };
                }
                attempt
            }
        };
        match result {
            Err(Errno::EAGAIN | Errno::EINPROGRESS) if blocking => Ok(Step::Wait),
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
        if flags.contains(MsgFlags::ERRQUEUE) {
            return error_queue::receive(s, socket);
        }
        let result = match socket.kind {
            SocketKind::Datagram => recv_datagram(s, now, socket, into, flags),
            // A blocking read waits for as much as the program wants at least (SO_RCVLOWAT).
            SocketKind::Stream if blocking && has_too_little(s, socket) => Err(Errno::EAGAIN),
            SocketKind::Stream => recv_stream(s, now, socket, into, flags, progress),
        };
        match result {
            Err(Errno::EAGAIN) if blocking => Ok(Step::Wait),
            Err(_) if !progress.received.is_empty() => received(progress),
            Ok(Step::Done(n, Output::Message(mut message))) => {
                message.control = control(s, socket);
                Ok(Step::Done(n, Output::Message(message)))
            }
            result => result,
        }
    }
}

/// Control messages that come with octets: what is left to read, if the program asked (`TCP_INQ`).
fn control<S: WideSockets>(s: &S, socket: SocketFile) -> Vec<Control> {
    let asked = s.option(socket.id, OptionName::InQueue);
    match (asked, s.queued(socket.id)) {
        (Ok(SocketOption::InQueue(true)), Ok(queued)) => {
            let end = queued.unread == 0 && queued.ended;
            let left = u32::try_from(queued.unread).unwrap_or(u32::MAX);
            vec![Control::InQueue(left.max(u32::from(end)))]
        }
        _ => Vec::new(),
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

impl Sending<'_> {
    /// `sendto(2)` on a stream that is not connected: connects, with data if that can be.
    fn open<S: WideSockets>(
        &self,
        s: &mut S,
        now: Instant,
        to: SocketAddr,
        blocking: bool,
        progress: &mut Progress,
    ) -> Result<(), Errno> {
        let octets = self.gathered(PIECE)?;
        let flags = send_flags(self.flags);
        match s.connect_sending(now, self.socket.id, to, &octets, flags) {
            Ok(taken) => {
                progress.sent = taken as u64;
                progress.opening = flags.contains(SendFlags::FASTOPEN);
            }
            Err(SocketError::EINPROGRESS) if blocking => {}
            Err(error) => return Err(error.into()),
        }
        progress.begun = true;
        Ok(())
    }

    /// As much as the stack takes.
    fn stream<S: WideSockets>(&self, s: &mut S, now: Instant, progress: &mut Progress) -> Attempt {
        let socket = self.socket.id;
        loop {
            // Data that went with a SYN are sent when the SYN is answered; what ends the connection before ends this call.
            if progress.opening && s.peer_addr(socket).is_ok() {
                progress.opening = false;
            }
            if progress.opening && progress.sent > 0 {
                return match s.take_error(socket) {
                    Some(error) => Err(error.into()),
                    None => Err(Errno::EAGAIN),
                };
            }
            // An error that comes after some octets were taken is the next call's.
            if progress.sent > 0 && s.ready(socket).contains(Ready::ERROR) {
                return sent(progress);
            }
            // A write that waits goes on when the socket is writable, not for every octet.
            let over = Ready::WRITE | Ready::ERROR | Ready::HANGUP;
            if progress.waited && !s.ready(socket).intersects(over) {
                return Err(Errno::EAGAIN);
            }
            let Some(piece) = self.piece(progress.sent) else {
                if progress.sent > 0 {
                    return sent(progress);
                }
                // The socket's own refusal comes first.
                s.send(now, socket, &[])?;
                return Err(Errno::EFAULT);
            };
            if piece.octets.is_empty() && self.whole > 0 {
                return sent(progress);
            }
            match s.send_message(now, socket, &piece.octets, piece.flags) {
                Ok(taken) => {
                    progress.opening |= progress.sent == 0 && s.peer_addr(socket).is_err();
                    progress.sent += taken as u64;
                }
                Err(error) if progress.sent > 0 && error != SocketError::EAGAIN => {
                    return sent(progress);
                }
                Err(error) => return Err(error.into()),
            }
            if self.whole == 0 {
                return sent(progress);
            }
        }
    }

    fn datagram<S: WideSockets>(&self, s: &mut S, now: Instant, to: Option<SocketAddr>) -> Attempt {
        if self.whole > DATAGRAM as u64 {
            return Err(Errno::EMSGSIZE);
        }
        let datagram = self.gathered(DATAGRAM)?;
        let n = match to {
            Some(to) => s.send_to(now, self.socket.id, &datagram, to)?,
            None => s.send(now, self.socket.id, &datagram)?,
        };
        Ok(Step::Done(n as i64, Output::Nothing))
    }
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
        control: Vec::new(),
    };
    Ok(Step::Done(result as i64, Output::Message(message)))
}
