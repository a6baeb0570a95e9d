//! From a Markdown file to a page's parts.

use std::collections::BTreeMap;

use pulldown_cmark::{Options, Parser, html};

use super::SiteError;
use super::folder::File;
use super::front_matter::{self, Day};

/// What a document is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Index,
    NotFound,
    Post,
    Page,
}

/// A rendered document, without the frame around it.
#[derive(Debug)]
pub struct Document {
    pub file: String,
    pub kind: Kind,
    /// Where it is served.
    pub path: String,
    pub title: String,
    pub date: Day,
    pub tags: Vec<String>,
    pub summary: Option<String>,
    pub url: Option<String>,
    pub html: String,
}

/// Reads a Markdown file; `None`: a draft.
pub fn document(file: &File) -> Result<Option<Document>, SiteError> {
    let text = std::str::from_utf8(&file.bytes).map_err(|e| {
        let before = &file.bytes[..e.valid_up_to()];
        SiteError::NotUtf8 {
            file: file.path.clone(),
            line: before.iter().filter(|&&b| b == b'\n').count() + 1,
        }
    })?;
    let (matter, body) = front_matter::take(&file.path, text)?;
    if matter.draft {
        return Ok(None);
    }
    let stem = file.path.strip_suffix(".md").expect("a Markdown file");
    let kind = match stem {
        "index" => Kind::Index,
        "404" => Kind::NotFound,
        _ if stem.starts_with("posts/") => Kind::Post,
        _ => Kind::Page,
    };
    let missing = |what: &str| SiteError::FrontMatter {
        file: file.path.clone(),
        line: 1,
        what: format!("a post needs a {what} in its front matter"),
    };
    if kind == Kind::Post && matter.date.is_none() {
        return Err(missing("date"));
    }
    let title = match matter.title {
        Some(title) => title,
        None if kind == Kind::Post => return Err(missing("title")),
        None => stem.rsplit('/').next().unwrap_or(stem).to_owned(),
    };
    Ok(Some(Document {
        file: file.path.clone(),
        kind,
        path: path(kind, stem),
        title,
        date: matter.date.unwrap_or(0),
        tags: matter.tags,
        summary: matter.summary,
        url: matter.url,
        html: markdown(body),
    }))
}

fn path(kind: Kind, stem: &str) -> String {
    match kind {
        Kind::Index => "/".into(),
        Kind::NotFound => "/404.html".into(),
        Kind::Post | Kind::Page => format!("/{}/", stem.strip_suffix("/index").unwrap_or(stem)),
    }
}

fn markdown(text: &str) -> String {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
    let mut out = String::with_capacity(text.len() * 3 / 2);
    html::push_html(&mut out, Parser::new_ext(text, options));
    out
}

/// The posts of each tag, in the posts' order.
pub fn by_tag(posts: &[Document]) -> BTreeMap<&str, Vec<&Document>> {
    let mut tags: BTreeMap<&str, Vec<&Document>> = BTreeMap::new();
    for post in posts {
        for tag in &post.tags {
            tags.entry(tag).or_default().push(post);
        }
    }
    tags
}
