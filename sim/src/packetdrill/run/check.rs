//! A live packet against the line of the script that expects it, by the rules of both tools: what is always compared,
//! what only if the script says it, and what never.

use super::live::{Live, Tcp, Udp};
use super::remote::Remote;
use super::subject::Layout;
use super::wire_options;
use crate::packetdrill::ip::{Ecn, IpInfo};
use crate::packetdrill::options::Options;
use crate::packetdrill::packet::Datagram;
use crate::packetdrill::tcp::{Segment, Start};
use crate::packetdrill::tcp_option::{TcpOption, Timestamp};

/// A field in which a live packet differs from what the script says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field's name.
    pub field: &'static str,
    pub expected: String,
    pub got: String,
    /// The field as it stands in the live packet's line.
    pub mark: String,
}

fn difference(
    field: &'static str,
    expected: impl ToString,
    got: impl ToString,
    mark: impl Into<String>,
) -> Option<Difference> {
    Some(Difference {
        field,
        expected: expected.to_string(),
        got: got.to_string(),
        mark: mark.into(),
    })
}

/// The first field in which a segment differs; `got` is the live one in the script's words.
pub fn segment(
    said: &Segment,
    got: &Segment,
    live: &Live,
    tcp: &Tcp,
    layout: Layout,
) -> Option<Difference> {
    if said.udp != got.udp {
        let text = |udp: Option<crate::packetdrill::tcp::Ports>| match udp {
            None => "none".to_owned(),
            Some(ports) => ports.to_string(),
        };
        let mark = got
            .udp
            .map_or(String::new(), |ports| format!("/udp({ports})"));
        return difference("UDP ports", text(said.udp), text(got.udp), mark);
    }
    if said.flags != got.flags {
        return difference("flags", said.flags, got.flags, got.flags.to_string());
    }
    if tcp.reserved != 0 {
        return difference("reserved bits", 0, tcp.reserved, "");
    }
    let sequence = got.sequence.to_string();
    if said.sequence.start != Start::Any && said.sequence.start != got.sequence.start {
        return difference("sequence number", said.sequence, got.sequence, sequence);
    }
    if usize::from(said.sequence.len) != tcp.text.len() {
        let (said, got) = (said.sequence.len, tcp.text.len());
        return difference("length", said, got, sequence);
    }
    if said.ack.unwrap_or(0) != got.ack.unwrap_or(0) {
        let mark = got.ack.map_or(String::new(), |ack| format!("ack {ack}"));
        let (said, got) = (said.ack.unwrap_or(0), got.ack.unwrap_or(0));
        return difference("acknowledgement", said, got, mark);
    }
    if let (Some(window), Some(live)) = (said.window, got.window)
        && window != live
    {
        return difference("window", window, live, format!("win {live}"));
    }
    if said.urgent.unwrap_or(0) != tcp.urgent {
        let mark = format!("urg {}", tcp.urgent);
        return difference("urgent pointer", said.urgent.unwrap_or(0), tcp.urgent, mark);
    }
    if !same_options(&said.options, &got.options, live.options(tcp), layout) {
        let mark = got.options.to_string().trim_start().to_owned();
        let text = |options: &Options| match options.to_string().trim_start() {
            "" => "none".to_owned(),
            text => text.to_owned(),
        };
        return difference("options", text(&said.options), text(&got.options), mark);
    }
    zeros(live.text(tcp), got.sequence.to_string())
}

/// The first field in which a live datagram differs, and the datagram in the script's words.
pub fn datagram(said: &Datagram, live: &Live, udp: &Udp) -> (Option<Difference>, Datagram) {
    let got = Datagram {
        ports: said.ports.map(|_| udp.ports),
        len: u16::try_from(udp.text.len()).unwrap_or(u16::MAX),
    };
    let line = format!("({})", got.len);
    let differs = if let (Some(said), Some(got)) = (said.ports, got.ports)
        && said != got
    {
        difference("ports", said, got, got.to_string())
    } else if said.len != got.len {
        difference("length", said.len, got.len, line)
    } else {
        zeros(&live.bytes[udp.text.clone()], line)
    };
    (differs, got)
}

/// Text that a script does not name is zeros.
fn zeros(text: &[u8], mark: String) -> Option<Difference> {
    let other = text.iter().position(|byte| *byte != 0)?;
    let got = format!("{:#04x} at byte {other}", text[other]);
    difference("text", "zeros", got, mark)
}

