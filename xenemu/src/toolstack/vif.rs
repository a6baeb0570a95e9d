//! The toolstack's side of a network interface: `libxl__device_nic_add`, the hotplug script, and detaching.
//!
//! Each end of a split device owns its directory and may read the other's. The toolstack fills both, then waits: when
//! the backend has come to InitWait it runs the hotplug script (which here only says that it did). A detach asks both
//! ends to close, waits for them, and removes what is left.

use std::collections::BTreeSet;

use xen_abi::io::xenbus::XenbusState;
use xen_abi::{DomId, Errno, Port};
use xxhash_rust::xxh3::xxh3_64;

use crate::actor::{Actor, ActorKind, Host, Outbox, VifId};
use crate::config::{DomainConfig, VifConfig};
use crate::due::Due;
use crate::machine::Machine;
use crate::netback::xenbus::path as backend_path;
use crate::netback::{VifOptions, parse_token, token};
use crate::time::Time;
use crate::xenstore::perms::DOM0;
use crate::xenstore::{Access, ActorEvent, Perms, Xenstored};

const ACTOR: u32 = ActorKind::Toolstack as u32;
/// `LIBXL_DESTROY_TIMEOUT`: how long both ends may take to close.
const DETACH_TIMEOUT_NS: u64 = 10_000_000_000;

/// The interfaces of all domains, as the toolstack sees them.
#[derive(Debug, Default)]
pub struct Vifs {
    known: BTreeSet<VifId>,
    /// Those that are to go.
    detaching: BTreeSet<VifId>,
    /// When the patience with those ends.
    patience: Due<VifId>,
    /// Those whose backend did something.
    heard: Due<VifId>,
}

impl Vifs {
    /// Fills the directories of a new interface of the domain called `name`.
    pub fn attach(
        &mut self,
        store: &mut Xenstored,
        vif: VifId,
        name: &str,
        config: &VifConfig,
    ) -> Result<(), Errno> {
        let backend = backend_path(vif);
        let frontend = frontend_path(vif);
        let mac = mac_text(config.mac.unwrap_or_else(|| default_mac(name, vif.handle)));
        let handle = vif.handle.to_string();

        store.mkdir(&backend)?;
        store.set_perms(&backend, Perms::shared(DOM0, vif.domid, Access::READ))?;
        for (node, value) in [
            ("frontend", frontend.as_str()),
            ("frontend-id", &vif.domid.to_string()),
            ("online", "1"),
            ("state", XenbusState::Initialising.text()),
            ("script", "/etc/xen/scripts/vif-bridge"),
            ("mac", &mac),
            ("bridge", &format!("xenbr{}", config.bridge)),
            ("handle", &handle),
            ("type", "vif"),
        ] {
            store.write(&format!("{backend}/{node}"), value.as_bytes())?;
        }
        if let Some(mtu) = config.mtu {
            store.write(&format!("{backend}/mtu"), mtu.to_string().as_bytes())?;
        }

        store.mkdir(&frontend)?;
        store.set_perms(&frontend, Perms::shared(vif.domid, DOM0, Access::READ))?;
        let ip = (!config.ip.is_empty()).then(|| config.ip.join(" "));
        for (node, value) in [
            ("backend", Some(backend.as_str())),
            ("backend-id", Some("0")),
            ("state", Some(XenbusState::Initialising.text())),
            ("handle", Some(&handle)),
            ("mac", Some(&mac)),
            ("ip", ip.as_deref()),
            ("gateway", config.gateway.as_deref()),
        ] {
            if let Some(value) = value {
                store.write(&format!("{frontend}/{node}"), value.as_bytes())?;
            }
        }

        store.watch(ACTOR, &format!("{backend}/state"), &token(vif))?;
        self.known.insert(vif);
        Ok(())
    }

    /// `xl network-detach`: asks both ends to let go. `ENODEV`: there is no such interface.
    pub fn detach(&mut self, store: &mut Xenstored, vif: VifId, now: Time) -> Result<(), Errno> {
        if !self.known.contains(&vif) {
            return Err(Errno::ENODEV);
        }
        let backend = backend_path(vif);
        if self.detaching.insert(vif) {
            self.patience.schedule(vif, now.plus(DETACH_TIMEOUT_NS));
        }
        store.write(&format!("{backend}/online"), b"0")?;
        store.write(
            &format!("{backend}/state"),
            XenbusState::Closing.text().as_bytes(),
        )
    }

    /// A domain is being destroyed: its interfaces go at once, whatever their ends are doing.
    pub fn destroy_domain(&mut self, store: &mut Xenstored, domid: DomId) {
        let all = |handle| VifId { domid, handle };
        let theirs: Vec<VifId> = self.known.range(all(0)..=all(u8::MAX)).copied().collect();
        for vif in theirs {
            self.remove(store, vif);
        }
    }

    /// How many there are, for the leak check.
    pub fn count(&self) -> usize {
        self.known.len()
    }

