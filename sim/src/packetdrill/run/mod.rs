//! Running a script: its events in their order, on virtual time, against a stack of this testbed.
//!
//! - [`config`]: what the script runs with; [`clock`]: when its events are due
//! - [`subject`]: what is tested, on its way to the network: [`raw`], with what commands do to it in `host`
//! - [`remote`]: the script's side of the connection, which translates between its numbers and the live ones
//! - inbound packets: [`build`], with [`icmp_names`] and [`wire_options`]
//! - outbound packets: [`live`] takes them apart, [`merge`] puts together what was cut, [`check`] compares
//! - [`calls`]: system calls
//! - [`failure`]: what is said when something differs; [`verdict`]: how it ended; [`expected`]: that it had to fail
//! - [`record`]: what happened; [`capture`]: the packets in a file
//!
//! The runner reads no clock and does no input or output: a script and a seed decide all that happens.

pub mod build;
pub mod calls;
pub mod capture;
pub mod check;
pub mod clock;
pub mod config;
pub mod expected;
pub mod failure;
mod host;
pub mod icmp_names;
pub mod live;
pub mod merge;
pub mod raw;
pub mod record;
pub mod remote;
pub mod subject;
pub mod verdict;
pub mod wire_options;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use stack::api::TcpInfo;
use stack::posix::{
    Answer, Call as Posix, Opt, OptionValue, Outcome, Output, Personality, tcp_info,
};
use stack::profile::Profile;
use xenemu::abi::Instant;

use self::calls::{Context, Files, judge, received};
use self::clock::Clock;
use self::config::{Config, Dialect};
use self::failure::Failure;
use self::live::Live;
use self::merge::Joined;
use self::record::Record;
use self::remote::Remote;
use self::subject::Subject;
use self::verdict::{Ending, Verdict};
use super::Script;
use super::ast::{Action, Code, Event};
use super::call::Call;
use super::code::{self, Block};
use super::command::Command;
use super::environment::Environment;
use super::icmp::{Echoed, Icmp};
use super::ip::IpInfo;
use super::packet::{Body, Direction, Packet};
use super::tcp::{Segment, Sequence, Start};
use super::time::When;
use crate::plan::Span;

/// When the world begins: late enough for a timestamp's clock to have run, whichever it is.
const BEGIN: Instant = Instant(1_000 * SECOND);
const SECOND: u64 = 1_000_000_000;
/// How long a packet or a call is waited for beyond its tolerance, as google's tool does.
const GRACE: u64 = 2 * SECOND;
/// How long a packet is waited for whose time nobody says, and a call that may block as long as it likes.
const PATIENCE: u64 = 24 * 3_600 * SECOND;
/// How often a stack may have more to do at one and the same instant.
const TURNS_MAX: u32 = 10_000;

/// Where the randomness of a stack under test comes from: the same each time.
const SEED: [u8; 32] = *b"a script decides all but the ISN";

/// How a script is run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// The profile of the stack under test; without one, that of the system that the script was written for.
    pub profile: Option<String>,
}

/// Runs a script from its first event to its end.
pub fn run(script: &Script, options: &RunOptions) -> Verdict {
    let dialect = Dialect::guess(script);
    let config = match Config::of(script, dialect) {
        Ok(config) => config,
        Err(problem) => return Verdict::skipped(problem.into()),
    };
    let name = options.profile.as_deref().unwrap_or(dialect.profile());
    let profile = Profile::named(name).expect("the command line offers only profiles that exist");
    let profile = with_the_address_at_once(profile);
    let personality = match dialect {
        Dialect::Google => Personality::linux(),
        Dialect::Nplab => Personality::freebsd(),
    };
    let environment = Environment::new(profile);
    let subject = raw::Raw::new(&config, environment.profile(), personality.clone(), SEED);
    let mut run = Run::new(script, config, personality, environment, subject);
    let ending = match run.script() {
        Ok(()) => Ending::Passed,
        Err(failure) => Ending::Failed(failure),
    };
    run.verdict(ending)
}

/// The tools bring their interface up long before a script begins: nobody has to be asked about its address any more.
fn with_the_address_at_once(mut profile: Profile) -> Profile {
    profile.net.ipv6.dad_transmits = 0;
    profile.net.ipv6.autoconf = false;
    profile
}

