//! Addresses of every layer, and bytes: what may stand where one is wanted.

use std::net::{IpAddr, SocketAddr};

use stack::addr::Cidr;

use super::value::{Complaint, Value, complain};

/// The word that asks for an address from a router's advertisement.
const AUTO: &str = "auto";
/// How a guest is asked for that: the link-local prefix in place of an address.
pub const AUTO_CIDR: &str = "fe80::/64";

pub(super) fn ip(text: &str) -> Result<IpAddr, Complaint> {
    text.parse().or_else(|_| {
        complain(
            format!("{text:?} is not an address"),
            "an address is wanted here",
            "four numbers from 0 to 255, such as \"10.0.0.1\", or one of version 6, such as \"2001:db8::1\"",
        )
    })
}

pub(super) fn ip4(text: &str) -> Result<IpAddr, Complaint> {
    match ip(text)? {
        IpAddr::V6(_) => complain(
            format!("{text:?} is an IPv6 address"),
            "one of version 4 is wanted here",
            "use an IPv4 address such as \"10.0.0.1\"; gateway6 takes this one",
        ),
        v4 => Ok(v4),
    }
}

pub(super) fn ip6(text: &str) -> Result<IpAddr, Complaint> {
    match ip(text)? {
        IpAddr::V4(_) => complain(
            format!("{text:?} is an IPv4 address"),
            "one of version 6 is wanted here",
            "use an IPv6 address such as \"2001:db8::1\" or \"fe80::1\"; gateway takes this one",
        ),
        v6 => Ok(v6),
    }
}

/// Addresses of version 6 with their prefixes; `auto` becomes what a guest understands.
pub(super) fn cidrs6(text: &str) -> Result<Value, Complaint> {
    let mut words = Vec::new();
    for one in text.split_whitespace() {
        let (address, prefix) = match Cidr::parse(one).map(|c| (c.address, c.prefix)) {
            _ if one == AUTO => {
                words.push(AUTO_CIDR);
                continue;
            }
            Some((IpAddr::V6(v6), prefix)) if one.contains('/') => (v6, prefix),
            _ => {
                return complain(
                    format!("{one:?} is not an IPv6 address with its network"),
                    "address and prefix length are wanted here",
                    "for example \"2001:db8::2/64\": an address of version 6, a slash, and 0 to 128; or \"auto\"",
                );
            }
        };
        let host = u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
        let own = u128::from(address) & host;
        if address.is_multicast() || address.is_loopback() || (prefix < 127 && own == 0) {
            return complain(
                format!("{one:?} is not the address of a host"),
                "a group's, nobody's, or the network's own",
                "choose one in between",
            );
        }
        words.push(one);
    }
    if words.is_empty() {
        return complain(
            "no address".into(),
            "an address is wanted here",
            "leave ip6 out for an interface without an address of version 6",
        );
    }
    Ok(Value::Text(words.join(" ")))
}

pub(super) fn cidrs(text: &str) -> Result<Value, Complaint> {
    if text.trim().is_empty() {
        return complain(
            "no address".into(),
            "an address is wanted here",
            "leave ip out for an interface without an address",
        );
    }
    for one in text.split_whitespace() {
        let usable = match Cidr::parse(one).map(|c| (c.address, c.prefix)) {
            Some((IpAddr::V6(_), _)) => {
                return complain(
                    format!("{one:?} is an IPv6 address"),
                    "those of version 4 are wanted here",
                    "write it as ip6",
                );
            }
            Some((IpAddr::V4(v4), prefix)) if one.contains('/') => {
                let host = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
                let own = u32::from(v4) & host;
                prefix >= 31 || (own != 0 && own != host)
            }
            _ => {
                return complain(
                    format!("{one:?} is not an address with its network"),
                    "address and prefix length are wanted here",
                    "for example \"10.0.0.2/24\": four numbers from 0 to 255, a slash, and 0 to 32",
                );
            }
        };
        if !usable {
            return complain(
                format!("{one:?} is not the address of a host"),
                "the network's own address, or its broadcast address",
                "choose one between them",
            );
        }
    }
    Ok(Value::Text(text.into()))
}

