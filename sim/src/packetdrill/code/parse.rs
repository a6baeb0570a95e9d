//! Lines of tokens to statements: precedence climbing, with a bound on depth.

use super::problem::{Problem, What};
use super::token::{Line, Placed, Token, lines};
use super::tree::{Comparison, Expr, Operator, Statement, StatementKind, Unary};

/// How deep expressions and blocks may nest.
const MAX_DEPTH: u32 = 40;

/// Tokens of a logical line: a chain of operators is as deep as it is long.
const MAX_TOKENS: usize = 512;

/// The levels of binary operators, the loosest first.
const LEVELS: [&[(&str, Operator)]; 6] = [
    &[("|", Operator::BitOr)],
    &[("^", Operator::BitXor)],
    &[("&", Operator::BitAnd)],
    &[("<<", Operator::ShiftLeft), (">>", Operator::ShiftRight)],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[
        ("*", Operator::Multiply),
        ("/", Operator::Divide),
        ("//", Operator::FloorDivide),
        ("%", Operator::Modulo),
    ],
];

const COMPARISONS: [Comparison; 6] = [
    Comparison::Equal,
    Comparison::NotEqual,
    Comparison::LessOrEqual,
    Comparison::GreaterOrEqual,
    Comparison::Less,
    Comparison::Greater,
];

const ASSIGNMENTS: [(&str, Option<Operator>); 12] = [
    ("=", None),
    ("+=", Some(Operator::Add)),
    ("-=", Some(Operator::Subtract)),
    ("*=", Some(Operator::Multiply)),
    ("/=", Some(Operator::Divide)),
    ("//=", Some(Operator::FloorDivide)),
    ("%=", Some(Operator::Modulo)),
    ("<<=", Some(Operator::ShiftLeft)),
    (">>=", Some(Operator::ShiftRight)),
    ("&=", Some(Operator::BitAnd)),
    ("|=", Some(Operator::BitOr)),
    ("^=", Some(Operator::BitXor)),
];

/// Words that Python keeps for itself and blocks do not use.
const KEPT: [&str; 14] = [
    "import", "from", "def", "class", "for", "while", "with", "try", "lambda", "global", "return",
    "yield", "del", "raise",
];

/// The statements of a block.
pub fn parse(text: &str) -> Result<Vec<Statement>, Problem> {
    let lines = lines(text)?;
    let (statements, rest) = block(&lines, None, 0)?;
    match rest.first() {
        None => Ok(statements),
        Some(line) => Err(unknown(&line.tokens[0])),
    }
}

fn unknown(placed: &Placed) -> Problem {
    Problem::at(placed.line, What::Unknown(shown(Some(placed))))
}

fn shown(placed: Option<&Placed>) -> String {
    match placed.map(|p| &p.token) {
        None => "the end of the line".to_owned(),
        Some(Token::Name(name)) => name.clone(),
        Some(Token::Integer(value)) => value.to_string(),
        Some(Token::Float(value)) => value.to_string(),
        Some(Token::Text(text)) => format!("'{text}'"),
        Some(Token::Sign(sign)) => (*sign).to_owned(),
    }
}

/// Lines that stand deeper than `outer`; those after them.
fn block(
    mut lines: &[Line],
    outer: Option<usize>,
    depth: u32,
) -> Result<(Vec<Statement>, &[Line]), Problem> {
    let mut statements = Vec::new();
    while let [line, rest @ ..] = lines {
        if outer.is_some_and(|outer| line.indent <= outer) {
            break;
        }
        if line.tokens.len() > MAX_TOKENS {
            return Err(Problem::at(line.tokens[0].line, What::TooLong));
        }
        let mut parser = Parser {
            tokens: &line.tokens,
            at: 0,
            depth,
        };
        if parser.word("if") {
            let (statement, rest) = conditional(parser, line, rest)?;
            statements.push(statement);
            lines = rest;
            continue;
        }
        parser.simple_statements(&mut statements)?;
        lines = rest;
    }
    Ok((statements, lines))
}

