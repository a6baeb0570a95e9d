//! `xl`: what happens to domains from outside.
//!
//! - [`build`]: from a configuration to a domain that runs
//! - [`vif`]: a domain's network interfaces
//! - this file: the verbs, and what becomes of a domain that has ended
//!
//! The toolstack is an actor like dom0's daemons, but its steps need the whole machine: it makes and unmakes what the
//! others work on. So it never acts inside a guest's run.

pub mod build;
pub mod vif;

use std::collections::BTreeMap;

use thiserror::Error;
use xen_abi::sched::ShutdownReason;
use xen_abi::{DomId, Errno, Wake};

use crate::actor::{Actor, VifId};
use crate::config::{Action, DomainConfig, GuestFactory, OnExit};
use crate::event::{Event, Life};
use crate::guests;
use crate::machine::Machine;
use crate::start_info::NoRoom;
use crate::time::Time;

/// What `xl` sleeps between destroying a domain and building it again.
const RESTART_DELAY_NS: u64 = 2_000_000_000;

/// Why an action is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ActionError {
    /// Nobody has that name.
    #[error("there is no domain '{0}'")]
    NoSuchDomain(String),
    /// Somebody has that name already.
    #[error("there is a domain '{0}' already")]
    NameTaken(String),
    /// More than a domain can have.
    #[error("a domain cannot have {0} KiB of memory")]
    Memory(u64),
    /// Too little for what it boots.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// All numbers were used.
    #[error("the machine has no domain number left")]
    NoDomId,
    /// The store says no.
    #[error("xenstore: {0}")]
    Store(#[from] Errno),
}

/// What the toolstack knows of a domain.
struct Known {
    config: DomainConfig,
    factory: GuestFactory,
}

enum Job {
    /// See what became of a domain that shut down.
    Reap(DomId),
    /// Build a domain again.
    Restart { of: DomId, known: Known },
}

/// The toolstack's memory.
#[derive(Default)]
pub struct Toolstack {
    known: BTreeMap<DomId, Known>,
    /// The latest domain of each name.
    names: BTreeMap<String, DomId>,
    jobs: BTreeMap<(Time, u64), Job>,
    next_job: u64,
    last_domid: u16,
    /// How often a domain of each name was built.
    builds: BTreeMap<String, u32>,
    /// The last panic of each name, for people.
    crash_texts: BTreeMap<String, String>,
}

impl Toolstack {
    /// When it wants to act.
    pub fn next_due(&self) -> Option<Time> {
        self.jobs.first_key_value().map(|((at, _), _)| *at)
    }

    fn schedule(&mut self, at: Time, job: Job) {
        self.jobs.insert((at, self.next_job), job);
        self.next_job += 1;
    }

    /// A domain of that name is started; how many were before.
    fn note_build(&mut self, domid: DomId, name: &str) -> u32 {
        self.names.insert(name.to_owned(), domid);
        let builds = self.builds.entry(name.to_owned()).or_default();
        *builds += 1;
        *builds - 1
    }

    /// The latest domain of that name, gone or not.
    pub fn latest(&self, name: &str) -> Option<DomId> {
        self.names.get(name).copied()
    }

    /// The name of a domain that is not gone.
    pub fn name(&self, domid: DomId) -> Option<&str> {
        self.known
            .get(&domid)
            .map(|known| known.config.name.as_str())
    }

    /// What is known of the last panic of a domain of that name.
    pub fn crash_text(&self, name: &str) -> Option<&str> {
        self.crash_texts.get(name).map(String::as_str)
    }

    fn note_crash(&mut self, domid: DomId, text: String) {
        if let Some(known) = self.known.get(&domid) {
            self.crash_texts.insert(known.config.name.clone(), text);
        }
    }
}

impl Machine {
    pub(crate) fn do_action(&mut self, action: Action) -> Result<(), ActionError> {
        match action {
            Action::Create(config, factory) => {
                self.create(config, factory)?;
            }
            Action::Destroy(name) => {
                let domid = self.live(&name)?;
                self.destroy(domid);
            }
            Action::Pause(name) => {
                let domid = self.live(&name)?;
                self.host.hv.pause(domid);
                self.report_life(domid, Life::Paused);
            }
            Action::Unpause(name) => {
                let domid = self.live(&name)?;
                self.unpause(domid);
            }
            Action::Shutdown(name) => self.ask(&name, "poweroff")?,
            Action::Reboot(name) => self.ask(&name, "reboot")?,
            Action::Crash(name) => {
                let domid = self.live(&name)?;
                self.crash(domid, "toolstack", "crashed by the toolstack".into());
            }
            Action::XenstoreWrite {
                domain,
                path,
                value,
            } => {
                let domid = self.live(&domain)?;
                let path = format!("/local/domain/{domid}/{path}");
                self.host.store.write(&path, &value)?;
            }
            Action::VifDetach { domain, handle } => {
                let domid = self.live(&domain)?;
                let now = self.host.hv.now();
                let vif = VifId { domid, handle };
                self.vifs.detach(&mut self.host.store, vif, now)?;
            }
            Action::Inject { domain, frame } => {
                let domid = self.live(&domain)?;
                let now = self.host.hv.now();
                let forged = self.host.frame_born(frame.into(), true);
                let first = VifId { domid, handle: 0 };
                self.netback.deliver(&self.host.hv, first, forged, now);
            }
        }
        Ok(())
    }

