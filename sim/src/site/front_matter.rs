//! What a page says about itself, in lines of `key: value` between two `---` at its head.

use super::SiteError;
use crate::scenario::days_since_1970;

/// A day, as days since 1970.
pub type Day = u64;

/// A page's own words about itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FrontMatter {
    pub title: Option<String>,
    pub date: Option<Day>,
    pub tags: Vec<String>,
    pub summary: Option<String>,
    pub draft: bool,
    /// Of the front page: where the site will stand, for the feed.
    pub url: Option<String>,
}

/// Takes the front matter off a text: what it says, and the text behind it.
pub fn take<'a>(file: &str, text: &'a str) -> Result<(FrontMatter, &'a str), SiteError> {
    let mut matter = FrontMatter::default();
    let mut lines = text.split_inclusive('\n');
    let mut taken = match lines.next() {
        Some(first) if first.trim_end() == "---" => first.len(),
        _ => return Ok((matter, text)),
    };
    let wrong = |line: usize, what: String| SiteError::FrontMatter {
        file: file.to_owned(),
        line,
        what,
    };
    for (number, line) in (2..).zip(lines) {
        taken += line.len();
        let line = line.trim();
        if line == "---" {
            return Ok((matter, &text[taken..]));
        }
        if line.is_empty() {
            continue;
        }
        let Some((key, value)) = line.split_once(':') else {
            return Err(wrong(number, format!("{line:?} is not `key: value`")));
        };
        matter
            .set(key.trim(), value.trim())
            .map_err(|what| wrong(number, what))?;
    }
    Err(wrong(1, "the front matter has no second `---`".to_owned()))
}

impl FrontMatter {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let text = || Some(value.trim_matches('"').to_owned());
        match key {
            "title" => self.title = text(),
            "summary" => self.summary = text(),
            "url" => self.url = text(),
            "date" => {
                let day = day(value)
                    .ok_or_else(|| format!("{value:?} is not a day such as 2014-07-11"))?;
                self.date = Some(day);
            }
            "tags" => self.tags = tags(value)?,
            "draft" => {
                self.draft = match value {
                    "true" => true,
                    "false" => false,
                    _ => return Err(format!("draft is true or false, not {value:?}")),
                }
            }
            _ => return Err(format!("nobody knows the key `{key}`")),
        }
        Ok(())
    }
}

fn tags(value: &str) -> Result<Vec<String>, String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in value.split(',').map(str::trim).filter(|t| !t.is_empty()) {
        if !tag
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        {
            return Err(format!(
                "the tag {tag:?} is not made of small letters, digits and `-`"
            ));
        }
        if !tags.iter().any(|t| t == tag) {
            tags.push(tag.to_owned());
        }
    }
    Ok(tags)
}

/// `2014-07-11`
fn day(text: &str) -> Option<Day> {
    let mut parts = text.splitn(3, '-').map(|p| {
        let digits = !p.is_empty() && p.len() <= 4 && p.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| p.parse::<u64>().ok()).flatten()
    });
    let [year, month, day] = [parts.next()??, parts.next()??, parts.next()??];
    days_since_1970(year, month, day)
}

/// A day's parts: year, month, day of the month.
pub fn civil(day: Day) -> (u64, u64, u64) {
    // Years begin in March here, so that the leap day is the last of its year: 146097 days are 400 years.
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_title_date_and_tags() {
        let text = "---\ntitle: \"A: b\"\ndate: 2014-07-11\ntags: xen, tcp , xen\n---\nBody\n";
        let (matter, body) = take("a.md", text).expect("good");
        assert_eq!(matter.title.as_deref(), Some("A: b"));
        assert_eq!(matter.date.map(civil), Some((2014, 7, 11)));
        assert_eq!(matter.tags, ["xen", "tcp"]);
        assert_eq!(body, "Body\n");
        assert_eq!(take("a.md", "Body").expect("good").1, "Body");
    }

    #[test]
    fn a_mistake_has_its_line() {
        for (text, place) in [
            ("---\ntitle: x\n", "a.md:1:"),
            ("---\ntitel: x\n---\n", "a.md:2:"),
            ("---\ntitle: x\ndate: 2014-02-30\n---\n", "a.md:3:"),
            ("---\nno colon\n---\n", "a.md:2:"),
            ("---\ntags: Über\n---\n", "a.md:2:"),
            ("---\ndraft: maybe\n---\n", "a.md:2:"),
        ] {
            let error = take("a.md", text).expect_err("refused").to_string();
            assert!(error.starts_with(place), "{error}");
        }
    }

    #[test]
    fn days_and_dates_agree() {
        for day in (0..2_900_000).step_by(977) {
            let (y, m, d) = civil(day);
            assert_eq!(days_since_1970(y, m, d), Some(day));
        }
    }
}
