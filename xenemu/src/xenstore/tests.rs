//! The protocol, request by request; and two properties: bytes may come in any pieces, and transactions are what a
//! simple model says.

use proptest::prelude::*;
use xen_abi::io::xs_wire::{XsdSockmsg, xs};
use zerocopy::{FromBytes, IntoBytes};

use super::*;

/// A message for a domain: kind, req_id, tx_id, payload.
type Heard = (u32, u32, u32, String);

struct Client<'a> {
    daemon: &'a mut Xenstored,
    domid: DomId,
}

fn request(kind: u32, req_id: u32, tx_id: u32, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u32;
    let header = XsdSockmsg {
        kind,
        req_id,
        tx_id,
        len,
    };
    [header.as_bytes(), payload].concat()
}

fn messages(mut bytes: &[u8]) -> Vec<Heard> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (h, rest) = XsdSockmsg::read_from_prefix(bytes).expect("a whole header");
        let (payload, rest) = rest.split_at(h.len as usize);
        let text = String::from_utf8_lossy(payload).replace('\0', "|");
        all.push((h.kind, h.req_id, h.tx_id, text));
        bytes = rest;
    }
    all
}

impl Client<'_> {
    fn heard_bytes(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut buffer = [0; 100];
        while self.daemon.has_output(self.domid) {
            let n = self.daemon.transmit(self.domid, &mut buffer);
            all.extend_from_slice(&buffer[..n]);
        }
        all
    }

    /// All that came, events included.
    fn heard(&mut self) -> Vec<Heard> {
        messages(&self.heard_bytes())
    }

    /// The answer to a request; NULs are shown as `|`, an error by its name.
    fn ask_in(&mut self, tx_id: u32, kind: u32, payload: &str) -> Result<String, String> {
        let payload = payload.replace('|', "\0");
        let bytes = request(kind, 1, tx_id, payload.as_bytes());
        self.daemon.receive(self.domid, &bytes);
        let (kind, _, _, text) = self.heard().remove(0);
        match kind {
            xs::ERROR => Err(text.trim_end_matches('|').to_owned()),
            _ => Ok(text),
        }
    }

    fn ask(&mut self, kind: u32, payload: &str) -> Result<String, String> {
        self.ask_in(0, kind, payload)
    }

    fn begin(&mut self) -> u32 {
        let id = self.ask(xs::TRANSACTION_START, "|").unwrap();
        id.trim_end_matches('|').parse().unwrap()
    }

    fn end(&mut self, tx_id: u32, how: &str) -> Result<String, String> {
        self.ask_in(tx_id, xs::TRANSACTION_END, how)
    }
}

/// Two domains with homes of their own.
fn daemon() -> Xenstored {
    let mut daemon = Xenstored::new();
    for n in [1, 2] {
        let home = format!("/local/domain/{n}");
        daemon.write(&home, b"").unwrap();
        daemon.set_perms(&home, Perms::owned_by(DomId(n))).unwrap();
        daemon.introduce(DomId(n));
    }
    daemon
}

fn domain(daemon: &mut Xenstored, n: u16) -> Client<'_> {
    let domid = DomId(n);
    Client { daemon, domid }
}

fn err(name: &str) -> Result<String, String> {
    Err(name.to_owned())
}

fn ok() -> Result<String, String> {
    Ok("OK|".to_owned())
}

#[test]
fn a_write_creates_what_is_missing_above_and_a_read_gives_it_back() {
    let mut daemon = daemon();
    let mut d1 = domain(&mut daemon, 1);
    assert_eq!(d1.ask(xs::WRITE, "a/b/c|va|lue"), ok());
    assert_eq!(d1.ask(xs::READ, "a/b/c|"), Ok("va|lue".into()));
    assert_eq!(d1.ask(xs::READ, "/local/domain/1/a/b|"), Ok(String::new()));
    assert_eq!(d1.ask(xs::MKDIR, "a/d|"), ok());
    assert_eq!(d1.ask(xs::DIRECTORY, "a|"), Ok("b|d|".into()));
    assert_eq!(d1.ask(xs::GET_PERMS, "a/b/c|"), Ok("n1|".into()));
    assert_eq!(d1.ask(xs::RM, "a|"), ok());
    assert_eq!(d1.ask(xs::READ, "a/b/c|"), err("ENOENT"));
    assert_eq!(d1.ask(xs::RM, "a|"), ok(), "its parent exists");
    assert_eq!(d1.ask(xs::RM, "a/b|"), err("ENOENT"));
    assert_eq!(
        d1.ask(xs::GET_DOMAIN_PATH, "7|"),
        Ok("/local/domain/7|".into())
    );
}

