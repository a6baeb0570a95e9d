//! What a raw peer's commands do: send single segments, await single segments, and sweep malformed options.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::net::SocketAddr;

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
/// Kinds of options that a sweep tries: those a TCP might know, and experimental ones.
const SWEEP_KINDS: [u8; 14] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 30, 34, 253, 254, 255];
/// Lengths that a sweep tries.
const SWEEP_LENGTHS: [u8; 8] = [0, 1, 2, 3, 4, 5, 40, 255];

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

    fn open(&self, remote: SocketAddr, port: u16) -> Result<FlowId, String> {
        let iss = SeqNumber(self.os.random() as u32);
        self.peer
            .borrow_mut()
            .open(port, remote, iss)
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

    /// Sends a SYN for each malformed list of four bytes, each from a port of its own.
    async fn sweep(&self, remote: &str, gap: u64) -> Outcome {
        let remote: SocketAddr = remote
            .parse()
            .map_err(|_| format!("not an address and port: {remote:?}"))?;
        let mut sent = 0;
        for list in malformed_lists() {
            let spec = SegmentSpec {
                flags: flag::SYN,
                seq: Some((Number::Relative(0), 0)),
                options: Some([OptionSpec::Hex(list.into())].into()),
                ..SegmentSpec::default()
            };
            let id = self.open(remote, self.port())?;
            self.send(id, &spec)?;
            sent += 1;
            self.os.sleep(gap).await;
        }
        Ok(format!("{sent} lists"))
    }
}

/// Every list of four bytes `kind length 0 0`, and the same behind a NOP, over the kinds and lengths above, that no
/// correct sender would write: a length below 2, one that leads out of the list, or one that is wrong for its kind.
/// The first is the one that stopped a stack in 2014: `01 02 00 00`.
pub fn malformed_lists() -> impl Iterator<Item = [u8; 4]> {
    let pairs = || {
        SWEEP_KINDS
            .into_iter()
            .flat_map(|k| SWEEP_LENGTHS.into_iter().map(move |l| (k, l)))
    };
    let behind_nop = pairs()
        .filter(|&(k, l)| malformed(k, l, 3))
        .map(|(k, l)| [1, k, l, 0]);
    let in_front = pairs()
        .filter(|&(k, l)| malformed(k, l, 4))
        .map(|(k, l)| [k, l, 0, 0]);
    behind_nop.chain(in_front)
}

/// Whether an option of `kind` and `length` is malformed where `room` bytes are left.
fn malformed(kind: u8, length: u8, room: u8) -> bool {
    let right = match kind {
        // End of list and NOP have no length: what follows is another option.
        0 | 1 => return false,
        2 => length == 4,
        3 => length == 3,
        4 => length == 2,
        5 => length >= 10 && length % 8 == 2,
        8 => length == 10,
        _ => length >= 2,
    };
    !right || length > room
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
                let remote = remote
                    .parse()
                    .map_err(|_| format!("not an address and port: {remote:?}"))?;
                let port = match local.strip_prefix(':') {
                    Some(port) => port.parse().map_err(|_| format!("not a port: {port:?}"))?,
                    None => self.port(),
                };
                let id = self.open(remote, port)?;
                self.flows.borrow_mut().insert(name, id);
                Ok(format!("from port {port}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sweep_begins_with_the_list_of_2014() {
        assert_eq!(malformed_lists().next(), Some([1, 2, 0, 0]));
    }

    #[test]
    fn the_sweep_has_no_list_twice_and_none_that_is_well_formed() {
        let lists: alloc::vec::Vec<_> = malformed_lists().collect();
        let unique: alloc::collections::BTreeSet<_> = lists.iter().collect();
        assert_eq!(unique.len(), lists.len());
        assert!(!lists.contains(&[2, 4, 0, 0]), "an MSS of 0 is well formed");
        assert!(
            !lists.contains(&[1, 3, 3, 0]),
            "NOP and a window scale are well formed"
        );
    }
}
