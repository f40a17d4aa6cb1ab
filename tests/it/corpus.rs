//! The corpus of attacks: every case is a test whose name begins with the case's id (`s01_…`, or `s01_s02_…` for several),
//! wherever in the repository it belongs. Those that are none yet say why in `tests/corpus/open.json`. docs/security.md
//! has the table of both; `UPDATE=1 cargo nextest run -p chela-tests corpus` writes it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

const PAGE: &str = "docs/security.md";
const BEGIN: &str = "<!-- corpus -->\n";

/// Where tests stand.
const FOLDERS: &[&str] = &["shared", "functions", "cli", "tests"];

/// Where laws stand: what every channel and every store is tried by.
const LAWS: &str = "shared/testkit/src/laws";

/// Lines between a test's attribute and its name.
const ATTRIBUTE_LINES: usize = 3;

struct Case {
    id: String,
    surface: String,
    input: String,
    expect: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn cases() -> Vec<Case> {
    let text = fs::read_to_string(root().join("tests/corpus/cases.jsonl")).unwrap();
    let read = |line: &str| {
        let case: Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| case[name].as_str().unwrap().to_owned();
        Case { id: field("id"), surface: field("surface"), input: field("input"), expect: field("expect") }
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(read).collect()
}

fn open() -> BTreeMap<String, String> {
    serde_json::from_str(&fs::read_to_string(root().join("tests/corpus/open.json")).unwrap()).unwrap()
}

/// The tests of each case, as `file: name`.
fn tests() -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in FOLDERS.iter().flat_map(|folder| sources(&root().join(folder))) {
        let text = fs::read_to_string(&file).unwrap();
        let shown = file.strip_prefix(root()).unwrap().display().to_string();
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(name) = name_of(line) else { continue };
            let before = lines[at.saturating_sub(ATTRIBUTE_LINES)..at].join("\n");
            let is_law = line.starts_with("pub async fn ") && shown.starts_with(LAWS);
            let is_test = is_law
                || ["#[test]", "#[tokio::test", "#[case"].iter().any(|mark| before.contains(mark))
                || line.trim_start().starts_with("def test_");
            for id in ids(name).filter(|_| is_test) {
                found.entry(id).or_default().push(format!("{shown}: {name}"));
            }
        }
    }
    found
}

/// The name that a line gives to a function.
fn name_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let rest = line.strip_prefix("pub ").unwrap_or(line);
    let rest = rest.strip_prefix("async ").unwrap_or(rest);
    let rest = rest.strip_prefix("fn ").or_else(|| rest.strip_prefix("def test_"))?;
    rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()
}

/// The ids a name begins with.
fn ids(name: &str) -> impl Iterator<Item = String> {
    let is_id = |word: &&str| {
        let mut chars = word.chars();
        word.len() == 3 && chars.next().is_some_and(|c| c.is_ascii_lowercase()) && chars.all(|c| c.is_ascii_digit())
    };
    name.split('_').take_while(is_id).map(str::to_uppercase)
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "py") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn every_case_is_a_test_or_says_why_not() {
    let (tests, open) = (tests(), open());
    for Case { id, .. } in cases() {
        let named = tests.contains_key(&id);
        let excused = open.get(&id).is_some_and(|why| why.len() >= 20);
        assert!(
            named || excused,
            "{id}: no test's name begins with `{}_`, and open.json does not say why",
            id.to_lowercase()
        );
        assert!(!(named && excused), "{id} is a test now: remove it from open.json");
    }
    let known: Vec<String> = cases().into_iter().map(|case| case.id).collect();
    let strangers: Vec<_> = tests.keys().chain(open.keys()).filter(|id| !known.contains(id)).collect();
    assert!(strangers.is_empty(), "{strangers:?} are no cases of the corpus");
}

#[test]
fn the_page_has_the_table() {
    let path = root().join(PAGE);
    let page = fs::read_to_string(&path).unwrap();
    let (head, _) = page.split_once(BEGIN).unwrap();
    let (tests, open) = (tests(), open());
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let rows = cases().into_iter().map(|Case { id, surface, input, expect }| {
        let shown = match tests.get(&id) {
            Some(tests) => tests.iter().map(|test| format!("`{test}`")).collect::<Vec<_>>().join("<br>"),
            None => format!("**open**: {}", open.get(&id).map(String::as_str).unwrap_or_default()),
        };
        format!("| {id} | {surface} | {} | {} | {} |\n", cell(&input), cell(&expect), cell(&shown))
    });
    let rows: Vec<String> = rows.collect();
    let (all, left) = (rows.len(), open.len());
    let table = format!(
        "{head}{BEGIN}{} of {all} cases are tests.\n\n| id | surface | attack | must happen | test |\n|---|---|---|---|---|\n{}",
        all - left,
        rows.concat()
    );
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, table).unwrap();
    } else {
        assert!(page == table, "{PAGE} is of another day: UPDATE=1 cargo nextest run -p chela-tests corpus");
    }
}
