//! `xen/io/ring.h`: the header of a shared ring, and its index arithmetic.

/// `sring.req_prod`, u32
pub const REQ_PROD: u64 = 0;
/// `sring.req_event`, u32
pub const REQ_EVENT: u64 = 4;
/// `sring.rsp_prod`, u32
pub const RSP_PROD: u64 = 8;
/// `sring.rsp_event`, u32
pub const RSP_EVENT: u64 = 12;
/// The first slot.
pub const SLOTS: u64 = 64;

/// Whether moving a producer index from `old` to `new` passes the peer's event index: then it wants an event.
/// `RING_PUSH_*_AND_CHECK_NOTIFY`.
pub const fn wants_event(old: u32, new: u32, event: u32) -> bool {
    new.wrapping_sub(event) < new.wrapping_sub(old)
}

#[cfg(test)]
mod tests {
    use super::wants_event;

    #[test]
    fn an_event_is_due_only_when_the_event_index_is_passed() {
        assert!(wants_event(0, 1, 1));
        assert!(!wants_event(0, 1, 2));
        assert!(!wants_event(5, 5, 5), "nothing was added");
        assert!(wants_event(u32::MAX, 1, 0), "indices wrap");
    }
}
