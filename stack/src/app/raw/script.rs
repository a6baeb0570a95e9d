//! What a raw peer's commands do: send single segments, await single segments, flood, and sweep what a
//! blind attacker cannot know or a parser may not expect.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::net::{SocketAddr, SocketAddrV4};

use super::malformed;
use super::notation::{self, Number, OptionSpec, SegmentSpec, flag};
use super::peer::{FlowId, PeerError, RawPeer};
use super::segment::{self, Flow, Received};
use crate::app::command::Command;
use crate::app::script::{Outcome, Perform};
use crate::event::TimerKinds;
use crate::os::handle::Os;
use crate::os::raw::FramePort;
use crate::seq::SeqNumber;

/// First port of a sweep and of flows that name none.
const FIRST_PORT: u16 = 40_000;
/// Segments that a sweep or flood sends at once: half of what a listener holds half open, and of a transmit ring.
const BATCH: usize = 128;

/// A raw guest's named flows, shared by its blocks.
#[derive(Clone)]
pub struct RawScript {
    os: Os<FramePort>,
    peer: Rc<RefCell<RawPeer>>,
    flows: Rc<RefCell<BTreeMap<String, FlowId>>>,
    next_port: Rc<Cell<u16>>,
}

impl RawScript {
    /// A script without flows.
    pub fn new(os: Os<FramePort>, peer: RawPeer) -> RawScript {
        RawScript {
            os,
            peer: Rc::new(RefCell::new(peer)),
            flows: Rc::default(),
            next_port: Rc::new(Cell::new(FIRST_PORT)),
        }
    }

    /// Takes frames for as long as there is an interface.
    pub async fn pump(self) {
        while let Ok(frame) = self.os.recv_frame().await {
            self.peer.borrow_mut().receive(&frame);
            self.flush();
        }
    }

    /// Hands the device what the peer wants to send.
    fn flush(&self) {
        while let Some(frame) = self.peer.borrow_mut().transmit() {
            // Only without an interface is this refused, and then nobody waits for an answer.
            let _ = self.os.send_frame(frame);
        }
    }

    fn id(&self, name: &str) -> Result<FlowId, String> {
        let found = self.flows.borrow().get(name).copied();
        found.ok_or_else(|| format!("no flow is called {name:?}"))
    }

    fn port(&self) -> u16 {
        let port = self.next_port.get();
        self.next_port
            .set(port.checked_add(1).unwrap_or(FIRST_PORT));
        port
    }

    /// Where a flow begins: `:port`, or somebody else's address and port, or a port of our own choice.
    fn local(&self, text: &str) -> Result<SocketAddrV4, String> {
        let address = self.peer.borrow().address();
        if text.is_empty() {
            return Ok(SocketAddrV4::new(address, self.port()));
        }
        match text.strip_prefix(':') {
            Some(port) => port
                .parse()
                .map(|port| SocketAddrV4::new(address, port))
                .map_err(|_| format!("not a port: {port:?}")),
            None => text
                .parse()
                .map_err(|_| format!("not an IPv4 address and port: {text:?}")),
        }
    }

    /// A flow from a port of our own choice.
    fn open_any(&self, remote: SocketAddr) -> Result<FlowId, String> {
        self.open(remote, self.local("")?)
    }

    fn open(&self, remote: SocketAddr, local: SocketAddrV4) -> Result<FlowId, String> {
        let iss = SeqNumber(self.os.random() as u32);
        self.peer
            .borrow_mut()
            .open(local, remote, iss)
            .map_err(|e| format!("{e}"))
    }

    fn send(&self, id: FlowId, spec: &SegmentSpec) -> Result<(), String> {
        let flow = self.flow(id)?;
        let bytes = segment::build(spec, &flow)?;
        self.peer
            .borrow_mut()
            .send_segment(id, &bytes)
            .map_err(|e| format!("{e}"))?;
        self.flush();
        Ok(())
    }

    fn flow(&self, id: FlowId) -> Result<Flow, String> {
        self.peer
            .borrow()
            .flow(id)
            .ok_or_else(|| format!("{}", PeerError::NotOpen))
    }

    async fn next(&self, id: FlowId) -> Received {
        poll_fn(|cx| self.peer.borrow_mut().poll_take(id, cx)).await
    }

    async fn wait_for(&self, name: &str, text: &str, timeout: u64) -> Outcome {
        let (id, spec) = (
            self.id(name)?,
            notation::parse(text).map_err(|e| format!("{e}"))?,
        );
        let mut passed = String::new();
        let search = async {
            loop {
                let got = self.next(id).await;
                let flow = self.flow(id)?;
                if segment::matches(&spec, &flow, &got) {
                    return Ok(got.text(&flow));
                }
                if !passed.is_empty() {
                    passed += ", ";
                }
                passed += &got.text(&flow);
            }
        };
        match self.os.timeout(timeout, TimerKinds::FINISH, search).await {
            Ok(outcome) => outcome,
            Err(_) if passed.is_empty() => Err("nothing came".into()),
            Err(_) => Err(format!("it did not come; what came: {passed}")),
        }
    }