#[test]
fn malformed_requests_are_refused_by_name() {
    let mut daemon = daemon();
    let mut d1 = domain(&mut daemon, 1);
    for (kind, payload, name) in [
        (xs::READ, "a", "EINVAL"),
        (xs::READ, "a|b|", "EINVAL"),
        (xs::READ, "", "EINVAL"),
        (xs::READ, "a//b|", "EINVAL"),
        (xs::WRITE, "no-nul", "EINVAL"),
        (xs::WATCH, "a|no-nul", "EINVAL"),
        (xs::SET_PERMS, "a|", "EINVAL"),
        (xs::SET_PERMS, "a|x1|", "EINVAL"),
        (xs::TRANSACTION_END, "X|", "EINVAL"),
        (xs::TRANSACTION_END, "T|", "ENOENT"),
        (xs::RM, "/|", "EACCES"),
        (xs::WATCH_EVENT, "a|b|", "ENOSYS"),
        (99, "", "ENOSYS"),
        (xs::INTRODUCE, "3|1|1|", "EACCES"),
        (xs::RELEASE, "2|", "EACCES"),
        (xs::IS_DOMAIN_INTRODUCED, "2|", "EACCES"),
        (xs::RESUME, "2|", "EACCES"),
    ] {
        assert_eq!(d1.ask(kind, payload), err(name), "{kind} {payload:?}");
    }
    assert_eq!(
        d1.ask_in(77, xs::READ, "a|"),
        err("ENOENT"),
        "no such transaction"
    );
}

#[test]
fn permissions_hide_even_what_does_not_exist() {
    let mut daemon = daemon();
    let mut d1 = domain(&mut daemon, 1);
    d1.ask(xs::WRITE, "secret|s").unwrap();
    d1.ask(xs::WRITE, "shared|s").unwrap();
    assert_eq!(d1.ask(xs::SET_PERMS, "shared|n1|r2|"), ok());
    assert_eq!(d1.ask(xs::SET_PERMS, "shared|n2|"), err("EPERM"));
    let mut d2 = domain(&mut daemon, 2);
    assert_eq!(d2.ask(xs::READ, "/local/domain/1/secret|"), err("EACCES"));
    assert_eq!(d2.ask(xs::READ, "/local/domain/1/missing|"), err("EACCES"));
    assert_eq!(d2.ask(xs::READ, "/local/domain/1/shared|"), Ok("s".into()));
    assert_eq!(d2.ask(xs::WRITE, "/local/domain/1/shared|x"), err("EACCES"));
    assert_eq!(d2.ask(xs::WRITE, "/new|x"), err("EACCES"));
    assert_eq!(
        d2.ask(xs::SET_PERMS, "/local/domain/1/shared|n2|"),
        err("EACCES")
    );
}

