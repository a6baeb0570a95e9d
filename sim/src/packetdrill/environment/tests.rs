//! What commands may do, and what none of them ever does.

use std::net::IpAddr;
use std::rc::Rc;

use stack::event::TcpState;
use stack::profile::{MS, Profile};
use stack::tcp::Listed;

use super::{Environment, Failure, Host, NoSuchSetting, RouteChange};
use crate::packetdrill::command::Command;

/// A machine that notes what it is told.
#[derive(Default)]
struct Noted {
    profile: Option<Rc<Profile>>,
    /// It is told nothing more.
    stubborn: bool,
    sockets: Vec<Listed>,
    counters: Vec<(&'static str, u64)>,
    dropped: Vec<TcpState>,
    forgotten: u32,
    routes: Vec<(IpAddr, RouteChange)>,
    queue: Vec<Option<u32>>,
}

impl Host for Noted {
    fn set_profile(&mut self, profile: Rc<Profile>) -> Result<(), NoSuchSetting> {
        self.profile = Some(profile);
        match self.stubborn {
            true => Err(NoSuchSetting),
            false => Ok(()),
        }
    }
    fn sockets(&self) -> Vec<Listed> {
        self.sockets.clone()
    }
    fn drop_connections(&mut self, state: TcpState) {
        self.dropped.push(state);
    }
    fn forget_peers(&mut self) {
        self.forgotten += 1;
    }
    fn counters(&self) -> Vec<(&'static str, u64)> {
        self.counters.clone()
    }
    fn change_route(&mut self, to: IpAddr, change: RouteChange) -> Result<(), Failure> {
        self.routes.push((to, change));
        Ok(())
    }
    fn limit_queue(&mut self, packets: Option<u32>) -> Result<(), Failure> {
        self.queue.push(packets);
        Ok(())
    }
}

fn socket(local: &str, state: TcpState) -> Listed {
    Listed {
        local: local.parse().expect("an address"),
        remote: "192.0.2.1:4000".parse().expect("an address"),
        state,
        owned: true,
    }
}

fn run(environment: &mut Environment, host: &mut Noted, text: &str) -> Result<(), Failure> {
    let text = text.to_owned();
    environment.command(&Command { text }, host)
}

fn linux() -> (Environment, Noted) {
    (Environment::new(Profile::linux()), Noted::default())
}

fn freebsd() -> (Environment, Noted) {
    (Environment::new(Profile::freebsd()), Noted::default())
}

#[test]
fn a_setting_reaches_the_machine_at_once() {
    let (mut environment, mut host) = freebsd();
    run(
        &mut environment,
        &mut host,
        "sysctl -w net.inet.tcp.rexmit_slop=100",
    )
    .expect("known");
    assert_eq!(host.profile.expect("told").tcp.rto_slop, 100 * MS);
}

#[test]
fn a_suite_s_defaults_are_set_by_their_name_from_any_folder() {
    let (mut environment, mut host) = linux();
    run(&mut environment, &mut host, "../../common/defaults.sh").expect("known");
    let profile = host.profile.expect("told");
    assert_eq!(profile.tcp.recv_buffer, 540_000);
    assert_eq!(profile.tcp.handshake.syn_retries, Some(5));
    assert_eq!((host.forgotten, host.queue), (1, vec![None]));
}

#[test]
fn a_setting_that_the_stack_refuses_fails_by_name_but_a_suite_s_defaults_do_not() {
    let (mut environment, mut host) = linux();
    host.stubborn = true;
    run(&mut environment, &mut host, "../../common/defaults.sh").expect("the ground");
    let refused = Failure::Untold {
        name: "net.ipv4.tcp_ecn".into(),
        value: "1".into(),
    };
    let set = "sysctl -w net.ipv4.tcp_ecn=1";
    assert_eq!(run(&mut environment, &mut host, set), Err(refused));
}

#[test]
fn what_set_sysctls_changes_the_restore_script_brings_back() {
    let (mut environment, mut host) = linux();
    let set = "../set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0 \\\n /proc/sys/net/ipv4/tcp_wmem=\"4096 50000 4194304\"";
    run(&mut environment, &mut host, set).expect("known");
    let profile = host.profile.take().expect("told");
    assert!(!profile.tcp.timestamps && profile.tcp.send_buffer == 50_000);
    run(
        &mut environment,
        &mut host,
        "/tmp/sysctl_restore_${PPID}.sh",
    )
    .expect("known");
    let profile = host.profile.take().expect("told");
    assert!(profile.tcp.timestamps && profile.tcp.send_buffer == 16_384);
}

#[test]
fn a_pipe_counts_sockets_by_state() {
    let (mut environment, mut host) = freebsd();
    host.sockets = vec![
        socket("192.168.0.1:8080", TcpState::TimeWait),
        socket("[fd00::1]:8080", TcpState::TimeWait),
    ];
    let text =
        |n| format!("sockstat -4 -P tcp -s | grep packetdril | grep -c TIME_WAIT | grep {n}");
    run(&mut environment, &mut host, &text(1)).expect("there is one");
    let two = run(&mut environment, &mut host, &text(2));
    assert_eq!(
        two.expect_err("there is one").to_string(),
        "grep exits with status 1"
    );
    run(
        &mut environment,
        &mut host,
        "sockstat -4 -P tcp -p 9 -s | grep -c TIME_WAIT | grep 0",
    )
    .expect("a count of nothing is a line that says 0");
}

#[test]
fn a_listener_is_in_the_list_of_sockets_by_its_port_in_hexadecimal() {
    let (mut environment, mut host) = linux();
    host.sockets = vec![Listed {
        remote: "0.0.0.0:0".parse().expect("an address"),
        ..socket("192.168.0.1:8080", TcpState::Listen)
    }];
    let text = "grep \" 0A \" /proc/net/tcp /proc/net/tcp6 | grep \":1F90\"";
    run(&mut environment, &mut host, text).expect("it listens");
}

#[test]
fn a_counter_is_shown_when_it_has_grown() {
    let (mut environment, mut host) = linux();
    host.counters = vec![("TcpExtOutOfWindowIcmps", 1)];
    let seen = "nstat | grep TcpExtOutOfWindowIcmps > /dev/null";
    run(&mut environment, &mut host, "nstat > /dev/null").expect("known");
    run(&mut environment, &mut host, seen).expect_err("it was shown before");
    host.counters = vec![("TcpExtOutOfWindowIcmps", 2)];
    run(&mut environment, &mut host, seen).expect("it has grown");
}

#[test]
fn devices_and_routes_change() {
    let (mut environment, mut host) = linux();
    let text = "tc qdisc delete dev tun0 root 2>/dev/null ; tc qdisc add dev tun0 root pfifo limit 0\n\
                ip route change 192.0.2.1 via 192.168.0.2 dev tun0 advmss 600 mtu lock 640 initcwnd 11\n\
                ethtool -K tun0 tso off gso off";
    run(&mut environment, &mut host, text).expect("known");
    assert_eq!(host.queue, [None, Some(0)]);
    let change = RouteChange {
        advertised_mss: Some(600),
        mtu: Some(640),
        mtu_locked: true,
        initial_window: Some(11),
    };
    assert_eq!(
        host.routes,
        [("192.0.2.1".parse().expect("an address"), change)]
    );
}

#[test]
fn connections_are_dropped_by_state() {
    let (mut environment, mut host) = freebsd();
    run(&mut environment, &mut host, "tcpdrop -s TIME_WAIT").expect("known");
    assert_eq!(host.dropped, [TcpState::TimeWait]);
}

#[test]
fn a_file_s_setting_is_read_and_written_like_any_other() {
    let (mut environment, mut host) = linux();
    let text = "echo 0 > /proc/sys/net/ipv4/tcp_sack; cat < /proc/sys/net/ipv4/tcp_sack | grep 0";
    run(&mut environment, &mut host, text).expect("known");
    assert!(!host.profile.expect("told").tcp.sack);
}

#[test]
fn what_is_not_known_fails_by_its_name() {
    for (text, names) in [
        ("rm -rf /", "no program `rm`"),
        ("true; rm -f x", "no program `rm`"),
        ("/bin/sh -c id", "no program `/bin/sh`"),
        ("python3 x.py", "no program `python3`"),
        (
            "/tmp/sysctl_restore_1.sh",
            "no program `/tmp/sysctl_restore_1.sh`",
        ),
        (
            "sysctl -w net.ipv4.no_such=1",
            "no setting `net.ipv4.no_such`",
        ),
        (
            "sysctl -e net.ipv4.no_such=1",
            "no setting `net.ipv4.no_such`",
        ),
        ("sysctl -a", "sysctl knows no `-a`"),
        (
            "sysctl net.ipv4.tcp_sack=x",
            "setting net.ipv4.tcp_sack does not take `x`: a number is needed",
        ),
        ("cat /etc/passwd", "no file `/etc/passwd`"),
        (
            "cat /proc/sys/../../etc/passwd",
            "no setting `......etc.passwd`",
        ),
        ("echo 1 > /etc/passwd", "no file `/etc/passwd`"),
        ("echo 1 >> /proc/self/mem", "no file `/proc/self/mem`"),
        ("cat < /dev/random", "no file `/dev/random`"),
        ("grep x /etc/passwd", "no file `/etc/passwd`"),
        ("grep 'r.*t' /proc/net/tcp", "grep knows no `r.*t`"),
        (
            "tc qdisc add dev tun0 root netem",
            "tc knows no `qdisc add dev tun0 root netem`",
        ),
        ("ip link set tun0 down", "ip knows no `link set tun0 down`"),
        (
            "ip route change nowhere",
            "ip knows no `route change nowhere`",
        ),
        ("ethtool -K tun0 rx off", "ethtool knows no `rx`"),
        ("sockstat -u", "sockstat knows no `-u`"),
        ("tcpdrop -a", "tcpdrop knows no `-a`"),
        ("sleep 1e99", "sleep knows no `1e99`"),
        ("sleep 1", "the machine under test cannot wait in a command"),
    ] {
        let (mut environment, mut host) = linux();
        let refused = run(&mut environment, &mut host, text).expect_err(text);
        assert_eq!(refused.to_string(), names);
    }
}

#[test]
fn nothing_of_the_host_is_touched_by_a_command_that_would_in_a_shell() {
    let file = std::env::temp_dir().join(format!("evilbit-untouched-{}", std::process::id()));
    std::fs::write(&file, "here").expect("a temporary file");
    let path = file.display();
    for text in [
        format!("rm {path}"),
        format!("echo gone > {path}"),
        format!("true ; rm {path}"),
        format!("echo $(rm {path})"),
        format!("echo \"`rm {path}`\""),
        format!("true | rm {path}"),
        format!("true\nrm {path}"),
    ] {
        let (mut environment, mut host) = linux();
        run(&mut environment, &mut host, &text).expect_err(&text);
        let left = std::fs::read_to_string(&file).expect("it is still there");
        assert_eq!(left, "here", "{text}");
    }
    std::fs::remove_file(&file).expect("it is ours");
}
