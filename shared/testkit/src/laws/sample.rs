//! Small values that laws are written with.

use chela_core::clock::Millis;
use chela_core::message::EventKey;
use chela_core::model::{Block, Usage};
use chela_core::queue::{ENVELOPE_VERSION, Envelope, Task};
use chela_core::session::{Accepted, AssistantEntry, Claim, Entry, EntryBody, UserFragment};
use chela_core::session_key::SessionKey;
use chela_core::shown::StoredFile;
use serde_json::json;

use super::NOW;

pub(super) fn session(name: &str) -> SessionKey {
    SessionKey::from_stored(format!("agent:main:direct:{name}"))
}

pub(super) fn event(id: &str) -> EventKey {
    EventKey::of("webhook", "default", id)
}

pub(super) fn task(prompt: &str) -> Task {
    Task::Heartbeat {
        name: "sample".into(),
        scheduled_at: NOW,
        prompt: prompt.into(),
        deliver_to: None,
        made_for: None,
    }
}

pub(super) fn envelope(session: &SessionKey, id: &str, prompt: &str) -> Envelope {
    Envelope {
        version: ENVELOPE_VERSION,
        event: event(id),
        session: session.clone(),
        agent: serde_json::from_value(json!("main")).unwrap(),
        accepted_at: NOW,
        task: task(prompt),
    }
}

/// The prompt of a queued body.
pub(super) fn prompt(body: &str) -> String {
    let envelope: Envelope = serde_json::from_str(body).expect("the body comes back as it was sent");
    let Task::Heartbeat { prompt, .. } = envelope.task else { panic!("not the task that was sent") };
    prompt
}

pub(super) fn accepted(id: &str, text: &str) -> Accepted {
    Accepted { event: event(id), turn: 1, at: NOW, task: Some(task(text)) }
}

pub(super) fn claim<'a>(event: &'a EventKey, owner: &'a str, now: Millis, lease_ms: u64) -> Claim<'a> {
    Claim { event, owner, now, until: now.plus(lease_ms) }
}

pub(super) fn assistant(turn: u64, step: u16, text: &str) -> Entry {
    let user = UserFragment {
        sender: "ada".into(),
        name: Some("Ada ✨".into()),
        text: "question".into(),
        ..Default::default()
    };
    let body = AssistantEntry {
        user: if step == 0 { vec![user] } else { Vec::new() },
        blocks: vec![
            Block::Thinking { text: "hm".into(), signature: Some("seal".into()) },
            Block::Text { text: text.into() },
            Block::ToolUse { id: "call-1".into(), name: "read".into(), input: json!({"path": "SOUL.md", "n": 1.5}) },
        ],
        model: "echo".into(),
        usage: Usage { input: 10, output: 20, cache_read: 3, cache_write: 4 },
        outbox: (step > 0).then(|| vec![text.to_owned()]),
        ..AssistantEntry::default()
    };
    Entry { turn, step, at: NOW.plus(turn), body: EntryBody::Assistant(body) }
}

pub(super) fn tool_done(turn: u64, step: u16, id: &str) -> Entry {
    Entry { turn, step, at: NOW.plus(turn), body: EntryBody::ToolDone { result: tool_result(id) } }
}

pub(super) fn tool_results(turn: u64, step: u16, ids: &[&str]) -> Entry {
    let results = ids.iter().map(|id| tool_result(id)).collect();
    Entry { turn, step, at: NOW.plus(turn), body: EntryBody::ToolResults { results } }
}

fn tool_result(id: &str) -> Block {
    let file = StoredFile { key: format!("media/main/{id}.png"), content_type: "image/png".into() };
    Block::ToolResult { id: id.to_owned(), text: format!("result of {id}"), is_error: false, files: vec![file] }
}