/// Options are the same bytes, in the same order where that counts; a timestamp was judged when it was named.
fn same_options(said: &Options, got: &Options, bytes: &[u8], layout: Layout) -> bool {
    match (said, got) {
        (Options::Any, _) => true,
        (Options::Raw(raw), _) => raw == bytes,
        (Options::These(_), Options::Raw(_) | Options::Any) => false,
        (Options::These(said), Options::These(got)) => match layout {
            Layout::Exact => {
                said.len() == got.len() && said.iter().zip(got).all(|(a, b)| same_option(a, b))
            }
            Layout::AnyOrder => same_set(said, got),
        },
    }
}

/// Each option has its like; padding is nothing. There are at most 40 of either.
fn same_set(said: &[TcpOption], got: &[TcpOption]) -> bool {
    let counts = |option: &&TcpOption| !matches!(option, TcpOption::Nop | TcpOption::Eol);
    let mut left: Vec<&TcpOption> = got.iter().filter(counts).collect();
    let all_found = said.iter().filter(counts).all(|option| {
        let at = left.iter().position(|got| same_option(option, got));
        at.map(|at| left.remove(at)).is_some()
    });
    all_found && left.is_empty()
}

fn same_option(said: &TcpOption, got: &TcpOption) -> bool {
    let bytes = |option: &TcpOption| {
        let mut bytes = Vec::new();
        wire_options::emit(option, &mut bytes);
        bytes
    };
    match (said, got) {
        (
            TcpOption::Timestamp(Timestamp { val: said, .. }),
            TcpOption::Timestamp(Timestamp { val: got, .. }),
        ) => said.is_none() || said == got,
        _ => bytes(said) == bytes(got),
    }
}

/// The marks of a live IP header that the script says anything of.
pub fn seen(said: &IpInfo, live: &Live) -> IpInfo {
    let tos = live.ip.tos;
    IpInfo {
        ecn: said.ecn.map(|_| Ecn::of_tos(tos)),
        tos: said.tos.map(|_| tos),
        dscp: said.dscp.map(|_| tos >> 2),
        flow_label: said.flow_label.map(|_| live.ip.flow_label),
        ttl: said.ttl.map(|_| live.ip.ttl),
    }
}

/// The first mark of the IP header that differs: only those are compared that the script says.
pub fn marks(said: &IpInfo, got: &IpInfo, remote: &mut Remote) -> Option<Difference> {
    if let (Some(said), Some(got)) = (said.ecn, got.ecn) {
        let either = said == Ecn::AnyEct && matches!(got, Ecn::Ect0 | Ecn::Ect1);
        if said != got && !either {
            return difference("ECN", said.name(), got.name(), got.name());
        }
    }
    if let (Some(said), Some(got)) = (said.tos, got.tos)
        && said != got
    {
        let text = |tos| format!("{tos:#04x}");
        let mark = format!("tos {}", text(got));
        return difference("type of service", text(said), text(got), mark);
    }
    if let (Some(said), Some(got)) = (said.dscp, got.dscp)
        && said != got
    {
        let text = |dscp| format!("{dscp:#04x}");
        let mark = format!("dscp {}", text(got));
        return difference("DSCP", text(said), text(got), mark);
    }
    if let (Some(said), Some(got)) = (said.ttl, got.ttl)
        && said != got
    {
        return difference("time to live", said, got, format!("ttl {got}"));
    }
    if let (Some(said), Some(got)) = (said.flow_label, got.flow_label)
        && !remote.flow_label_holds(said, got)
    {
        let text = |label| format!("{label:#x}");
        let mark = format!("flowlabel {}", text(got));
        return difference("flow label", text(said), text(got), mark);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_padding_count_only_where_the_layout_is_exact() {
        let said = Options::These(vec![
            TcpOption::Mss(1460),
            TcpOption::Nop,
            TcpOption::WindowScale(6),
            TcpOption::SackPermitted,
        ]);
        let got = |scale| {
            Options::These(vec![
                TcpOption::Mss(1460),
                TcpOption::SackPermitted,
                TcpOption::WindowScale(scale),
                TcpOption::Eol,
            ])
        };
        assert!(!same_options(&said, &got(6), &[], Layout::Exact));
        assert!(same_options(&said, &got(6), &[], Layout::AnyOrder));
        assert!(!same_options(&said, &got(7), &[], Layout::AnyOrder));
        let fewer = Options::These(vec![TcpOption::Mss(1460), TcpOption::SackPermitted]);
        assert!(!same_options(&said, &fewer, &[], Layout::AnyOrder));
        assert!(!same_options(&fewer, &said, &[], Layout::AnyOrder));
        let twice = Options::These(vec![TcpOption::Mss(1460), TcpOption::Mss(1460)]);
        let once = Options::These(vec![TcpOption::Mss(1460)]);
        assert!(!same_options(&twice, &once, &[], Layout::AnyOrder));
    }
}
