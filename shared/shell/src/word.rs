//! One word, without its quotes.

use brush_parser::ParserOptions;
use brush_parser::word::{WordPiece, WordPieceWithSource, parse};

use crate::doubt::Doubt;

/// The one text that the shell makes of this word.
pub(crate) fn literal(word: &str) -> Result<String, Doubt> {
    let pieces = parse(word, &ParserOptions::default()).map_err(|_| Doubt::Malformed)?;
    let mut text = String::new();
    for piece in pieces {
        unquoted(&piece, &mut text)?;
    }
    Ok(text)
}

fn unquoted(piece: &WordPieceWithSource, text: &mut String) -> Result<(), Doubt> {
    match &piece.piece {
        WordPiece::Text(bare) => return plain(bare, text),
        WordPiece::SingleQuotedText(quoted) => text.push_str(quoted),
        WordPiece::EscapeSequence(escaped) => text.push_str(after_backslash(escaped)?),
        WordPiece::DoubleQuotedSequence(inner) => {
            for piece in inner {
                double_quoted(&piece.piece, text)?;
            }
        }
        WordPiece::AnsiCQuotedText(_) | WordPiece::GettextDoubleQuotedSequence(_) => return Err(Doubt::DollarQuote),
        WordPiece::TildePrefix(_) => return Err(Doubt::Expansion('~')),
        other => return Err(substitution(other)),
    }
    Ok(())
}

/// Text outside quotes: nothing in it may mean anything.
fn plain(bare: &str, text: &mut String) -> Result<(), Doubt> {
    let mut before = None;
    for c in bare.chars() {
        match c {
            '*' | '?' | '[' | ']' | '{' | '}' => return Err(Doubt::Expansion(c)),
            // `HEAD~2` is a text. `~` at the beginning, or after `=` and `:`, is a home directory.
            '~' if !before.is_some_and(char::is_alphanumeric) => return Err(Doubt::Expansion(c)),
            '$' | '`' => return Err(Doubt::Substitution(c.to_string())),
            '!' => return Err(Doubt::History),
            '(' | ')' | '<' | '>' | '|' | '&' | ';' => return Err(Doubt::Operator(c.to_string())),
            '\'' | '"' | '\\' => return Err(Doubt::Malformed),
            c if c.is_whitespace() => return Err(Doubt::Malformed),
            c => text.push(c),
        }
        before = Some(c);
    }
    Ok(())
}

/// Text in double quotes, where `$`, `` ` `` and `\` still mean something.
fn double_quoted(piece: &WordPiece, text: &mut String) -> Result<(), Doubt> {
    match piece {
        WordPiece::Text(inner) => match inner.chars().find(|c| matches!(c, '$' | '`' | '!')) {
            Some('!') => return Err(Doubt::History),
            Some(c) => return Err(Doubt::Substitution(c.to_string())),
            None => text.push_str(inner),
        },
        WordPiece::EscapeSequence(escaped) => text.push_str(after_backslash(escaped)?),
        other => return Err(substitution(other)),
    }
    Ok(())
}

fn after_backslash(escaped: &str) -> Result<&str, Doubt> {
    escaped.strip_prefix('\\').filter(|c| !c.is_empty()).ok_or(Doubt::Malformed)
}

fn substitution(piece: &WordPiece) -> Doubt {
    let sign = match piece {
        WordPiece::CommandSubstitution(_) => "$(…)",
        WordPiece::BackquotedCommandSubstitution(_) => "`…`",
        WordPiece::ArithmeticExpression(_) => "$((…))",
        _ => "$…",
    };
    Doubt::Substitution(sign.to_owned())
}
