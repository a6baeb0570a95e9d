//! `evilbit serve` in a namespace, for as long as a test needs it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::namespace::Namespace;

/// The tap's name: every namespace has its own.
pub const TAP: &str = "tap0";
/// A clean end takes no longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Real time is shared: one service after the other.
static TURN: Mutex<()> = Mutex::new(());

/// A running service.
pub struct Service {
    child: Child,
    pub namespace: Namespace,
    _turn: MutexGuard<'static, ()>,
}

impl Service {
    /// Serves a scenario, and waits until it does.
    pub fn start(namespace: Namespace, scenario: &str, more: &[&str]) -> Service {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut command = serve(&namespace, scenario, TAP);
        command
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("ip runs");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let mut said = String::new();
        for line in stderr.lines() {
            said += &line.expect("text");
            said.push('\n');
            if said.contains("you are ") {
                break;
            }
        }
        let service = Service {
            child,
            namespace,
            _turn: turn,
        };
        assert!(said.contains("you are 10.0.0.9/24"), "{said}");
        assert!(said.contains(" on tap0; "), "{said}");
        service
    }

    /// The most memory that it has used, KiB.
    pub fn peak_memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|text| text.split_whitespace().next());
        peak.and_then(|n| n.parse().ok()).expect("proc(5)")
    }

    /// Sends it a signal; its exit code and what it printed.
    pub fn end(mut self, signal: &str) -> (Option<i32>, String) {
        // `ip netns exec` becomes the program that it runs, so the child is the service.
        let kill = format!("kill -{signal} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.expect("sh runs").success(), "{kill}");
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end on {signal}");
            thread::sleep(Duration::from_millis(20));
        };
        let mut said = String::new();
        let stdout = self.child.stdout.as_mut().expect("piped");
        stdout.read_to_string(&mut said).expect("text");
        let left = self.namespace.run("ip", &["link", "show", TAP]);
        assert!(!left.status.success(), "it leaves {TAP} behind");
        (status.code(), said)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended, if all went well; the namespace goes after it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `evilbit serve` to its end: for what it refuses.
pub fn refused(namespace: &Namespace, scenario: &str, tap: &str) -> Output {
    let output = serve(namespace, scenario, tap).output();
    output.expect("ip runs")
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn serve(namespace: &Namespace, scenario: &str, tap: &str) -> Command {
    let mut command = namespace.command(evilbit().to_str().expect("a path of text"));
    command.current_dir(root());
    command.args(["serve", scenario, "--tap", tap]);
    command
}

/// The product as users build it (README's first command), brought up to date: in real time the profile matters.
fn evilbit() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let me = std::env::current_exe().expect("a test has a path");
        // TARGET/PROFILE/deps/real_peers-HASH
        let target = me.ancestors().nth(3).expect("cargo's layout");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--release", "--package", "evilbit", "--target-dir"]);
        let built = cargo.arg(target).current_dir(root()).status();
        assert!(
            built.expect("cargo runs").success(),
            "evilbit does not build"
        );
        target.join("release/evilbit")
    })
}