/// Behind an `if` or `elif`: condition, body, and what else.
fn conditional<'a>(
    mut parser: Parser<'_>,
    line: &Line,
    rest: &'a [Line],
) -> Result<(Statement, &'a [Line]), Problem> {
    parser.deeper()?;
    let depth = parser.depth;
    let condition = parser.expr()?;
    let (then, rest) = body(parser, line, rest)?;
    let mut otherwise = Vec::new();
    let mut after = rest;
    if let [next, rest @ ..] = rest
        && next.indent == line.indent
    {
        let mut parser = Parser {
            tokens: &next.tokens,
            at: 0,
            depth,
        };
        if parser.word("elif") {
            let (statement, rest) = conditional(parser, next, rest)?;
            otherwise.push(statement);
            after = rest;
        } else if parser.word("else") {
            (otherwise, after) = body(parser, next, rest)?;
        }
    }
    let kind = StatementKind::If {
        condition,
        then,
        otherwise,
    };
    let line = line.tokens[0].line;
    Ok((Statement { line, kind }, after))
}

/// Behind the colon on the same line, or the deeper lines that follow.
fn body<'a>(
    mut parser: Parser<'_>,
    line: &Line,
    rest: &'a [Line],
) -> Result<(Vec<Statement>, &'a [Line]), Problem> {
    parser.expect(":", "a colon")?;
    if parser.peek().is_some() {
        let mut statements = Vec::new();
        parser.simple_statements(&mut statements)?;
        return Ok((statements, rest));
    }
    let (statements, rest) = block(rest, Some(line.indent), parser.depth)?;
    if statements.is_empty() {
        return Err(parser.missing("an indented statement"));
    }
    Ok((statements, rest))
}

