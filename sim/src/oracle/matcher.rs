//! Finds in the trace what a scenario speaks of, one entry after the other.
//!
//! A matcher tells candidates (what could have matched: the right kind of thing, from the right domain) from matches,
//! so that an expectation that could not have failed is not taken for one that held.

use std::collections::BTreeSet;
use std::sync::Arc;

use stack::event::{Event as GuestEvent, TcpNote};
use xen_abi::DomId;
use xenemu::event::Life;
use xxhash_rust::xxh3::xxh3_128;

use super::context::Context;
use super::packet_matcher;
use crate::plan::{Matcher, Plan, Site};
use crate::trace::entry::{Author, Entry, Event, LinkEvent};

/// What an entry is to a matcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Verdict {
    /// It could have matched.
    pub candidate: bool,
    /// It does.
    pub matched: bool,
}

impl Verdict {
    const fn candidate(matched: bool) -> Verdict {
        Verdict {
            candidate: true,
            matched,
        }
    }
}

/// A matcher at work.
#[derive(Clone, Debug)]
pub struct MatcherState {
    matcher: Matcher,
    /// Of `SiteNotFetched`: the site, and what of it was not fetched yet.
    site: Option<Arc<Site>>,
    missing: BTreeSet<String>,
}

/// The body of every 404; no page links to it.
const NOT_FOUND_PAGE: &str = "/404.html";

impl MatcherState {
    /// A matcher that has seen nothing.
    pub fn new(matcher: &Matcher, plan: &Plan) -> MatcherState {
        let site = match matcher {
            Matcher::SiteNotFetched { server, .. } => site_of(plan, server),
            _ => None,
        };
        let pages = site.iter().flat_map(|site| site.pages.keys());
        let missing = pages
            .filter(|path| *path != NOT_FOUND_PAGE)
            .cloned()
            .collect();
        MatcherState {
            matcher: matcher.clone(),
            site,
            missing,
        }
    }

    /// Looks at the next entry, which the context has observed already.
    pub fn feed(&mut self, entry: &Entry, context: &Context) -> Verdict {
        match &self.matcher {
            Matcher::Packet(packet) => packet_matcher::judge(packet, context),
            Matcher::SiteNotFetched { client, .. } => {
                let client = client.clone();
                self.feed_site(&client, entry, context)
            }
            matcher => judge(matcher, entry, context),
        }
    }

    /// What is counted only at the end: pages that were not fetched.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.missing.iter().map(String::as_str)
    }

    fn feed_site(&mut self, client: &str, entry: &Entry, context: &Context) -> Verdict {
        let Some(GuestEvent::HttpResponse {
            path,
            status,
            digest,
            ..
        }) = said_by(client, entry, context)
        else {
            return Verdict::default();
        };
        let page = self.site.as_ref().and_then(|site| site.pages.get(path));
        let same = page.is_some_and(|page| *status == 200 && xxh3_128(&page.body) == *digest);
        if same {
            self.missing.remove(path);
        }
        Verdict::candidate(false)
    }
}

fn site_of(plan: &Plan, server: &str) -> Option<Arc<Site>> {
    let mut domains = plan.machines.iter().flat_map(|machine| &machine.domains);
    domains
        .find(|domain| domain.name == server)
        .and_then(|domain| domain.site.clone())
}

fn judge(matcher: &Matcher, entry: &Entry, context: &Context) -> Verdict {
    match matcher {
        Matcher::Console { domain, contains } => console(domain, contains, entry, context),
        Matcher::Life { domain, is } => life(domain.as_deref(), is, entry, context),
        Matcher::TcpState {
            domain,
            state,
            port,
        } => tcp_state(domain, state, *port, entry, context),
        Matcher::TcpNote { domain, note } => tcp_note(domain, note, entry, context),
        Matcher::Refused { domain, contains } => refused(domain, contains, entry, context),
        Matcher::Http {
            domain,
            path,
            status,
        } => http(domain, path.as_deref(), *status, entry, context),
        Matcher::Link { link, from, event } => {
            link_event(link, from.as_deref(), event, entry, context)
        }
        Matcher::Hypercall { domain, op } => hypercall(domain.as_deref(), op, entry, context),
        Matcher::ScriptDone { domain } => script_done(domain, entry, context),
        // Judged elsewhere: packets and pages with their own state, leaks after the run.
        Matcher::Packet(_) | Matcher::SiteNotFetched { .. } | Matcher::Leaked { .. } => {
            Verdict::default()
        }
    }
}

