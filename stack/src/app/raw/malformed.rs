//! Every malformed list of TCP options that fits a header's one extra word, over an alphabet of bytes that mean something
//! to a parser: an option's length is the one byte of a segment that says where to read on, and nobody checks it for us.

/// The bytes that lists are made of. As kinds: those that a TCP may know, the experimental ones and the reserved. As
/// lengths: too short, about right, beyond the list, and beyond any. Each stands at each place, as kind, length or data.
const ALPHABET: [u8; 15] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 30, 34, 40, 253, 254, 255];

/// Octets of a list: one word of the header.
const LEN: usize = 4;

/// Every malformed list, in order.
pub fn lists() -> impl Iterator<Item = [u8; LEN]> {
    let base = ALPHABET.len();
    (0..base.pow(LEN as u32))
        .map(move |n| {
            let digit = |place: u32| ALPHABET[n / base.pow(place) % base];
            [digit(3), digit(2), digit(1), digit(0)]
        })
        .filter(|list| is_malformed(list))
}

/// Whether a parser that moves from option to option (RFC 9293, section 3.1) meets one whose length is missing, below 2,
/// beyond the list or wrong for its kind.
fn is_malformed(list: &[u8]) -> bool {
    let mut rest = list;
    while let Some((&kind, after_kind)) = rest.split_first() {
        if kind == END {
            return false;
        }
        if kind == NOP {
            rest = after_kind;
            continue;
        }
        let Some(&length) = after_kind.first() else {
            return true;
        };
        match rest.get(length.into()..) {
            Some(next) if is_length_of(kind, length) => rest = next,
            _ => return true,
        }
    }
    false
}

const END: u8 = 0;
const NOP: u8 = 1;

/// Whether options of `kind` may be so long: IANA's registry of option kinds, and RFC 2018 for SACK's blocks.
fn is_length_of(kind: u8, length: u8) -> bool {
    match kind {
        2 => length == 4,
        3 => length == 3,
        4 => length == 2,
        5 => length >= 10 && length % 8 == 2,
        6 | 7 => length == 6,
        8 => length == 10,
        _ => length >= 2,
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn the_lists_are_those_that_a_naive_parser_does_not_understand() {
        let bytes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 30, 34, 40, 253, 254, 255];
        let mut expected = Vec::new();
        for a in bytes {
            for b in bytes {
                for c in bytes {
                    for d in bytes {
                        if !understood(&[a, b, c, d]) {
                            expected.push([a, b, c, d]);
                        }
                    }
                }
            }
        }
        assert_eq!(expected.len(), COUNT);
        assert!(lists().eq(expected));
    }

    /// What `scenarios/evil/zero-length-option.kdl` counts.
    const COUNT: usize = 44_929;

    /// One option written out after the other, as far as four octets go: what is none of these is malformed.
    fn understood(list: &[u8]) -> bool {
        match list {
            [] | [0, ..] => true,
            [1, rest @ ..] | [4, 2, rest @ ..] | [3, 3, _, rest @ ..] | [2, 4, _, _, rest @ ..] => {
                understood(rest)
            }
            // Kinds whose options are of different lengths, or of any.
            [30 | 34 | 40 | 253..=255, 2, rest @ ..]
            | [30 | 34 | 40 | 253..=255, 3, _, rest @ ..]
            | [30 | 34 | 40 | 253..=255, 4, _, _, rest @ ..] => understood(rest),
            _ => false,
        }
    }

    #[test]
    fn the_list_of_2014_is_one_of_them() {
        assert!(lists().any(|list| list == [1, 2, 0, 0]));
    }

    #[test]
    fn what_a_correct_sender_writes_is_none_of_them() {
        for list in [
            [2, 4, 5, 180],
            [1, 3, 3, 7],
            [1, 1, 4, 2],
            [0, 0, 0, 0],
            [254, 4, 0, 0],
        ] {
            assert!(!is_malformed(&list), "{list:?}");
        }
    }
}
