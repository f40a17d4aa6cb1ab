//! `/memory`: the agent's notes, by the tools the model has for them.

use chela_core::turn::{Fate, PlannedCall, Reply, idempotency_key};
use serde_json::{Value, json};

use super::{Asked, quoted, say, usage};
use crate::answer::Agent;

/// Longest time for one tool, in milliseconds.
const TOOL_MS: u64 = 20_000;

/// Characters of a note that are shown.
const SHOWN_CHARS: usize = 6_000;

/// What is shown where no note is named.
const FIRST_NOTE: &str = "MEMORY.md";

impl Agent {
    pub(super) async fn memory(&self, asked: &Asked<'_>) -> Reply {
        let (what, rest) = asked.spoken.first();
        match (what.as_str(), rest.is_empty()) {
            ("search", false) => say(quoted(&self.by_tool(asked, "memory_search", json!({ "query": rest })).await)),
            ("save", false) => say(self.by_tool(asked, "memory_save", json!({ "text": rest })).await),
            ("show", _) => say(self.note(asked, if rest.is_empty() { FIRST_NOTE } else { rest }).await),
            _ => usage(asked.spoken.spec),
        }
    }

    /// Runs a tool as the model would: a command that is answered twice saves one note.
    async fn by_tool(&self, asked: &Asked<'_>, name: &str, input: Value) -> String {
        let attempt = asked.attempt;
        if !attempt.tools(&attempt.caller()).iter().any(|tool| tool.spec().name == name) {
            return format!("I may not use the tool `{name}` here.");
        }
        let key = idempotency_key(attempt.machine.session(), &asked.inbound.event_key(), &format!("command:{name}"));
        let call = PlannedCall { id: key.clone(), name: name.to_owned(), input, fate: Fate::Fresh };
        self.run_tool(attempt, &call, &key, self.clock.now().plus(TOOL_MS)).await.text
    }

    /// A note as it is stored.
    async fn note(&self, asked: &Asked<'_>, path: &str) -> String {
        let path = path.trim_start_matches("./");
        let is_note = matches!(path, "MEMORY.md" | "USER.md") || (path.starts_with("memory/") && path.ends_with(".md"));
        if !is_note {
            return "Notes are `MEMORY.md`, `USER.md` and what lies under `memory/`, such as `memory/2026-11-21.md`."
                .to_owned();
        }
        let path: String = path.chars().filter(|c| !c.is_control() && *c != '`').collect();
        match self.files.get(&format!("agents/{}/{path}", asked.attempt.agent.as_str())).await {
            Ok(Some(note)) => {
                let text = String::from_utf8_lossy(&note.bytes);
                let more = if text.chars().nth(SHOWN_CHARS).is_some() { "\n[…]" } else { "" };
                let text: String = text.chars().take(SHOWN_CHARS).collect();
                format!("`{path}`:\n{}{more}", quoted(&text))
            }
            Ok(None) => format!("There is no note `{path}`."),
            Err(error) => format!("The notes cannot be reached at the moment: {error}."),
        }
    }
}
