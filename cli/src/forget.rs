//! `chela forget`: deletes all that is stored of a person.

use std::io::{BufRead as _, IsTerminal as _};
use std::time::Duration;

use anyhow::Context as _;
use chela_core::approval::escaped;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::place::Place;
use crate::remote::{Remote, RemoteOptions};
use crate::show::{FAINT, GOOD, WARN, line, note, table};

/// Time between two calls while a turn is at work in a conversation.
const AGAIN: Duration = Duration::from_secs(3);

/// Most calls. Each does twenty seconds of work or finds nothing but turns at work.
const CALLS: usize = 100;

/// What is counted beside conversations, and what it is called.
const BESIDE: [(&str, &str); 6] = [
    ("exports", "exports"),
    ("notes", "files of notes"),
    ("schedules", "schedules"),
    ("requests", "requests for consent"),
    ("approvals", "approvals or pairing requests"),
    ("deadLetters", "dead letters"),
];

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chela forget telegram 123456789 --dry-run\n  chela forget telegram 123456789\n  chela forget slack:work U012AB3CD --rooms delete\n  chela forget telegram 123456789 --yes --json\n  chela forget telegram 123456789 --url https://….lambda-url.eu-central-1.on.aws --key …\n\nConversations that are theirs alone go as a whole. Of those they share with others, the turns they spoke in lose their words and the answers. What platforms, model providers and backups hold is not reached: docs/privacy.md. Asked again, it does what was left."
)]
pub(crate) struct Forget {
    /// The channel they write on, or <channel>:<account> for one account of yours
    channel: String,
    /// Their id there, as `chela pairing list` and session keys have it
    sender: String,
    /// What becomes of conversations with others in them
    #[arg(long, value_enum, default_value_t = Rooms::Redact)]
    rooms: Rooms,
    /// Show what would go, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// For machines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteOptions,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Rooms {
    /// Replace their words, what was done about them and what was answered
    Redact,
    /// Delete those conversations as a whole, for everybody
    Delete,
}

impl Forget {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let remote = self.remote.open(&self.place).await?;
        let found = remote.post("/forget", &self.wish(true)).await?;
        if is_nothing(&found) {
            self.tell(&found, || format!("Nothing is stored of {} on {}.", self.sender, self.channel));
            return Ok(());
        }
        if self.dry_run || !self.json {
            self.tell(&found, String::new);
            show(&found, self.json);
        }
        if self.dry_run {
            return Ok(());
        }
        anyhow::ensure!(self.yes || self.agreed()?, "nothing was deleted");
        self.delete(&remote).await?;
        self.tell(&found, || format!("{GOOD}deleted{GOOD:#}; what stays elsewhere, and for how long: docs/privacy.md"));
        Ok(())
    }

    /// Calls until nothing is left.
    async fn delete(&self, remote: &Remote) -> anyhow::Result<()> {
        let mut busy = Vec::new();
        for _ in 0..CALLS {
            let done = remote.post("/forget", &self.wish(false)).await?;
            if done.get("done").and_then(Value::as_bool).unwrap_or_default() {
                return Ok(());
            }
            let at_work = |it: &&Value| text(it, "state") == "busy";
            busy = conversations(&done).iter().filter(at_work).map(|it| text(it, "session")).collect();
            if !busy.is_empty() {
                note(&format!("{WARN}waiting{WARN:#} for a turn in {}", busy.join(", ")));
                tokio::time::sleep(AGAIN).await;
            }
        }
        let why = if busy.is_empty() {
            "there is more".to_owned()
        } else {
            format!("a turn is at work in {}", busy.join(", "))
        };
        anyhow::bail!("not all of it is deleted: {why}; run this again")
    }

    fn wish(&self, dry_run: bool) -> Value {
        let (channel, account) = match self.channel.split_once(':') {
            Some((channel, account)) => (channel, Some(account)),
            None => (self.channel.as_str(), None),
        };
        let rooms = match self.rooms {
            Rooms::Redact => "redact",
            Rooms::Delete => "delete",
        };
        json!({"channel": channel, "account": account, "sender": self.sender, "rooms": rooms, "dryRun": dry_run})
    }

    fn agreed(&self) -> anyhow::Result<bool> {
        let ask = std::io::stdin().is_terminal();
        anyhow::ensure!(ask, "nobody can be asked here: say --yes to delete it, or --dry-run to see it");
        note("This cannot be undone. Type \"forget\" to delete it:");
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).context("the answer could not be read")?;
        Ok(answer.trim() == "forget")
    }

    fn tell(&self, found: &Value, sentence: impl FnOnce() -> String) {
        let sentence = if self.json { found.to_string() } else { sentence() };
        if !sentence.is_empty() {
            line(&sentence);
        }
    }
}

fn conversations(found: &Value) -> Vec<Value> {
    found.get("conversations").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn count(found: &Value, name: &str) -> u64 {
    found.get(name).and_then(Value::as_u64).unwrap_or_default()
}

fn is_nothing(found: &Value) -> bool {
    conversations(found).is_empty() && BESIDE.iter().all(|(name, _)| count(found, name) == 0)
}

fn show(found: &Value, json: bool) {
    if json {
        return;
    }
    let rows: Vec<Vec<String>> = conversations(found)
        .iter()
        .map(|it| {
            let counts = ["rows", "files"].map(|name| count(it, name).to_string());
            [text(it, "session"), text(it, "how")].into_iter().chain(counts).collect()
        })
        .collect();
    if !rows.is_empty() {
        table(&["conversation", "what becomes of it", "rows", "files"], &rows);
    }
    for (name, what) in BESIDE.iter().filter(|(name, _)| count(found, name) > 0) {
        line(&format!("{FAINT}and{FAINT:#} {} {what}", count(found, name)));
    }
}

/// A field as it may be shown in a terminal.
fn text(row: &Value, name: &str) -> String {
    escaped(row.get(name).and_then(Value::as_str).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_counted_is_something() {
        assert!(is_nothing(&json!({"conversations": [], "done": true})));
        assert!(!is_nothing(&json!({"conversations": [{"session": "a"}]})));
        for (name, _) in BESIDE {
            assert!(!is_nothing(&json!({"conversations": [], (name): 1})), "{name}");
        }
    }
}