/// The event, if that domain's guest reports it.
fn said_by<'a>(domain: &str, entry: &'a Entry, context: &Context) -> Option<&'a GuestEvent> {
    match (&entry.event, entry.author) {
        (Event::Guest(domid, event), Author::Node(node)) => context
            .names
            .is_domain(node, *domid, domain)
            .then_some(event),
        _ => None,
    }
}

/// The event, if that entry's machine reports it and it is about that domain (or any).
fn about<'a>(
    domain: Option<&str>,
    entry: &'a Entry,
    context: &Context,
    subject: impl Fn(&'a xenemu::Event) -> Option<DomId>,
) -> Option<&'a xenemu::Event> {
    match (&entry.event, entry.author) {
        (Event::Machine(event), Author::Node(node)) => {
            let domid = subject(event)?;
            domain
                .is_none_or(|name| context.names.is_domain(node, domid, name))
                .then_some(event)
        }
        _ => None,
    }
}

fn console(domain: &str, contains: &str, entry: &Entry, context: &Context) -> Verdict {
    let subject = |event: &xenemu::Event| match event {
        xenemu::Event::Console { domid, .. } => Some(*domid),
        _ => None,
    };
    match about(Some(domain), entry, context, subject) {
        Some(xenemu::Event::Console { line, .. }) => Verdict::candidate(line.contains(contains)),
        _ => Verdict::default(),
    }
}

fn life(domain: Option<&str>, is: &str, entry: &Entry, context: &Context) -> Verdict {
    let subject = |event: &xenemu::Event| match event {
        xenemu::Event::Life { domid, .. } => Some(*domid),
        _ => None,
    };
    match about(domain, entry, context, subject) {
        Some(xenemu::Event::Life { life, .. }) => Verdict::candidate(life_word(life) == is),
        _ => Verdict::default(),
    }
}

/// The scenario language's word for what happens to a domain.
pub const fn life_word(life: &Life) -> &'static str {
    match life {
        Life::Created { .. } => "created",
        Life::Unpaused => "unpaused",
        Life::Paused => "paused",
        Life::Shutdown { .. } => "shutdown",
        Life::Crashed { .. } => "crashed",
        Life::Stuck { .. } => "stuck",
        Life::Dying => "dying",
        Life::Zombie => "zombie",
        Life::Destroyed => "destroyed",
        Life::Rebooted { .. } => "rebooted",
    }
}

fn tcp_state(
    domain: &str,
    state: &str,
    port: Option<u16>,
    entry: &Entry,
    context: &Context,
) -> Verdict {
    match said_by(domain, entry, context) {
        Some(GuestEvent::TcpState {
            local, remote, to, ..
        }) => {
            let port_ok = port.is_none_or(|port| local.port() == port || remote.port() == port);
            Verdict::candidate(to.name() == state && port_ok)
        }
        _ => Verdict::default(),
    }
}

/// Any sign of life of the domain's TCP is a candidate: where there is none, no note could be.
fn tcp_note(domain: &str, note: &str, entry: &Entry, context: &Context) -> Verdict {
    match said_by(domain, entry, context) {
        Some(GuestEvent::TcpNote { note: found, .. }) => {
            Verdict::candidate(note_word(*found) == note)
        }
        Some(GuestEvent::TcpState { .. }) => Verdict::candidate(false),
        _ => Verdict::default(),
    }
}

/// The scenario language's word for a note.
pub const fn note_word(note: TcpNote) -> &'static str {
    match note {
        TcpNote::RtoExpired => "rto-expired",
        TcpNote::RecoveryEntered => "recovery-entered",
        TcpNote::RecoveryLeft => "recovery-left",
        TcpNote::WindowProbe => "window-probe",
        TcpNote::KeepAlive => "keep-alive",
        TcpNote::ChallengeAck => "challenge-ack",
        TcpNote::ListenOverflow => "listen-overflow",
        TcpNote::Renege => "renege",
        TcpNote::Retransmit => "retransmit",
    }
}

