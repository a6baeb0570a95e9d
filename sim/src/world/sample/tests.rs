//! That random worlds say all there is to say.

use std::collections::BTreeSet;

use stack::app::command::{Command, WORDS as COMMANDS};
use stack::profile::{TcpProfile, settings};

use super::*;
use crate::scenario::language::declarations::TCP;
use crate::scenario::language::{Block, Place, Word, words};

/// What a plan cannot say in other words than these: they leave no mark in a world.
const ELSEWHERE: &[&str] = &[
    "about", // An `at`, written otherwise.
    "after", // What is judged and shown when the world is over.
    "expect", "always", "within", "snapshot",
];

fn worlds() -> Vec<Plan> {
    (0..WORLDS).map(kernels).collect()
}

fn actions(plan: &Plan) -> impl Iterator<Item = &Action> {
    let timeline = plan.timeline.iter().flat_map(|timed| &timed.actions);
    let everies = plan.everies.iter().flat_map(|every| &every.actions);
    let whens = plan.whens.iter().flat_map(|when| &when.actions);
    let all = timeline.chain(everies).chain(whens);
    all.map(|plan| &plan.action)
}

fn commands(plan: &Plan) -> impl Iterator<Item = &Command> {
    actions(plan)
        .filter_map(|action| match action {
            Action::On { commands, .. } => Some(commands),
            _ => None,
        })
        .flatten()
}

#[test]
fn every_command_is_said_in_some_world() {
    let worlds = worlds();
    let said: BTreeSet<&str> = worlds
        .iter()
        .flat_map(commands)
        .map(Command::word)
        .collect();
    assert_eq!(said, COMMANDS.iter().copied().collect());
}

#[test]
fn every_word_of_the_language_is_said_in_some_world() {
    let worlds = worlds();
    let said: BTreeSet<Said> = worlds.iter().flat_map(say).collect();
    let leaves_a_mark = |word: &Word, place: Place| {
        let matcher = place == Place::Judge && word.block == Block::None;
        let waited_for = matcher && word.name != "site";
        let deed = !matches!(
            place,
            Place::Judge | Place::Snapshot | Place::Script | Place::Raw
        );
        waited_for || deed && !ELSEWHERE.contains(&word.name)
    };
    let unsaid: Vec<Said> = words()
        .flat_map(|word| word.places.iter().map(move |place| (word, *place)))
        .filter(|(word, place)| leaves_a_mark(word, *place))
        .map(|(word, place)| (place, word.name))
        .filter(|word| !said.contains(word))
        .collect();
    assert_eq!(unsaid, []);
}

#[test]
fn every_way_to_an_address_and_a_gateway_of_version_6_is_taken_in_some_world() {
    let worlds = worlds();
    let domains = || worlds.iter().flat_map(crate::world::schedule::domains);
    let vifs = || domains().flat_map(|domain| &domain.vifs);
    let ip = |ip: &str| vifs().any(|vif| vif.ip.iter().any(|own| own.starts_with(ip)));
    assert!(ip("2001:db8::") && ip(crate::scenario::AUTO_CIDR));
    let gateways = |n| vifs().any(|vif| vif.gateway.iter().any(|g| g.split(' ').count() == n));
    assert!(gateways(1) && gateways(2));
}

/// Whether a packet is ever marked depends on every detail of the stack; here it can be.
#[test]
fn some_world_has_a_queue_that_marks_and_two_who_understand_marks() {
    let ecn = format!("{}ecn", settings::PREFIX);
    let speaks = |domain: &&DomainPlan| domain.args.get(&ecn).is_some_and(|how| how == "active");
    let marks = |link: &LinkPlan| link.settings.iter().any(|s| s.mark.is_some());
    let both = |plan: &Plan| {
        let speakers = crate::world::schedule::domains(plan).filter(speaks).count();
        speakers >= 2 && plan.links.iter().any(marks)
    };
    assert!(worlds().iter().any(both));
}

#[test]
fn every_setting_of_tcp_is_made_in_some_world_and_the_kernel_takes_it() {
    let worlds = worlds();
    let args = || {
        let domains = worlds.iter().flat_map(crate::world::schedule::domains);
        domains.flat_map(|domain| &domain.args)
    };
    for setting in TCP {
        let name = format!("{}{}", settings::PREFIX, setting.name);
        assert!(args().any(|(key, _)| *key == name), "{name}");
    }
    for (key, value) in args() {
        if let Some(name) = key.strip_prefix(settings::PREFIX) {
            let mut profile = TcpProfile::default();
            assert_eq!(profile.set(name, value), Some(()), "{key}={value}");
        }
    }
}

