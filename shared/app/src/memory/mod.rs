//! What agents remember, as their owner looks at it: on the laptop and through the API the same words come back.

mod open;

use chela_agent::Known;
use chela_core::agent_id::AgentId;
use chela_core::blob::{BlobError, BlobStore};
use chela_core::clock::Clock;
use chela_core::purse::{Purse, Shut};
use chela_core::spend::SpendStore;
use chela_memory::{Audience, Question, RecallError, day, is_note, notes};
use serde_json::{Value, json};

pub(crate) use open::{base_url, open};

use crate::install::date;
use crate::live::Built;

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// What was asked for is not there, or is no note: ask for something else.
    #[error("{0}")]
    Unknown(String),
    /// The store failed: try again.
    #[error("{0}")]
    Recall(#[from] RecallError),
}

impl From<BlobError> for MemoryError {
    fn from(error: BlobError) -> Self {
        Self::Recall(error.into())
    }
}

/// Counters of money, and what the process knows of them.
pub type Counters<'a> = (&'a dyn SpendStore, &'a Known);

/// The notes of one agent.
pub struct Notes<'a> {
    built: &'a Built,
    files: &'a dyn BlobStore,
    clock: &'a dyn Clock,
    purse: Box<dyn Purse + 'a>,
    agent: AgentId,
}

impl<'a> Notes<'a> {
    /// Those of this agent, or of the first one. Without counters of money nothing is asked that costs any.
    pub fn of(
        built: &'a Built,
        files: &'a dyn BlobStore,
        money: Option<Counters<'a>>,
        clock: &'a dyn Clock,
        agent: Option<&str>,
    ) -> Result<Self, MemoryError> {
        let ids = built.config.agents.ids();
        let wanted = agent.map(AgentId::new).or_else(|| ids.first().map(|id| AgentId::new(id))).unwrap_or_default();
        // No other spelling becomes an agent's name: `../fox` is nobody.
        let spelled = agent.is_none_or(|agent| wanted.as_str().eq_ignore_ascii_case(agent));
        if !spelled || !ids.iter().any(|id| AgentId::new(id) == wanted) {
            let known = ids.join(", ");
            return Err(MemoryError::Unknown(format!("there is no agent \"{wanted}\"; there are: {known}")));
        }
        let rules = &built.installation.spend;
        let purse: Box<dyn Purse> = match money {
            Some((spend, known)) => Box::new(chela_agent::Purse::of_owner(spend, known, clock, rules, &wanted)),
            None => Box::new(Shut),
        };
        Ok(Self { built, files, clock, purse, agent: wanted })
    }

    /// All notes, with their sizes.
    pub async fn list(&self) -> Result<Value, MemoryError> {
        let listed = notes(self.files, &self.agent).await?;
        let rows: Vec<Value> = listed
            .into_iter()
            .map(|(path, note)| {
                let day = day(&path).map(|day| day.to_string());
                json!({ "path": path, "bytes": note.size, "day": day })
            })
            .collect();
        Ok(json!({ "agent": self.agent, "notes": rows }))
    }

    /// One note as it is.
    pub async fn show(&self, path: &str) -> Result<Value, MemoryError> {
        let unknown = || MemoryError::Unknown(format!("there is no note \"{path}\"; `chela memory ls` names them"));
        if !is_note(path) {
            return Err(unknown());
        }
        let note = match self.files.get(&format!("agents/{}/{path}", self.agent)).await {
            Err(BlobError::BadKey(_)) => return Err(unknown()),
            other => other?.ok_or_else(unknown)?,
        };
        Ok(json!({ "agent": self.agent, "path": path, "text": String::from_utf8_lossy(&note.bytes) }))
    }

    /// The passages that fit a question, as the owner's turn would find them.
    pub async fn search(&self, text: &str, most: Option<usize>) -> Result<Value, MemoryError> {
        let question = Question { agent: &self.agent, audience: &Audience::Owner, text, most, today: self.today() };
        let recall = self.built.memory.search(self.files, self.purse.as_ref(), &question).await?;
        let hits: Vec<Value> = recall
            .hits
            .into_iter()
            .map(|hit| {
                json!({
                    "path": hit.path, "startLine": hit.start_line, "endLine": hit.end_line, "heading": hit.heading,
                    "score": hit.score, "author": hit.author, "trust": hit.trust.name(), "text": hit.text,
                })
            })
            .collect();
        Ok(json!({ "agent": self.agent, "notes": recall.notes, "remark": recall.remark, "hits": hits }))
    }

    /// Makes the index from nothing.
    pub async fn rebuild(&self) -> Result<Value, MemoryError> {
        let rebuilt = self.built.memory.rebuild(self.files, self.purse.as_ref(), &self.agent).await?;
        Ok(json!({
            "agent": self.agent, "notes": rebuilt.notes, "passages": rebuilt.passages,
            "embedded": rebuilt.embedded, "remark": rebuilt.remark,
        }))
    }

    /// Whether a sentence of a note is found; `Null` where there is no note. Nothing is written.
    pub async fn prove(&self) -> Result<Value, MemoryError> {
        let proof = self.built.memory.prove(self.files, self.purse.as_ref(), &self.agent, self.today()).await?;
        Ok(proof.map_or(Value::Null, |proof| {
            json!({
                "agent": self.agent, "path": proof.path, "notes": proof.notes,
                "found": proof.found, "remark": proof.remark,
            })
        }))
    }

    fn today(&self) -> jiff::civil::Date {
        let zone = self.built.config.agents.defaults.user_timezone.as_deref().unwrap_or("UTC");
        date(self.clock.now(), zone)
    }
}
