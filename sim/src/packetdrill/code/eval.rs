//! Running a block.

use std::collections::BTreeMap;

use super::constants::constant;
use super::problem::{Problem, What};
use super::tree::{Expr, Statement, StatementKind, Unary};
use super::value::{MAX_TEXT, MAX_WEIGHT, Value, binary, compare};

/// Expressions that all blocks of a script may evaluate.
const MAX_STEPS: usize = 1_000_000;
/// So much of a value is one more step.
const WEIGHT_OF_A_STEP: usize = 64;

/// Variables, as the blocks run so far have left them.
#[derive(Debug, Default)]
pub struct Machine {
    variables: BTreeMap<String, Value>,
    steps: usize,
    /// What `print` has said.
    pub printed: String,
}

/// The fields of a block's sample.
type Fields<'a> = &'a dyn Fn(&str) -> Option<i64>;

impl Machine {
    /// Runs a block's statements.
    pub fn run(&mut self, statements: &[Statement], fields: Fields<'_>) -> Result<(), Problem> {
        for statement in statements {
            let at = |what| Problem::at(statement.line, what);
            match &statement.kind {
                StatementKind::If {
                    condition,
                    then,
                    otherwise,
                } => {
                    let holds = self.eval(condition, fields).map_err(at)?.is_true();
                    self.run(if holds { then } else { otherwise }, fields)?;
                }
                kind => self.simple(kind, fields).map_err(at)?,
            }
        }
        Ok(())
    }

    fn simple(&mut self, statement: &StatementKind, fields: Fields<'_>) -> Result<(), What> {
        match statement {
            StatementKind::Assert {
                condition,
                message,
                text,
            } => {
                if self.eval(condition, fields)?.is_true() {
                    return Ok(());
                }
                let values = match message {
                    Some(message) => format!(": {}", self.eval(message, fields)?),
                    None => self.operands(condition, fields)?,
                };
                let text = text.clone();
                return Err(What::Assertion { text, values });
            }
            StatementKind::Assign {
                name,
                operator,
                value,
            } => {
                let mut value = self.eval(value, fields)?;
                if let Some(operator) = operator {
                    value = binary(*operator, &self.name(name, fields)?, &value)?;
                }
                self.variables.insert(name.clone(), value);
            }
            StatementKind::Print(arguments) => {
                let values = self.eval_all(arguments, fields)?;
                let texts: Vec<String> = values.iter().map(Value::to_string).collect();
                self.printed += &texts.join(" ");
                self.printed.push('\n');
                if self.printed.len() > MAX_TEXT {
                    return Err(What::TooMuch);
                }
            }
            StatementKind::Expr(expr) => drop(self.eval(expr, fields)?),
            StatementKind::Pass | StatementKind::If { .. } => {}
        }
        Ok(())
    }

    /// The values of a comparison's sides, where they are not plain numbers already.
    fn operands(&mut self, condition: &Expr, fields: Fields<'_>) -> Result<String, What> {
        let Expr::Compare { first, rest } = condition else {
            return Ok(String::new());
        };
        let mut text = self.eval(first, fields)?.to_string();
        for (comparison, expr) in rest {
            let value = self.eval(expr, fields)?;
            text += &format!(" {} {value}", comparison.sign());
        }
        Ok(format!(": {text}"))
    }

    fn eval_all(&mut self, exprs: &[Expr], fields: Fields<'_>) -> Result<Vec<Value>, What> {
        exprs.iter().map(|expr| self.eval(expr, fields)).collect()
    }

    /// A value, which is paid for by its size: what doubles itself comes to an end.
    fn eval(&mut self, expr: &Expr, fields: Fields<'_>) -> Result<Value, What> {
        let value = self.unweighed(expr, fields)?;
        let weight = value.weight();
        self.steps += 1 + weight / WEIGHT_OF_A_STEP;
        match weight <= MAX_WEIGHT && self.steps <= MAX_STEPS {
            true => Ok(value),
            false => Err(What::TooMuch),
        }
    }

