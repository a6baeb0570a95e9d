//! Whether a raw peer's segment is written in tcpdump's notation: `P. 1:101(100) ack 1 win 512 <mss 1460,sackOK>`.

use super::value::Complaint;

fn wrong<T>(what: String, hint: &str) -> Result<T, Complaint> {
    Err(Complaint {
        message: what,
        label: "a segment is wanted here".into(),
        hint: hint.into(),
    })
}

/// Checks a segment's text.
pub fn check(text: &str) -> Result<(), Complaint> {
    let (head, options) = match text.split_once('<') {
        Some((head, rest)) => match rest.trim_end().strip_suffix('>') {
            Some(options) => (head, Some(options)),
            None => return wrong("the options are not closed".into(), "add a `>` at the end"),
        },
        None => (text, None),
    };
    let mut words = head.split_whitespace();
    flags(words.next().unwrap_or(""))?;
    let mut next = words.next();
    if let Some(word) = next
        && word.contains(':')
    {
        sequence(word)?;
        next = words.next();
    }
    while let Some(word) = next {
        field(word, words.next())?;
        next = words.next();
    }
    options.map_or(Ok(()), |list| list.split(',').try_for_each(option))
}

fn flags(word: &str) -> Result<(), Complaint> {
    let ok = !word.is_empty() && word.chars().all(|c| "FSRP.UEW".contains(c));
    if ok || word == "none" {
        return Ok(());
    }
    wrong(
        format!("{word:?} are not TCP flags"),
        "a segment begins with tcpdump's letters F S R P . U E W (the dot is ACK), such as `S.`",
    )
}

/// `1:101(100)`: the end is the beginning and the length.
fn sequence(word: &str) -> Result<(), Complaint> {
    let parts = word
        .split_once(':')
        .and_then(|(a, rest)| Some((a, rest.strip_suffix(')')?.split_once('(')?)));
    let numbers = parts.and_then(|(a, (b, n))| {
        Some((
            a.parse::<u32>().ok()?,
            b.parse::<u32>().ok()?,
            n.parse::<u32>().ok()?,
        ))
    });
    match numbers {
        Some((a, b, n)) if a.wrapping_add(n) == b => Ok(()),
        Some((a, _, n)) => wrong(
            format!("{word:?} does not add up"),
            &format!("{n} bytes from {a} on are {a}:{}({n})", a.wrapping_add(n)),
        ),
        None => wrong(
            format!("{word:?} is not a range of sequence numbers"),
            "write first:end(length), such as 1:101(100)",
        ),
    }
}

fn field(word: &str, value: Option<&str>) -> Result<(), Complaint> {
    let most: u32 = match word {
        "ack" => u32::MAX,
        "win" | "urg" => 65_535,
        _ => {
            return wrong(
                format!("{word:?} is no part of a segment"),
                "flags, then first:end(length), then ack N, win N, urg N, then <options>",
            );
        }
    };
    match value.and_then(|v| v.parse::<u32>().ok()) {
        Some(n) if n <= most => Ok(()),
        _ => wrong(
            format!("`{word}` needs a number"),
            &format!("from 0 to {most}"),
        ),
    }
}

fn option(text: &str) -> Result<(), Complaint> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |s: &str| s.parse::<u32>().is_ok();
    let range = |s: &str| {
        let bare = s.trim_matches(['{', '}']);
        bare.split_once(':').is_some_and(|(a, b)| number(a) && number(b))
    };
    let ok = match words.as_slice() {
        ["nop" | "eol" | "sackOK"] => true,
        ["mss", n] => n.parse::<u16>().is_ok(),
        ["wscale", n] => n.parse::<u8>().is_ok(),
        ["TS", "val", a, "ecr", b] => number(a) && number(b),
        ["sack", ranges @ ..] => !ranges.is_empty() && ranges.iter().all(|r| number(r) || range(r)),
        ["hex", digits] => {
            digits.len().is_multiple_of(2)
                && digits.len() <= 80
                && digits.bytes().all(|b| b.is_ascii_hexdigit())
        }
        _ => false,
    };
    if ok {
        return Ok(());
    }
    wrong(
        format!("{:?} is not a TCP option", text.trim()),
        "mss N, wscale N, sackOK, sack 1:11, TS val N ecr N, nop, eol, or the bytes themselves: hex 01020000",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tcpdumps_notation_is_accepted() {
        for good in [
            "S",
            "S 0:0(0) win 65535 <mss 1460,sackOK>",
            "S. 0:0(0) ack 1",
            ". ack 1 win 0",
            "P. 1:101(100) ack 1 win 512",
            "S 0:0(0) <hex 01020000>",
            ". ack 1 <nop,nop,sack 1461:2921>",
            "S 0:0(0) <mss 1460,nop,wscale 7,TS val 1 ecr 0>",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        let sum = check("P. 1:100(100) ack 1").expect_err("refused");
        assert_eq!(sum.hint, "100 bytes from 1 on are 1:101(100)");
        for bad in ["", "syn", "S 0:0", "S ack", "S win 70000", "S 0:0(0) <mss>", "S <mss 1", "S wni 3", "S <hex 0>"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
