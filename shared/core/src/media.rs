//! What hears, reads and speaks: ports to whatever turns recordings and documents into words, and words into speech.

use async_trait::async_trait;
use bytes::Bytes;

use crate::purse::{Declined, Purse};

/// A recording of somebody's voice.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The sound.
    pub bytes: Bytes,
    /// What it is, by its own bytes.
    pub content_type: String,
    /// An extension that fits: providers judge by it.
    pub extension: String,
}

/// Speech that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Speech {
    /// The sound.
    pub bytes: Bytes,
    /// The extension for its file, without a dot.
    pub extension: &'static str,
}

/// Why there are no words, no sound or no picture, by what can be done about it. Never carries a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// The owner must act: the credential is wrong, has no rights or no money.
    #[error("{provider} refuses the credential: {reason}")]
    Credential {
        /// The provider.
        provider: String,
        /// Its words.
        reason: String,
    },
    /// The same may succeed later, or with another provider.
    #[error("{provider} is not answering properly: {reason}")]
    Unavailable {
        /// The provider.
        provider: String,
        /// What was seen.
        reason: String,
    },
    /// It may have been done, and will then be billed: no whole answer came. The same may succeed later.
    #[error("{provider} did not answer properly: {reason}")]
    Unknown {
        /// The provider.
        provider: String,
        /// What was seen.
        reason: String,
    },
    /// The same request will fail again.
    #[error("{provider} rejects the request: {reason}")]
    Rejected {
        /// The provider.
        provider: String,
        /// Its words.
        reason: String,
    },
    /// The file itself cannot be used: too large, damaged, empty.
    #[error("{0}")]
    Unfit(String),
    /// Nobody was asked, for the sake of money.
    #[error("{0}")]
    Declined(#[from] Declined),
}

impl MediaError {
    /// Whether a provider may bill what failed like this.
    pub fn may_be_billed(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }
}

/// Turns recordings into words.
#[async_trait]
pub trait Ears: Send + Sync {
    /// What is said in it; empty if nothing. Calling twice asks (and pays) twice.
    async fn transcribe(&self, recording: &Recording, purse: &dyn Purse) -> Result<String, MediaError>;
}

/// Turns documents into words. No network.
#[async_trait]
pub trait Documents: Send + Sync {
    /// The text of a PDF, as far as it has one; the rest beyond `most` characters is left out.
    async fn text(&self, pdf: Bytes, most: usize) -> Result<String, MediaError>;
}

/// Turns words into speech.
#[async_trait]
pub trait Voice: Send + Sync {
    /// Says it: markdown is read as a person would read it aloud. Calling twice asks (and pays) twice.
    async fn say(&self, markdown: &str, purse: &dyn Purse) -> Result<Speech, MediaError>;
}
