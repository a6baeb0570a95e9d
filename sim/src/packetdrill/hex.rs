//! Bytes written as hexadecimal digits without a prefix: cookies, digests, unknown options.
//!
//! Such bytes look like a word or like a number, depending on their digits.

use super::cursor::{Cursor, Parsed};
use super::token::{Kind, Token};
use crate::scenario::Problem;

/// May this token be bytes?
pub fn is_blob(token: Token<'_>) -> bool {
    let digits = token.text.bytes().all(|b| b.is_ascii_hexdigit());
    matches!(token.kind, Kind::Word | Kind::Integer) && digits
}

/// Takes at most `max` bytes.
pub fn bytes(cursor: &mut Cursor<'_>, max: usize) -> Parsed<Vec<u8>> {
    let token = cursor.peek();
    if !matches!(token.kind, Kind::Word | Kind::Integer) {
        return Err(cursor.unexpected("hexadecimal digits", "two digits a byte, as in 3f01"));
    }
    cursor.advance();
    parse(token.text)
        .filter(|bytes| bytes.len() <= max)
        .ok_or_else(|| {
            let what = format!("`{}` is not bytes", token.text);
            let hint = format!("two hexadecimal digits a byte, at most {max} bytes");
            Problem::new(token.span, what, "these digits", hint)
        })
}

/// Takes bytes if some come next, or none.
pub fn optional(cursor: &mut Cursor<'_>, max: usize) -> Parsed<Vec<u8>> {
    match cursor.peek().kind {
        Kind::Word | Kind::Integer => bytes(cursor, max),
        _ => Ok(Vec::new()),
    }
}

/// The digits of bytes.
pub fn print(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? * 16 + digit(*low)?),
            _ => None,
        })
        .collect()
}

fn digit(character: u8) -> Option<u8> {
    let value = char::from(character).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_are_a_byte() {
        assert_eq!(parse("00fF1a"), Some(vec![0, 0xff, 0x1a]));
        assert_eq!(parse("123"), None);
        assert_eq!(parse("-1"), None);
        assert_eq!(print(&[0, 0xff]), "00ff");
    }
}
