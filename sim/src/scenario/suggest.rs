//! Did you mean: the nearest of the words that would have been right.

/// The word of `among` that `wrong` probably was, if one is near enough.
pub fn nearest<'a>(wrong: &str, among: &[&'a str]) -> Option<&'a str> {
    let (distance, word) = among
        .iter()
        .map(|word| (strsim::osa_distance(wrong, word), *word))
        .min()?;
    let longest = wrong.chars().count().max(word.chars().count());
    (distance <= longest.div_ceil(3)).then_some(word)
}

/// A hint: the nearest word, or else `otherwise`.
pub fn or_else(wrong: &str, among: &[&str], otherwise: &str) -> String {
    // A word as long as a page was not a slip of the finger, and comparing it would take quadratic time.
    if wrong.len() > 64 {
        return otherwise.to_owned();
    }
    match nearest(wrong, among) {
        Some(word) => format!("did you mean `{word}`?"),
        None => otherwise.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_meant_if_it_is_near() {
        let among = ["machine", "link", "switch"];
        assert_eq!(nearest("mashine", &among), Some("machine"));
        assert_eq!(nearest("lnik", &among), Some("link"));
        assert_eq!(nearest("banana", &among), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
