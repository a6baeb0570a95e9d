//! A scenario after checking, before running: all that the runner needs, nothing that it must look up.
//!
//! The language makes it from a file, a Rust test makes it with builders; plans are plain data and cross threads.
//! Places in the file travel along as byte spans, for messages only.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use stack::app::command::Command;
use xenemu::Time;

/// Where in the scenario's text something was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub offset: usize,
    /// Bytes.
    pub len: usize,
}

/// A whole scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The file it came from, if it came from one.
    pub path: Option<PathBuf>,
    /// The file's text, to point into.
    pub source: Arc<str>,
    pub name: String,
    pub about: String,
    pub seed: u64,
    /// The wall clock at the world's beginning, seconds since 1970.
    pub epoch_secs: u64,
    /// The longest that a run may take, ns of simulated time.
    pub duration: u64,
    pub machines: Vec<MachinePlan>,
    pub switches: Vec<SwitchPlan>,
    pub links: Vec<LinkPlan>,
    /// In order of declaration.
    pub timeline: Vec<Timed>,
    pub everies: Vec<Every>,
    pub whens: Vec<When>,
    pub expectations: Vec<Expectation>,
    pub snapshot: Vec<SnapshotPart>,
}

/// A physical machine that runs Xen.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct MachinePlan {
    pub name: String,
    pub domains: Vec<DomainPlan>,
    pub schedule: Vec<SwitchPoint>,
}

/// A forced switch: at `domain`'s call number `call`, `actor` acts for `steps` steps.
#[derive(Clone, Debug, PartialEq)]
pub struct SwitchPoint {
    pub domain: String,
    pub call: u64,
    /// `netback`, `xenstored`, `xenconsoled` or `bridge`.
    pub actor: String,
    pub steps: u32,
}

/// A domain.
#[derive(Clone, Debug, PartialEq)]
pub struct DomainPlan {
    pub name: String,
    /// The kernel: `empty`, `echo`, `discard`, `chargen`, `http`, `script`, `raw`, …
    pub guest: String,
    pub memory_kib: u64,
    /// More words for the command line: `port=8080`.
    pub args: BTreeMap<String, String>,
    pub vifs: Vec<VifPlan>,
    /// The site to serve, already rendered: the same for each boot.
    pub site: Option<Arc<Site>>,
    /// When it is started first; `None`: by an action only.
    pub start: Option<Time>,
    pub on_poweroff: OnExit,
    pub on_reboot: OnExit,
    pub on_crash: OnExit,
    /// `cpu="counted"`
    pub counted: bool,
    pub span: Span,
}

/// What the toolstack does when a domain ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExit {
    Destroy,
    Restart,
    Preserve,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct VifPlan {
    pub mac: Option<[u8; 6]>,
    /// `10.0.0.2/24`, `2001:db8::2/64`; `fe80::/64` asks for autoconfiguration.
    pub ip: Vec<String>,
    /// One of each version, with a space between.
    pub gateway: Option<String>,
    /// Offer scatter-gather.
    pub sg: bool,
    /// Offer checksum offload.
    pub csum: bool,
    /// Netback maps transmit grants until the frame has left the bridge, instead of copying.
    pub map_tx: bool,
}

/// A switch between machines.
#[derive(Clone, Debug, PartialEq)]
pub struct SwitchPlan {
    pub name: String,
}

/// A link between two machines or switches: one uplink on either.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkPlan {
    /// `a-b` unless named.
    pub name: String,
    pub a: String,
    pub b: String,
    /// From `a` to `b`, and back.
    pub settings: [LinkSettings; 2],
    pub span: Span,
}

/// A probability as a threshold: an event happens when a fresh 32-bit number is below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Probability(pub u64);

impl Probability {
    /// Always.
    pub const ONE: Probability = Probability(1 << 32);
    /// `millionths` of 1/1,000,000, at most 1.
    pub const fn from_millionths(millionths: u64) -> Probability {
        let m = if millionths > 1_000_000 {
            1_000_000
        } else {
            millionths
        };
        Probability((m << 32) / 1_000_000)
    }
    /// Whether a 32-bit draw hits.
    pub const fn hits(self, draw: u32) -> bool {
        (draw as u64) < self.0
    }
}

/// Independent loss, or Gilbert and Elliott's two states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    Independent(Probability),
    /// netem's `gemodel p r 1-h 1-k`: to the bad state, back, loss in the bad state, loss in the good state.
    GilbertElliott {
        p: Probability,
        r: Probability,
        loss_bad: Probability,
        loss_good: Probability,
    },
}

