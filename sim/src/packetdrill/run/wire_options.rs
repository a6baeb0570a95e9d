//! TCP options between the script's words and the header's bytes.

use crate::packetdrill::tcp_option::{AccEcn, FastOpen, Md5, SackBlock, TcpOption, Timestamp};

/// The options' kinds: <https://www.iana.org/assignments/tcp-parameters>.
mod kind {
    pub const EOL: u8 = 0;
    pub const NOP: u8 = 1;
    pub const MSS: u8 = 2;
    pub const WINDOW_SCALE: u8 = 3;
    pub const SACK_PERMITTED: u8 = 4;
    pub const SACK: u8 = 5;
    pub const TIMESTAMP: u8 = 8;
    pub const MD5: u8 = 19;
    pub const FAST_OPEN: u8 = 34;
    pub const ACC_ECN_0: u8 = 172;
    pub const ACC_ECN_1: u8 = 174;
    pub const EXPERIMENT: u8 = 254;
    pub const EXPERIMENT_1: u8 = 253;
}

/// Experiments by their identifier: <https://www.iana.org/assignments/tcp-parameters>, "TCP/UDP Experimental Option
/// Experiment Identifiers".
mod experiment {
    pub const FAST_OPEN: u16 = 0xf989;
    pub const ACC_ECN_0: u16 = 0xacc0;
    pub const ACC_ECN_1: u16 = 0xacc1;
    pub const ACK_RATE_REQUEST: u16 = 0x00ac;
}

/// Writes an option.
pub fn emit(option: &TcpOption, to: &mut Vec<u8>) {
    let mut long = |kind: u8, data: &[u8]| {
        let len = u8::try_from(data.len() + 2).expect("options have at most 40 bytes");
        to.extend([kind, len]);
        to.extend(data);
    };
    match option {
        TcpOption::Eol => to.push(kind::EOL),
        TcpOption::Nop => to.push(kind::NOP),
        TcpOption::Mss(mss) => long(kind::MSS, &mss.to_be_bytes()),
        TcpOption::WindowScale(shift) => long(kind::WINDOW_SCALE, &[*shift]),
        TcpOption::SackPermitted => long(kind::SACK_PERMITTED, &[]),
        TcpOption::Sack(blocks) => {
            let edges = blocks.iter().flat_map(|b| [b.left, b.right]);
            let data: Vec<u8> = edges.flat_map(u32::to_be_bytes).collect();
            long(kind::SACK, &data);
        }
        TcpOption::Timestamp(stamp) => {
            let words = [stamp.val.unwrap_or(0), stamp.ecr];
            let data: Vec<u8> = words.into_iter().flat_map(u32::to_be_bytes).collect();
            long(kind::TIMESTAMP, &data);
        }
        // What is valid is written when the rest of the segment is there.
        TcpOption::Md5(Md5::Valid) => long(kind::MD5, &[0; 16]),
        TcpOption::Md5(Md5::Digest(digest)) => long(kind::MD5, digest),
        TcpOption::FastOpen(fast) if !fast.is_experiment => long(kind::FAST_OPEN, &fast.cookie),
        TcpOption::FastOpen(fast) => {
            long(
                kind::EXPERIMENT,
                &with_id(experiment::FAST_OPEN, &fast.cookie),
            );
        }
        TcpOption::AccEcn(ecn) => {
            let (number, id) = match ecn.ect1_first {
                false => (kind::ACC_ECN_0, experiment::ACC_ECN_0),
                true => (kind::ACC_ECN_1, experiment::ACC_ECN_1),
            };
            let data = counters(ecn);
            match ecn.is_experiment {
                false => long(number, &data),
                true => long(kind::EXPERIMENT, &with_id(id, &data)),
            }
        }
        TcpOption::AckRateRequest(rate) => {
            let data: Vec<u8> = rate.iter().copied().collect();
            long(
                kind::EXPERIMENT_1,
                &with_id(experiment::ACK_RATE_REQUEST, &data),
            );
        }
        TcpOption::Generic { kind, data } => long(*kind, data),
        TcpOption::Experiment { id, data } => long(kind::EXPERIMENT, &with_id(*id, data)),
    }
}

fn with_id(id: u16, data: &[u8]) -> Vec<u8> {
    [&id.to_be_bytes(), data].concat()
}

