//! What a script uses, word by word of the language: a runner has to know each of them before it can run the script.

use std::collections::BTreeSet;
use std::fmt;

use super::ast::{Action, Code, Event, Script};
use super::call::Call;
use super::command::Command;
use super::expr::{Expr, ExprKind};
use super::icmp::Echoed;
use super::ip::IpInfo;
use super::options::Options;
use super::outer::Outer;
use super::packet::{Body, Direction, Packet};
use super::tcp::{Segment, Start};
use super::tcp_option::{Md5, TcpOption};
use super::time::When;

/// One thing that a script uses; printed `class:name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Construct {
    pub class: Class,
    pub name: String,
}

/// What sort of thing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// An option line.
    Option,
    /// A way to say when.
    Time,
    /// A system call.
    Call,
    /// A socket option, with its level.
    Sockopt,
    /// A word among a call's arguments.
    Word,
    /// A structure or function among a call's arguments.
    Value,
    /// An error that a call gives.
    Errno,
    /// What a packet is, or is inside.
    Packet,
    /// A thing said of an IP header.
    Ip,
    /// A TCP option.
    TcpOption,
    /// A program in a command.
    Command,
    /// A system setting in a command.
    Sysctl,
    /// A name in a code block.
    Code,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Class::Option => "option",
            Class::Time => "time",
            Class::Call => "call",
            Class::Sockopt => "sockopt",
            Class::Word => "word",
            Class::Value => "value",
            Class::Errno => "errno",
            Class::Packet => "packet",
            Class::Ip => "ip",
            Class::TcpOption => "tcp-option",
            Class::Command => "command",
            Class::Sysctl => "sysctl",
            Class::Code => "code",
        }
    }
}

impl fmt::Display for Construct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.class.name(), self.name)
    }
}

/// All that a script uses, each once, in the order of classes and names.
pub fn constructs(script: &Script) -> BTreeSet<Construct> {
    let mut used = Used::default();
    for option in &script.options {
        used.add(Class::Option, &option.name);
    }
    for command in script.init.iter().chain(&script.cleanup) {
        used.command(command);
    }
    for event in &script.events {
        used.event(event);
    }
    used.0
}

#[derive(Default)]
struct Used(BTreeSet<Construct>);

impl Used {
    fn add(&mut self, class: Class, name: impl Into<String>) {
        let name = name.into();
        self.0.insert(Construct { class, name });
    }

    fn add_if(&mut self, used: bool, class: Class, name: &str) {
        if used {
            self.add(class, name);
        }
    }

    fn event(&mut self, event: &Event) {
        match event.when {
            When::At(_) => self.add(Class::Time, "absolute"),
            When::After(_) => self.add(Class::Time, "relative"),
            When::Within(..) | When::AfterWithin(..) => self.add(Class::Time, "window"),
            When::Any => self.add(Class::Time, "any"),
        }
        match &event.action {
            Action::Packet(packet) => self.packet(packet),
            Action::Call(call) => self.call(call),
            Action::Command(command) => self.command(command),
            Action::Code(code) => self.code(code),
        }
    }

    fn packet(&mut self, packet: &Packet) {
        for outer in &packet.outer {
            match outer {
                Outer::Ipv4 { info, .. } => {
                    self.add(Class::Packet, "outer-ipv4");
                    self.ip(info);
                }
                Outer::Ipv6 { info, .. } => {
                    self.add(Class::Packet, "outer-ipv6");
                    self.ip(info);
                }
                Outer::Gre(_) => self.add(Class::Packet, "gre"),
                Outer::Mpls(_) => self.add(Class::Packet, "mpls"),
            }
        }
        self.ip(&packet.ip);
        match &packet.body {
            Body::Tcp(segment) => self.segment(segment),
            Body::Udp(_) => self.add(Class::Packet, "udp"),
            Body::Icmp(message) => {
                self.add(Class::Packet, "icmp");
                let code = message.code.iter().map(|code| format!("/{code}"));
                let name = format!("icmp-{}{}", message.kind, code.collect::<String>());
                self.add(Class::Packet, name);
                self.add_if(message.mtu.is_some(), Class::Packet, "icmp-mtu");
                self.add_if(message.id.is_some(), Class::Packet, "icmp-id");
                let is_about_raw = matches!(message.echoed, Some(Echoed::Raw(_)));
                self.add_if(is_about_raw, Class::Packet, "icmp-about-raw");
                self.add_if(
                    packet.direction == Direction::Out,
                    Class::Packet,
                    "icmp-outbound",
                );
            }
        }
    }

    fn ip(&mut self, info: &IpInfo) {
        self.add_if(info.ecn.is_some(), Class::Ip, "ecn");
        self.add_if(info.tos.is_some(), Class::Ip, "tos");
        self.add_if(info.dscp.is_some(), Class::Ip, "dscp");
        self.add_if(info.flow_label.is_some(), Class::Ip, "flowlabel");
        self.add_if(info.ttl.is_some(), Class::Ip, "ttl");
    }

