//! `chela channels`: set-up and health of accounts.

use anyhow::Context as _;
use chela_app::live::{Built, OpenAccount};
use chela_core::channel::Registration;
use chela_core::channel_log::Activity;
use chela_core::clock::Millis;
use chela_core::command::menu;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use std::sync::Arc;

use crate::place::Place;
use crate::remote::RemoteOptions;
use crate::show::{BAD, FAINT, GOOD, WARN, line, note, table};

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
    /// Ask every configured platform how the account is doing, and the gateway what happened there last
    Status {
        /// For machines
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        remote: RemoteOptions,
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
                register(&built, open, &url).await?;
            }
            ChannelsCommand::Status { json, remote } => {
                let remote = remote.open(&self.place).await?;
                let told = remote.get("/channels").await.ok();
                let activities = told.and_then(|told| serde_json::from_value(told.get("accounts")?.clone()).ok());
                status(&built, activities, *json).await?;
            }
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

async fn register(built: &Built, open: &OpenAccount, url: &str) -> anyhow::Result<()> {
    let commands = &built.config.commands;
    let menu = if commands.native.is_on() { menu(&commands.disabled) } else { Vec::new() };
    match open.channel.register(url, &menu).await? {
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

/// One account, as its platform and the gateway tell of it.
struct Standing {
    ok: bool,
    summary: String,
    activity: Activity,
}

async fn status(built: &Built, activities: Option<Vec<Activity>>, as_json: bool) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for ((channel, account), open) in &built.accounts {
        let (ok, summary) = match open.channel.health().await {
            Ok(health) => (health.ok, health.summary),
            Err(error) => (false, error.to_string()),
        };
        let mut known = activities.iter().flatten();
        let activity = known.find(|activity| activity.channel == *channel && activity.account == *account).cloned();
        let blank = || Activity { channel: channel.clone(), account: account.clone(), ..Activity::default() };
        rows.push(Standing { ok, summary, activity: activity.unwrap_or_else(blank) });
    }
    rows.sort_by(|a, b| (&a.activity.channel, &a.activity.account).cmp(&(&b.activity.channel, &b.activity.account)));
    if as_json {
        let accounts: Vec<_> = rows
            .iter()
            .map(|row| {
                let mut account = json!(row.activity);
                if let Some(fields) = account.as_object_mut() {
                    fields.insert("ok".to_owned(), json!(row.ok));
                    fields.insert("summary".to_owned(), json!(row.summary));
                }
                account
            })
            .collect();
        let gateway = activities.is_some();
        line(&json!({"accounts": accounts, "problems": built.problems, "gatewayAnswers": gateway}).to_string());
        return Ok(());
    }
    let word = |ok: bool| if ok { format!("{GOOD}ok{GOOD:#}") } else { format!("{BAD}not ok{BAD:#}") };
    for Standing { ok, summary, activity } in &rows {
        line(&format!("{}/{}  {}  {summary}", activity.channel, activity.account, word(*ok)));
        if activities.is_some() {
            let (received, sent) = (moment(activity.received), moment(activity.sent));
            line(&format!("  {FAINT}last message {received} · last reply {sent}{FAINT:#}"));
        }
        if let Some(failure) = &activity.failed {
            line(&format!("  {WARN}last failure{WARN:#} {}: {}", moment(Some(failure.at)), failure.reason));
        }
    }
    for problem in &built.problems {
        line(&format!("{}  {problem}", word(false)));
    }
    if rows.is_empty() && built.problems.is_empty() {
        line("No channel is configured. `chela channels list` shows what there is.");
    } else if activities.is_none() {
        note("The gateway does not answer, so that the last messages are not known. Start it, or name it with --url.");
    }
    Ok(())
}

/// Notes are five minutes apart, so that seconds would pretend too much.
fn moment(at: Option<Millis>) -> String {
    let at = at.and_then(|at| Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok());
    at.map_or_else(|| "never".to_owned(), |at| at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string())
}
