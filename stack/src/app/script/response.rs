//! Reading an HTTP response as a client: RFC 9112, section 6.3, over what has arrived so far.

use alloc::string::String;

use thiserror::Error;

/// The longest response head that is read, bytes.
const HEAD_MAX: usize = 16_384;

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// After so many bytes.
    Length(u64),
    /// With the stream.
    UntilClose,
}

/// A response's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    pub status: u16,
    /// Bytes of the head, with its empty line.
    pub len: usize,
    pub body: Body,
    pub content_type: String,
    pub etag: Option<String>,
    /// The server will close the connection.
    pub close: bool,
}

/// Why bytes are not a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ResponseError {
    #[error("the response's head is malformed")]
    Malformed,
    #[error("the response's head is too long")]
    TooLong,
    #[error("the response is chunked, which was not asked for")]
    Chunked,
}

/// The head at the front of `buffer`, once it is whole. `head_only`: the request was HEAD, no body follows.
pub fn parse(buffer: &[u8], head_only: bool) -> Result<Option<ResponseHead>, ResponseError> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut fields);
    let len = match response.parse(buffer) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) if buffer.len() > HEAD_MAX => {
            return Err(ResponseError::TooLong);
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(ResponseError::Malformed),
    };
    let (Some(status), Some(version)) = (response.code, response.version) else {
        return Err(ResponseError::Malformed);
    };
    let field = |name: &str| {
        let found = response
            .headers
            .iter()
            .find(|f| f.name.eq_ignore_ascii_case(name))?;
        core::str::from_utf8(found.value).ok().map(str::trim)
    };
    if field("transfer-encoding").is_some() {
        return Err(ResponseError::Chunked);
    }
    let body = match field("content-length") {
        _ if head_only || status == 304 || status == 204 || status < 200 => Body::Length(0),
        Some(text) => Body::Length(text.parse().map_err(|_| ResponseError::Malformed)?),
        None => Body::UntilClose,
    };
    let connection = field("connection").unwrap_or("");
    Ok(Some(ResponseHead {
        status,
        len,
        body,
        content_type: field("content-type").unwrap_or("").into(),
        etag: field("etag").map(String::from),
        close: connection.eq_ignore_ascii_case("close") || version == 0 || body == Body::UntilClose,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_ends_by_its_length_or_with_the_stream() {
        let r = parse(
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: a/b\r\n\r\nhello",
            false,
        )
        .unwrap()
        .unwrap();
        assert_eq!(
            (r.status, r.body, r.close, r.content_type.as_str()),
            (200, Body::Length(5), false, "a/b")
        );
        let r = parse(b"HTTP/1.0 200 OK\r\n\r\n", false).unwrap().unwrap();
        assert_eq!((r.body, r.close), (Body::UntilClose, true));
    }

    #[test]
    fn no_body_follows_a_head_request_or_304() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(parse(bytes, true).unwrap().unwrap().body, Body::Length(0));
        let r = parse(b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", false)
            .unwrap()
            .unwrap();
        assert_eq!(
            (r.body, r.etag.as_deref()),
            (Body::Length(0), Some("\"x\""))
        );
    }

    #[test]
    fn nonsense_is_an_error_and_a_part_is_waited_for() {
        assert_eq!(parse(b"HTTP/1.1 20", false), Ok(None));
        assert_eq!(parse(b"\0", false), Err(ResponseError::Malformed));
        assert_eq!(
            parse(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", false),
            Err(ResponseError::Malformed)
        );
    }
}
