//! What a machine and its domains are made of.

use std::fmt;
use std::rc::Rc;

use xen_abi::{Guest, Sink};

use crate::actor::ActorKind;
use crate::start_info::Module;
use crate::time::Time;

/// A machine.
#[derive(Clone, Debug)]
pub struct MachineConfig {
    /// Its name in the world.
    pub name: String,
    /// `FrameId::origin` of frames born here.
    pub origin: u32,
    /// The world's seed.
    pub seed: u64,
    /// How often it was powered on before: random streams and uptime differ.
    pub boot: u32,
    /// The wall clock at the world's beginning, in seconds of the Unix epoch.
    pub epoch_secs: u64,
    /// How many uplinks it has.
    pub uplinks: u32,
    /// The clock's first value.
    pub started: Time,
    /// The number of the first frame born here: numbers go on after a power failure.
    pub first_frame: u64,
    /// The number of the first record: likewise.
    pub first_seq: u64,
    /// What things take.
    pub costs: Costs,
    /// Forced switches, sorted.
    pub schedule: Vec<ForcedSwitch>,
}

/// What things take, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// A guest's run.
    pub run_ns: u64,
    /// A frame that is moved.
    pub frame_ns: u64,
    /// A step of one of dom0's actors.
    pub step_ns: u64,
}

impl Default for Costs {
    fn default() -> Self {
        Costs {
            run_ns: 1000,
            frame_ns: 100,
            step_ns: 100,
        }
    }
}

/// At a domain's call with this number, an actor is made to take steps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForcedSwitch {
    /// Whose calls are counted.
    pub domain: String,
    /// Which call, counting from 1.
    pub call: u64,
    /// Who steps.
    pub actor: ActorKind,
    /// How often.
    pub steps: u32,
}

/// Makes a domain's guest; asked again when it reboots.
pub type GuestFactory = Rc<dyn Fn(&DomainConfig, Rc<dyn Sink>) -> Box<dyn Guest>>;

/// A domain.
#[derive(Clone, Debug)]
pub struct DomainConfig {
    /// Its name, unique on its machine.
    pub name: String,
    /// Its RAM.
    pub memory_kib: u64,
    /// Its kernel's command line.
    pub cmdline: String,
    /// Its boot modules.
    pub modules: Vec<Module>,
    /// Its network interfaces, by handle.
    pub vifs: Vec<VifConfig>,
    /// More nodes below its own path in the store.
    pub xenstore: Vec<(String, Vec<u8>)>,
    /// What happens when it powers off.
    pub on_poweroff: OnExit,
    /// What happens when it asks for a reboot.
    pub on_reboot: OnExit,
    /// What happens when it crashes.
    pub on_crash: OnExit,
    /// A run's tank.
    pub fuel: u64,
    /// Each call and the fuel burnt are charged to the clock.
    pub counted: bool,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VifConfig {
    /// Its address; by default 00:16:3e and three bytes drawn from the domain's name.
    pub mac: Option<[u8; 6]>,
    /// IP addresses with prefix lengths, for the guest.
    pub ip: Vec<String>,
    /// A default route, for the guest.
    pub gateway: Option<String>,
    /// The largest packet that it takes, octets (`mtu=`); the guest's own default if nobody says.
    pub mtu: Option<u16>,
    /// The bridge that it is on.
    pub bridge: u32,
    /// Whether the backend offers scatter-gather.
    pub sg: bool,
    /// Whether the backend takes blank checksums.
    pub csum: bool,
    /// Whether transmit grants are mapped until the frame has left the bridge, instead of copied.
    pub map_tx: bool,
}

/// What `xl` does with a domain that has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExit {
    /// It is destroyed.
    #[default]
    Destroy,
    /// It is destroyed and built again.
    Restart,
    /// It is left as it is.
    Preserve,
}

/// What the toolstack is asked to do.
#[derive(Clone)]
pub enum Action {
    /// `xl create`
    Create(DomainConfig, GuestFactory),
    /// `xl destroy`
    Destroy(String),
    /// `xl pause`
    Pause(String),
    /// `xl unpause`
    Unpause(String),
    /// `xl shutdown`: asks the guest.
    Shutdown(String),
    /// `xl reboot`: asks the guest.
    Reboot(String),
    /// As if the guest had panicked.
    Crash(String),
    /// `xenstore-write`
    XenstoreWrite {
        /// Whose.
        domain: String,
        /// Relative to the domain's own path.
        path: String,
        /// What.
        value: Vec<u8>,
    },
    /// `xl network-detach`
    VifDetach {
        /// Whose.
        domain: String,
        /// Which.
        handle: u8,
    },
    /// A forged frame comes to a domain's first interface, as if the bridge had delivered it.
    Inject {
        /// Whose.
        domain: String,
        /// A whole Ethernet frame.
        frame: Vec<u8>,
    },
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, name) = match self {
            Action::Create(config, _) => ("Create", &config.name),
            Action::Destroy(name) => ("Destroy", name),
            Action::Pause(name) => ("Pause", name),
            Action::Unpause(name) => ("Unpause", name),
            Action::Shutdown(name) => ("Shutdown", name),
            Action::Reboot(name) => ("Reboot", name),
            Action::Crash(name) => ("Crash", name),
            Action::XenstoreWrite { domain, .. } => ("XenstoreWrite", domain),
            Action::VifDetach { domain, .. } => ("VifDetach", domain),
            Action::Inject { domain, .. } => ("Inject", domain),
        };
        f.debug_tuple(verb).field(name).finish()
    }
}
