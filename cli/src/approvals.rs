//! `chela approvals`: what waits for the owner's consent, and the owner's answer.

use anyhow::Context;
use chela_core::approval::escaped;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::place::Place;
use crate::remote::{Remote, RemoteOptions};
use crate::show::{GOOD, line, table};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chela approvals ls\n  chela approvals allow 0123456789ab\n  chela approvals allow 0123456789ab --always\n  chela approvals deny 0123456789ab\n  chela approvals forget ba9876543210"
)]
pub(crate) struct Approvals {
    #[command(subcommand)]
    command: ApprovalsCommand,
    #[command(flatten)]
    remote: RemoteOptions,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum ApprovalsCommand {
    /// What waits, whole, and what is allowed for ever
    #[command(alias = "list")]
    Ls {
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// Let a call run that waits
    Allow {
        /// Its id
        id: String,
        /// And the same command from now on
        #[arg(long)]
        always: bool,
    },
    /// Refuse a call that waits
    Deny {
        /// Its id
        id: String,
    },
    /// Ask again about a command that is allowed for ever
    Forget {
        /// The id of what is allowed
        id: String,
    },
}

impl Approvals {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let remote = self.remote.open(&self.place).await?;
        match &self.command {
            ApprovalsCommand::Ls { json } => list(&remote, *json).await,
            ApprovalsCommand::Allow { id, always } => {
                decide(&remote, id, if *always { "always" } else { "once" }, "allowed; it is run now").await
            }
            ApprovalsCommand::Deny { id } => decide(&remote, id, "deny", "denied; nothing was run").await,
            ApprovalsCommand::Forget { id } => {
                remote.post("/approvals/forget", &json!({"id": id})).await?;
                line(&format!("{GOOD}forgotten{GOOD:#}; the next one is asked about"));
                Ok(())
            }
        }
    }
}

async fn list(remote: &Remote, json: bool) -> anyhow::Result<()> {
    let answer = remote.get("/approvals").await?;
    if json {
        line(&answer.to_string());
        return Ok(());
    }
    let rows = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let (waiting, allowed) = (rows("waiting"), rows("allowed"));
    if waiting.is_empty() {
        line("Nothing waits.");
    }
    for request in &waiting {
        line(&format!("{} {} of {}", text(request, "id"), text(request, "tool"), text(request, "session")));
        line(&format!("  sha256 {}", text(request, "digest")));
        for shown in text(request, "shown").lines() {
            line(&format!("  | {shown}"));
        }
    }
    if !allowed.is_empty() {
        line("\nAllowed from now on:");
        let columns = ["id", "agent", "tool", "words", "by"];
        let rows: Vec<Vec<String>> =
            allowed.iter().map(|row| columns.iter().map(|name| text(row, name)).collect()).collect();
        table(&columns, &rows);
    }
    Ok(())
}

/// Shows the whole of what is decided about, and decides about just that.
async fn decide(remote: &Remote, id: &str, decision: &str, done: &str) -> anyhow::Result<()> {
    let answer = remote.get("/approvals").await?;
    let waiting = answer.get("waiting").and_then(Value::as_array).cloned().unwrap_or_default();
    let request = waiting.iter().find(|request| text(request, "id") == id);
    let request = request.with_context(|| format!("nothing of the id \"{id}\" waits: chela approvals ls"))?;
    for shown in text(request, "shown").lines() {
        line(&format!("| {shown}"));
    }
    let digest = text(request, "digest");
    remote.post("/approvals", &json!({"id": id, "decision": decision, "digest": digest})).await?;
    line(&format!("{GOOD}{done}{GOOD:#}"));
    Ok(())
}

/// A field as it may be shown in a terminal.
fn text(row: &Value, name: &str) -> String {
    match row.get(name) {
        Some(Value::String(text)) => escaped(text),
        None | Some(Value::Null) => String::new(),
        Some(value) => escaped(&value.to_string()),
    }
}
