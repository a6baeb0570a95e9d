//! Running a script: its events in their order, on virtual time, against a stack of this testbed.
//!
//! - [`config`]: what the script runs with; [`clock`]: when its events are due
//! - [`subject`]: what is tested, on its way to the network: [`raw`], with what commands do to it in
//!   `host`, or [`xen`]
//! - [`remote`]: the script's side of the connection, which translates between its numbers and the live ones;
//!   [`stamps`]: and between timestamps
//! - inbound packets: [`build`], with [`icmp_names`] and [`wire_options`]
//! - outbound packets: [`live`] takes them apart, [`merge`] puts together what was cut, [`check`] compares
//! - [`calls`]: system calls, in words; `packets`, `calling`, `blocks`: the events of a script, by their sort; `end`
//! - [`failure`]: what is said when something differs; [`verdict`]: how it ended; [`expected`]: that it had to fail
//! - [`record`]: what happened; [`capture`]: the packets in a file
//!
//! The runner reads no clock and does no input or output: a script and a seed decide all that happens.

mod blocks;
pub mod build;
mod calling;
pub mod calls;
pub mod capture;
pub mod check;
pub mod clock;
pub mod config;
mod end;
pub mod expected;
pub mod failure;
mod host;
pub mod icmp_names;
pub mod live;
pub mod merge;
mod packets;
pub mod raw;
pub mod record;
pub mod remote;
pub mod stamps;
pub mod subject;
pub mod verdict;
pub mod wire_options;
pub mod xen;

#[cfg(test)]
mod judged;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Display;

use stack::posix::Personality;
use stack::profile::Profile;
use xenemu::abi::Instant;

use self::blocks::Sample;
use self::calling::Pending;
use self::calls::Files;
use self::clock::Clock;
use self::config::{Config, Dialect, IpVersion};
use self::failure::Failure;
use self::live::Live;
use self::record::Record;
use self::remote::Remote;
use self::subject::{Making, Subject};
use self::verdict::{Ending, Verdict};
use super::Script;
use super::ast::{Action, Event};
use super::command::Command;
use super::construct::{Construct, constructs};
use super::environment::Environment;
use super::packet::Direction;
use super::support;
use crate::plan::Span;

/// When the world begins: late enough for a timestamp's clock to have run, whichever it is.
const BEGIN: Instant = Instant(1_000 * SECOND);
const SECOND: u64 = 1_000_000_000;
/// How long a packet or a call is waited for beyond its tolerance, as google's tool does.
const GRACE: u64 = 2 * SECOND;
/// How long a packet is waited for whose time nobody says, and a call that may block as long as it likes.
const PATIENCE: u64 = 24 * 3_600 * SECOND;
/// How many octets may go over the wire in one script: the longest of both suites needs a hundredth of it.
const OCTETS_MAX: u64 = 64 << 20;
/// How often a stack may have more to do at one and the same instant.
const TURNS_MAX: u32 = 10_000;

/// Where the randomness of a stack under test comes from: the same each time.
const SEED: [u8; 32] = *b"a script decides all but the ISN";

/// How a script is run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// The profile of the stack under test; without one, that of the system that the script was written for, or `rfc`.
    pub profile: Option<String>,
    pub path: Path,
    /// The IP version of scripts that name none.
    pub ip_version: Option<IpVersion>,
}

/// The stack's way to the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Path {
    /// A device that is a queue of frames.
    #[default]
    Raw,
    /// A vif of a domain on an emulated Xen machine.
    Xen,
}

/// Runs a script from its first event to its end, against the stack of this testbed.
pub fn run(script: &Script, options: &RunOptions) -> Verdict {
    match options.path {
        Path::Raw => run_on(script, options, |making| {
            Ok::<_, Infallible>(raw::Raw::new(
                making.config,
                making.profile,
                making.personality,
                making.seed,
            ))
        }),
        Path::Xen => run_on(script, options, |making| {
            let seed = u64::from_le_bytes(*making.seed.first_chunk().expect("32 bytes"));
            xen::Xen::new(
                making.config,
                making.profile,
                making.personality,
                seed,
                making.now,
            )
        }),
    }
}

