//! `'text' % values`, as printf(3) has it.

use super::problem::What;
use super::value::{MAX_TEXT, Value};

/// The widest field, and the most digits behind the point.
const MAX_WIDTH: usize = 100;

/// Puts values into a format.
pub fn format(format: &str, values: &Value) -> Result<Value, What> {
    let values = match values {
        Value::Tuple(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut values = values.iter();
    let mut text = String::new();
    let mut parts = format.split('%');
    text += parts.next().unwrap_or("");
    while let Some(part) = parts.next() {
        if part.is_empty() {
            // `%%`: what follows is plain.
            text.push('%');
            text += parts.next().ok_or(What::Format)?;
            continue;
        }
        let end = part
            .find(|c: char| c.is_ascii_alphabetic())
            .ok_or(What::Format)?;
        let value = values.next().ok_or(What::Format)?;
        text += &field(&part[..end], &part[end..=end], value)?;
        text += &part[end + 1..];
        if text.len() > MAX_TEXT {
            return Err(What::TooMuch);
        }
    }
    match values.next() {
        None => Ok(Value::Text(text)),
        Some(_) => Err(What::Format),
    }
}

fn field(flags: &str, conversion: &str, value: &Value) -> Result<String, What> {
    let (width, digits) = flags.split_once('.').unwrap_or((flags, ""));
    let left = width.starts_with('-');
    let width = width.trim_start_matches('-');
    let zeros = width.starts_with('0') && !left;
    let number = |text: &str| match text {
        "" => Ok(0),
        _ => text
            .parse()
            .ok()
            .filter(|n| *n <= MAX_WIDTH)
            .ok_or(What::Format),
    };
    let (width, has_digits, digits) = (number(width)?, !digits.is_empty(), number(digits)?);
    let integer = || match value {
        Value::Float(value) if value.abs() < 1e18 => Ok(*value as i128),
        _ => value.integer().ok_or(What::Format),
    };
    let text = match conversion {
        "d" | "i" | "u" => integer()?.to_string(),
        "x" => format!("{:x}", integer()?),
        "X" => format!("{:X}", integer()?),
        "o" => format!("{:o}", integer()?),
        "f" => {
            let digits = if has_digits { digits } else { 6 };
            format!("{:.digits$}", value.float().ok_or(What::Format)?)
        }
        "s" | "r" => value.to_string(),
        _ => return Err(What::Format),
    };
    Ok(match (left, zeros) {
        (true, _) => format!("{text:<width$}"),
        (false, true) => format!("{text:0>width$}"),
        (false, false) => format!("{text:>width$}"),
    })
}
