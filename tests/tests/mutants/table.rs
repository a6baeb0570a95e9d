//! The mutants: one a scenario, none twice, each a bug that the scenario is about.

/// One line, broken.
pub struct Mutant {
    /// Who must reject it: a path from the workspace's root.
    pub scenario: &'static str,
    /// The file, from the workspace's root.
    pub file: &'static str,
    /// The line as it stands, without its indentation; once in the file.
    pub line: &'static str,
    /// What stands there instead.
    pub broken: &'static str,
    /// "It passes although …"
    pub why: &'static str,
}

pub const MUTANTS: &[Mutant] = &[
    Mutant {
        scenario: "scenarios/blog/blog.kdl",
        file: "stack/src/tcp/transmit.rs",
        line: "let fresh = !self.deadlines.is_armed(Timer::Retransmit) || plan.why == Why::Head;",
        broken: "let fresh = plan.why == Why::Head;",
        why: "no timer watches over new text, and the last segment of a page, once lost, stays lost",
    },
    Mutant {
        scenario: "scenarios/blog/minnesota-goodbye.kdl",
        file: "stack/src/app/http/server.rs",
        line: "Err(TimedOut) => return Next::Close,",
        broken: "Err(TimedOut) => {}",
        why: "the server never closes a connection that its client leaves idle",
    },
    Mutant {
        scenario: "scenarios/evil/spoofed-ping.kdl",
        file: "stack/src/net/icmp.rs",
        line: "Kind::EchoRequest { .. } if !ends.unicast => return Err(\"echo request to a group\"),",
        broken: "Kind::EchoRequest { .. } if ends.unicast => return Err(\"echo request to a group\"),",
        why: "requests to everybody are answered, and those to us alone are not",
    },
    Mutant {
        scenario: "scenarios/evil/zero-length-option.kdl",
        file: "stack/src/wire/tcp_options.rs",
        line: "if length == 0 && self.trusts_length_zero {",
        broken: "if length == 0 {",
        why: "the option parser does not move on at a length of zero, as in 2014",
    },
    Mutant {
        scenario: "scenarios/ipv6/blog6.kdl",
        file: "stack/src/tcp/agreed.rs",
        line: "self.headers = IP_HEADERS[usize::from(ipv6)] + HEADER_LEN as u16 + tunnel;",
        broken: "self.headers = IP_HEADERS[usize::from(ipv6) / 2] + HEADER_LEN as u16 + tunnel;",
        why: "the segment size forgets that IPv6's header is longer, and every full segment goes in pieces",
    },
    Mutant {
        scenario: "scenarios/ipv6/ndp.kdl",
        file: "stack/src/net/ipv6/host.rs",
        line: ".change(address.ip, |a| a.state = State::Duplicate);",
        broken: ".change(address.ip, |a| a.tries = 0);",
        why: "an address that somebody else has is taken all the same",
    },
    Mutant {
        scenario: "scenarios/ipv6/path-mtu.kdl",
        file: "stack/src/net/ipv6/output.rs",
        line: "false => self.paths.get(dst.into()),",
        broken: "false => self.paths.get(src.into()),",
        why: "what a router says of the way to somebody is kept, and never found again",
    },
    Mutant {
        scenario: "scenarios/nothing/do-nothing.kdl",
        file: "stack/src/os/kernel.rs",
        line: "let deadlines = [shared.timers.next(), net, stop];",
        broken: "let deadlines = [shared.timers.next(), net, stop, Some(now.plus(LINGER))];",
        why: "an idle kernel wakes itself every second, for nothing",
    },
    Mutant {
        scenario: "scenarios/services/chargen.kdl",
        file: "stack/src/tcp/input.rs",
        line: "self.die(shared, error);",
        broken: "self.heard(now);",
        why: "a reset is read and forgotten, and the connection lives on",
    },
    Mutant {
        scenario: "scenarios/services/discard.kdl",
        file: "stack/src/app/discard.rs",
        line: "let udp = serve_udp(&os, port, |_, _| None);",
        broken: "let udp = serve_udp(&os, port, |_, _| Some(alloc::vec::Vec::new()));",
        why: "the service that says nothing answers datagrams with empty ones",
    },
    Mutant {
        scenario: "scenarios/services/discard.kdl",
        file: "stack/src/tcp/flight/mod.rs",
        line: "s.marks |= SentMarks::HELD;",
        broken: "s.marks |= SentMarks::default();",
        why: "what the receiver holds is sent again with all the rest",
    },
    Mutant {
        scenario: "scenarios/services/echo.kdl",
        file: "stack/src/app/echo.rs",
        line: "let udp = serve_udp(&os, port, |datagram, _| Some(datagram.to_vec()));",
        broken: "let udp = serve_udp(&os, port, |datagram, _| datagram.split(|b| *b == 0).next().map(<[u8]>::to_vec));",
        why: "a datagram's echo ends at its first zero, as a string of C would",
    },
    Mutant {
        scenario: "scenarios/tcp/fast-retransmit.kdl",
        file: "stack/src/profile/tcp.rs",
        line: "dup_thresh: 3,",
        broken: "dup_thresh: 2,",
        why: "two duplicate acknowledgements suffice for a retransmission",
    },
    Mutant {
        scenario: "scenarios/tcp/half-close.kdl",
        file: "stack/src/tcp/state.rs",
        line: "matches!(state, Established | FinWait1 | FinWait2)",
        broken: "matches!(state, Established | FinWait1)",
        why: "who has said FIN does not hear any more",
    },
    Mutant {
        scenario: "scenarios/tcp/handshake.kdl",
        file: "stack/src/tcp/input.rs",
        line: "if !(segment.ack.gt(self.snd.una) && segment.ack.le(self.snd.max)) {",
        broken: "if !segment.ack.gt(self.snd.una) {",
        why: "an acknowledgement of what was never sent opens a connection",
    },
    Mutant {
        scenario: "scenarios/tcp/lost-syn.kdl",
        file: "stack/src/profile/tcp.rs",
        line: "initial_rto: SEC,",
        broken: "initial_rto: 3 * SEC,",
        why: "a SYN comes again only after the three seconds of RFC 1122",
    },
    Mutant {
        scenario: "scenarios/tcp/simultaneous-open.kdl",
        file: "stack/src/tcp/open.rs",
        line: "self.snd.nxt = self.snd.una;",
        broken: "self.ack.now();",
        why: "a SYN that crosses our own is answered with a mere ACK",
    },
    Mutant {
        scenario: "scenarios/tcp/time-wait.kdl",
        file: "stack/src/tcp/connection.rs",
        line: ".arm(Timer::Linger, now.plus(2 * shared.tcp().msl));",
        broken: ".arm(Timer::Linger, now);",
        why: "a connection in TIME-WAIT is forgotten at once, and its peer's last FIN is answered with a reset",
    },
    Mutant {
        scenario: "scenarios/tcp/zero-window.kdl",
        file: "stack/src/tcp/expire.rs",
        line: "Timer::Persist => self.persist_timeout(shared, now),",
        broken: "Timer::Persist => {}",
        why: "nobody asks whether a shut window has opened",
    },
    Mutant {
        scenario: "scenarios/world/domain-crash.kdl",
        file: "xenemu/src/toolstack/mod.rs",
        line: "ShutdownReason::Crash | ShutdownReason::Watchdog => known.config.on_crash,",
        broken: "ShutdownReason::Crash | ShutdownReason::Watchdog => known.config.on_poweroff,",
        why: "a crash is treated as a shutdown, and nobody builds the domain again",
    },
    Mutant {
        scenario: "scenarios/world/lost-wakeup.kdl",
        file: "stack/src/os/interfaces.rs",
        line: "more |= vif.final_check(xen)? && heeds;",
        broken: "more |= vif.final_check(xen)? && !heeds;",
        why: "the last look at the rings changes nothing, and what came just before it is never seen",
    },
    Mutant {
        scenario: "scenarios/world/machine-power-failure.kdl",
        file: "stack/src/tcp/reset.rs",
        line: "if segment.has(Flags::RST) {",
        broken: "if segment.has(Flags::RST) || segment.has(Flags::ACK) {",
        why: "a kernel that was born anew is silent about connections that it never had",
    },
    Mutant {
        scenario: "scenarios/world/partition-heals.kdl",
        file: "stack/src/tcp/rto.rs",
        line: ".saturating_mul(1 << doublings)",
        broken: ".saturating_mul(1 << doublings.min(0))",
        why: "the retransmission timer does not back off",
    },
    Mutant {
        scenario: "scenarios/world/paused-domain.kdl",
        file: "xenemu/src/netback/rx.rs",
        line: "if self.queued + cost(&frame) > QUEUE_BYTES {",
        broken: "if self.queue.len() > QUEUE_BYTES {",
        why: "the queue towards a guest holds as many frames as it should hold bytes",
    },
    Mutant {
        scenario: "scenarios/world/rough-road.kdl",
        file: "stack/src/tcp/assembler.rs",
        line: "end: self.ranges[last - 1].end.max(end),",
        broken: "end,",
        why: "who fills a hole is made to forget what had arrived behind it, although he had acknowledged it",
    },
];
