//! The feed: RSS 2.0, with the dates of the posts' front matter and no other.

use maud::html;

use super::front_matter::{Day, civil};
use super::page::Document;
use super::template::Frame;

/// How many posts the feed holds.
const MAX_ITEMS: usize = 20;

/// The feed of posts, the newest first.
pub fn rss(frame: &Frame, posts: &[Document]) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\"><channel>\n",
    );
    out.push_str(&element("title", frame.title()));
    out.push_str(&element("link", &frame.absolute("/")));
    let summary = if frame.summary().is_empty() {
        frame.title()
    } else {
        frame.summary()
    };
    out.push_str(&element("description", summary));
    for post in posts.iter().take(MAX_ITEMS) {
        let link = frame.absolute(&post.path);
        out.push_str("<item>\n");
        out.push_str(&element("title", &post.title));
        out.push_str(&element("link", &link));
        out.push_str(&element("guid", &link));
        out.push_str(&element("pubDate", &rfc822(post.date)));
        out.push_str(&element(
            "description",
            post.summary.as_deref().unwrap_or(&post.title),
        ));
        out.push_str("</item>\n");
    }
    out.push_str("</channel></rss>\n");
    out
}

fn element(name: &str, text: &str) -> String {
    let escaped = html! { (text) }.into_string();
    format!("<{name}>{escaped}</{name}>\n")
}

/// RFC 822's date and time, with RFC 1123's year: midnight of a day.
fn rfc822(day: Day) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (year, month, of_month) = civil(day);
    // The first of January 1970 was a Thursday.
    let weekday = DAYS[usize::try_from(day % 7).expect("below 7")];
    let month = MONTHS[usize::try_from(month - 1).expect("a month")];
    format!("{weekday}, {of_month:02} {month} {year} 00:00:00 GMT")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::days_since_1970;

    #[test]
    fn a_date_is_rfc_822s() {
        let day = days_since_1970(2014, 7, 11).expect("a day");
        assert_eq!(rfc822(day), "Fri, 11 Jul 2014 00:00:00 GMT");
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(element("a", "<b>&"), "<a>&lt;b&gt;&amp;</a>\n");
    }
}
