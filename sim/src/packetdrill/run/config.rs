//! What a script runs with: the two tools' defaults, and over them the script's own option lines.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

const HINT: &str = "the options that a run heeds are listed by `evilbit packetdrill --list`";

impl Config {
    /// The configuration that a script asks for.
    pub fn of(script: &Script, dialect: Dialect) -> Result<Config, Problem> {
        let is_version = |o: &&OptionLine| o.name == "ip_version";
        let version = match script.options.iter().rfind(is_version) {
            Some(option) => ip_version(option)?,
            None if is_for_v6(script) => IpVersion::V6,
            None => IpVersion::V4,
        };
        let mut config = Config::new(dialect, version);
        config.profile = system(script, dialect);
        for option in &script.options {
            config.set(option)?;
        }
        if config.gateway == config.local {
            config.gateway = next(config.local);
        }
        Ok(config)
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
                let mask: Ipv4Addr = value(option)?;
                self.prefix = u32::from(mask).leading_ones() as u8;
            }
            "profile" => self.profile = profile(option)?,
            "bind_port" => self.bind_port = value(option)?,
            "connect_port" => self.connect_port = value(option)?,
            "mtu" => self.mtu = value::<u16>(option)?.into(),
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
            // Heeded before, by the definitions and by the version; or where a packet says `/udp(…)` by itself.
            "define" | "ip_version" | "udp_encapsulation" | "wire_protocol" => {}
            // What only a real machine has.
            "is_anyip" | "send_omit_free" | "no_cleanup" => {}
            _ => return Err(bad(option)),
        }
        Ok(())
    }

    fn address(&self, option: &OptionLine) -> Result<IpAddr, Problem> {
        let address: IpAddr = value(option)?;
        match address.is_ipv6() == (self.ip_version == IpVersion::V6) {
            true => Ok(address),
            // The address of another version than the run's is for runs of that version.
            false => Err(bad(option)),
        }
    }
}

/// Does a script that names no IP version mean IPv6? Then it has such an address, or a message that only ICMPv6 has.
fn is_for_v6(script: &Script) -> bool {
    let has_address = script.options.iter().any(|option| {
        let is_address = matches!(
            option.name.as_str(),
            "local_ip" | "remote_ip" | "gateway_ip"
        );
        is_address && value::<Ipv6Addr>(option).is_ok()
    });
    let has_message = script.events.iter().any(|event| match &event.action {
        Action::Packet(packet) => match &packet.body {
            Body::Icmp(message) => {
                let (kind, code) = (&message.kind, message.code.as_deref());
                let exists = |is_v6| icmp_names::find(kind, code, is_v6).is_some();
                exists(true) && !exists(false)
            }
            _ => false,
        },
        _ => false,
    });
    has_address || has_message
}

fn ip_version(option: &OptionLine) -> Result<IpVersion, Problem> {
    match option.value.as_deref() {
        Some("ipv4") => Ok(IpVersion::V4),
        Some("ipv6") => Ok(IpVersion::V6),
        Some("ipv4-mapped-ipv6" | "ipv4_mapped_ipv6") => Ok(IpVersion::Mapped),
        _ => Err(bad(option)),
    }
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
    Problem::new(option.place.0, what, "this option", HINT)
}

/// The address after this one.
fn next(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(a) => Ipv4Addr::from(u32::from(a) ^ 3).into(),
        IpAddr::V6(a) => Ipv6Addr::from(u128::from(a) ^ 3).into(),
    }
}
