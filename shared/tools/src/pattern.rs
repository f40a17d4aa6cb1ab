//! Patterns that a model writes: globs over paths, and regular expressions. Both run on an engine whose time is linear in
//! the text, whatever the pattern.

use regex::{Regex, RegexBuilder};

/// Longest pattern.
const LONGEST: usize = 1_000;

/// Most bytes of a compiled pattern.
const COMPILED: usize = 512 * 1024;

/// A regular expression.
pub(crate) fn expression(pattern: &str, ignore_case: bool) -> Result<Regex, String> {
    if pattern.len() > LONGEST {
        return Err(format!("The pattern is longer than {LONGEST} bytes."));
    }
    RegexBuilder::new(pattern)
        .case_insensitive(ignore_case)
        .size_limit(COMPILED)
        .dfa_size_limit(COMPILED)
        .nest_limit(50)
        .build()
        .map_err(|error| format!("The pattern is no regular expression: {error}"))
}

/// A glob over a path below a folder.
pub(crate) struct Glob {
    expression: Regex,
    /// Without a slash it is compared with the name alone, as in `find -name`.
    whole: bool,
}

impl Glob {
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        if pattern.is_empty() {
            return Err("The pattern is empty.".to_owned());
        }
        let mut text = String::from("^");
        let mut rest = pattern.strip_prefix("./").unwrap_or(pattern);
        while let Some(next) = rest.chars().next() {
            let (piece, taken) = if rest.starts_with("**/") {
                ("(?:[^/]+/)*".to_owned(), 3)
            } else if rest.starts_with("**") {
                (".*".to_owned(), 2)
            } else {
                let piece = match next {
                    '*' => "[^/]*".to_owned(),
                    '?' => "[^/]".to_owned(),
                    plain => regex::escape(plain.encode_utf8(&mut [0; 4])),
                };
                (piece, next.len_utf8())
            };
            text.push_str(&piece);
            rest = rest.get(taken..).unwrap_or_default();
        }
        text.push('$');
        let expression = RegexBuilder::new(&text).size_limit(COMPILED).build();
        let expression = expression.map_err(|_| "The pattern is too long.".to_owned())?;
        Ok(Self { expression, whole: pattern.contains('/') })
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        self.expression.is_match(if self.whole { path } else { name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_those_of_every_shell() {
        let matches = |glob: &str, path: &str| Glob::new(glob).unwrap().matches(path);
        for (glob, path) in [
            ("*.md", "a/b.md"),
            ("a/*.md", "a/b.md"),
            ("**/*.md", "b.md"),
            ("**/*.md", "a/c/b.md"),
            ("a/**", "a/c/b.md"),
            ("?.md", "ö.md"),
            ("a.[md", "a.[md"),
            ("./a/b", "a/b"),
            ("*", "anything"),
        ] {
            assert!(matches(glob, path), "{glob} {path}");
        }
        for (glob, path) in [
            ("*.md", "a.mdx"),
            ("a/*.md", "a/c/b.md"),
            ("?.md", "ab.md"),
            ("a.b", "axb"),
            ("a/**", "b/a/c"),
            ("b", "b/c"),
        ] {
            assert!(!matches(glob, path), "{glob} {path}");
        }
        assert!(Glob::new("").is_err());
    }

    #[test]
    fn a_pattern_that_would_fill_memory_or_time_is_refused_or_fast() {
        assert!(expression(r"(\w{1000}){1000}", false).is_err());
        assert!(expression(&"(".repeat(400), false).is_err());
        assert!(expression(&"a".repeat(2_000), false).is_err());
        // Exponential for engines that go back.
        let slow = expression("(a+)+$", false).unwrap();
        assert!(!slow.is_match(&("a".repeat(50_000) + "b")));
        assert!(expression("HELLO", true).unwrap().is_match("hello"));
    }
}
