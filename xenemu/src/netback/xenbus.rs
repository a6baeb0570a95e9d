//! A backend's xenbus state: what it does about what its frontend and the toolstack wrote into the store.
//!
//! As in Linux's netback the way to a state leads through all states between (`set_backend_state`), so that every
//! state of a frontend is legal at any time: it may close before it ever connected, jump straight to Closed, or come
//! back. One step is one transition.

use xen_abi::io::xenbus::XenbusState;

use crate::actor::VifId;
use crate::event::Event;
use crate::hypervisor::Hypervisor;
use crate::xenstore::Xenstored;

/// What a transition asks the vif to do before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Nothing is to be done now.
    Rest,
    /// Only the state changes.
    To(XenbusState),
    /// Announce the features, then InitWait.
    Announce,
    /// Connect the rings, then Connected.
    Connect,
    /// Let go of the rings, then Closing.
    Disconnect,
    /// Let go of everything: the device is gone.
    Unregister,
}

/// What the store says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The backend's directory exists.
    pub exists: bool,
    /// The toolstack wants the device.
    pub online: bool,
    /// The hotplug script has run.
    pub hotplugged: bool,
    /// The frontend's state; Unknown if it has none.
    pub frontend: XenbusState,
}

/// One backend's state.
#[derive(Debug)]
pub struct Backend {
    vif: VifId,
    path: String,
    frontend: String,
    state: XenbusState,
    /// Connecting was tried and failed: not again before the frontend has gone back.
    refused: bool,
}

impl Backend {
    /// The backend whose directory the toolstack has just filled.
    pub fn new(vif: VifId, store: &Xenstored) -> Backend {
        let path = path(vif);
        let frontend = store.read(&format!("{path}/frontend"));
        let frontend = frontend.unwrap_or_default();
        Backend {
            vif,
            path,
            frontend: String::from_utf8_lossy(&frontend).into_owned(),
            state: XenbusState::Initialising,
            refused: false,
        }
    }

    /// Its directory.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The frontend's directory.
    pub fn frontend(&self) -> &str {
        &self.frontend
    }

    /// What the store says now.
    pub fn look(&self, store: &Xenstored) -> Seen {
        let read = |path: &str, node: &str| store.read(&format!("{path}/{node}"));
        let frontend = read(&self.frontend, "state");
        Seen {
            exists: store.exists(&self.path),
            online: read(&self.path, "online").as_deref() == Some(b"1"),
            hotplugged: read(&self.path, "hotplug-status").as_deref() == Some(b"connected"),
            frontend: frontend.map_or(XenbusState::Unknown, |text| XenbusState::parse(&text)),
        }
    }

    /// The next transition.
    pub fn next(&mut self, seen: Seen) -> Transition {
        use XenbusState::*;
        if seen.frontend != Connected {
            self.refused = false;
        }
        let target = match seen.frontend {
            Unknown => return Transition::Unregister,
            _ if !seen.exists => return Transition::Unregister,
            Initialising => InitWait,
            Connected if self.refused => Closed,
            Connected => Connected,
            Closing => Closing,
            Closed => Closed,
            Initialised | InitWait | Reconfiguring | Reconfigured => self.state,
        };
        if target == self.state {
            let is_over = target == Closed && !seen.online;
            return if is_over {
                Transition::Unregister
            } else {
                Transition::Rest
            };
        }
        match (self.state, target) {
            (Initialising, InitWait | Connected) => Transition::Announce,
            (Initialising, _) => Transition::To(target),
            (Closed, Closing) => Transition::To(Closing),
            (Closed, _) => Transition::To(InitWait),
            (InitWait, Connected) if seen.hotplugged => Transition::Connect,
            (InitWait, Connected) => Transition::Rest,
            (InitWait, _) => Transition::To(Closing),
            (Connected, _) => Transition::Disconnect,
            (Closing, _) => Transition::To(Closed),
            (Unknown | Initialised | Reconfiguring | Reconfigured, _) => {
                unreachable!("netback is never in such a state")
            }
        }
    }

    /// Connecting failed.
    pub fn refuse(&mut self) {
        self.refused = true;
    }

