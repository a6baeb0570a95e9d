//! One value: from what the file says to what the language means, or a complaint that says what was wanted.

use stack::api::SignatureKey;

use super::address::{cidrs, cidrs6, endpoint, hex, ip, ip4, ip6, local, mac};
use super::language::Kind;
use super::names::Names;
use super::suggest::or_else;
use super::syntax::Literal;
use super::units::{self, BYTES, DURATION, Family, RATE, UnitError};
use crate::plan::{Count, Probability};

/// A checked value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    /// A number, or a quantity in its smallest unit.
    Number(u64),
    Bool(bool),
    Count(Count),
    Probability(Probability),
    Bytes(Vec<u8>),
}

/// What is wrong with a value; the place is the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub message: String,
    pub label: String,
    pub hint: String,
}

/// A complaint as an answer.
pub(super) fn complain<T>(
    message: String,
    label: &str,
    hint: impl Into<String>,
) -> Result<T, Complaint> {
    Err(Complaint {
        message,
        label: label.into(),
        hint: hint.into(),
    })
}

/// Reads a value of a kind; names are looked up in `names`.
pub fn read(kind: Kind, value: &Literal, names: &Names) -> Result<Value, Complaint> {
    match (kind, value) {
        (Kind::Number(least, most), Literal::Integer(n)) => number(*n, least, most),
        (Kind::Number(least, most), other) => complain(
            format!("{} is not a whole number", said(other)),
            "a number is wanted here",
            format!("{}, without quotes and unit", range(least, most)),
        ),
        (Kind::Bool | Kind::BoolOr(_), Literal::Bool(b)) => Ok(Value::Bool(*b)),
        (Kind::Bool, other) => complain(
            format!("{} is neither #true nor #false", said(other)),
            "a truth value is wanted here",
            "write #true or #false, with the hash",
        ),
        (Kind::BoolOr(word), other) if other.as_string() != Some(word) => complain(
            format!("{} does not stand here", said(other)),
            "a truth value is wanted here",
            format!("write #true, #false or \"{word}\""),
        ),
        (Kind::Count, Literal::Integer(n)) => count(&n.to_string()),
        (Kind::Epoch, Literal::Integer(n)) => number(*n, 0, 253_402_300_799),
        (_, Literal::String(text)) => from_text(kind, text, names),
        (_, other) => complain(
            format!("{} is not a text", said(other)),
            "a text is wanted here",
            example(kind).map_or("put it between quotes".into(), |e| {
                format!("for example {e}")
            }),
        ),
    }
}

/// A default of the language's table.
pub fn default(kind: Kind, text: &str) -> Result<Value, Complaint> {
    let value = match (kind, text) {
        (Kind::Bool | Kind::BoolOr(_), "#true") => Literal::Bool(true),
        (Kind::Bool | Kind::BoolOr(_), "#false") => Literal::Bool(false),
        (Kind::Number(..), digits) => Literal::Integer(digits.parse().unwrap_or(-1)),
        _ => Literal::String(text.into()),
    };
    read(kind, &value, &Names::default())
}

fn said(value: &Literal) -> String {
    match value {
        Literal::String(s) => format!("{s:?}"),
        Literal::Integer(n) => n.to_string(),
        Literal::Float(text) => text.clone(),
        Literal::Bool(b) => format!("#{b}"),
        Literal::Null => "#null".into(),
    }
}

fn range(least: u64, most: u64) -> String {
    match (least, most) {
        (0, u64::MAX) => "from 0 to 18446744073709551615 (64 bits)".into(),
        (_, u64::MAX) => format!("at least {least}"),
        _ => format!("from {least} to {most}"),
    }
}

fn number(n: i128, least: u64, most: u64) -> Result<Value, Complaint> {
    match u64::try_from(n) {
        Ok(n) if (least..=most).contains(&n) => Ok(Value::Number(n)),
        _ => complain(
            format!("{n} is out of range"),
            "too large or too small",
            range(least, most),
        ),
    }
}

