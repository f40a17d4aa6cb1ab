//! `chela deadletters`: replies nobody could confirm and messages nobody could handle, and what becomes of them.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::place::Place;
use crate::remote::{Remote, RemoteOptions};
use crate::show::{FAINT, GOOD, WARN, line, table};

/// Longest reason in the table; `show` has all of it.
const REASON_CHARS: usize = 60;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chela deadletters\n  chela deadletters show reply-1f2e3d4c5b6a\n  chela deadletters resend reply-1f2e3d4c5b6a\n  chela deadletters resend live-1843200000000000 --force\n  chela deadletters drop reply-1f2e3d4c5b6a\n  chela deadletters list --json --url https://….lambda-url.eu-central-1.on.aws --key …\n\nA reply is here if its platform refused it, or did not confirm it: then it may have arrived, and resending may show it twice. A message is here if it could not be read, or its turn did not end however often it was tried."
)]
pub(crate) struct DeadLetters {
    #[command(subcommand)]
    command: Option<DeadLettersCommand>,
    /// For machines
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    remote: RemoteOptions,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum DeadLettersCommand {
    /// What waits for your decision, newest first (also without a subcommand)
    List,
    /// All about one: the text of a reply and where it was to go, or the body of a message
    Show {
        /// As `list` shows it
        id: String,
    },
    /// Send a reply again, or put a message back into its lane
    Resend {
        /// As `list` shows it
        id: String,
        /// Also a message that is older than a day, or was answered
        #[arg(long)]
        force: bool,
    },
    /// Decide that it is done with
    Drop {
        /// As `list` shows it
        id: String,
    },
}

impl DeadLetters {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let remote = self.remote.open(&self.place).await?;
        match &self.command {
            None | Some(DeadLettersCommand::List) => self.list(&remote).await,
            Some(DeadLettersCommand::Show { id }) => {
                let item = remote.get(&path(id)?).await?;
                if self.json {
                    line(&item.to_string())
                } else {
                    details(&item)
                }
                Ok(())
            }
            Some(DeadLettersCommand::Resend { id, force }) => {
                let answer = remote.post(&format!("{}/resend", path(id)?), &json!({"force": force})).await?;
                self.tell(&answer, || match answer.get("outcome").and_then(Value::as_str) {
                    Some("delivered") => format!("{GOOD}delivered{GOOD:#}; {id} is gone from the list"),
                    _ if id.starts_with("reply-") => {
                        format!("{WARN}not sent yet{WARN:#}; {id} leaves the list when it is delivered")
                    }
                    _ => format!("{GOOD}queued{GOOD:#}; {id} is back in its lane"),
                });
                Ok(())
            }
            Some(DeadLettersCommand::Drop { id }) => {
                let answer = remote.delete(&path(id)?).await?;
                self.tell(&answer, || format!("{GOOD}dropped{GOOD:#} {id}"));
                Ok(())
            }
        }
    }

    async fn list(&self, remote: &Remote) -> anyhow::Result<()> {
        let answer = remote.get("/deadletters").await?;
        let items = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        if self.json {
            line(&Value::Array(items).to_string());
            return Ok(());
        }
        if items.is_empty() {
            line("Nothing waits for you: every reply was delivered and every message could be handled.");
            return Ok(());
        }
        let rows: Vec<Vec<String>> = items
            .iter()
            .map(|item| {
                let at = item.get("at").and_then(Value::as_u64).unwrap_or_default();
                vec![text(item, "id"), age(at), text(item, "session"), cut(&text(item, "reason"))]
            })
            .collect();
        table(&["id", "age", "session", "reason"], &rows);
        Ok(())
    }

    fn tell(&self, answer: &Value, sentence: impl FnOnce() -> String) {
        if self.json { line(&answer.to_string()) } else { line(&sentence()) }
    }
}

/// The item's path in the API.
fn path(id: &str) -> anyhow::Result<String> {
    let shaped = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    anyhow::ensure!(shaped, "\"{id}\" is not the id of a dead letter: `chela deadletters` lists them");
    Ok(format!("/deadletters/{id}"))
}

/// One field a line; the text below.
fn details(item: &Value) {
    let fields = item.as_object().into_iter().flatten();
    let (long, short): (Vec<_>, Vec<_>) = fields.partition(|(name, _)| matches!(name.as_str(), "text" | "body"));
    for (name, value) in short {
        if let (true, Some(at)) = (matches!(name.as_str(), "at" | "acceptedAt"), value.as_u64()) {
            line(&format!("{FAINT}{name:<10}{FAINT:#} {} ago", age(at)));
            continue;
        }
        line(&format!(
            "{FAINT}{name:<10}{FAINT:#} {}",
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        ));
    }
    for (name, value) in long {
        let text = value.as_str().unwrap_or("it is not stored any more");
        line(&format!("{FAINT}{name}{FAINT:#}\n{text}"));
    }
}

fn text(item: &Value, name: &str) -> String {
    item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn cut(reason: &str) -> String {
    if reason.chars().count() <= REASON_CHARS {
        return reason.to_owned();
    }
    let begin: String = reason.chars().take(REASON_CHARS - 1).collect();
    format!("{begin}…")
}

/// How long ago an instant was.
fn age(at: u64) -> String {
    in_words(Place::clock().now().0.saturating_sub(at))
}

/// A duration in its largest unit.
fn in_words(ms: u64) -> String {
    match ms / 60_000 {
        minutes @ 0..60 => format!("{minutes} min"),
        minutes @ 60..1440 => format!("{} h", minutes / 60),
        minutes => format!("{} d", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_an_id_becomes_a_path() {
        assert_eq!(path("live-12").unwrap(), "/deadletters/live-12");
        for wrong in ["", "a/b", "..", "a?b", "é"] {
            assert!(path(wrong).unwrap_err().to_string().contains("chela deadletters"), "{wrong:?}");
        }
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        let long = "é".repeat(REASON_CHARS + 1);
        assert_eq!((cut(&long).chars().count(), cut("short").as_str()), (REASON_CHARS, "short"));
    }

    #[test]
    fn a_duration_has_its_largest_unit() {
        let minute = 60_000;
        let told = [0, minute, 59 * minute, 60 * minute, 1439 * minute, 1440 * minute, 30_000 * minute].map(in_words);
        assert_eq!(told, ["0 min", "1 min", "59 min", "1 h", "23 h", "1 d", "20 d"]);
    }
}