    /// Takes a state, and tells the frontend. Nothing happens if it is known already.
    pub fn switch(&mut self, hv: &Hypervisor, store: &mut Xenstored, to: XenbusState) {
        let node = format!("{}/state", self.path);
        let known = store.read(&node);
        let is_written = known
            .as_deref()
            .is_none_or(|text| text == to.text().as_bytes());
        if self.state == to && is_written {
            return;
        }
        self.state = to;
        // A directory that the toolstack has removed stays removed (`xenbus_switch_state`).
        if known.is_some() {
            let written = store.write(&node, to.text().as_bytes());
            assert!(written.is_ok(), "dom0 may write its own node");
        }
        hv.emit(&Event::Backend {
            domid: self.vif.domid,
            handle: self.vif.handle,
            state: to as u8,
        });
    }
}

/// Where the backend of a vif has its directory.
pub fn path(vif: VifId) -> String {
    format!("/local/domain/0/backend/vif/{}/{}", vif.domid, vif.handle)
}

#[cfg(test)]
mod tests {
    use xen_abi::DomId;

    use super::*;
    use XenbusState::*;

    fn seen(frontend: XenbusState) -> Seen {
        Seen {
            exists: true,
            online: true,
            hotplugged: true,
            frontend,
        }
    }

    fn backend(state: XenbusState) -> Backend {
        let vif = VifId {
            domid: DomId(1),
            handle: 0,
        };
        let mut backend = Backend::new(vif, &Xenstored::new());
        backend.state = state;
        backend
    }

    /// The states that a backend passes through until it rests.
    fn walk(backend: &mut Backend, seen: Seen) -> Vec<XenbusState> {
        let mut passed = Vec::new();
        while passed.len() < 10 {
            backend.state = match backend.next(seen) {
                Transition::Rest => break,
                Transition::To(state) => state,
                Transition::Announce => InitWait,
                Transition::Connect => Connected,
                Transition::Disconnect => Closing,
                Transition::Unregister => {
                    passed.push(Unknown);
                    break;
                }
            };
            passed.push(backend.state);
        }
        passed
    }

    #[test]
    fn every_state_of_the_frontend_is_legal_in_every_state_of_the_backend() {
        for own in [Initialising, InitWait, Connected, Closing, Closed] {
            for theirs in 0..=8 {
                let theirs = XenbusState::parse(&[b'0' + theirs]);
                for (online, hotplugged) in [(true, true), (true, false), (false, true)] {
                    let mut backend = backend(own);
                    let seen = Seen {
                        online,
                        hotplugged,
                        ..seen(theirs)
                    };
                    let passed = walk(&mut backend, seen);
                    assert!(passed.len() < 10, "{own:?} {seen:?}");
                }
            }
        }
    }

    #[test]
    fn it_connects_only_after_the_hotplug_script() {
        let mut b = backend(Initialising);
        let before = Seen {
            hotplugged: false,
            ..seen(Connected)
        };
        assert_eq!(walk(&mut b, before), [InitWait]);
        assert_eq!(walk(&mut b, seen(Connected)), [Connected]);
    }

    #[test]
    fn closing_and_coming_back_goes_through_all_states_between() {
        let mut b = backend(Connected);
        assert_eq!(walk(&mut b, seen(Closing)), [Closing]);
        assert_eq!(walk(&mut b, seen(Closed)), [Closed]);
        assert_eq!(walk(&mut b, seen(Initialising)), [InitWait]);
        let mut b = backend(Connected);
        assert_eq!(
            walk(&mut b, seen(Initialising)),
            [Closing, Closed, InitWait]
        );
        let mut b = backend(InitWait);
        assert_eq!(walk(&mut b, seen(Closed)), [Closing, Closed]);
    }

    #[test]
    fn a_device_that_is_not_wanted_or_gone_is_unregistered() {
        let offline = Seen {
            online: false,
            ..seen(Closed)
        };
        assert_eq!(
            walk(&mut backend(Connected), offline),
            [Closing, Closed, Unknown]
        );
        assert_eq!(walk(&mut backend(Connected), seen(Unknown)), [Unknown]);
        let removed = Seen {
            exists: false,
            ..seen(Connected)
        };
        assert_eq!(walk(&mut backend(Connected), removed), [Unknown]);
    }

    #[test]
    fn a_refused_frontend_is_tried_again_only_after_it_went_back() {
        let mut b = backend(InitWait);
        b.refuse();
        assert_eq!(walk(&mut b, seen(Connected)), [Closing, Closed]);
        assert_eq!(walk(&mut b, seen(Closed)), []);
        assert_eq!(walk(&mut b, seen(Initialising)), [InitWait]);
        assert_eq!(walk(&mut b, seen(Connected)), [Connected]);
    }
}