/// A call that blocked. When it returned is judged where the script waits for it: at its next call, or at its end.
#[derive(Clone, Copy)]
struct Pending<'s> {
    call: &'s Call,
    begun: Instant,
    /// When it has to return, if the script says it.
    until: Option<Instant>,
    /// When it did.
    returned: Option<Instant>,
}

/// A script on its way.
struct Run<'s, S> {
    script: &'s Script,
    config: Config,
    personality: Personality,
    environment: Environment,
    subject: S,
    now: Instant,
    clock: Clock,
    remote: Remote,
    files: Files,
    /// What the stack has sent and no line has asked for.
    sent: VecDeque<Live>,
    pending: Option<Pending<'s>>,
    samples: Vec<Sample<'s>>,
    record: Record,
}

/// A code block, and what was known of the socket under test at its time.
struct Sample<'s> {
    place: Span,
    text: &'s str,
    /// Nothing where there was no such socket.
    info: Option<Box<TcpInfo>>,
}

/// More octets than any system's `struct tcp_info` has.
const INFO_ROOM: u32 = 1024;

impl<'s, S: Subject> Run<'s, S> {
    fn new(
        script: &'s Script,
        config: Config,
        personality: Personality,
        environment: Environment,
        subject: S,
    ) -> Run<'s, S> {
        Run {
            script,
            remote: Remote::new(&config),
            config,
            personality,
            environment,
            subject,
            now: BEGIN,
            clock: Clock::new(BEGIN),
            files: Files::default(),
            sent: VecDeque::new(),
            pending: None,
            samples: Vec::new(),
            record: Record::default(),
        }
    }

    fn verdict(self, ending: Ending) -> Verdict {
        let simulated = self.now.since(BEGIN);
        Verdict::new(ending, self.record, simulated)
    }

    /// The script from its first command to its last, which is run whatever happens.
    fn script(&mut self) -> Result<(), Failure> {
        let script = self.script;
        let begun = match &script.init {
            Some(init) => self.command(script.events[0].place.0, init),
            None => Ok(()),
        };
        let events = begun.and_then(|()| self.events());
        let last = &script.events[script.events.len() - 1];
        let ended = match &script.cleanup {
            Some(cleanup) => self.command(last.place.0, cleanup),
            None => Ok(()),
        };
        events.and(ended).and_then(|()| self.code())
    }

    fn events(&mut self) -> Result<(), Failure> {
        let script = self.script;
        self.settle()?;
        self.clock = Clock::new(self.now);
        for event in &script.events {
            self.event(event)?;
        }
        self.await_pending()
    }

    /// What a code block's names mean is asked when its turn is; it runs after the last event, with all others.
    fn sample(&mut self, event: &'s Event, code: &'s Code) {
        let descriptor = self.remote.descriptor().and_then(|fd| self.files.get(fd));
        let info = descriptor.and_then(|fd| {
            let ask = Posix::GetOption {
                fd,
                option: Opt::TcpInfo,
                len: INFO_ROOM,
            };
            match self.subject.call(self.now, &ask) {
                Outcome::Done(Answer {
                    output: Output::Option(OptionValue::Info(info), _),
                    ..
                }) => Some(info),
                _ => None,
            }
        });
        self.samples.push(Sample {
            place: event.place.0,
            text: &code.text,
            info,
        });
    }

    /// Runs all code blocks as one program.
    fn code(&self) -> Result<(), Failure> {
        let field = |sample: &'_ Sample<'_>, name: &str| {
            let info = sample.info.as_ref()?;
            tcp_info::field(info, name.strip_prefix("tcpi_")?, &self.personality)
        };
        let fields: Vec<_> = self
            .samples
            .iter()
            .map(|s| move |name: &str| field(s, name))
            .collect();
        let blocks = self
            .samples
            .iter()
            .zip(&fields)
            .map(|(sample, field)| Block {
                text: sample.text,
                field,
            });
        let blocks: Vec<Block<'_>> = blocks.collect();
        code::run(&blocks).map(drop).map_err(|problem| {
            let place = self.samples[problem.block].place;
            Failure::new(place, problem.to_string())
        })
    }

    fn command(&mut self, place: Span, command: &Command) -> Result<(), Failure> {
        let host = self.subject.host();
        let done = self.environment.command(command, host);
        done.map_err(|failure| Failure::new(place, format!("the command fails: {failure}")))?;
        self.settle()
    }

    fn event(&mut self, event: &'s Event) -> Result<(), Failure> {
        match &event.action {
            Action::Packet(packet) if packet.direction == Direction::Out => {
                return self.expect(event, packet);
            }
            Action::Call(_) => self.await_pending()?,
            _ => {}
        }
        let due = self.clock.resolve(event.when).from;
        self.advance(due)?;
        match &event.action {
            Action::Packet(packet) => self.inject(event, packet)?,
            Action::Call(call) => self.call(event, call)?,
            Action::Command(command) => self.command(event.place.0, command)?,
            Action::Code(code) => self.sample(event, code),
        }
        self.clock.advance(due, self.now);
        Ok(())
    }

    /// Lets the stack do all that is due now, then asks the call that blocks, and lets the stack do what follows from it.
    fn settle(&mut self) -> Result<(), Failure> {
        self.exhaust()?;
        self.ask_pending()?;
        self.exhaust()
    }

    /// Lets the stack do all that is due now, and collects what it sends.
    fn exhaust(&mut self) -> Result<(), Failure> {
        let Run {
            subject,
            sent,
            record,
            now,
            ..
        } = self;
        for _ in 0..TURNS_MAX {
            subject.run(*now, &mut |packet| {
                record.sent(*now, &packet);
                sent.extend(Live::parse(*now, packet));
            });
            if subject.poll_at(*now).is_none_or(|at| at > *now) {
                return Ok(());
            }
        }
        let what = "the stack does not come to rest: it always has more to do at once";
        Err(Failure::new(self.place(), what))
    }

    /// Where a failure is that no event causes.
    fn place(&self) -> Span {
        match &self.pending {
            Some(pending) => pending.call.place.0,
            None => self.script.events[0].place.0,
        }
    }

    /// Lets time pass up to a moment; the stack does what is due on the way.
    fn advance(&mut self, to: Instant) -> Result<(), Failure> {
        while let Some(next) = self.subject.poll_at(self.now).filter(|next| *next <= to) {
            self.now = self.now.max(next);
            self.settle()?;
        }
        self.now = self.now.max(to);
        self.settle()
    }

    /// Lets time pass until something happens, at most up to a moment; whether there is anything left to happen.
    fn step(&mut self, limit: Instant) -> Result<bool, Failure> {
        let Some(next) = self.subject.poll_at(self.now).filter(|next| *next <= limit) else {
            return Ok(false);
        };
        self.now = self.now.max(next);
        self.settle()?;
        Ok(true)
    }

    // Packets of the script.

    fn inject(&mut self, event: &Event, packet: &Packet) -> Result<(), Failure> {
        let fail = |what: String| Failure::new(event.place.0, what);
        if !packet.outer.is_empty() {
            return Err(fail("headers around a packet cannot be sent".into()));
        }
        let bytes = match &packet.body {
            Body::Tcp(segment) => {
                let live = self.remote.inbound(segment);
                let live = live.map_err(|why| fail(why.to_string()))?;
                build::tcp(&self.remote.envelope(&packet.ip), &live)
            }
            Body::Icmp(message) => self.icmp(event, message, &packet.ip)?,
            Body::Udp(_) => return Err(fail("UDP by itself cannot be sent".into())),
        };
        let Some(mut bytes) = bytes else {
            return Err(fail(format!(
                "the packet has more than {} bytes",
                build::LONGEST
            )));
        };
        build::mark_evil(&mut bytes);
        self.record.injected(self.now, &bytes, packet);
        self.subject.receive(self.now, &bytes);
        self.settle()
    }

    fn icmp(
        &self,
        event: &Event,
        message: &Icmp,
        info: &IpInfo,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let fail = |what: String| Failure::new(event.place.0, what);
        let is_v6 = self.config.remote.is_ipv6();
        let code = message.code.as_deref();
        let named = icmp_names::find(&message.kind, code, is_v6);
        let named = named.ok_or_else(|| {
            let code = code.map_or(String::new(), |code| format!(" {code}"));
            fail(format!(
                "ICMP of this IP version has no {}{code}",
                message.kind
            ))
        })?;
        let nothing = Sequence {
            start: Start::Relative(0),
            len: 0,
        };
        let (sequence, udp) = match &message.echoed {
            None => (&nothing, None),
            Some(Echoed::Tcp { sequence, udp }) => (sequence, *udp),
            Some(Echoed::Udp(_) | Echoed::Raw(_)) => {
                return Err(fail("only segments can be complained about".into()));
            }
        };
        let about = self.remote.complained_of(sequence, udp);
        let about = about.map_err(|why| fail(why.to_string()))?;
        let (to, from) = (self.remote.envelope(info), self.remote.envelope_back());
        Ok(build::icmp(&to, named, message.mtu, &from, &about))
    }

    // Packets of the stack.

    fn expect(&mut self, event: &Event, packet: &Packet) -> Result<(), Failure> {
        let window = self.clock.resolve(event.when);
        let tolerance = self.clock.tolerance(&self.config, window.from);
        let limit = match window.to {
            Some(to) => to.plus(tolerance + GRACE),
            None => self.now.plus(PATIENCE),
        };
        let (segment, live) = match &packet.body {
            Body::Tcp(segment) if packet.outer.is_empty() => {
                (segment, self.whole(event, segment, limit)?)
            }
            _ => {
                let what = "only segments without other headers can be waited for";
                return Err(Failure::new(event.place.0, what));
            }
        };
        let differs = self.compare(event, packet, segment, &live);
        if !window.holds(live.at, tolerance) {
            differs.and_then(|()| Err(self.untimely(event, &live, tolerance)))?;
        } else if !self.config.lenient_packets {
            differs?;
        }
        self.clock.advance(window.from, self.now);
        Ok(())
    }

    fn compare(
        &mut self,
        event: &Event,
        packet: &Packet,
        segment: &Segment,
        live: &Live,
    ) -> Result<(), Failure> {
        let Some(tcp) = live.tcp() else {
            unreachable!("only segments are of the connection under test");
        };
        let mut got = self.remote.outbound(live, tcp, segment, &self.config);
        // What nobody asked for is not shown beside what was asked for.
        got.window = got.window.filter(|_| segment.window.is_some());
        let difference = check::segment(segment, &got, live, tcp)
            .or_else(|| check::marks(&packet.ip, live, &mut self.remote));
        let got = Packet {
            direction: Direction::Out,
            outer: Vec::new(),
            ip: IpInfo::default(),
            body: Body::Tcp(got),
        };
        let text = got.to_string();
        self.record.received(live.at, &text);
        match difference {
            None => Ok(()),
            Some(d) => {
                let expected = packet.to_string();
                Err(Failure::different(event.place.0, &d, expected, text))
            }
        }
    }

    fn untimely(&self, event: &Event, live: &Live, tolerance: u64) -> Failure {
        let due = match event.when {
            When::Within(..) | When::AfterWithin(..) => {
                let window = self.clock.resolve(event.when);
                let to = window.to.unwrap_or(window.from);
                format!(
                    "{}~{}",
                    self.clock.script_time(window.from),
                    self.clock.script_time(to)
                )
            }
            _ => {
                let due = self.clock.resolve(event.when).from;
                self.clock.script_time(due).to_string()
            }
        };
        let at = self.clock.script_time(live.at);
        let ms = tolerance / 1_000_000;
        let what = format!(
            "the packet came at the wrong time: expected at {due} (give or take {ms} ms), sent at {at}"
        );
        Failure::new(event.place.0, what)
    }

    /// The next packet of the connection under test, with what continues it while the script's is longer.
    fn whole(&mut self, event: &Event, segment: &Segment, limit: Instant) -> Result<Live, Failure> {
        let first = self.next_sent(event, limit)?;
        let wanted = usize::from(segment.sequence.len);
        if self.config.strict_segments {
            return Ok(first);
        }
        let mut joined = Joined::new(first);
        while joined.bytes() > 0 && joined.bytes() < wanted {
            let next = self.next_sent(event, limit)?;
            joined.push(next).map_err(|breach| {
                let (so_far, wanted) = (joined.bytes(), wanted);
                let what = format!(
                    "{so_far} of {wanted} bytes were sent, and the next packet does not continue them: {breach}"
                );
                Failure::new(event.place.0, what)
            })?;
        }
        Ok(joined.whole())
    }

    /// The next packet of the connection under test, waited for up to a moment.
    fn next_sent(&mut self, event: &Event, limit: Instant) -> Result<Live, Failure> {
        loop {
            while let Some(live) = self.sent.pop_front() {
                if self.remote.owns(&live) {
                    return Ok(live);
                }
            }
            if !self.step(limit)? {
                let waited = self.clock.script_time(limit.min(self.now.max(limit)));
                let what = format!("no packet came, and none would by {waited}");
                return Err(Failure::new(event.place.0, what));
            }
        }
    }

    // Calls.

    fn call(&mut self, event: &'s Event, call: &'s Call) -> Result<(), Failure> {
        let context = Context {
            config: &self.config,
            personality: &self.personality,
            files: &self.files,
        };
        let posix = calls::translate(call, &context)?;
        let subject_of = call.arguments.first().and_then(|fd| fd.integer());
        let connects = match call.name.as_str() {
            "connect" => true,
            "sendto" | "sendmsg" => calls::names_a_peer(call),
            _ => false,
        };
        if let (true, Some(descriptor)) = (connects, subject_of) {
            self.remote.connecting(descriptor);
        }
        let until = call.until.map(|until| self.clock.until(event.when, until));
        let mut pending = Pending {
            call,
            begun: self.now,
            until,
            returned: None,
        };
        if let Outcome::Done(answer) = self.subject.call(self.now, &posix) {
            pending.returned = Some(self.now);
            self.returned(call, &answer)?;
        }
        self.pending = Some(pending);
        self.settle()?;
        match until {
            None => self.await_pending(),
            Some(_) => Ok(()),
        }
    }

    /// Asks the call that blocks for its answer.
    fn ask_pending(&mut self) -> Result<(), Failure> {
        let now = self.now;
        let Some(pending) = self.pending.as_mut().filter(|p| p.returned.is_none()) else {
            return Ok(());
        };
        let Some(answer) = self.subject.resume(now) else {
            return Ok(());
        };
        pending.returned = Some(now);
        let call = pending.call;
        self.returned(call, &answer)
    }

    /// Waits for the call that blocks, and judges when it returned.
    fn await_pending(&mut self) -> Result<(), Failure> {
        let Some(pending) = self.pending else {
            return Ok(());
        };
        let Pending {
            call, begun, until, ..
        } = pending;
        let tolerance = match until {
            Some(until) => clock::tolerance(&self.config, until.since(begun)),
            None => 0,
        };
        let limit = match until {
            Some(until) => until.plus(tolerance + GRACE),
            None => self.now.plus(PATIENCE),
        };
        let returned = loop {
            match self.pending.and_then(|pending| pending.returned) {
                Some(at) => break at,
                None if self.step(limit)? => {}
                None => {
                    let what = format!("{} blocks, and nothing would end that", call.name);
                    return Err(Failure::new(call.place.0, what));
                }
            }
        };
        self.pending = None;
        let due = until.unwrap_or(returned);
        if due <= returned.plus(tolerance) && returned <= due.plus(tolerance) {
            return Ok(());
        }
        let (due, at) = (
            self.clock.script_time(due),
            self.clock.script_time(returned),
        );
        let name = &call.name;
        let what =
            format!("{name} returned at the wrong time: expected at {due}, returned at {at}");
        Err(Failure::new(call.place.0, what))
    }

    /// A call returned.
    fn returned(&mut self, call: &Call, answer: &Answer) -> Result<(), Failure> {
        self.record.returned(self.now, call, answer);
        let context = received::Context {
            personality: &self.personality,
            clock: &self.clock,
            tolerance: self.config.tolerance.0,
        };
        let judged = judge::judge(call, answer, &mut self.files, &context);
        if !self.config.lenient_calls {
            judged?;
        }
        self.learn(call, answer);
        Ok(())
    }

    /// What a call tells about the socket under test.
    fn learn(&mut self, call: &Call, answer: &Answer) {
        if answer.errno.is_some() {
            return;
        }
        let argument = call.arguments.first().and_then(|fd| fd.integer());
        match (call.name.as_str(), argument, call.result.integer()) {
            ("socket", _, Some(made)) => self.remote.made(made),
            ("accept", _, Some(made)) => self.remote.accepted(made),
            ("bind", Some(descriptor), _) => self.remote.bound(descriptor),
            ("listen", Some(descriptor), _) => self.remote.listening(descriptor),
            ("close", Some(descriptor), _) => self.files.close(descriptor),
            _ => {}
        }
    }
}
