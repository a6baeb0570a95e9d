//! The error queue (Linux, ip(7) `IP_RECVERR`): what `recvmsg(MSG_ERRQUEUE)` gives, as control messages.

use alloc::vec;
use alloc::vec::Vec;

use crate::api::{OptionName, Report, SocketOption, Stage, WideSockets};
use crate::posix::answer::{Control, ExtendedError, Message, Origin, Output};
use crate::posix::call::{Domain, MsgFlags};
use crate::posix::descriptors::SocketFile;
use crate::posix::errno::Errno;
use crate::posix::process::{Attempt, Step};

/// `SO_EE_CODE_ZEROCOPY_COPIED`
const COPIED: u8 = 1;
/// `SOF_TIMESTAMPING_OPT_TSONLY`
const ONLY_STAMPS: u32 = 1 << 11;

/// The oldest report of a socket. It never blocks.
pub fn receive<S: WideSockets>(s: &mut S, socket: SocketFile) -> Attempt {
    let report = s.next_report(socket.id).ok_or(Errno::EAGAIN)?;
    let mut flags = MsgFlags::ERRQUEUE;
    let v6 = socket.domain == Domain::Inet6;
    let control = match report {
        Report::ZeroCopy { first, last } => vec![Control::ExtendedError(ExtendedError {
            v6,
            errno: None,
            origin: Origin::ZeroCopy,
            kind: 0,
            code: COPIED,
            info: first,
            data: last,
        })],
        Report::Stamp { stage, key, at } => {
            let asked = s.option(socket.id, OptionName::Timestamping);
            let only = matches!(asked, Ok(SocketOption::Timestamping(f)) if f & ONLY_STAMPS != 0);
            // The octets themselves come along, and there is no room for them.
            flags.set(MsgFlags::TRUNC, !only);
            let info = match stage {
                // SCM_TSTAMP_SND, SCM_TSTAMP_SCHED, SCM_TSTAMP_ACK
                Stage::Sent => 0,
                Stage::Scheduled => 1,
                Stage::Acknowledged => 2,
            };
            vec![
                Control::Stamp(at),
                Control::ExtendedError(ExtendedError {
                    v6,
                    errno: Some(Errno::ENOMSG),
                    origin: Origin::Timestamping,
                    kind: 0,
                    code: 0,
                    info,
                    data: key,
                }),
            ]
        }
    };
    let message = Message {
        data: Vec::new(),
        from: None,
        flags,
        control,
    };
    Ok(Step::Done(0, Output::Message(message)))
}