/// The counters that are there, each 24 bits wide, in their order on the wire.
fn counters(ecn: &AccEcn) -> Vec<u8> {
    let order = match ecn.ect1_first {
        false => [ecn.ect0, ecn.ce, ecn.ect1],
        true => [ecn.ect1, ecn.ce, ecn.ect0],
    };
    let there = order.into_iter().flatten();
    there
        .flat_map(|n| n.to_be_bytes().into_iter().skip(1))
        .collect()
}

/// The options of a header; `None` where the bytes are not a list of options.
pub fn parse(mut bytes: &[u8]) -> Option<Vec<TcpOption>> {
    let mut options = Vec::new();
    while let [kind, rest @ ..] = bytes {
        let len = match *kind {
            kind::EOL => {
                options.push(TcpOption::Eol);
                1
            }
            kind::NOP => {
                options.push(TcpOption::Nop);
                1
            }
            kind => {
                let len = usize::from(*rest.first()?);
                let data = bytes.get(2..len)?;
                options.push(long(kind, data));
                len
            }
        };
        bytes = &bytes[len..];
    }
    Some(options)
}

/// An option with its data; one whose length is not its kind's is known by its number only.
fn long(kind: u8, data: &[u8]) -> TcpOption {
    match (kind, data) {
        (kind::MSS, &[a, b]) => TcpOption::Mss(u16::from_be_bytes([a, b])),
        (kind::WINDOW_SCALE, &[shift]) => TcpOption::WindowScale(shift),
        (kind::SACK_PERMITTED, []) => TcpOption::SackPermitted,
        (kind::SACK, data) if !data.is_empty() && data.len().is_multiple_of(8) => {
            let blocks = data.chunks_exact(8).map(|block| SackBlock {
                left: word(&block[..4]),
                right: word(&block[4..]),
            });
            TcpOption::Sack(blocks.collect())
        }
        (kind::TIMESTAMP, data) if data.len() == 8 => TcpOption::Timestamp(Timestamp {
            val: Some(word(&data[..4])),
            ecr: word(&data[4..]),
            ecr_is_absolute: false,
        }),
        (kind::MD5, data) if data.len() == 16 => TcpOption::Md5(Md5::Digest(data.to_vec())),
        (kind::FAST_OPEN, data) => fast_open(data, false),
        (kind::EXPERIMENT, &[a, b, ref data @ ..]) => match u16::from_be_bytes([a, b]) {
            experiment::FAST_OPEN => fast_open(data, true),
            id => TcpOption::Experiment {
                id,
                data: data.to_vec(),
            },
        },
        (kind, data) => TcpOption::Generic {
            kind,
            data: data.to_vec(),
        },
    }
}

fn fast_open(cookie: &[u8], is_experiment: bool) -> TcpOption {
    TcpOption::FastOpen(FastOpen {
        cookie: cookie.to_vec(),
        is_experiment,
    })
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().expect("four bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::cursor::Cursor;
    use crate::packetdrill::lex::lex;
    use crate::packetdrill::options::{Options, options};

    #[test]
    fn what_is_written_is_read_again() {
        for text in [
            "<mss 1460,nop,wscale 6,sackOK,TS val 100 ecr 0>",
            "<nop,nop,sack 1:2 3:4>",
            "<FO 0102030405060708,nop,nop>",
            "<FOEXP,eol,eol,eol,eol>",
            "<md5 000102030405060708090a0b0c0d0e0f,nop,nop>",
            "<exp-1234 55,nop,nop,nop>",
            "<gen-77 010203,eol,eol,eol>",
        ] {
            let tokens = lex(text).expect("tokens");
            let Ok(Options::These(said)) = options(&mut Cursor::new(&tokens)) else {
                panic!("{text} is a list of options");
            };
            let mut bytes = Vec::new();
            said.iter().for_each(|o| emit(o, &mut bytes));
            assert_eq!(parse(&bytes), Some(said), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_list_are_refused() {
        for bytes in [&[2_u8][..], &[2, 0], &[2, 1], &[2, 4, 5], &[8, 10, 0, 0]] {
            assert_eq!(parse(bytes), None, "{bytes:?}");
        }
    }
}
