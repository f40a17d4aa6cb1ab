//! Conversations: which there are, and what was said in one.

use chela_core::agent_id::AgentId;
use chela_core::channel::Ack;
use chela_core::directory::Listing;
use chela_core::model::Block;
use chela_core::session::{Entry, EntryBody, StoreError};
use chela_core::session_key::SessionKey;
use chela_core::shown::in_words;
use http::StatusCode;
use serde_json::{Value, json};

use super::{Api, json_ack, problem, url_query};

/// Rows where nothing else is asked for, and most rows.
const SHOWN: usize = 50;
const MOST_SHOWN: usize = 500;

impl Api {
    /// `GET /sessions?agent=…&limit=…` lists conversations, newest first; `GET /sessions?session=…` shows one.
    pub(super) async fn conversations(&self, query: &str) -> Ack {
        let value = |name: &str| url_query(query).find_map(|(key, value)| (key == name).then_some(value));
        let limit = value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(SHOWN).clamp(1, MOST_SHOWN);
        let found = match value("session") {
            Some(session) => self.conversation(&SessionKey::from_stored(session), limit).await,
            None => self.listed(value("agent").as_deref(), limit).await.map(Some),
        };
        match found {
            Ok(Some(found)) => json_ack(StatusCode::OK, &found),
            Ok(None) => problem(StatusCode::NOT_FOUND, "there is no such session: GET /sessions lists them"),
            Err(error) => problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        }
    }

    pub(super) async fn listed(&self, agent: Option<&str>, limit: usize) -> Result<Value, StoreError> {
        let agents = match agent {
            Some(agent) => vec![agent.to_owned()],
            None => self.live.current().await.config.agents.ids(),
        };
        let mut listings: Vec<Listing> = Vec::new();
        for agent in agents {
            listings.extend(self.directory.listed(&AgentId::new(&agent), limit).await?);
        }
        listings.sort_by_key(|listing| std::cmp::Reverse(listing.began));
        listings.truncate(limit);
        Ok(json!({ "sessions": listings }))
    }

    pub(super) async fn conversation(&self, session: &SessionKey, limit: usize) -> Result<Option<Value>, StoreError> {
        let Some(head) = self.sessions.head(session).await? else { return Ok(None) };
        let entries = self.sessions.history(session, 0, limit).await?;
        let entries: Vec<Value> = entries.iter().map(said).collect();
        Ok(Some(json!({
            "session": session, "turns": head.last_turn, "busy": head.current.is_some(), "choices": head.choices,
            "entries": entries,
        })))
    }
}

/// An entry as people read it; thoughts and arguments stay where they are.
fn said(entry: &Entry) -> Value {
    let (user, blocks) = match &entry.body {
        EntryBody::Assistant(answer) => (answer.user.as_slice(), answer.blocks.as_slice()),
        EntryBody::Steered { user } => (user.as_slice(), [].as_slice()),
        EntryBody::ToolResults { results } => ([].as_slice(), results.as_slice()),
        EntryBody::ToolDone { .. } | EntryBody::Summary { .. } => ([].as_slice(), [].as_slice()),
    };
    let user = user.iter().map(|fragment| json!({"who": "user", "text": fragment.text}));
    let blocks = blocks.iter().filter_map(|block| match block {
        Block::Text { text } => Some(json!({"who": "assistant", "text": text})),
        Block::ToolUse { name, .. } => Some(json!({"who": "tool", "text": format!("calls {name}")})),
        Block::ToolResult { text, files, .. } => Some(json!({"who": "tool", "text": in_words(text, files)})),
        _ => None,
    });
    json!({"turn": entry.turn, "step": entry.step, "at": entry.at, "said": user.chain(blocks).collect::<Vec<_>>()})
}
