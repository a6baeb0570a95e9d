//! How much an unprivileged domain may take: xenstored's defaults in Xen 4.17.

/// `quota_nb_entry_per_domain`: nodes.
pub const NODES: u32 = 1000;
/// `quota_nb_watch_per_domain`; a request is refused when there are more already, so one more fits.
pub const WATCHES: usize = 128;
/// `quota_max_entry_size`: a node's record must be shorter.
pub const NODE_SIZE: usize = 2048;
/// `quota_max_transaction`; a request is refused when there are more already, so one more fits.
pub const TRANSACTIONS: usize = 10;
/// `quota_nb_perms_per_node`
pub const PERMS: usize = 5;
/// `quota_trans_nodes`: nodes that a transaction may touch, whoever runs it.
pub const TRANSACTION_NODES: usize = 1024;
/// `quota_req_outstanding`: answers not yet taken, with which no further request is read.
pub const OUTSTANDING: usize = 20;
/// What a domain that doesn't read may keep waiting for it (`quota_memory_per_domain_hard`): events beyond are lost.
pub const OUTBOX_BYTES: usize = 2 * 1024 * 1024 + 512 * 1024;