    fn remove(&mut self, store: &mut Xenstored, vif: VifId) {
        self.known.remove(&vif);
        self.detaching.remove(&vif);
        self.patience.cancel(vif);
        self.heard.cancel(vif);
        let backend = backend_path(vif);
        store.unwatch(ACTOR, &format!("{backend}/state"), &token(vif));
        for directory in [&backend, &frontend_path(vif)] {
            let removed = store.remove(directory);
            assert_eq!(removed, Ok(()), "dom0 may remove everything");
            remove_if_empty(store, directory);
        }
    }

    /// What the backend's state asks of the toolstack.
    fn look(&mut self, store: &mut Xenstored, vif: VifId) {
        let backend = backend_path(vif);
        let state = store.read(&format!("{backend}/state"));
        let state = state.map_or(XenbusState::Unknown, |text| XenbusState::parse(&text));
        match state {
            XenbusState::Unknown => self.remove(store, vif),
            XenbusState::Closed if self.detaching.contains(&vif) => self.remove(store, vif),
            XenbusState::InitWait => {
                let node = format!("{backend}/hotplug-status");
                if !store.exists(&node) {
                    let written = store.write(&node, b"connected");
                    assert!(written.is_ok(), "dom0 may write everything");
                }
            }
            _ => {}
        }
    }
}

impl Machine {
    /// Makes a new domain's interfaces, with handles from 0 on.
    pub(super) fn attach_vifs(&mut self, domid: DomId, config: &DomainConfig) -> Result<(), Errno> {
        for (handle, vif) in config.vifs.iter().enumerate() {
            let handle = u8::try_from(handle).map_err(|_| Errno::ENOSPC)?;
            let id = VifId { domid, handle };
            self.vifs
                .attach(&mut self.host.store, id, &config.name, vif)?;
            let options = VifOptions {
                bridge: vif.bridge,
                sg: vif.sg,
                csum: vif.csum,
                map_tx: vif.map_tx,
            };
            self.netback.probe(&mut self.host, id, options);
        }
        Ok(())
    }
}

impl Actor for Vifs {
    fn next_due(&self) -> Option<Time> {
        let waiting = [self.heard.next_due(), self.patience.next_due()];
        waiting.into_iter().flatten().min()
    }

    fn upcall(&mut self, _port: Port, _now: Time) {
        unreachable!("the toolstack binds no port");
    }

    fn store_event(&mut self, event: &ActorEvent, now: Time) {
        if let Some(vif) = parse_token(&event.token)
            && self.known.contains(&vif)
        {
            self.heard.schedule(vif, now);
        }
    }

    fn step(&mut self, host: &mut Host, now: Time, _out: &mut Outbox) {
        if let Some(vif) = self.heard.pop() {
            self.look(&mut host.store, vif);
        } else if self.patience.next_due().is_some_and(|until| until <= now)
            && let Some(vif) = self.patience.pop()
        {
            self.remove(&mut host.store, vif);
        }
    }
}

fn frontend_path(vif: VifId) -> String {
    format!("/local/domain/{}/device/vif/{}", vif.domid, vif.handle)
}

/// `libxl__xs_path_cleanup`: a directory goes with the last of what is in it.
fn remove_if_empty(store: &mut Xenstored, path: &str) {
    if let Some((above, _)) = path.rsplit_once('/')
        && store.list(above).is_empty()
    {
        let removed = store.remove(above);
        assert_eq!(removed, Ok(()), "dom0 may remove everything");
    }
}

/// Xen's OUI and three bytes drawn from the domain's name.
fn default_mac(name: &str, handle: u8) -> [u8; 6] {
    let drawn = xxh3_64(format!("{name}/{handle}").as_bytes()).to_be_bytes();
    [0x00, 0x16, 0x3E, drawn[0], drawn[1], drawn[2]]
}

fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Births;
    use crate::hypervisor::Hypervisor;
    use crate::log::Log;
    use crate::netback::Netback;

    const VIF: VifId = VifId {
        domid: DomId(3),
        handle: 1,
    };
    const BACKEND: &str = "/local/domain/0/backend/vif/3/1";
    const FRONTEND: &str = "/local/domain/3/device/vif/1";

    struct Bed {
        host: Host,
        vifs: Vifs,
        netback: Netback,
    }

    impl Bed {
        /// A domain's interface, both ends' directories filled.
        fn new() -> Bed {
            let mut hv = Hypervisor::new(Log::new(Time::ZERO, 0), 0, 0);
            hv.create_domain(VIF.domid, 16);
            let mut store = Xenstored::new();
            store.introduce(VIF.domid);
            let births = Births::new(0, 0);
            let mut bed = Bed {
                host: Host { hv, store, births },
                vifs: Vifs::default(),
                netback: Netback::default(),
            };
            let config = VifConfig {
                ip: vec!["10.0.0.2/24".into(), "10.1.0.2/16".into()],
                gateway: Some("10.0.0.1".into()),
                ..VifConfig::default()
            };
            let store = &mut bed.host.store;
            bed.vifs.attach(store, VIF, "blog", &config).unwrap();
            let options = VifOptions {
                bridge: 0,
                sg: true,
                csum: true,
                map_tx: false,
            };
            bed.netback.probe(&mut bed.host, VIF, options);
            bed.run(Time::ZERO);
            bed
        }

        fn run(&mut self, now: Time) {
            let mut out = Outbox::default();
            loop {
                while let Some(event) = self.host.store.next_actor_event() {
                    match event.actor {
                        ACTOR => self.vifs.store_event(&event, now),
                        _ => self.netback.store_event(&event, now),
                    }
                }
                if self.netback.next_due().is_some() {
                    self.netback.step(&mut self.host, now, &mut out);
                } else if self.vifs.next_due().is_some_and(|at| at <= now) {
                    self.vifs.step(&mut self.host, now, &mut out);
                } else {
                    return;
                }
            }
        }

        fn read(&self, path: &str) -> Option<String> {
            let value = self.host.store.read(path)?;
            Some(String::from_utf8(value.to_vec()).unwrap())
        }

        fn frontend_says(&mut self, state: &str) {
            let node = format!("{FRONTEND}/state");
            self.host.store.write(&node, state.as_bytes()).unwrap();
            self.run(Time::ZERO);
        }

        fn is_gone(&self) -> bool {
            let store = &self.host.store;
            let directories = [
                BACKEND,
                FRONTEND,
                "/local/domain/0/backend/vif/3",
                "/local/domain/3/device/vif",
            ];
            !directories.iter().any(|path| store.exists(path))
                && (store.watches(), self.vifs.count(), self.netback.vifs()) == (0, 0, 0)
        }
    }

    #[test]
    fn both_ends_find_their_directories_and_the_hotplug_script_runs_when_the_backend_waits() {
        let bed = Bed::new();
        for (path, value) in [
            (format!("{BACKEND}/frontend"), FRONTEND),
            (format!("{BACKEND}/frontend-id"), "3"),
            (format!("{BACKEND}/online"), "1"),
            (format!("{BACKEND}/state"), "2"),
            (format!("{BACKEND}/bridge"), "xenbr0"),
            (format!("{BACKEND}/hotplug-status"), "connected"),
            (format!("{FRONTEND}/backend"), BACKEND),
            (format!("{FRONTEND}/backend-id"), "0"),
            (format!("{FRONTEND}/state"), "1"),
            (format!("{FRONTEND}/handle"), "1"),
            (format!("{FRONTEND}/ip"), "10.0.0.2/24 10.1.0.2/16"),
            (format!("{FRONTEND}/gateway"), "10.0.0.1"),
        ] {
            assert_eq!(bed.read(&path).as_deref(), Some(value), "{path}");
        }
        let mac = bed.read(&format!("{FRONTEND}/mac")).unwrap();
        assert!(mac.starts_with("00:16:3e:") && mac.len() == 17);
        assert_eq!(bed.read(&format!("{BACKEND}/mac")), Some(mac));
        assert!(bed.host.store.nodes_owned_by(VIF.domid) > 0);
    }

    #[test]
    fn a_detached_interface_is_removed_as_soon_as_both_ends_have_closed() {
        let mut bed = Bed::new();
        let store = &mut bed.host.store;
        bed.vifs.detach(store, VIF, Time::ZERO).unwrap();
        bed.run(Time::ZERO);
        assert_eq!(bed.read(&format!("{BACKEND}/state")).as_deref(), Some("5"));
        assert_eq!(bed.read(&format!("{BACKEND}/online")).as_deref(), Some("0"));
        bed.frontend_says("5");
        assert!(!bed.is_gone());
        bed.frontend_says("6");
        assert!(bed.is_gone());
        let again = bed.vifs.detach(&mut bed.host.store, VIF, Time::ZERO);
        assert_eq!(again, Err(Errno::ENODEV));
    }

    #[test]
    fn a_frontend_that_does_not_close_is_given_ten_seconds() {
        let mut bed = Bed::new();
        let store = &mut bed.host.store;
        bed.vifs.detach(store, VIF, Time(5)).unwrap();
        bed.run(Time(5));
        let until = Time(5).plus(DETACH_TIMEOUT_NS);
        assert_eq!(bed.vifs.next_due(), Some(until));
        bed.run(Time(until.0 - 1));
        assert!(!bed.is_gone());
        bed.run(until);
        assert!(bed.is_gone());
    }

    #[test]
    fn the_interfaces_of_a_destroyed_domain_go_at_once() {
        let mut bed = Bed::new();
        bed.vifs.destroy_domain(&mut bed.host.store, VIF.domid);
        bed.run(Time::ZERO);
        assert!(bed.is_gone());
    }
}
