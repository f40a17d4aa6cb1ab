//! What a command runs, held against the real bash and against what went wrong elsewhere.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "what breaks here is a failed test"
)]

mod advisories;
mod bash;
mod corpus;
mod generate;
mod random;
mod rules;
mod shows;

use chela_shell::{Rule, Verdict, judge, judge_argv, verdict};

/// Rules that allow these programs whatever their arguments; what runs something else has no rule.
pub(crate) fn allowing(programs: &[Vec<String>]) -> Vec<Rule> {
    programs.iter().filter_map(|argv| Rule::of_words(&[argv[0].as_str(), "-**"]).ok()).collect()
}

/// The programs of a line that can be told for sure.
pub(crate) fn programs(line: &str) -> Option<Vec<Vec<String>>> {
    match verdict(line) {
        Verdict::Programs(programs) => Some(programs),
        Verdict::NeedsPerson { .. } => None,
    }
}

/// Asserts that a person is asked about each of these, even by an owner who allows every program that can be allowed.
pub(crate) fn assert_asked(lines: &[&str]) {
    for line in lines {
        let verdict = verdict(line);
        assert!(matches!(verdict, Verdict::NeedsPerson { .. }), "{line:?}: {verdict:?}");
        let names: Vec<Vec<String>> = line.split_whitespace().map(|word| vec![word.to_owned()]).collect();
        let judgement = judge(line, &allowing(&names));
        assert!(!judgement.allowed && judgement.script.is_none(), "{line:?}: {judgement:?}");
    }
}

/// The same without a shell: words with spaces between them.
pub(crate) fn assert_asked_argv(lines: &[&str]) {
    for line in lines {
        let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let judgement = judge_argv(&argv, &allowing(std::slice::from_ref(&argv)));
        assert!(!judgement.allowed, "{line:?}: {judgement:?}");
    }
}
