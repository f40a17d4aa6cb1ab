//! The turn, driven: what `chela_core::turn` says is next is done here through the ports.
//!
//! A plain turn costs five small writes: claim, accept, append the answer with its outbox, mark the part as being
//! sent, finish. Each tool step with effects costs four more (answer, marks, results, lease), each further part one.
//!
//! - [`Agent::answer`] runs one envelope to its [`Outcome`].
//! - `redeliver` sends a flagged part again when its owner asks for it.
//! - `think` calls models, with failover, and shows the answer while it grows.
//! - `act` runs tools; `deliver` sends parts; `command` answers what needs no model.

mod act;
mod answer;
mod command;
mod deliver;
mod redeliver;
mod settings;
mod think;

pub use answer::{Agent, LEASE_MS, Outcome, Report, Slice};
pub use redeliver::{Undelivered, undelivered};
pub use settings::{AgentSettings, Installation, ModelChoice, Outlet};
