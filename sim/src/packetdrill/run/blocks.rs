//! Code blocks: each is asked what its names mean when its turn is, and all run as one program after the last event.

use stack::api::TcpInfo;
use stack::posix::{Answer, Call, Opt, OptionValue, Outcome, Output, tcp_info};

use super::Run;
use super::failure::Failure;
use super::subject::Subject;
use crate::packetdrill::ast::{Code, Event};
use crate::packetdrill::code::{self, Block};
use crate::plan::Span;

/// A code block, and what was known of the socket under test at its time.
pub(super) struct Sample<'s> {
    place: Span,
    text: &'s str,
    /// Nothing where there was no such socket.
    info: Option<Box<TcpInfo>>,
}

/// More octets than any system's `struct tcp_info` has.
const INFO_ROOM: u32 = 1024;

impl<'s, S: Subject> Run<'s, S> {
    /// Remembers what a block's names mean now.
    pub(super) fn sample(&mut self, event: &'s Event, code: &'s Code) {
        let descriptor = self.remote.descriptor().and_then(|fd| self.files.get(fd));
        let info = descriptor.and_then(|fd| {
            let ask = Call::GetOption {
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
    pub(super) fn code(&self) -> Result<(), Failure> {
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
}
