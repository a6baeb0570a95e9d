//! The words of the socket interface that stand for numbers or flags, beyond those that the process knows by itself.

use stack::posix::{Errno, Level, MsgFlags, Personality, PollEvents};

/// Flags of one message, by name.
const MESSAGE_FLAGS: [(&str, MsgFlags); 14] = [
    ("MSG_OOB", MsgFlags::OOB),
    ("MSG_PEEK", MsgFlags::PEEK),
    ("MSG_DONTROUTE", MsgFlags::DONTROUTE),
    ("MSG_CTRUNC", MsgFlags::CTRUNC),
    ("MSG_TRUNC", MsgFlags::TRUNC),
    ("MSG_DONTWAIT", MsgFlags::DONTWAIT),
    ("MSG_EOR", MsgFlags::EOR),
    ("MSG_WAITALL", MsgFlags::WAITALL),
    ("MSG_ERRQUEUE", MsgFlags::ERRQUEUE),
    ("MSG_NOSIGNAL", MsgFlags::NOSIGNAL),
    ("MSG_MORE", MsgFlags::MORE),
    ("MSG_ZEROCOPY", MsgFlags::ZEROCOPY),
    ("MSG_FASTOPEN", MsgFlags::FASTOPEN),
    ("MSG_CMSG_CLOEXEC", MsgFlags::CMSG_CLOEXEC),
];

/// What `poll` looks for; `epoll`'s names begin with an E.
const EVENTS: [(&str, PollEvents); 15] = [
    ("POLLIN", PollEvents::IN),
    ("POLLPRI", PollEvents::PRI),
    ("POLLOUT", PollEvents::OUT),
    ("POLLERR", PollEvents::ERR),
    ("POLLHUP", PollEvents::HUP),
    ("POLLNVAL", PollEvents::NVAL),
    ("POLLRDNORM", PollEvents::RDNORM),
    ("POLLRDBAND", PollEvents::RDBAND),
    ("POLLWRNORM", PollEvents::WRNORM),
    ("POLLWRBAND", PollEvents::WRBAND),
    ("POLLRDHUP", PollEvents::RDHUP),
    ("EPOLLEXCLUSIVE", PollEvents::EXCLUSIVE),
    ("EPOLLWAKEUP", PollEvents::WAKEUP),
    ("EPOLLONESHOT", PollEvents::ONESHOT),
    ("EPOLLET", PollEvents::ET),
];

/// Numbers that are the same in Linux' and in FreeBSD's headers, or exist in one of them only.
const NUMBERS: [(&str, i64); 40] = [
    ("IPTOS_DSCP_CS0", 0x00),
    ("IPTOS_DSCP_CS1", 0x20),
    ("IPTOS_DSCP_CS2", 0x40),
    ("IPTOS_DSCP_CS3", 0x60),
    ("IPTOS_DSCP_CS4", 0x80),
    ("IPTOS_DSCP_CS5", 0xa0),
    ("IPTOS_DSCP_CS6", 0xc0),
    ("IPTOS_DSCP_CS7", 0xe0),
    ("IPTOS_LOWDELAY", 0x10),
    ("IPTOS_THROUGHPUT", 0x08),
    ("IPTOS_RELIABILITY", 0x04),
    ("IPTOS_ECN_NOT_ECT", 0),
    ("IPTOS_ECN_ECT1", 1),
    ("IPTOS_ECN_ECT0", 2),
    ("IPTOS_ECN_CE", 3),
    // linux/net_tstamp.h
    ("SOF_TIMESTAMPING_TX_HARDWARE", 1),
    ("SOF_TIMESTAMPING_TX_SOFTWARE", 1 << 1),
    ("SOF_TIMESTAMPING_RX_HARDWARE", 1 << 2),
    ("SOF_TIMESTAMPING_RX_SOFTWARE", 1 << 3),
    ("SOF_TIMESTAMPING_SOFTWARE", 1 << 4),
    ("SOF_TIMESTAMPING_SYS_HARDWARE", 1 << 5),
    ("SOF_TIMESTAMPING_RAW_HARDWARE", 1 << 6),
    ("SOF_TIMESTAMPING_OPT_ID", 1 << 7),
    ("SOF_TIMESTAMPING_TX_SCHED", 1 << 8),
    ("SOF_TIMESTAMPING_TX_ACK", 1 << 9),
    ("SOF_TIMESTAMPING_OPT_CMSG", 1 << 10),
    ("SOF_TIMESTAMPING_OPT_TSONLY", 1 << 11),
    ("SOF_TIMESTAMPING_OPT_STATS", 1 << 12),
    // linux/errqueue.h
    ("SO_EE_ORIGIN_NONE", 0),
    ("SO_EE_ORIGIN_LOCAL", 1),
    ("SO_EE_ORIGIN_ICMP", 2),
    ("SO_EE_ORIGIN_ICMP6", 3),
    ("SO_EE_ORIGIN_TIMESTAMPING", 4),
    ("SO_EE_ORIGIN_ZEROCOPY", 5),
    ("SO_EE_CODE_ZEROCOPY_COPIED", 1),
    ("SCM_TSTAMP_SND", 0),
    ("SCM_TSTAMP_SCHED", 1),
    ("SCM_TSTAMP_ACK", 2),
    ("SPLICE_F_MOVE", 1),
    ("SPLICE_F_NONBLOCK", 2),
];

