//! What a guest sends: its requests become frames, one shared-memory access or hypercall a step.
//!
//! A burst goes: look at the producer index → take each packet's slots → copy (or map) its bytes → the frame is born
//! and enters the bridge → … → answer all of them, push once, one event if it is wanted → ask for an event at the next
//! request and look a last time (`RING_FINAL_CHECK_FOR_REQUESTS`).

use std::collections::{BTreeMap, VecDeque};

use xen_abi::grant_table::{CopyPtr, GnttabCopy, GnttabOp, gntst};
use xen_abi::io::netif::{
    NETIF_RSP_ERROR, NETIF_RSP_NULL, NETIF_RSP_OKAY, NetifTxRequest, NetifTxResponse,
};
use xen_abi::{DomId, GrantRef};
use zerocopy::{FromBytes, IntoBytes};

use super::checksum;
use super::packet::{Kind, Next, Packet};
use super::ring::{BackRing, Nonsense};
use super::step::Step;
use crate::actor::{BridgePort, Message};
use crate::event::{Event, Tap};
use crate::frame::FrameId;
use crate::gnttab::MappedPage;
use crate::hypervisor::Hypervisor;
use crate::xenstore::perms::DOM0;

/// Packets taken before the first of them is answered (`NAPI_POLL_WEIGHT`).
const BURST: u32 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Waits for an event.
    Idle,
    /// Loads the producer index.
    Look,
    /// Takes the next slot.
    Take,
    /// Loads the producer index again: a packet goes on beyond it.
    LookForMore,
    /// Copies a packet's bytes.
    Copy,
    /// Maps one of a packet's pages.
    Map,
    /// Reads the bytes of one mapped page.
    Read,
    /// Unmaps one page of a packet that is done with.
    Unmap,
    /// Writes one response.
    Answer,
    /// Stores the response producer.
    Push,
    /// Loads the frontend's event index; the producer before was this.
    Check { old: u32 },
    /// Sends an event.
    Notify,
    /// Stores our event index.
    Arm,
    /// The final check.
    LookAgain,
}

/// A packet whose bytes are no longer needed.
#[derive(Debug)]
struct Finished {
    pages: Vec<MappedPage>,
    packet: Packet,
    status: i16,
}

/// The transmit half of a connected vif.
#[derive(Debug)]
pub struct Tx {
    ring: BackRing,
    state: State,
    /// The producer index as it was last seen.
    prod: u32,
    burst: u32,
    packet: Option<Packet>,
    /// Map granted pages until the frame has left the bridge, instead of copying.
    maps: bool,
    /// The pages of `packet` that are mapped so far.
    pages: Vec<MappedPage>,
    /// What was read of each of them so far.
    parts: Vec<Vec<u8>>,
    on_the_bridge: BTreeMap<FrameId, (Vec<MappedPage>, Packet)>,
    finished: VecDeque<Finished>,
    answers: VecDeque<NetifTxResponse>,
}

impl Tx {
    /// Serves a ring, which may hold requests already.
    pub fn new(ring: BackRing, maps: bool) -> Tx {
        Tx {
            prod: ring.req_cons,
            ring,
            state: State::Look,
            burst: 0,
            packet: None,
            maps,
            pages: Vec::new(),
            parts: Vec::new(),
            on_the_bridge: BTreeMap::new(),
            finished: VecDeque::new(),
            answers: VecDeque::new(),
        }
    }

    /// Gives everything back.
    pub fn detach(self, hv: &mut Hypervisor) {
        let on_the_bridge = self
            .on_the_bridge
            .into_values()
            .flat_map(|(pages, _)| pages);
        let finished = self.finished.into_iter().flat_map(|f| f.pages);
        for page in self.pages.into_iter().chain(on_the_bridge).chain(finished) {
            hv.unmap_page(DOM0, page);
        }
        self.ring.detach(hv);
    }

    /// An event came.
    pub fn kick(&mut self) {
        if self.state == State::Idle {
            self.state = State::Look;
        }
    }

    /// A frame has left the bridge: its pages may be given back.
    pub fn forwarded(&mut self, frame: FrameId) {
        if let Some((pages, packet)) = self.on_the_bridge.remove(&frame) {
            self.finish(pages, packet, NETIF_RSP_OKAY);
            if self.state == State::Idle {
                self.state = self.between_packets();
            }
        }
    }

    /// Whether there is a step to do.
    pub fn is_active(&self) -> bool {
        self.state != State::Idle
    }

