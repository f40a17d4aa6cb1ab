//! `chela memory`: what agents remember.
//!
//! Here the files are looked at themselves, whether a gateway runs beside or not; with `--url` a gateway or an `api`
//! function is asked. What may cost money is done by whoever has the counters: a gateway that runs here, if one does.

use std::sync::Arc;

use anyhow::Context as _;
use chela_agent::Known;
use chela_app::install::Scope;
use chela_app::live::Live;
use chela_app::memory::Notes;
use chela_core::spend::SpendStore;
use chela_embedded::{Embedded, FolderBlobs};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::place::Place;
use crate::remote::{Remote, RemoteOptions};
use crate::show::{FAINT, GOOD, WARN, line, note, table};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chela memory search \"when is the dentist\"\n  chela memory ls --agent work\n  chela memory show memory/2026-03-04.md\n  chela memory rebuild --json\n  chela memory search tea --url https://….lambda-url.eu-central-1.on.aws --key …"
)]
pub(crate) struct Memory {
    #[command(subcommand)]
    command: MemoryCommand,
    /// Whose; the first agent's if left out
    #[arg(long, global = true)]
    agent: Option<String>,
    /// For machines
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    remote: RemoteOptions,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum MemoryCommand {
    /// Find passages of notes, as the agent would
    Search {
        /// Words or a question
        #[arg(required = true)]
        query: Vec<String>,
        /// Most passages
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Name all notes
    Ls,
    /// Print a note
    Show {
        /// Its path, as `ls` and `search` name it
        path: String,
    },
    /// Make the index from nothing; the notes themselves are not touched
    Rebuild,
}

impl Memory {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let costs = matches!(self.command, MemoryCommand::Search { .. } | MemoryCommand::Rebuild);
        let store = if costs && !self.remote.is_given() { self.place.open_store().ok() } else { None };
        let answer = if self.remote.is_given() || costs && store.is_none() && self.place.data.join("files").exists() {
            self.ask(&self.remote.open(&self.place).await?).await?
        } else {
            self.look(store).await?
        };
        if self.json {
            line(&answer.to_string());
            return Ok(());
        }
        match &self.command {
            MemoryCommand::Search { .. } => print_hits(&answer),
            MemoryCommand::Ls => print_notes(&answer),
            MemoryCommand::Show { .. } => line(text(&answer, "text").trim_end()),
            MemoryCommand::Rebuild => {
                let count = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
                let (notes, passages, embedded) = (count("notes"), count("passages"), count("embedded"));
                line(&format!(
                    "{GOOD}rebuilt{GOOD:#}: {notes} notes in {passages} passages, {embedded} of them found by meaning"
                ));
                remark(&answer);
            }
        }
        Ok(())
    }

    async fn ask(&self, remote: &Remote) -> anyhow::Result<Value> {
        let with = |path: &str, more: &[(&str, &str)]| {
            let agent = self.agent.as_deref().map(|agent| ("agent", agent));
            let pairs: Vec<(&str, &str)> = agent.into_iter().chain(more.iter().copied()).collect();
            format!("{path}?{}", encoded(&pairs))
        };
        match &self.command {
            MemoryCommand::Search { query, limit } => {
                let (query, limit) = (query.join(" "), limit.map(|limit| limit.to_string()));
                let mut pairs = vec![("q", query.as_str())];
                pairs.extend(limit.as_deref().map(|limit| ("limit", limit)));
                remote.get(&with("/memory/search", &pairs)).await
            }
            MemoryCommand::Ls => remote.get(&with("/memory", &[])).await,
            MemoryCommand::Show { path } => remote.get(&with("/memory/note", &[("path", path)])).await,
            MemoryCommand::Rebuild => remote.post(&with("/memory/rebuild", &[]), &json!({})).await,
        }
    }

    async fn look(&self, store: Option<Embedded>) -> anyhow::Result<Value> {
        let live = live(&self.place).await?;
        let (built, clock, known) = (live.current().await, Place::clock(), Known::default());
        let money = store.as_ref().map(|store| (store.sessions.as_ref() as &dyn SpendStore, &known));
        let notes = Notes::of(&built, live.files().as_ref(), money, clock.as_ref(), self.agent.as_deref())?;
        Ok(match &self.command {
            MemoryCommand::Search { query, limit } => notes.search(&query.join(" "), *limit).await?,
            MemoryCommand::Ls => notes.list().await?,
            MemoryCommand::Show { path } => notes.show(path).await?,
            MemoryCommand::Rebuild => notes.rebuild().await?,
        })
    }
}

/// The configuration and the files of the embedded store, beside a gateway that may be running.
pub(crate) async fn live(place: &Place) -> anyhow::Result<Live> {
    let folder = &place.data;
    let files = folder.join("files");
    anyhow::ensure!(
        files.exists(),
        "{} holds nothing yet: `chela run` begins it, --data names another",
        folder.display()
    );
    // Not the gateway's own folder for files under way, which is emptied whenever it is opened.
    let files = FolderBlobs::open(&files, &folder.join("incoming-memory"))
        .with_context(|| format!("cannot open {}", folder.display()))?;
    Ok(Live::open(place.ground(Arc::new(files), Scope::Everything)?).await?)
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    let plain = |text: &str| {
        text.bytes().fold(String::new(), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
            out
        })
    };
    pairs.iter().map(|(name, value)| format!("{name}={}", plain(value))).collect::<Vec<_>>().join("&")
}

fn print_hits(answer: &Value) {
    let hits = answer.get("hits").and_then(Value::as_array).cloned().unwrap_or_default();
    if hits.is_empty() {
        let notes = answer.get("notes").and_then(Value::as_u64).unwrap_or_default();
        line(&format!("Nothing found in {notes} notes."));
    }
    for hit in &hits {
        let number = |name: &str| hit.get(name).and_then(Value::as_u64).unwrap_or_default();
        let score = hit.get("score").and_then(Value::as_f64).unwrap_or_default();
        let trust = match text(hit, "trust").as_str() {
            "owner" => String::new(),
            other => format!("  {WARN}{other}{WARN:#}"),
        };
        let (path, heading) = (text(hit, "path"), text(hit, "heading"));
        let (start, end) = (number("startLine"), number("endLine"));
        line(&format!("{path}:{start}-{end}  {FAINT}{score:.2}  {heading}{FAINT:#}{trust}"));
        for words in text(hit, "text").trim().lines() {
            line(&format!("  {words}"));
        }
    }
    remark(answer);
}

fn print_notes(answer: &Value) {
    let notes = answer.get("notes").and_then(Value::as_array).cloned().unwrap_or_default();
    if notes.is_empty() {
        line("There are no notes yet.");
        return;
    }
    let bytes = |note: &Value| note.get("bytes").and_then(Value::as_u64).unwrap_or_default().to_string();
    let rows: Vec<Vec<String>> =
        notes.iter().map(|note| vec![text(note, "path"), bytes(note), text(note, "day")]).collect();
    table(&["note", "bytes", "day"], &rows);
}

fn remark(answer: &Value) {
    if let Some(remark) = answer.get("remark").and_then(Value::as_str) {
        note(&format!("{WARN}note{WARN:#}: {remark}"));
    }
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_survives_the_address() {
        assert_eq!(encoded(&[("q", "tea & milk?"), ("agent", "é")]), "q=tea%20%26%20milk%3F&agent=%C3%A9");
    }
}