/// Words that have their meaning where they stand.
const IN_PLACE: [&str; 27] = [
    "NULL",
    "AF_INET",
    "AF_INET6",
    "SOCK_STREAM",
    "SOCK_DGRAM",
    "SOCK_NONBLOCK",
    "SOCK_CLOEXEC",
    "IPPROTO_TCP",
    "IPPROTO_UDP",
    "SHUT_RD",
    "SHUT_WR",
    "SHUT_RDWR",
    "F_GETFL",
    "F_SETFL",
    "O_RDWR",
    "O_NONBLOCK",
    "SIOCINQ",
    "FIONREAD",
    "SIOCOUTQ",
    "SIOCOUTQNSD",
    "EPOLL_CTL_ADD",
    "EPOLL_CTL_MOD",
    "EPOLL_CTL_DEL",
    "TCP_CM_INQ",
    "SCM_TIMESTAMPING",
    "IP_RECVERR",
    "IPV6_RECVERR",
];

/// Does a word mean anything here?
pub fn knows(word: &str) -> bool {
    let errno_or_number = Errno::named(word).is_some() || NUMBERS.iter().any(|(n, _)| *n == word);
    errno_or_number
        || message_flag(word).is_some()
        || event(word).is_some()
        || Level::named(word).is_some()
        || IN_PLACE.contains(&word)
}

/// The number of a word.
pub fn number(word: &str, personality: &Personality) -> Option<i64> {
    if let Some(errno) = Errno::named(word) {
        return Some(personality.number(errno).into());
    }
    let found = NUMBERS.iter().find(|(name, _)| *name == word);
    found.map(|&(_, number)| number)
}

/// The message flag of a word.
pub fn message_flag(word: &str) -> Option<MsgFlags> {
    let found = MESSAGE_FLAGS.iter().find(|(name, _)| *name == word);
    found.map(|&(_, flag)| flag)
}

/// The event of a word.
pub fn event(word: &str) -> Option<PollEvents> {
    let poll = word
        .strip_prefix('E')
        .filter(|rest| rest.starts_with("POLL"));
    let named = |name: &str| EVENTS.iter().find(|(n, _)| *n == name).map(|&(_, e)| e);
    named(word).or_else(|| poll.and_then(named))
}

/// Flags of a message as a script writes them.
pub fn shown_flags(flags: MsgFlags) -> String {
    let words = MESSAGE_FLAGS
        .iter()
        .filter(|(_, flag)| flags.contains(*flag));
    or(words.map(|(name, _)| (*name).to_owned()).collect())
}

/// Events as a script writes them, for `poll` or for `epoll`.
pub fn shown_events(events: PollEvents, prefix: &str) -> String {
    let words = EVENTS.iter().filter(|(_, event)| events.contains(*event));
    let word = |name: &str| match name.strip_prefix("POLL") {
        Some(rest) => format!("{prefix}{rest}"),
        None => name.to_owned(),
    };
    or(words.map(|(name, _)| word(name)).collect())
}

/// `A|B`, and zero for nothing.
fn or(words: Vec<String>) -> String {
    match words.is_empty() {
        true => "0".into(),
        false => words.join("|"),
    }
}
