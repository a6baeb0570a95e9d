//! FreeBSD's settings (tcp(4), blackhole(4), sys/netinet).

use stack::profile::{Blackhole, CongestionAlgorithm, EcnMode, IcmpKinds, SynCookies};

use super::sysctl::Effect::{ForgetPeers, Profile, ProfileThenForget};
use super::sysctl::{BadValue, Sysctl, Value};

/// A buffer's size, bytes: at most 1 GiB.
fn size(value: Value<'_>) -> Result<usize, BadValue> {
    value.between(0, 1 << 30).map(|size| size as usize)
}

/// All that are known.
pub const SETTINGS: &[Sysctl] = &[
    Sysctl {
        name: "net.inet.tcp.fastopen.server_enable",
        initial: "0",
        effect: Profile(|p, v| {
            p.tcp.fast_open.server = v.flag()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.fastopen.client_enable",
        initial: "1",
        effect: ProfileThenForget(|p, v| {
            p.tcp.fast_open.client = v.flag()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.rfc1323",
        initial: "1",
        effect: Profile(|p, v| {
            let on = v.between(0, 3)?;
            p.tcp.window_scaling = on == 1 || on == 2;
            p.tcp.timestamps = on == 1 || on == 3;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.sack.enable",
        initial: "1",
        effect: Profile(|p, v| {
            p.tcp.sack = v.flag()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.recvspace",
        initial: "65536",
        effect: Profile(|p, v| {
            p.tcp.recv_buffer = size(v)?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.sendspace",
        initial: "32768",
        effect: Profile(|p, v| {
            p.tcp.send_buffer = size(v)?;
            Ok(())
        }),
    },
    Sysctl {
        name: "kern.ipc.maxsockbuf",
        initial: "2097152",
        effect: Profile(|p, v| {
            let most = size(v)?;
            p.tcp.buffers.recv_most = Some(most);
            p.tcp.buffers.most = most;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.blackhole",
        initial: "0",
        effect: Profile(|p, v| {
            p.tcp.defence.blackhole = match v.between(0, 3)? {
                0 => Blackhole::Off,
                1 => Blackhole::Syn,
                2 => Blackhole::Closed,
                _ => Blackhole::All,
            };
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.insecure_rst",
        initial: "0",
        effect: Profile(|p, v| {
            p.tcp.defence.insecure_rst = v.flag()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.insecure_syn",
        initial: "0",
        effect: Profile(|p, v| {
            p.tcp.defence.insecure_syn = v.flag()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.drop_synfin",
        initial: "0",
        effect: Profile(|p, v| {
            p.tcp.defence.drop_synfin = v.flag()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.tolerate_missing_ts",
        initial: "0",
        effect: Profile(|p, v| {
            p.tcp.defence.tolerate_missing_stamp = v.flag()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.rexmit_initial",
        initial: "1000",
        effect: Profile(|p, v| {
            p.tcp.initial_rto = v.milliseconds()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.rexmit_min",
        initial: "30",
        effect: Profile(|p, v| {
            p.tcp.min_rto = v.milliseconds()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.rexmit_slop",
        initial: "200",
        effect: Profile(|p, v| {
            p.tcp.rto_slop = v.milliseconds()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.rexmit_drop_options",
        initial: "0",
        effect: Profile(|p, v| {
            // The third retransmission and all after it.
            p.tcp.handshake.plain_after = if v.flag()? { 3 } else { 0 };
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.keepinit",
        initial: "75000",
        effect: Profile(|p, v| {
            p.tcp.r2_syn = v.milliseconds()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.keepidle",
        initial: "7200000",
        effect: Profile(|p, v| {
            p.tcp.keepalive_idle = v.milliseconds()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.keepintvl",
        initial: "75000",
        effect: Profile(|p, v| {
            p.tcp.keepalive_interval = v.milliseconds()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.keepcnt",
        initial: "8",
        effect: Profile(|p, v| {
            p.tcp.keepalive_probes = v.count()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.delacktime",
        initial: "40",
        effect: Profile(|p, v| {
            p.tcp.delayed_ack = v.milliseconds()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.msl",
        initial: "30000",
        effect: Profile(|p, v| {
            p.tcp.msl = v.milliseconds()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.finwait2_timeout",
        initial: "60000",
        effect: Profile(|p, v| {
            p.tcp.fin_wait_2 = v.milliseconds()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.mssdflt",
        initial: "536",
        effect: Profile(|p, v| {
            p.tcp.default_mss = v.between(64, 65_495)? as u16;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.minmss",
        initial: "216",
        effect: Profile(|p, v| {
            p.tcp.min_mss = v.between(64, 65_495)? as u16;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.initcwnd_segments",
        initial: "10",
        effect: Profile(|p, v| {
            p.tcp.initial_window_segments = v.between(1, 1_000)? as u32;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.cc.algorithm",
        initial: "cubic",
        effect: Profile(|p, v| {
            p.tcp.congestion = match v.word() {
                "cubic" => CongestionAlgorithm::Cubic,
                "newreno" => CongestionAlgorithm::Reno,
                _ => return Err("cubic and newreno are known"),
            };
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.hostcache.purgenow",
        initial: "0",
        effect: ForgetPeers,
    },
    Sysctl {
        name: "net.inet.tcp.ecn.enable",
        initial: "2",
        effect: Profile(|p, v| {
            p.tcp.ecn.mode = match v.between(0, 2)? {
                0 => EcnMode::Off,
                1 => EcnMode::Active,
                _ => EcnMode::Passive,
            };
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.ecn.maxretries",
        initial: "1",
        effect: Profile(|p, v| {
            p.tcp.ecn.asking_retries = v.count()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.syncookies",
        initial: "1",
        effect: Profile(|p, v| {
            p.tcp.defence.syn_cookies = match v.flag()? {
                true => SynCookies::WhenFull,
                false => SynCookies::Never,
            };
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.syncookies_only",
        initial: "0",
        effect: Profile(|p, v| {
            p.tcp.defence.syn_cookies = match v.flag()? {
                true => SynCookies::Always,
                false => SynCookies::WhenFull,
            };
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.udp_tunneling_port",
        initial: "0",
        effect: Profile(|p, v| {
            p.tcp.udp_tunnel.port = v.between(0, u64::from(u16::MAX))? as u16;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.udp_tunneling_overhead",
        initial: "8",
        effect: Profile(|p, v| {
            p.tcp.udp_tunnel.overhead = v.between(8, 1024)? as u16;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.inet.tcp.icmp_may_rst",
        initial: "1",
        effect: Profile(|p, v| {
            p.tcp.icmp.end_connect = if v.flag()? {
                IcmpKinds::PORT
                    | IcmpKinds::PROTOCOL
                    | IcmpKinds::PROHIBITED
                    | IcmpKinds::TIME_EXCEEDED
            } else {
                IcmpKinds::empty()
            };
            Ok(())
        }),
    },
];
