//! The configure step: a folder of Markdown becomes a web site, before any kernel boots.
//!
//! A unikernel has no file system, and its http guest renders nothing: it serves a table of paths, types and bytes.
//! This makes the table, so that the same folder is the same site on every machine: nothing here reads a clock or a
//! file's times, and folders are read in order of names.
//!
//! - [`folder`]: the files, within bounds
//! - [`front_matter`]: what a page says about itself
//! - [`page`]: Markdown to pages and posts
//! - [`template`]: pages to HTML; [`feed`]: posts to RSS
//!
//! `index.md` is the front page, above the list of posts; `posts/X.md` becomes `/posts/X/`, any other `X.md` `/X/`,
//! and `404.md` the body of every 404. Tags have pages of their own. All other files are served as they are.

mod feed;
mod folder;
mod front_matter;
mod page;
mod template;

use std::collections::BTreeMap;
use std::path::Path;

use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use crate::plan::{Page, Site};
use folder::File;
use page::{Document, Kind};

const HTML: &str = "text/html; charset=utf-8";

/// Why a folder is not a site. Files are named relative to the folder.
#[derive(Debug, Error)]
pub enum SiteError {
    #[error("the site's folder {0:?} cannot be read: {1}")]
    Folder(String, std::io::Error),
    #[error("{0}: cannot be read: {1}")]
    File(String, std::io::Error),
    #[error("{0}: a symbolic link that leaves the site's folder")]
    Escapes(String),
    #[error("{0}: neither a file nor a folder")]
    Special(String),
    #[error("{0}: {1} bytes, and a file of a site has at most 4 MiB")]
    FileTooLarge(String, u64),
    #[error("{0}: with this file the site has more than 64 MiB")]
    SiteTooLarge(String),
    #[error("{0}: with this file the site has more than {max} files", max = folder::MAX_FILES)]
    TooManyFiles(String),
    #[error("{0}: folders nested more than {max} deep", max = folder::MAX_DEPTH)]
    TooDeep(String),
    #[error("{0}: the name cannot stand in a URL")]
    Name(String),
    #[error("{file}:{line}: not UTF-8")]
    NotUtf8 { file: String, line: usize },
    #[error("{file}:{line}: {what}")]
    FrontMatter {
        file: String,
        line: usize,
        what: String,
    },
    #[error("{file}: its page {path} is there already")]
    Twice { file: String, path: String },
}

impl SiteError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            SiteError::Folder(..) => {
                "a site is a folder of Markdown files, its path relative to the scenario's file"
            }
            SiteError::File(..) => "check that the file is there and may be read",
            SiteError::Escapes(_) => {
                "a site holds all its files itself: put a copy there instead of the link"
            }
            SiteError::Special(_) => "remove it: a site is made of files",
            SiteError::FileTooLarge(..)
            | SiteError::SiteTooLarge(_)
            | SiteError::TooManyFiles(_) => {
                "the whole site lives in the kernel's memory: leave large files out"
            }
            SiteError::TooDeep(_) => "a flatter folder will do",
            SiteError::Name(_) => "use letters, digits, `-`, `_`, `.` and `~`",
            SiteError::NotUtf8 { .. } => "save the page as UTF-8",
            SiteError::FrontMatter { .. } => {
                "a page begins with `---`, lines `title: …`, `date: 2014-07-11`, `tags: a, b`, `summary: …`, `draft: true`, and `---`"
            }
            SiteError::Twice { .. } => "rename one of the two files",
        }
    }
}

/// Renders a folder.
pub fn configure(dir: &Path) -> Result<Site, SiteError> {
    let files = folder::read(dir)?;
    let mut documents = Vec::new();
    let mut pages = Pages::default();
    for file in &files {
        if file.path.ends_with(".md") {
            documents.extend(page::document(file)?);
        } else {
            let content_type = content_type(&file.path);
            pages.add(
                &file.path,
                &format!("/{}", file.path),
                content_type,
                file.bytes.clone(),
            )?;
        }
    }
    render(documents, &files, &mut pages)?;
    Ok(Site { pages: pages.0 })
}

fn render(documents: Vec<Document>, files: &[File], pages: &mut Pages) -> Result<(), SiteError> {
    let (mut posts, others): (Vec<_>, Vec<_>) =
        documents.into_iter().partition(|d| d.kind == Kind::Post);
    posts.sort_by(|a, b| (&b.date, &a.path).cmp(&(&a.date, &b.path)));
    let index = others.iter().find(|d| d.kind == Kind::Index);
    let frame = template::Frame::new(index, others.iter().filter(|d| d.kind == Kind::Page));

    pages.html(index, "/", frame.index(index, &posts))?;
    for (i, post) in posts.iter().enumerate() {
        let newer = i.checked_sub(1).and_then(|i| posts.get(i));
        pages.html(
            Some(post),
            &post.path,
            frame.post(post, newer, posts.get(i + 1)),
        )?;
    }
    for page in others.iter().filter(|d| d.kind == Kind::Page) {
        pages.html(Some(page), &page.path, frame.page(page))?;
    }
    let tags = page::by_tag(&posts);
    pages.html(None, "/tags/", frame.tags(&tags))?;
    for (tag, tagged) in &tags {
        pages.html(None, &template::tag_path(tag), frame.tag(tag, tagged))?;
    }
    let lost = others.iter().find(|d| d.kind == Kind::NotFound);
    pages.html(lost, "/404.html", frame.not_found(lost))?;
    let feed = feed::rss(&frame, &posts).into_bytes();
    pages.add(
        "the feed",
        "/feed.xml",
        "application/rss+xml; charset=utf-8",
        feed,
    )?;
    if !files.iter().any(|f| f.path == "style.css") {
        let style = template::STYLE.as_bytes().to_vec();
        pages.add(
            "the default style",
            "/style.css",
            content_type("style.css"),
            style,
        )?;
    }
    Ok(())
}

/// The pages so far.
#[derive(Default)]
struct Pages(BTreeMap<String, Page>);

impl Pages {
    fn html(&mut self, of: Option<&Document>, path: &str, body: String) -> Result<(), SiteError> {
        let file = of.map_or(path, |d| d.file.as_str());
        self.add(file, path, HTML, body.into_bytes())
    }

    fn add(
        &mut self,
        file: &str,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<(), SiteError> {
        let page = Page {
            content_type: content_type.to_owned(),
            etag: format!("\"{:016x}\"", xxh3_64(&body)),
            body,
        };
        match self.0.insert(path.to_owned(), page) {
            None => Ok(()),
            Some(_) => Err(SiteError::Twice {
                file: file.to_owned(),
                path: path.to_owned(),
            }),
        }
    }
}

/// The type of a file by its extension.
fn content_type(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" | "htm" => HTML,
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "xml" => "application/xml",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "pdf" => "application/pdf",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
