//! The network devices in the phases of a run: they receive, transmit, and are opened and closed as their tasks wish.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use xen_abi::Hypercalls;

use super::boot::Platform;
use super::shared::{Shared, TcpIp};
use super::vif::{News, Wish};
use crate::dev::netfront::{Netfront, NetfrontError};
use crate::quirk::{Quirk, Quirks};

/// Whether a stack that wants to send can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// It can.
    Open,
    /// It must wait for an event.
    Waits,
    /// It must wait, and no event will come.
    Starved,
}

/// The open devices, by handle.
#[derive(Debug)]
pub struct Interfaces {
    vifs: BTreeMap<u32, Netfront>,
    quirks: Quirks,
}

impl Interfaces {
    /// No devices yet, and the kernel's bugs.
    pub fn new(quirks: Quirks) -> Interfaces {
        Interfaces {
            vifs: BTreeMap::new(),
            quirks,
        }
    }

    /// Hands the stack what has come.
    pub fn receive<S: TcpIp>(
        &mut self,
        xen: &mut dyn Hypercalls,
        platform: &mut Platform,
        shared: &mut Shared<S>,
    ) {
        let (net, now) = (&mut shared.net, shared.now);
        let outcome = self.each(|vif| {
            vif.receive(xen, &mut platform.grants, &mut |frame, csum_ok| {
                if let Some(net) = net.as_mut() {
                    net.receive(now, frame, csum_ok);
                }
            })
        });
        self.fail(xen, platform, shared, outcome);
    }

    /// Has the stack send what is due.
    pub fn transmit<S: TcpIp>(
        &mut self,
        xen: &mut dyn Hypercalls,
        platform: &mut Platform,
        shared: &mut Shared<S>,
    ) {
        let (net, now) = (&mut shared.net, shared.now);
        let outcome = self.each(|vif| {
            let port = vif.port(xen, &mut platform.grants);
            if let (Some(net), Some(mut port)) = (net.as_mut(), port) {
                net.transmit(now, &mut port);
            }
            vif.flush(xen)
        });
        self.fail(xen, platform, shared, outcome);
    }

    /// Asks for events again and looks a last time: whether there is more to do now. What came between the last look
    /// and this one would raise no event.
    pub fn final_check<S: TcpIp>(
        &mut self,
        xen: &mut dyn Hypercalls,
        platform: &mut Platform,
        shared: &mut Shared<S>,
    ) -> bool {
        let mut more = false;
        let heeds = !self.quirks.has(Quirk::NoFinalCheck);
        let outcome = self.each(|vif| {
            more |= vif.final_check(xen)? && heeds;
            Ok(())
        });
        self.fail(xen, platform, shared, outcome);
        more
    }

    /// Carries out what tasks want done to devices.
    pub fn grant_wishes<S: TcpIp>(
        &mut self,
        xen: &mut dyn Hypercalls,
        platform: &mut Platform,
        shared: &mut Shared<S>,
    ) {
        while let Some((handle, wish)) = shared.vif.pop_wish() {
            match wish {
                Wish::Open { backend, features } => {
                    let Platform { events, grants, .. } = platform;
                    let opened = Netfront::open(xen, events, grants, backend, features);
                    let news = match opened {
                        Ok((device, opened)) => {
                            self.vifs.insert(handle, device);
                            News::Opened(opened)
                        }
                        Err(error) => News::Failed(error),
                    };
                    shared.vif.tell(handle, news);
                }
                Wish::Start { mac, mtu } => {
                    let device = self.vifs.get_mut(&handle);
                    let started = device.map_or(Ok(()), |vif| vif.start(xen, mac, mtu));
                    let outcome = started.err().map(|error| (handle, error));
                    self.fail(xen, platform, shared, outcome);
                }
                Wish::Close => self.close(xen, platform, shared, handle),
            }
        }
    }

    /// After a suspend no grant or port counts: every device is gone, and its task is told.
    pub fn lose<S: TcpIp>(&mut self, xen: &mut dyn Hypercalls, shared: &mut Shared<S>) {
        for (handle, vif) in core::mem::take(&mut self.vifs) {
            vif.lose(xen);
            shared.vif.tell(handle, News::Lost);
        }
    }

    /// Whether the stack can send now.
    pub fn sending(&self) -> Sending {
        match self.vifs.values().find(|vif| vif.is_full()) {
            Some(vif) if vif.starved() => Sending::Starved,
            Some(_) => Sending::Waits,
            None if self.vifs.values().any(Netfront::is_started) => Sending::Open,
            None => Sending::Waits,
        }
    }

    /// Whether every backend has taken all that was sent.
    pub fn is_drained(&self) -> bool {
        self.vifs.values().all(|vif| vif.sending() == 0)
    }

    /// Does something with each device; whose backend broke the rules?
    fn each(
        &mut self,
        mut act: impl FnMut(&mut Netfront) -> Result<(), NetfrontError>,
    ) -> Vec<(u32, NetfrontError)> {
        let vifs = self.vifs.iter_mut();
        vifs.filter_map(|(handle, vif)| Some((*handle, act(vif).err()?)))
            .collect()
    }

    fn fail<S: TcpIp>(
        &mut self,
        xen: &mut dyn Hypercalls,
        platform: &mut Platform,
        shared: &mut Shared<S>,
        broken: impl IntoIterator<Item = (u32, NetfrontError)>,
    ) {
        for (handle, error) in broken {
            self.close(xen, platform, shared, handle);
            shared.vif.tell(handle, News::Failed(error));
        }
    }

    fn close<S: TcpIp>(
        &mut self,
        xen: &mut dyn Hypercalls,
        platform: &mut Platform,
        shared: &mut Shared<S>,
        handle: u32,
    ) {
        let Some(device) = self.vifs.remove(&handle) else {
            return;
        };
        let kept = device.close(xen, &platform.events, &mut platform.grants);
        if kept > 0 {
            shared.print(&format!(
                "vif {handle}: the backend still uses {kept} frames"
            ));
        }
    }
}
