//! What guests are told: conversations that a script or a raw peer may hold, of every command of the language.
//!
//! Most commands need others before them, so a block is a conversation with a beginning and an end and a few random turns
//! between. Many fail, or wait until the run is over: that too must come out the same each time.

use stack::app::command::Command;

use super::Sampler;
use super::places::{NETWORK, OTHER_NETWORK};
use crate::plan::*;
use crate::scenario::language::{GUESTS, Place, commands_of};
use crate::world::schedule::domains;

/// Ports of scripts' own.
const PORTS: [u16; 2] = [4_000, 4_001];

impl Sampler {
    /// A block of commands for somebody who follows commands, if there is anybody.
    pub(super) fn on(&mut self, plan: &Plan) -> Action {
        let all: Vec<&DomainPlan> = domains(plan).collect();
        // Of our kernels few follow commands; what others do is their own business.
        let follows = |domain: &&DomainPlan| {
            let guest = domain.guest.as_str();
            commands_of(guest).is_some() || !GUESTS.contains(&guest)
        };
        let followers: Vec<&DomainPlan> = all.iter().copied().filter(follows).collect();
        let domain = self.one_of(if followers.is_empty() {
            &all
        } else {
            &followers
        });
        let commands = match commands_of(&domain.guest) {
            Some(Place::Raw) => self.raw(plan),
            None if self.percent(50) => self.raw(plan),
            _ => self.script(plan),
        };
        on(domain, commands)
    }

    /// What two scripts are told that shall meet, if there are two.
    pub(super) fn server_and_client(&mut self, plan: &Plan) -> Option<[Action; 2]> {
        let scripts = (2..).zip(domains(plan));
        let scripts: Vec<(u32, &DomainPlan)> = scripts
            .filter(|(_, domain)| domain.guest == "script")
            .collect();
        let n = self.below(scripts.len() as u64) as usize;
        let (host, server) = *scripts.get(n)?;
        let (_, client) = *scripts.get(n + 1).or(scripts.first().filter(|_| n > 0))?;
        let port = self.one_of(&PORTS);
        let remote = format!("{NETWORK}.{host}:{port}");
        Some([on(server, self.serve(port)), on(client, self.call(remote))])
    }

    fn script(&mut self, plan: &Plan) -> Vec<Command> {
        match self.below(12) {
            0..3 => {
                let remote = self.endpoint(plan);
                self.call(remote)
            }
            3 => {
                let port = self.one_of(&PORTS);
                self.serve(port)
            }
            4..6 => self.datagrams(plan),
            6..9 => self.browse(plan),
            9 => vec![Command::Ping {
                remote: self.host(plan).0,
                count: 1 + self.below(3) as u32,
                interval: self.spread(1, 5_000_000),
            }],
            _ => vec![self.either()],
        }
    }

    /// A connection is opened, used, and perhaps closed.
    fn call(&mut self, remote: String) -> Vec<Command> {
        let (name, local) = (self.socket(), self.local());
        let mut commands = match self.below(6) {
            5 => vec![Command::ConnectFast {
                name: name.clone(),
                remote,
                local,
            }],
            0 => {
                let error = self.errno();
                return vec![Command::ConnectFails {
                    name,
                    remote,
                    error,
                }];
            }
            1 | 2 => vec![
                Command::ConnectStart {
                    name: name.clone(),
                    remote,
                    local,
                },
                Command::ConnectWait { name: name.clone() },
            ],
            _ => vec![Command::Connect {
                name: name.clone(),
                remote,
                local,
            }],
        };
        self.talk(&name, &mut commands);
        commands
    }

    /// A connection is waited for, used, and perhaps closed.
    fn serve(&mut self, port: u16) -> Vec<Command> {
        let (name, new) = (self.socket(), self.socket());
        let mut commands = vec![
            Command::Listen {
                name: name.clone(),
                local: format!(":{port}"),
                backlog: 1 + self.below(8) as u32,
            },
            Command::Accept {
                name,
                new: new.clone(),
            },
        ];
        self.talk(&new, &mut commands);
        commands
    }

