//! The life of a network interface: a task that walks the frontend's xenbus states beside the backend's, and has the
//! kernel's phases open, start and close the device.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::future::poll_fn;
use core::pin::pin;
use core::task::{Poll, Waker};

use futures_util::future::{Either, select};
use thiserror::Error;
use xen_abi::io::xenbus::XenbusState;
use xen_abi::{DomId, Errno};

use super::handle::Os;
use super::shared::TcpIp;
use super::xenstore::{Watch, Xenstore};
use crate::addr::{Cidr, IpAddress, Mac};
use crate::dev::netfront::{Features, NetfrontError, Opened};
use crate::event::Event;

/// The largest IP packet on an Ethernet, when the backend says nothing else.
const DEFAULT_MTU: usize = 1500;

/// What a task wants done to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Allocate rings, grant them, open a port.
    Open { backend: DomId, features: Features },
    /// The backend is connected: frames may flow.
    Start { mac: Mac, mtu: usize },
    /// Give everything back.
    Close,
}

/// What became of a wish, or of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Rings and port are there.
    Opened(Opened),
    /// It could not be opened, or the backend broke the rules: it is closed.
    Failed(NetfrontError),
    /// A suspend took it away.
    Lost,
}

#[derive(Default)]
struct Cell {
    news: VecDeque<News>,
    waker: Option<Waker>,
}

/// Wishes on their way to the phases, and news on their way back, by the vif's handle.
#[derive(Default)]
pub struct VifWork {
    wishes: VecDeque<(u32, Wish)>,
    cells: BTreeMap<u32, Cell>,
}

impl VifWork {
    /// The next wish to carry out.
    pub fn pop_wish(&mut self) -> Option<(u32, Wish)> {
        self.wishes.pop_front()
    }

    /// Tells the device's task.
    pub fn tell(&mut self, handle: u32, news: News) {
        let cell = self.cells.entry(handle).or_default();
        cell.news.push_back(news);
        if let Some(waker) = cell.waker.take() {
            waker.wake();
        }
    }
}

/// What the toolstack says of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceConfig {
    /// Its Ethernet address.
    pub mac: Mac,
    /// The largest IP packet, in bytes.
    pub mtu: usize,
    /// Its IP addresses.
    pub addresses: Vec<Cidr>,
    /// Where packets to other networks go: one of each version.
    pub gateways: Vec<IpAddress>,
}

impl InterfaceConfig {
    /// What is reported when the interface comes up.
    pub fn up(&self) -> Event {
        let text = |cidr: &Cidr| format!("{}/{}", cidr.address, cidr.prefix);
        Event::InterfaceUp {
            mac: self.mac.0,
            addresses: self.addresses.iter().map(text).collect(),
        }
    }
}

