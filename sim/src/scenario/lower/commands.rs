//! What guests are told: the words of an `on` block as the commands of the script's contract.

use std::collections::{BTreeMap, BTreeSet};

use stack::app::command::Command;

use super::{Lower, one_of};
use crate::plan::Action;
use crate::scenario::language::Kind;
use crate::scenario::node::Node;
use crate::scenario::value::Value;

/// What the checker puts where a raw guest's only flow goes unnamed.
const NO_NAME: &str = "";

/// The names of sockets and flows that each domain's blocks introduce. Blocks share them, so that one block may
/// listen and another one accept.
#[derive(Debug, Default)]
pub(super) struct Sockets(BTreeMap<String, BTreeSet<String>>);

impl Sockets {
    /// Gathers them from all `on` blocks.
    pub(super) fn gather(nodes: &[Node]) -> Sockets {
        let mut sockets = Sockets::default();
        let blocks = nodes.iter().flat_map(|n| &n.children);
        for on in blocks.filter(|n| n.name() == "on") {
            let names = sockets.0.entry(on.text(0).to_owned()).or_default();
            names.extend(on.children.iter().filter_map(introduced).map(str::to_owned));
        }
        sockets
    }

    fn of(&self, domain: &str) -> Vec<&str> {
        self.0
            .get(domain)
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect()
    }
}

/// The name that a command introduces.
fn introduced(command: &Node) -> Option<&str> {
    if command.name() == "connect" && command.wrote("fails") {
        return None;
    }
    if command
        .word
        .args
        .first()
        .is_some_and(|a| a.kind == Kind::NewSocket)
    {
        return command.text_if(0);
    }
    let prop = command.word.props().find(|p| p.kind == Kind::NewSocket)?;
    command.prop_text(prop.name)
}

