//! Quantities as people write them, read exactly: a decimal number and a unit, in integers from end to end.
//!
//! A float would make "0.1s" depend on rounding; here a quantity that is not a whole number of the smallest unit is
//! refused instead.

use thiserror::Error;

use crate::plan::{Count, Probability};

/// A family of units: each with its size in the smallest one.
pub struct Family {
    /// What is measured, for messages.
    pub what: &'static str,
    /// The smallest unit, for messages.
    pub smallest: &'static str,
    /// Units and sizes, the smallest first.
    pub units: &'static [(&'static str, u64)],
    /// An example.
    pub example: &'static str,
}

/// Times, in nanoseconds.
pub const DURATION: Family = Family {
    what: "a time",
    smallest: "1ns",
    units: &[
        ("ns", 1),
        ("µs", 1_000),
        ("us", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ],
    example: "\"20ms\"",
};

/// Rates, in bit/s, with SI prefixes as everywhere in networking.
pub const RATE: Family = Family {
    what: "a rate",
    smallest: "1bit",
    units: &[
        ("bit", 1),
        ("kbit", 1_000),
        ("Mbit", 1_000_000),
        ("Gbit", 1_000_000_000),
    ],
    example: "\"10Mbit\" (per second)",
};

/// Amounts of memory, in bytes, with IEC prefixes.
pub const BYTES: Family = Family {
    what: "a size",
    smallest: "1B",
    units: &[
        ("B", 1),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
    ],
    example: "\"64KiB\"",
};

/// Shares, in millionths.
pub const PERCENT: Family = Family {
    what: "a probability",
    smallest: "0.0001%",
    units: &[("%", 10_000)],
    example: "\"0.5%\"",
};

impl Family {
    /// The units' names, for hints.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.units.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }
}

/// Why a text is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnitError {
    #[error("{what} begins with a number")]
    NotANumber { what: &'static str },
    #[error("{what} needs a unit")]
    NoUnit { what: &'static str },
    #[error("{what} is not measured in `{found}`")]
    WrongUnit { what: &'static str, found: String },
    #[error("too fine: the smallest step is {smallest}")]
    TooFine { smallest: &'static str },
    #[error("too large")]
    TooLarge,
    #[error("a probability is at most 100%")]
    MoreThanAll,
}

/// Reads a quantity of a family, in its smallest unit.
pub fn quantity(text: &str, family: &Family) -> Result<u64, UnitError> {
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let what = family.what;
    let (mantissa, decimals) = decimal(number).ok_or(UnitError::NotANumber { what })?;
    let unit = unit.trim();
    if unit.is_empty() {
        return Err(UnitError::NoUnit { what });
    }
    let &(_, size) = family
        .units
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(|| UnitError::WrongUnit {
            what,
            found: unit.to_owned(),
        })?;
    let scaled = mantissa
        .checked_mul(u128::from(size))
        .ok_or(UnitError::TooLarge)?;
    let divisor = 10u128.pow(decimals);
    if !scaled.is_multiple_of(divisor) {
        return Err(UnitError::TooFine {
            smallest: family.smallest,
        });
    }
    u64::try_from(scaled / divisor).map_err(|_| UnitError::TooLarge)
}

/// `12.5` as 125 and one decimal: at most 30 digits, at most 15 of them behind the point.
fn decimal(text: &str) -> Option<(u128, u32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.len() > 15 || fraction.len() > 15 {
        return None;
    }
    let mantissa = format!("{whole}{fraction}").parse().ok()?;
    Some((mantissa, u32::try_from(fraction.len()).ok()?))
}

/// Reads a probability.
pub fn probability(text: &str) -> Result<Probability, UnitError> {
    let millionths = quantity(text, &PERCENT)?;
    if millionths > 1_000_000 {
        return Err(UnitError::MoreThanAll);
    }
    Ok(Probability::from_millionths(millionths))
}

/// Reads a count: `1`, `>=2`, `<=3`, `1..3` (both ends included).
pub fn count(text: &str) -> Option<Count> {
    let number = |s: &str| -> Option<u64> {
        let s = s.trim();
        (!s.is_empty() && s.bytes().all(|b| b.is_ascii_digit()))
            .then(|| s.parse().ok())
            .flatten()
    };
    let (least, most) = if let Some(n) = text.strip_prefix(">=") {
        (number(n)?, u64::MAX)
    } else if let Some(n) = text.strip_prefix("<=") {
        (0, number(n)?)
    } else if let Some((a, b)) = text.split_once("..") {
        (number(a)?, number(b)?)
    } else {
        let n = number(text)?;
        (n, n)
    };
    (least <= most).then_some(Count { least, most })
}

/// The seconds since 1970 of `2014-07-11T00:00:00Z` (or of a date alone: its midnight).
pub fn epoch(text: &str) -> Option<u64> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix('Z')?),
        None => (text, "00:00:00"),
    };
    let fields = |s: &str, by: char, widths: [usize; 3]| -> Option<[u64; 3]> {
        let mut parts = s.split(by);
        let mut out = [0; 3];
        for (slot, width) in out.iter_mut().zip(widths) {
            let part = parts.next()?;
            if part.len() != width || !part.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            *slot = part.parse().ok()?;
        }
        parts.next().is_none().then_some(out)
    };
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = fields(time, ':', [2, 2, 2])?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_since_1970(year, month, day)?;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// The number of a day of the Gregorian calendar, 1970-01-01 being 0; `None` if there is no such day, or before.
pub fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    let leap = |y: u64| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
    let february = if leap(year) { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month = usize::try_from(month).ok()? - 1;
    if day < 1 || day > lengths[month] {
        return None;
    }
    let before: u64 = (1970..year).map(|y| if leap(y) { 366 } else { 365 }).sum();
    Some(before + lengths[..month].iter().sum::<u64>() + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        assert_eq!(quantity("1.5ms", &DURATION), Ok(1_500_000));
        assert_eq!(quantity("0.1s", &DURATION), Ok(100_000_000));
        assert_eq!(quantity("10µs", &DURATION), quantity("10us", &DURATION));
        assert_eq!(quantity("10Mbit", &RATE), Ok(10_000_000));
        assert_eq!(quantity("64KiB", &BYTES), Ok(65_536));
        assert_eq!(probability("0.5%"), Ok(Probability::from_millionths(5_000)));
        assert_eq!(probability("100%"), Ok(Probability::ONE));
    }

    #[test]
    fn what_is_no_quantity_says_why() {
        let what = "a time";
        assert_eq!(
            quantity("ms", &DURATION),
            Err(UnitError::NotANumber { what })
        );
        assert_eq!(
            quantity("-1ms", &DURATION),
            Err(UnitError::NotANumber { what })
        );
        assert_eq!(quantity("20", &DURATION), Err(UnitError::NoUnit { what }));
        assert_eq!(
            quantity("0.5ns", &DURATION),
            Err(UnitError::TooFine { smallest: "1ns" })
        );
        assert_eq!(
            quantity("99999999999h", &DURATION),
            Err(UnitError::TooLarge)
        );
        assert_eq!(
            quantity("10KB", &BYTES),
            Err(UnitError::WrongUnit {
                what: "a size",
                found: "KB".into()
            })
        );
        assert_eq!(probability("101%"), Err(UnitError::MoreThanAll));
    }

    #[test]
    fn counts_include_both_ends() {
        let is = |text, least, most| assert_eq!(count(text), Some(Count { least, most }));
        is("1", 1, 1);
        is(">=2", 2, u64::MAX);
        is("<=3", 0, 3);
        is("1..3", 1, 3);
        for bad in [
            "",
            "x",
            "-1",
            "3..1",
            ">2",
            "1.5",
            ">=",
            "99999999999999999999",
        ] {
            assert_eq!(count(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_epoch_is_a_day_of_the_calendar() {
        assert_eq!(epoch("1970-01-01"), Some(0));
        assert_eq!(epoch("2014-07-11T00:00:00Z"), Some(1_405_036_800));
        assert_eq!(epoch("2000-02-29"), Some(951_782_400));
        for bad in [
            "2014-02-29",
            "2014-7-11",
            "2014-07-11T24:00:00Z",
            "x",
            "2014-07-11T00:00:00",
        ] {
            assert_eq!(epoch(bad), None, "{bad}");
        }
    }
}
