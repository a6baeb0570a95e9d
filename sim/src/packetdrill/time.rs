//! When an event is: seconds with a fraction in the script, whole microseconds here, as in the tools.

use std::fmt;

use super::cursor::{Cursor, Parsed};
use super::token::Kind;
use crate::scenario::Problem;

/// The latest time that a script can name: beyond it the sum of two would not be worth counting.
pub const LATEST: Micros = Micros(1_000_000_000 * 1_000_000);
const HINT: &str = "a time is 0.5, +0.5, 0.5~0.6, +0.5~+0.6 or *";

/// Microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub u64);

/// When an event happens, or may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// `0.5`: on the script's clock
    At(Micros),
    /// `+0.5`: after the event before
    After(Micros),
    /// `0.5~0.6`: an outbound packet, in this window of the script's clock
    Within(Micros, Micros),
    /// `+0.5~+0.6`: an outbound packet, in this window after the event before
    AfterWithin(Micros, Micros),
    /// `*`: an outbound packet, whenever it comes
    Any,
}

impl When {
    /// The earliest moment, on the script's clock or after the event before.
    pub fn earliest(self) -> Micros {
        match self {
            When::At(time) | When::After(time) => time,
            When::Within(from, _) | When::AfterWithin(from, _) => from,
            When::Any => Micros(0),
        }
    }

    /// The earliest moment on the script's clock, if it is told by that clock.
    pub fn absolute(self) -> Option<Micros> {
        match self {
            When::At(time) | When::Within(time, _) => Some(time),
            When::After(_) | When::AfterWithin(..) | When::Any => None,
        }
    }

    /// When it is at the earliest, if the event before began at `before` or later.
    pub fn earliest_after(self, before: Micros) -> Micros {
        match self.absolute() {
            Some(time) => before.max(time),
            None => Micros(before.0 + self.earliest().0),
        }
    }

    /// The most time that it takes after the events before it, which themselves took some; a time of the script's clock
    /// begins anew.
    pub fn after(self, before: Micros) -> Micros {
        match self {
            When::At(time) | When::Within(_, time) => before.max(time),
            When::After(time) | When::AfterWithin(_, time) => Micros(before.0 + time.0),
            When::Any => before,
        }
    }

    /// Is this for packets only that the script waits for?
    pub fn is_for_outbound(self) -> bool {
        matches!(self, When::Within(..) | When::AfterWithin(..) | When::Any)
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::At(time) => write!(f, "{time}"),
            When::After(time) => write!(f, "+{time}"),
            When::Within(from, to) => write!(f, "{from}~{to}"),
            When::AfterWithin(from, to) => write!(f, "+{from}~+{to}"),
            When::Any => f.write_str("*"),
        }
    }
}

/// Parses an event's time.
pub fn when(cursor: &mut Cursor<'_>) -> Parsed<When> {
    if cursor.take(b'*') {
        return Ok(When::Any);
    }
    let start = cursor.peek().span;
    let relative = cursor.take(b'+');
    let from = micros(cursor)?;
    if !cursor.take(b'~') {
        return Ok(match relative {
            true => When::After(from),
            false => When::At(from),
        });
    }
    if relative {
        cursor.expect(b'+', "both ends have their plus: +0.5~+0.6")?;
    }
    let to = micros(cursor)?;
    if to < from {
        let what = "the window ends before it begins".into();
        let hint = "give the earlier time first";
        return Err(Problem::new(cursor.since(start), what, "this window", hint));
    }
    Ok(match relative {
        true => When::AfterWithin(from, to),
        false => When::Within(from, to),
    })
}

/// Parses a number of seconds.
pub fn micros(cursor: &mut Cursor<'_>) -> Parsed<Micros> {
    let token = cursor.peek();
    if !matches!(token.kind, Kind::Integer | Kind::Decimal) {
        return Err(cursor.unexpected("a time", HINT));
    }
    cursor.advance();
    let time = seconds(token.text).filter(|&time| time <= LATEST);
    time.ok_or_else(|| {
        let what = format!("the time {} is out of range", token.text);
        let hint = format!("a time is from 0 to {} seconds", LATEST.0 / 1_000_000);
        Problem::new(token.span, what, "this time", hint)
    })
}

/// `S`, `S.F` or `.F`; what is less than a microsecond is dropped, as in the tools.
fn seconds(text: &str) -> Option<Micros> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: u64 = match whole {
        "" => 0,
        digits => digits.parse().ok()?,
    };
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(6);
    let micros = digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    Some(Micros(whole.checked_mul(1_000_000)?.checked_add(micros)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::lex::lex;

    fn parsed(text: &str) -> Result<String, String> {
        let tokens = lex(text).expect("tokens");
        let mut cursor = Cursor::new(&tokens);
        let time = when(&mut cursor).map_err(|problem| problem.message)?;
        assert_eq!(cursor.peek().kind, Kind::End, "{text}");
        Ok(time.to_string())
    }

    #[test]
    fn every_form_of_time_is_read_and_printed() {
        for (text, printed) in [
            ("0", "0.000000"),
            ("1.5", "1.500000"),
            ("+.1", "+0.100000"),
            ("+ 0.29", "+0.290000"),
            ("1.2345678", "1.234567"),
            ("1~1.5", "1.000000~1.500000"),
            ("+1~+1.5", "+1.000000~+1.500000"),
            ("*", "*"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(printed), "{text}");
            assert_eq!(parsed(printed).as_deref(), Ok(printed));
        }
    }

    #[test]
    fn a_time_is_in_range_and_a_window_goes_forward() {
        for text in [
            "",
            "-1",
            "+-1",
            "2~1",
            "+1~2",
            "0x10",
            "99999999999999999999",
            "1000000001",
            "x",
            "-.5",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }
}
