//! The links of a page, for a crawl: paths on the same host, in order of appearance.

use alloc::string::String;
use alloc::vec::Vec;

/// The most links that are taken from one page.
const LINKS_MAX: usize = 1024;

/// The absolute paths that an HTML page at `base` links to by `href` or `src` in double quotes: other hosts, other
/// schemes and mere fragments are passed over, a fragment is cut off.
pub fn links(base: &str, html: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = html;
    while found.len() < LINKS_MAX {
        let next = [
            rest.find("href=\"").map(|i| i + 6),
            rest.find("src=\"").map(|i| i + 5),
        ];
        let Some(start) = next.into_iter().flatten().min() else {
            break;
        };
        rest = &rest[start..];
        let Some(end) = rest.find('"') else { break };
        if let Some(path) = resolve(base, &rest[..end]) {
            found.push(path);
        }
        rest = &rest[end..];
    }
    found
}

/// A reference's path against the page's own: RFC 3986, section 5.2, for references without authority.
fn resolve(base: &str, reference: &str) -> Option<String> {
    let path = reference.split('#').next().unwrap_or("");
    let has_scheme = path
        .split('/')
        .next()
        .is_some_and(|first| first.contains(':'));
    if path.is_empty() || has_scheme || path.starts_with("//") {
        return None;
    }
    let joined = if path.starts_with('/') {
        String::from(path)
    } else {
        let folder = base.rfind('/').map_or("/", |i| &base[..=i]);
        String::from(folder) + path
    };
    Some(remove_dot_segments(&joined))
}

fn remove_dot_segments(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." if last => segments.push(""),
            "." => {}
            ".." => {
                segments.pop();
                if last {
                    segments.push("");
                }
            }
            part => segments.push(part),
        }
    }
    String::from("/") + &segments.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_the_same_host_are_found_in_order() {
        let html = "<link href=\"/style.css\"><a href=\"b/#x\">b</a><img src=\"../i.svg\"><a href=\"http://h/\">h</a>\
                    <a href=\"mailto:a@b\">m</a><a href=\"#top\">t</a><a href=\"//h/\">h</a>";
        assert_eq!(links("/a/", html), ["/style.css", "/a/b/", "/i.svg"]);
    }

    #[test]
    fn an_unclosed_quote_ends_the_search() {
        assert!(links("/", "<a href=\"abc").is_empty());
    }

    #[test]
    fn dots_are_removed() {
        assert_eq!(resolve("/a/b", "./../../c/./d").as_deref(), Some("/c/d"));
        assert_eq!(resolve("/a/b/", "..").as_deref(), Some("/a/"));
    }
}
