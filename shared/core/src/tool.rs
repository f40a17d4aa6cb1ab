//! What acts: tools the model may call.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agent_id::AgentId;
use crate::blob::BlobStore;
use crate::clock::Clock;
use crate::directory::Directory;
use crate::message::ReplyAddress;
use crate::model::ToolSpec;
use crate::post::Post;
use crate::purse::Purse;
use crate::queue::{Authority, Queue};
use crate::session::SessionStore;
use crate::session_key::SessionKey;
use crate::shown::StoredFile;
use crate::tool_policy::Limit;

/// Whether running a tool twice differs from running it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only looks: it runs again after a crash without a journal entry.
    None,
    /// It changes something but honours [`ToolCall::idempotency_key`]: it runs again after a crash.
    Keyed,
    /// It changes something and cannot tell a repetition: after a crash its outcome is unknown and the model is told so.
    Unkeyed,
}

/// One call of a tool.
pub struct ToolCall<'a> {
    /// The arguments, as the model gave them.
    pub input: &'a Value,
    /// The same for every attempt of this call, different for every other call.
    pub idempotency_key: &'a str,
    /// An attempt before this one began the call, and nobody knows how far it came.
    pub again: bool,
    /// Whose workspace.
    pub agent: &'a AgentId,
    /// Which conversation.
    pub session: &'a SessionKey,
    /// For whom.
    pub caller: &'a Caller,
    /// Files.
    pub files: &'a dyn BlobStore,
    /// Other conversations.
    pub sessions: &'a dyn SessionStore,
    /// Which conversations there are.
    pub directory: &'a dyn Directory,
    /// Where work for other conversations is left.
    pub queue: &'a dyn Queue,
    /// Writes to people, beside the reply.
    pub post: &'a dyn Post,
    /// Pays for what costs money: whatever does asks it first.
    pub purse: &'a dyn Purse,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Facts about the turn that `session_status` shows, as JSON.
    pub status: &'a Value,
}

/// For whom a turn is made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Caller {
    /// The lowest of all whose words are in the turn: a guest's message in a turn takes the owner's rights from it.
    pub authority: Authority,
    /// Platform ids of those whose words are in the turn, each once; none for a schedule.
    pub senders: Vec<String>,
    /// Where the answer goes; `None` if nowhere.
    pub reply_to: Option<ReplyAddress>,
    /// How many conversations stand between this one and a person's: 0 for a person's own, 1 for that of a sub-agent.
    pub depth: u8,
    /// How often conversations have written to one another since a person or a schedule began it.
    pub hops: u8,
    /// On whose behalf, this turn included: whatever begins other turns hands it on, so that they may use no more tools.
    #[serde(default = "Limit::unknown")]
    pub limit: Limit,
}

/// What a tool answers. A failure is an answer too: the model reads it and goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolAnswer {
    /// For the model.
    pub text: String,
    /// Whether it failed.
    pub is_error: bool,
    /// Files it shows, stored with [`crate::shown::store`]. Those of a failure are not shown: providers refuse them.
    pub files: Vec<StoredFile>,
}

impl ToolAnswer {
    /// Success.
    pub fn ok(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: false, files: Vec::new() }
    }

    /// Success, with a file to look at.
    pub fn showing(text: impl Into<String>, file: StoredFile) -> Self {
        Self { files: vec![file], ..Self::ok(text) }
    }

    /// Failure: say what was wrong and what would work.
    pub fn error(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: true, files: Vec::new() }
    }
}

/// What a person is asked before a call runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// What would happen, whole, with everything that is not plain text escaped. It is shown and never cut, and what is
    /// agreed to is its digest.
    pub shown: String,
    /// The programs that would run, each with its arguments: what allow-lists are compared with. `None` if they cannot be
    /// told for sure, so that only a person can agree.
    pub programs: Option<Vec<Vec<String>>>,
    /// What else decides what these programs do: the folder they begin in, what they read. It is shown too, and who allows
    /// them for ever allows them with just this.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub beside: String,
}

/// Characters of a program's name that are recorded.
const NAME_CHARS: usize = 100;

impl Consent {
    /// The programs' names, without arguments.
    pub fn names(&self) -> Vec<String> {
        let programs = self.programs.iter().flatten().filter_map(|argv| argv.first());
        programs.map(|name| name.chars().take(NAME_CHARS).collect()).collect()
    }
}

/// The tool that finds tools. It answers with a JSON list of objects, each with the `name` of a tool.
pub const TOOL_SEARCH: &str = "tool_search";

/// A tool.
#[async_trait]
pub trait Tool: Send + Sync {
    /// How the model sees it.
    fn spec(&self) -> ToolSpec;

    /// How the model sees it when it works for this caller: nobody is told of tools they may not use.
    fn spec_for(&self, _caller: &Caller) -> ToolSpec {
        self.spec()
    }

    /// What running it twice does.
    fn effect(&self) -> Effect;

    /// Whether it is there for this caller. One that is not is neither shown to the model nor run.
    fn offered(&self, _caller: &Caller) -> bool {
        true
    }

    /// Whether a model is offered it only after it has found it with [`TOOL_SEARCH`] in the same turn.
    fn on_demand(&self) -> bool {
        false
    }

    /// What has to be agreed to before this call runs; `None` if it needs nobody's consent.
    fn consent(&self, _input: &Value, _caller: &Caller) -> Option<Consent> {
        None
    }

    /// The process may be halted now, for any time or for good: what was kept open for a further call is given back. The next
    /// call works as ever.
    async fn rest(&self) {}

    /// Runs it. Never panics on any input; a store that does not answer is a [`ToolAnswer::error`].
    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer;
}
