//! Single settings over a profile, as a kernel's command line writes them: `tcp.ecn=active`, `tcp.sack=off`, and for
//! each peer with which a key is shared `tcp.md5.10.0.0.2=key`.
//!
//! Only what an administrator would set has a name here; a test or a program sets any field it likes.

use core::str::FromStr;

use super::{CongestionAlgorithm, EcnMode, ProbingMode, SynCookies, TcpProfile};
use crate::addr::IpAddress;
use crate::api::SignatureKey;

/// What every setting's word on the command line begins with.
pub const PREFIX: &str = "tcp.";
/// What the name of a key begins with that is shared with a peer, whose address follows.
pub const MD5: &str = "md5.";

impl TcpProfile {
    /// Changes one setting; `None` if there is none of that name, or if it has no such value.
    pub fn set(&mut self, name: &str, value: &str) -> Option<()> {
        if let Some(peer) = name.strip_prefix(MD5) {
            let peer = IpAddress::from_str(peer).ok()?;
            let key = SignatureKey::new(peer, value.as_bytes())?;
            self.signatures.push(key);
            return Some(());
        }
        match name {
            "congestion" => self.congestion = congestion(value)?,
            "ecn" => self.ecn.mode = ecn(value)?,
            "fast-open" => self.set_fast_open(value)?,
            "mtu-probing" => self.mtu_probing.mode = mtu_probing(value)?,
            "rack" => self.recovery.rack = switch(value)?,
            "sack" => self.sack = switch(value)?,
            "syn-cookies" => self.defence.syn_cookies = syn_cookies(value)?,
            "timestamps" => self.timestamps = switch(value)?,
            "window-scaling" => self.window_scaling = switch(value)?,
            _ => return None,
        }
        Some(())
    }

    /// As an administrator switches it on for programs that know nothing of it: every listener takes data (Linux,
    /// `tcp_fastopen` bit 10).
    fn set_fast_open(&mut self, value: &str) -> Option<()> {
        let (client, server) = match value {
            "off" => (false, false),
            "client" => (true, false),
            "server" => (false, true),
            "both" => (true, true),
            _ => return None,
        };
        let fast_open = &mut self.fast_open;
        (fast_open.client, fast_open.server) = (client, server);
        fast_open.every_listener = server;
        Some(())
    }
}

fn congestion(value: &str) -> Option<CongestionAlgorithm> {
    match value {
        "reno" => Some(CongestionAlgorithm::Reno),
        "cubic" => Some(CongestionAlgorithm::Cubic),
        _ => None,
    }
}

fn ecn(value: &str) -> Option<EcnMode> {
    match value {
        "off" => Some(EcnMode::Off),
        "passive" => Some(EcnMode::Passive),
        "active" => Some(EcnMode::Active),
        _ => None,
    }
}

fn mtu_probing(value: &str) -> Option<ProbingMode> {
    match value {
        "off" => Some(ProbingMode::Off),
        "after-black-hole" => Some(ProbingMode::AfterBlackHole),
        "always" => Some(ProbingMode::Always),
        _ => None,
    }
}

fn syn_cookies(value: &str) -> Option<SynCookies> {
    match value {
        "never" => Some(SynCookies::Never),
        "when-full" => Some(SynCookies::WhenFull),
        "always" => Some(SynCookies::Always),
        _ => None,
    }
}

fn switch(value: &str) -> Option<bool> {
    match value {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_changes_its_field_and_no_other() {
        let mut profile = TcpProfile::default();
        let before = alloc::format!("{profile:?}");
        assert_eq!(profile.set("sack", "off"), Some(()));
        assert!(!profile.sack);
        assert_eq!(profile.set("sack", "on"), Some(()));
        assert_eq!(alloc::format!("{profile:?}"), before);
    }

    #[test]
    fn a_name_or_value_that_is_none_is_refused() {
        let mut profile = TcpProfile::default();
        for (name, value) in [
            ("sak", "on"),
            ("sack", "yes"),
            ("ecn", "on"),
            ("md5.10.0.0", "key"),
            ("md5.10.0.0.2", &"k".repeat(SignatureKey::LONGEST + 1)),
        ] {
            assert_eq!(profile.set(name, value), None, "{name}={value}");
        }
    }

    #[test]
    fn a_key_is_the_peers() {
        let mut profile = TcpProfile::default();
        assert_eq!(profile.set("md5.2001:db8::2", "secret"), Some(()));
        let [key] = profile.signatures.as_slice() else {
            panic!("one key");
        };
        assert_eq!(key.octets(), b"secret");
        assert_eq!(Ok(key.peer), IpAddress::from_str("2001:db8::2"));
    }
}
