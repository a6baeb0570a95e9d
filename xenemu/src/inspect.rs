//! Looking at a machine from outside: `xl list`, consoles, and what is still held at the end.

use xen_abi::DomId;
use xen_abi::sched::ShutdownReason;

use crate::domain::Domain;
use crate::machine::Machine;
use crate::time::Time;

/// A line of `xl list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainInfo {
    /// Its number.
    pub domid: DomId,
    /// Its name; `(null)` once it is being destroyed.
    pub name: String,
    /// How it is.
    pub state: DomainState,
    /// How often it ran.
    pub runs: u64,
    /// Memory that it has.
    pub memory_kib: u64,
}

/// How a domain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainState {
    /// `r`: it waits for the pCPU or has it.
    Running,
    /// `r`: it spins, for ever.
    Stuck,
    /// `b`
    Blocked,
    /// `p`
    Paused,
    /// `s`
    Shutdown(ShutdownReason),
    /// `c`
    Crashed,
    /// `d`: a zombie that others still hold.
    Dying,
}

impl DomainState {
    fn of(domain: &Domain) -> DomainState {
        match domain.shutdown {
            _ if domain.dying => DomainState::Dying,
            Some(ShutdownReason::Crash) => DomainState::Crashed,
            Some(reason) => DomainState::Shutdown(reason),
            None if domain.vcpu.paused => DomainState::Paused,
            None if domain.stuck => DomainState::Stuck,
            None if domain.vcpu.wake.is_some() => DomainState::Running,
            None => DomainState::Blocked,
        }
    }

    /// The column of `xl list`.
    pub fn letters(self) -> &'static str {
        match self {
            DomainState::Running | DomainState::Stuck => "r-----",
            DomainState::Blocked => "-b----",
            DomainState::Paused => "--p---",
            DomainState::Shutdown(_) => "---s--",
            DomainState::Crashed => "----c-",
            DomainState::Dying => "-----d",
        }
    }
}

/// What is in use; what was not given back, when every domain is destroyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeakReport {
    /// Grants in use.
    pub grants: u64,
    /// Open ports.
    pub ports: u64,
    /// Mapped pages.
    pub maps: u64,
    /// Watches.
    pub watches: u64,
    /// Transactions.
    pub transactions: u64,
    /// Frames of memory.
    pub pages: u64,
}

impl Machine {
    /// All domains but dom0, by number.
    pub fn domains(&self) -> Vec<DomainInfo> {
        let guests = self.host.hv.domains().filter(|d| d.id != DomId(0));
        guests
            .map(|domain| DomainInfo {
                domid: domain.id,
                name: self
                    .toolstack
                    .name(domain.id)
                    .unwrap_or("(null)")
                    .to_owned(),
                state: DomainState::of(domain),
                runs: self.guests.get(&domain.id).map_or(0, |slot| slot.runs),
                memory_kib: domain.physmap.pages() * 4,
            })
            .collect()
    }

    /// The lines that the latest domain of that name printed, also when it is gone.
    pub fn console(&self, name: &str) -> impl Iterator<Item = &str> {
        let domid = self.toolstack.latest(name);
        domid
            .into_iter()
            .flat_map(|domid| self.xenconsoled.lines(domid))
    }

    /// What is known of the last panic of a domain of that name, for people.
    pub fn crash_text(&self, name: &str) -> Option<&str> {
        self.toolstack.crash_text(name)
    }

    /// Destroys every domain, lets dom0 come to rest, and counts what was not given back.
    pub fn destroy_all(&mut self) -> LeakReport {
        self.destroy_every_domain();
        self.run_until(Time::MAX);
        self.held()
    }

    /// What is in use now: nothing, when every domain is destroyed and dom0 has come to rest.
    pub fn held(&self) -> LeakReport {
        let mut report = LeakReport {
            watches: self.host.store.watches() as u64,
            transactions: self.host.store.transactions() as u64,
            pages: self.host.hv.memory.live() as u64,
            ..LeakReport::default()
        };
        for domain in self.host.hv.domains() {
            report.grants += domain.grants.in_use() as u64;
            report.ports += u64::from(domain.events.open());
            report.maps += domain.maptrack.live() as u64;
        }
        report
    }
}
