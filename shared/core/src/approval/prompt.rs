//! What a person sees of a request: the whole of it, whatever it is.

use std::fmt::Write as _;

use super::Request;
use crate::channel::Choice;
use crate::reply::Said;

/// What a channel takes.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    /// Most UTF-16 code units of one part.
    pub units: usize,
    /// Most buttons of one part.
    pub choices: usize,
}

/// Units that the words around a piece of the command take, at most.
const AROUND: usize = 160;

/// Fewest units of the command in one part: a channel that takes less shows it in more parts than it likes.
const LEAST: usize = 40;

/// A longer row of backticks is escaped: each part would begin and end with one more.
const LONGEST_ROW: usize = 8;

/// The text with every character escaped that is not seen as what it is: controls, and what turns, joins or hides
/// others. Tools escape what they show; this is for what they forget.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if (c.is_control() && c != '\n') || is_unseen(c) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Format characters, fillers, variation selectors, tags, spaces that are none of the keyboard's, private use.
fn is_unseen(c: char) -> bool {
    matches!(u32::from(c),
        0xA0 | 0xAD | 0x034F | 0x061C | 0x115F | 0x1160 | 0x1680 | 0x17B4 | 0x17B5 | 0x180B..=0x180F
        | 0x2000..=0x200F | 0x2028..=0x202F | 0x205F..=0x206F | 0x2800 | 0x3000 | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF
        | 0xFFA0 | 0xFFF0..=0xFFFB | 0xE000..=0xF8FF | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF
        | 0xF0000..=0x10_FFFF)
}

/// The parts of a message that asks about a request, as they are stored until they are sent. The command stands in them
/// whole, one piece after the other; the last part has the buttons, or the commands where there are no buttons.
pub fn request_parts(request: &Request, asking: Asking) -> Vec<String> {
    let shown = unfenced(&escaped(&request.consent.shown));
    let fence = "`".repeat(longest_row(&shown).saturating_add(1).max(3));
    let block = |piece: &str| format!("{fence}\n{piece}\n{fence}");
    let (question, end) = (format!("**May I run this?** `{}`", tool(request)), ending(request, asking));
    let whole = format!("{question}\n{}\n{}", block(&shown), end.text);
    if whole.encode_utf16().count() <= asking.units {
        return vec![Said { text: whole, ..end }.part()];
    }
    let pieces = pieces(&shown, asking.units.saturating_sub(AROUND).max(LEAST));
    let of = pieces.len();
    let numbered = (1_usize..).zip(&pieces);
    let mut parts: Vec<String> =
        numbered.map(|(at, piece)| format!("{question} ({at} of {of})\n{}", block(piece))).collect();
    parts.push(end.part());
    parts
}

/// What stands below the command: what it is called, how long it waits, what can be answered.
fn ending(request: &Request, asking: Asking) -> Said {
    let minutes = request.expires_at.since(request.asked_at) / 60_000;
    let time = if minutes < 60 { format!("{minutes} min") } else { format!("{} h", minutes / 60) };
    let (id, digest) = (&request.id, request.short_digest());
    let text = format!("Request `{id}`, sha256 `{digest}`. Without an answer it is denied in {time}.");
    let choices = choices(request);
    if choices.len() <= asking.choices {
        return Said { text, choices, file: None };
    }
    let lines = (1_usize..).zip(&choices).map(|(at, it)| format!("{at}. {}: `{}`", it.label, it.value));
    let text = format!("{text}\n{}", lines.collect::<Vec<_>>().join("\n"));
    Said { text, ..Said::default() }
}

/// The name of a tool, which a server of tools may have chosen.
fn tool(request: &Request) -> String {
    escaped(&request.tool).replace('`', "'").replace('\n', " ").chars().take(80).collect()
}

/// What can be answered: a decision for ever only where it is known for sure what would run.
fn choices(request: &Request) -> Vec<Choice> {
    let id = &request.id;
    let choice = |label: &str, value: String| Choice { label: label.to_owned(), value };
    let once = choice("Allow once", format!("/approve {id} once"));
    let always = request.for_ever().then(|| choice("Always allow", format!("/approve {id} always")));
    [Some(once), always, Some(choice("Deny", format!("/deny {id}")))].into_iter().flatten().collect()
}

/// The text in pieces of at most so many units; together they are the text.
fn pieces(text: &str, units: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0usize;
    for c in text.chars() {
        if used.saturating_add(c.len_utf16()) > units {
            pieces.push(String::new());
            used = 0;
        }
        used = used.saturating_add(c.len_utf16());
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    pieces
}

fn longest_row(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// The text without rows of backticks that no fence would be longer than.
fn unfenced(text: &str) -> String {
    if longest_row(text) > LONGEST_ROW { text.replace('`', "\\u{60}") } else { text.to_owned() }
}
