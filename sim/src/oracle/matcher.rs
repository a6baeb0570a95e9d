//! Finds in the trace what a scenario speaks of, one entry after the other.
//!
//! A matcher tells candidates (what could have matched: the right kind of thing, from the right domain) from matches,
//! so that an expectation that could not have failed is not taken for one that held.

use std::collections::BTreeSet;
use std::sync::Arc;

use stack::event::Event as GuestEvent;
use xxhash_rust::xxh3::xxh3_128;

use super::context::Context;
use super::event_matcher::{self, said_by};
use super::packet_matcher;
use crate::plan::{Matcher, Plan, Site};
use crate::trace::entry::Entry;

/// What an entry is to a matcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Verdict {
    /// It could have matched.
    pub candidate: bool,
    /// It does.
    pub matched: bool,
}

impl Verdict {
    /// It could have matched, and did or did not.
    pub const fn candidate(matched: bool) -> Verdict {
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
            matcher => event_matcher::judge(matcher, entry, context),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{At, PacketKind, PacketMatcher, Page};
    use crate::view::testing::{BLOG, DOMID, EC2, LAPTOP, READER, Stream, TcpSpec, plan};
    use std::collections::BTreeMap;
    use xenemu::abi::DomId;
    use xenemu::event::Life;

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
        assert_eq!(count(&syn(At::Sender), &plan(), &stream), (3, 1));
        assert_eq!(count(&syn(At::Receiver), &plan(), &stream), (3, 1));
        let from_blog = tcp(|m| m.from = Some("blog".into()));
        assert_eq!(count(&from_blog, &plan(), &stream), (3, 1));
        let from_nobody = tcp(|m| m.from = Some("nobody".into()));
        assert_eq!(count(&from_nobody, &plan(), &stream), (0, 0));
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
    fn a_dropped_frame_is_matched_by_the_vif_it_was_for_and_by_why() {
        use xenemu::event::{DropReason, Tap};
        let mut stream = Stream::begin();
        let to_reader = stream.send(5, EC2, vec![0; 60]);
        stream.deliver(6, LAPTOP, to_reader);
        let tap = Tap::VifIn(DOMID, 0);
        let drop = xenemu::Event::FrameDropped {
            frame: to_reader,
            tap,
            reason: DropReason::VifQueueFull,
        };
        stream.machine(7, LAPTOP, drop);
        let dropped = |domain: &str, reason: Option<&str>| Matcher::Dropped {
            domain: domain.into(),
            reason: reason.map(str::to_owned),
        };
        let counts = |matcher| count(&matcher, &plan(), &stream);
        assert_eq!(counts(dropped("reader", None)), (2, 1));
        assert_eq!(counts(dropped("reader", Some("vif queue full"))), (2, 1));
        assert_eq!(counts(dropped("reader", Some("vif down"))), (2, 0));
        assert_eq!(counts(dropped("blog", None)), (0, 0));
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
