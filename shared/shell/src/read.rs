//! A line becomes the commands that bash would run.

use brush_parser::ast::{AndOr, Command, CommandPrefixOrSuffixItem, CompoundListItem, Pipeline, SimpleCommand};
use brush_parser::{ParserOptions, SourceInfo, Token, TokenizerOptions, parse_tokens, uncached_tokenize_str};

use crate::doubt::Doubt;
use crate::text::{named, shows};
use crate::word::literal;

/// One program with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// How it hangs on the step before it; `;` for the first.
    pub(crate) joined: &'static str,
    pub(crate) argv: Vec<String>,
}

/// Expansions that may be open within each other. The tokenizer recurses on them and would overflow the stack at some
/// hundreds; nobody needs three.
const MAX_OPEN: usize = 32;

/// Words that mean something only where a command begins.
/// <https://www.gnu.org/software/bash/manual/html_node/Reserved-Words.html>
const KEYWORDS: [&str; 23] = [
    "!", "[[", "]]", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in",
    "select", "then", "time", "until", "while", "{", "}", "((",
];

/// The commands of a line, in the order they stand. Whatever has an operator or a keyword of its own (`&`, `!`, `time`,
/// redirections) ended in [`plain_lists`] and does not come up in the tree.
pub(crate) fn steps(line: &str) -> Result<Vec<Step>, Doubt> {
    let tokens = tokens(line)?;
    plain_lists(&tokens)?;
    let options = ParserOptions::default();
    let program = parse_tokens(&tokens, &options, &SourceInfo::default()).map_err(|_| Doubt::Malformed)?;
    let mut steps = Vec::new();
    for CompoundListItem(list, _) in program.complete_commands.into_iter().flat_map(|list| list.0) {
        pipeline(list.first, ";", &mut steps)?;
        for next in list.additional {
            match next {
                AndOr::And(next) => pipeline(next, "&&", &mut steps)?,
                AndOr::Or(next) => pipeline(next, "||", &mut steps)?,
            }
        }
    }
    if steps.is_empty() { Err(Doubt::Empty) } else { Ok(steps) }
}

/// What the tokenizer may see, and what it makes of it.
fn tokens(line: &str) -> Result<Vec<Token>, Doubt> {
    if line.len() > crate::MAX_BYTES {
        return Err(Doubt::TooLong);
    }
    if let Some(hidden) = line.chars().find(|c| !shows(*c) && *c != '\n') {
        return Err(Doubt::Hidden(named(hidden)));
    }
    if line.contains("\\\n") || line.ends_with('\\') {
        return Err(Doubt::Continued);
    }
    // No text of this kind is read, and some, such as `<<''`, keep the tokenizer at it until no memory is left, wherever
    // they stand. <https://github.com/reubeno/brush/pull/1270>
    if line.contains("<<") {
        return Err(Doubt::Operator("<<".to_owned()));
    }
    let opens = |(first, second): (char, char)| "$<>@?+*!".contains(first) && "({[".contains(second);
    let open = line.chars().zip(line.chars().skip(1)).filter(|pair| opens(*pair)).count();
    if open + line.matches('`').count() > MAX_OPEN {
        return Err(Doubt::Nested);
    }
    uncached_tokenize_str(line, &TokenizerOptions::default()).map_err(|_| Doubt::Malformed)
}

/// Lets through lists of simple commands only. Before the grammar, which recurses into everything else and backtracks
/// there: nested `case` takes it exponential time.
fn plain_lists(tokens: &[Token]) -> Result<(), Doubt> {
    let mut begins = true;
    for token in tokens {
        match token {
            Token::Operator(operator, _) => {
                begins = matches!(operator.as_str(), ";" | "\n" | "&&" | "||" | "|");
                if !begins {
                    return Err(Doubt::Operator(operator.clone()));
                }
            }
            Token::Word(word, _) => {
                if begins && KEYWORDS.contains(&word.as_str()) {
                    return Err(Doubt::Keyword(word.clone()));
                }
                begins = false;
            }
        }
    }
    Ok(())
}

fn pipeline(pipeline: Pipeline, joined: &'static str, steps: &mut Vec<Step>) -> Result<(), Doubt> {
    let mut joined = joined;
    for command in pipeline.seq {
        let Command::Simple(command) = command else { return Err(Doubt::Malformed) };
        steps.push(Step { joined, argv: argv(command)? });
        joined = "|";
    }
    Ok(())
}

fn argv(command: SimpleCommand) -> Result<Vec<String>, Doubt> {
    if let Some(first) = command.prefix.and_then(|prefix| prefix.0.into_iter().next()) {
        return Err(match first {
            CommandPrefixOrSuffixItem::AssignmentWord(_, word) => Doubt::Assignment(crate::shown(&word.value)),
            _ => Doubt::Malformed,
        });
    }
    let name = command.word_or_name.ok_or(Doubt::Empty)?;
    let mut argv = vec![literal(&name.value)?];
    for item in command.suffix.into_iter().flat_map(|suffix| suffix.0) {
        match item {
            // `a=b` behind the program is an argument like any other.
            CommandPrefixOrSuffixItem::Word(word) | CommandPrefixOrSuffixItem::AssignmentWord(_, word) => {
                argv.push(literal(&word.value)?);
            }
            CommandPrefixOrSuffixItem::IoRedirect(_) | CommandPrefixOrSuffixItem::ProcessSubstitution(..) => {
                return Err(Doubt::Malformed);
            }
        }
    }
    Ok(argv)
}