impl Lower<'_> {
    pub(super) fn on(&mut self, node: &Node) -> Action {
        let domain = node.text(0).to_owned();
        let raw = self.names.guest(&domain) == Some("raw");
        let (mut commands, mut spans) = (Vec::new(), Vec::new());
        for child in &node.children {
            let name = self.socket(&domain, child);
            let command = if raw {
                Some(raw_command(child, name))
            } else {
                self.script_command(child, name)
            };
            if let Some(command) = command {
                commands.push(command);
                spans.push(child.span);
            }
        }
        Action::On {
            domain,
            commands,
            spans,
        }
    }

    /// The socket or flow that a command is about (empty if none): one that some block of the domain introduces.
    fn socket(&mut self, domain: &str, node: &Node) -> String {
        let name = match node.word.args.first().map(|a| a.kind) {
            Some(Kind::Socket) => node.text(0).to_owned(),
            Some(Kind::NewSocket) => return node.text(0).to_owned(),
            _ => return NO_NAME.to_owned(),
        };
        let known = self.sockets.of(domain);
        if name == NO_NAME {
            if let [only] = known.as_slice() {
                return (*only).to_owned();
            }
            let (message, hint) = if known.is_empty() {
                (
                    "there is no flow yet".to_owned(),
                    "begin with: flow \"f\" \"10.0.0.2:80\" from=\":4000\"".to_owned(),
                )
            } else {
                (
                    "there is more than one flow".to_owned(),
                    format!("name it first, one of: {}", known.join(", ")),
                )
            };
            self.problem(node.span, message, "which flow?", hint);
        } else if !known.contains(&name.as_str()) {
            let hint = one_of(
                &name,
                &known,
                "open it first, with connect, accept, udp or flow",
            );
            let message = format!("{domain:?} never opens {name:?}");
            self.problem(node.arg_span(0), message, "unknown socket", hint);
        }
        name
    }

    fn script_command(&mut self, node: &Node, name: String) -> Option<Command> {
        let text = |index| node.text(index).to_owned();
        let number = |prop| node.prop_number(prop);
        Some(match node.name() {
            "connect" => return self.connect(node, name),
            "connect-start" => Command::ConnectStart {
                name,
                remote: text(1),
                local: node.prop_string("from").unwrap_or_default(),
            },
            "connect-wait" => Command::ConnectWait { name },
            "listen" => Command::Listen {
                name,
                local: text(1),
                backlog: narrow(number("backlog")),
            },
            "accept" => Command::Accept {
                name,
                new: node.prop_string("as").expect("required"),
            },
            "send" => match self.payload(node, 1, &["hex", "pattern"])? {
                Payload::Bytes(data) => Command::Send { name, data },
                Payload::Other(_) => Command::SendPattern {
                    name,
                    len: number("pattern").expect("it was chosen"),
                },
            },
            "recv" => return self.recv(node, name),
            "shutdown" => Command::Shutdown { name },
            "close" => Command::Close { name },
            "abort" => Command::Abort { name },
            "set" => return self.set_option(node, name),
            "udp" => Command::Udp {
                name,
                local: node.text_if(1).unwrap_or("").to_owned(),
            },
            "send-to" => return self.send_to(node, name),
            "recv-from" => match self.payload(node, 1, &["hex", "any"])? {
                Payload::Bytes(data) => Command::RecvFrom { name, data },
                Payload::Other(_) => Command::RecvFromAny {
                    name,
                    least: number("any").expect("it was chosen"),
                },
            },
            "http-get" => Command::HttpGet {
                name,
                path: text(1),
                status: narrow(number("status")),
                close: node.prop_bool("close").expect("default"),
            },
            "http-request" => Command::HttpRequest {
                name,
                method: text(1),
                path: text(2),
                headers: node.prop_string("headers").expect("default"),
                status: narrow(number("status")),
            },
            "http-crawl" => Command::HttpCrawl {
                name,
                path: text(1),
            },
            "ping" => Command::Ping {
                remote: text(0),
                count: narrow(number("count")),
                interval: number("interval").expect("default"),
            },
            _ => common(node),
        })
    }

    fn connect(&mut self, node: &Node, name: String) -> Option<Command> {
        let remote = node.text(1).to_owned();
        let fast = node.prop_bool("fast-open").expect("default");
        match (node.prop_string("fails"), node.prop_string("from")) {
            (Some(_), None) if fast => {
                self.problem(
                    node.prop_span("fast-open"),
                    "a connect that does not wait cannot be seen to fail".into(),
                    "not with fails=",
                    "leave fast-open= out, or let a recv fail",
                );
                None
            }
            (Some(_), Some(_)) => {
                self.problem(
                    node.prop_span("from"),
                    "a connect that fails has no local port".into(),
                    "not with fails=",
                    "leave from= out",
                );
                None
            }
            (Some(error), None) => Some(Command::ConnectFails {
                name,
                remote,
                error,
            }),
            (None, local) if fast => Some(Command::ConnectFast {
                name,
                remote,
                local: local.unwrap_or_default(),
            }),
            (None, local) => Some(Command::Connect {
                name,
                remote,
                local: local.unwrap_or_default(),
            }),
        }
    }

    fn recv(&mut self, node: &Node, name: String) -> Option<Command> {
        let ways = ["hex", "pattern", "any", "eof", "fails"];
        let command = match self.payload(node, 1, &ways)? {
            Payload::Bytes(data) => Command::Recv { name, data },
            Payload::Other("pattern") => Command::RecvPattern {
                name,
                len: node.prop_number("pattern")?,
            },
            Payload::Other("any") => Command::RecvAny {
                name,
                len: node.prop_number("any")?,
            },
            Payload::Other("eof") => Command::RecvEof {
                name,
                least: node.prop_number("least").unwrap_or(0),
            },
            Payload::Other(_) => Command::RecvFails {
                name,
                error: node.prop_string("fails")?,
            },
        };
        if node.wrote("least") && !matches!(command, Command::RecvEof { .. }) {
            self.problem(
                node.prop_span("least"),
                "`least` goes with the end of the stream".into(),
                "without eof=#true",
                "add eof=#true, or write any=N for exactly N bytes",
            );
        }
        Some(command)
    }

    fn send_to(&mut self, node: &Node, name: String) -> Option<Command> {
        let remote = node.text(1).to_owned();
        let command = match self.payload(node, 2, &["hex", "pattern"])? {
            Payload::Bytes(data) => Command::SendTo { name, remote, data },
            Payload::Other(_) => Command::SendToPattern {
                name,
                remote,
                len: narrow(node.prop_number("pattern")),
                count: narrow(node.prop_number("count").or(Some(1))),
            },
        };
        if node.wrote("count") && !matches!(command, Command::SendToPattern { .. }) {
            self.problem(
                node.prop_span("count"),
                "`count` goes with a pattern".into(),
                "without pattern=",
                "write pattern=N, or a line for each datagram",
            );
        }
        Some(command)
    }

    /// Exactly one way of saying what is sent or received: the text at `index`, or one of `ways`.
    fn payload(&mut self, node: &Node, index: usize, ways: &[&'static str]) -> Option<Payload> {
        let given: Vec<&'static str> = ways
            .iter()
            .copied()
            .filter(|w| node.wrote(w) && *node.prop(w).expect("written") != Value::Bool(false))
            .collect();
        match (node.text_if(index), given.as_slice()) {
            (Some(text), []) => Some(Payload::Bytes(text.as_bytes().to_vec())),
            (None, ["hex"]) => Some(Payload::Bytes(node.prop_bytes("hex")?.to_vec())),
            (None, [way]) => Some(Payload::Other(way)),
            (text, _) => {
                let message = if text.is_none() && given.is_empty() {
                    format!("`{}` does not say what", node.name())
                } else {
                    format!("`{}` says it twice", node.name())
                };
                let hint = format!("exactly one of: a text, {}=", ways.join("=, "));
                self.problem(node.span, message, "what?", hint);
                None
            }
        }
    }

    fn set_option(&mut self, node: &Node, name: String) -> Option<Command> {
        let given: Vec<(&'static str, &Value)> = node
            .word
            .props()
            .filter_map(|p| Some((p.name, node.prop(p.name)?)))
            .collect();
        let [(option, value)] = given.as_slice() else {
            self.problem(
                node.span,
                "`set` sets one option".into(),
                "none, or several",
                "one of nodelay=, keepalive=, rcvbuf=, sndbuf=, linger=; a line for each",
            );
            return None;
        };
        let value = match value {
            Value::Bool(true) => "on".to_owned(),
            Value::Bool(false) => "off".to_owned(),
            Value::Number(n) => n.to_string(),
            other => unreachable!("an option is not {other:?}"),
        };
        Some(Command::SetOption {
            name,
            option: (*option).to_owned(),
            value,
        })
    }
}

/// What a command's payload is given by.
enum Payload {
    Bytes(Vec<u8>),
    /// By this property.
    Other(&'static str),
}

fn raw_command(node: &Node, name: String) -> Command {
    match node.name() {
        "flow" => Command::Flow {
            name,
            remote: node.text(1).to_owned(),
            local: node.prop_string("from").unwrap_or_default(),
        },
        "flow-listen" => Command::FlowListen {
            name,
            port: narrow(Some(node.number(1))),
        },
        "send" => Command::RawSend {
            name,
            segment: node.text(1).to_owned(),
        },
        "await" => Command::RawAwait {
            name,
            segment: node.text(1).to_owned(),
            timeout: node.prop_number("timeout").expect("default"),
        },
        "silence" => Command::RawSilence {
            name,
            ns: node.number(1),
        },
        "option-sweep" => Command::RawOptionSweep {
            remote: node.text(0).to_owned(),
            gap: node.prop_number("gap").expect("default"),
        },
        "sequence-sweep" => Command::RawSequenceSweep {
            name,
            segment: node.text(1).to_owned(),
            step: narrow(node.prop_number("step")),
            gap: node.prop_number("gap").expect("default"),
        },
        "syn-flood" => Command::RawSynFlood {
            remote: node.text(0).to_owned(),
            count: narrow(node.prop_number("count")),
            gap: node.prop_number("gap").expect("default"),
        },
        _ => common(node),
    }
}

/// What both kinds of guests understand.
fn common(node: &Node) -> Command {
    match node.name() {
        "sleep" => Command::Sleep { ns: node.number(0) },
        "print" => Command::Print {
            line: node.text(0).to_owned(),
        },
        "poweroff" => Command::Poweroff,
        other => unreachable!("{other} is a command without a meaning"),
    }
}

/// A number whose range the table keeps within `N`.
fn narrow<N: TryFrom<u64>>(n: Option<u64>) -> N {
    let n = n.expect("a default or a required value");
    N::try_from(n).unwrap_or_else(|_| unreachable!("the table lets {n} through"))
}