    fn live(&self, name: &str) -> Result<DomId, ActionError> {
        self.toolstack
            .latest(name)
            .filter(|domid| self.toolstack.known.contains_key(domid))
            .ok_or_else(|| ActionError::NoSuchDomain(name.to_owned()))
    }

    fn ask(&mut self, name: &str, request: &str) -> Result<(), ActionError> {
        let domid = self.live(name)?;
        let path = format!("/local/domain/{domid}/control/shutdown");
        self.host.store.write(&path, request.as_bytes())?;
        Ok(())
    }

    pub(crate) fn report_life(&self, domid: DomId, life: Life) {
        self.host.hv.emit(&Event::Life { domid, life });
    }

    pub(crate) fn unpause(&mut self, domid: DomId) {
        self.host.hv.unpause(domid);
        self.report_life(domid, Life::Unpaused);
    }

    /// A guest has died of a panic.
    pub(crate) fn crash(&mut self, domid: DomId, krate: &str, text: String) {
        let ended = self
            .host
            .hv
            .domain(domid)
            .is_ok_and(|d| d.shutdown.is_some());
        if ended {
            return;
        }
        self.toolstack.note_crash(domid, text);
        let krate = krate.to_owned();
        self.report_life(domid, Life::Crashed { krate });
        self.host.hv.shut_down(domid, ShutdownReason::Crash);
    }

    /// `xl destroy`
    pub(crate) fn destroy(&mut self, domid: DomId) {
        self.toolstack.known.remove(&domid);
        self.dismantle(domid);
        if let Some(guest) = self.guests.remove(&domid).and_then(|slot| slot.guest) {
            guests::discard(guest);
        }
    }

    /// Takes a domain apart, however much of it there is.
    fn dismantle(&mut self, domid: DomId) {
        self.host.hv.kill(domid);
        self.vifs.destroy_domain(&mut self.host.store, domid);
        let removed = self.host.store.remove(&format!("/local/domain/{domid}"));
        assert_eq!(removed, Ok(()), "dom0 may remove everything");
    }

    /// The end of everything: nothing is built again.
    pub(crate) fn destroy_every_domain(&mut self) {
        self.toolstack.jobs.clear();
        let all: Vec<_> = self.toolstack.known.keys().copied().collect();
        for domid in all {
            self.destroy(domid);
        }
        self.settle();
    }

    /// `VIRQ_DOM_EXC`: a domain has shut down, is dying, or is gone.
    pub(crate) fn domain_exception(&mut self, domid: DomId) {
        match self.host.hv.domain(domid) {
            Ok(domain) if !domain.dying => {
                self.host.store.domain_shut_down(domid);
                let now = self.host.hv.now();
                self.toolstack.schedule(now, Job::Reap(domid));
            }
            _ => {
                self.xenconsoled.release(&mut self.host.hv, domid);
                self.xenstored.release(&mut self.host, domid);
            }
        }
    }

    pub(crate) fn step_toolstack(&mut self) {
        let now = self.host.hv.now();
        if self.vifs.next_due().is_some_and(|at| at <= now) {
            self.vifs.step(&mut self.host, now, &mut self.outbox);
            return;
        }
        match self.toolstack.jobs.pop_first().map(|(_, job)| job) {
            Some(Job::Reap(domid)) => self.reap_domain(domid),
            Some(Job::Restart { of, known }) => self.restart(of, known),
            None => {}
        }
    }

    fn reap_domain(&mut self, domid: DomId) {
        let reason = self.host.hv.domain(domid).ok().and_then(|d| d.shutdown);
        let (Some(reason), Some(known)) = (reason, self.toolstack.known.get(&domid)) else {
            return;
        };
        let what = match reason {
            ShutdownReason::Suspend => {
                self.resume(domid);
                return;
            }
            ShutdownReason::Poweroff => known.config.on_poweroff,
            ShutdownReason::Reboot => known.config.on_reboot,
            ShutdownReason::Crash | ShutdownReason::Watchdog => known.config.on_crash,
        };
        let again = Known {
            config: known.config.clone(),
            factory: known.factory.clone(),
        };
        match what {
            OnExit::Preserve => {}
            OnExit::Destroy => {
                self.destroy(domid);
            }
            OnExit::Restart => {
                self.destroy(domid);
                let at = self.host.hv.now().plus(RESTART_DELAY_NS);
                let job = Job::Restart {
                    of: domid,
                    known: again,
                };
                self.toolstack.schedule(at, job);
            }
        }
    }

    fn restart(&mut self, of: DomId, known: Known) {
        // Somebody else may have taken the name meanwhile; then the old domain stays gone.
        if let Ok(new) = self.create(known.config, known.factory) {
            self.report_life(of, Life::Rebooted { as_domid: new.0 });
        }
    }

    /// There is nowhere to save a domain to: a suspend is cancelled.
    fn resume(&mut self, domid: DomId) {
        if let Some(slot) = self.guests.get_mut(&domid) {
            slot.wake = Wake::Resumed { cancelled: true };
        }
        let resumed = self.host.store.resume(domid);
        assert!(matches!(resumed, Ok(()) | Err(Errno::ENOENT)));
        self.host.hv.resume(domid);
    }
}
