//! `/export`: the conversation as a file.

use std::fmt::Write as _;

use bytes::Bytes;
use chela_core::blob::Precondition;
use chela_core::clock::Millis;
use chela_core::model::Block;
use chela_core::session::{AssistantEntry, Entry, EntryBody, StoreError, UserFragment};
use chela_core::session_key::SessionKey;
use chela_core::turn::{COMMAND, Reply};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{Asked, say};
use crate::answer::Agent;

/// Entries that are exported, the newest.
const MOST_ENTRIES: usize = 5_000;

impl Agent {
    /// Everything that is stored of the conversation, forgotten and summed up turns too, as a file of the workspace. The
    /// same turn of the same conversation writes the same file.
    pub(super) async fn export(&self, asked: &Asked<'_>) -> Result<Reply, StoreError> {
        let machine = &asked.attempt.machine;
        let entries = self.sessions.history(machine.session(), 0, MOST_ENTRIES).await?;
        if entries.is_empty() {
            return Ok(say("There is nothing to export yet."));
        }
        let (extension, text) = match asked.spoken.first().0.as_str() {
            "jsonl" => ("jsonl", as_lines(&entries)),
            _ => ("md", as_markdown(machine.session(), &entries)),
        };
        let name = format!("exports/{}-{}.{extension}", file_name(machine.session()), machine.head().turn());
        let key = format!("agents/{}/{name}", asked.attempt.agent.as_str());
        Ok(match self.files.put(&key, Bytes::from(text), Precondition::None).await {
            Ok(_) => say(format!("This conversation as a file, `{name}` of my workspace:\nMEDIA:{name}")),
            Err(error) => say(format!("The file could not be written: {error}. Try again later.")),
        })
    }
}

/// The conversation's key as a file's name: readable, and of no other conversation.
fn file_name(session: &SessionKey) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let readable: String = session.as_str().chars().map(plain).take(60).collect();
    let mut digest = hex(&Sha256::digest(session.as_str().as_bytes()));
    digest.truncate(8);
    format!("{readable}-{digest}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// One entry a line, as it is stored.
fn as_lines(entries: &[Entry]) -> String {
    entries.iter().filter_map(|entry| serde_json::to_string(entry).ok()).map(|line| line + "\n").collect()
}

fn as_markdown(session: &SessionKey, entries: &[Entry]) -> String {
    let mut out = format!("# Conversation `{session}`\n");
    let mut turn = 0;
    for entry in entries {
        if entry.turn != turn {
            turn = entry.turn;
            let _ = write!(out, "\n## Turn {turn}, {}\n", time(entry.at));
        }
        match &entry.body {
            EntryBody::Assistant(answer) => add_answer(&mut out, answer),
            EntryBody::Steered { user } => add_user(&mut out, user),
            EntryBody::ToolDone { result } => add_result(&mut out, result),
            EntryBody::ToolResults { results } => results.iter().for_each(|result| add_result(&mut out, result)),
            EntryBody::Summary { text } => {
                let _ = write!(out, "\n**Summary of what was said before**\n\n{text}\n");
            }
        }
    }
    out
}

fn add_user(out: &mut String, user: &[UserFragment]) {
    for UserFragment { name, sender, text, .. } in user {
        let who = name.as_deref().or(Some(sender.as_str()).filter(|sender| !sender.is_empty())).unwrap_or("schedule");
        let _ = write!(out, "\n**{who}**\n\n{text}\n");
    }
}

fn add_answer(out: &mut String, answer: &AssistantEntry) {
    add_user(out, &answer.user);
    let who = if answer.model == COMMAND { "answer of a command" } else { answer.model.as_str() };
    for block in &answer.blocks {
        let _ = match block {
            Block::Text { text } => write!(out, "\n**{who}**\n\n{text}\n"),
            Block::ToolUse { name, input, .. } => {
                write!(out, "\n**{who} uses {name}**\n\n{}", fenced(&input.to_string()))
            }
            _ => Ok(()),
        };
    }
}

fn add_result(out: &mut String, result: &Block) {
    if let Block::ToolResult { text, is_error, .. } = result {
        let what = if *is_error { "failure" } else { "result" };
        let _ = write!(out, "\n**{what}**\n\n{}", fenced(text));
    }
}

/// A text in a fence that is longer than any it holds.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2).saturating_add(1));
    format!("{fence}\n{text}\n{fence}\n")
}

fn time(at: Millis) -> String {
    let at = i64::try_from(at.0).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_conversations_never_share_a_file_and_no_key_leaves_the_folder() {
        let of = |key: &str| file_name(&SessionKey::from_stored(key));
        assert!(of("agent:main:main").starts_with("agent-main-main-"));
        assert_ne!(of("agent:main:a:b"), of("agent:main:a-b"));
        let hostile = of(&format!("../../{}", "é/".repeat(200)));
        assert!(hostile.len() < 80 && hostile.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{hostile}");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fenced("a"), "```\na\n```\n");
        assert_eq!(fenced("```\nb\n```"), "````\n```\nb\n```\n````\n");
    }
}