fn count(text: &str) -> Result<Value, Complaint> {
    match units::count(text) {
        Some(count) => Ok(Value::Count(count)),
        None => complain(
            format!("{text:?} is not a count"),
            "how often?",
            "write 1, \">=2\", \"<=3\", or \"1..3\" (both ends included)",
        ),
    }
}

/// What a kind looks like, for hints and for the reference.
pub fn example(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Duration => DURATION.example,
        Kind::Rate => "\"10Mbit\"",
        Kind::Bytes => BYTES.example,
        Kind::Percent => "\"0.5%\"",
        Kind::Count => "\"1..3\"",
        Kind::Cidrs => "\"10.0.0.2/24\"",
        Kind::Cidrs6 => "\"2001:db8::2/64\"",
        Kind::Ip | Kind::Ip4 => "\"10.0.0.1\"",
        Kind::Ip6 => "\"2001:db8::1\"",
        Kind::Endpoint => "\"10.0.0.2:80\"",
        Kind::Local => "\":4000\"",
        Kind::Mac => "\"02:00:00:00:00:01\"",
        Kind::Hex => "\"01020000\"",
        Kind::Errno => "\"ECONNRESET\"",
        Kind::Flags => "\"S.\"",
        Kind::Epoch => "\"2014-07-11T00:00:00Z\"",
        Kind::KeyValue => "\"port=8080\"",
        Kind::Key => "\"secret\"",
        Kind::Segment => "\"S 0:0(0) win 65535\"",
        Kind::UrlPath => "\"/index.html\"",
        Kind::Name => "\"blog\"",
        Kind::Path => "\"site\"",
        _ => return None,
    })
}

fn from_text(kind: Kind, text: &str, names: &Names) -> Result<Value, Complaint> {
    let as_text = || Ok(Value::Text(text.to_owned()));
    match kind {
        Kind::Text | Kind::BoolOr(_) => as_text(),
        Kind::Name | Kind::NewSocket | Kind::Socket => name(text),
        Kind::Domain => known(text, "domain", names.domains(), None).map(Value::Text),
        Kind::Domains => domains(text, names),
        Kind::Machine => known(text, "machine", names.machines(), None).map(Value::Text),
        Kind::Node => known(text, "machine or switch", names.nodes(), None).map(Value::Text),
        Kind::Link => known(text, "link", names.links(), None).map(Value::Text),
        Kind::Guest => known(text, "guest", names.guests(), zoo_hint(text)).map(Value::Text),
        Kind::Choice(of) => known(text, "choice", of.iter().copied(), None).map(Value::Text),
        Kind::Errno => known(text, "error", ERRNOS.iter().copied(), None).map(Value::Text),
        Kind::Duration => quantity(text, &DURATION),
        Kind::Rate => quantity(text, &RATE).and_then(positive),
        Kind::Bytes => quantity(text, &BYTES),
        Kind::Percent => match units::probability(text) {
            Ok(p) => Ok(Value::Probability(p)),
            Err(e) => bad_quantity(text, &units::PERCENT, &e),
        },
        Kind::Count => count(text),
        Kind::Cidrs => cidrs(text),
        Kind::Cidrs6 => cidrs6(text),
        Kind::Ip => ip(text).map(|_| Value::Text(text.to_owned())),
        Kind::Ip4 => ip4(text).map(|_| Value::Text(text.to_owned())),
        Kind::Ip6 => ip6(text).map(|_| Value::Text(text.to_owned())),
        Kind::Endpoint => endpoint(text).map(|_| Value::Text(text.to_owned())),
        Kind::Local => local(text),
        Kind::Mac => mac(text),
        Kind::Hex => hex(text),
        Kind::Flags => flags(text),
        Kind::Epoch => epoch(text),
        Kind::KeyValue => key_value(text),
        Kind::Key => key(text),
        Kind::Path => path(text),
        Kind::UrlPath => url_path(text),
        Kind::Segment => segment(text),
        Kind::Number(..) | Kind::Bool => {
            unreachable!("read() answers for numbers and truth values")
        }
    }
}

