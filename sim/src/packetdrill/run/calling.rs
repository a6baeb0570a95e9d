//! Call lines: a call is made, perhaps blocks while later events happen, and is judged when it returns.

use stack::posix::{Answer, Call as Posix, Outcome};
use xenemu::abi::Instant;

use super::calls::{self, Context, judge, received};
use super::clock;
use super::failure::Failure;
use super::remote::Protocol;
use super::subject::Subject;
use super::{GRACE, PATIENCE, Run};
use crate::packetdrill::ast::Event;
use crate::packetdrill::call::Call;
use crate::packetdrill::expr::{Expr, ExprKind};

/// A call that blocked. When it returned is judged where the script waits for it: at its next call, or at its end.
#[derive(Clone, Copy)]
pub(super) struct Pending<'s> {
    pub(super) call: &'s Call,
    begun: Instant,
    /// When it has to return, if the script says it.
    until: Option<Instant>,
    /// When it did.
    returned: Option<Instant>,
}

impl<'s, S: Subject> Run<'s, S> {
    pub(super) fn call(&mut self, event: &'s Event, call: &'s Call) -> Result<(), Failure> {
        let context = Context {
            config: &self.config,
            personality: &self.personality,
            files: &self.files,
        };
        let posix = calls::translate(call, &context)?;
        let descriptor = call.arguments.first().and_then(|fd| fd.integer());
        if let (Some(descriptor), Some(port)) = (descriptor, port_of_the_peer(&posix)) {
            self.remote.connecting(descriptor, port);
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
            if let (Some(descriptor), Posix::Bind { address, .. }, None) =
                (descriptor, &posix, answer.errno)
            {
                self.remote.bound(descriptor, address.port());
            }
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
    pub(super) fn ask_pending(&mut self) -> Result<(), Failure> {
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
    pub(super) fn await_pending(&mut self) -> Result<(), Failure> {
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
            config: &self.config,
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
            ("socket", _, Some(made)) => self.remote.made(made, protocol_of(call)),
            ("accept", _, Some(made)) => self.remote.accepted(made),
            ("listen", Some(descriptor), _) => self.remote.listening(descriptor),
            ("close", Some(descriptor), _) => self.files.close(descriptor),
            _ => {}
        }
    }
}

/// The port that a call is about to speak with, perhaps for the first time.
fn port_of_the_peer(call: &Posix) -> Option<u16> {
    match call {
        Posix::Connect { address, .. } => Some(address.port()),
        Posix::Send { to, .. } => to.map(|address| address.port()),
        _ => None,
    }
}

/// What a socket speaks that this call has made.
fn protocol_of(call: &Call) -> Protocol {
    let kind = call.arguments.get(1);
    let is_datagram = |expr: &Expr| match &expr.kind {
        ExprKind::Or(words) => words.iter().any(|word| word.word() == Some("SOCK_DGRAM")),
        _ => expr.word() == Some("SOCK_DGRAM"),
    };
    match kind.is_some_and(is_datagram) {
        true => Protocol::Udp,
        false => Protocol::Tcp,
    }
}
