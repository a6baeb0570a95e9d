//! Two hosts on a cable, 10.0.0.1 and 10.0.0.2, each with one process.

use alloc::format;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;

use xen_abi::{Fuel, Instant, Sink};

use crate::addr::{Cidr, Mac};
use crate::api::{DeviceCaps, NetStack, SocketKind};
use crate::dev::raw::{Cable, RawDevice};
use crate::event::TcpState;
use crate::posix::{
    Answer, Call, Data, Domain, Errno, Fd, Level, Message, MsgFlags, Opt, OptionValue, Outcome,
    Output, Personality, Process, Room, Status,
};
use crate::profile::{MS, Profile};
use crate::stack::{Stack, StackConfig};

struct Deaf;

impl Sink for Deaf {
    fn emit(&self, _event: &[u8]) {}
}

/// Where the server of [`Lab::connected`] listens.
pub const SERVER: &str = "10.0.0.2:80";

/// One of the two.
pub struct Host {
    pub stack: Stack,
    pub process: Process,
}

/// Both, and the cable.
pub struct Lab {
    pub hosts: [Host; 2],
    pub cable: Cable,
    pub now: Instant,
}

fn host(last: u8, personality: Personality, profile: &Profile) -> (Host, RawDevice) {
    let mac = Mac([2, 0, 0, 0, 0, last]);
    let stack = Stack::new(StackConfig {
        mac,
        addresses: Cidr::parse(&format!("10.0.0.{last}/24"))
            .into_iter()
            .collect(),
        gateways: Vec::new(),
        mtu: 1500,
        profile: Rc::new(profile.clone()),
        seed: [last; 32],
        fuel: Fuel::unlimited(),
        sink: Rc::new(Deaf),
    });
    let caps = DeviceCaps {
        mac,
        mtu: 1500,
        tx_checksum: false,
    };
    let process = Process::new(personality);
    (Host { stack, process }, RawDevice::new(caps, 256))
}

impl Lab {
    /// Two hosts with that personality.
    pub fn new(personality: Personality) -> Lab {
        Lab::with_profile(personality, &Profile::default())
    }

    pub fn with_profile(personality: Personality, profile: &Profile) -> Lab {
        let (client, a) = host(1, personality.clone(), profile);
        let (server, b) = host(2, personality, profile);
        Lab {
            hosts: [client, server],
            cable: Cable { a, b },
            now: Instant(1_000 * MS),
        }
    }

    /// Lets everything happen that happens in the next `ms`.
    pub fn run(&mut self, ms: u64) {
        let end = self.now.plus(ms * MS);
        loop {
            let [a, b] = &mut self.hosts;
            while self.cable.exchange(self.now, &mut a.stack, &mut b.stack) > 0 {}
            let timers = self.hosts.iter().filter_map(|h| h.stack.poll_at(self.now));
            match timers.min() {
                Some(next) if next <= end => self.now = next.max(self.now.plus(1)),
                _ => break,
            }
        }
        self.now = end;
    }

    /// Octets of text in each segment that host `who` sends now; the other one receives them.
    pub fn texts_sent(&mut self, who: usize) -> Vec<u32> {
        let text = |ip: &Vec<u8>| {
            let headers = usize::from(ip[0] & 15) * 4 + usize::from(ip[32] >> 4) * 4;
            let whole = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
            (whole - headers) as u32
        };
        self.packets_sent(who).iter().map(text).collect()
    }

    /// The packets that host `who` sends now; the other one receives them.
    pub fn packets_sent(&mut self, who: usize) -> Vec<Vec<u8>> {
        let [a, b] = &mut self.hosts;
        let (host, peer, device) = match who {
            0 => (a, b, &mut self.cable.a),
            _ => (b, a, &mut self.cable.b),
        };
        host.stack.transmit(self.now, device);
        let mut packets = Vec::new();
        let mut sees = |frame: &[u8], csum_ok| {
            packets.push(frame[14..].to_vec());
            peer.stack.receive(self.now, frame, csum_ok);
        };
        while device.take(&mut sees).is_some() {}
        packets
    }

    /// The server answers no SYN, as if it heard none.
    pub fn ignore_server(&mut self) {
        let profile = Profile {
            tcp: crate::profile::TcpProfile {
                defence: crate::profile::Defence {
                    blackhole: crate::profile::Blackhole::All,
                    ..Default::default()
                },
                ..Default::default()
            },
            ..Profile::default()
        };
        self.hosts[1].stack.set_profile(Rc::new(profile));
    }

    /// Host `who` makes a call.
    pub fn call(&mut self, who: usize, call: Call) -> Outcome {
        let Host { stack, process } = &mut self.hosts[who];
        process.call(stack, self.now, &call)
    }

    /// Host `who` makes a call that returns at once.
    pub fn answer(&mut self, who: usize, call: Call) -> Answer {
        match self.call(who, call) {
            Outcome::Done(answer) => answer,
            Outcome::Blocks => panic!("it blocks"),
        }
    }

