//! The end of a script: its sockets are closed, and their peer says goodbye with a reset, so that nothing is left behind
//! for another one. Nobody looks at what the stack makes of it.

use stack::posix::Call;

use super::Run;
use super::build;
use super::failure::Failure;
use super::subject::Subject;
use crate::packetdrill::ip::IpInfo;

impl<S: Subject> Run<'_, S> {
    /// Says goodbye for the script.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        self.pending = None;
        for fd in self.files.all() {
            // One that blocks, or was closed behind the script's back, is let go with the process.
            let _ = self.subject.call(self.now, &Call::Close { fd });
        }
        let farewell = self.remote.farewell();
        let envelope = self.remote.envelope(&IpInfo::default());
        if let Some(mut bytes) = farewell.and_then(|reset| build::tcp(&envelope, &reset)) {
            build::mark_evil(&mut bytes);
            self.record.said(self.now, &bytes);
            self.subject.receive(self.now, &bytes);
        }
        self.settle()?;
        let what = self.subject.end();
        if let Some(trace) = self.subject.trace() {
            self.record.traced(self.now, trace);
        }
        let last = &self.script.events[self.script.events.len() - 1];
        what.map_err(|what| Failure::new(last.place.0, what))
    }
}