/// Any packet that reaches the domain is a candidate: it could have been refused.
fn refused(domain: &str, contains: &str, entry: &Entry, context: &Context) -> Verdict {
    if let Some(GuestEvent::Refused { why, .. }) = said_by(domain, entry, context) {
        return Verdict::candidate(why.contains(contains));
    }
    let reached = context.sighting().is_some_and(|sighting| {
        sighting.direction == super::tracker::Direction::In && &*sighting.domain == domain
    });
    Verdict {
        candidate: reached,
        matched: false,
    }
}

fn http(
    domain: &str,
    wanted_path: Option<&str>,
    wanted_status: Option<u16>,
    entry: &Entry,
    context: &Context,
) -> Verdict {
    match said_by(domain, entry, context) {
        Some(GuestEvent::HttpResponse { path, status, .. }) => {
            let path_ok = wanted_path.is_none_or(|wanted| wanted == path);
            Verdict::candidate(path_ok && wanted_status.is_none_or(|wanted| wanted == *status))
        }
        _ => Verdict::default(),
    }
}

fn link_event(
    link: &str,
    from: Option<&str>,
    word: &str,
    entry: &Entry,
    context: &Context,
) -> Verdict {
    let (Event::Link(event), Author::Link(number, direction)) = (&entry.event, entry.author) else {
        return Verdict::default();
    };
    let sender = || context.names.link_direction(number, direction);
    let here = &*context.names.link(number) == link
        && from.is_none_or(|from| sender().is_some_and(|(sender, _)| &*sender == from));
    if !here {
        return Verdict::default();
    }
    Verdict::candidate(match event {
        LinkEvent::Serialised { reordered, .. } => *reordered && word == "reordered",
        other => link_word(other) == word,
    })
}

/// The scenario language's word for what a link does.
pub const fn link_word(event: &LinkEvent) -> &'static str {
    match event {
        LinkEvent::Enqueued { .. } => "enqueued",
        LinkEvent::Lost { .. } => "lost",
        LinkEvent::QueueFull { .. } => "queue-full",
        LinkEvent::Duplicated { .. } => "duplicated",
        LinkEvent::Corrupted { .. } => "corrupted",
        LinkEvent::Serialised { .. } => "serialised",
        LinkEvent::Died { .. } => "died",
    }
}

fn hypercall(domain: Option<&str>, name: &str, entry: &Entry, context: &Context) -> Verdict {
    let subject = |event: &xenemu::Event| match event {
        xenemu::Event::Hypercall { domid, .. } => Some(*domid),
        _ => None,
    };
    match about(domain, entry, context, subject) {
        Some(xenemu::Event::Hypercall { op, .. }) => Verdict::candidate(op.name() == name),
        _ => Verdict::default(),
    }
}

