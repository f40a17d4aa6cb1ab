//! `chela explain`: which rule decides, and why, from JSON on standard input.

use std::io::{BufRead, Write};

use anyhow::Context as _;
use chela_core::explain;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

/// What can be explained.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Subject {
    /// Where a message goes: {"cfg": {…}, "channel": …, "accountId": …, "peer": {"kind", "id"}, …}
    Route,
    /// The session key of {"agentId", "channel", "accountId", "peer", "dmScope", …}; or, for a text, what that key says
    SessionKey,
    /// What an agent id and an account id become: a text or null
    #[value(alias = "agent-ids")]
    AgentId,
    /// What a session key says: a text
    #[value(alias = "parse-keys")]
    ParseKey,
    /// How {"text", "limit", "mode"} is cut into messages
    #[value(alias = "chunks")]
    Chunk,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    echo '{\"agentId\":\"main\",\"channel\":\"telegram\",\"peer\":{\"kind\":\"group\",\"id\":\"-100\"}}' | chela explain session-key\n  \
    chela explain route --jsonl < routes.jsonl")]
pub(crate) struct Explain {
    subject: Subject,
    /// One JSON input per line in, one line {"output": …, "reason": …} out
    #[arg(long)]
    jsonl: bool,
}

impl Explain {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let mut out = anstream::stdout().lock();
        if !self.jsonl {
            let input = serde_json::from_reader(std::io::stdin().lock()).context("standard input is not JSON")?;
            let (output, reason) = self.explain(&input)?;
            writeln!(out, "{}\n{reason}", serde_json::to_string_pretty(&output)?)?;
            return Ok(());
        }
        for (number, line) in std::io::stdin().lock().lines().enumerate() {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            // A line that cannot be explained is answered too, so that answers stay beside their questions.
            let answer = match serde_json::from_str::<Value>(&line) {
                Ok(value) => match self.explain(&input_of(value)) {
                    Ok((output, reason)) => json!({"output": output, "reason": reason}),
                    Err(error) => json!({"error": error.to_string()}),
                },
                Err(error) => json!({"error": format!("line {}: {error}", number + 1)}),
            };
            writeln!(out, "{answer}")?;
        }
        Ok(())
    }

    fn explain(&self, input: &Value) -> anyhow::Result<(Value, String)> {
        Ok(match (self.subject, input) {
            (Subject::Route, _) => explain::route(input)?,
            (Subject::SessionKey, Value::String(_)) | (Subject::ParseKey, _) => explain::parse_key(input)?,
            (Subject::SessionKey, _) => explain::session_key(input)?,
            (Subject::AgentId, _) => explain::agent_id(input)?,
            (Subject::Chunk, _) => explain::chunk(input)?,
        })
    }
}

/// A line of a fixture file, `{"input": …, "output": …}`, is as good as the input alone.
fn input_of(value: Value) -> Value {
    match value {
        Value::Object(mut line)
            if line.contains_key("input") && line.keys().all(|key| key == "input" || key == "output") =>
        {
            line.remove("input").unwrap_or_default()
        }
        other => other,
    }
}
