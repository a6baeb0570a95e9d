//! The console ring: output is handed over as far as there is room, the rest waits; nothing ever spins on a full ring.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use thiserror::Error;
use xen_abi::io::console::{IN_CONS, IN_PROD, OUT, OUT_CONS, OUT_PROD, OUT_SIZE};
use xen_abi::{Errno, Gpa, Hypercalls, Port, Width};

use super::evtchn::notify;

/// The other end does not keep to the ring's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ConsoleError {
    /// Producer and consumer are further apart than the ring is long.
    #[error("the console ring holds {0} bytes")]
    Indices(u32),
    /// The other end cannot be told.
    #[error("the console port is dead: {0}")]
    Port(#[from] Errno),
}

/// The guest's end of the console.
#[derive(Debug)]
pub struct Console {
    page: Gpa,
    port: Port,
    out_prod: u32,
}

impl Console {
    /// Takes over the ring in `page` where its indices stand.
    pub fn new(xen: &mut dyn Hypercalls, page: Gpa, port: Port) -> Console {
        Console {
            page,
            port,
            out_prod: xen.load(page.add(OUT_PROD), Width::B4) as u32,
        }
    }

    /// Writes what fits of `bytes`, and passes over what was typed: no application here reads it.
    pub fn pump(
        &mut self,
        xen: &mut dyn Hypercalls,
        bytes: &mut VecDeque<u8>,
    ) -> Result<(), ConsoleError> {
        let typed = self.skip_input(xen);
        let written = self.write(xen, bytes)?;
        if typed || written {
            notify(xen, self.port)?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        xen: &mut dyn Hypercalls,
        bytes: &mut VecDeque<u8>,
    ) -> Result<bool, ConsoleError> {
        if bytes.is_empty() {
            return Ok(false);
        }
        let cons = xen.load(self.page.add(OUT_CONS), Width::B4) as u32;
        let used = self.out_prod.wrapping_sub(cons);
        let room = OUT_SIZE
            .checked_sub(u64::from(used))
            .ok_or(ConsoleError::Indices(used))?;
        let chunk: Vec<u8> = bytes.drain(..bytes.len().min(room as usize)).collect();
        let start = u64::from(self.out_prod) % OUT_SIZE;
        let first = chunk.len().min((OUT_SIZE - start) as usize);
        let (head, tail) = chunk.split_at(first);
        xen.write(self.page.add(OUT + start), head);
        if !tail.is_empty() {
            xen.write(self.page.add(OUT), tail);
        }
        self.out_prod = self.out_prod.wrapping_add(chunk.len() as u32);
        let at = self.page.add(OUT_PROD);
        xen.store(at, Width::B4, u64::from(self.out_prod));
        Ok(!chunk.is_empty())
    }

    fn skip_input(&mut self, xen: &mut dyn Hypercalls) -> bool {
        let prod = xen.load(self.page.add(IN_PROD), Width::B4);
        let cons = xen.load(self.page.add(IN_CONS), Width::B4);
        if prod != cons {
            xen.store(self.page.add(IN_CONS), Width::B4, prod);
        }
        prod != cons
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::fake::FakeXen;

    const PAGE: Gpa = Gpa(0x60_0000);

    fn console() -> (FakeXen, Console) {
        let mut xen = FakeXen::new();
        for index in [IN_CONS, IN_PROD, OUT_CONS, OUT_PROD] {
            xen.store(PAGE.add(index), Width::B4, 0);
        }
        let console = Console::new(&mut xen, PAGE, Port(2));
        (xen, console)
    }

    #[test]
    fn what_does_not_fit_into_the_ring_waits_for_room() {
        let (mut xen, mut console) = console();
        let mut bytes: VecDeque<u8> = (0..3000u32).map(|n| n as u8).collect();
        console.pump(&mut xen, &mut bytes).unwrap();
        assert_eq!(bytes.len(), 3000 - 2048);
        console.pump(&mut xen, &mut bytes).unwrap();
        assert_eq!(xen.sent.len(), 1, "nothing moved: nobody is told");
        xen.store(PAGE.add(OUT_CONS), Width::B4, 2000);
        console.pump(&mut xen, &mut bytes).unwrap();
        assert!(bytes.is_empty());
        let last = xen.load(PAGE.add(OUT + 2999 % OUT_SIZE), Width::B1);
        assert_eq!(last, u64::from(2999u32 as u8));
    }

    #[test]
    fn a_consumer_ahead_of_us_is_refused() {
        let (mut xen, mut console) = console();
        xen.store(PAGE.add(OUT_CONS), Width::B4, 1);
        let pumped = console.pump(&mut xen, &mut VecDeque::from([b'x']));
        assert_eq!(pumped, Err(ConsoleError::Indices(u32::MAX)));
    }

    #[test]
    fn what_is_typed_is_passed_over() {
        let (mut xen, mut console) = console();
        xen.store(PAGE.add(IN_PROD), Width::B4, 10);
        console.pump(&mut xen, &mut VecDeque::new()).unwrap();
        assert_eq!(xen.load(PAGE.add(IN_CONS), Width::B4), 10);
    }
}
