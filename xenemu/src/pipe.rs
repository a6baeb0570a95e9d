//! dom0's end of a byte ring in a domain's page: the console's and the store's, each way.
//!
//! Both rings are a circle of a power of two of bytes between two free-running 32-bit indices. The producer owns one,
//! the consumer the other, and neither may trust what the other wrote.

use thiserror::Error;
use xen_abi::io::{console, xs_wire};
use xen_abi::{DomId, Gpa, Width};

use crate::hypervisor::{Fault, Hypervisor};

const DOM0: DomId = DomId(0);

/// One direction of a ring, by its offsets in the page.
#[derive(Clone, Copy, Debug)]
pub struct Pipe {
    data: u64,
    size: u32,
    cons: u64,
    prod: u64,
}

/// What a domain prints.
pub const CONSOLE_OUT: Pipe = Pipe {
    data: console::OUT,
    size: console::OUT_SIZE as u32,
    cons: console::OUT_CONS,
    prod: console::OUT_PROD,
};
/// What a domain asks of the store.
pub const STORE_REQUESTS: Pipe = Pipe {
    data: xs_wire::REQ,
    size: xs_wire::RING_SIZE as u32,
    cons: xs_wire::REQ_CONS,
    prod: xs_wire::REQ_PROD,
};
/// What the store answers.
pub const STORE_ANSWERS: Pipe = Pipe {
    data: xs_wire::RSP,
    size: xs_wire::RING_SIZE as u32,
    cons: xs_wire::RSP_CONS,
    prod: xs_wire::RSP_PROD,
};

/// Why a ring is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RingError {
    /// More bytes are between the indices than the ring has.
    #[error("ring indices {cons} and {prod} are further apart than {size}")]
    Indices {
        /// The consumer's.
        cons: u32,
        /// The producer's.
        prod: u32,
        /// The ring's size.
        size: u32,
    },
    /// The page is gone.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Pipe {
    /// The indices: (consumer, producer, bytes between them).
    fn indices(self, hv: &mut Hypervisor, page: Gpa) -> Result<(u32, u32, u32), RingError> {
        let prod = hv.load(DOM0, page.add(self.prod), Width::B4)? as u32;
        let cons = hv.load(DOM0, page.add(self.cons), Width::B4)? as u32;
        let used = prod.wrapping_sub(cons);
        if used > self.size {
            let size = self.size;
            return Err(RingError::Indices { cons, prod, size });
        }
        Ok((cons, prod, used))
    }

    /// Takes what is there, into `to`; how much it was. One piece a call: up to the end of the circle.
    pub fn take(self, hv: &mut Hypervisor, page: Gpa, to: &mut Vec<u8>) -> Result<u32, RingError> {
        let (cons, _, used) = self.indices(hv, page)?;
        let at = cons & (self.size - 1);
        let n = used.min(self.size - at);
        if n > 0 {
            let start = to.len();
            to.resize(start + n as usize, 0);
            let from = page.add(self.data + u64::from(at));
            hv.read(DOM0, from, &mut to[start..])?;
            let cons = cons.wrapping_add(n);
            hv.store(DOM0, page.add(self.cons), Width::B4, cons.into())?;
        }
        Ok(n)
    }

    /// How many bytes can be put in one piece.
    pub fn room(self, hv: &mut Hypervisor, page: Gpa) -> Result<u32, RingError> {
        let (_, prod, used) = self.indices(hv, page)?;
        let at = prod & (self.size - 1);
        Ok((self.size - used).min(self.size - at))
    }

    /// Puts bytes for which there is room.
    pub fn put(self, hv: &mut Hypervisor, page: Gpa, from: &[u8]) -> Result<(), RingError> {
        let (_, prod, _) = self.indices(hv, page)?;
        let at = prod & (self.size - 1);
        hv.write(DOM0, page.add(self.data + u64::from(at)), from)?;
        let prod = prod.wrapping_add(from.len() as u32);
        hv.store(DOM0, page.add(self.prod), Width::B4, prod.into())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use xen_abi::{Gfn, GrantRef};

    use super::*;
    use crate::fixture::{A, two_domains};

    /// A's page, as dom0 has mapped it.
    fn mapped() -> (Hypervisor, Gpa) {
        let mut hv = two_domains();
        hv.grant(A, GrantRef(8), DOM0, Gfn(5), 0);
        let page = hv.map_page(DOM0, A, GrantRef(8), false).unwrap();
        (hv, page.at)
    }

    fn set_indices(hv: &mut Hypervisor, page: Gpa, pipe: Pipe, cons: u32, prod: u32) {
        for (at, index) in [(pipe.cons, cons), (pipe.prod, prod)] {
            hv.store(DOM0, page.add(at), Width::B4, index.into())
                .unwrap();
        }
    }

    #[test]
    fn indices_further_apart_than_the_ring_are_nonsense() {
        let (mut hv, page) = mapped();
        for pipe in [CONSOLE_OUT, STORE_REQUESTS, STORE_ANSWERS] {
            set_indices(&mut hv, page, pipe, 1, 0);
            let taken = pipe.take(&mut hv, page, &mut vec![]);
            assert!(matches!(taken, Err(RingError::Indices { .. })));
            assert!(pipe.room(&mut hv, page).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn bytes_come_out_as_they_went_in_also_where_the_indices_wrap(
            start in prop_oneof![Just(0), Just(u32::MAX - 700), any::<u32>()],
            bytes in prop::collection::vec(any::<u8>(), 1..5000),
            piece in 1usize..400,
        ) {
            let (mut hv, page) = mapped();
            let pipe = STORE_ANSWERS;
            set_indices(&mut hv, page, pipe, start, start);
            let (mut sent, mut got) = (0, vec![]);
            while got.len() < bytes.len() {
                let room = pipe.room(&mut hv, page).unwrap() as usize;
                let n = room.min(piece).min(bytes.len() - sent);
                pipe.put(&mut hv, page, &bytes[sent..sent + n]).unwrap();
                sent += n;
                if sent % 3 != 0 || n == 0 || sent == bytes.len() {
                    pipe.take(&mut hv, page, &mut got).unwrap();
                }
            }
            prop_assert_eq!(got, bytes);
        }
    }
}
