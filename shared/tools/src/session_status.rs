//! `session_status`: where and when the agent is.

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};

pub(crate) struct SessionStatus;

#[async_trait]
impl Tool for SessionStatus {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "session_status".into(),
            description: "The time, this conversation, its model and what it has used.".into(),
            input_schema: json!({ "type": "object", "properties": {} }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        let mut lines = vec![format!("time: {}", zoned(&call).strftime("%A, %Y-%m-%d %H:%M %Z"))];
        if let Value::Object(facts) = call.status {
            lines.extend(facts.iter().map(|(name, fact)| format!("{name}: {}", plain(fact))));
        }
        ToolAnswer::ok(lines.join("\n"))
    }
}

fn plain(fact: &Value) -> String {
    match fact {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Now, on the clock of the agent's human: `timezone` of the turn's facts, UTC without it.
pub(crate) fn local_time(call: &ToolCall<'_>) -> DateTime {
    zoned(call).datetime()
}

fn zoned(call: &ToolCall<'_>) -> Zoned {
    let zone = call.status.get("timezone").and_then(Value::as_str).and_then(|name| TimeZone::get(name).ok());
    let now = i64::try_from(call.clock.now().0).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    now.unwrap_or_default().to_zoned(zone.unwrap_or(TimeZone::UTC))
}