    async fn silence(&self, name: &str, ns: u64) -> Outcome {
        let id = self.id(name)?;
        match self.os.timeout(ns, TimerKinds::FINISH, self.next(id)).await {
            Err(_) => Ok(String::new()),
            Ok(got) => Err(format!("{} came", got.text(&self.flow(id)?))),
        }
    }

    /// Sends a SYN with each malformed list of four bytes, a batch at a time, each of a batch from a port of its own. A
    /// gap later it resets them, as a host that changed its mind: no queue of half-open connections gets full, so every
    /// list comes before the parser.
    async fn sweep(&self, remote: &str, gap: u64) -> Outcome {
        let remote = endpoint(remote)?;
        let flows: Result<Vec<FlowId>, String> =
            (0..BATCH).map(|_| self.open_any(remote)).collect();
        let flows = flows?;
        let mut syn = SegmentSpec {
            flags: flag::SYN,
            seq: Some((Number::Relative(0), 0)),
            ..SegmentSpec::default()
        };
        let reset = SegmentSpec {
            flags: flag::RST,
            seq: Some((Number::Relative(1), 0)),
            ..SegmentSpec::default()
        };
        let (mut lists, mut sent) = (malformed::lists(), 0);
        loop {
            let mut batch = 0;
            for (&id, list) in flows.iter().zip(&mut lists) {
                let iss = SeqNumber(self.os.random() as u32);
                self.peer.borrow_mut().reopen(id, iss);
                syn.options = Some([OptionSpec::Hex(list.into())].into());
                self.send(id, &syn)?;
                batch += 1;
            }
            if batch == 0 {
                return Ok(format!("{sent} lists"));
            }
            self.os.sleep(gap).await;
            for &id in &flows[..batch] {
                self.send(id, &reset)?;
            }
            sent += batch;
        }
    }

    /// Sends a segment with each sequence number that is a multiple of `step`: whoever cannot see a connection, but
    /// knows its ports, is sure to meet its window (Watson, "Slipping in the Window", 2004; RFC 5961, section 1).
    async fn sweep_sequence(&self, name: &str, text: &str, step: u32, gap: u64) -> Outcome {
        let id = self.id(name)?;
        let mut spec = notation::parse(text).map_err(|e| format!("{e}"))?;
        let len = spec.seq.map_or(0, |(_, len)| len);
        let step = step.max(1);
        for n in 0..=u32::MAX / step {
            if n > 0 && n.is_multiple_of(BATCH as u32) {
                self.os.sleep(gap).await;
            }
            spec.seq = Some((Number::Absolute(n * step), len));
            self.send(id, &spec)?;
        }
        Ok(String::new())
    }

    /// Sends SYN segments, each from a port of its own, and is not interested in any answer.
    async fn flood(&self, remote: &str, count: u32, gap: u64) -> Outcome {
        let remote = endpoint(remote)?;
        let syn = SegmentSpec {
            flags: flag::SYN,
            seq: Some((Number::Relative(0), 0)),
            ..SegmentSpec::default()
        };
        for n in 0..count {
            if n > 0 && n.is_multiple_of(BATCH as u32) {
                self.os.sleep(gap).await;
            }
            self.send(self.open_any(remote)?, &syn)?;
        }
        Ok(String::new())
    }
}

fn endpoint(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("not an address and port: {text:?}"))
}

impl Perform for RawScript {
    fn report(&self, event: &crate::event::Event) {
        self.os.report(event);
    }

    async fn perform(&self, command: Command) -> Outcome {
        match command {
            Command::Flow {
                name,
                remote,
                local,
            } => {
                let local = self.local(&local)?;
                let id = self.open(endpoint(&remote)?, local)?;
                self.flows.borrow_mut().insert(name, id);
                Ok(format!("from port {}", local.port()))
            }
            Command::FlowListen { name, port } => {
                let id = self
                    .peer
                    .borrow_mut()
                    .listen_on(port)
                    .map_err(|e| format!("{e}"))?;
                self.flows.borrow_mut().insert(name, id);
                Ok(String::new())
            }
            Command::RawSend { name, segment } => {
                let spec = notation::parse(&segment).map_err(|e| format!("{e}"))?;
                self.send(self.id(&name)?, &spec)?;
                Ok(String::new())
            }
            Command::RawAwait {
                name,
                segment,
                timeout,
            } => self.wait_for(&name, &segment, timeout).await,
            Command::RawSilence { name, ns } => self.silence(&name, ns).await,
            Command::RawOptionSweep { remote, gap } => self.sweep(&remote, gap).await,
            Command::RawSequenceSweep {
                name,
                segment,
                step,
                gap,
            } => self.sweep_sequence(&name, &segment, step, gap).await,
            Command::RawSynFlood { remote, count, gap } => self.flood(&remote, count, gap).await,
            Command::Sleep { ns } => {
                self.os.sleep(ns).await;
                Ok(String::new())
            }
            Command::Print { line } => {
                self.os.print(&line);
                Ok(String::new())
            }
            Command::Poweroff => {
                self.os.poweroff();
                Ok(String::new())
            }
            other => Err(format!(
                "`{}` needs a stack, and raw guests have none",
                other.word()
            )),
        }
    }
}
