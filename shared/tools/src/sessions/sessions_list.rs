//! `sessions_list`: other conversations.

use std::sync::Arc;

use async_trait::async_trait;
use chela_core::clock::Millis;
use chela_core::directory::Listing;
use chela_core::model::ToolSpec;
use chela_core::session::StoreError;
use chela_core::tool::{Caller, Effect, Tool, ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::json;

use super::{House, away};
use crate::arguments::arguments;

/// Rows shown where nothing else is asked for, and most rows.
const SHOWN: usize = 20;
const MOST_SHOWN: usize = 100;

pub(super) struct SessionsList(pub(super) Arc<House>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    limit: Option<usize>,
    active_minutes: Option<u64>,
}

#[async_trait]
impl Tool for SessionsList {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "sessions_list".into(),
            description: "Other conversations you see, sub-agents' among them, newest first.".into(),
            input_schema: json!({
                "type": "object",
                "properties": { "limit": { "type": "integer" }, "activeMinutes": { "type": "integer" } },
            }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    fn offered(&self, caller: &Caller) -> bool {
        self.0.may_spawn(caller)
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        match arguments(call.input) {
            Err(problem) => ToolAnswer::error(problem),
            Ok(asked) => match self.list(&call, asked).await {
                Ok(text) => ToolAnswer::ok(text),
                Err(error) => ToolAnswer::error(away(&error)),
            },
        }
    }
}

impl SessionsList {
    async fn list(&self, call: &ToolCall<'_>, asked: Arguments) -> Result<String, StoreError> {
        let most = asked.limit.unwrap_or(SHOWN).clamp(1, MOST_SHOWN);
        let mut lines = Vec::new();
        for listing in self.0.seen(call).await? {
            if lines.len() >= most {
                break;
            }
            let now = call.clock.now();
            if listing.archived(now, self.0.archive_after) {
                continue;
            }
            let active = active(call, &listing).await?;
            if asked.active_minutes.is_none_or(|minutes| now.since(active) <= minutes.saturating_mul(60_000)) {
                lines.push(line(&listing, now.since(active)));
            }
        }
        Ok(if lines.is_empty() { "No other conversation.".to_owned() } else { lines.join("\n") })
    }
}

/// When something was last said in it.
async fn active(call: &ToolCall<'_>, listing: &Listing) -> Result<Millis, StoreError> {
    let newest = call.sessions.history(&listing.session, 0, 1).await?;
    Ok(newest.last().map_or(listing.began, |entry| entry.at.max(listing.began)))
}

fn line(listing: &Listing, idle_ms: u64) -> String {
    let label = listing.label.as_ref().map(|label| format!(" {}", json!(label))).unwrap_or_default();
    let state = match (&listing.parent, listing.ended) {
        (Some(_), Some(_)) => "sub-agent, has reported",
        (Some(_), None) => "sub-agent, at work",
        (None, _) => "conversation",
    };
    format!("{}{label}: {state}, active {} min ago", listing.session, idle_ms / 60_000)
}