/// `SocketError`'s names that a call of a script can end with.
const ERRNOS: &[&str] = &[
    "EADDRINUSE",
    "EADDRNOTAVAIL",
    "ECONNABORTED",
    "ECONNREFUSED",
    "ECONNRESET",
    "EHOSTUNREACH",
    "EINVAL",
    "ENETUNREACH",
    "ENOBUFS",
    "ENOTCONN",
    "EPIPE",
    "ETIMEDOUT",
];

fn name(text: &str) -> Result<Value, Complaint> {
    let ok = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    // Names become names of files and folders.
    if text.is_empty() || text.len() > 63 || text.starts_with('.') || !text.chars().all(ok) {
        return complain(
            format!("{text:?} cannot be a name"),
            "a name is wanted here",
            "1 to 63 letters, digits, `-`, `_` or `.`, no dot in front",
        );
    }
    Ok(Value::Text(text.into()))
}

fn known<'a>(
    text: &str,
    what: &str,
    of: impl Iterator<Item = &'a str>,
    hint: Option<&str>,
) -> Result<String, Complaint> {
    let all: Vec<&str> = of.collect();
    if all.contains(&text) {
        return Ok(text.to_owned());
    }
    let instead = match (all.is_empty(), hint) {
        (_, Some(hint)) => hint.to_owned(),
        (true, None) => format!("this scenario declares no {what}"),
        (false, None) => or_else(text, &all, &format!("one of: {}", all.join(", "))),
    };
    let message = if what == "choice" {
        format!("{text:?} is not possible here")
    } else {
        format!("there is no {what} called {text:?}")
    };
    complain(message, &format!("unknown {what}"), instead)
}

fn zoo_hint(guest: &str) -> Option<&'static str> {
    let zoo = ["http-2014", "script-no-final-check"];
    (zoo.contains(&guest) && !super::language::GUESTS.contains(&guest))
        .then_some("this guest is in the bug zoo: build evilbit with --features zoo")
}

fn domains(text: &str, names: &Names) -> Result<Value, Complaint> {
    for one in text.split_whitespace() {
        known(one, "domain", names.domains(), None)?;
    }
    Ok(Value::Text(text.into()))
}

fn quantity(text: &str, family: &Family) -> Result<Value, Complaint> {
    match units::quantity(text, family) {
        Ok(n) => Ok(Value::Number(n)),
        Err(e) => bad_quantity(text, family, &e),
    }
}

fn bad_quantity(text: &str, family: &Family, error: &UnitError) -> Result<Value, Complaint> {
    complain(
        format!("{text:?}: {error}"),
        &format!("{} is wanted here", family.what),
        format!("for example {}; units: {}", family.example, family.names()),
    )
}

fn positive(value: Value) -> Result<Value, Complaint> {
    if value == Value::Number(0) {
        return complain(
            "a rate of nothing".into(),
            "no frame would ever be sent",
            "leave rate out for a link that is infinitely fast, or cut the link",
        );
    }
    Ok(value)
}

/// tcpdump's order of the letters.
const FLAG_LETTERS: &str = "FSRP.UEW";

fn flags(text: &str) -> Result<Value, Complaint> {
    let letters = text.strip_prefix('~').unwrap_or(text);
    let each_once = FLAG_LETTERS
        .chars()
        .all(|c| letters.matches(c).count() <= 1);
    if letters.is_empty() || !each_once || !letters.chars().all(|c| FLAG_LETTERS.contains(c)) {
        return complain(
            format!("{text:?} are not TCP flags"),
            "tcpdump's letters are wanted here",
            "of F S R P . U E W (the dot is ACK) each at most once: \"S\", \"S.\", \"F.\", \"P.\", \".\"; \"~F\": at least FIN",
        );
    }
    let mut out = String::from(if letters.len() < text.len() { "~" } else { "" });
    out.extend(FLAG_LETTERS.chars().filter(|&c| letters.contains(c)));
    Ok(Value::Text(out))
}

