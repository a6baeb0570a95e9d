//! How connections end, where systems differ.

use crate::api::SocketError;

/// The end of a connection.
#[derive(Clone, Debug)]
pub struct Closing {
    /// As long as our FIN is not acknowledged, every ACK says it again (FreeBSD, `tcp_output`), instead of leaving that to
    /// the retransmission timer.
    pub repeats_fin: bool,
    /// A reset in CLOSING and LAST-ACK is an error to the application (FreeBSD), not just the end (RFC 9293, 3.10.7.4).
    pub reset_is_told: bool,
    /// What a reset in CLOSE-WAIT is called: ECONNRESET, or EPIPE (Linux, `tcp_reset`).
    pub reset_in_close_wait: SocketError,
    /// Text for an application that has closed is answered as if there were no connection (Linux,
    /// `tcp_rcv_state_process`: RFC 9293, 3.10.7.1), not by an abort of it.
    pub text_is_for_nobody: bool,
}

impl Default for Closing {
    fn default() -> Closing {
        Closing {
            repeats_fin: false,
            reset_is_told: false,
            reset_in_close_wait: SocketError::ECONNRESET,
            text_is_for_nobody: false,
        }
    }
}
