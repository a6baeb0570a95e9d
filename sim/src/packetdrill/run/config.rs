//! What a script runs with: the two tools' defaults, and over them the script's own option lines.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;

use super::icmp_names;
use stack::profile::Profile;

use crate::packetdrill::Script;
use crate::packetdrill::ast::{Action, OptionLine};
use crate::packetdrill::command::Command;
use crate::packetdrill::packet::Body;
use crate::packetdrill::time::Micros;
use crate::scenario::Problem;

/// Whose tool a script was written for: they share a language, and differ in defaults and in some rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// google/packetdrill, for Linux.
    Google,
    /// nplab/packetdrill, for FreeBSD.
    Nplab,
}

impl Dialect {
    /// What the script's own content says: only FreeBSD has settings of these names, only nplab's tool these options.
    pub fn guess(script: &Script) -> Dialect {
        let events = script
            .events
            .iter()
            .filter_map(|event| match &event.action {
                Action::Command(command) => Some(command),
                _ => None,
            });
        let mut commands = script.init.iter().chain(&script.cleanup).chain(events);
        let is_bsd = |command: &Command| {
            let roots = ["net.inet", "kern.ipc.", "sockstat", "tcpdrop"];
            roots.iter().any(|root| command.text.contains(root))
        };
        let encapsulates = |o: &OptionLine| o.name == "udp_encapsulation";
        match commands.any(is_bsd) || script.options.iter().any(encapsulates) {
            true => Dialect::Nplab,
            false => Dialect::Google,
        }
    }
}

/// The profile of the system that a script was written for: settings are of one system or the other, and a script that
/// makes none is about what the RFCs say.
fn system(script: &Script, dialect: Dialect) -> &'static str {
    let has_commands = script.init.is_some()
        || script.cleanup.is_some()
        || script
            .events
            .iter()
            .any(|e| matches!(e.action, Action::Command(_)));
    match dialect {
        Dialect::Nplab => "freebsd",
        Dialect::Google if has_commands => "linux",
        Dialect::Google => "rfc",
    }
}

/// What addresses a script's sockets and packets have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpVersion {
    V4,
    V6,
    /// IPv4 packets, IPv6 sockets: addresses are written `::ffff:192.0.2.1`.
    Mapped,
}

impl IpVersion {
    /// As the command line names them.
    pub const NAMES: [&str; 3] = ["ipv4", "ipv6", "ipv4-mapped-ipv6"];

    /// The version of a name, which nplab's tool writes with underscores.
    pub fn named(name: &str) -> Option<IpVersion> {
        match name {
            "ipv4" => Some(IpVersion::V4),
            "ipv6" => Some(IpVersion::V6),
            "ipv4-mapped-ipv6" | "ipv4_mapped_ipv6" => Some(IpVersion::Mapped),
            _ => None,
        }
    }

    /// As the command line names it.
    pub fn name(self) -> &'static str {
        let [v4, v6, mapped] = IpVersion::NAMES;
        match self {
            IpVersion::V4 => v4,
            IpVersion::V6 => v6,
            IpVersion::Mapped => mapped,
        }
    }
}

/// What a script runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub dialect: Dialect,
    pub ip_version: IpVersion,
    /// The stack's profile, by its name: evilbit's own option, for scripts that are about no particular system.
    pub profile: &'static str,
    /// The address of the stack under test.
    pub local: IpAddr,
    /// Bits of its network.
    pub prefix: u8,
    pub gateway: IpAddr,
    /// The address that the script speaks for.
    pub remote: IpAddr,
    /// The port of `bind`'s `...`.
    pub bind_port: u16,
    /// The port of `connect`'s `...`.
    pub connect_port: u16,
    /// The largest IP packet, in bytes.
    pub mtu: usize,
    /// How far from its time an event may be, at least.
    pub tolerance: Micros,
    /// And in thousandths of the time since the event before it.
    pub tolerance_permille: u64,
    /// One live packet a line: super-segments are not put together.
    pub strict_segments: bool,
    /// One tick of the timestamps; 0: they are not compared.
    pub timestamp_tick: Micros,
    /// An echo of a timestamp that was never sent is of the clock that the others tell.
    pub scaled_echoes: bool,
    /// A packet that differs is no failure.
    pub lenient_packets: bool,
    /// A call that gives something else is no failure.
    pub lenient_calls: bool,
}

