//! The frame around every page: one style, no script, readable on a telephone.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::front_matter::{Day, civil};
use super::page::Document;

/// The style of a site that has none of its own.
pub const STYLE: &str = "\
body { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.6 Georgia, serif; color: #222; }
header, footer, nav, .meta { font-family: system-ui, sans-serif; font-size: .9rem; }
header a { margin-right: 1rem; }
nav { display: flex; justify-content: space-between; margin-top: 3rem; }
pre { overflow-x: auto; padding: .8rem; background: #f4f4f0; font-size: .85rem; }
img { max-width: 100%; }
.meta, footer { color: #666; }
";

/// What all pages share.
pub struct Frame {
    title: String,
    summary: String,
    /// Without a slash at the end.
    url: String,
    /// Titles and paths of the pages that are no posts.
    menu: Vec<(String, String)>,
}

impl Frame {
    /// Made from the front page, if there is one.
    pub fn new<'a>(index: Option<&Document>, pages: impl Iterator<Item = &'a Document>) -> Frame {
        let url = index
            .and_then(|d| d.url.as_deref())
            .unwrap_or("http://localhost");
        Frame {
            title: index.map_or_else(|| "A site".into(), |d| d.title.clone()),
            summary: index.and_then(|d| d.summary.clone()).unwrap_or_default(),
            url: url.trim_end_matches('/').to_owned(),
            menu: pages.map(|p| (p.title.clone(), p.path.clone())).collect(),
        }
    }

    pub fn title(&self) -> &str {
        &self.title
    }

    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// A path with the site's address before it.
    pub fn absolute(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub fn index(&self, index: Option<&Document>, posts: &[Document]) -> String {
        let posts: Vec<&Document> = posts.iter().collect();
        self.around(
            &self.title,
            html! {
                h1 { (self.title) }
                @if let Some(index) = index { (PreEscaped(&index.html)) }
                (list(&posts))
            },
        )
    }

    pub fn post(
        &self,
        post: &Document,
        newer: Option<&Document>,
        older: Option<&Document>,
    ) -> String {
        self.around(
            &post.title,
            html! {
                article {
                    h1 { (post.title) }
                    p.meta {
                        (date(post.date))
                        @for tag in &post.tags { " · " a href=(tag_path(tag)) { (tag) } }
                    }
                    (PreEscaped(&post.html))
                }
                nav {
                    span { @if let Some(p) = older { a rel="prev" href=(p.path) { "← " (p.title) } } }
                    span { @if let Some(p) = newer { a rel="next" href=(p.path) { (p.title) " →" } } }
                }
            },
        )
    }

    pub fn page(&self, page: &Document) -> String {
        self.around(
            &page.title,
            html! { article { h1 { (page.title) } (PreEscaped(&page.html)) } },
        )
    }

    pub fn tags(&self, tags: &BTreeMap<&str, Vec<&Document>>) -> String {
        self.around(
            "Tags",
            html! {
                h1 { "Tags" }
                ul { @for (tag, posts) in tags { li { a href=(tag_path(tag)) { (tag) } " (" (posts.len()) ")" } } }
            },
        )
    }

    pub fn tag(&self, tag: &str, posts: &[&Document]) -> String {
        let title = format!("Tagged {tag}");
        self.around(&title, html! { h1 { (title) } (list(posts)) })
    }

    pub fn not_found(&self, page: Option<&Document>) -> String {
        let title = page.map_or("Not found", |p| p.title.as_str());
        self.around(
            title,
            html! {
                h1 { (title) }
                @if let Some(page) = page { (PreEscaped(&page.html)) }
                @else { p { "There is no such page. " a href="/" { "All that there is" } "." } }
            },
        )
    }

    fn around(&self, title: &str, body: Markup) -> String {
        let full = if title == self.title {
            title.to_owned()
        } else {
            format!("{title} · {}", self.title)
        };
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (full) }
                    link rel="stylesheet" href="/style.css";
                    link rel="alternate" type="application/rss+xml" title=(self.title) href="/feed.xml";
                }
                body {
                    header {
                        a href="/" { (self.title) }
                        @for (title, path) in &self.menu { a href=(path) { (title) } }
                        a href="/tags/" { "Tags" }
                        a href="/feed.xml" { "Feed" }
                    }
                    main { (body) }
                    footer { p { "Served by a unikernel: no file was opened for this page." } }
                }
            }
        }
        .into_string()
    }
}

fn list(posts: &[&Document]) -> Markup {
    html! {
        ul.posts {
            @for post in posts {
                li {
                    span.meta { (date(post.date)) } " "
                    a href=(post.path) { (post.title) }
                    @if let Some(summary) = &post.summary { br; (summary) }
                }
            }
        }
    }
}

fn date(day: Day) -> String {
    let (year, month, day) = civil(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Where a tag's page is.
pub fn tag_path(tag: &str) -> String {
    format!("/tags/{tag}/")
}
