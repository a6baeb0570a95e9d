//! TCP's diagram: RFC 9293, section 3.3.2, figure 5, with the ways out that its notes and section 3.10 add.

use stack::event::TcpState;

/// Whether a connection may go from one state to the other in one step.
pub const fn may_follow(from: TcpState, to: TcpState) -> bool {
    use TcpState::*;
    matches!(
        (from, to),
        // Figure 5.
        (Closed, Listen | SynSent)
            | (Listen, SynReceived | SynSent)
            | (SynSent, SynReceived | Established)
            | (SynReceived, Established | FinWait1)
            // The note on figure 5: a SYN-RECEIVED that came from LISTEN returns there on a RST.
            | (SynReceived, Listen)
            | (Established, FinWait1 | CloseWait)
            | (FinWait1, FinWait2 | Closing | TimeWait)
            | (FinWait2, TimeWait)
            | (CloseWait, LastAck)
            | (Closing, TimeWait)
            // Section 3.10.4 and 3.10.7.4: an acceptable FIN takes SYN-RECEIVED to CLOSE-WAIT.
            | (SynReceived, CloseWait)
            // Section 3.10.7.4, TIME-WAIT: a new SYN may open the connection again.
            | (TimeWait, SynReceived | Listen)
            // A child of a listener is born in SYN-RECEIVED: the listener itself stays.
            | (Closed, SynReceived)
            // CLOSE, ABORT, RST and the user timeout lead here from everywhere.
            | (_, Closed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diagrams_two_closes_are_legal() {
        use TcpState::*;
        let active = [
            Closed,
            SynSent,
            Established,
            FinWait1,
            FinWait2,
            TimeWait,
            Closed,
        ];
        let passive = [Listen, SynReceived, Established, CloseWait, LastAck, Closed];
        for path in [&active[..], &passive[..]] {
            assert!(path.windows(2).all(|step| may_follow(step[0], step[1])));
        }
    }

    #[test]
    fn there_is_no_way_around_a_state() {
        use TcpState::*;
        assert!(!may_follow(CloseWait, TimeWait));
        assert!(!may_follow(LastAck, TimeWait));
        assert!(!may_follow(Listen, Established));
        assert!(!may_follow(FinWait2, Established));
    }
}
