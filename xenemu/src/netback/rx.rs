//! What a guest receives: frames go into the buffers that it posted, one shared-memory access or hypercall a step.
//!
//! The queue towards the guest is bounded in bytes. When too few buffers are posted for the frame at its head the
//! backend asks for an event at the next one (`xenvif_rx_ring_slots_available`) and waits. A response stands in its
//! request's slot.

use std::collections::VecDeque;

use xen_abi::grant_table::{CopyPtr, GnttabCopy, GnttabOp, gntst};
use xen_abi::io::netif::{NETRXF_MORE_DATA, NetifRxRequest, NetifRxResponse, RING_SLOTS};
use xen_abi::{DomId, GrantRef, PAGE_SIZE};
use zerocopy::{FromBytes, IntoBytes};

use super::ring::{BackRing, Nonsense};
use super::step::Step;
use crate::bridge::ETH_HLEN;
use crate::event::{DropReason, Event, Tap};
use crate::frame::{Frame, FrameId};
use crate::hypervisor::Hypervisor;
use crate::xenstore::perms::DOM0;

/// `XENVIF_RX_QUEUE_BYTES`: half a ring of pages.
const QUEUE_BYTES: usize = RING_SLOTS as usize / 2 * PAGE_SIZE;
/// What a frame counts at least, so that small ones are bounded in number too.
const FRAME_COST: usize = 256;
/// Frames put into the ring before the guest is told (`NAPI_POLL_WEIGHT`).
const BURST: u32 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Waits for a frame or an event.
    Idle,
    /// Loads the producer index.
    Look,
    /// Takes a posted buffer.
    Take,
    /// Copies a frame.
    Copy,
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

/// The receive half of a connected vif.
#[derive(Debug)]
pub struct Rx {
    ring: BackRing,
    state: State,
    /// The producer index as it was last seen.
    prod: u32,
    burst: u32,
    /// Whether a frame may take several buffers.
    sg: bool,
    queue: VecDeque<Frame>,
    queued: usize,
    buffers: Vec<NetifRxRequest>,
    answers: VecDeque<NetifRxResponse>,
}

impl Rx {
    /// Serves a ring.
    pub fn new(ring: BackRing, sg: bool) -> Rx {
        Rx {
            prod: ring.req_cons,
            ring,
            state: State::Idle,
            burst: 0,
            sg,
            queue: VecDeque::new(),
            queued: 0,
            buffers: Vec::new(),
            answers: VecDeque::new(),
        }
    }

    /// Gives everything back; the frames that waited.
    pub fn detach(self, hv: &mut Hypervisor) -> VecDeque<Frame> {
        self.ring.detach(hv);
        self.queue
    }

    /// A frame for the guest; refused if it is too long, or the queue too full.
    pub fn enqueue(&mut self, frame: Frame) -> Result<(), DropReason> {
        let len = frame.bytes.len();
        if len < ETH_HLEN {
            return Err(DropReason::Runt);
        }
        let longest = if self.sg {
            usize::from(u16::MAX)
        } else {
            PAGE_SIZE
        };
        if len > longest {
            return Err(DropReason::TooLong);
        }
        if self.queued + cost(&frame) > QUEUE_BYTES {
            return Err(DropReason::VifQueueFull);
        }
        self.queued += cost(&frame);
        self.queue.push_back(frame);
        // A queue that was not empty waits for buffers, or is being worked on.
        if self.queue.len() == 1 {
            self.kick();
        }
        Ok(())
    }

    /// The frames that wait.
    pub fn waiting(&self) -> impl Iterator<Item = FrameId> {
        self.queue.iter().map(|frame| frame.id)
    }

