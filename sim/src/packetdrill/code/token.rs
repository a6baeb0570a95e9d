//! Tokens of a logical line: comments are gone, and lines that a backslash or an open bracket continues are joined.

use super::problem::{Problem, What};

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    Name(String),
    Integer(i128),
    Float(f64),
    Text(String),
    /// An operator or a bracket.
    Sign(&'static str),
}

/// A logical line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Columns before its first token.
    pub indent: usize,
    pub tokens: Vec<Placed>,
}

/// A token, and the line on which it stands, counted from 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    pub token: Token,
    pub line: usize,
}

/// Longer ones before their beginnings.
const SIGNS: [&str; 40] = [
    "<<=", ">>=", "//=", "==", "!=", "<=", ">=", "<<", ">>", "//", "+=", "-=", "*=", "/=", "%=",
    "&=", "|=", "^=", "<", ">", "=", "+", "-", "*", "/", "%", "&", "|", "^", "~", "(", ")", ",",
    ";", ":", "[", "]", "{", "}", ".",
];

/// Cuts a block into lines of tokens; empty lines are left out.
pub fn lines(text: &str) -> Result<Vec<Line>, Problem> {
    let mut lines = Vec::new();
    let mut line = Line {
        indent: 0,
        tokens: Vec::new(),
    };
    let (mut rest, mut number, mut open, mut column) = (text, 1, 0usize, 0);
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        rest = match first {
            '\n' => {
                number += 1;
                column = 0;
                if open == 0 && !line.tokens.is_empty() {
                    lines.push(std::mem::replace(
                        &mut line,
                        Line {
                            indent: 0,
                            tokens: Vec::new(),
                        },
                    ));
                }
                after
            }
            ' ' | '\t' | '\r' => {
                column += 1;
                after
            }
            // A backslash joins, as does, at the end of a line, one with blanks behind it.
            '\\' if after
                .trim_start_matches([' ', '\t', '\r'])
                .starts_with('\n') =>
            {
                number += 1;
                let newline = after.find('\n').expect("it is there");
                &after[newline + 1..]
            }
            '#' => after.find('\n').map_or("", |end| &after[end..]),
            _ => {
                if line.tokens.is_empty() {
                    line.indent = column;
                }
                let (token, after) = token(rest, number)?;
                match token {
                    Token::Sign("(") => open += 1,
                    Token::Sign(")") => open = open.saturating_sub(1),
                    _ => {}
                }
                line.tokens.push(Placed {
                    token,
                    line: number,
                });
                after
            }
        };
    }
    if !line.tokens.is_empty() {
        lines.push(line);
    }
    Ok(lines)
}

fn token(text: &str, line: usize) -> Result<(Token, &str), Problem> {
    let unknown = || {
        let what = text.split_whitespace().next().unwrap_or(text);
        let what = What::Unknown(what.chars().take(20).collect());
        Problem::at(line, what)
    };
    let first = text.chars().next().ok_or_else(unknown)?;
    if first.is_ascii_alphabetic() || first == '_' {
        let end = text
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(text.len());
        return Ok((Token::Name(text[..end].to_owned()), &text[end..]));
    }
    if first.is_ascii_digit() {
        let end = text
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '.')
            .unwrap_or(text.len());
        let token = number(&text[..end]).ok_or_else(unknown)?;
        return Ok((token, &text[end..]));
    }
    if first == '\'' || first == '"' {
        let inside = &text[1..];
        let end = inside.find([first, '\n']).ok_or_else(unknown)?;
        if !inside[end..].starts_with(first) || inside[..end].contains('\\') {
            return Err(unknown());
        }
        return Ok((Token::Text(inside[..end].to_owned()), &inside[end + 1..]));
    }
    let sign = SIGNS.into_iter().find(|sign| text.starts_with(sign));
    let sign = sign.ok_or_else(unknown)?;
    Ok((Token::Sign(sign), &text[sign.len()..]))
}

fn number(text: &str) -> Option<Token> {
    if let Some(digits) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        return i128::from_str_radix(digits, 16).ok().map(Token::Integer);
    }
    let digits = |c: char| c.is_ascii_digit();
    if text.chars().all(digits) {
        return text.parse().ok().map(Token::Integer);
    }
    let decimal = text.chars().all(|c| digits(c) || c == '.');
    decimal.then(|| text.parse().ok().map(Token::Float))?
}