/// A walk over one line.
struct Parser<'a> {
    tokens: &'a [Placed],
    at: usize,
    depth: u32,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|placed| &placed.token)
    }

    fn line(&self) -> usize {
        let at = self.at.min(self.tokens.len().saturating_sub(1));
        self.tokens.get(at).map_or(1, |placed| placed.line)
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(s)) if *s == sign);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(name)) if name == word);
        self.at += usize::from(found);
        found
    }

    fn missing(&self, expected: &'static str) -> Problem {
        let found = shown(self.tokens.get(self.at));
        Problem::at(self.line(), What::Expected { expected, found })
    }

    fn expect(&mut self, sign: &str, expected: &'static str) -> Result<(), Problem> {
        if self.sign(sign) {
            Ok(())
        } else {
            Err(self.missing(expected))
        }
    }

    fn deeper(&mut self) -> Result<(), Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Problem::at(self.line(), What::TooDeep));
        }
        Ok(())
    }

    /// `a; b; c`
    fn simple_statements(&mut self, to: &mut Vec<Statement>) -> Result<(), Problem> {
        loop {
            let line = self.line();
            let kind = self.simple_statement()?;
            to.push(Statement { line, kind });
            let ends = !self.sign(";");
            if self.peek().is_none() {
                return Ok(());
            }
            if ends {
                return Err(self.missing("a semicolon"));
            }
        }
    }

    fn simple_statement(&mut self) -> Result<StatementKind, Problem> {
        if self.word("pass") {
            return Ok(StatementKind::Pass);
        }
        if self.word("assert") {
            let from = self.at;
            let condition = self.expr()?;
            let text = self.tokens[from..self.at].iter();
            let text: Vec<String> = text.map(|placed| shown(Some(placed))).collect();
            let message = if self.sign(",") {
                Some(self.expr()?)
            } else {
                None
            };
            return Ok(StatementKind::Assert {
                condition,
                message,
                text: text.join(" "),
            });
        }
        if let Some(Token::Name(name)) = self.peek() {
            let name = name.clone();
            if KEPT.contains(&name.as_str()) {
                return Err(unknown(&self.tokens[self.at]));
            }
            let next = self.tokens.get(self.at + 1).map(|placed| &placed.token);
            if let Some(Token::Sign(sign)) = next {
                if let Some((_, operator)) = ASSIGNMENTS.iter().find(|(s, _)| s == sign) {
                    self.at += 2;
                    return Ok(StatementKind::Assign {
                        name,
                        operator: *operator,
                        value: self.expr()?,
                    });
                }
                if name == "print" && *sign == "(" {
                    self.at += 2;
                    return Ok(StatementKind::Print(self.arguments()?));
                }
            }
        }
        Ok(StatementKind::Expr(self.expr()?))
    }

    /// Behind an open bracket, up to the closing one.
    fn arguments(&mut self) -> Result<Vec<Expr>, Problem> {
        let mut arguments = Vec::new();
        while !self.sign(")") {
            arguments.push(self.expr()?);
            if !self.sign(",") {
                self.expect(")", "a closing bracket")?;
                break;
            }
        }
        Ok(arguments)
    }

    fn expr(&mut self) -> Result<Expr, Problem> {
        let depth = self.depth;
        self.deeper()?;
        let then = self.or()?;
        let expr = if self.word("if") {
            let condition = Box::new(self.or()?);
            if !self.word("else") {
                return Err(self.missing("else"));
            }
            Expr::Choice {
                condition,
                then: Box::new(then),
                otherwise: Box::new(self.expr()?),
            }
        } else {
            then
        };
        self.depth = depth;
        Ok(expr)
    }

    fn or(&mut self) -> Result<Expr, Problem> {
        let mut left = self.and()?;
        while self.word("or") {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, Problem> {
        let mut left = self.not()?;
        while self.word("and") {
            left = Expr::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expr, Problem> {
        if !self.word("not") {
            return self.comparison();
        }
        let depth = self.depth;
        self.deeper()?;
        let operand = Box::new(self.not()?);
        self.depth = depth;
        let operator = Unary::Not;
        Ok(Expr::Unary { operator, operand })
    }

    fn comparison(&mut self) -> Result<Expr, Problem> {
        let first = self.binary(0)?;
        let mut rest = Vec::new();
        while let Some(comparison) = COMPARISONS.into_iter().find(|c| self.sign(c.sign())) {
            rest.push((comparison, self.binary(0)?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let first = Box::new(first);
        Ok(Expr::Compare { first, rest })
    }

    fn binary(&mut self, level: usize) -> Result<Expr, Problem> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.sign(sign)) {
            left = Expr::Binary {
                operator: *operator,
                left: Box::new(left),
                right: Box::new(self.binary(level + 1)?),
            };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, Problem> {
        let signs = [
            ("-", Unary::Minus),
            ("+", Unary::Plus),
            ("~", Unary::Invert),
        ];
        let Some((_, operator)) = signs.into_iter().find(|(sign, _)| self.sign(sign)) else {
            return self.atom();
        };
        let depth = self.depth;
        self.deeper()?;
        let operand = Box::new(self.unary()?);
        self.depth = depth;
        Ok(Expr::Unary { operator, operand })
    }

    fn atom(&mut self) -> Result<Expr, Problem> {
        let Some(token) = self.peek().cloned() else {
            return Err(self.missing("a value"));
        };
        self.at += 1;
        Ok(match token {
            Token::Integer(value) => Expr::Integer(value),
            Token::Float(value) => Expr::Float(value),
            Token::Text(text) => Expr::Text(text),
            Token::Name(name) if name == "True" => Expr::Bool(true),
            Token::Name(name) if name == "False" => Expr::Bool(false),
            Token::Name(function) if self.sign("(") => Expr::Call {
                function,
                arguments: self.arguments()?,
            },
            Token::Name(name) => Expr::Name(name),
            Token::Sign("(") => {
                let first = self.expr()?;
                if self.sign(",") {
                    let mut all = vec![first];
                    all.extend(self.arguments()?);
                    Expr::Tuple(all)
                } else {
                    self.expect(")", "a closing bracket")?;
                    first
                }
            }
            Token::Sign(_) => {
                self.at -= 1;
                return Err(self.missing("a value"));
            }
        })
    }
}