    fn unweighed(&mut self, expr: &Expr, fields: Fields<'_>) -> Result<Value, What> {
        Ok(match expr {
            Expr::Integer(value) => Value::Integer(*value),
            Expr::Float(value) => Value::Float(*value),
            Expr::Text(text) => Value::Text(text.clone()),
            Expr::Bool(value) => Value::Bool(*value),
            Expr::Name(name) => self.name(name, fields)?,
            Expr::Tuple(all) => Value::Tuple(self.eval_all(all, fields)?),
            Expr::Call {
                function,
                arguments,
            } => call(function, &self.eval_all(arguments, fields)?)?,
            Expr::Unary { operator, operand } => unary(*operator, &self.eval(operand, fields)?)?,
            Expr::Binary {
                operator,
                left,
                right,
            } => binary(
                *operator,
                &self.eval(left, fields)?,
                &self.eval(right, fields)?,
            )?,
            Expr::Compare { first, rest } => {
                let mut left = self.eval(first, fields)?;
                for (comparison, right) in rest {
                    let right = self.eval(right, fields)?;
                    if !compare(*comparison, &left, &right)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Value::Bool(true)
            }
            Expr::And(left, right) => {
                let left = self.eval(left, fields)?;
                if left.is_true() {
                    self.eval(right, fields)?
                } else {
                    left
                }
            }
            Expr::Or(left, right) => {
                let left = self.eval(left, fields)?;
                if left.is_true() {
                    left
                } else {
                    self.eval(right, fields)?
                }
            }
            Expr::Choice {
                condition,
                then,
                otherwise,
            } => {
                let holds = self.eval(condition, fields)?.is_true();
                self.eval(if holds { then } else { otherwise }, fields)?
            }
        })
    }

    /// Fields are new in every block; what a block calls like one stays its own.
    fn name(&self, name: &str, fields: Fields<'_>) -> Result<Value, What> {
        let number = || fields(name).or_else(|| constant(name)).map(i128::from);
        let value = self.variables.get(name).cloned();
        value
            .or_else(|| number().map(Value::Integer))
            .ok_or_else(|| What::NoName(name.to_owned()))
    }
}

fn unary(operator: Unary, value: &Value) -> Result<Value, What> {
    let wrong = |operator| What::Types {
        operator,
        left: "nothing",
        right: value.kind(),
    };
    Ok(match (operator, value) {
        (Unary::Not, _) => Value::Bool(!value.is_true()),
        (Unary::Minus, Value::Float(value)) => Value::Float(-value),
        (Unary::Plus, Value::Float(value)) => Value::Float(*value),
        (Unary::Minus, _) => {
            let value = value.integer().ok_or(wrong("-"))?;
            Value::Integer(value.checked_neg().ok_or(What::Overflow)?)
        }
        (Unary::Plus, _) => Value::Integer(value.integer().ok_or(wrong("+"))?),
        (Unary::Invert, _) => Value::Integer(!value.integer().ok_or(wrong("~"))?),
    })
}

fn call(function: &str, arguments: &[Value]) -> Result<Value, What> {
    match (function, arguments) {
        ("abs", [Value::Float(value)]) => Ok(Value::Float(value.abs())),
        ("abs", [value]) => {
            let value = value
                .integer()
                .ok_or(What::NoFunction(function.to_owned()))?;
            let value = value.checked_abs().ok_or(What::Overflow)?;
            Ok(Value::Integer(value))
        }
        ("int", [Value::Float(value)]) if value.abs() < 1e18 => Ok(Value::Integer(*value as i128)),
        ("int", [value]) => {
            let value = value.integer().ok_or(What::Overflow)?;
            Ok(Value::Integer(value))
        }
        ("float", [value]) => Ok(Value::Float(value.float().ok_or(What::Overflow)?)),
        ("str", [value]) => Ok(Value::Text(value.to_string())),
        ("min" | "max", [first, rest @ ..]) => {
            let better = match function {
                "min" => super::tree::Comparison::Less,
                _ => super::tree::Comparison::Greater,
            };
            let mut best = first;
            for value in rest {
                if compare(better, value, best)? {
                    best = value;
                }
            }
            Ok(best.clone())
        }
        _ => Err(What::NoFunction(function.to_owned())),
    }
}