fn script_done(domain: &str, entry: &Entry, context: &Context) -> Verdict {
    match said_by(domain, entry, context) {
        Some(GuestEvent::ScriptDone { .. }) => Verdict::candidate(true),
        Some(GuestEvent::ScriptStarted { .. } | GuestEvent::ScriptFailed { .. }) => {
            Verdict::candidate(false)
        }
        _ => Verdict::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{At, PacketKind, PacketMatcher, Page};
    use crate::view::testing::{BLOG, DOMID, LAPTOP, READER, Stream, TcpSpec, plan};
    use std::collections::BTreeMap;

    /// Candidates and matches of a matcher over a stream.
    fn count(matcher: &Matcher, plan: &Plan, stream: &Stream) -> (u64, u64) {
        let mut context = Context::new(plan);
        let mut state = MatcherState::new(matcher, plan);
        let mut counts = (0, 0);
        for entry in &stream.entries {
            context.observe(entry);
            let verdict = state.feed(entry, &context);
            counts.0 += u64::from(verdict.candidate);
            counts.1 += u64::from(verdict.matched);
        }
        counts
    }

    fn tcp(edit: impl Fn(&mut PacketMatcher)) -> Matcher {
        let mut matcher = PacketMatcher::any(PacketKind::Tcp);
        edit(&mut matcher);
        Matcher::Packet(matcher)
    }

    #[test]
    fn a_packet_is_counted_once_at_its_senders_vif() {
        let mut stream = Stream::begin();
        stream.handshake();
        let syn = |at: At| {
            tcp(move |m| {
                m.from = Some("reader".into());
                m.to = Some("blog".into());
                m.flags = Some("S".into());
                m.at = at;
            })
        };
        assert_eq!(count(&syn(At::Sender), &plan(), &stream), (2, 1));
        assert_eq!(count(&syn(At::Receiver), &plan(), &stream), (2, 1));
        let from_blog = tcp(|m| m.from = Some("blog".into()));
        assert_eq!(count(&from_blog, &plan(), &stream), (1, 1));
        let syn_bits = tcp(|m| m.flags = Some("~S".into()));
        assert_eq!(count(&syn_bits, &plan(), &stream), (3, 2));
    }

    #[test]
    fn retransmissions_count_only_when_asked_for() {
        let mut stream = Stream::begin();
        let syn = TcpSpec {
            seq: 1000,
            ..TcpSpec::new(READER, BLOG, "S")
        };
        stream.segment(1_000_000, &syn);
        stream.segment(1_001_000_000, &syn);
        assert_eq!(count(&tcp(|_| ()), &plan(), &stream), (2, 1));
        assert_eq!(
            count(&tcp(|m| m.retransmits = true), &plan(), &stream),
            (2, 2)
        );
        let only = tcp(|m| m.only_retransmits = true);
        assert_eq!(count(&only, &plan(), &stream), (2, 1));
        let at_receiver = tcp(|m| m.at = At::Receiver);
        assert_eq!(count(&at_receiver, &plan(), &stream), (2, 1));
    }

    #[test]
    fn a_domain_that_is_born_again_is_known_under_its_new_number() {
        let mut stream = Stream::begin();
        let domid = DomId(7);
        let life = Life::Created {
            name: "reader".into(),
        };
        stream.machine(5, LAPTOP, xenemu::Event::Life { domid, life });
        let line = "hello".to_string();
        stream.machine(6, LAPTOP, xenemu::Event::Console { domid, line });
        let console = Matcher::Console {
            domain: "reader".into(),
            contains: "ell".into(),
        };
        assert_eq!(count(&console, &plan(), &stream), (1, 1));
    }

    #[test]
    fn a_site_is_fetched_when_every_page_came_byte_for_byte() {
        let mut plan = plan();
        let page = |body: &[u8]| Page {
            content_type: "text/html".into(),
            etag: "\"x\"".into(),
            body: body.to_vec(),
        };
        let pages = BTreeMap::from([
            ("/".to_string(), page(b"index")),
            ("/fin/".to_string(), page(b"fin")),
            (NOT_FOUND_PAGE.to_string(), page(b"no")),
        ]);
        plan.machines[0].domains[0].site = Some(Arc::new(Site { pages }));
        let matcher = Matcher::SiteNotFetched {
            server: "blog".into(),
            client: "reader".into(),
        };
        let mut stream = Stream::begin();
        for (path, body) in [("/", &b"index"[..]), ("/fin/", b"fim")] {
            stream.guest(
                5,
                LAPTOP,
                GuestEvent::HttpResponse {
                    name: "c".into(),
                    path: path.into(),
                    status: 200,
                    bytes: 3,
                    digest: xxh3_128(body),
                },
            );
        }
        let mut context = Context::new(&plan);
        let mut state = MatcherState::new(&matcher, &plan);
        for entry in &stream.entries {
            context.observe(entry);
            state.feed(entry, &context);
        }
        assert_eq!(state.missing().collect::<Vec<_>>(), ["/fin/"]);
    }

    #[test]
    fn a_link_is_matched_by_its_sender_too() {
        let mut stream = Stream::begin();
        let frame = stream.send(5, LAPTOP, vec![0; 60]);
        stream.lose(6, LAPTOP, frame);
        let from = |from: &str| Matcher::Link {
            link: "laptop-ec2".into(),
            from: Some(from.into()),
            event: "lost".into(),
        };
        assert_eq!(count(&from("laptop"), &plan(), &stream), (1, 1));
        assert_eq!(count(&from("ec2"), &plan(), &stream), (0, 0));
    }

    #[test]
    fn a_hypercall_goes_by_the_headers_name() {
        let mut stream = Stream::begin();
        let event = xenemu::Event::Hypercall {
            domid: DOMID,
            op: xenemu::event::Op::EvtchnSend,
            args: [1, 0],
            result: 0,
        };
        stream.machine(5, LAPTOP, event);
        let matcher = Matcher::Hypercall {
            domain: None,
            op: "EVTCHNOP_send".into(),
        };
        assert_eq!(count(&matcher, &plan(), &stream), (1, 1));
    }
}