/// 2100-01-01T00:00:00Z: a run's clocks stay within Xen's 32 bits of seconds, however long it takes.
const LAST_EPOCH: u64 = 4_102_444_800;

fn epoch(text: &str) -> Result<Value, Complaint> {
    match units::epoch(text) {
        Some(secs) if secs < LAST_EPOCH => Ok(Value::Number(secs)),
        _ => complain(
            format!("{text:?} is not a date and time of the years 1970 to 2099"),
            "a time of UTC is wanted here",
            "for example \"2014-07-11T00:00:00Z\"",
        ),
    }
}

fn key_value(text: &str) -> Result<Value, Complaint> {
    let word = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_graphic());
    match text.split_once('=') {
        Some((key, value)) if word(key) && word(value) => Ok(Value::Text(text.into())),
        _ => complain(
            format!("{text:?} is not a word of a command line"),
            "key=value is wanted here",
            "for example arg \"port=8080\", without spaces",
        ),
    }
}

/// It travels as a word of the command line.
fn key(text: &str) -> Result<Value, Complaint> {
    let fits = (1..=SignatureKey::LONGEST).contains(&text.len());
    if !fits || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return complain(
            format!("{text:?} is not a key"),
            "a key is wanted here",
            format!(
                "1 to {} letters, digits and signs, without spaces",
                SignatureKey::LONGEST
            ),
        );
    }
    Ok(Value::Text(text.into()))
}

fn path(text: &str) -> Result<Value, Complaint> {
    if text.is_empty() || text.starts_with('/') {
        return complain(
            format!("{text:?} is not a relative path"),
            "a folder is wanted here",
            "a path relative to the scenario's file, such as \"site\" or \"../blog/site\"",
        );
    }
    Ok(Value::Text(text.into()))
}

fn segment(text: &str) -> Result<Value, Complaint> {
    match stack::app::raw::notation::parse(text) {
        Ok(_) => Ok(Value::Text(text.into())),
        Err(error) => complain(
            format!("{text:?} is not a segment"),
            "a segment in tcpdump's notation is wanted here",
            format!(
                "expected {error}; for example \"S 0:0(0) win 65535 <mss 1460,sackOK>\" or \"P. 1:101(100) ack 1\"",
            ),
        ),
    }
}

fn url_path(text: &str) -> Result<Value, Complaint> {
    if !text.starts_with('/')
        || text
            .bytes()
            .any(|b| b.is_ascii_whitespace() || b.is_ascii_control())
    {
        return complain(
            format!("{text:?} is not a path on a server"),
            "a path is wanted here",
            "it begins with a slash and has no spaces: \"/posts/\"",
        );
    }
    Ok(Value::Text(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kind: Kind, text: &str) -> Result<Value, Complaint> {
        read(kind, &Literal::String(text.into()), &Names::default())
    }

    #[test]
    fn flags_are_put_into_tcpdumps_order() {
        assert_eq!(text(Kind::Flags, ".S"), Ok(Value::Text("S.".into())));
        assert_eq!(text(Kind::Flags, "~PF"), Ok(Value::Text("~FP".into())));
        for bad in ["", "~", "SS", "SA", "syn"] {
            assert!(text(Kind::Flags, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_complaint_says_which_units_there_are() {
        let complaint = text(Kind::Duration, "5min").expect_err("refused");
        assert_eq!(
            complaint.message,
            "\"5min\": a time is not measured in `min`"
        );
        assert!(complaint.hint.contains("ns, µs, us, ms, s, m, h"));
    }
}
