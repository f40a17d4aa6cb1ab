//! The allow-list: globs on words.

use chela_shell::{Rule, RuleError, judge, judge_argv};

fn allowed(rules: &[&str], line: &str) -> bool {
    let rules: Vec<Rule> = rules.iter().map(|rule| Rule::parse(rule).unwrap()).collect();
    let judgement = judge(line, &rules);
    assert_eq!(judgement.allowed, judgement.script.is_some(), "{judgement:?}");
    judgement.allowed
}

#[test]
fn an_empty_list_allows_nothing() {
    assert!(!allowed(&[], "ls"));
    assert!(allowed(&["ls"], "ls"));
}

#[test]
fn every_program_of_a_line_needs_a_rule() {
    let rules = ["git status **", "ls"];
    assert!(allowed(&rules, "git status && ls; git status src | ls"));
    assert!(!allowed(&rules, "ls; cat x"));
    assert!(!allowed(&rules, "cat x | ls"));
    assert!(!allowed(&rules, "ls || rm -rf x"));
    assert!(!allowed(&rules, "ls\nrm x"));
}

#[test]
fn a_glob_stays_within_its_word() {
    assert!(allowed(&["cat *.md"], "cat a.md"));
    assert!(allowed(&["cat *.md"], "cat 'my notes.md'"));
    assert!(!allowed(&["cat *.md"], "cat a b.md"));
    assert!(!allowed(&["cat *"], "cat a b"));
    assert!(!allowed(&["cat *"], "cat"));
    assert!(allowed(&["cat ?"], "cat a") && !allowed(&["cat ?"], "cat ab"));
    assert!(allowed(&["cat **"], "cat") && allowed(&["cat **"], "cat a b c"));
    assert!(allowed(&["grep '*' **"], "grep '*' x") && !allowed(&["grep '*' **"], "grep b x"));
}

#[test]
fn a_wildcard_is_no_option() {
    assert!(!allowed(&["cat *"], "cat -A"));
    assert!(!allowed(&["cat **"], "cat a -A"));
    assert!(!allowed(&["cat **"], "cat a --"));
    assert!(!allowed(&["cat ?A"], "cat -A"));
    assert!(allowed(&["cat -* **"], "cat -A a"));
    assert!(allowed(&["git log --format=* **"], "git log --format=%H src"));
    assert!(!allowed(&["git log --format=* **"], "git log --output=x src"));
    assert!(!allowed(&["git log --format=* **"], "git log --form=%H src"));
    assert!(allowed(&["ls -**"], "ls -la src --color"));
}

#[test]
fn a_program_is_written_out() {
    for line in ["./ls", "/tmp/ls", "/bin/ls", "LS", "../ls", "ls.exe", "/bin/../tmp/ls", "lsx"] {
        assert!(!allowed(&["ls -**"], line), "{line}");
    }
    assert!(allowed(&["/bin/ls **"], "/bin/ls a"));
    for line in ["ls a", "/usr/bin/ls a", "/bin//ls a", "/bin/./ls a", "/tmp/../bin/ls a", "//bin/ls a", "/bin/LS a"] {
        assert!(!allowed(&["/bin/ls **"], line), "{line}");
    }
}

#[test]
fn the_words_of_a_rule_may_stand_in_an_array() {
    let rules = [Rule::of_words(&["git", "commit", "-m", "*"]).unwrap()];
    assert!(judge("git commit -m 'two words'", &rules).allowed);
    assert!(!judge("git commit -m two words", &rules).allowed);
    let argv = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert!(judge_argv(&argv(&["git", "commit", "-m", "it's"]), &rules).allowed);
    assert!(!judge_argv(&argv(&["git", "commit", "-m", "a", "b"]), &rules).allowed);
    assert!(!judge_argv(&argv(&["git", "commit", "-m", "a\u{202e}b"]), &rules).allowed);
    assert!(!judge_argv(&[], &rules).allowed);
    assert_eq!(Rule::of_words(&["ls", "**"]), Rule::parse("ls **"));
    // A grant for `*` is no wildcard when it came quoted, and no character of ours passes for one.
    assert!(!judge("git commit -m \u{e000}", &rules).allowed);
}

/// What is given to the shell can be read in one way only.
#[test]
fn what_runs_is_written_anew() {
    let judgement = judge("ls  \"a b\" it\\'s|ls&&ls # comment", &[Rule::parse("ls **").unwrap()]);
    assert_eq!(judgement.script.unwrap(), r"'ls' 'a b' 'it'\''s' | 'ls' && 'ls'");
    assert_eq!(judgement.programs[0], ["ls", "a b", "it's"]);
}

#[test]
fn a_rule_that_allows_everything_or_nothing_is_an_error() {
    for rule in ["*", "** a", "*sh", "?ls"] {
        assert!(matches!(Rule::parse(rule), Err(RuleError::AnyProgram { .. })), "{rule}");
    }
    for rule in ["", "ls; cat", "ls > x", "ls $x", "A=b ls", "./ls", "ls 'a", "~/ls", "ls\u{200b}", "ls | cat", "''"] {
        assert!(matches!(Rule::parse(rule), Err(RuleError::Unreadable { .. })), "{rule}: {:?}", Rule::parse(rule));
    }
    for rule in ["git ** status", "git -** a"] {
        assert!(matches!(Rule::parse(rule), Err(RuleError::Inside { .. })), "{rule}");
    }
    for rule in ["python **", "/usr/bin/python3.12 -c *", "sudo ls", "env", "BASH -c ls", "find.exe.exe", "node.exe x"]
    {
        let useless = matches!(Rule::parse(rule), Err(RuleError::Useless { .. }));
        assert_eq!(useless, !rule.starts_with("find"), "{rule}");
    }
    let error = Rule::parse("sudo ls").unwrap_err().to_string();
    assert_eq!(
        error,
        "the rule `sudo ls` can never allow anything: `sudo` runs the command in its arguments; remove the rule, a person is asked instead"
    );
}
