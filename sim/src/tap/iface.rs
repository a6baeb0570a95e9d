//! A Linux tap interface: frames in through a channel, frames out by a call.
//!
//! The kernel removes the interface when the process that made it ends, however it ends. A tap that somebody set up
//! before (`ip tuntap add`) is used as it is, and stays.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use miette::Diagnostic;
use thiserror::Error;
use tun_tap::{Iface, Mode};

use crate::scenario::AUTO_CIDR;

/// Frames from the kernel that may wait for the simulation; more are dropped, as a full queue drops them.
const QUEUE: usize = 4096;
/// The longest frame that a link of the world carries, bytes: its length is a `u16` in netif.h.
const FRAME_MAX: usize = u16::MAX as usize;
/// The longest name of an interface: IFNAMSIZ less its NUL.
const NAME_MAX: usize = 15;
/// The device that makes taps.
const DEVICE: &str = "/dev/net/tun";

/// Why there is no tap.
#[derive(Debug, Error, Diagnostic)]
pub enum TapError {
    #[error("{0:?} cannot be the name of an interface")]
    #[diagnostic(help("1 to {NAME_MAX} letters, digits, `-`, `_` or `.`"))]
    Name(String),
    #[error("there is no {DEVICE}: {0}")]
    #[diagnostic(help(
        "the kernel needs the tun module (modprobe tun), and a container the device (--device {DEVICE})"
    ))]
    NoDevice(io::Error),
    #[error("no right to make the tap {name:?}: {error}")]
    #[diagnostic(help(
        "run as root or with CAP_NET_ADMIN, or let root make it: ip tuntap add {name} mode tap user $USER"
    ))]
    NoRight { name: String, error: io::Error },
    #[error("interface {0:?} exists already and is no free tap")]
    #[diagnostic(help("choose another name, or remove it: ip link delete {0}"))]
    Taken(String),
    #[error("cannot make the tap {name:?}: {error}")]
    Create { name: String, error: io::Error },
}

/// The interface could not be given its addresses.
#[derive(Debug, Error)]
#[error("{command}: {why}")]
pub struct ConfigureError {
    /// All that is to be done.
    pub command: String,
    pub why: String,
}

/// An open tap.
pub struct Tap {
    iface: Arc<Iface>,
    incoming: Receiver<Vec<u8>>,
}

impl Tap {
    /// Creates the interface and starts to read from it.
    pub fn open(name: &str) -> Result<Tap, TapError> {
        if !is_name(name) {
            return Err(TapError::Name(name.into()));
        }
        if let Err(error) = OpenOptions::new().read(true).write(true).open(DEVICE) {
            return Err(match error.kind() {
                ErrorKind::PermissionDenied => TapError::NoRight {
                    name: name.into(),
                    error,
                },
                _ => TapError::NoDevice(error),
            });
        }
        let iface = Iface::without_packet_info(name, Mode::Tap);
        let iface = Arc::new(iface.map_err(|error| refused(name, error))?);
        let (to, incoming) = sync_channel(QUEUE);
        let reader = iface.clone();
        thread::spawn(move || read(&reader, &to));
        Ok(Tap { iface, incoming })
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        self.iface.name()
    }

    /// The frames that come from the kernel; disconnected when the interface is gone.
    pub fn incoming(&self) -> &Receiver<Vec<u8>> {
        &self.incoming
    }

    /// Hands a frame to the kernel. A frame that it refuses is lost, as on a wire.
    pub fn send(&self, frame: &[u8]) {
        let _ = self.iface.send(frame);
    }

    /// Sets the interface's addresses and brings it up, with `ip`.
    pub fn configure(&self, addresses: &[String]) -> Result<(), ConfigureError> {
        let name = self.name();
        let is_v6 = |address: &&String| address.contains(':');
        // Where the scenario has no address of version 6, the kernel's router solicitations have nobody to answer them.
        // Without the right to, they are noise, no harm.
        let disable = if addresses.iter().any(|a| is_v6(&a)) {
            "0"
        } else {
            "1"
        };
        let _ = std::fs::write(
            format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"),
            disable,
        );
        let add = addresses
            .iter()
            // The kernel forms its own link-local address, and asks routers for others, without being told.
            .filter(|address| *address != AUTO_CIDR)
            .map(|address| match is_v6(&address) {
                // Nobody else here has it, so there is nothing to be detected.
                true => format!("addr replace {address} dev {name} nodad"),
                false => format!("addr replace {address} dev {name}"),
            });
        let steps: Vec<String> = add.chain([format!("link set {name} up")]).collect();
        let failed = |why: String| ConfigureError {
            command: format!("ip {}", steps.join(" && ip ")),
            why,
        };
        for step in &steps {
            ip(step).map_err(failed)?;
        }
        Ok(())
    }
}

/// Whether the kernel takes it for a name, and for nothing else (`%d` is a pattern to it).
fn is_name(name: &str) -> bool {
    let ok = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=NAME_MAX).contains(&name.len()) && name.chars().all(ok) && name != "." && name != ".."
}

/// What TUNSETIFF's error means.
fn refused(name: &str, error: io::Error) -> TapError {
    let name = name.to_owned();
    match error.kind() {
        ErrorKind::PermissionDenied => TapError::NoRight { name, error },
        // Held by another program; an interface of another kind, or a tap with other flags than ours.
        ErrorKind::ResourceBusy | ErrorKind::InvalidInput => TapError::Taken(name),
        _ => TapError::Create { name, error },
    }
}

/// Reads frames until the simulation is gone, or the interface.
fn read(iface: &Iface, to: &SyncSender<Vec<u8>>) {
    let mut buffer = vec![0; FRAME_MAX + 1];
    loop {
        let frame = match iface.recv(&mut buffer) {
            Ok(n) if n <= FRAME_MAX => buffer[..n].to_vec(),
            Ok(_) => continue,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        match to.try_send(frame) {
            Ok(()) | Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => return,
        }
    }
}

/// Runs `ip` with words that hold no blanks.
fn ip(step: &str) -> Result<(), String> {
    let output = Command::new("ip").args(step.split(' ')).output();
    let output = output.map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_the_kernel_takes_for_something_else_is_refused() {
        for bad in [
            "",
            ".",
            "..",
            "tap%d",
            "a/b",
            "a b",
            "a:1",
            "sixteen-letters-",
        ] {
            assert!(matches!(Tap::open(bad), Err(TapError::Name(_))), "{bad:?}");
        }
        assert!(is_name("tap0") && is_name("fifteen-letters"));
    }
}