#[test]
fn a_watch_fires_once_after_its_ok_and_for_what_happens_below_it() {
    let mut daemon = daemon();
    let d1 = domain(&mut daemon, 1);
    d1.daemon
        .receive(DomId(1), &request(xs::WATCH, 5, 9, b"a\0tok\0"));
    let mut d1 = domain(&mut daemon, 1);
    let first = d1.heard();
    let event = |path: &str| (xs::WATCH_EVENT, 0, 0, format!("{path}|tok|"));
    assert_eq!(first, [(xs::WATCH, 5, 9, "OK|".into()), event("a")]);
    assert_eq!(d1.ask(xs::WATCH, "a|tok|"), err("EEXIST"));

    d1.daemon.write("/local/domain/1/a/b", b"").unwrap();
    assert_eq!(d1.heard(), [event("a/b")]);
    d1.daemon
        .receive(DomId(1), &request(xs::WRITE, 6, 0, b"a/b\0x"));
    assert_eq!(d1.heard(), [(xs::WRITE, 6, 0, "OK|".into()), event("a/b")]);
    d1.daemon.remove("/local/domain/1/a").unwrap();
    assert_eq!(
        d1.heard(),
        [event("a")],
        "the child's going is its own watches' affair"
    );
    d1.ask(xs::UNWATCH, "a|tok|").unwrap();
    assert_eq!(d1.ask(xs::UNWATCH, "a|tok|"), err("ENOENT"));
    d1.daemon.write("/local/domain/1/a/b", b"").unwrap();
    assert_eq!(d1.heard(), []);
}

#[test]
fn a_watch_on_a_node_below_a_removed_one_fires_too() {
    let mut daemon = daemon();
    daemon.write("/local/domain/1/a/b", b"").unwrap();
    daemon.watch(0, "/local/domain/1/a/b", b"t").unwrap();
    while daemon.next_actor_event().is_some() {}
    domain(&mut daemon, 1).ask(xs::RM, "a|").unwrap();
    let event = daemon.next_actor_event().unwrap();
    assert_eq!(event.path, "/local/domain/1/a/b");
    assert_eq!(daemon.next_actor_event(), None);
}

#[test]
fn a_watcher_is_told_only_of_what_it_may_read() {
    let mut daemon = daemon();
    domain(&mut daemon, 1).ask(xs::WRITE, "x|1").unwrap();
    let mut d2 = domain(&mut daemon, 2);
    d2.ask(xs::WATCH, "/local/domain/1|t|").unwrap();
    d2.heard();
    domain(&mut daemon, 1).ask(xs::WRITE, "x|2").unwrap();
    assert_eq!(domain(&mut daemon, 2).heard(), []);
    domain(&mut daemon, 1).ask(xs::SET_PERMS, "x|r1|").unwrap();
    assert_eq!(domain(&mut daemon, 2).heard().len(), 1);
    domain(&mut daemon, 1).ask(xs::SET_PERMS, "x|n1|").unwrap();
    assert_eq!(
        domain(&mut daemon, 2).heard().len(),
        1,
        "it could read it before"
    );
}

#[test]
fn what_a_transaction_did_is_seen_and_told_only_after_its_commit() {
    let mut daemon = daemon();
    daemon.watch(0, "/local/domain/1", b"t").unwrap();
    daemon.next_actor_event().unwrap();
    let mut d1 = domain(&mut daemon, 1);
    let t = d1.begin();
    assert_eq!(d1.ask_in(t, xs::TRANSACTION_START, "|"), err("EBUSY"));
    d1.ask_in(t, xs::WRITE, "a|1").unwrap();
    d1.ask_in(t, xs::WRITE, "b|1").unwrap();
    d1.ask_in(t, xs::WRITE, "a|2").unwrap();
    assert_eq!(d1.ask_in(t, xs::READ, "a|"), Ok("2".into()));
    assert_eq!(d1.ask(xs::READ, "a|"), err("ENOENT"));
    assert_eq!(d1.daemon.next_actor_event(), None);
    assert_eq!(d1.end(t, "T|"), ok());
    assert_eq!(d1.ask(xs::READ, "a|"), Ok("2".into()));
    let mut told = Vec::new();
    while let Some(event) = daemon.next_actor_event() {
        told.push(event.path);
    }
    assert_eq!(told, ["/local/domain/1/a", "/local/domain/1/b"]);
    assert_eq!(daemon.transactions(), 0);
}

