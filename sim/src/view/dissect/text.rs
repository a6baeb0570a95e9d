//! A look into payloads: the first line of what seems to be HTTP.

/// The longest line that is shown.
const MOST: usize = 80;

/// The first line of an HTTP/1.x request or response, without its CR; printable ASCII only.
pub fn http_line(payload: &[u8]) -> Option<&str> {
    let end = payload
        .iter()
        .take(MOST + 1)
        .position(|&b| b == b'\r' || b == b'\n')?;
    let line = std::str::from_utf8(&payload[..end]).ok()?;
    let http = line.starts_with("HTTP/1.") || line.contains(" HTTP/1.");
    let printable = line.bytes().all(|b| (b' '..=b'~').contains(&b));
    (http && printable).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_http_is_seen_and_nothing_else() {
        assert_eq!(
            http_line(b"GET / HTTP/1.1\r\nHost: x\r\n"),
            Some("GET / HTTP/1.1")
        );
        assert_eq!(
            http_line(b"HTTP/1.1 404 Not Found\r\n"),
            Some("HTTP/1.1 404 Not Found")
        );
        assert_eq!(http_line(b"GET / HTTP/1.1"), None);
        assert_eq!(http_line(b"\x00 HTTP/1.1\r\n"), None);
        assert_eq!(http_line(&[b'x'; 2000]), None);
    }
}
