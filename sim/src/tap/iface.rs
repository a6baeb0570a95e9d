//! A Linux tap interface: frames in through a channel, frames out by a call.

use std::io;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use miette::Diagnostic;
use thiserror::Error;
use tun_tap::{Iface, Mode};

/// Frames from the kernel that may wait for the simulation; more are dropped, as a full queue drops them.
const QUEUE: usize = 4096;
/// The longest frame that a tap hands over, bytes.
const FRAME_MAX: usize = 65_536;
/// The longest name of an interface: IFNAMSIZ less its NUL.
const NAME_MAX: usize = 15;

/// Why there is no tap.
#[derive(Debug, Error, Diagnostic)]
pub enum TapError {
    #[error("{0:?} cannot be the name of an interface")]
    #[diagnostic(help("1 to {NAME_MAX} letters, digits, `-`, `_` or `.`"))]
    Name(String),
    #[error("cannot open /dev/net/tun: {0}")]
    #[diagnostic(help(
        "the kernel needs the tun module (modprobe tun), and a container the device"
    ))]
    NoDevice(io::Error),
    #[error("cannot create the tap {name}: {error}")]
    #[diagnostic(help(
        "run as root or with CAP_NET_ADMIN; another program must not hold the interface"
    ))]
    Create { name: String, error: io::Error },
    #[error("cannot set the tap's address: {why}")]
    #[diagnostic(help("run it yourself: {command}"))]
    Address { command: String, why: String },
}

/// An open tap.
pub struct Tap {
    iface: Arc<Iface>,
    incoming: Receiver<Vec<u8>>,
}

impl Tap {
    /// Creates the interface and starts to read from it.
    pub fn open(name: &str) -> Result<Tap, TapError> {
        let ok = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(ok) {
            return Err(TapError::Name(name.into()));
        }
        if let Err(error) = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/net/tun")
        {
            return Err(TapError::NoDevice(error));
        }
        let iface =
            Iface::without_packet_info(name, Mode::Tap).map_err(|error| TapError::Create {
                name: name.into(),
                error,
            })?;
        let iface = Arc::new(iface);
        let (to, incoming) = sync_channel(QUEUE);
        let reader = iface.clone();
        thread::spawn(move || read(&reader, &to));
        Ok(Tap { iface, incoming })
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        self.iface.name()
    }

    /// The frames that come from the kernel.
    pub fn incoming(&self) -> &Receiver<Vec<u8>> {
        &self.incoming
    }

    /// Hands a frame to the kernel. A frame that it refuses is lost, as on a wire.
    pub fn send(&self, frame: &[u8]) {
        let _ = self.iface.send(frame);
    }

    /// Sets the interface's addresses and brings it up, with `ip`.
    pub fn configure(&self, addresses: &[String]) -> Result<(), TapError> {
        let name = self.name();
        for address in addresses {
            ip(&["addr", "add", address, "dev", name])?;
        }
        // IPv6's router solicitations have nobody to answer them here.
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1");
        ip(&["link", "set", name, "up"])
    }
}

/// Reads frames until the simulation is gone.
fn read(iface: &Iface, to: &SyncSender<Vec<u8>>) {
    let mut buffer = vec![0; FRAME_MAX];
    loop {
        match iface.recv(&mut buffer) {
            Ok(n) => match to.try_send(buffer[..n].to_vec()) {
                Ok(()) | Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Disconnected(_)) => return,
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The interface is not up yet, or was deleted.
            Err(_) => thread::sleep(std::time::Duration::from_millis(10)),
        }
    }
}

fn ip(args: &[&str]) -> Result<(), TapError> {
    let command = format!("ip {}", args.join(" "));
    let failed = |why: String| TapError::Address {
        command: command.clone(),
        why,
    };
    let output = Command::new("ip")
        .args(args)
        .output()
        .map_err(|e| failed(e.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}
