//! The tables of `docs/conformance.md`: the score by folder, and each script that does not pass with the reason. Scores
//! and failures are written by `EVILBIT_BLESS=1 cargo test -p tests --test conformance`; a reason is written by hand, in
//! the last column of its row, and stays there as long as the script fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use tests::scenario;

use super::suite::{self, Corpus, PATHS, Ran};

/// Between these two lines stands what is written here.
const BEGIN: &str = "<!-- written by the test `conformance` -->\n";
const END: &str = "<!-- end -->\n";
/// Stands where a reason is wanted.
const UNKNOWN: &str = "?";

/// What a suite came to, on each of the [`PATHS`].
pub struct Score {
    pub corpus: &'static Corpus,
    ran: [Vec<Ran>; PATHS.len()],
    /// How many pass on a bare device with another IP version.
    pub by_version: Vec<(&'static str, usize)>,
}

/// A row of the second table: a script that fails in one way, on one path or on all.
struct Row {
    script: String,
    paths: Vec<&'static str>,
    failure: String,
}

fn passed(ran: &[Ran]) -> usize {
    ran.iter().filter(|ran| ran.result == "PASS").count()
}

impl Score {
    /// Runs a suite that lies in the folder of all suites.
    pub fn of(corpus: &'static Corpus, folder: &Path) -> Score {
        let folder = folder.join(corpus.name);
        let ran = PATHS.map(|path| suite::run(&folder, path, None));
        let by_version = corpus.versions.iter().map(|version| {
            let options = ["--ip-version", version];
            (*version, passed(&suite::run_with(&folder, "raw", &options)))
        });
        Score {
            corpus,
            ran,
            by_version: by_version.collect(),
        }
    }

    fn by_path(&self) -> impl Iterator<Item = (&'static str, &Vec<Ran>)> {
        PATHS.into_iter().zip(&self.ran)
    }

    /// How many scripts pass.
    pub fn passed(&self, path: &str) -> usize {
        let of_path = self.by_path().filter(|(p, _)| *p == path);
        of_path.map(|(_, ran)| passed(ran)).sum()
    }

    /// The script's name in the tables.
    fn name(&self, ran: &Ran) -> String {
        let Corpus { name, above, .. } = self.corpus;
        let below = ran.script.strip_prefix(above).unwrap_or(&ran.script);
        format!("{name}: {below}")
    }

    /// The folder that a script is counted in.
    fn folder(&self, ran: &Ran) -> String {
        let name = self.name(ran);
        let mut words: Vec<&str> = name.split('/').collect();
        words.pop();
        words.truncate(self.corpus.depth);
        words.join("/")
    }

    /// The rows of the first table, and their sum.
    fn folders(&self) -> String {
        let mut folders: BTreeMap<String, [usize; 1 + PATHS.len()]> = BTreeMap::new();
        let all = format!("**{}**", self.corpus.name);
        for (at, (_, ran)) in self.by_path().enumerate() {
            for ran in ran {
                for name in [self.folder(ran), all.clone()] {
                    let counts = folders.entry(name).or_default();
                    counts[0] += usize::from(at == 0);
                    counts[1 + at] += usize::from(ran.result == "PASS");
                }
            }
        }
        let row = |(name, counts): (String, [usize; 1 + PATHS.len()])| {
            let counts = counts.map(|count| count.to_string());
            format!("| {name} | {} |\n", counts.join(" | "))
        };
        folders.into_iter().map(row).collect()
    }

    /// All that does not pass.
    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        for (path, ran) in self.by_path() {
            for ran in ran.iter().filter(|ran| ran.result != "PASS") {
                let script = self.name(ran);
                let said = ran.failure.as_deref().unwrap_or_default();
                let failure = format!("{}, {}", ran.result, said.replace('|', "\\|"));
                let same = |row: &&mut Row| row.script == script && row.failure == failure;
                match rows.iter_mut().find(same) {
                    Some(row) => row.paths.push(path),
                    None => rows.push(Row {
                        script,
                        paths: vec![path],
                        failure,
                    }),
                }
            }
        }
        rows.sort_by(|a, b| (&a.script, &a.paths).cmp(&(&b.script, &b.paths)));
        rows
    }
}

impl Row {
    /// A row's first cells.
    fn key(&self) -> (String, String) {
        (self.script.clone(), self.paths.join(", "))
    }
}

fn file() -> PathBuf {
    scenario::root().join("docs/conformance.md")
}

fn page() -> String {
    fs::read_to_string(file()).expect("the page can be read")
}

/// The reasons on the page, by script and paths.
fn reasons(page: &str) -> BTreeMap<(String, String), String> {
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let cells = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
    cells
        .filter_map(|cells| match cells[..] {
            [script, paths, _, .., why] if script.ends_with(".pkt") => {
                let script = script.trim_start_matches("| ").to_owned();
                let why = why.trim_end_matches(" |").to_owned();
                Some(((script, paths.to_owned()), why))
            }
            _ => None,
        })
        .filter(|(_, why)| why != UNKNOWN)
        .collect()
}

/// Every script that fails stands on the page, with a path on which it does and a reason.
pub fn check(scores: &[Score]) {
    let mut explained = BTreeSet::new();
    for ((script, paths), _) in reasons(&page()) {
        for path in paths.split(", ") {
            explained.insert((script.clone(), path.to_owned()));
        }
    }
    for row in scores.iter().flat_map(Score::rows) {
        for path in &row.paths {
            assert!(
                explained.contains(&(row.script.clone(), (*path).to_owned())),
                "docs/conformance.md does not say why: {} --path {path}: {}",
                row.script,
                row.failure
            );
        }
    }
    if page() != written(scores) {
        eprintln!("docs/conformance.md has old scores: EVILBIT_BLESS=1 writes them anew");
    }
}

/// The page with the scores of now.
fn written(scores: &[Score]) -> String {
    let page = page();
    let (head, rest) = page.split_once(BEGIN).expect("where the tables begin");
    let (_, tail) = rest.split_once(END).expect("where the tables end");
    let reasons = reasons(&page);
    let mut text = format!("{head}{BEGIN}\n| folder | scripts | raw | xen |\n");
    text += "| --- | ---: | ---: | ---: |\n";
    text.extend(scores.iter().map(Score::folders));
    text += "\n| script | path | result | why |\n| --- | --- | --- | --- |\n";
    for row in scores.iter().flat_map(Score::rows) {
        let (script, paths) = row.key();
        // A row that was split, or put together, keeps its reason.
        let of_script = || reasons.iter().find(|((s, _), _)| *s == script);
        let why = reasons.get(&row.key());
        let why = why.or_else(|| of_script().map(|(_, why)| why));
        let why = why.map_or(UNKNOWN, String::as_str);
        text += &format!("| {script} | {paths} | {} | {why} |\n", row.failure);
    }
    text += "\n";
    text + END + tail
}

/// Writes the page anew, but for the reasons.
pub fn write(scores: &[Score]) {
    fs::write(file(), written(scores)).expect("the page can be written");
}
