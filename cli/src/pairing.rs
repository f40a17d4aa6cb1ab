//! `chela pairing`: who asked to be let in, and the owner's yes.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::place::Place;
use crate::remote::RemoteOptions;
use crate::show::{GOOD, line, table};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chela pairing list\n  chela pairing approve telegram ABCD2345\n  chela pairing approve slack ABCD2345 --account work"
)]
pub(crate) struct Pairing {
    #[command(subcommand)]
    command: PairingCommand,
    #[command(flatten)]
    remote: RemoteOptions,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum PairingCommand {
    /// Requests that wait
    List {
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// Let a sender in by the code they were given
    Approve {
        /// The channel they wrote on
        channel: String,
        /// The code
        code: String,
        /// Our account there
        #[arg(long, default_value = "default")]
        account: String,
    },
}

impl Pairing {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let remote = self.remote.open(&self.place).await?;
        match &self.command {
            PairingCommand::List { json } => {
                let answer = remote.get("/pairing").await?;
                let pending = answer.get("pending").and_then(Value::as_array).cloned().unwrap_or_default();
                if *json {
                    line(&Value::Array(pending).to_string());
                    return Ok(());
                }
                if pending.is_empty() {
                    line("Nobody waits.");
                    return Ok(());
                }
                let cell =
                    |row: &Value, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                let columns = ["channel", "account", "sender", "code"];
                let rows: Vec<Vec<String>> =
                    pending.iter().map(|row| columns.iter().map(|name| cell(row, name)).collect()).collect();
                table(&columns, &rows);
            }
            PairingCommand::Approve { channel, code, account } => {
                remote.post("/pairing", &json!({"channel": channel, "account": account, "code": code})).await?;
                line(&format!("{GOOD}let in{GOOD:#}; their next message is answered"));
            }
        }
        Ok(())
    }
}
