//! A text in a script is C's: its escapes stand for bytes.

/// The bytes of a text's pieces; `None` if an escape is none of C's.
pub fn bytes(pieces: &[String]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for piece in pieces {
        let mut rest = piece.as_bytes();
        while let [first, after @ ..] = rest {
            let (byte, behind) = match (first, after) {
                (b'\\', [escape, after @ ..]) => escaped(*escape, after)?,
                (b'\\', []) => return None,
                (plain, after) => (*plain, after),
            };
            bytes.push(byte);
            rest = behind;
        }
    }
    Some(bytes)
}

/// The byte of an escape, and what follows it.
fn escaped(escape: u8, after: &[u8]) -> Option<(u8, &[u8])> {
    let simple = match escape {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'v' => 11,
        b'\\' | b'"' | b'\'' | b'?' => escape,
        b'x' => return digits(after, 16, usize::MAX),
        b'0'..=b'7' => {
            let (more, behind) = digits(after, 8, 2).unwrap_or((0, after));
            let shift = 3 * (after.len() - behind.len()) as u32;
            let value = u32::from(escape - b'0') << shift | u32::from(more);
            return Some((u8::try_from(value).ok()?, behind));
        }
        _ => return None,
    };
    Some((simple, after))
}

/// A number of at most so many digits, one at least; it must fit a byte.
fn digits(text: &[u8], radix: u32, most: usize) -> Option<(u8, &[u8])> {
    let mut value = 0u32;
    let mut used = 0;
    while used < most
        && let Some(digit) = text.get(used).and_then(|&b| char::from(b).to_digit(radix))
    {
        value = value.saturating_mul(radix).saturating_add(digit);
        used += 1;
    }
    (used > 0).then_some((u8::try_from(value).ok()?, &text[used..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_stand_for_bytes() {
        for (text, wanted) in [
            (r"ab", Some(&b"ab"[..])),
            (r"\xf7z\x0A", Some(b"\xF7z\x0A")),
            (r"\n\\\0\101\1018", Some(b"\n\\\0AA8")),
            (r"\q", None),
            (r"\x", None),
            (r"\x100", None),
            (r"\777", None),
        ] {
            assert_eq!(bytes(&[text.to_owned()]).as_deref(), wanted, "{text}");
        }
        // A piece ends an escape.
        let pieces = [r"\x1".to_owned(), "1".to_owned()];
        assert_eq!(bytes(&pieces).as_deref(), Some(&b"\x011"[..]));
    }
}