/// The options that a run heeds, or that say nothing to a machine that is simulated.
pub const HEEDED: [&str; 22] = [
    "ip_version",
    "local_ip",
    "remote_ip",
    "gateway_ip",
    "netmask_ip",
    "local_linklocal_ip",
    "gateway_linklocal_ip",
    "bind_port",
    "connect_port",
    "mtu",
    "tolerance_usecs",
    "tcp_ts_tick_usecs",
    "tcp_ts_ecr_scaled",
    "strict_segments",
    "non_fatal",
    "udp_encapsulation",
    "define",
    "wire_protocol",
    "is_anyip",
    "send_omit_free",
    "no_cleanup",
    "profile",
];

/// The least that either version's hosts and links can do (RFC 791, RFC 8200 §5).
const MTU_MIN: usize = 68;
const MTU_MIN_V6: usize = 1280;
/// What google's driver gives IPv6 more, so that a segment is as long as with IPv4.
const LONGER_HEADER: usize = 20;

impl Config {
    /// The configuration that a script asks for; `asked` is the version of one that names none itself.
    pub fn of(
        script: &Script,
        dialect: Dialect,
        asked: Option<IpVersion>,
    ) -> Result<Config, Problem> {
        let Version { version, is_asked } = Version::of(script, asked)?;
        let mut config = Config::new(dialect, version);
        if is_asked && version == IpVersion::V6 && dialect == Dialect::Google {
            config.as_google_s_driver_has_it();
        }
        config.profile = system(script, dialect);
        for option in &script.options {
            config.set(option)?;
        }
        if config.gateway == config.local {
            config.gateway = next(config.local);
        }
        Ok(config)
    }

