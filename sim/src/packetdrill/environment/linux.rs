//! Linux' settings (Documentation/networking/ip-sysctl), and the defaults that scripts ask for by one name.

use stack::profile::{CongestionAlgorithm, EcnMode, ProbingMode, SlowStart, SynCookies};

use super::sysctl::Effect::{Nothing, Profile};
use super::sysctl::{BadValue, Sysctl};

/// Four words in hexadecimal, each the least octet first.
fn key(text: &str) -> Result<[u8; 16], BadValue> {
    const FORM: BadValue = "a key is four words of eight hexadecimal digits";
    let mut key = [0; 16];
    let mut words = text.split('-');
    for place in key.chunks_exact_mut(4) {
        let is_word = |w: &&str| w.len() == 8 && w.bytes().all(|b| b.is_ascii_hexdigit());
        let word = words.next().filter(is_word).ok_or(FORM)?;
        let word = u32::from_str_radix(word, 16).map_err(|_| FORM)?;
        place.copy_from_slice(&word.to_le_bytes());
    }
    match words.next() {
        None => Ok(key),
        Some(_) => Err(FORM),
    }
}

/// All that are known.
pub const SETTINGS: &[Sysctl] = &[
    Sysctl {
        name: "net.ipv4.tcp_fastopen",
        initial: "1",
        effect: Profile(|p, v| {
            let bits = v.between(0, u64::from(u32::MAX))?;
            let fast_open = &mut p.tcp.fast_open;
            fast_open.client = bits & 1 != 0;
            fast_open.server = bits & 2 != 0;
            fast_open.client_without_cookie = bits & 4 != 0;
            fast_open.server_without_cookie = bits & 0x200 != 0;
            fast_open.every_listener = bits & 0x400 != 0;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_dsack",
        initial: "1",
        effect: Profile(|p, v| {
            p.tcp.recovery.dsack = v.flag()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_rmem",
        initial: "4096 131072 6291456",
        effect: Profile(|p, v| {
            let [_, default, most] = v.buffers()?;
            p.tcp.recv_buffer = default;
            p.tcp.buffers.recv_most = Some(most);
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_wmem",
        initial: "4096 16384 4194304",
        effect: Profile(|p, v| {
            let [_, default, most] = v.buffers()?;
            p.tcp.send_buffer = default;
            if let Some(charge) = &mut p.tcp.sockets.charge {
                charge.most = u32::try_from(most).unwrap_or(u32::MAX);
            }
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_timestamps",
        initial: "1",
        effect: Profile(|p, v| {
            p.tcp.timestamps = v.between(0, 2)? != 0;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_window_scaling",
        initial: "1",
        effect: Profile(|p, v| {
            p.tcp.window_scaling = v.flag()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_sack",
        initial: "1",
        effect: Profile(|p, v| {
            p.tcp.sack = v.flag()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_syn_retries",
        initial: "6",
        effect: Profile(|p, v| {
            p.tcp.handshake.syn_retries = Some(v.between(1, 127)? as u8);
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_synack_retries",
        initial: "5",
        effect: Profile(|p, v| {
            p.tcp.syn_ack_retries = v.count()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_reordering",
        initial: "3",
        effect: Profile(|p, v| {
            p.tcp.dup_thresh = v.between(1, 255)? as u8;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_congestion_control",
        initial: "cubic",
        effect: Profile(|p, v| {
            p.tcp.congestion = match v.word() {
                "cubic" => CongestionAlgorithm::Cubic,
                "reno" => CongestionAlgorithm::Reno,
                _ => return Err("cubic and reno are known"),
            };
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_fin_timeout",
        initial: "60",
        effect: Profile(|p, v| {
            p.tcp.fin_wait_2 = v.seconds()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_keepalive_time",
        initial: "7200",
        effect: Profile(|p, v| {
            p.tcp.keepalive_idle = v.seconds()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_keepalive_intvl",
        initial: "75",
        effect: Profile(|p, v| {
            p.tcp.keepalive_interval = v.seconds()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_keepalive_probes",
        initial: "9",
        effect: Profile(|p, v| {
            p.tcp.keepalive_probes = v.count()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_rfc1337",
        initial: "0",
        effect: Profile(|p, v| {
            p.tcp.defence.time_wait_ignores_rst = v.flag()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_max_syn_backlog",
        initial: "256",
        effect: Profile(|p, v| {
            p.tcp.syn_queue = v.between(1, 1 << 20)? as usize;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_fack",
        initial: "0",
        // Linux has ignored it since RACK took FACK's place.
        effect: Nothing,
    },
    Sysctl {
        name: "net.ipv4.tcp_frto",
        initial: "2",
        effect: Profile(|p, v| {
            p.tcp.recovery.f_rto = v.between(0, 2)? > 0;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_slow_start_after_idle",
        initial: "1",
        effect: Profile(|p, v| {
            p.tcp.growth.restart_after_idle = v.flag()?;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_early_retrans",
        initial: "3",
        effect: Profile(|p, v| {
            p.tcp.recovery.tail_probe = v.between(0, 4)? >= 3;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_recovery",
        initial: "1",
        effect: Profile(|p, v| {
            p.tcp.recovery.rack = v.between(0, 7)? & 1 != 0;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_tso_win_divisor",
        initial: "3",
        // A unit that could be larger is never held back for that.
        effect: Nothing,
    },
    Sysctl {
        name: "net.ipv4.tcp_min_tso_segs",
        initial: "2",
        effect: Profile(|p, v| {
            let segments = v.between(1, u64::from(u16::MAX))?;
            if let Some(charge) = &mut p.tcp.sockets.charge {
                charge.least_segments = segments as u16;
            }
            p.tcp.growth.send_unit = segments as u32;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_ecn",
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
        name: "net.ipv4.tcp_ecn_option",
        initial: "2",
        // It is Accurate ECN's, which is never negotiated.
        effect: Nothing,
    },
    Sysctl {
        name: "net.ipv4.tcp_pacing_ss_ratio",
        initial: "200",
        effect: Profile(|p, v| {
            p.tcp.growth.pacing_slow_start = v.between(0, 1_000)? as u32;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_pacing_ca_ratio",
        initial: "120",
        effect: Profile(|p, v| {
            p.tcp.growth.pacing_avoidance = v.between(0, 1_000)? as u32;
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_notsent_lowat",
        initial: "4294967295",
        effect: Profile(|p, v| {
            // The largest number is none.
            p.tcp.sockets.not_sent_lowat = match v.between(1, u64::from(u32::MAX))? as u32 {
                u32::MAX => 0,
                octets => octets,
            };
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_fastopen_key",
        // One out of the stack's seed.
        initial: "",
        effect: Profile(|p, v| {
            p.tcp.fast_open.keys = match v.word().split_once(',') {
                None if v.word().is_empty() => [None, None],
                None => [Some(key(v.word())?), None],
                Some((primary, backup)) => [Some(key(primary)?), Some(key(backup)?)],
            };
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_syncookies",
        initial: "1",
        effect: Profile(|p, v| {
            p.tcp.defence.syn_cookies = match v.between(0, 2)? {
                0 => SynCookies::Never,
                1 => SynCookies::WhenFull,
                _ => SynCookies::Always,
            };
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_mtu_probing",
        initial: "0",
        effect: Profile(|p, v| {
            p.tcp.mtu_probing.mode = match v.between(0, 2)? {
                0 => ProbingMode::Off,
                1 => ProbingMode::AfterBlackHole,
                _ => ProbingMode::Always,
            };
            Ok(())
        }),
    },
    Sysctl {
        name: "net.ipv4.tcp_base_mss",
        initial: "1024",
        effect: Profile(|p, v| {
            p.tcp.mtu_probing.base_mss = v.between(48, 65_535)? as u16;
            Ok(())
        }),
    },
    Sysctl {
        name: "/sys/module/tcp_cubic/parameters/hystart_detect",
        initial: "3",
        effect: Profile(|p, v| {
            let bits = v.between(0, 3)?;
            p.tcp.growth.slow_start = match bits {
                0 => SlowStart::UntilLoss,
                _ => SlowStart::Hystart {
                    train: bits & 1 != 0,
                    delay: bits & 2 != 0,
                },
            };
            Ok(())
        }),
    },
];

/// What a script's `defaults.sh` stands for: the values that its suite takes for granted.
pub const SUITE_DEFAULTS: &[(&str, &str)] = &[
    ("net.ipv4.tcp_rmem", "4096 540000 15728640"),
    ("net.ipv4.tcp_wmem", "4096 262144 4194304"),
    ("net.ipv4.tcp_timestamps", "1"),
    ("net.ipv4.tcp_syn_retries", "5"),
    ("net.ipv4.tcp_synack_retries", "5"),
    ("net.ipv4.tcp_frto", "2"),
    ("net.ipv4.tcp_sack", "1"),
    ("net.ipv4.tcp_dsack", "1"),
    ("net.ipv4.tcp_fack", "0"),
    ("net.ipv4.tcp_reordering", "3"),
    ("net.ipv4.tcp_congestion_control", "cubic"),
    ("net.ipv4.tcp_slow_start_after_idle", "0"),
    ("net.ipv4.tcp_early_retrans", "4"),
    ("net.ipv4.tcp_recovery", "1"),
    ("net.ipv4.tcp_tso_win_divisor", "3"),
    ("net.ipv4.tcp_ecn", "0"),
    ("net.ipv4.tcp_ecn_option", "2"),
    ("net.ipv4.tcp_pacing_ss_ratio", "200"),
    ("net.ipv4.tcp_pacing_ca_ratio", "120"),
    ("net.ipv4.tcp_notsent_lowat", "4294967295"),
    ("net.ipv4.tcp_fastopen", "0x70403"),
    (
        "net.ipv4.tcp_fastopen_key",
        "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4",
    ),
    ("net.ipv4.tcp_syncookies", "1"),
];