/// Why an interface does not come up, or goes down for good.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VifError {
    /// xenstore refuses.
    #[error("xenstore: {0}")]
    Store(#[from] Errno),
    /// A node does not say what it should.
    #[error("xenstore: {0} is {1:?}")]
    Node(String, String),
    /// What was published is not what the backend can connect to: it would not be the next time either.
    #[error("the backend refuses to connect")]
    Refused,
    /// The device.
    #[error(transparent)]
    Device(#[from] NetfrontError),
}

/// How a connection to the backend ended.
enum End {
    /// The backend wants to close.
    BackendCloses,
    /// It wants to although it never was connected.
    Refused,
    /// The backend broke the rules; the kernel has given everything back.
    Failed(NetfrontError),
    /// A suspend took everything away: connect again at once.
    Lost,
}

/// One interface: names and handles for its task.
pub struct Vif<S: TcpIp> {
    os: Os<S>,
    xs: Xenstore<S>,
    handle: u32,
    dir: String,
}

impl<S: TcpIp> Vif<S> {
    /// The interface with this handle.
    pub fn new(os: &Os<S>, handle: u32) -> Vif<S> {
        Vif {
            os: os.clone(),
            xs: os.xenstore(),
            handle,
            dir: format!("device/vif/{handle}"),
        }
    }

    /// Connects, and again whenever the backend comes back; `up` is called each time. Ends when the device is
    /// detached; what goes wrong for good is said on the console.
    pub async fn live(self, mut up: impl FnMut(&InterfaceConfig)) {
        if let Err(error) = self.connect_again_and_again(&mut up).await {
            self.os.print(&format!("vif {}: {error}", self.handle));
        }
    }

    async fn connect_again_and_again(
        &self,
        up: &mut impl FnMut(&InterfaceConfig),
    ) -> Result<(), VifError> {
        loop {
            let backend = self.xs.read_text(&self.node("backend")).await?;
            let watch = self.xs.watch(&format!("{backend}/state")).await?;
            let end = self.connection(&backend, &watch, up).await?;
            if !matches!(end, End::Lost) {
                self.close(&backend, &watch).await?;
            }
            if let End::Failed(error) = end {
                return Err(error.into());
            }
            let online = self.xs.read(&format!("{backend}/online")).await;
            if online.ok().as_deref() != Some(b"1") {
                return Ok(());
            }
            if let End::Refused = end {
                return Err(VifError::Refused);
            }
            self.set_state(XenbusState::Initialising).await?;
        }
    }

    /// From the backend's InitWait to the end of the connection.
    async fn connection(
        &self,
        backend: &str,
        watch: &Watch<S>,
        up: &mut impl FnMut(&InterfaceConfig),
    ) -> Result<End, VifError> {
        // Before, it may still be on its way through the end of an earlier connection.
        let on_its_way = |state| state != XenbusState::Unknown;
        let ready = |state| state == XenbusState::InitWait;
        if let Some(end) = self.wait(backend, watch, ready, on_its_way).await? {
            return Ok(end);
        }
        let config = self.config(backend).await?;
        let features = self.features(backend).await;
        let backend_id = self.number(&self.node("backend-id")).await?;
        self.wish(Wish::Open {
            backend: DomId(backend_id),
            features,
        });
        let opened = match self.news().await {
            News::Opened(opened) => opened,
            News::Failed(error) => return Ok(End::Failed(error)),
            News::Lost => return Ok(End::Lost),
        };
        self.publish(opened, features).await?;
        let connecting = |state| !is_over(state);
        let connected = |state| state == XenbusState::Connected;
        match self.wait(backend, watch, connected, connecting).await? {
            None => {}
            Some(End::BackendCloses) => return Ok(End::Refused),
            Some(end) => return Ok(end),
        }
        self.wish(Wish::Start {
            mac: config.mac,
            mtu: config.mtu,
        });
        up(&config);
        let never = |_| false;
        loop {
            if let Some(end) = self.wait(backend, watch, never, connecting).await? {
                return Ok(end);
            }
        }
    }

    /// Waits until the backend's state is as wished, or for what ends the connection: a state that is not `fine`, or
    /// news of the device.
    async fn wait(
        &self,
        backend: &str,
        watch: &Watch<S>,
        wished: impl Fn(XenbusState) -> bool,
        fine: impl Fn(XenbusState) -> bool,
    ) -> Result<Option<End>, VifError> {
        loop {
            let state = self.backend_state(backend).await?;
            if wished(state) {
                return Ok(None);
            }
            if !fine(state) {
                return Ok(Some(End::BackendCloses));
            }
            let (changed, news) = (pin!(watch.changed()), pin!(self.news()));
            match select(changed, news).await {
                Either::Left(_) => {}
                Either::Right((News::Failed(error), _)) => return Ok(Some(End::Failed(error))),
                Either::Right((News::Lost, _)) => return Ok(Some(End::Lost)),
                Either::Right((News::Opened(_), _)) => {}
            }
        }
    }

    /// Closing 5 ↔ 5, then 6 ↔ 6: grants are ended only when the backend has let go of them.
    async fn close(&self, backend: &str, watch: &Watch<S>) -> Result<(), VifError> {
        self.set_state(XenbusState::Closing).await?;
        while !is_over(self.backend_state(backend).await?) {
            watch.changed().await;
        }
        self.wish(Wish::Close);
        self.set_state(XenbusState::Closed).await?;
        while self.backend_state(backend).await? == XenbusState::Closing {
            watch.changed().await;
        }
        Ok(())
    }

    /// Rings, port and features, then state 4, in one transaction: the backend sees all of it or nothing.
    async fn publish(&self, opened: Opened, features: Features) -> Result<(), VifError> {
        let flag = |on: bool| if on { "1" } else { "0" }.to_string();
        let nodes = [
            ("tx-ring-ref", opened.tx_ring.0.to_string()),
            ("rx-ring-ref", opened.rx_ring.0.to_string()),
            ("event-channel", opened.port.0.to_string()),
            ("request-rx-copy", flag(true)),
            ("feature-rx-notify", flag(true)),
            ("feature-sg", flag(features.scatter_gather)),
            ("feature-no-csum-offload", flag(!features.checksum)),
            ("state", XenbusState::Connected.text().to_string()),
        ];
        self.xs
            .transaction(async |t: &Xenstore<S>| {
                for (name, value) in &nodes {
                    t.write(&self.node(name), value.as_bytes()).await?;
                }
                Ok(())
            })
            .await?;
        Ok(())
    }

    async fn config(&self, backend: &str) -> Result<InterfaceConfig, VifError> {
        let mac = self.xs.read_text(&self.node("mac")).await?;
        let mac = parse_mac(&mac).ok_or_else(|| VifError::Node(self.node("mac"), mac))?;
        let mut dirs: &[&str] = &[&self.dir, backend];
        let mut addresses = Vec::new();
        if let Some((node, ip)) = self.told(dirs, "ip").await? {
            for text in ip.split_ascii_whitespace() {
                let bad = || VifError::Node(node.clone(), text.into());
                addresses.push(Cidr::parse(text).ok_or_else(bad)?);
            }
            // Who speaks to us in our own directory says everything there.
            if node == self.node("ip") {
                dirs = &dirs[..1];
            }
        }
        let mut gateways = Vec::new();
        if let Some((node, text)) = self.told(dirs, "gateway").await? {
            for word in text.split_ascii_whitespace() {
                let bad = |_| VifError::Node(node.clone(), word.into());
                gateways.push(word.parse().map_err(bad)?);
            }
        }
        let mtu = self.number::<u16>(&format!("{backend}/mtu")).await;
        Ok(InterfaceConfig {
            mac,
            mtu: mtu.map_or(DEFAULT_MTU, usize::from),
            addresses,
            gateways,
        })
    }

    async fn features(&self, backend: &str) -> Features {
        let on = async |name: &str| {
            let value = self.number::<u8>(&format!("{backend}/{name}")).await;
            value.is_ok_and(|value| value != 0)
        };
        Features {
            scatter_gather: on("feature-sg").await,
            checksum: !on("feature-no-csum-offload").await,
        }
    }

    async fn backend_state(&self, backend: &str) -> Result<XenbusState, VifError> {
        match self.xs.read(&format!("{backend}/state")).await {
            Ok(text) => Ok(XenbusState::parse(&text)),
            Err(Errno::ENOENT) => Ok(XenbusState::Unknown),
            Err(error) => Err(error.into()),
        }
    }

    async fn set_state(&self, state: XenbusState) -> Result<(), VifError> {
        let node = self.node("state");
        // Writing would create the node of a device that was removed.
        let known = self.xs.transaction(async |t: &Xenstore<S>| {
            t.read(&node).await?;
            t.write(&node, state.text().as_bytes()).await
        });
        match known.await {
            Err(Errno::ENOENT) => Ok(()),
            other => Ok(other?),
        }
    }

    async fn number<T: core::str::FromStr>(&self, path: &str) -> Result<T, VifError> {
        let text = self.xs.read_text(path).await?;
        text.parse().map_err(|_| VifError::Node(path.into(), text))
    }

    /// What the first of these directories that has a node of that name says in it, and the node. libxl writes a vif's
    /// `ip` into the backend's directory only.
    async fn told(&self, dirs: &[&str], name: &str) -> Result<Option<(String, String)>, VifError> {
        for dir in dirs {
            let node = format!("{dir}/{name}");
            if let Some(text) = self.optional(&node).await? {
                return Ok(Some((node, text)));
            }
        }
        Ok(None)
    }

    async fn optional(&self, path: &str) -> Result<Option<String>, VifError> {
        match self.xs.read_text(path).await {
            Err(Errno::ENOENT) => Ok(None),
            text => Ok(Some(text?)),
        }
    }

    fn node(&self, name: &str) -> String {
        format!("{}/{name}", self.dir)
    }

    fn wish(&self, wish: Wish) {
        let work = &mut self.os.0.borrow_mut().vif;
        work.wishes.push_back((self.handle, wish));
    }

    async fn news(&self) -> News {
        poll_fn(|cx| {
            let work = &mut self.os.0.borrow_mut().vif;
            let cell = work.cells.entry(self.handle).or_default();
            match cell.news.pop_front() {
                Some(news) => Poll::Ready(news),
                None => {
                    cell.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// Whether a backend in this state is connected no more.
fn is_over(state: XenbusState) -> bool {
    matches!(
        state,
        XenbusState::Closing | XenbusState::Closed | XenbusState::Unknown
    )
}

fn parse_mac(text: &str) -> Option<Mac> {
    let mut bytes = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut bytes {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(Mac(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ethernet_address_is_six_bytes_in_hexadecimal() {
        assert_eq!(
            parse_mac("00:16:3e:0A:ff:1"),
            Some(Mac([0, 0x16, 0x3E, 0x0A, 0xFF, 1]))
        );
        assert_eq!(parse_mac("00:16:3e:0a:ff"), None);
        assert_eq!(parse_mac("00:16:3e:0a:ff:01:02"), None);
        assert_eq!(parse_mac("00:16:3e:0a:ff:100"), None);
    }
}