    /// Does one.
    pub fn step(&mut self, step: &mut Step<'_>) -> Result<(), Nonsense> {
        self.state = match self.state {
            State::Idle => State::Idle,
            State::Look => {
                self.prod = self.ring.load_req_prod(&mut step.host.hv)?;
                self.burst = 0;
                self.between_packets()
            }
            State::Take => self.take(&mut step.host.hv)?,
            State::LookForMore => {
                self.prod = self.ring.load_req_prod(&mut step.host.hv)?;
                if self.prod == self.ring.req_cons {
                    return Err(Nonsense::MissingSlot);
                }
                State::Take
            }
            State::Copy => self.copy(step),
            State::Map => self.map(step),
            State::Read => self.read(step),
            State::Unmap => self.unmap(&mut step.host.hv),
            State::Answer => {
                if let Some(answer) = self.answers.pop_front() {
                    self.ring.put_response(&mut step.host.hv, answer.as_bytes());
                }
                self.between_packets()
            }
            State::Push => {
                let old = self.ring.push_responses(&mut step.host.hv);
                State::Check { old }
            }
            State::Check { old } if self.ring.wants_event(&mut step.host.hv, old) => State::Notify,
            State::Check { .. } => self.between_packets(),
            State::Notify => {
                step.notify();
                self.between_packets()
            }
            State::Arm => {
                let next = self.ring.req_cons.wrapping_add(1);
                self.ring.store_req_event(&mut step.host.hv, next);
                State::LookAgain
            }
            State::LookAgain => {
                self.prod = self.ring.load_req_prod(&mut step.host.hv)?;
                self.burst = 0;
                if self.prod == self.ring.req_cons && self.finished.is_empty() {
                    State::Idle
                } else {
                    self.between_packets()
                }
            }
        };
        Ok(())
    }

    /// What to do when no packet is half done.
    fn between_packets(&mut self) -> State {
        if !self.finished.is_empty() {
            State::Unmap
        } else if self.prod != self.ring.req_cons && self.burst < BURST {
            State::Take
        } else if !self.answers.is_empty() {
            State::Answer
        } else if self.ring.has_unpushed() {
            State::Push
        } else if self.burst >= BURST {
            State::Look
        } else {
            State::Arm
        }
    }

    fn take(&mut self, hv: &mut Hypervisor) -> Result<State, Nonsense> {
        if self.ring.req_cons == self.prod {
            return Ok(State::LookForMore);
        }
        let packet = match &mut self.packet {
            None => self
                .packet
                .insert(Packet::new(take_request(&mut self.ring, hv))),
            Some(packet) => {
                match packet.next() {
                    Next::Extra => packet.extra(self.ring.take_request(hv))?,
                    Next::Data => packet.data(take_request(&mut self.ring, hv))?,
                    Next::Nothing => unreachable!("a complete packet takes no slot"),
                }
                packet
            }
        };
        if packet.next() != Next::Nothing {
            return Ok(State::Take);
        }
        self.burst += 1;
        match packet.finish()? {
            Kind::Data if self.maps => Ok(State::Map),
            Kind::Data => Ok(State::Copy),
            Kind::Control => Ok(self.give_up(NETIF_RSP_OKAY)),
            Kind::Bad => Ok(self.give_up(NETIF_RSP_ERROR)),
        }
    }

    fn copy(&mut self, step: &mut Step<'_>) -> State {
        let packet = self.packet.as_ref().expect("a packet is being copied");
        let part = |(slot, page): (&NetifTxRequest, &_)| GnttabCopy {
            source: CopyPtr::Ref {
                gref: GrantRef(slot.gref),
                domid: step.vif.domid,
                offset: slot.offset,
            },
            dest: CopyPtr::Frame {
                gfn: *page,
                domid: DomId::SELF,
                offset: 0,
            },
            len: slot.size,
            status: gntst::OKAY,
        };
        let parts = packet.slots().iter().zip(step.scratch);
        let mut batch: Vec<GnttabCopy> = parts.map(part).collect();
        assert_eq!(batch.len(), packet.slots().len(), "a page for each slot");
        let result = step
            .host
            .hv
            .grant_table_op(DOM0, GnttabOp::Copy(&mut batch));
        if result.is_err() || batch.iter().any(|copy| copy.status != gntst::OKAY) {
            return self.give_up(NETIF_RSP_ERROR);
        }
        let mut bytes = Vec::with_capacity(packet.total());
        for (slot, page) in packet.slots().iter().zip(step.scratch) {
            let page = step
                .host
                .hv
                .private_frame(DOM0, *page)
                .expect("dom0's own page");
            bytes.extend_from_slice(&page[..slot.size.into()]);
        }
        self.send(step, bytes);
        self.between_packets()
    }

