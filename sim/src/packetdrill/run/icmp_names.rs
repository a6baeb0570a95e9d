//! ICMP's types and codes by the names that scripts have for them.

/// A message's type and code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    pub kind: u8,
    pub code: u8,
}

/// A type's name, its number, and the names of its codes in the order of their numbers.
type Named = (&'static str, u8, &'static [&'static str]);

/// RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1.
const V4: [Named; 6] = [
    ("echo_reply", 0, &[]),
    (
        "unreachable",
        3,
        &[
            "net_unreachable",
            "host_unreachable",
            "protocol_unreachable",
            "port_unreachable",
            "frag_needed",
            "source_route_failed",
            "net_unknown",
            "host_unknown",
            "source_host_isolated",
            "net_prohibited",
            "host_prohibited",
            "net_unreachable_for_tos",
            "host_unreachable_for_tos",
            "packet_filtered",
            "precedence_violation",
            "precedence_cutoff",
        ],
    ),
    ("source_quench", 4, &[]),
    ("echo_request", 8, &[]),
    (
        "time_exceeded",
        11,
        &[
            "ttl_exceeded_in_transit",
            "fragment_reassembly_time_exceeded",
        ],
    ),
    (
        "parameter_problem",
        12,
        &["pointer", "missing_option", "bad_length"],
    ),
];

/// RFC 4443 §3.
const V6: [Named; 6] = [
    (
        "unreachable",
        1,
        &[
            "no_route",
            "admin_prohibited",
            "beyond_scope",
            "address_unreachable",
            "port_unreachable",
        ],
    ),
    ("packet_too_big", 2, &[]),
    (
        "time_exceeded",
        3,
        &["exceeded_hop_limit", "exceeded_frag_time"],
    ),
    (
        "parameter_problem",
        4,
        &["header_field", "unknown_header", "unknown_option"],
    ),
    ("echo_request", 128, &[]),
    ("echo_reply", 129, &[]),
];

/// The message of a name, and perhaps of a code's name; without one the code is zero.
pub fn find(kind: &str, code: Option<&str>, is_v6: bool) -> Option<Message> {
    let table = if is_v6 { &V6 } else { &V4 };
    let &(_, number, codes) = table.iter().find(|(name, ..)| *name == kind)?;
    let code = match code {
        None => 0,
        Some(code) => codes.iter().position(|name| *name == code)?,
    };
    Some(Message {
        kind: number,
        code: u8::try_from(code).expect("a handful of codes"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_what_its_version_says() {
        let numbers = |kind, code, v6| find(kind, code, v6).map(|m| (m.kind, m.code));
        let port = Some("port_unreachable");
        assert_eq!(numbers("unreachable", port, false), Some((3, 3)));
        assert_eq!(numbers("unreachable", port, true), Some((1, 4)));
        assert_eq!(numbers("packet_too_big", None, true), Some((2, 0)));
        assert_eq!(numbers("packet_too_big", None, false), None);
        assert_eq!(numbers("unreachable", Some("nonsense"), false), None);
    }
}