    /// The options of a run that google's driver gives the tool for IPv6 (`run_all.py`).
    fn as_google_s_driver_has_it(&mut self) {
        let address = |network: [u16; 3], host| {
            let [a, b, c] = network;
            IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, host))
        };
        self.mtu += LONGER_HEADER;
        self.local = address([0xfd3d, 0x0a0b, 0x17d6], 1);
        self.gateway = address([0xfd3d, 0x0a0b, 0x17d6], 2);
        self.remote = address([0xfd3d, 0xfa7b, 0xd17d], 1);
    }

    /// The defaults.
    pub fn new(dialect: Dialect, ip_version: IpVersion) -> Config {
        let v6 = |last| IpAddr::V6(Ipv6Addr::new(0xfd3d, 0xfa7b, 0xd17d, 0, 0, 0, 0, last));
        let v4 = |last| IpAddr::V4(Ipv4Addr::new(192, 168, 0, last));
        let (local, gateway, prefix, remote) = match ip_version {
            IpVersion::V4 | IpVersion::Mapped => {
                (v4(1), v4(2), 16, Ipv4Addr::new(192, 0, 2, 1).into())
            }
            IpVersion::V6 => {
                let remote = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
                (v6(1), v6(2), 48, remote.into())
            }
        };
        Config {
            dialect,
            ip_version,
            profile: "rfc",
            local,
            prefix,
            gateway,
            remote,
            bind_port: 8080,
            connect_port: 8080,
            mtu: 1500,
            tolerance: Micros(4000),
            tolerance_permille: match dialect {
                Dialect::Google => 125,
                Dialect::Nplab => 50,
            },
            strict_segments: dialect == Dialect::Nplab,
            timestamp_tick: Micros(0),
            scaled_echoes: false,
            lenient_packets: false,
            lenient_calls: false,
        }
    }

    fn set(&mut self, option: &OptionLine) -> Result<(), Problem> {
        match option.name.as_str() {
            "local_ip" => self.local = self.address(option)?,
            "remote_ip" => self.remote = self.address(option)?,
            "gateway_ip" => self.gateway = self.address(option)?,
            "local_linklocal_ip" | "gateway_linklocal_ip" => {
                self.address(option)?;
            }
            "netmask_ip" => {
                let mask = u32::from(value::<Ipv4Addr>(option)?);
                if mask.leading_ones() + mask.trailing_zeros() < u32::BITS {
                    return Err(bad(option));
                }
                self.prefix = mask.leading_ones() as u8;
            }
            "profile" => self.profile = profile(option)?,
            "bind_port" => self.bind_port = value::<NonZeroU16>(option)?.into(),
            "connect_port" => self.connect_port = value::<NonZeroU16>(option)?.into(),
            "mtu" => self.mtu = self.mtu(option)?,
            "tolerance_usecs" => self.tolerance = Micros(value::<u32>(option)?.into()),
            "tcp_ts_tick_usecs" => self.timestamp_tick = Micros(value::<u32>(option)?.into()),
            "strict_segments" => self.strict_segments = true,
            "tcp_ts_ecr_scaled" => self.scaled_echoes = true,
            "non_fatal" => {
                for class in option.value.as_deref().unwrap_or("").split(',') {
                    match class {
                        "packet" | "packets" => self.lenient_packets = true,
                        "syscall" | "syscalls" => {
                            self.lenient_calls = self.dialect == Dialect::Nplab;
                        }
                        _ => return Err(bad(option)),
                    }
                }
            }
            "define" if !option.value.as_deref().unwrap_or("").contains('=') => {
                return Err(bad(option));
            }
            // Heeded before, by the definitions and by the version; or where a packet says `/udp(…)` by itself.
            "define" | "ip_version" | "udp_encapsulation" | "wire_protocol" => {}
            // What only a real machine has.
            "is_anyip" | "send_omit_free" | "no_cleanup" => {}
            _ => return Err(bad(option)),
        }
        Ok(())
    }

    fn mtu(&self, option: &OptionLine) -> Result<usize, Problem> {
        let mtu = usize::from(value::<u16>(option)?);
        let least = match self.ip_version {
            IpVersion::V4 | IpVersion::Mapped => MTU_MIN,
            IpVersion::V6 => MTU_MIN_V6,
        };
        match mtu >= least {
            true => Ok(mtu),
            false => Err(bad(option)),
        }
    }

    fn address(&self, option: &OptionLine) -> Result<IpAddr, Problem> {
        let address: IpAddr = value(option)?;
        let is_a_host_s = match address {
            IpAddr::V4(ip) => !ip.is_broadcast() && !ip.is_multicast() && !ip.is_unspecified(),
            IpAddr::V6(ip) => !ip.is_multicast() && !ip.is_unspecified(),
        };
        // The address of another version than the run's is for runs of that version.
        match is_a_host_s && address.is_ipv6() == (self.ip_version == IpVersion::V6) {
            true => Ok(address),
            false => Err(bad(option)),
        }
    }
}

/// The version that a script runs with, if the options that it gives can be heeded; one that nobody knows is for the run
/// to skip.
pub fn check(script: &Script, asked: Option<IpVersion>) -> Result<IpVersion, Problem> {
    let mut names = script.options.iter().map(|option| option.name.as_str());
    match names.all(|name| HEEDED.contains(&name)) {
        true => Config::of(script, Dialect::guess(script), asked).map(|config| config.ip_version),
        false => Version::of(script, asked).map(|version| version.version),
    }
}

/// The version that a script runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    pub version: IpVersion,
    /// It is the one that was asked for, and nothing in the script says so: the network is the driver's.
    is_asked: bool,
}

