//! Secrets, and the port they come from.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A value that must never be shown: it has no `Display`, and its `Debug` prints nothing of it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a value into custody.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that signs, compares or authenticates with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// Where a secret is kept. Written in configuration as OpenClaw's secret references:
/// `{ source: "env", id: "TELEGRAM_BOT_TOKEN" }`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRef {
    /// The kind of place.
    pub source: SecretSource,
    /// The variable's name, the file's path, the parameter's name or the secret's id.
    pub id: String,
}

/// The kinds of places a secret is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretSource {
    /// An environment variable of the process.
    Env,
    /// A file; a trailing line break is not part of the secret.
    File,
    /// A `SecureString` of the AWS Systems Manager parameter store.
    Ssm,
    /// A secret of AWS Secrets Manager.
    #[serde(rename = "secretsmanager")]
    SecretsManager,
}

/// Why a secret could not be had. No variant carries the value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The place exists, the secret does not: the owner must put it there.
    #[error("secret {source_kind:?} \"{id}\" is missing: {fix}")]
    Missing {
        /// The kind of place that was asked.
        source_kind: SecretSource,
        /// The name that was asked for.
        id: String,
        /// What the owner can do.
        fix: String,
    },
    /// This deployment cannot read that kind of place.
    #[error("secret source {0:?} cannot be read here; use one of {1}")]
    Unsupported(SecretSource, &'static str),
    /// The store did not answer; asking again may help.
    #[error("the secret store did not answer for \"{id}\": {reason}")]
    Unavailable {
        /// The name that was asked for.
        id: String,
        /// The store's words.
        reason: String,
    },
}

/// Reads secrets. Asking twice is harmless; implementations may answer from memory for a few minutes.
#[async_trait]
pub trait SecretStore: Send + Sync {
    /// The secret behind `reference`.
    async fn get(&self, reference: &SecretRef) -> Result<Secret, SecretError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_value() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }
}
