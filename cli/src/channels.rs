//! `chela channels`: set-up and health of accounts.

use anyhow::Context as _;
use chela_app::live::{Built, OpenAccount};
use chela_core::channel::Registration;
use clap::{Args, Subcommand};
use serde_json::json;
use std::sync::Arc;

use crate::place::Place;
use crate::show::{BAD, GOOD, line, note, table};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chela channels list\n  chela channels register telegram --origin https://chela.example.com\n  chela channels status --json"
)]
pub(crate) struct Channels {
    #[command(subcommand)]
    command: ChannelsCommand,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum ChannelsCommand {
    /// Every channel there is, and which are configured
    List,
    /// Point a platform's webhook at this gateway, or print the steps where the platform has no API for it
    Register {
        /// The channel
        channel: String,
        /// Our account there
        #[arg(long, default_value = "default")]
        account: String,
        /// The address the platform reaches us at, instead of `gateway.publicOrigin`
        #[arg(long)]
        origin: Option<String>,
        /// The whole webhook URL, such as the Function URL of a deployment
        #[arg(long, conflicts_with = "origin")]
        url: Option<String>,
    },
    /// Ask every configured platform how the account is doing
    Status {
        /// For machines
        #[arg(long)]
        json: bool,
    },
}

impl Channels {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let built = self.open().await?;
        match &self.command {
            ChannelsCommand::List => list(&built),
            ChannelsCommand::Register { channel, account, origin, url } => {
                let open = built.account(channel, account).with_context(|| not_open(&built, channel, account))?;
                let origin = origin.clone().or_else(|| built.config.gateway.public_origin.clone());
                let url = match (url, origin) {
                    (Some(url), _) => url.clone(),
                    (None, Some(origin)) => {
                        format!("{}/webhook/{channel}/{account}", origin.trim_end_matches('/'))
                    }
                    (None, None) => anyhow::bail!(
                        "where can {channel} reach us? Set gateway.publicOrigin, or give --origin or --url"
                    ),
                };
                register(open, &url).await?;
            }
            ChannelsCommand::Status { json } => status(&built, *json).await?,
        }
        Ok(())
    }

    async fn open(&self) -> anyhow::Result<Arc<Built>> {
        Ok(self.place.live().await?.current().await)
    }
}

fn list(built: &Built) {
    let rows: Vec<Vec<String>> = chela_channel_registry::descriptors()
        .iter()
        .map(|descriptor| {
            let accounts: Vec<String> = built
                .config
                .accounts()
                .into_iter()
                .filter(|account| account.channel == descriptor.id)
                .map(|a| a.id)
                .collect();
            vec![descriptor.id.to_owned(), descriptor.title.to_owned(), accounts.join(", ")]
        })
        .collect();
    table(&["channel", "platform", "accounts"], &rows);
}

fn not_open(built: &Built, channel: &str, account: &str) -> String {
    let problems = built.problems.iter().filter(|problem| problem.contains(&format!("channels.{channel}")));
    let problems: Vec<&str> = problems.map(String::as_str).collect();
    if problems.is_empty() {
        format!("{channel}/{account} is not configured: add channels.{channel} to the configuration")
    } else {
        problems.join("; ")
    }
}

async fn register(open: &OpenAccount, url: &str) -> anyhow::Result<()> {
    match open.channel.register(url, chela_agent::MENU).await? {
        Registration::Done { summary } => line(&format!("{GOOD}registered{GOOD:#} {summary}")),
        Registration::Manual { steps } => {
            note("This platform has no API for it. By hand:");
            for (number, step) in steps.iter().enumerate() {
                line(&format!("{}. {step}", number + 1));
            }
        }
    }
    Ok(())
}

async fn status(built: &Built, as_json: bool) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for ((channel, account), open) in &built.accounts {
        let (ok, summary) = match open.channel.health().await {
            Ok(health) => (health.ok, health.summary),
            Err(error) => (false, error.to_string()),
        };
        rows.push((channel.clone(), account.clone(), ok, summary));
    }
    rows.sort();
    if as_json {
        let accounts: Vec<_> = rows
            .iter()
            .map(|(channel, account, ok, summary)| json!({"channel": channel, "account": account, "ok": ok, "summary": summary}))
            .collect();
        line(&json!({"accounts": accounts, "problems": built.problems}).to_string());
        return Ok(());
    }
    let word = |ok: bool| if ok { format!("{GOOD}ok{GOOD:#}") } else { format!("{BAD}not ok{BAD:#}") };
    for (channel, account, ok, summary) in &rows {
        line(&format!("{channel}/{account}  {}  {summary}", word(*ok)));
    }
    for problem in &built.problems {
        line(&format!("{}  {problem}", word(false)));
    }
    if rows.is_empty() && built.problems.is_empty() {
        line("No channel is configured. `chela channels list` shows what there is.");
    }
    Ok(())
}
