//! Programs about the device and the way to a peer.

use super::super::run::Outcome;
use super::super::{Failure, Host, RouteChange};
use super::unknown;

/// `tc qdisc VERB dev DEV root [pfifo [limit N] | fq]`
pub fn tc(host: &mut dyn Host, arguments: &[&str]) -> Result<Outcome, Failure> {
    let refused = || unknown("tc", &arguments.join(" "));
    let ["qdisc", verb, "dev", _, "root", discipline @ ..] = arguments else {
        return Err(refused());
    };
    let limit = match (*verb, discipline) {
        ("delete" | "del", []) => None,
        ("add" | "replace" | "change", ["pfifo"] | ["fq"]) => None,
        ("add" | "replace" | "change", ["pfifo", "limit", packets]) => {
            Some(packets.parse().map_err(|_| refused())?)
        }
        _ => return Err(refused()),
    };
    host.limit_queue(limit)?;
    host.pace(discipline == ["fq"])?;
    Ok(Outcome::quiet())
}

/// `ethtool -K DEV (tso|gso on|off)…`
pub fn ethtool(host: &mut dyn Host, arguments: &[&str]) -> Result<Outcome, Failure> {
    let refused = || unknown("ethtool", &arguments.join(" "));
    let ["-K", _, features @ ..] = arguments else {
        return Err(refused());
    };
    let (pairs, rest) = features.as_chunks::<2>();
    if !rest.is_empty() || pairs.is_empty() {
        return Err(refused());
    }
    for [feature, state] in pairs {
        let on = match *state {
            "on" => true,
            "off" => false,
            _ => return Err(refused()),
        };
        match *feature {
            "tso" | "gso" => host.offload_segmentation(on)?,
            _ => return Err(unknown("ethtool", feature)),
        }
    }
    Ok(Outcome::quiet())
}

/// `ip [-4|-6] tcp_metrics flush …`, `ip [-4|-6] route change HOST [via GATEWAY] [dev DEV] ATTRIBUTE…`
pub fn ip(host: &mut dyn Host, arguments: &[&str]) -> Result<Outcome, Failure> {
    let refused = || unknown("ip", &arguments.join(" "));
    let arguments = match arguments {
        ["-4" | "-6", rest @ ..] => rest,
        all => all,
    };
    match arguments {
        ["tcp_metrics", "flush"] | ["tcp_metrics", "flush", "all"] => host.forget_peers(),
        ["route", "change", to, rest @ ..] => {
            let to = to.parse().map_err(|_| refused())?;
            let change = route_change(rest).ok_or_else(refused)?;
            host.change_route(to, change)?;
        }
        _ => return Err(refused()),
    }
    Ok(Outcome::quiet())
}

fn route_change(mut words: &[&str]) -> Option<RouteChange> {
    let mut change = RouteChange::default();
    loop {
        words = match words {
            [] => return Some(change),
            // There is one gateway and one device.
            ["via" | "dev", _, rest @ ..] => rest,
            ["advmss", mss, rest @ ..] => {
                change.advertised_mss = Some(mss.parse().ok()?);
                rest
            }
            ["mtu", "lock", mtu, rest @ ..] => {
                change.mtu = Some(mtu.parse().ok()?);
                change.mtu_locked = true;
                rest
            }
            ["mtu", mtu, rest @ ..] => {
                change.mtu = Some(mtu.parse().ok()?);
                rest
            }
            ["initcwnd", segments, rest @ ..] => {
                change.initial_window = Some(segments.parse().ok()?);
                rest
            }
            _ => return None,
        };
    }
}

/// `kldload [-n] MODULE`: the modules that scripts ask for are part of the stack, or are not.
pub fn kldload(arguments: &[&str]) -> Result<Outcome, Failure> {
    match arguments {
        ["tcpmd5"] | ["-n", "tcpmd5"] => Ok(Outcome::quiet()),
        _ => Err(unknown("kldload", &arguments.join(" "))),
    }
}
