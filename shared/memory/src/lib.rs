#![doc = include_str!("../README.md")]

mod chunks;
mod embed;
mod graph;
mod index;
mod note;
mod origin;
mod pieces;
mod place;
mod rank;
mod recall;
mod settings;
mod vector;

pub use embed::{Dialect, EmbedError, Embedder, EmbedderSettings, Provider, provider};
pub use graph::{Action, Entity, Graph, Observations, Relation, graph};
pub use note::{ChangeError, NOTE_MAX, Note, save};
pub use origin::{Origin, Trust};
pub use place::{Audience, Listed, day, guest_note, is_note, notes};
pub use recall::{Hit, INDEX, Memory, Proof, Question, Rebuilt, Recall, RecallError};
pub use settings::{Hybrid, Settings};

#[cfg(test)]
mod tests;