pub(super) fn endpoint(text: &str) -> Result<SocketAddr, Complaint> {
    match text.parse::<SocketAddr>() {
        Ok(endpoint) if endpoint.port() != 0 => Ok(endpoint),
        _ => complain(
            format!("{text:?} is not an address and a port"),
            "address and port are wanted here",
            "for example \"10.0.0.2:80\" or \"[2001:db8::2]:80\"",
        ),
    }
}

pub(super) fn local(text: &str) -> Result<Value, Complaint> {
    let port: Option<u16> = text.strip_prefix(':').and_then(|p| p.parse().ok());
    match port {
        Some(port) if port != 0 => Ok(Value::Text(text.into())),
        _ if endpoint(text).is_ok() => Ok(Value::Text(text.into())),
        _ => complain(
            format!("{text:?} is not a local port"),
            "a port of one's own is wanted here",
            "\":80\", or with an address \"10.0.0.2:80\"; ports are 1 to 65535",
        ),
    }
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()?;
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok())
        .collect()
}

pub(super) fn hex(text: &str) -> Result<Value, Complaint> {
    match hex_bytes(text) {
        Some(bytes) => Ok(Value::Bytes(bytes)),
        None => complain(
            "these are not hexadecimal bytes".into(),
            "two digits a byte are wanted here",
            "for example hex=\"01 02 00 ff\"",
        ),
    }
}

pub(super) fn mac(text: &str) -> Result<Value, Complaint> {
    let parts: Vec<&str> = text.split(':').collect();
    let bytes = hex_bytes(&parts.concat());
    match bytes {
        Some(bytes) if parts.len() == 6 && parts.iter().all(|p| p.len() == 2) => {
            if bytes[0] & 1 != 0 || bytes == [0; 6] {
                return complain(
                    format!("{text:?} is not the address of one interface"),
                    "a group's address, or none",
                    "the first byte is even: \"02:00:00:00:00:01\"",
                );
            }
            Ok(Value::Bytes(bytes))
        }
        _ => complain(
            format!("{text:?} is not an Ethernet address"),
            "an Ethernet address is wanted here",
            "six bytes: \"02:00:00:00:00:01\"",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_hosts() {
        assert!(cidrs("10.0.0.2/24 10.1.0.1/16").is_ok());
        assert!(cidrs("10.0.0.0/31").is_ok());
        for bad in [
            "10.0.0.2",
            "10.0.0.2/33",
            "10.0.0.0/24",
            "10.0.0.255/24",
            "10.0.0/24",
            "fe80::1/64",
            "",
        ] {
            assert!(cidrs(bad).is_err(), "{bad}");
        }
        assert!(endpoint("10.0.0.2:80").is_ok());
        for bad in [
            "10.0.0.2",
            "10.0.0.2:0",
            "10.0.0.2:99999",
            ":80",
            "2001:db8::2:80",
        ] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
        assert!(endpoint("[2001:db8::2]:80").is_ok());
        assert!(ip4("2001:db8::1").is_err() && ip6("10.0.0.1").is_err());
        assert!(ip("2001:db8::1").is_ok() && ip6("fe80::1").is_ok());
        let auto = cidrs6("2001:db8::2/64 auto");
        assert_eq!(auto, Ok(Value::Text("2001:db8::2/64 fe80::/64".into())));
        for bad in [
            "2001:db8::2",
            "2001:db8::/64",
            "2001:db8::2/129",
            "ff02::1/64",
            "::1/128",
            "10.0.0.2/24",
            "automatic",
            "",
        ] {
            assert!(cidrs6(bad).is_err(), "{bad}");
        }
        assert!(local(":80").is_ok() && local("80").is_err());
        assert!(mac("02:00:00:00:00:01").is_ok());
        assert!(mac("01:00:00:00:00:01").is_err());
    }
}