#[test]
fn a_transaction_fails_when_what_it_read_or_wrote_changed_and_leaves_nothing() {
    let mut daemon = daemon();
    daemon.write("/local/domain/1/a", b"").unwrap();
    daemon
        .set_perms("/local/domain/1/a", Perms::owned_by(DomId(1)))
        .unwrap();
    for disturb in ["/local/domain/1/a", "/local/domain/1/new"] {
        let mut d1 = domain(&mut daemon, 1);
        let t = d1.begin();
        d1.ask_in(t, xs::READ, "a|").unwrap();
        d1.ask_in(t, xs::WRITE, "mine|1").unwrap();
        d1.daemon.write(disturb, b"x").unwrap();
        assert_eq!(d1.end(t, "T|"), err("EAGAIN"), "{disturb}");
        assert_eq!(d1.ask(xs::READ, "mine|"), err("ENOENT"));
    }
    let mut d1 = domain(&mut daemon, 1);
    let t = d1.begin();
    d1.ask_in(t, xs::WRITE, "a|1").unwrap();
    d1.daemon.write("/local/domain/1/elsewhere", b"x").unwrap();
    assert_eq!(d1.end(t, "T|"), ok(), "a sibling is nobody's business");
    let t = d1.begin();
    d1.ask_in(t, xs::WRITE, "a|2").unwrap();
    d1.daemon.write("/local/domain/1/a", b"other").unwrap();
    assert_eq!(d1.end(t, "F|"), ok(), "giving up always works");
    assert_eq!(d1.ask(xs::READ, "a|"), Ok("other".into()));
}

#[test]
fn quotas_bound_a_domain_and_not_dom0() {
    let mut daemon = daemon();
    let mut d1 = domain(&mut daemon, 1);
    let big = "x".repeat(quota::NODE_SIZE);
    assert_eq!(d1.ask(xs::WRITE, &format!("a|{big}")), err("ENOSPC"));
    assert_eq!(
        d1.ask(xs::READ, "a|"),
        err("ENOENT"),
        "nothing was left behind"
    );
    let mut made = d1.daemon.nodes_owned_by(DomId(1));
    for dir in 0.. {
        let full = (0..100).any(|n| {
            let answer = d1.ask(xs::MKDIR, &format!("d{dir}/{n}|"));
            made += u32::from(answer.is_ok()) + u32::from(answer.is_ok() && n == 0);
            answer == err("ENOSPC")
        });
        if full {
            break;
        }
    }
    assert!((quota::NODES - 1..=quota::NODES).contains(&made));
    assert_eq!(d1.daemon.nodes_owned_by(DomId(1)), made);
    for n in 0..=quota::WATCHES {
        d1.ask(xs::WATCH, &format!("w{n}|t|")).unwrap();
        d1.heard();
    }
    assert_eq!(d1.ask(xs::WATCH, "one-more|t|"), err("E2BIG"));
    for _ in 0..=quota::TRANSACTIONS {
        d1.begin();
    }
    assert_eq!(d1.ask(xs::TRANSACTION_START, "|"), err("ENOSPC"));
    assert_eq!(d1.ask(xs::RESET_WATCHES, "|"), ok());
    assert_eq!((daemon.watches(), daemon.transactions()), (0, 0));
    daemon.release(DomId(1));
    assert_eq!(daemon.nodes_owned_by(DomId(1)), 0);
    assert!(!daemon.exists("/local/domain/1"));
}

#[test]
fn a_long_listing_is_too_big_and_is_read_in_parts() {
    let mut daemon = daemon();
    for n in 0..500 {
        daemon
            .write(&format!("/local/domain/1/dir/child-{n:04}"), b"")
            .unwrap();
    }
    let readable = Perms::shared(DomId(0), DomId(1), Access::READ);
    daemon.set_perms("/local/domain/1/dir", readable).unwrap();
    let mut d1 = domain(&mut daemon, 1);
    assert_eq!(d1.ask(xs::DIRECTORY, "dir|"), err("E2BIG"));
    let (mut listing, mut parts) = (String::new(), 0);
    while !listing.ends_with("||") {
        let part = d1.ask(xs::DIRECTORY_PART, &format!("dir|{}|", listing.len()));
        listing.push_str(part.unwrap().split_once('|').unwrap().1);
        parts += 1;
    }
    assert_eq!((listing.len(), parts), (500 * 11 + 1, 2));
    let past = d1.ask(xs::DIRECTORY_PART, "dir|100000|").unwrap();
    assert!(past.ends_with("||"));
}

