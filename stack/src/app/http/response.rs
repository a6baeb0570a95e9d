//! Writing a response's head: RFC 9110's fields, in a fixed order.

use alloc::format;
use alloc::string::String;

use super::date;

/// What a response's head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    pub status: u16,
    /// Seconds since 1970, for `Date`.
    pub wall_secs: u64,
    pub content_type: Option<&'a str>,
    pub etag: Option<&'a str>,
    /// `Content-Length`: of the page, even where no body follows (HEAD). `None` for 304.
    pub length: Option<u64>,
    /// `Allow`, for 405.
    pub allow: bool,
    pub keep_alive: bool,
}

/// The reason phrase of the statuses that this server sends.
pub const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        304 => "Not Modified",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

impl Head<'_> {
    /// The head's text, with the empty line that ends it.
    pub fn text(&self) -> String {
        let mut head = format!(
            "HTTP/1.1 {} {}\r\nServer: evilbit\r\nDate: {}\r\n",
            self.status,
            reason(self.status),
            date::imf_fixdate(self.wall_secs)
        );
        let mut field = |name: &str, value: &str| {
            for part in [name, ": ", value, "\r\n"] {
                head.push_str(part);
            }
        };
        if let Some(v) = self.content_type {
            field("Content-Type", v);
        }
        if let Some(v) = self.length {
            field("Content-Length", &format!("{v}"));
        }
        if let Some(v) = self.etag {
            field("ETag", v);
        }
        if self.allow {
            field("Allow", "GET, HEAD");
        }
        field(
            "Connection",
            if self.keep_alive {
                "keep-alive"
            } else {
                "close"
            },
        );
        head.push_str("\r\n");
        head
    }
}

/// Whether an `If-None-Match` list names `etag`: RFC 9110, 13.1.2, by weak comparison.
pub fn none_match_hits(list: &str, etag: &str) -> bool {
    let strong = |tag: &str| -> String { tag.trim().trim_start_matches("W/").into() };
    list.trim() == "*" || list.split(',').any(|tag| strong(tag) == strong(etag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_length_and_connection() {
        let head = Head {
            status: 200,
            wall_secs: 1_405_036_800,
            content_type: Some("text/html"),
            etag: Some("\"x\""),
            length: Some(5),
            allow: false,
            keep_alive: true,
        };
        assert_eq!(
            head.text(),
            "HTTP/1.1 200 OK\r\nServer: evilbit\r\nDate: Fri, 11 Jul 2014 00:00:00 GMT\r\nContent-Type: text/html\r\n\
             Content-Length: 5\r\nETag: \"x\"\r\nConnection: keep-alive\r\n\r\n"
        );
    }

    #[test]
    fn if_none_match_compares_weakly() {
        assert!(none_match_hits("\"a\", W/\"b\"", "\"b\""));
        assert!(none_match_hits("*", "\"b\""));
        assert!(!none_match_hits("\"a\"", "\"b\""));
    }
}