    /// An event came.
    pub fn kick(&mut self) {
        if self.state == State::Idle && !self.queue.is_empty() {
            self.state = State::Look;
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
                self.between_frames()
            }
            State::Take => {
                let bytes: [u8; size_of::<NetifRxRequest>()] =
                    self.ring.take_request(&mut step.host.hv);
                let buffer = NetifRxRequest::read_from_bytes(&bytes).expect("a slot's size");
                self.buffers.push(buffer);
                if self.buffers.len() == self.buffers_needed() {
                    State::Copy
                } else {
                    State::Take
                }
            }
            State::Copy => self.copy(step),
            State::Answer => {
                if let Some(answer) = self.answers.pop_front() {
                    self.ring.put_response(&mut step.host.hv, answer.as_bytes());
                }
                self.between_frames()
            }
            State::Push => {
                let old = self.ring.push_responses(&mut step.host.hv);
                State::Check { old }
            }
            State::Check { old } if self.ring.wants_event(&mut step.host.hv, old) => State::Notify,
            State::Check { .. } => self.after_push(),
            State::Notify => {
                step.notify();
                self.after_push()
            }
            State::Arm => {
                let next = self.prod.wrapping_add(1);
                self.ring.store_req_event(&mut step.host.hv, next);
                State::LookAgain
            }
            State::LookAgain => {
                self.prod = self.ring.load_req_prod(&mut step.host.hv)?;
                if self.buffers_posted() < self.buffers_needed() {
                    State::Idle
                } else {
                    self.between_frames()
                }
            }
        };
        Ok(())
    }

    /// What to do when no frame is half done.
    fn between_frames(&mut self) -> State {
        let needed = self.buffers_needed();
        let can_go_on = !self.queue.is_empty() && self.buffers_posted() >= needed;
        if !self.answers.is_empty() {
            State::Answer
        } else if can_go_on && self.burst < BURST {
            State::Take
        } else if self.ring.has_unpushed() {
            State::Push
        } else {
            self.after_push()
        }
    }

    fn after_push(&mut self) -> State {
        if self.queue.is_empty() {
            State::Idle
        } else if self.burst > 0 {
            State::Look
        } else {
            State::Arm
        }
    }

    fn copy(&mut self, step: &mut Step<'_>) -> State {
        let frame = self.queue.pop_front().expect("a frame is being copied");
        self.queued -= cost(&frame);
        self.burst += 1;
        let buffers = std::mem::take(&mut self.buffers);
        let parts = frame.bytes.chunks(PAGE_SIZE);
        assert_eq!(parts.len(), buffers.len());
        let mut batch = Vec::with_capacity(buffers.len());
        for ((part, buffer), page) in parts.zip(&buffers).zip(step.scratch) {
            let own = step
                .host
                .hv
                .private_frame(DOM0, *page)
                .expect("dom0's own page");
            own[..part.len()].copy_from_slice(part);
            batch.push(GnttabCopy {
                source: CopyPtr::Frame {
                    gfn: *page,
                    domid: DomId::SELF,
                    offset: 0,
                },
                dest: CopyPtr::Ref {
                    gref: GrantRef(buffer.gref),
                    domid: step.vif.domid,
                    offset: 0,
                },
                len: part.len() as u16,
                status: gntst::OKAY,
            });
        }
        assert_eq!(batch.len(), buffers.len(), "a page for each part");
        let result = step
            .host
            .hv
            .grant_table_op(DOM0, GnttabOp::Copy(&mut batch));
        assert_eq!(result, Ok(0), "a small batch is never refused whole");

        let tap = Tap::VifIn(step.vif.domid, step.vif.handle);
        let id = frame.id;
        if batch.iter().all(|copy| copy.status == gntst::OKAY) {
            step.host.hv.emit(&Event::FrameAt { frame: id, tap });
            step.host.hv.note_frame(step.vif.domid, id);
        } else {
            let reason = DropReason::BadGrant;
            step.host.hv.emit(&Event::FrameDropped {
                frame: id,
                tap,
                reason,
            });
        }
        step.out.frames += 1;
        self.answer(&buffers, &batch);
        self.between_frames()
    }

    fn answer(&mut self, buffers: &[NetifRxRequest], copies: &[GnttabCopy]) {
        for (n, (buffer, copy)) in buffers.iter().zip(copies).enumerate() {
            let more = n + 1 < buffers.len();
            self.answers.push_back(NetifRxResponse {
                id: buffer.id,
                offset: 0,
                flags: if more { NETRXF_MORE_DATA } else { 0 },
                status: match copy.status {
                    gntst::OKAY => copy.len as i16,
                    refused => refused,
                },
            });
        }
    }

    fn buffers_posted(&self) -> usize {
        self.prod.wrapping_sub(self.ring.req_cons) as usize
    }

    /// Buffers that the frame at the queue's head takes.
    fn buffers_needed(&self) -> usize {
        let head = self.queue.front();
        head.map_or(0, |frame| frame.bytes.len().div_ceil(PAGE_SIZE))
    }
}

fn cost(frame: &Frame) -> usize {
    frame.bytes.len().max(FRAME_COST)
}