/// Runs a script from its first event to its end, against the stack that `make` makes; that it cannot skips the script.
///
/// The path is for `make` to heed.
pub fn run_on<S: Subject, E: Display>(
    script: &Script,
    options: &RunOptions,
    make: impl FnOnce(Making<'_>) -> Result<S, E>,
) -> Verdict {
    let dialect = Dialect::guess(script);
    let used = constructs(script);
    let unknown: Vec<String> = used
        .iter()
        .filter(|c| support::blocks(c))
        .map(Construct::to_string)
        .collect();
    if !unknown.is_empty() {
        let what = format!("it uses what cannot be run: {}", unknown.join(", "));
        return Verdict::skipped(Failure::new(script.events[0].place.0, what));
    }
    let config = match Config::of(script, dialect, options.ip_version) {
        Ok(config) => config,
        Err(problem) => return Verdict::skipped(problem.into()),
    };
    let name = options.profile.as_deref().unwrap_or(config.profile);
    let profile = Profile::named(name).expect("the command line offers only profiles that exist");
    let profile = with_the_address_at_once(profile);
    let personality = match name {
        "linux" => Personality::linux(),
        "freebsd" => Personality::freebsd(),
        _ => Personality::posix(),
    };
    let environment = Environment::new(profile);
    let made = make(Making {
        config: &config,
        profile: environment.profile(),
        personality: personality.clone(),
        seed: SEED,
        now: BEGIN,
    });
    match made {
        Ok(subject) => Run::new(script, config, personality, environment, subject).verdict(),
        Err(why) => Verdict::skipped(Failure::new(script.events[0].place.0, why.to_string())),
    }
}

/// The tools bring their interface up long before a script begins: nobody has to be asked about its address any more.
fn with_the_address_at_once(mut profile: Profile) -> Profile {
    profile.net.ipv6.dad_transmits = 0;
    profile.net.ipv6.autoconf = false;
    profile
}

/// A script on its way.
struct Run<'s, S> {
    script: &'s Script,
    /// The event whose turn it is.
    place: Span,
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
            place: script.events[0].place.0,
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

    fn verdict(mut self) -> Verdict {
        let ending = match self.script() {
            Ok(()) => Ending::Passed,
            Err(failure) => Ending::Failed(failure),
        };
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
        let judged = events.and(ended).and_then(|()| self.code());
        let over = self.end();
        judged.and(over)
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

    fn command(&mut self, place: Span, command: &Command) -> Result<(), Failure> {
        let host = self.subject.host();
        let done = self.environment.command(command, host);
        done.map_err(|failure| Failure::new(place, format!("the command fails: {failure}")))?;
        self.settle()
    }

    fn event(&mut self, event: &'s Event) -> Result<(), Failure> {
        self.place = event.place.0;
        match &event.action {
            Action::Packet(packet) if packet.direction == Direction::Out => {
                return self.expect(event, packet);
            }
            Action::Call(_) => self.await_pending()?,
            _ => {}
        }
        let window = self.clock.resolve(event.when);
        let due = window.from;
        self.advance(due)?;
        let tolerance = self.clock.tolerance(&self.config, due);
        // A time with a plus counts from what was before, however long that took.
        if event.when.absolute().is_some() && !window.holds(self.now, tolerance) {
            let (due, now) = (
                self.clock.script_time(due),
                self.clock.script_time(self.now),
            );
            let what = format!("this was due at {due}, and the clock says {now}");
            return Err(Failure::new(event.place.0, what));
        }
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
        for _ in 0..TURNS_MAX {
            self.turn()?;
            if self
                .subject
                .poll_at(self.now)
                .is_none_or(|at| at > self.now)
            {
                return Ok(());
            }
            // What is due may be the call that blocks: it gives up.
            self.ask_pending()?;
        }
        let what = "the stack does not come to rest: it always has more to do at once";
        Err(Failure::new(self.where_it_is(), what))
    }

    fn turn(&mut self) -> Result<(), Failure> {
        let Run {
            subject,
            sent,
            record,
            now,
            ..
        } = self;
        let mut broken = None;
        subject.run(*now, &mut |packet| {
            record.sent(*now, &packet);
            match Live::parse(*now, packet) {
                Ok(live) => sent.push_back(live),
                Err(why) => broken = broken.or(Some(why)),
            }
        });
        if let Some(why) = broken {
            let what = format!("the stack sent what is no packet: {why}");
            return Err(Failure::new(self.where_it_is(), what));
        }
        if self.record.octets() > OCTETS_MAX {
            let what = format!("more than {} MiB went over the wire", OCTETS_MAX >> 20);
            return Err(Failure::new(self.where_it_is(), what));
        }
        Ok(())
    }

    /// Where a failure is that no event causes.
    fn where_it_is(&self) -> Span {
        match &self.pending {
            Some(pending) => pending.call.place.0,
            None => self.place,
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
}
