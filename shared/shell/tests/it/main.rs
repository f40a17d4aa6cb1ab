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

use chela_core::agent_id::AgentId;
use chela_core::approval::{Rule, listed};
use chela_core::tool::Consent;
use chela_shell::{Verdict, script, verdict, verdict_argv};

/// Whether a line runs without a person: its programs are told for sure, and each fits one of these rules, whose words
/// stand with spaces between them.
pub(crate) fn allowed(rules: &[&str], line: &str) -> bool {
    let words = |rule: &&str| rule.split(' ').map(str::to_owned).collect();
    let rules: Vec<Rule> = rules.iter().map(|rule| Rule::configured(words(rule))).collect();
    let consent = Consent { shown: line.to_owned(), programs: programs(line), beside: String::new() };
    listed(&AgentId::default(), "exec", &consent, rules.iter())
}

/// The programs of a line that can be told for sure.
pub(crate) fn programs(line: &str) -> Option<Vec<Vec<String>>> {
    match verdict(line) {
        Verdict::Programs(programs) => Some(programs),
        Verdict::NeedsPerson { .. } => None,
    }
}

/// Asserts that a person is asked about each of these, whatever is allowed.
pub(crate) fn assert_asked(lines: &[&str]) {
    for line in lines {
        let verdict = verdict(line);
        assert!(matches!(verdict, Verdict::NeedsPerson { .. }), "{line:?}: {verdict:?}");
        assert_eq!(script(line), None, "{line:?}");
    }
}

/// The same without a shell: words with spaces between them.
pub(crate) fn assert_asked_argv(lines: &[&str]) {
    for line in lines {
        let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let verdict = verdict_argv(&argv);
        assert!(matches!(verdict, Verdict::NeedsPerson { .. }), "{line:?}: {verdict:?}");
    }
}
