//! Values, and what operators make of them. Integers have 128 bits, which no field and no sum of fields fills; beyond is
//! an error, where Python's would grow.

use std::cmp::Ordering;
use std::fmt;

use super::problem::What;
use super::tree::{Comparison, Operator};

/// The longest text, octets.
pub const MAX_TEXT: usize = 64 << 10;
/// The largest value, with all that it holds: a text counts by its octets, and everything by one.
pub const MAX_WEIGHT: usize = MAX_TEXT + 1;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    Tuple(Vec<Value>),
    None,
}

impl Value {
    /// Python's name of its type.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Bool(_) => "a truth value",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a decimal number",
            Value::Text(_) => "a text",
            Value::Tuple(_) => "a tuple",
            Value::None => "None",
        }
    }

    /// How much memory it takes, and work to look at.
    pub fn weight(&self) -> usize {
        1 + match self {
            Value::Text(text) => text.len(),
            Value::Tuple(values) => values.iter().map(Value::weight).sum(),
            _ => 0,
        }
    }

    /// Whether it counts as true.
    pub fn is_true(&self) -> bool {
        match self {
            Value::Bool(value) => *value,
            Value::Integer(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::Tuple(values) => !values.is_empty(),
            Value::None => false,
        }
    }

    /// As an integer: truth values are 0 and 1.
    pub fn integer(&self) -> Option<i128> {
        match self {
            Value::Bool(value) => Some(i128::from(*value)),
            Value::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// As a number.
    pub fn float(&self) -> Option<f64> {
        match self {
            Value::Float(value) => Some(*value),
            _ => self.integer().map(|value| value as f64),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(true) => f.write_str("True"),
            Value::Bool(false) => f.write_str("False"),
            Value::Integer(value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "{value:?}"),
            Value::Text(text) => f.write_str(text),
            Value::Tuple(values) => {
                let texts: Vec<String> = values.iter().map(Value::to_string).collect();
                write!(f, "({})", texts.join(", "))
            }
            Value::None => f.write_str("None"),
        }
    }
}

/// `left operator right`
pub fn binary(operator: Operator, left: &Value, right: &Value) -> Result<Value, What> {
    if let (Some(a), Some(b)) = (left.integer(), right.integer()) {
        return integers(operator, a, b);
    }
    if let (Some(a), Some(b)) = (left.float(), right.float()) {
        let value = match operator {
            Operator::Add => a + b,
            Operator::Subtract => a - b,
            Operator::Multiply => a * b,
            Operator::Divide | Operator::FloorDivide | Operator::Modulo if b == 0.0 => {
                return Err(What::DivisionByZero);
            }
            Operator::Divide => a / b,
            Operator::FloorDivide => (a / b).floor(),
            Operator::Modulo => a - b * (a / b).floor(),
            _ => return Err(types(operator.sign(), left, right)),
        };
        return Ok(Value::Float(value));
    }
    match (operator, left, right) {
        (Operator::Add, Value::Text(a), Value::Text(b)) if a.len() + b.len() > MAX_TEXT => {
            Err(What::TooMuch)
        }
        (Operator::Add, Value::Text(a), Value::Text(b)) => Ok(Value::Text(format!("{a}{b}"))),
        (Operator::Modulo, Value::Text(text), _) => super::format::format(text, right),
        _ => Err(types(operator.sign(), left, right)),
    }
}

fn integers(operator: Operator, a: i128, b: i128) -> Result<Value, What> {
    let shift = || {
        u32::try_from(b)
            .ok()
            .filter(|b| *b < 127)
            .ok_or(What::Overflow)
    };
    let divides = || {
        if b == 0 {
            Err(What::DivisionByZero)
        } else {
            Ok(())
        }
    };
    let value = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => {
            divides()?;
            return Ok(Value::Float(a as f64 / b as f64));
        }
        Operator::FloorDivide => {
            divides()?;
            a.checked_div_euclid(b).map(|q| {
                if b < 0 && a.rem_euclid(b) != 0 {
                    q - 1
                } else {
                    q
                }
            })
        }
        Operator::Modulo => {
            divides()?;
            a.checked_rem_euclid(b)
                .map(|r| if b < 0 && r != 0 { r + b } else { r })
        }
        Operator::ShiftLeft => {
            let by = shift()?;
            a.checked_mul(1 << by)
        }
        Operator::ShiftRight => Some(a >> shift()?),
        Operator::BitAnd => Some(a & b),
        Operator::BitOr => Some(a | b),
        Operator::BitXor => Some(a ^ b),
    };
    value.map(Value::Integer).ok_or(What::Overflow)
}

/// `left comparison right`
pub fn compare(comparison: Comparison, left: &Value, right: &Value) -> Result<bool, What> {
    let order = match (left, right) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        _ => match (left.integer(), right.integer()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => match (left.float(), right.float()) {
                (Some(a), Some(b)) => a.partial_cmp(&b),
                _ => None,
            },
        },
    };
    let order = match (comparison, order) {
        (_, Some(order)) => order,
        (Comparison::Equal, None) => return Ok(left == right),
        (Comparison::NotEqual, None) => return Ok(left != right),
        _ => return Err(types(comparison.sign(), left, right)),
    };
    Ok(match comparison {
        Comparison::Equal => order == Ordering::Equal,
        Comparison::NotEqual => order != Ordering::Equal,
        Comparison::Less => order == Ordering::Less,
        Comparison::LessOrEqual => order != Ordering::Greater,
        Comparison::Greater => order == Ordering::Greater,
        Comparison::GreaterOrEqual => order != Ordering::Less,
    })
}

fn types(operator: &'static str, left: &Value, right: &Value) -> What {
    What::Types {
        operator,
        left: left.kind(),
        right: right.kind(),
    }
}