    fn segment(&mut self, segment: &Segment) {
        self.add(Class::Packet, "tcp");
        self.add_if(segment.psp.is_some(), Class::Packet, "tcp-in-psp");
        self.add_if(segment.udp.is_some(), Class::Packet, "tcp-in-udp");
        self.add_if(segment.ports.is_some(), Class::Packet, "tcp-ports");
        self.add_if(segment.urgent.is_some(), Class::Packet, "tcp-urgent");
        self.add_if(
            segment.reset_reason.is_some(),
            Class::Packet,
            "tcp-reset-reason",
        );
        match segment.sequence.start {
            Start::Relative(_) => {}
            Start::Absolute(_) => self.add(Class::Packet, "tcp-absolute-sequence"),
            Start::Any => self.add(Class::Packet, "tcp-any-sequence"),
        }
        match &segment.options {
            Options::These(options) => options.iter().for_each(|o| self.tcp_option(o)),
            Options::Any => self.add(Class::TcpOption, "any"),
            Options::Raw(_) => self.add(Class::TcpOption, "raw"),
        }
    }

    fn tcp_option(&mut self, option: &TcpOption) {
        let name = option.name();
        match option {
            TcpOption::Generic { kind, .. } => self.add(Class::TcpOption, format!("{name}{kind}")),
            TcpOption::Experiment { id, .. } => {
                self.add(Class::TcpOption, format!("{name}{id:04x}"));
            }
            TcpOption::Md5(Md5::Valid) => self.add(Class::TcpOption, "md5-valid"),
            _ => self.add(Class::TcpOption, name),
        }
    }

    fn call(&mut self, call: &Call) {
        self.add(Class::Call, &call.name);
        self.add_if(call.until.is_some(), Class::Time, "blocking");
        if let Some(errno) = &call.errno {
            self.add(Class::Errno, errno);
        }
        let mut arguments = &call.arguments[..];
        // The level and the name of a socket option belong together.
        if let ("setsockopt" | "getsockopt", [_, level, name, values @ ..]) =
            (call.name.as_str(), arguments)
        {
            self.add(Class::Sockopt, format!("{level}/{name}"));
            arguments = values;
        }
        arguments.iter().for_each(|argument| self.expr(argument));
        self.expr(&call.result);
    }

    /// The words and structures of an expression; its nesting has a bound since it was parsed.
    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Word(word) => self.add(Class::Word, word),
            ExprKind::Structure(structure) => self.add(Class::Value, structure.kind.name()),
            ExprKind::Apply { function, .. } => self.add(Class::Value, function),
            ExprKind::TextPrefix(_) => self.add(Class::Value, "text-prefix"),
            ExprKind::Assign { .. } => self.add(Class::Value, "assignment"),
            ExprKind::Group(_) => self.add(Class::Value, "group"),
            ExprKind::Ellipsis
            | ExprKind::Integer(_)
            | ExprKind::Text(_)
            | ExprKind::Or(_)
            | ExprKind::List(_) => {}
        }
        expr.parts().into_iter().for_each(|part| self.expr(part));
    }

    fn command(&mut self, command: &Command) {
        for program in command.programs() {
            self.add(Class::Command, program.name);
            if program.name.contains("sysctl") {
                let settings = program.arguments.iter().filter_map(|a| a.split_once('='));
                for (name, _) in settings {
                    self.add(Class::Sysctl, sysctl(name));
                }
            }
        }
    }

    /// The names that a block cannot define for itself: fields of the socket's state, and constants.
    fn code(&mut self, code: &Code) {
        self.add(Class::Code, "block");
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for word in code.text.split(|c| !is_name(c)) {
            let is_constant = word.starts_with("TCP") && word.contains('_');
            self.add_if(is_constant || word.starts_with("tcpi_"), Class::Code, word);
        }
    }
}

/// A setting by its dotted name, also where it is written as a file or with slashes.
fn sysctl(name: &str) -> String {
    let name = name.strip_prefix("/proc/sys/").unwrap_or(name);
    name.replace('/', ".")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::packetdrill::{Definitions, parse};

    #[test]
    fn each_class_of_thing_is_named() {
        let text = "--mtu=1500\n`x/set_sysctls.py /proc/sys/net/ipv4/a=1`\n\
            0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n\
            +0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=1}, 8) = 0\n\
            +0...1 connect(3, ..., ...) = -1 ETIMEDOUT (Connection timed out)\n\
            * > [ect0] S 0:0(0) <mss 1460,gen-77 ffff>\n\
            +0 < icmp unreachable frag_needed mtu 600 [0:0(0)]\n\
            +0 %{ assert tcpi_state == TCP_CLOSE, x }%\n";
        let script = parse(text.as_bytes(), Path::new("a.pkt"), &Definitions::default());
        let used = constructs(&script.expect("a script"));
        let names: Vec<String> = used.iter().map(Construct::to_string).collect();
        let expected = "option:mtu time:absolute time:relative time:any time:blocking";
        for name in expected.split(' ').chain([
            "call:connect",
            "sockopt:SOL_SOCKET/SO_LINGER",
            "value:linger",
            "word:SOCK_STREAM",
            "errno:ETIMEDOUT",
            "packet:tcp",
            "packet:icmp-unreachable/frag_needed",
            "packet:icmp-mtu",
            "ip:ecn",
            "tcp-option:mss",
            "tcp-option:gen-77",
            "command:set_sysctls.py",
            "sysctl:net.ipv4.a",
            "code:block",
            "code:tcpi_state",
            "code:TCP_CLOSE",
        ]) {
            assert!(names.iter().any(|n| n == name), "{name} in {names:?}");
        }
        assert!(!names.iter().any(|n| n == "word:SO_LINGER"), "{names:?}");
    }
}