    fn talk(&mut self, name: &str, commands: &mut Vec<Command>) {
        if self.percent(30) {
            commands.push(self.option(name.to_owned()));
        }
        // Whoever waits first may wait until the world is over.
        if self.percent(50) {
            commands.push(Command::SendPattern {
                name: name.to_owned(),
                len: self.spread(1, 30_000),
            });
        }
        for _ in 0..self.below(5) {
            commands.push(self.turn(name.to_owned()));
        }
        if self.percent(70) {
            commands.push(self.end(name.to_owned()));
        }
    }

    fn turn(&mut self, name: String) -> Command {
        let len = self.spread(1, 30_000);
        let data = b"evil".to_vec();
        match self.below(9) {
            0 | 1 => Command::Send { name, data },
            2 | 3 => Command::SendPattern { name, len },
            4 => Command::Recv { name, data },
            5 => Command::RecvPattern { name, len },
            6 => Command::RecvAny { name, len },
            7 => self.end(name),
            _ => self.either(),
        }
    }

    /// What ends a connection or follows its end.
    fn end(&mut self, name: String) -> Command {
        match self.below(6) {
            0 => Command::Shutdown { name },
            1 => Command::RecvEof {
                name,
                least: self.below(10),
            },
            2 => Command::RecvFails {
                name,
                error: self.errno(),
            },
            3 => Command::Abort { name },
            _ => Command::Close { name },
        }
    }

    fn option(&mut self, name: String) -> Command {
        let options = [
            ("nodelay", "on"),
            ("keepalive", "on"),
            ("rcvbuf", "4096"),
            ("sndbuf", "2000"),
            ("linger", "0"),
        ];
        let (option, value) = self.one_of(&options);
        Command::SetOption {
            name,
            option: option.into(),
            value: value.into(),
        }
    }

    fn datagrams(&mut self, plan: &Plan) -> Vec<Command> {
        let name = self.socket();
        let mut commands = vec![Command::Udp {
            name: name.clone(),
            local: self.local(),
        }];
        let remote = self.server(plan, "echo", 7);
        for _ in 0..1 + self.below(4) {
            let (name, remote) = (name.clone(), remote.clone());
            let data = b"evil".to_vec();
            commands.push(if self.percent(70) {
                Command::SendTo { name, remote, data }
            } else {
                Command::SendToPattern {
                    name,
                    remote,
                    len: self.below(1_473) as u16,
                    count: 1 + self.below(50) as u32,
                }
            });
        }
        let heard = name.clone();
        commands.push(if self.percent(50) {
            let data = b"evil".to_vec();
            Command::RecvFrom { name: heard, data }
        } else {
            let least = self.below(10);
            Command::RecvFromAny { name: heard, least }
        });
        commands.push(self.end(name));
        commands
    }

    fn browse(&mut self, plan: &Plan) -> Vec<Command> {
        let name = self.socket();
        let remote = self.server(plan, "http", 80);
        let mut commands = vec![Command::Connect {
            name: name.clone(),
            remote,
            local: String::new(),
        }];
        for _ in 0..1 + self.below(2) {
            let name = name.clone();
            let path = self.one_of(&["/", "/next", "/nowhere"]).to_owned();
            commands.push(match self.below(4) {
                0 | 1 => Command::HttpGet {
                    name,
                    path,
                    status: 200,
                    close: self.percent(30),
                },
                2 => Command::HttpRequest {
                    name,
                    method: self.one_of(&["HEAD", "GET", "BREW"]).to_owned(),
                    path,
                    headers: "If-None-Match: \"4500\"".into(),
                    status: 304,
                },
                _ => Command::HttpCrawl { name, path },
            });
        }
        commands
    }

