//! A domain's connection: what it has half said, what it has not yet heard, and its transactions.

use std::collections::BTreeMap;

use xen_abi::Errno;

use super::quota;
use super::transaction::Transaction;
use super::wire::{Decoder, Outbox};

/// The state of one connection.
#[derive(Debug, Default)]
pub struct Connection {
    /// Requests being put together.
    pub input: Decoder,
    /// Answers and events on their way.
    pub output: Outbox,
    /// The transactions that it began.
    pub transactions: BTreeMap<u32, Transaction>,
    /// It sent nonsense: nothing more is read from it or said to it.
    pub shut: bool,
    /// The domain has shut down.
    pub domain_is_down: bool,
    last_transaction: u32,
}

impl Connection {
    /// Begins a transaction.
    pub fn start_transaction(&mut self, privileged: bool) -> Result<u32, Errno> {
        if !privileged && self.transactions.len() > quota::TRANSACTIONS {
            return Err(Errno::ENOSPC);
        }
        loop {
            self.last_transaction = self.last_transaction.wrapping_add(1);
            let id = self.last_transaction;
            if id != 0 && !self.transactions.contains_key(&id) {
                self.transactions.insert(id, Transaction::default());
                return Ok(id);
            }
        }
    }

    /// Stops listening and talking.
    pub fn shut(&mut self) {
        let domain_is_down = self.domain_is_down;
        *self = Connection {
            shut: true,
            domain_is_down,
            ..Connection::default()
        };
    }
}