impl Version {
    /// What a script says counts more than what is asked for: its option, then its addresses, then messages that only
    /// one version has. A script that says nothing is for IPv4.
    pub fn of(script: &Script, asked: Option<IpVersion>) -> Result<Version, Problem> {
        let of_packets = |is_v6| match (is_v6, asked) {
            (true, _) => IpVersion::V6,
            (false, Some(IpVersion::Mapped)) => IpVersion::Mapped,
            (false, _) => IpVersion::V4,
        };
        let is_version = |o: &&OptionLine| o.name == "ip_version";
        let option = script.options.iter().rfind(is_version);
        let stated = match option.map(ip_version).transpose()? {
            Some(version) => Some(version),
            None => has_addresses_of_v6(script).map(of_packets),
        };
        let implied = has_messages_of_v6(script).map(of_packets);
        let (version, is_asked) = match (stated, implied, asked) {
            (Some(version), ..) => (version, false),
            (None, Some(implied), Some(asked)) => (implied, implied == asked),
            (None, None, Some(asked)) => (asked, true),
            (None, implied, None) => (implied.unwrap_or(IpVersion::V4), false),
        };
        Ok(Version { version, is_asked })
    }
}

/// The IP version of a script's addresses, if it gives any.
fn has_addresses_of_v6(script: &Script) -> Option<bool> {
    let is_address =
        |o: &&OptionLine| matches!(o.name.as_str(), "local_ip" | "remote_ip" | "gateway_ip");
    let mut addresses = script.options.iter().filter(is_address);
    let first = addresses.find_map(|option| value::<IpAddr>(option).ok());
    first.map(|address| address.is_ipv6())
}

/// The IP version of a script's ICMP messages, if it has one that the other version has not.
fn has_messages_of_v6(script: &Script) -> Option<bool> {
    script.events.iter().find_map(|event| {
        let Action::Packet(packet) = &event.action else {
            return None;
        };
        let Body::Icmp(message) = &packet.body else {
            return None;
        };
        let (kind, code) = (&message.kind, message.code.as_deref());
        let exists = |is_v6| icmp_names::find(kind, code, is_v6).is_some();
        (exists(true) != exists(false)).then(|| exists(true))
    })
}

fn ip_version(option: &OptionLine) -> Result<IpVersion, Problem> {
    let named = option.value.as_deref().and_then(IpVersion::named);
    named.ok_or_else(|| bad(option))
}

fn profile(option: &OptionLine) -> Result<&'static str, Problem> {
    let value = option.value.as_deref();
    let known = Profile::NAMES.iter().find(|name| Some(**name) == value);
    known.copied().ok_or_else(|| bad(option))
}

/// An option's value, which may have the length of a network behind it.
fn value<T: std::str::FromStr>(option: &OptionLine) -> Result<T, Problem> {
    let text = option.value.as_deref().unwrap_or("");
    let text = text.split_once('/').map_or(text, |(before, _)| before);
    text.parse().map_err(|_| bad(option))
}

fn bad(option: &OptionLine) -> Problem {
    let what = format!("the option `{option}` cannot be heeded");
    Problem::new(option.place.0, what, "this option", hint(&option.name))
}

/// What an option may say.
fn hint(option: &str) -> &'static str {
    match option {
        "ip_version" => "it is ipv4, ipv6 or ipv4-mapped-ipv6",
        "local_ip" | "remote_ip" | "gateway_ip" | "local_linklocal_ip" | "gateway_linklocal_ip" => {
            "it is the address of a host, of the IP version that the script runs with"
        }
        "netmask_ip" => "it is a mask whose ones come first, as in 255.255.0.0",
        "bind_port" | "connect_port" => "it is a port from 1 to 65535",
        "mtu" => "it is a number of bytes from 68, or for IPv6 from 1280, to 65535",
        "tolerance_usecs" | "tcp_ts_tick_usecs" => {
            "it is a number of microseconds up to 4294967295"
        }
        "non_fatal" => "it is packet, syscall or both with a comma between",
        "define" => "it is NAME=VALUE",
        "profile" => "it is rfc, linux or freebsd",
        _ => "no run knows it",
    }
}

