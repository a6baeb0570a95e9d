//! Names that the one who starts a script, or the script's own `--define` lines, give a meaning: they are replaced in
//! the script's tokens before it is parsed, and `#ifdef NAME` asks whether a name has one.

use std::collections::BTreeMap;

use super::lex;
use super::run::config::IpVersion;
use super::token::{Kind, Token};
use crate::scenario::Problem;

/// What names stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definitions(BTreeMap<String, String>);

impl Definitions {
    /// The names that the suites expect from outside, with an IPv4 network's values: google's own driver defines the
    /// first four, its PSP scripts need an MSS from their testbed, and nplab's tool defines the system's name.
    pub fn of_the_suites() -> Definitions {
        Definitions::of_the_suites_for(IpVersion::V4)
    }

    /// The same, with the values of a version's network.
    pub fn of_the_suites_for(version: IpVersion) -> Definitions {
        let cookie = match version {
            IpVersion::V4 | IpVersion::Mapped => "3021b9d889017eeb",
            IpVersion::V6 => "c1d1e9742a47a9bc",
        };
        let code = match version {
            IpVersion::V4 | IpVersion::Mapped => "host_unreachable",
            // The driver has none for IPv6; this is what ICMPv6 calls it.
            IpVersion::V6 => "address_unreachable",
        };
        // The level is that of the sockets, whatever their packets are.
        let (level, kind) = match version {
            IpVersion::V4 => ("SOL_IP", "IP_RECVERR"),
            IpVersion::V6 | IpVersion::Mapped => ("SOL_IPV6", "IPV6_RECVERR"),
        };
        let mut all = Definitions::default();
        for (name, value) in [
            ("TFO_COOKIE", cookie),
            ("CODE", code),
            ("CMSG_LEVEL_IP", level),
            ("CMSG_TYPE_RECVERR", kind),
            ("MSS", "1460"),
            ("FreeBSD", "1"),
        ] {
            all.define(name, value);
        }
        all
    }

    /// Gives a name a meaning: a number, a word, a `"text"` or a `` `command` ``.
    pub fn define(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// What a name stands for.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// These, and what the script's own `--define=NAME=VALUE` lines add to them.
    pub fn with_those_of(&self, tokens: &[Token<'_>]) -> Definitions {
        let mut all = self.clone();
        for token in tokens.iter().filter(|t| t.kind == Kind::Option) {
            let definition = token.text.strip_prefix("define=");
            if let Some((name, value)) = definition.and_then(|d| d.split_once('=')) {
                all.define(name, value);
            }
        }
        all
    }
}

/// The tokens that are left when each name is replaced and each `#ifdef` is decided.
pub fn expand<'a>(
    tokens: &[Token<'a>],
    definitions: &'a Definitions,
) -> Result<Vec<Token<'a>>, Problem> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut block: Option<(Token<'_>, bool)> = None;
    for token in tokens {
        match (token.kind, block) {
            (Kind::IfDef, None) => {
                block = Some((*token, definitions.get(token.text).is_some()));
            }
            (Kind::EndIf, Some(_)) => block = None,
            (Kind::IfDef, Some(_)) => {
                let hint = "the language has no nested `#ifdef`: close the first with `#endif`";
                return Err(astray(token, "`#ifdef` inside an `#ifdef`", hint));
            }
            (Kind::EndIf, None) => {
                let hint = "remove it, or open a block with `#ifdef NAME`";
                return Err(astray(token, "`#endif` without an `#ifdef`", hint));
            }
            (Kind::End, Some((open, _))) => {
                let hint = "close it with `#endif`";
                return Err(astray(&open, "the `#ifdef` is not closed", hint));
            }
            (_, Some((_, false))) => {}
            (Kind::Word, _) => match definitions.get(token.text) {
                Some(value) => out.push(meant(token, value)?),
                None => out.push(*token),
            },
            _ => out.push(*token),
        }
    }
    Ok(out)
}

/// The token that a name's value is, in the name's place.
fn meant<'a>(name: &Token<'_>, value: &'a str) -> Result<Token<'a>, Problem> {
    match lex::lex(value).as_deref() {
        Ok([token, end]) if end.kind == Kind::End => Ok(Token {
            span: name.span,
            opens_line: name.opens_line,
            ..*token
        }),
        _ => {
            let hint = "a name stands for one number, word, text or command";
            let what = format!("`{}` stands for {value:?}", name.text);
            Err(astray(name, &what, hint))
        }
    }
}

fn astray(token: &Token<'_>, what: &str, hint: &str) -> Problem {
    Problem::new(token.span, what.into(), "here", hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, String> {
        let tokens = lex::lex(text).expect("tokens");
        let definitions = Definitions::of_the_suites().with_those_of(&tokens);
        let left = expand(&tokens, &definitions).map_err(|problem| problem.message)?;
        let words: Vec<&str> = left.iter().map(|t| t.text).collect();
        Ok(words.join(" ").trim_end().to_owned())
    }

    #[test]
    fn a_name_stands_for_its_value_outside_quotes() {
        assert_eq!(expanded("mss MSS \"MSS\"").as_deref(), Ok("mss 1460 MSS"));
        assert_eq!(
            expanded("--define=CC=\"reno\"\n[CC]").as_deref(),
            Ok("define=CC=\"reno\" [ reno ]")
        );
    }

    #[test]
    fn a_block_is_there_if_its_name_is_defined() {
        let text = "1 #ifdef FreeBSD\n2\n#endif 3\n#ifdef STANDARD\n4 5\n#endif\n6";
        assert_eq!(expanded(text).as_deref(), Ok("1 2 3 6"));
    }

    #[test]
    fn blocks_are_closed_and_do_not_nest() {
        for text in [
            "#endif",
            "#ifdef A\n",
            "#ifdef A\n#ifdef B\n#endif\n#endif",
            "--define=A=x,y\nA",
        ] {
            assert!(expanded(text).is_err(), "{text}");
        }
    }
}
