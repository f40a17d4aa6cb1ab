//! A thousand random lines: bash runs what we said, or we asked.

use std::cell::Cell;
use std::collections::BTreeMap;

use chela_shell::{MAX_BYTES, Verdict, digest, script, shown, verdict, verdict_argv};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::bash::Bash;
use crate::generate::line;
use crate::{allowed, programs};

fn count(programs: Vec<Vec<String>>) -> BTreeMap<Vec<String>, usize> {
    let mut found = BTreeMap::new();
    for argv in programs {
        *found.entry(argv).or_default() += 1;
    }
    found
}

/// How many random lines are held against bash; those that we ask about come on top.
const LINES: usize = 1_000;

/// For each line that we read: bash starts nothing else; where nothing is conditional, bash starts all of it; and what
/// we would give to the shell instead makes it start the same.
#[test]
fn bash_runs_what_we_read_or_we_ask() {
    let bash = Bash::new();
    let (read, asked) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config { cases: 4_400, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&line(), |line| {
        if read.get() == LINES {
            return Ok(());
        }
        let Some(programs) = programs(&line) else {
            asked.set(asked.get() + 1);
            return Ok(());
        };
        read.set(read.get() + 1);
        let status = u8::try_from(read.get() % 2).unwrap();
        let runs = bash.runs(&line, status);
        let script = script(&line).unwrap();
        prop_assert_eq!(&runs, &bash.runs(&script, status), "{:?} given as {:?}", line, script);
        // A path is started as it is: there is nothing there that could record it.
        let ours = count(programs.into_iter().filter(|argv| !argv[0].starts_with('/')).collect());
        if line.contains("&&") || line.contains("||") {
            let more = runs.iter().find(|(argv, times)| ours.get(*argv).is_none_or(|known| known < times));
            prop_assert!(more.is_none(), "{:?}: bash also runs {:?}", line, more);
        } else {
            prop_assert_eq!(runs, ours, "{:?}", line);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    println!("{} lines read as bash reads them, {} asked about", read.get(), asked.get());
    assert!(read.get() == LINES && asked.get() >= 500, "{} read, {} asked", read.get(), asked.get());
}

/// Whatever a model writes: an answer, and none of the functions panics.
fn survives(line: &str) {
    assert_eq!(matches!(verdict(line), Verdict::Programs(_)), script(line).is_some());
    let _ = (shown(line), digest(&[line]), allowed(&["ls -**", line], line));
    let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let _ = verdict_argv(&argv);
}

proptest! {
    #![proptest_config(Config { cases: 4_000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn nothing_panics(line in prop_oneof![line(), ".*", "[$({<>@!`'\"\\\\ \n;|&=a)}]{0,80}"]) {
        survives(&line);
    }
}

/// The tokenizer collects the text of a here-document, and of some never comes to an end: it must not see any.
#[test]
fn here_documents_are_asked_about_before_they_are_read() {
    // First what it could read, so that this test ends where nothing keeps the others from it.
    for line in [
        "grep '<<<<<<<' a",
        "a <<b\nc\nb\n",
        "a <<''  ",
        "-whilefunction<<''      ",
        "<<E$[  ",
        "`<<''` ",
        "a \"$(<<'') \"",
    ] {
        let Verdict::NeedsPerson { why } = verdict(line) else { panic!("{line}") };
        assert!(why.to_string().contains("`<<`"), "{line}: {why}");
    }
}

/// The tokenizer and the grammar recurse, and backtrack without end: bounded before either sees the line.
#[test]
fn deep_and_long_lines_are_asked_about_at_once() {
    let pairs = [
        ("$(", ")"),
        ("${", "}"),
        ("${a:-", "}"),
        ("$((", "))"),
        ("$[", "]"),
        ("`", "`"),
        ("(", ")"),
        ("((", "))"),
        ("{ ", ";}"),
        ("\"$(", ")\""),
        ("\"${a:-", "}\""),
        ("<(", ")"),
        ("@(", ")"),
        ("a+(", ")"),
        ("if ", " then b; fi"),
        ("while ", " do b; done"),
        ("case a in a) ", " ;; esac"),
        ("case a in a) ", " esac"),
        ("! ", ""),
        ("[[ ! ", " ]]"),
        ("[[ ( ", " ) ]]"),
        ("for a in b; do ", "; done"),
        ("f() ", ""),
        ("coproc ", ""),
        ("time ", ""),
        ("<<a ", "\na\n"),
        ("a <<'b' ", "\n"),
        ("function f ", ""),
        ("select a in b; do ", "; done"),
    ];
    for (open, close) in pairs {
        for depth in [8, 31, 200, 5_000] {
            let line = format!("{}a{}", open.repeat(depth), close.repeat(depth));
            let took = std::time::Instant::now();
            survives(&line);
            assert_eq!(programs(&line), None, "{line}");
            survives(&format!("a {}", open.repeat(depth)));
            assert!(took.elapsed().as_secs() < 4, "{open} {depth} took {:?}", took.elapsed());
        }
    }
    let longest = format!("a '{}'", "x".repeat(MAX_BYTES - 4));
    assert_eq!((longest.len(), programs(&longest).is_some()), (MAX_BYTES, true));
    assert!(matches!(verdict(&format!("{longest} ")), Verdict::NeedsPerson { .. }));
    survives(&"a;".repeat(MAX_BYTES / 2));
    survives(&"'$('".repeat(MAX_BYTES / 4));
}
