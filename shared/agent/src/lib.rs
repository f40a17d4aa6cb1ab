//! The turn, driven: what [`chela_core::turn::Machine`] asks for is done here through the ports.
//!
//! A plain turn costs five small writes: claim, accept, append the answer with its outbox, mark the part as being
//! sent, finish. Each tool step with effects costs three more (answer, marks, results), each further part one.
//!
//! - [`Agent::answer`] runs one envelope to its [`Outcome`].
//! - `redeliver` sends a flagged part again when its owner asks for it.
//! - `ask` puts a `question` to the models, and meanwhile keeps the lease and shows the answer while it grows;
//!   `failover` chooses the credential, `purse` pays.
//! - `media` takes files in and sends them; below it: what models `look` at, the `words` of files, answers said `aloud`.
//! - `relay` brings answers to other conversations of the house.
//! - `mirror` has what was written to another place stand in that place's conversation.
//! - `act` runs tools and sends parts; `command` answers what needs no model.
//! - `approval` sees that a person agrees to what needs consent; what waits costs nothing.
//! - `context` is what a model reads of the conversation; `window` says how much fits, `prune` shortens old results of
//!   tools, `compact` lets a summary stand for what is long ago, after `flush` has noted what must last.

mod act;
mod answer;
mod approval;
mod ask;
mod blocks;
mod command;
mod compact;
mod context;
mod draft;
mod failover;
mod flow;
mod flush;
mod knowledge;
mod known;
mod media;
mod mirror;
mod notes;
mod offer;
mod outlook;
mod post;
mod prune;
mod purse;
mod question;
mod redeliver;
mod relay;
mod repeats;
mod report;
mod settings;
mod spend;
mod voice;
mod window;

pub use answer::{Agent, Slice};
pub use approval::ApprovalRules;
pub use chela_core::turn::{LEASE_MS, Outcome, Report};
pub use command::export_name;
pub use knowledge::{Addition, Knowledge};
pub use known::Known;
pub use media::{INCOMING, STORED};
pub use notes::ChannelNotes;
pub use purse::Purse;
pub use redeliver::{Undelivered, undelivered};
pub use settings::{
    AgentSettings, AutoVoice, Blocks, CommandRules, CompactionSettings, ContextSettings, FlushSettings, Installation,
    MediaSettings, ModelChoice, Outlet, Profile, PruningSettings, SeenScope, Sees,
};
pub use spend::{Limits, SpendRules};
pub use voice::Voice;