    fn map(&mut self, step: &mut Step<'_>) -> State {
        let packet = self.packet.as_ref().expect("a packet is being mapped");
        let gref = GrantRef(packet.slots()[self.pages.len()].gref);
        match step.host.hv.map_page(DOM0, step.vif.domid, gref, true) {
            Ok(page) => self.pages.push(page),
            Err(_) => return self.give_up(NETIF_RSP_ERROR),
        }
        if self.pages.len() == packet.slots().len() {
            State::Read
        } else {
            State::Map
        }
    }

    fn read(&mut self, step: &mut Step<'_>) -> State {
        let packet = self.packet.as_ref().expect("a packet is being read");
        let n = self.parts.len();
        let slot = packet.slots()[n];
        let mut part = vec![0; slot.size.into()];
        let at = self.pages[n].at.add(slot.offset.into());
        let hv = &mut step.host.hv;
        hv.read(DOM0, at, &mut part).expect("a mapped page");
        hv.emit(&Event::GrantBytes {
            granter: step.vif.domid,
            gref: slot.gref,
            by: DOM0,
            bytes: slot.size.into(),
            to_granter: false,
            mapped: true,
        });
        self.parts.push(part);
        if self.parts.len() < packet.slots().len() {
            return State::Read;
        }
        let bytes = std::mem::take(&mut self.parts).concat();
        self.send(step, bytes);
        self.between_packets()
    }

    /// The packet's bytes are here: the frame is born.
    fn send(&mut self, step: &mut Step<'_>, mut bytes: Vec<u8>) {
        let packet = self.packet.as_ref().expect("a packet is being sent");
        assert_eq!(bytes.len(), packet.total());
        if packet.is_checksum_blank() && checksum::complete(&mut bytes).is_err() {
            self.give_up(NETIF_RSP_ERROR);
            return;
        }
        let frame = step.host.frame_born(bytes.into(), false);
        let id = frame.id;
        let tap = Tap::VifOut(step.vif.domid, step.vif.handle);
        step.host.hv.emit(&Event::FrameAt { frame: id, tap });
        step.host.hv.note_progress(step.vif.domid);
        step.out.frames += 1;
        let from = BridgePort::Vif(step.vif);
        step.out
            .messages
            .push_back(Message::Forward { from, frame });
        let packet = self.packet.take().expect("it was there");
        if self.maps {
            let pages = std::mem::take(&mut self.pages);
            self.on_the_bridge.insert(id, (pages, packet));
        } else {
            self.answer(&packet, NETIF_RSP_OKAY);
        }
    }

    fn unmap(&mut self, hv: &mut Hypervisor) -> State {
        if let Some(finished) = self.finished.front_mut() {
            if let Some(page) = finished.pages.pop() {
                hv.unmap_page(DOM0, page);
            }
            if finished.pages.is_empty()
                && let Some(done) = self.finished.pop_front()
            {
                self.answer(&done.packet, done.status);
            }
        }
        self.between_packets()
    }

    /// The packet is not sent.
    fn give_up(&mut self, status: i16) -> State {
        let packet = self.packet.take().expect("a packet is given up");
        let pages = std::mem::take(&mut self.pages);
        self.finish(pages, packet, status);
        self.between_packets()
    }

    fn finish(&mut self, pages: Vec<MappedPage>, packet: Packet, status: i16) {
        if pages.is_empty() {
            self.answer(&packet, status);
        } else {
            self.finished.push_back(Finished {
                pages,
                packet,
                status,
            });
        }
    }

    fn answer(&mut self, packet: &Packet, status: i16) {
        let (first, extras, followers) = packet.answers();
        self.answers
            .push_back(NetifTxResponse { id: first, status });
        for _ in 0..extras {
            self.answers.push_back(NetifTxResponse {
                id: 0,
                status: NETIF_RSP_NULL,
            });
        }
        for &id in followers {
            self.answers.push_back(NetifTxResponse { id, status });
        }
    }
}

fn take_request(ring: &mut BackRing, hv: &mut Hypervisor) -> NetifTxRequest {
    let bytes: [u8; size_of::<NetifTxRequest>()] = ring.take_request(hv);
    NetifTxRequest::read_from_bytes(&bytes).expect("a slot's size")
}