/// The address after this one.
fn next(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(a) => Ipv4Addr::from(u32::from(a) ^ 3).into(),
        IpAddr::V6(a) => Ipv6Addr::from(u128::from(a) ^ 3).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::{Definitions, parse};

    fn script(lines: &str) -> Script {
        let text = format!("{lines}\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n");
        script_of(&text)
    }

    fn script_of(text: &str) -> Script {
        let name = std::path::Path::new("test.pkt");
        parse(text.as_bytes(), name, &Definitions::default()).expect("a script")
    }

    fn version(script: &Script, asked: Option<IpVersion>) -> IpVersion {
        Version::of(script, asked)
            .expect("it can be heeded")
            .version
    }

    #[test]
    fn what_a_script_says_of_its_version_counts_more_than_what_is_asked() {
        use IpVersion::{Mapped, V4, V6};
        let message = |message: &str| {
            let text = format!("0 close(3) = 0\n+0 < icmp {message} [1:1(0)]\n");
            script_of(&text)
        };
        for (script, none, asked_v4, asked_v6, asked_mapped) in [
            (script(""), V4, V4, V6, Mapped),
            (script("--ip_version=ipv4"), V4, V4, V4, V4),
            (script("--ip_version=ipv6"), V6, V6, V6, V6),
            (
                script("--ip_version=ipv4_mapped_ipv6"),
                Mapped,
                Mapped,
                Mapped,
                Mapped,
            ),
            (script("--remote_ip=192.0.2.9"), V4, V4, V4, Mapped),
            (script("--local_ip=fd00::9"), V6, V6, V6, V6),
            (message("unreachable frag_needed"), V4, V4, V4, Mapped),
            (message("packet_too_big"), V6, V6, V6, V6),
            (message("unreachable port_unreachable"), V4, V4, V6, Mapped),
        ] {
            assert_eq!(version(&script, None), none, "{script}");
            assert_eq!(version(&script, Some(V4)), asked_v4, "{script}");
            assert_eq!(version(&script, Some(V6)), asked_v6, "{script}");
            assert_eq!(version(&script, Some(Mapped)), asked_mapped, "{script}");
        }
    }

    #[test]
    fn a_segment_is_as_long_with_ipv6_when_that_is_asked_for() {
        let of = |lines: &str, asked| {
            Config::of(&script(lines), Dialect::Google, asked).expect("it can be heeded")
        };
        assert_eq!(of("", None).mtu, 1500);
        assert_eq!(of("", Some(IpVersion::Mapped)).mtu, 1500);
        assert_eq!(of("", Some(IpVersion::V6)).mtu, 1520);
        assert_eq!(of("--mtu=1300", Some(IpVersion::V6)).mtu, 1300);
        assert_eq!(of("--ip_version=ipv6", Some(IpVersion::V6)).mtu, 1500);
    }

    #[test]
    fn an_option_that_says_what_cannot_be_is_refused_with_a_hint() {
        for (lines, hint) in [
            ("--ip_version=ipv5", "ipv4-mapped-ipv6"),
            ("--mtu=67", "from 68"),
            ("--mtu=65536", "65535"),
            ("--mtu", "from 68"),
            ("--ip_version=ipv6\n--mtu=1279", "from 1280"),
            ("--local_ip=abc", "address"),
            ("--local_ip=0.0.0.0", "of a host"),
            ("--remote_ip=224.0.0.1", "of a host"),
            ("--remote_ip=255.255.255.255", "of a host"),
            ("--ip_version=ipv6\n--remote_ip=ff02::1", "of a host"),
            (
                "--ip_version=ipv6\n--local_ip=192.0.2.1",
                "of the IP version",
            ),
            ("--netmask_ip=255.0.255.0", "ones come first"),
            ("--bind_port=0", "from 1"),
            ("--connect_port=65536", "65535"),
            ("--tolerance_usecs=-1", "microseconds"),
            ("--tcp_ts_tick_usecs=4294967296", "microseconds"),
            ("--non_fatal=everything", "packet, syscall"),
            ("--profile=plan9", "rfc, linux or freebsd"),
            ("--define=NAME", "NAME=VALUE"),
        ] {
            let problem = check(&script(lines), None).expect_err(lines);
            assert!(problem.hint.contains(hint), "{lines}: {}", problem.hint);
        }
        for lines in [
            "--mtu=68",
            "--ip_version=ipv6\n--mtu=1280",
            "--nobody_knows=1",
        ] {
            assert!(check(&script(lines), None).is_ok(), "{lines}");
        }
    }
}
