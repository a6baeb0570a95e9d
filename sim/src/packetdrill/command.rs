//! A shell command in back quotes, which nobody here gives to a shell: it is a text, and the programs that it names.

use std::fmt;

/// A command's text, as it stands between the back quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub text: String,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.text)
    }
}

/// One program with its arguments, out of a command's lines and pipes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program<'a> {
    /// The last part of its path.
    pub name: &'a str,
    pub arguments: Vec<&'a str>,
}

impl Command {
    /// The programs that the text names, in its order: a survey of the words between separators, which does not weigh
    /// quotes.
    pub fn programs(&self) -> Vec<Program<'_>> {
        let lines = self.text.lines().scan(false, |continued, line| {
            let begins = !*continued;
            *continued = line.trim_end().ends_with('\\');
            Some((begins, line))
        });
        let mut programs: Vec<Program<'_>> = Vec::new();
        for (begins, line) in lines {
            let line = line.split_once('#').map_or(line, |(before, _)| before);
            for (n, part) in line.split(['|', ';', '&']).enumerate() {
                let mut words = part.split_whitespace().filter(|word| *word != "\\");
                let continues = n == 0 && !begins;
                match programs.last_mut().filter(|_| continues) {
                    Some(last) => last.arguments.extend(words),
                    None => programs.extend(words.next().map(|path| Program {
                        name: path.rsplit('/').next().unwrap_or(path),
                        arguments: words.collect(),
                    })),
                }
            }
        }
        programs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_of_lines_and_pipes_are_found() {
        let command = Command {
            text:
                "../a/setup.sh\n # a comment\n tool -q a=1 # why\nother \\\n  b=2 | grep 1; rm -f x"
                    .into(),
        };
        let found = command.programs();
        let names: Vec<&str> = found.iter().map(|p| p.name).collect();
        assert_eq!(names, ["setup.sh", "tool", "other", "grep", "rm"]);
        assert_eq!(found[1].arguments, ["-q", "a=1"]);
        assert_eq!(found[2].arguments, ["b=2"]);
    }
}
