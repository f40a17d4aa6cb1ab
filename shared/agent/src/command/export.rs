//! `/export`: the conversation as a file, without credentials that somebody pasted or a tool printed: files travel.

mod page;

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::Bytes;
use chela_core::blob::Precondition;
use chela_core::clock::Millis;
use chela_core::model::Block;
use chela_core::redact::without_credentials;
use chela_core::session::{Entry, EntryBody, StoreError, UserFragment};
use chela_core::session_key::SessionKey;
use chela_core::shown::in_words;
use chela_core::turn::{COMMAND, Reply};
use jiff::Timestamp;
use serde_json::Value;
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
            "html" => ("html", page::page(machine.session(), &items(&entries))),
            _ => ("md", without(as_markdown(machine.session(), &items(&entries)))),
        };
        let name = format!("{}-{}.{extension}", export_name(machine.session()), machine.head().turn());
        let key = format!("agents/{}/{name}", asked.attempt.agent.as_str());
        Ok(match self.files.put(&key, Bytes::from(text), Precondition::None).await {
            Ok(_) => say(format!("This conversation as a file, `{name}` of my workspace:\nMEDIA:{name}")),
            Err(error) => say(format!("The file could not be written: {error}. Try again later.")),
        })
    }
}

/// What the names of a conversation's exports begin with, in the workspace: readable, and of no other conversation.
pub fn export_name(session: &SessionKey) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let readable: String = session.as_str().chars().map(plain).take(60).collect();
    let mut digest = hex(&Sha256::digest(session.as_str().as_bytes()));
    digest.truncate(8);
    format!("exports/{readable}-{digest}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// One entry a line, as it is stored.
fn as_lines(entries: &[Entry]) -> String {
    let lines = entries.iter().filter_map(|entry| serde_json::to_value(entry).ok());
    lines.map(|entry| format!("{}\n", each_without(entry))).collect()
}

fn without(text: String) -> String {
    match without_credentials(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(less) => less,
    }
}

/// The same in every text of a value.
fn each_without(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(without(text)),
        Value::Array(all) => all.into_iter().map(each_without).collect(),
        Value::Object(all) => {
            all.into_iter().map(|(key, value)| (key.clone(), each_without(of_name(&key, value)))).collect()
        }
        other => other,
    }
}

/// A text that is a credential because of what it is called, as in `"password": "…"`.
fn of_name(name: &str, value: Value) -> Value {
    let Value::String(text) = &value else { return value };
    let said = format!("{name}={text}");
    match without_credentials(&said).strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
        Some(rest) if rest != text => Value::String(rest.to_owned()),
        _ => value,
    }
}

/// One thing that was said or done.
enum Item<'a> {
    /// A turn begins.
    Turn(u64, Millis),
    /// Somebody says something.
    Words(&'a str, &'a str),
    /// What a tool was given or answered, under a heading.
    Code(String, String),
}

/// What the entries say, in order. Thoughts are left out.
fn items(entries: &[Entry]) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    let mut turn = 0;
    for entry in entries {
        if entry.turn != turn {
            turn = entry.turn;
            items.push(Item::Turn(turn, entry.at));
        }
        match &entry.body {
            EntryBody::Assistant(answer) => {
                items.extend(answer.user.iter().map(words));
                let who = if answer.model == COMMAND { "answer of a command" } else { answer.model.as_str() };
                items.extend(answer.blocks.iter().filter_map(|block| said(who, block)));
            }
            EntryBody::Steered { user } => items.extend(user.iter().map(words)),
            EntryBody::ToolDone { result } => items.extend(said("", result)),
            EntryBody::ToolResults { results } => items.extend(results.iter().filter_map(|result| said("", result))),
            EntryBody::Summary { text } => items.push(Item::Words("Summary of what was said before", text)),
        }
    }
    items
}

fn words(fragment: &UserFragment) -> Item<'_> {
    let UserFragment { name, sender, text, .. } = fragment;
    let who = name.as_deref().or(Some(sender.as_str()).filter(|sender| !sender.is_empty())).unwrap_or("schedule");
    Item::Words(who, text)
}

fn said<'a>(who: &'a str, block: &'a Block) -> Option<Item<'a>> {
    match block {
        Block::Text { text } => Some(Item::Words(who, text)),
        Block::ToolUse { name, input, .. } => Some(Item::Code(format!("{who} uses {name}"), input.to_string())),
        Block::ToolResult { text, is_error, files, .. } => {
            let what = if *is_error { "failure" } else { "result" };
            Some(Item::Code(what.to_owned(), in_words(text, files).into_owned()))
        }
        Block::Thinking { .. } | Block::RedactedThinking { .. } | Block::File { .. } => None,
    }
}

fn as_markdown(session: &SessionKey, items: &[Item<'_>]) -> String {
    let mut out = format!("# Conversation `{session}`\n");
    for item in items {
        let _ = match item {
            Item::Turn(turn, at) => write!(out, "\n## Turn {turn}, {}\n", time(*at)),
            Item::Words(who, text) => write!(out, "\n**{who}**\n\n{text}\n"),
            Item::Code(what, text) => write!(out, "\n**{what}**\n\n{}", fenced(text)),
        };
    }
    out
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
        let of = |key: &str| export_name(&SessionKey::from_stored(key));
        assert!(of("agent:main:main").starts_with("exports/agent-main-main-"));
        assert_ne!(of("agent:main:a:b"), of("agent:main:a-b"));
        let hostile = of(&format!("../../{}", "é/".repeat(200)));
        let hostile = hostile.strip_prefix("exports/").unwrap();
        assert!(hostile.len() < 80 && hostile.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{hostile}");
    }

    /// In every form of the file: a credential is known before it is escaped, and by the name that JSON gives it.
    #[test]
    fn d07_what_is_called_a_secret_leaves_in_no_form() {
        let input = serde_json::json!({"db": {"password": "hunter2222"}, "headers": ["x-api-key: 'abc123def456'"]});
        let call = Block::ToolUse { id: "1".into(), name: "deploy".into(), input: input.clone() };
        let answer = chela_core::session::AssistantEntry { blocks: vec![call], ..Default::default() };
        let entries = [Entry { turn: 1, step: 0, at: Millis(0), body: EntryBody::Assistant(answer) }];
        let session = SessionKey::from_stored("agent:main:main");
        let page = page::page(&session, &items(&entries));
        for file in [as_lines(&entries), without(as_markdown(&session, &items(&entries))), page] {
            assert!(file.contains("deploy") && file.contains("[credential removed]"), "{file}");
            assert!(!file.contains("hunter2222") && !file.contains("abc123def456"), "{file}");
        }
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fenced("a"), "```\na\n```\n");
        assert_eq!(fenced("```\nb\n```"), "````\n```\nb\n```\n````\n");
    }
}
