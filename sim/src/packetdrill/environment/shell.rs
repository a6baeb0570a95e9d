//! The shell's grammar, as far as scripts use it: words with quotes, pipes, lists, redirections, comments. Substitution
//! of commands or variables, globs, jobs and control structures are refused by name.

use super::Failure;

/// Commands joined by `|`.
pub type Pipeline = Vec<Invocation>;

/// A program with its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// At least one.
    pub words: Vec<String>,
    /// `< file`
    pub input: Option<String>,
    /// `> file`, or `>> file`: the same, for no file here grows.
    pub output: Option<String>,
}

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Word(String),
    Pipe,
    End,
    /// The file that follows is read from.
    Read,
    /// The file that follows is written to.
    Write,
    /// The file that follows gets what goes to standard error: nothing does here.
    WriteErrors,
}

/// The only variable: the process that runs the script, whose number is in a restore script's name.
const PARENT: &str = "${PPID}";

/// Pipelines, to be run one after the other.
///
/// # Errors
///
/// [`Failure::Syntax`] names what is not known here.
pub fn parse(text: &str) -> Result<Vec<Pipeline>, Failure> {
    let mut pipelines = Vec::new();
    let mut pipeline = Pipeline::new();
    let mut invocation = Invocation::default();
    let mut parts = parts(text)?.into_iter().peekable();
    while let Some(part) = parts.next() {
        let mut file = |of: &str| match parts.next_if(|p| matches!(p, Part::Word(_))) {
            Some(Part::Word(name)) => Ok(name),
            _ => Err(syntax(of, "a redirection needs a file")),
        };
        match part {
            Part::Word(word) => invocation.words.push(word),
            Part::Read => invocation.input = Some(file("<")?),
            Part::Write => invocation.output = Some(file(">")?),
            Part::WriteErrors => {
                let name = file("2>")?;
                if name != "/dev/null" && name != "&1" {
                    return Err(syntax(&name, "errors go nowhere but to /dev/null"));
                }
            }
            Part::Pipe | Part::End => {
                let ends = part == Part::End;
                if invocation == Invocation::default() {
                    if !ends || !pipeline.is_empty() {
                        return Err(syntax("|", "a pipe needs a program at both ends"));
                    }
                    continue;
                }
                if invocation.words.is_empty() {
                    return Err(syntax(">", "a redirection needs a program"));
                }
                pipeline.push(std::mem::take(&mut invocation));
                if ends {
                    pipelines.push(std::mem::take(&mut pipeline));
                }
            }
        }
    }
    Ok(pipelines)
}

fn parts(text: &str) -> Result<Vec<Part>, Failure> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        rest = match first {
            ' ' | '\t' | '\r' => after,
            '\\' if after.starts_with('\n') => &after[1..],
            '\n' | ';' => {
                parts.push(Part::End);
                after
            }
            '#' => after.find('\n').map_or("", |end| &after[end..]),
            '|' if after.starts_with('|') => return Err(syntax("||", "alternatives")),
            '|' => {
                parts.push(Part::Pipe);
                after
            }
            '<' if after.starts_with(['<', '&', '(']) => {
                return Err(syntax("<", "a here-document"));
            }
            '<' => {
                parts.push(Part::Read);
                after
            }
            '>' => {
                parts.push(Part::Write);
                after.strip_prefix('>').unwrap_or(after)
            }
            '2' if after.starts_with(">&1") => &after[3..],
            '2' if after.starts_with('>') => {
                parts.push(Part::WriteErrors);
                after[1..].strip_prefix('>').unwrap_or(&after[1..])
            }
            _ => {
                let (word, after) = word(rest)?;
                parts.push(Part::Word(word));
                after
            }
        };
    }
    parts.push(Part::End);
    Ok(parts)
}

/// The word at the beginning of `text`, without its quotes, and what follows it.
fn word(text: &str) -> Result<(String, &str), Failure> {
    let mut word = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        rest = match first {
            ' ' | '\t' | '\r' | '\n' | ';' | '|' | '<' | '>' => break,
            '\'' => {
                let (inside, after) = quoted(after, '\'')?;
                word.push_str(inside);
                after
            }
            '"' => {
                let (inside, after) = quoted(after, '"')?;
                if inside.contains(['$', '`', '\\']) {
                    return Err(syntax(inside, "nothing is substituted in quotes"));
                }
                word.push_str(inside);
                after
            }
            '\\' if after.starts_with('\n') => &after[1..],
            '\\' => {
                let next = after.chars().next().ok_or(syntax("\\", "the text ends"))?;
                word.push(next);
                &after[next.len_utf8()..]
            }
            '$' if rest.starts_with(PARENT) => {
                word.push_str(PARENT);
                &rest[PARENT.len()..]
            }
            '$' | '`' => return Err(syntax(rest, "nothing is substituted")),
            '&' => return Err(syntax("&", "there are no jobs")),
            '(' | ')' | '{' | '}' => return Err(syntax(rest, "there are no groups")),
            '*' | '?' | '[' => return Err(syntax(rest, "there are no patterns of files")),
            _ => {
                word.push(first);
                after
            }
        };
    }
    Ok((word, rest))
}

fn quoted(text: &str, quote: char) -> Result<(&str, &str), Failure> {
    text.split_once(quote)
        .ok_or(syntax(text, "a quote is not closed"))
}

fn syntax(what: &str, why: &'static str) -> Failure {
    let what = what.lines().next().unwrap_or(what);
    Failure::Syntax {
        what: what.chars().take(40).collect(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<Vec<String>>> {
        let pipelines = parse(text).expect("it parses");
        let words = |p: Pipeline| p.into_iter().map(|i| i.words).collect();
        pipelines.into_iter().map(words).collect()
    }

    #[test]
    fn lines_pipes_quotes_and_comments_are_understood() {
        let text = "a 'b c'\"d\" \\\n e # f | g\n\n  h=\"1 2\" | i ; j";
        assert_eq!(
            words(text),
            [
                vec![vec!["a", "b cd", "e"]],
                vec![vec!["h=1 2"], vec!["i"]],
                vec![vec!["j"]]
            ]
        );
    }

    #[test]
    fn redirections_belong_to_their_program() {
        let parsed = parse("echo 3 > /a/b 2>/dev/null | cat < c 2>&1").expect("it parses");
        let [echo, cat] = &parsed[0][..] else {
            panic!("{parsed:?}")
        };
        assert_eq!(echo.words, ["echo", "3"]);
        assert_eq!(echo.output.as_deref(), Some("/a/b"));
        assert_eq!(cat.input.as_deref(), Some("c"));
    }

    #[test]
    fn what_a_shell_would_do_beyond_that_is_refused_by_name() {
        for text in [
            "echo $(id)",
            "echo `id`",
            "echo \"`id`\"",
            "echo \"$HOME\"",
            "echo $HOME",
            "a && b",
            "a || b",
            "sleep 1 &",
            "(a)",
            "ls *",
            "cat <<E",
            "cat <(a)",
            "a |",
            "| a",
            "> x",
            "a 2> /etc/x",
            "a >",
            "'a",
        ] {
            let refused = parse(text);
            assert!(
                matches!(refused, Err(Failure::Syntax { .. })),
                "{text}: {refused:?}"
            );
        }
    }
}