    fn raw(&mut self, plan: &Plan) -> Vec<Command> {
        let name = self.socket();
        let mut commands = match self.below(13) {
            0 => {
                let (remote, gap) = (self.endpoint(plan), self.spread(1, 20_000));
                return vec![match self.percent(50) {
                    true => Command::RawOptionSweep { remote, gap },
                    false => Command::RawSynFlood {
                        remote,
                        count: 1 + self.below(300) as u32,
                        gap,
                    },
                }];
            }
            12 => vec![
                Command::Flow {
                    name: name.clone(),
                    remote: self.endpoint(plan),
                    local: self.local(),
                },
                Command::RawSequenceSweep {
                    name: name.clone(),
                    segment: "R".into(),
                    step: 1 << (24 + self.below(7)),
                    gap: self.spread(1, 20_000),
                },
            ],
            1 => return vec![self.either()],
            2 => vec![Command::FlowListen {
                name: name.clone(),
                port: self.one_of(&PORTS),
            }],
            _ => vec![Command::Flow {
                name: name.clone(),
                remote: self.endpoint(plan),
                local: self.local(),
            }],
        };
        for _ in 0..1 + self.below(5) {
            let name = name.clone();
            commands.push(match self.below(5) {
                0..3 => Command::RawSend {
                    name,
                    segment: self.segment(),
                },
                3 => Command::RawAwait {
                    name,
                    segment: self.segment(),
                    timeout: self.spread(1, 20_000_000),
                },
                _ => Command::RawSilence {
                    name,
                    ns: self.spread(1, 5_000_000),
                },
            });
        }
        commands
    }

    /// As likely the beginning of a connection as anything later.
    fn segment(&mut self) -> String {
        let segments = [
            "S 0:0(0) win 65535 <mss 1460,sackOK>",
            "S 0:0(0) win 65535 <mss 1460,sackOK>",
            "S.",
            "S 0:0(0) <hex 01020000>",
            ". 1:1(0) ack 1 win 512",
            "P. 1:101(100) ack 1 win 0",
            "F. 1:1(0) ack 1",
            "R 1:1(0)",
        ];
        self.one_of(&segments).to_owned()
    }

    /// What scripts and raw peers both understand.
    fn either(&mut self) -> Command {
        match self.below(10) {
            0 => Command::Poweroff,
            1..5 => Command::Print {
                line: "evil".into(),
            },
            _ => Command::Sleep {
                ns: self.spread(1, 5_000_000),
            },
        }
    }

    fn socket(&mut self) -> String {
        self.one_of(&["a", "b", "c"]).to_owned()
    }

    fn errno(&mut self) -> String {
        self.one_of(&["ECONNREFUSED", "ECONNRESET"]).to_owned()
    }

    /// Nothing in particular, or a port of one's own.
    fn local(&mut self) -> String {
        match self.percent(60) {
            true => String::new(),
            false => format!(":{}", self.one_of(&PORTS)),
        }
    }

    /// A domain's address and guest; sometimes one that it does not have, or nobody's.
    fn host(&mut self, plan: &Plan) -> (String, String) {
        let domains: Vec<&DomainPlan> = domains(plan).collect();
        let n = self.below(domains.len() as u64);
        let guest = domains[n as usize].guest.clone();
        match self.below(20) {
            0 => (format!("{NETWORK}.99"), String::new()),
            // For whoever is not on it himself, behind a router.
            1 => (format!("{OTHER_NETWORK}.{}", 2 + n), guest),
            _ => (format!("{NETWORK}.{}", 2 + n), guest),
        }
    }

    /// Where such a guest serves, if there is one; else where somebody may listen.
    fn server(&mut self, plan: &Plan, guest: &str, port: u16) -> String {
        let hosts = (2..).zip(domains(plan));
        let hosts: Vec<u32> = hosts
            .filter(|(_, domain)| domain.guest == guest)
            .map(|(host, _)| host)
            .collect();
        match hosts.is_empty() {
            true => self.endpoint(plan),
            false => format!("{NETWORK}.{}:{port}", self.one_of(&hosts)),
        }
    }

    /// Where somebody may listen.
    fn endpoint(&mut self, plan: &Plan) -> String {
        let (host, guest) = self.host(plan);
        let port = match guest.as_str() {
            "echo" => 7,
            "discard" => 9,
            "chargen" => 19,
            "http" => 80,
            _ => self.one_of(&PORTS),
        };
        format!("{host}:{port}")
    }
}

fn on(domain: &DomainPlan, commands: Vec<Command>) -> Action {
    Action::On {
        domain: domain.name.clone(),
        spans: vec![Span::default(); commands.len()],
        commands,
    }
}
