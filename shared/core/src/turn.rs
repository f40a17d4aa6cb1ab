//! The turn: what is stored of it decides what is next ([`Turn::next`]), and one attempt at it is a state machine without
//! I/O ([`Machine`]). Nothing is remembered outside the stored rows.

mod command;
mod fragment;
mod machine;
mod plan;
mod room;
mod tokens;
mod transcript;
mod validity;
mod window;

pub use command::{Answer, Command, Input, Outcome, Part, Reply, Report, Rules, Spent, Unanswered, Way};
pub use fragment::{COLLECTED, deliver_to, fragment};
pub use machine::{Beside, Doubt, LEASE_MS, MAX_ATTEMPTS, Machine, Phase, TICK_MS, ToolRun};
pub use plan::{Deliver, Fate, Next, PlannedCall, Turn};
pub use room::{ROW_BYTES, fit_entry, fit_envelope};
pub use tokens::{tokens, tokens_of, tokens_of_block, tokens_of_tools};
pub use transcript::{Measured, Past, PastTurn, Transcript, add_open_turn, join, plain, together, transcript};
pub use validity::{Invalid, told, validate};
pub use window::{bytes_of, bytes_of_blocks, recent_enough};

use crate::message::EventKey;
use crate::session_key::SessionKey;
use sha2::{Digest, Sha256};

/// The idempotency key of a tool call or of a part: the same for every attempt, different for every other one. A
/// UUID's length, so that every platform's key field takes it.
pub fn idempotency_key(session: &SessionKey, event: &EventKey, what: &str) -> String {
    let mut hash = Sha256::new();
    for part in [session.as_str(), event.as_str(), what] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut hex = hex::encode(hash.finalize());
    hex.truncate(32);
    hex
}

/// The model of an answer that no model gave: a command or an apology.
pub const COMMAND: &str = "command";

/// What the model is told about a tool call whose outcome nobody knows.
pub const OUTCOME_UNKNOWN: &str = "The outcome of this call is unknown: it was begun and then interrupted. Check whether it took effect before repeating it.";

#[cfg(test)]
mod tests;
