//! `chela sessions`: which conversations there are, and what was said in one.

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::place::Place;
use crate::remote::RemoteOptions;
use crate::show::{FAINT, line, table};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chela sessions ls\n  chela sessions ls --agent work --json\n  chela sessions show agent:main:main"
)]
pub(crate) struct Sessions {
    #[command(subcommand)]
    command: SessionsCommand,
    #[command(flatten)]
    remote: RemoteOptions,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum SessionsCommand {
    /// Conversations, newest first
    Ls {
        /// Of this agent only
        #[arg(long)]
        agent: Option<String>,
        /// Most rows
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// What was said in one
    Show {
        /// Its key, as `ls` shows it
        session: String,
        /// Most entries, the newest ones
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// For machines
        #[arg(long)]
        json: bool,
    },
}

impl Sessions {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let remote = self.remote.open(&self.place).await?;
        let query = |pairs: &[(&str, &str)]| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            pairs.iter().filter(|(_, value)| !value.is_empty()).for_each(|(name, value)| {
                query.append_pair(name, value);
            });
            format!("/sessions?{}", query.finish())
        };
        match &self.command {
            SessionsCommand::Ls { agent, limit, json } => {
                let agent = agent.as_deref().unwrap_or_default();
                let answer = remote.get(&query(&[("agent", agent), ("limit", &limit.to_string())])).await?;
                list(&answer, *json);
            }
            SessionsCommand::Show { session, limit, json } => {
                let answer = remote.get(&query(&[("session", session), ("limit", &limit.to_string())])).await?;
                show(&answer, *json);
            }
        }
        Ok(())
    }
}

fn list(answer: &Value, json: bool) {
    let sessions = answer.get("sessions").and_then(Value::as_array).cloned().unwrap_or_default();
    if json {
        return line(&Value::Array(sessions).to_string());
    }
    if sessions.is_empty() {
        return line("No conversation yet.");
    }
    let text = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let rows: Vec<Vec<String>> = sessions
        .iter()
        .map(|row| {
            let began =
                row.get("began").and_then(Value::as_i64).and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
            let began = began.map(|at| at.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default();
            let state = match (row.get("parent"), row.get("ended")) {
                (Some(_), Some(_)) => "reported",
                (Some(_), None) => "at work",
                _ => "",
            };
            vec![text(row, "session"), text(row, "label"), began, state.to_owned()]
        })
        .collect();
    table(&["session", "label", "began (UTC)", "sub-agent"], &rows);
}

fn show(answer: &Value, json: bool) {
    let entries = answer.get("entries").and_then(Value::as_array).cloned().unwrap_or_default();
    if json {
        return line(&answer.to_string());
    }
    for said in entries.iter().filter_map(|entry| entry.get("said")?.as_array()).flatten() {
        let of = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
        line(&format!("{FAINT}{}:{FAINT:#} {}", of("who"), of("text")));
    }
}
