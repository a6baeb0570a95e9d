//! What a folder becomes, and which folders are refused.

use std::fs;
use std::path::PathBuf;

use super::*;

/// A folder that goes away again.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &[u8])]) -> Folder {
        let dir = std::env::temp_dir().join(format!("evilbit-site-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        for (path, bytes) in files {
            let full = dir.join(path);
            fs::create_dir_all(full.parent().expect("a folder")).expect("made");
            fs::write(full, bytes).expect("written");
        }
        Folder(dir)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const POST: &[u8] =
    b"---\ntitle: Hello & <you>\ndate: 2014-07-11\ntags: xen\nsummary: Hi\n---\nA *word*.\n";

fn refusal(name: &str, files: &[(&str, &[u8])]) -> SiteError {
    let folder = Folder::new(name, files);
    configure(&folder.0).expect_err("refused")
}

#[test]
fn a_folder_becomes_pages_posts_tags_and_a_feed() {
    let folder = Folder::new(
        "whole",
        &[
            (
                "index.md",
                b"---\ntitle: T\nurl: http://10.0.0.2/\n---\nWelcome.\n",
            ),
            ("about.md", b"About.\n"),
            ("posts/hello.md", POST),
            (
                "posts/later.md",
                b"---\ntitle: Later\ndate: 2014-08-01\n---\nMore.\n",
            ),
            (
                "posts/secret.md",
                b"---\ntitle: Draft\ndate: 2014-08-01\ndraft: true\n---\n",
            ),
            ("ring.svg", b"<svg/>"),
        ],
    );
    let site = configure(&folder.0).expect("a site");
    let paths: Vec<&str> = site.pages.keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        [
            "/",
            "/404.html",
            "/about/",
            "/feed.xml",
            "/posts/hello/",
            "/posts/later/",
            "/ring.svg",
            "/style.css",
            "/tags/",
            "/tags/xen/"
        ]
    );
    let text = |path: &str| String::from_utf8_lossy(&site.pages[path].body).into_owned();
    let index = text("/");
    assert!(
        index.find("Later").expect("there") < index.find("Hello").expect("there"),
        "the newest first"
    );
    let hello = text("/posts/hello/");
    assert!(hello.contains("Hello &amp; &lt;you&gt;") && hello.contains("<em>word</em>"));
    assert!(
        hello.contains("rel=\"next\" href=\"/posts/later/\"") && !hello.contains("rel=\"prev\"")
    );
    assert!(text("/feed.xml").contains("<link>http://10.0.0.2/posts/hello/</link>"));
    assert!(text("/feed.xml").contains("Fri, 11 Jul 2014 00:00:00 GMT"));
    assert_eq!(site.pages["/ring.svg"].content_type, "image/svg+xml");
    assert_eq!(configure(&folder.0).expect("again"), site);
}

#[test]
fn an_etag_is_the_bodys() {
    let one = configure(&Folder::new("etag1", &[("a.txt", b"1")]).0).expect("a site");
    let two = configure(&Folder::new("etag2", &[("a.txt", b"2")]).0).expect("a site");
    let tag = |site: &Site| site.pages["/a.txt"].etag.clone();
    assert_ne!(tag(&one), tag(&two));
    assert!(tag(&one).starts_with('"') && tag(&one).ends_with('"') && tag(&one).len() == 18);
    assert_eq!(one.pages["/404.html"], two.pages["/404.html"]);
}

#[test]
fn what_cannot_be_served_is_refused_by_name() {
    assert!(matches!(
        configure(Path::new("/no/such/folder")),
        Err(SiteError::Folder(..))
    ));
    let latin = refusal("latin", &[("a.md", b"one\ntwo \xE9\n")]);
    assert_eq!(latin.to_string(), "a.md:2: not UTF-8");
    let undated = refusal("undated", &[("posts/a.md", b"---\ntitle: x\n---\n")]);
    assert!(
        undated
            .to_string()
            .starts_with("posts/a.md:1: a post needs a date")
    );
    let name = refusal("name", &[("a b.txt", b"")]);
    assert!(matches!(name, SiteError::Name(_)));
    let twice = refusal("twice", &[("a.md", b"x"), ("a/index.md", b"y")]);
    assert!(matches!(twice, SiteError::Twice { .. }), "{twice}");
    let large = refusal("large", &[("a.bin", &vec![0; (4 << 20) + 1])]);
    assert!(
        matches!(large, SiteError::FileTooLarge(_, 4_194_305)),
        "{large}"
    );
}

#[cfg(unix)]
#[test]
fn a_link_may_not_leave_the_folder() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new("links", &[("a.txt", b"a")]);
    symlink(folder.0.join("a.txt"), folder.0.join("b.txt")).expect("linked");
    assert!(
        configure(&folder.0)
            .expect("inside")
            .pages
            .contains_key("/b.txt")
    );
    for target in ["/etc/hostname", "/no/such", ".", "c.txt"] {
        let link = folder.0.join("c.txt");
        symlink(target, &link).expect("linked");
        let error = configure(&folder.0).expect_err("refused");
        assert!(
            matches!(&error, SiteError::Escapes(f) if f == "c.txt"),
            "{target}: {error}"
        );
        fs::remove_file(link).expect("removed");
    }
}

#[test]
fn every_page_of_the_blog_is_linked_from_its_front_page() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/blog/site");
    let site = configure(&dir).expect("the blog");
    let mut found = BTreeMap::from([("/".to_owned(), false)]);
    while let Some(path) = found
        .iter()
        .find(|(_, seen)| !**seen)
        .map(|(p, _)| p.clone())
    {
        let page = site
            .pages
            .get(&path)
            .unwrap_or_else(|| panic!("a dead link to {path}"));
        if page.content_type == HTML {
            let html = String::from_utf8_lossy(&page.body);
            for link in stack::app::script::links::links(&path, &html) {
                found.entry(link).or_insert(false);
            }
        }
        found.insert(path, true);
    }
    let missed: Vec<&String> = site
        .pages
        .keys()
        .filter(|p| !found.contains_key(*p))
        .collect();
    assert_eq!(missed, ["/404.html"], "which answers for all others");
    let bytes: usize = site.pages.values().map(|p| p.body.len()).sum();
    assert!(
        (20_000..100_000).contains(&bytes),
        "worth a few dozen segments: {bytes}"
    );
}
