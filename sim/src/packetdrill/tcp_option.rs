//! One TCP option: what it is, how long it is, how it is written.

use std::fmt;

use super::hex;

/// One option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpOption {
    Eol,
    Nop,
    Mss(u16),
    WindowScale(u8),
    SackPermitted,
    Sack(Vec<SackBlock>),
    Timestamp(Timestamp),
    Md5(Md5),
    FastOpen(FastOpen),
    AccEcn(AccEcn),
    /// `exp-tarr N`: the ACK rate request of draft-ietf-tcpm-ack-rate-request
    AckRateRequest(Option<u8>),
    /// `gen-N`: an option by its number
    Generic {
        kind: u8,
        data: Vec<u8>,
    },
    /// `exp-XXXX`: an experiment by its identifier (RFC 6994)
    Experiment {
        id: u16,
        data: Vec<u8>,
    },
}

/// RFC 2018 §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SackBlock {
    pub left: u32,
    pub right: u32,
}

/// RFC 7323 §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// None is `...`: it is neither compared nor remembered.
    pub val: Option<u32>,
    pub ecr: u32,
    /// `ecr N!`: sent as it stands, not mapped to what the stack said
    pub ecr_is_absolute: bool,
}

/// RFC 2385.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Md5 {
    /// `md5 valid`: the digest that the shared secret gives
    Valid,
    Digest(Vec<u8>),
}

/// RFC 7413 §4.1.1; an empty cookie asks for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FastOpen {
    pub cookie: Vec<u8>,
    /// `FOEXP` or `exp-FO`: under the experiments' option number
    pub is_experiment: bool,
}

/// RFC 9768 §3.2.3: counters of bytes by their ECN mark, in the order of one of the two option numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccEcn {
    /// The order with ECT(1) first.
    pub ect1_first: bool,
    pub is_experiment: bool,
    pub ect0: Option<u32>,
    pub ce: Option<u32>,
    pub ect1: Option<u32>,
}

impl TcpOption {
    /// How many bytes it takes in the header.
    pub fn wire_len(&self) -> usize {
        match self {
            TcpOption::Eol | TcpOption::Nop => 1,
            TcpOption::Mss(_) => 4,
            TcpOption::WindowScale(_) => 3,
            TcpOption::SackPermitted => 2,
            TcpOption::Sack(blocks) => 2 + 8 * blocks.len(),
            TcpOption::Timestamp(_) => 10,
            TcpOption::Md5(_) => 18,
            TcpOption::FastOpen(fast) => fast.cookie.len() + if fast.is_experiment { 4 } else { 2 },
            TcpOption::AccEcn(ecn) => {
                let counters = [ecn.ect0, ecn.ce, ecn.ect1];
                let head = if ecn.is_experiment { 4 } else { 2 };
                head + 3 * counters.iter().flatten().count()
            }
            TcpOption::AckRateRequest(rate) => 4 + usize::from(rate.is_some()),
            TcpOption::Generic { data, .. } => 2 + data.len(),
            TcpOption::Experiment { data, .. } => 4 + data.len(),
        }
    }

    /// The option's name in scripts.
    pub fn name(&self) -> &'static str {
        match self {
            TcpOption::Eol => "eol",
            TcpOption::Nop => "nop",
            TcpOption::Mss(_) => "mss",
            TcpOption::WindowScale(_) => "wscale",
            TcpOption::SackPermitted => "sackOK",
            TcpOption::Sack(_) => "sack",
            TcpOption::Timestamp(_) => "TS",
            TcpOption::Md5(_) => "md5",
            TcpOption::FastOpen(fast) if fast.is_experiment => "FOEXP",
            TcpOption::FastOpen(_) => "FO",
            TcpOption::AccEcn(ecn) => match (ecn.is_experiment, ecn.ect1_first) {
                (false, false) => "AccECN0",
                (false, true) => "AccECN1",
                (true, false) => "exp-AccECN0",
                (true, true) => "exp-AccECN1",
            },
            TcpOption::AckRateRequest(_) => "exp-tarr",
            TcpOption::Generic { .. } => "gen-",
            TcpOption::Experiment { .. } => "exp-",
        }
    }
}

impl fmt::Display for TcpOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            TcpOption::Eol | TcpOption::Nop | TcpOption::SackPermitted => Ok(()),
            TcpOption::Mss(mss) => write!(f, " {mss}"),
            TcpOption::WindowScale(shift) => write!(f, " {shift}"),
            TcpOption::Sack(blocks) => blocks
                .iter()
                .try_for_each(|b| write!(f, " {}:{}", b.left, b.right)),
            TcpOption::Timestamp(stamp) => {
                match stamp.val {
                    Some(val) => write!(f, " val {val}")?,
                    None => f.write_str(" val ...")?,
                }
                let mark = if stamp.ecr_is_absolute { "!" } else { "" };
                write!(f, " ecr {}{mark}", stamp.ecr)
            }
            TcpOption::Md5(Md5::Valid) => f.write_str(" valid"),
            TcpOption::Md5(Md5::Digest(bytes)) => write!(f, " {}", hex::print(bytes)),
            TcpOption::FastOpen(fast) if fast.cookie.is_empty() => Ok(()),
            TcpOption::FastOpen(fast) => write!(f, " {}", hex::print(&fast.cookie)),
            TcpOption::AccEcn(ecn) => ecn.counters().into_iter().try_for_each(|(name, value)| {
                value.map_or(Ok(()), |value| write!(f, " {name} {value}"))
            }),
            TcpOption::AckRateRequest(rate) => rate.map_or(Ok(()), |rate| write!(f, " {rate}")),
            TcpOption::Generic { kind, data } => write!(f, "{kind} {}", hex::print(data)),
            TcpOption::Experiment { id, data } => write!(f, "{id:04x} {}", hex::print(data)),
        }
    }
}

impl AccEcn {
    /// The counters in their order on the wire, with nplab's names.
    fn counters(&self) -> [(&'static str, Option<u32>); 3] {
        let (zero, ce, one) = (("ee0b", self.ect0), ("eceb", self.ce), ("ee1b", self.ect1));
        match self.ect1_first {
            true => [one, ce, zero],
            false => [zero, ce, one],
        }
    }
}
