//! What is read here, compared with the owner's allow-list: globs on words (`chela_core::approval::Rule`).

use chela_shell::{Verdict, script, verdict_argv};

use crate::allowed;

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
    assert!(allowed(&["git commit -m *"], "git commit -m 'two words'"));
    assert!(!allowed(&["git commit -m *"], "git commit -m two words"));
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
fn a_rule_that_allows_everything_allows_nothing() {
    for rule in ["*", "**", "-**", "** a", "*sh", "?ls"] {
        assert!(!allowed(&[rule], "ls") && !allowed(&[rule], "ls a"), "{rule}");
    }
    for (rule, line) in [("git ** status", "git ** status"), ("git -** a", "git x a"), ("python **", "python x")] {
        assert!(!allowed(&[rule], line), "{rule}");
    }
}

/// What is given to the shell can be read in one way only.
#[test]
fn what_runs_is_written_anew() {
    let written = script("ls  \"a b\" it\\'s|ls&&ls # comment").unwrap();
    assert_eq!(written, r"'ls' 'a b' 'it'\''s' | 'ls' && 'ls'");
}

#[test]
fn a_program_without_a_shell_is_told_like_one_of_a_line() {
    let verdict = |words: &[&str]| verdict_argv(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    assert!(matches!(verdict(&["git", "commit", "-m", "it's"]), Verdict::Programs(_)));
    for words in [&["git", "commit", "-m", "a\u{202e}b"][..], &[], &["sudo", "ls"]] {
        assert!(matches!(verdict(words), Verdict::NeedsPerson { .. }), "{words:?}");
    }
}