/// One direction of a link, in netem's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkSettings {
    /// ns
    pub delay: u64,
    /// ns, uniform around the delay.
    pub jitter: u64,
    /// bit/s; `None`: infinitely fast.
    pub rate: Option<u64>,
    /// Bytes that may wait for serialisation.
    pub queue: u64,
    /// Bytes that may wait before packets are marked (RFC 3168) whose senders understand it; `None`: any number.
    pub mark: Option<u64>,
    pub loss: Loss,
    pub duplicate: Probability,
    /// A frame that is reordered goes ahead with a delay of 1 µs.
    pub reorder: Probability,
    /// One bit of the frame is flipped.
    pub corrupt: Probability,
}

impl Default for LinkSettings {
    fn default() -> Self {
        LinkSettings {
            delay: 1_000_000,
            jitter: 0,
            rate: None,
            queue: 1 << 20,
            mark: None,
            loss: Loss::Independent(Probability(0)),
            duplicate: Probability(0),
            reorder: Probability(0),
            corrupt: Probability(0),
        }
    }
}

/// What `set link` changes; `None` leaves it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LinkChange {
    pub delay: Option<u64>,
    pub jitter: Option<u64>,
    pub rate: Option<Option<u64>>,
    pub queue: Option<u64>,
    pub mark: Option<Option<u64>>,
    pub loss: Option<Loss>,
    pub duplicate: Option<Probability>,
    pub reorder: Option<Probability>,
    pub corrupt: Option<Probability>,
}

/// Actions at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    pub at: Time,
    pub actions: Vec<ActionPlan>,
    pub span: Span,
}

/// Actions again and again; does not hold a run open.
#[derive(Clone, Debug, PartialEq)]
pub struct Every {
    pub first: Time,
    pub period: u64,
    pub actions: Vec<ActionPlan>,
    pub span: Span,
}

/// Actions once the matcher has matched `nth` times: exactly `reaction` ns after.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    pub matcher: Matcher,
    pub nth: u64,
    pub reaction: u64,
    pub actions: Vec<ActionPlan>,
    pub span: Span,
}

/// An action and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionPlan {
    pub action: Action,
    pub span: Span,
}

/// What the experimenter does. Names were checked.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Commands for a script or raw guest, one after the other.
    On {
        domain: String,
        commands: Vec<Command>,
        spans: Vec<Span>,
    },
    /// Lifecycle of a domain.
    Create {
        domain: String,
    },
    Destroy {
        domain: String,
    },
    Pause {
        domain: String,
    },
    Unpause {
        domain: String,
    },
    ShutdownDomain {
        domain: String,
    },
    Reboot {
        domain: String,
    },
    Crash {
        domain: String,
    },
    /// Detaches a vif as `xl network-detach` does.
    VifDetach {
        domain: String,
        handle: u8,
    },
    /// Both directions unless `direction` names the sender.
    SetLink {
        link: String,
        from: Option<String>,
        change: LinkChange,
    },
    /// Cuts a link: what is in flight dies.
    Cut {
        link: String,
    },
    Heal {
        link: String,
    },
    /// What is in flight waits.
    Hold {
        link: String,
    },
    Release {
        link: String,
    },
    /// Cuts every link between the two sides.
    Partition {
        left: Vec<String>,
        right: Vec<String>,
    },
    /// Heals every link between the two sides; both empty: everything.
    HealAll {
        left: Vec<String>,
        right: Vec<String>,
    },
    /// A machine loses its power.
    PowerOff {
        machine: String,
    },
    PowerOn {
        machine: String,
    },
    /// Puts a forged frame on a vif's bridge port towards the domain, with the evil bit set where it carries IPv4.
    Inject {
        domain: String,
        frame: Vec<u8>,
    },
    /// Ends the run.
    Stop,
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    pub least: u64,
    pub most: u64,
}

impl Count {
    pub const fn contains(self, n: u64) -> bool {
        self.least <= n && n <= self.most
    }
}

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    pub scope: Scope,
    pub matcher: Matcher,
    pub count: Count,
    /// Only matches in this half-open stretch of simulated time count.
    pub within: Option<(Time, Time)>,
    /// It may hold without having seen a candidate.
    pub vacuous: bool,
    pub span: Span,
}

/// Which runs an expectation judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The scenario as written.
    Expect,
    /// Every run, explored ones too.
    Always,
}

/// What a packet matcher looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// As the sender's vif sees it (the default).
    Sender,
    /// As the receiver's vif sees it.
    Receiver,
}