#[test]
fn nonsense_shuts_that_connection_and_no_other() {
    let mut daemon = daemon();
    domain(&mut daemon, 1).ask(xs::WATCH, "a|t|").unwrap();
    daemon.take_events();
    let mut bytes = request(xs::READ, 1, 0, b"");
    bytes[12..16].copy_from_slice(&5000_u32.to_le_bytes());
    daemon.receive(DomId(1), &bytes);
    assert!(matches!(
        &daemon.take_events()[..],
        [Event::Disconnected {
            domid: DomId(1),
            what: Channel::Xenstore,
            ..
        }]
    ));
    assert!(!daemon.wants_input(DomId(1)) && !daemon.has_output(DomId(1)));
    daemon.receive(DomId(1), &request(xs::READ, 1, 0, b"a\0"));
    assert!(!daemon.has_output(DomId(1)));
    assert_eq!(domain(&mut daemon, 2).ask(xs::WRITE, "a|1"), ok());
    daemon.introduce(DomId(1));
    assert_eq!(domain(&mut daemon, 1).ask(xs::WRITE, "a|1"), ok());
}

#[test]
fn domains_come_and_go_by_special_watches_that_only_tools_hear() {
    let mut daemon = daemon();
    daemon.introduce(DomId(0));
    for (n, name) in [
        (0, "@introduceDomain"),
        (0, "@releaseDomain"),
        (1, "@releaseDomain"),
    ] {
        let mut client = domain(&mut daemon, n);
        client.ask(xs::WATCH, &format!("{name}|t|")).unwrap();
        client.heard();
    }
    let mut d0 = domain(&mut daemon, 0);
    assert_eq!(d0.ask(xs::IS_DOMAIN_INTRODUCED, "3|"), Ok("F|".into()));
    d0.daemon
        .receive(DomId(0), &request(xs::INTRODUCE, 1, 0, b"3\x0012\x004\0"));
    let event = |name: &str| (xs::WATCH_EVENT, 0, 0, format!("{name}|t|"));
    assert_eq!(d0.heard()[1..], [event("@introduceDomain")]);
    assert_eq!(d0.ask(xs::IS_DOMAIN_INTRODUCED, "3|"), Ok("T|".into()));
    d0.daemon.domain_shut_down(DomId(3));
    d0.daemon.domain_shut_down(DomId(3));
    assert_eq!(d0.heard(), [event("@releaseDomain")]);
    assert_eq!(d0.ask(xs::RESUME, "3|"), ok());
    d0.daemon.domain_shut_down(DomId(3));
    assert_eq!(d0.heard(), [event("@releaseDomain")]);
    d0.daemon
        .receive(DomId(0), &request(xs::RELEASE, 1, 0, b"3\0"));
    assert_eq!(d0.heard()[1..], [event("@releaseDomain")]);
    assert_eq!(d0.ask(xs::RESUME, "3|"), err("ENOENT"));
    assert_eq!(domain(&mut daemon, 1).heard(), []);
}

#[test]
fn a_domain_that_does_not_take_its_answers_is_not_read_from() {
    let mut daemon = daemon();
    while daemon.wants_input(DomId(1)) {
        daemon.receive(DomId(1), &request(xs::READ, 1, 0, b"a\0"));
    }
    let mut d1 = domain(&mut daemon, 1);
    assert_eq!(d1.heard().len(), quota::OUTSTANDING);
    assert!(daemon.wants_input(DomId(1)));
}