/// A word at a place.
type Said = (Place, &'static str);

/// The words that a scenario would need to say this plan.
fn say(plan: &Plan) -> Vec<Said> {
    let mut said = vec![(Place::Top, "scenario"), (Place::Top, "machine")];
    let md5 = format!("{}{}", settings::PREFIX, settings::MD5);
    let mut say = |is: bool, place, word| said.extend(is.then_some((place, word)));
    say(!plan.switches.is_empty(), Place::Top, "switch");
    say(!plan.links.is_empty(), Place::Top, "link");
    say(!plan.timeline.is_empty(), Place::Top, "at");
    say(!plan.everies.is_empty(), Place::Top, "every");
    say(!plan.whens.is_empty(), Place::Top, "when");
    for machine in &plan.machines {
        say(!machine.schedule.is_empty(), Place::Machine, "schedule");
        say(!machine.schedule.is_empty(), Place::Schedule, "switch");
        for domain in &machine.domains {
            say(true, Place::Machine, "domain");
            say(!domain.vifs.is_empty(), Place::Domain, "vif");
            say(domain.site.is_some(), Place::Domain, "site");
            let keys = || domain.args.keys();
            let key = |key: &String| key.starts_with(&md5);
            let setting = |key: &String| key.starts_with(settings::PREFIX);
            say(keys().any(key), Place::Domain, "md5");
            say(keys().any(|k| setting(k) && !key(k)), Place::Domain, "tcp");
            say(keys().any(|k| !setting(k)), Place::Domain, "arg");
        }
    }
    for link in &plan.links {
        let [ab, ba] = &link.settings;
        let bursts = [ab, ba].map(|s| matches!(s.loss, Loss::GilbertElliott { .. }));
        say(ab != ba, Place::Link, "from");
        say(bursts[0], Place::Link, "gemodel");
        say(bursts[1], Place::Direction, "gemodel");
    }
    for action in actions(plan) {
        let sides = matches!(action, Action::Partition { .. } | Action::HealAll { .. });
        say(sides, Place::Side, "from");
        say(true, Place::Actions, action_word(action));
    }
    for when in &plan.whens {
        say(true, Place::Judge, matcher_word(&when.matcher));
    }
    said
}

fn action_word(action: &Action) -> &'static str {
    match action {
        Action::On { .. } => "on",
        Action::Create { .. } => "create",
        Action::Destroy { .. } => "destroy",
        Action::Pause { .. } => "pause",
        Action::Unpause { .. } => "unpause",
        Action::ShutdownDomain { .. } => "shutdown",
        Action::Reboot { .. } => "reboot",
        Action::Crash { .. } => "crash",
        Action::VifDetach { .. } => "detach",
        Action::SetLink { .. } => "set",
        Action::Cut { .. } => "cut",
        Action::Heal { .. } => "heal",
        Action::Hold { .. } => "hold",
        Action::Release { .. } => "release",
        Action::Partition { .. } => "partition",
        Action::HealAll { .. } => "heal-partition",
        Action::PowerOff { .. } => "power-off",
        Action::PowerOn { .. } => "power-on",
        Action::Inject { .. } => "inject",
        Action::Stop => "stop",
    }
}

fn matcher_word(matcher: &Matcher) -> &'static str {
    match matcher {
        Matcher::Packet(packet) => match packet.kind {
            PacketKind::Frame => "frame",
            PacketKind::Arp => "arp",
            PacketKind::Ipv4 => "ip",
            PacketKind::Ipv6 => "ip6",
            PacketKind::Icmp => "icmp",
            PacketKind::Icmpv6 => "icmp6",
            PacketKind::Udp => "udp",
            PacketKind::Tcp => "tcp",
        },
        Matcher::Console { .. } => "console",
        Matcher::Life { .. } => "life",
        Matcher::Address { .. } => "address",
        Matcher::TcpState { .. } => "tcp-state",
        Matcher::TcpNote { .. } => "tcp-note",
        Matcher::Refused { .. } => "refused",
        Matcher::Http { .. } => "http",
        Matcher::SiteNotFetched { .. } => "site",
        Matcher::Link { .. } => "link-event",
        Matcher::Dropped { .. } => "dropped",
        Matcher::Hypercall { .. } | Matcher::Leaked { .. } => "xen",
        Matcher::ScriptDone { .. } => "script",
    }
}
