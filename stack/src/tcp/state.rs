//! The state machine (RFC 9293, figure 5): which transitions exist, and what each state allows.

use crate::event::TcpState::{self, *};

/// Whether figure 5, or the text of 3.10, has a line from one state to the other.
pub fn is_transition(from: TcpState, to: TcpState) -> bool {
    match (from, to) {
        // "delete TCB": an abort, a reset or a timeout leads out of every state.
        (Closed, Closed) => false,
        (_, Closed) => true,
        // A SYN is sent, or received.
        (Closed, SynSent) | (Listen, SynReceived) => true,
        // SYN-SENT: the answer, or simultaneous open.
        (SynSent, Established | SynReceived) => true,
        (SynReceived, Established | FinWait1 | CloseWait) => true,
        // CLOSE, or the peer's FIN.
        (Established, FinWait1 | CloseWait) => true,
        (FinWait1, FinWait2 | Closing | TimeWait) => true,
        (FinWait2 | Closing, TimeWait) => true,
        (CloseWait, LastAck) => true,
        _ => false,
    }
}

/// Both SYN segments are acknowledged.
pub fn is_synchronized(state: TcpState) -> bool {
    !matches!(state, Closed | Listen | SynSent | SynReceived)
}

/// The application may send.
pub fn may_send(state: TcpState) -> bool {
    matches!(state, Established | CloseWait)
}

/// The peer may send text.
pub fn may_receive(state: TcpState) -> bool {
    matches!(state, Established | FinWait1 | FinWait2)
}

/// Text or a FIN of ours may still be under way.
pub fn may_have_unsent(state: TcpState) -> bool {
    matches!(
        state,
        Established | CloseWait | FinWait1 | Closing | LastAck
    )
}

/// The peer's FIN has been taken.
pub fn has_received_fin(state: TcpState) -> bool {
    matches!(state, CloseWait | Closing | LastAck | TimeWait)
}

/// RFC 9293, 3.10.5: ABORT sends a RST in these states.
pub fn abort_sends_reset(state: TcpState) -> bool {
    matches!(
        state,
        SynReceived | Established | FinWait1 | FinWait2 | CloseWait
    )
}

/// Where CLOSE leads (RFC 9293, 3.10.4); none: nothing changes yet.
pub fn after_close(state: TcpState) -> Option<TcpState> {
    match state {
        Established => Some(FinWait1),
        CloseWait => Some(LastAck),
        _ => None,
    }
}

/// Where the peer's FIN leads (RFC 9293, 3.10.7.4, eighth step); `acked`: our own FIN is acknowledged.
pub fn after_fin(state: TcpState, acked: bool) -> Option<TcpState> {
    match state {
        Established | SynReceived => Some(CloseWait),
        FinWait1 if acked => Some(TimeWait),
        FinWait1 => Some(Closing),
        FinWait2 => Some(TimeWait),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [TcpState; 11] = [
        Closed,
        Listen,
        SynSent,
        SynReceived,
        Established,
        FinWait1,
        FinWait2,
        CloseWait,
        Closing,
        LastAck,
        TimeWait,
    ];

    #[test]
    fn close_and_fin_follow_lines_of_figure_5() {
        for from in ALL {
            for to in [
                after_close(from),
                after_fin(from, false),
                after_fin(from, true),
            ]
            .into_iter()
            .flatten()
            {
                assert!(is_transition(from, to), "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn nothing_leads_back_to_established() {
        let sources: alloc::vec::Vec<_> = ALL
            .into_iter()
            .filter(|&s| is_transition(s, Established))
            .collect();
        assert_eq!(sources, [SynSent, SynReceived]);
    }

    #[test]
    fn whoever_has_taken_a_fin_receives_no_more() {
        assert!(
            !ALL.into_iter()
                .any(|s| has_received_fin(s) && may_receive(s))
        );
    }
}
