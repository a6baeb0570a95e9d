//! A capture as tshark reads it: a line a packet, a column a field.

use std::path::Path;
use std::process::Command;

/// The fields, in the order of [`Packet`]'s.
const FIELDS: [&str; 12] = [
    "frame.interface_name",
    "frame.time_epoch",
    "frame.packet_flags_direction",
    "frame.comment",
    "ip.flags.rb",
    "icmpv6.type",
    "ip.checksum.status",
    "icmp.checksum.status",
    "icmpv6.checksum.status",
    "tcp.checksum.status",
    "udp.checksum.status",
    "_ws.malformed",
];
/// Checksums that are to be verified: tshark trusts offloading hardware unless told.
const CHECKED: [&str; 3] = ["ip", "tcp", "udp"];
/// tshark's word for a checksum that is wrong.
const BAD: &str = "0";

/// A packet of a capture.
#[derive(Clone, Debug)]
pub struct Packet {
    pub interface: String,
    /// Seconds with nine digits after the point.
    pub time: String,
    /// It left the domain, or the machine.
    pub outbound: bool,
    pub comment: String,
    /// An IPv4 packet's reserved flag (RFC 3514), by the packet's outermost header.
    pub evil: Option<bool>,
    pub bad_checksum: bool,
    pub malformed: bool,
}

impl Packet {
    /// Whether it may be wrong: a link changed it, or the experimenter or a raw peer made it.
    pub fn excused(&self) -> bool {
        self.evil == Some(true)
            || self.comment.contains("forged")
            || self.comment.contains("corrupted")
    }
}

/// All packets of a capture.
pub fn dissect(capture: &Path) -> Vec<Packet> {
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(capture);
    for protocol in CHECKED {
        tshark.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    tshark.args(["-T", "fields", "-E", "separator=/t"]);
    for field in FIELDS {
        tshark.args(["-e", field]);
    }
    let output = tshark.output().expect("tshark runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", capture.display());
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(packet).collect()
}

fn packet(line: &str) -> Packet {
    let fields: Vec<&str> = line.split('\t').collect();
    let [
        interface,
        time,
        direction,
        comment,
        evil,
        icmpv6,
        sums @ ..,
        malformed,
    ] = fields.as_slice()
    else {
        panic!("tshark prints {line:?}");
    };
    assert_eq!(sums.len(), 5, "tshark prints {line:?}");
    // An ICMPv6 error (RFC 4443, 2.1) quotes the beginning of a packet, and tshark sums that up as if it were all.
    let quotes = icmpv6.parse::<u8>().is_ok_and(|kind| kind < 128);
    let sums = if quotes { &sums[..3] } else { sums };
    Packet {
        interface: (*interface).into(),
        time: (*time).into(),
        outbound: direction.ends_with('2'),
        comment: (*comment).into(),
        // An ICMP error quotes a second header: the first is the packet's own.
        evil: evil
            .split(',')
            .next()
            .filter(|bit| !bit.is_empty())
            .map(|bit| bit == "1"),
        bad_checksum: sums.iter().any(|sum| sum.split(',').next() == Some(BAD)),
        malformed: !malformed.is_empty(),
    }
}
