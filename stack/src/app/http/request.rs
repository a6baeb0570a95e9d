//! Reading a request: RFC 9112's framing over an incremental buffer.
//!
//! The buffer holds whatever has arrived; [`parse`] says whether a whole request head is there, how long it is, and
//! what it asks. What is wrong with a request is a status code, because that is what the client is told.

use alloc::string::String;

/// The longest request head that is read, bytes: more is 431.
pub const HEAD_MAX: usize = 8192;
/// Header fields that are read: more is 431.
pub const HEADERS_MAX: usize = 64;
/// The longest body that is read and thrown away, bytes: a longer one closes the connection.
pub const BODY_MAX: u64 = 65_536;

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The page.
    Get,
    /// The page's head.
    Head,
    /// Any other: 405.
    Other,
}

/// A request's head, as far as this server heeds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    /// The method as it was written.
    pub method_text: String,
    /// The absolute path, without query and fragment.
    pub path: String,
    /// `If-None-Match`
    pub if_none_match: Option<String>,
    /// The connection stays open after the answer.
    pub keep_alive: bool,
    /// Bytes of body that follow the head; they are skipped.
    pub body: u64,
}

/// What lies at the front of the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// Not yet a whole head.
    Partial,
    /// A head of so many bytes.
    Head { len: usize, request: Request },
    /// Not a request that can be served: answer with this status and close.
    Refused { status: u16 },
}

/// Parses the head at the front of `buffer`.
pub fn parse(buffer: &[u8]) -> Parsed {
    let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut fields);
    let len = match head.parse(buffer) {
        Ok(httparse::Status::Complete(len)) if len <= HEAD_MAX => len,
        Ok(httparse::Status::Complete(_)) => return Parsed::Refused { status: 431 },
        Ok(httparse::Status::Partial) if buffer.len() >= HEAD_MAX => {
            return Parsed::Refused { status: 431 };
        }
        Ok(httparse::Status::Partial) => return Parsed::Partial,
        Err(httparse::Error::TooManyHeaders) => return Parsed::Refused { status: 431 },
        Err(_) => return Parsed::Refused { status: 400 },
    };
    match request(&head) {
        Ok(request) => Parsed::Head { len, request },
        Err(status) => Parsed::Refused { status },
    }
}

fn request(head: &httparse::Request<'_, '_>) -> Result<Request, u16> {
    let (Some(method), Some(target), Some(version)) = (head.method, head.path, head.version) else {
        return Err(400);
    };
    let mut host = 0;
    let mut body = None;
    let mut if_none_match = None;
    // RFC 9112, 9.3: HTTP/1.1 persists unless told otherwise, HTTP/1.0 only when asked to.
    let mut keep_alive = version == 1;
    for field in head.headers.iter() {
        let value = core::str::from_utf8(field.value).map(str::trim);
        match field.name {
            n if n.eq_ignore_ascii_case("host") => host += 1,
            n if n.eq_ignore_ascii_case("content-length") => {
                let n = parse_length(value.map_err(|_| 400u16)?).ok_or(400u16)?;
                // RFC 9112, 6.3: differing lengths are a request smuggled in.
                if body.is_some_and(|b| b != n) {
                    return Err(400);
                }
                body = Some(n);
            }
            // No page takes a body: a chunked one is not worth its decoder (RFC 9112, 6.1).
            n if n.eq_ignore_ascii_case("transfer-encoding") => return Err(501),
            n if n.eq_ignore_ascii_case("connection") => {
                for option in value.unwrap_or("").split(',').map(str::trim) {
                    if option.eq_ignore_ascii_case("close") {
                        keep_alive = false;
                    } else if option.eq_ignore_ascii_case("keep-alive") && version == 0 {
                        keep_alive = true;
                    }
                }
            }
            n if n.eq_ignore_ascii_case("if-none-match") => {
                if_none_match = value.ok().map(String::from)
            }
            _ => {}
        }
    }
    // RFC 9112, 3.2: an HTTP/1.1 request without exactly one Host is answered 400.
    if host > 1 || (version == 1 && host == 0) {
        return Err(400);
    }
    let body = body.unwrap_or(0);
    if body > BODY_MAX {
        return Err(413);
    }
    let method_kind = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        _ => Method::Other,
    };
    let path = path_of(target).ok_or(400u16)?;
    Ok(Request {
        method: method_kind,
        method_text: method.into(),
        path,
        if_none_match,
        keep_alive,
        body,
    })
}

/// `Content-Length` is digits only: RFC 9110, 8.6.
fn parse_length(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// The path of an origin-form or absolute-form target (RFC 9112, 3.2), without its query.
fn path_of(target: &str) -> Option<String> {
    let path = match target.strip_prefix("http://") {
        Some(rest) => &rest[rest.find('/').unwrap_or(rest.len())..],
        None => target,
    };
    let path = path.split(['?', '#']).next().unwrap_or("");
    if path.is_empty() && target.starts_with("http://") {
        return Some("/".into());
    }
    // `*` is a target of OPTIONS only; it names no page.
    (path.starts_with('/') || target == "*").then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Request {
        match parse(text.as_bytes()) {
            Parsed::Head { len, request } if len == text.len() => request,
            other => panic!("{other:?}"),
        }
    }
    fn status(text: &str) -> u16 {
        match parse(text.as_bytes()) {
            Parsed::Refused { status } => status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn http_1_1_persists_unless_told_to_close() {
        assert!(head("GET / HTTP/1.1\r\nHost: a\r\n\r\n").keep_alive);
        assert!(!head("GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n").keep_alive);
        assert!(!head("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert!(head("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
    }

    #[test]
    fn an_incomplete_head_is_waited_for() {
        assert_eq!(parse(b""), Parsed::Partial);
        assert_eq!(parse(b"GET / HTTP/1.1\r\nHost: a\r\n"), Parsed::Partial);
    }

    #[test]
    fn the_path_comes_without_query_and_authority() {
        assert_eq!(head("GET /a?b#c HTTP/1.0\r\n\r\n").path, "/a");
        assert_eq!(head("GET http://h:80/a HTTP/1.0\r\n\r\n").path, "/a");
        assert_eq!(head("GET http://h HTTP/1.0\r\n\r\n").path, "/");
    }

    #[test]
    fn a_bad_request_has_its_status() {
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), 400, "no Host");
        assert_eq!(
            status("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
            400,
            "two Hosts"
        );
        assert_eq!(
            status("GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
            400,
            "relative path"
        );
        assert_eq!(status("\0\0\r\n\r\n"), 400);
        assert_eq!(
            status("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n"),
            400
        );
        assert_eq!(
            status("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"),
            400
        );
        assert_eq!(
            status("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
            501
        );
        assert_eq!(
            status("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n"),
            413
        );
    }

    #[test]
    fn a_head_too_long_is_431() {
        let long = alloc::format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(HEAD_MAX));
        assert_eq!(status(&long), 431);
        let many = alloc::format!(
            "GET / HTTP/1.1\r\n{}\r\n",
            "X: y\r\n".repeat(HEADERS_MAX + 1)
        );
        assert_eq!(status(&many), 431);
    }
}