/// What is looked for in the trace.
#[derive(Clone, Debug, PartialEq)]
pub enum Matcher {
    /// A packet. Absent fields match anything.
    Packet(PacketMatcher),
    /// A console line. Candidates are all lines of the domain.
    Console { domain: String, contains: String },
    /// A domain's life: `created`, `unpaused`, `paused`, `shutdown`, `crashed`, `stuck`, `destroyed`, `rebooted`.
    Life { domain: Option<String>, is: String },
    /// A connection of `domain` enters a state (RFC 9293's name). Candidates are all changes of the domain.
    TcpState {
        domain: String,
        state: String,
        port: Option<u16>,
    },
    /// A note of `domain`'s TCP: `rto-expired`, `recovery-entered`, `retransmit`, `window-probe`, …
    TcpNote { domain: String, note: String },
    /// A packet refused by `domain`'s stack.
    Refused { domain: String, contains: String },
    /// An address of version 6 of the domain became `preferred`, `deprecated`, `duplicate` or `removed`.
    Address { domain: String, state: String },
    /// A whole HTTP response that `domain`'s script received.
    Http {
        domain: String,
        path: Option<String>,
        status: Option<u16>,
    },
    /// Every page of `server`'s site was fetched by `client`, byte for byte. The count counts pages that were not.
    SiteNotFetched { server: String, client: String },
    /// A link's event: `enqueued`, `lost`, `queue-full`, `marked`, `duplicated`, `corrupted`, `reordered`, `died`.
    Link {
        link: String,
        from: Option<String>,
        event: String,
    },
    /// A frame to a vif of `domain` that its machine dropped, for that reason (or any): `vif queue full`, `vif down`,
    /// `too long`, `runt`, `bad grant`. Candidates are all frames that reached the vif, or did not.
    Dropped {
        domain: String,
        reason: Option<String>,
    },
    /// A hypercall by the header's name, made by `domain` (or any).
    Hypercall { domain: Option<String>, op: String },
    /// Resources that were not given back at the end: `grants`, `ports`, `maps`, `watches`, `transactions`, `pages`, or `all`.
    Leaked { what: String },
    /// A script's block ended well.
    ScriptDone { domain: String },
}

/// The kinds of packets that a matcher can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKind {
    /// Any frame.
    Frame,
    Arp,
    Ipv4,
    Ipv6,
    Icmp,
    Icmpv6,
    Udp,
    Tcp,
}

/// A packet's properties; absent ones match anything.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketMatcher {
    pub kind: PacketKind,
    pub from: Option<String>,
    pub to: Option<String>,
    pub at: At,
    /// tcpdump's letters, exactly: `S.`, `F.`, `.`; the dot is ACK. `~` in front: at least these.
    pub flags: Option<String>,
    pub src_port: Option<u16>,
    pub dst_port: Option<u16>,
    /// Either port.
    pub port: Option<u16>,
    /// Bytes of TCP or UDP payload.
    pub len: Option<Count>,
    pub win: Option<Count>,
    /// The payload contains these bytes.
    pub contains: Option<String>,
    /// Retransmissions count too.
    pub retransmits: bool,
    /// Only retransmissions.
    pub only_retransmits: bool,
    /// Only packets with the evil bit (or only without).
    pub evil: Option<bool>,
    /// ICMP type.
    pub icmp_type: Option<u8>,
}

impl PacketMatcher {
    /// Any packet of a kind.
    pub fn any(kind: PacketKind) -> PacketMatcher {
        PacketMatcher {
            kind,
            from: None,
            to: None,
            at: At::Sender,
            flags: None,
            src_port: None,
            dst_port: None,
            port: None,
            len: None,
            win: None,
            contains: None,
            retransmits: false,
            only_retransmits: false,
            evil: None,
            icmp_type: None,
        }
    }
}

/// A part of the snapshot.
#[derive(Clone, Debug, PartialEq)]
pub enum SnapshotPart {
    /// Every packet, between the domains' vifs. `only` keeps packets of these domains.
    Ladder {
        only: Vec<String>,
        arp: bool,
    },
    Console {
        domain: String,
    },
    XenSummary,
    /// Lives of domains and faults.
    Life,
    /// TCP state changes and notes of a domain.
    Tcp {
        domain: String,
    },
}

/// A web site, rendered and immutable.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Site {
    /// By absolute path: `/`, `/posts/fin/`, `/feed.xml`. `/404.html`, if there, is the body of every 404.
    pub pages: BTreeMap<String, Page>,
}

/// A resource of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub content_type: String,
    /// With its quotes.
    pub etag: String,
    pub body: Vec<u8>,
}
