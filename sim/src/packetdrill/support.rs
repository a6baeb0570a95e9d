//! What scripts may use and still be run: each class of constructs is known by the table that the runner itself works
//! with. What is in none of them blocks a script.

use stack::posix::{Errno, Level, Opt};

use super::construct::{Class, Construct};
use super::environment::{programs, sysctl};
use super::run::{calls, config, icmp_names};

/// Can this be run?
pub fn runs(construct: &Construct) -> bool {
    let name = construct.name.as_str();
    match construct.class {
        Class::Option => config::HEEDED.contains(&name),
        // All ways to say when.
        Class::Time => true,
        Class::Call => calls::NAMES.contains(&name),
        Class::Sockopt => has_option(name),
        Class::Word => calls::words::knows(name),
        Class::Value => calls::VALUES.contains(&name),
        Class::Errno => Errno::named(name).is_some(),
        Class::Packet => is_packet(name),
        // All marks of an IP header.
        Class::Ip => true,
        // All TCP options: one that has no name has a number. But nothing here signs segments, or judges signatures.
        Class::TcpOption => name != "md5-valid",
        Class::Command => programs::knows(name),
        Class::Sysctl => sysctl::find(name).is_some(),
        // A block may give any name a meaning; one that has none fails it.
        Class::Code => true,
    }
}

/// Does a script that uses this go without a verdict? A socket option that nobody knows is refused by the process, as
/// by a kernel, and the script says what it makes of that.
pub fn blocks(construct: &Construct) -> bool {
    construct.class != Class::Sockopt && !runs(construct)
}

/// `LEVEL/NAME`
fn has_option(name: &str) -> bool {
    let Some((level, name)) = name.split_once('/') else {
        return false;
    };
    let level = Level::named(level);
    level.is_some_and(|level| Opt::named(level, name) != Opt::Unknown)
}

/// What a packet is, by itself or in UDP; and the messages that have names in either IP version.
fn is_packet(name: &str) -> bool {
    const KNOWN: [&str; 8] = [
        "tcp",
        "udp",
        "tcp-in-udp",
        "tcp-urgent",
        "tcp-absolute-sequence",
        "tcp-any-sequence",
        "icmp",
        "icmp-mtu",
    ];
    let is_message = |message: &str| {
        let (kind, code) = match message.split_once('/') {
            Some((kind, code)) => (kind, Some(code)),
            None => (message, None),
        };
        [false, true]
            .iter()
            .any(|&v6| icmp_names::find(kind, code, v6).is_some())
    };
    KNOWN.contains(&name) || name.strip_prefix("icmp-").is_some_and(is_message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs_named(class: Class, name: &str) -> bool {
        let name = name.to_owned();
        runs(&Construct { class, name })
    }

    #[test]
    fn each_class_knows_some_and_not_all() {
        for (class, known, unknown) in [
            (Class::Option, "mtu", "tun_dev"),
            (Class::Call, "splice", "fork"),
            (
                Class::Sockopt,
                "SOL_TCP/TCP_NODELAY",
                "SOL_TCP/TCP_NONSENSE",
            ),
            (Class::Word, "MSG_PEEK", "MSG_NONSENSE"),
            (Class::Value, "msghdr", "sf_hdtr"),
            (Class::Errno, "EAGAIN", "ENONSENSE"),
            (Class::Packet, "icmp-packet_too_big", "gre"),
            (Class::Packet, "icmp-mtu", "icmp-outbound"),
            (Class::TcpOption, "md5", "md5-valid"),
            (Class::Command, "sysctl", "rm"),
            (Class::Sysctl, "net.inet.tcp.sack.enable", "kern.nonsense"),
        ] {
            assert!(runs_named(class, known), "{known}");
            assert!(!runs_named(class, unknown), "{unknown}");
        }
    }
}