/// Bytes that are mostly requests, some of them broken.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        "[a-c](/[a-c]){0,2}\0(t\0)?".prop_map(String::into_bytes),
        "@releaseDomain\0t\0".prop_map(String::into_bytes),
        "[TF]\0".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    let message = (0_u32..24, 0_u32..3, payload).prop_map(|(kind, tx, p)| request(kind, 1, tx, &p));
    let noise = prop::collection::vec(any::<u8>(), 0..4);
    let mostly = prop_oneof![20 => message, 1 => noise];
    prop::collection::vec(mostly, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_answers_do_not_depend_on_the_pieces_in_which_the_bytes_come(
        bytes in stream(),
        cuts in prop::collection::vec(1_usize..60, 1..20),
    ) {
        let mut whole = daemon();
        whole.receive(DomId(1), &bytes);
        let expected = domain(&mut whole, 1).heard_bytes();

        let mut cut = daemon();
        let mut rest = &bytes[..];
        for &n in cuts.iter().cycle() {
            let (now, later) = rest.split_at(n.min(rest.len()));
            cut.receive(DomId(1), now);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(domain(&mut cut, 1).heard_bytes(), expected);
        prop_assert_eq!(cut.take_events(), whole.take_events());
    }
}

/// What happens to a small store: by a transaction, or beside it.
#[derive(Clone, Debug)]
enum Step {
    Write(char, u8),
    Remove(char),
    Read(char),
}

fn step() -> impl Strategy<Value = Step> {
    let key = prop::sample::select(vec!['a', 'b', 'c']);
    prop_oneof![
        (key.clone(), any::<u8>()).prop_map(|(k, v)| Step::Write(k, v)),
        key.clone().prop_map(Step::Remove),
        key.prop_map(Step::Read),
    ]
}

type Model = BTreeMap<char, String>;

/// Does the step in the daemon and in the model, which agree on what a reader sees.
fn both(client: &mut Client<'_>, tx_id: u32, model: &mut Model, step: &Step) {
    match step {
        Step::Write(k, v) => {
            let answer = client.ask_in(tx_id, xs::WRITE, &format!("{k}|{v}"));
            assert_eq!(answer, ok());
            model.insert(*k, v.to_string());
        }
        Step::Remove(k) => {
            assert_eq!(client.ask_in(tx_id, xs::RM, &format!("{k}|")), ok());
            model.remove(k);
        }
        Step::Read(k) => {
            let expected = model.get(k).cloned().ok_or("ENOENT".to_owned());
            assert_eq!(client.ask_in(tx_id, xs::READ, &format!("{k}|")), expected);
        }
    }
}

/// Does the steps in the model; what those that read would see.
fn reads(model: &mut Model, steps: &[Step]) -> Vec<Option<String>> {
    let mut seen = Vec::new();
    for step in steps {
        match step {
            Step::Write(k, v) => drop(model.insert(*k, v.to_string())),
            Step::Remove(k) => drop(model.remove(k)),
            Step::Read(k) => seen.push(model.get(k).cloned()),
        }
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_transaction_happens_at_one_instant_or_not_at_all(
        before in prop::collection::vec(step(), 0..4),
        inside in prop::collection::vec(step(), 1..6),
        beside in prop::collection::vec(step(), 0..3),
    ) {
        let mut daemon = daemon();
        let mut d1 = domain(&mut daemon, 1);
        let mut model = Model::new();
        for s in &before {
            both(&mut d1, 0, &mut model, s);
        }
        let tx = d1.begin();
        let mut private = model.clone();
        for s in &inside {
            both(&mut d1, tx, &mut private, s);
        }
        let public = model.clone();
        for s in &beside {
            both(&mut d1, 0, &mut model, s);
        }
        match d1.end(tx, "T|") {
            // Nothing it touched had changed: as if it had happened after the others.
            Ok(_) => {
                let seen = reads(&mut public.clone(), &inside);
                prop_assert_eq!(seen, reads(&mut model, &inside));
            }
            Err(e) => {
                prop_assert_eq!(e, "EAGAIN");
                let wrote = beside.iter().any(|s| !matches!(s, Step::Read(_)));
                prop_assert!(wrote, "nobody disturbed it, {:?}", public);
            }
        }
        for k in ['a', 'b', 'c'] {
            both(&mut d1, 0, &mut model, &Step::Read(k));
        }
    }
}
