//! What the owner allows: globs on words.

use wildmatch::WildMatchPattern;

use crate::doubt::Doubt;
use crate::read::pattern;
use crate::risk::{does, program};
use crate::text::{plain, shown};
use crate::word::{MANY, ONE};

/// Why a rule is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// It cannot be read as the words of one command.
    #[error("the rule `{rule}` is not one plain command: {why}")]
    Unreadable {
        /// The rule.
        rule: String,
        /// What is wrong.
        why: Doubt,
    },
    /// Its program contains a wildcard.
    #[error("the rule `{rule}` must name its program: a wildcard there would allow every program")]
    AnyProgram {
        /// The rule.
        rule: String,
    },
    /// `**` stands elsewhere than at the end.
    #[error("the rule `{rule}` may contain `**` and `-**` as its last word only")]
    Inside {
        /// The rule.
        rule: String,
    },
    /// Its program is never run without a person.
    #[error(
        "the rule `{rule}` can never allow anything: `{program}` {does}; remove the rule, a person is asked instead"
    )]
    Useless {
        /// The rule.
        rule: String,
        /// Its program.
        program: String,
        /// What the program does.
        does: &'static str,
    },
}

/// A command that may run without a person: a program and what its arguments may be.
///
/// `*` and `?` match within one word and, where they begin it, no option. The last word may be `**`, any number of
/// words that are no options, or `-**`, any words.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    program: String,
    words: Vec<Word>,
    rest: Rest,
}

type Glob = WildMatchPattern<MANY, ONE>;

#[derive(Clone, Debug, PartialEq)]
struct Word {
    glob: Glob,
    /// Begins with a wildcard, so it stands for no option.
    open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Nothing,
    NoOptions,
    Anything,
}

impl Rule {
    /// Reads `git status **`: words as the shell reads them, `*` and `?` in quotes stand for themselves.
    pub fn parse(rule: &str) -> Result<Self, RuleError> {
        let words = pattern(rule).map_err(|why| RuleError::Unreadable { rule: shown(rule), why })?;
        Self::of_patterns(words, shown(rule))
    }

    /// Takes `["git", "status", "**"]`: each text is one word, `*` and `?` in it are always wildcards.
    pub fn of_words<T: AsRef<str>>(words: &[T]) -> Result<Self, RuleError> {
        let words: Vec<String> = words.iter().map(|word| word.as_ref().to_owned()).collect();
        let rule = plain(&words);
        Self::of_patterns(
            words.iter().map(|word| word.replace('*', &MANY.to_string()).replace('?', &ONE.to_string())).collect(),
            rule,
        )
    }

    fn of_patterns(words: Vec<String>, rule: String) -> Result<Self, RuleError> {
        let mut words = words.into_iter();
        let name = words.next().unwrap_or_default();
        if name.contains([MANY, ONE]) {
            return Err(RuleError::AnyProgram { rule });
        }
        let bare = program(&name).map_err(|why| RuleError::Unreadable { rule: rule.clone(), why })?;
        if let Some(does) = does(&bare) {
            return Err(RuleError::Useless { rule, program: bare, does });
        }
        let mut words: Vec<String> = words.collect();
        let any = |dash: &str| format!("{dash}{MANY}{MANY}");
        let rest = match words.last() {
            Some(last) if *last == any("") => Rest::NoOptions,
            Some(last) if *last == any("-") => Rest::Anything,
            _ => Rest::Nothing,
        };
        if rest != Rest::Nothing {
            words.pop();
        }
        if words.iter().any(|word| *word == any("") || *word == any("-")) {
            return Err(RuleError::Inside { rule });
        }
        let words = words.iter().map(|word| Word { glob: Glob::new(word), open: word.starts_with([MANY, ONE]) });
        Ok(Self { program: name, words: words.collect(), rest })
    }

    /// Whether the rule allows this program with these arguments. The program must be written exactly as in the rule.
    pub(crate) fn allows(&self, argv: &[String]) -> bool {
        let Some((program, arguments)) = argv.split_first() else { return false };
        let Some((named, rest)) = arguments.split_at_checked(self.words.len()) else { return false };
        let option = |word: &String| word.starts_with('-');
        let rest_fits = match self.rest {
            Rest::Nothing => rest.is_empty(),
            Rest::NoOptions => !rest.iter().any(option),
            Rest::Anything => true,
        };
        let fits = |(word, argument): (&Word, &String)| !(word.open && option(argument)) && word.glob.matches(argument);
        *program == self.program && rest_fits && self.words.iter().zip(named).all(fits)
    }
}
