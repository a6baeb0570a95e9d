//! The site that a kernel serves: an immutable table of pages, rendered when the guest was configured, and its
//! encoding as a boot module.
//!
//! Nothing is rendered at run time (as Mirage crunches files): the kernel looks a path up and sends its bytes. The
//! module is a count and then, for each page in ascending order of paths, four length-prefixed fields: path, content
//! type, entity tag, body.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use thiserror::Error;
use xen_abi::codec::{DecodeError, Get, Put};

/// A page's parts, borrowed from the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<'a> {
    /// The absolute path: `/posts/fin/`.
    pub path: &'a str,
    /// The value of `Content-Type`.
    pub content_type: &'a str,
    /// The value of `ETag`, with its quotes.
    pub etag: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// Why a module is not a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SiteError {
    /// The bytes are not the encoding.
    #[error("the site's module is malformed: {0}")]
    Malformed(DecodeError),
    /// A text field is not UTF-8, or the paths are not in ascending order.
    #[error("the site's module is malformed: a path, type or tag")]
    Text,
}

impl From<DecodeError> for SiteError {
    fn from(e: DecodeError) -> Self {
        SiteError::Malformed(e)
    }
}

struct Entry {
    path: String,
    content_type: String,
    etag: String,
    body: Range<usize>,
}

/// A site in memory; cheap to clone.
#[derive(Clone)]
pub struct Site {
    bytes: Rc<[u8]>,
    entries: Rc<[Entry]>,
}

/// Encodes pages, which must come in ascending order of their paths (asserted), as a boot module.
pub fn encode<'a>(pages: impl IntoIterator<Item = Page<'a>>) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_u32(0);
    let mut count = 0u32;
    let mut last: Option<&str> = None;
    for page in pages {
        assert!(
            last.is_none_or(|l| l < page.path),
            "pages are encoded in ascending order of their paths"
        );
        last = Some(page.path);
        for field in [
            page.path.as_bytes(),
            page.content_type.as_bytes(),
            page.etag.as_bytes(),
            page.body,
        ] {
            out.put_bytes(field);
        }
        count += 1;
    }
    out[..4].copy_from_slice(&count.to_le_bytes());
    out
}

impl Site {
    /// A site without pages: everything is 404.
    pub fn empty() -> Site {
        Site {
            bytes: Rc::from([]),
            entries: Rc::from([]),
        }
    }

    /// The site that a module holds.
    pub fn decode(module: Rc<[u8]>) -> Result<Site, SiteError> {
        let mut get = Get(&module);
        let count = get.u32()?;
        let mut entries: Vec<Entry> = Vec::new();
        for _ in 0..count {
            let text = |bytes: &[u8]| {
                core::str::from_utf8(bytes)
                    .map(String::from)
                    .map_err(|_| SiteError::Text)
            };
            let path = text(get.bytes()?)?;
            let content_type = text(get.bytes()?)?;
            let etag = text(get.bytes()?)?;
            let body = get.bytes()?;
            let end = module.len() - get.0.len();
            if entries.last().is_some_and(|l| l.path >= path) {
                return Err(SiteError::Text);
            }
            entries.push(Entry {
                path,
                content_type,
                etag,
                body: end - body.len()..end,
            });
        }
        get.end()?;
        Ok(Site {
            entries: entries.into(),
            bytes: module,
        })
    }

    /// The page at a path.
    pub fn get(&self, path: &str) -> Option<Page<'_>> {
        let i = self
            .entries
            .binary_search_by(|e| e.path.as_str().cmp(path))
            .ok()?;
        Some(self.page(&self.entries[i]))
    }

    /// All pages in order of their paths.
    pub fn pages(&self) -> impl Iterator<Item = Page<'_>> {
        self.entries.iter().map(|e| self.page(e))
    }

    fn page<'a>(&'a self, e: &'a Entry) -> Page<'a> {
        Page {
            path: &e.path,
            content_type: &e.content_type,
            etag: &e.etag,
            body: &self.bytes[e.body.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module() -> Vec<u8> {
        encode([
            Page {
                path: "/",
                content_type: "text/html",
                etag: "\"1\"",
                body: b"home",
            },
            Page {
                path: "/a",
                content_type: "text/plain",
                etag: "\"2\"",
                body: b"",
            },
        ])
    }

    #[test]
    fn a_site_survives_its_module() {
        let site = Site::decode(module().into()).unwrap();
        assert_eq!(site.get("/").unwrap().body, b"home");
        assert_eq!(site.get("/a").unwrap().etag, "\"2\"");
        assert!(site.get("/b").is_none());
        assert_eq!(site.pages().count(), 2);
    }

    #[test]
    fn a_cut_or_padded_module_is_refused() {
        let module = module();
        for n in 0..module.len() {
            assert!(Site::decode(module[..n].into()).is_err(), "cut at {n}");
        }
        let mut long = module;
        long.push(0);
        assert!(Site::decode(long.into()).is_err());
    }
}