    /// Host `who` makes a call that succeeds at once: its value.
    pub fn value(&mut self, who: usize, call: Call) -> i64 {
        let answer = self.answer(who, call);
        assert_eq!(answer.errno, None);
        answer.result
    }

    /// Host `who` makes a call that fails at once.
    pub fn error(&mut self, who: usize, call: Call) -> Errno {
        let answer = self.answer(who, call);
        assert_eq!(answer.result, -1);
        answer.errno.expect("an error")
    }

    /// What the call that blocks at host `who` has come to.
    pub fn resume(&mut self, who: usize) -> Option<Answer> {
        let Host { stack, process } = &mut self.hosts[who];
        process.resume(stack, self.now)
    }

    pub fn socket(&mut self, who: usize, status: Status) -> Fd {
        self.value(
            who,
            Call::Socket {
                domain: Domain::Inet,
                kind: SocketKind::Stream,
                protocol: SocketKind::Stream,
                status,
            },
        ) as Fd
    }

    /// A listener of host 1.
    pub fn listener(&mut self, status: Status) -> Fd {
        let fd = self.socket(1, status);
        let address = at(SERVER);
        assert_eq!(self.value(1, Call::Bind { fd, address }), 0);
        assert_eq!(self.value(1, Call::Listen { fd, backlog: 4 }), 0);
        fd
    }

    /// A connection between both, blocking at both ends: the client's and the server's descriptor.
    pub fn connected(&mut self) -> (Fd, Fd) {
        let listener = self.listener(Status::empty());
        let client = self.socket(0, Status::empty());
        let connect = Call::Connect {
            fd: client,
            address: at(SERVER),
        };
        assert_eq!(self.call(0, connect), Outcome::Blocks);
        self.run(10);
        assert_eq!(self.resume(0).expect("connected").result, 0);
        let server = self.value(1, accept(listener)) as Fd;
        (client, server)
    }

    pub fn set_nonblocking(&mut self, who: usize, fd: Fd) {
        let status = Status::RDWR | Status::NONBLOCK;
        assert_eq!(self.value(who, Call::SetStatus { fd, status }), 0);
    }

    pub fn set(&mut self, who: usize, fd: Fd, level: Level, name: &str, value: i64) -> Answer {
        let option = Opt::named(level, name);
        let value = OptionValue::Int(value);
        self.answer(
            who,
            Call::SetOption {
                fd,
                option,
                value,
                len: 4,
            },
        )
    }

    /// An option of an `int`'s size.
    pub fn get(&mut self, who: usize, fd: Fd, level: Level, name: &str) -> OptionValue {
        self.get_with_room(who, fd, level, name, 4)
    }

    /// An option of any size.
    pub fn get_long(&mut self, who: usize, fd: Fd, level: Level, name: &str) -> OptionValue {
        self.get_with_room(who, fd, level, name, 1024)
    }

    fn get_with_room(
        &mut self,
        who: usize,
        fd: Fd,
        level: Level,
        name: &str,
        len: u32,
    ) -> OptionValue {
        let option = Opt::named(level, name);
        match self.answer(who, Call::GetOption { fd, option, len }).output {
            Output::Option(value, got) if got <= len => value,
            other => panic!("no option: {other:?}"),
        }
    }

    /// The state that `TCP_INFO` tells.
    pub fn state(&mut self, who: usize, fd: Fd) -> TcpState {
        match self.get_long(who, fd, Level::Tcp, "TCP_INFO") {
            OptionValue::Info(info) => info.state,
            other => panic!("no tcp_info: {other:?}"),
        }
    }

    /// `SO_ERROR`
    pub fn pending_error(&mut self, who: usize, fd: Fd) -> Option<Errno> {
        match self.get(who, fd, Level::Socket, "SO_ERROR") {
            OptionValue::Errno(errno) => errno,
            other => panic!("no error number: {other:?}"),
        }
    }
}

pub fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

pub fn accept(fd: Fd) -> Call {
    Call::Accept {
        fd,
        status: Status::empty(),
    }
}

pub fn write(fd: Fd, octets: u64) -> Call {
    Call::Write {
        fd,
        from: vec![Data::Zeros(octets)],
    }
}

pub fn write_text(fd: Fd, text: &str) -> Call {
    Call::Write {
        fd,
        from: vec![Data::Bytes(text.as_bytes().into())],
    }
}

pub fn send(fd: Fd, octets: u64, flags: MsgFlags) -> Call {
    Call::Send {
        fd,
        from: vec![Data::Zeros(octets)],
        flags,
        to: None,
    }
}

pub fn read(fd: Fd, room: u64) -> Call {
    Call::Read {
        fd,
        into: vec![Room::Bytes(room)],
    }
}

pub fn recv(fd: Fd, room: u64, flags: MsgFlags) -> Call {
    Call::Recv {
        fd,
        into: vec![Room::Bytes(room)],
        flags,
    }
}

/// The octets of an answer.
pub fn octets(answer: Answer) -> Vec<u8> {
    match answer.output {
        Output::Message(Message { data, .. }) => data,
        other => panic!("no message: {other:?}"),
    }
}
