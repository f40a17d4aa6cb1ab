//! Names of agents and accounts, reduced to the one form that is safe as a folder, as a segment of a
//! session key and as a table key. The rules are OpenClaw's, so that an imported configuration keeps
//! its names, down to what JavaScript calls whitespace and lower case.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The agent that answers when nothing names another one.
pub const DEFAULT_AGENT_ID: &str = "main";

/// The account of a channel that has only one.
pub const DEFAULT_ACCOUNT_ID: &str = "default";

const MAX_ID_LEN: usize = 64;

/// Names that would reach an object's prototype in OpenClaw, which therefore never uses them for an account.
const BLOCKED_ACCOUNT_IDS: [&str; 3] = ["__proto__", "prototype", "constructor"];

/// An agent's name in its normal form: `[a-z0-9_-]`, at most 64 characters, never empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct AgentId(String);

impl AgentId {
    /// The normal form of `raw`, or `main` where nothing of it can be kept.
    #[must_use]
    pub fn new(raw: &str) -> Self {
        Self(normalize_agent_id(Some(raw)))
    }

    /// The normal form of a name somebody wrote on purpose.
    ///
    /// # Errors
    /// [`AgentIdError::Unrepresentable`] when no character of `raw` can be kept.
    pub fn parse(raw: &str) -> Result<Self, AgentIdError> {
        normalize_agent_id_strict(Some(raw)).map(Self)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for AgentId {
    fn default() -> Self {
        Self(DEFAULT_AGENT_ID.to_owned())
    }
}

impl std::fmt::Display for AgentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for AgentId {
    type Error = AgentIdError;

    fn try_from(raw: String) -> Result<Self, Self::Error> {
        Self::parse(&raw)
    }
}

impl From<AgentId> for String {
    fn from(id: AgentId) -> Self {
        id.0
    }
}

/// Why a name is not an agent id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentIdError {
    /// No character of the name is a letter a-z, a digit, `_` or `-`.
    #[error("An agent id needs at least one letter a-z, digit or underscore.")]
    Unrepresentable,
}

impl AgentIdError {
    /// OpenClaw's word for the error.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unrepresentable => "unrepresentable",
        }
    }
}

/// The normal form of an agent's name, or `main` where there is none.
#[must_use]
pub fn normalize_agent_id(raw: Option<&str>) -> String {
    normalize_agent_id_strict(raw).unwrap_or_else(|_| DEFAULT_AGENT_ID.to_owned())
}

/// The normal form of an agent's name.
///
/// # Errors
/// [`AgentIdError::Unrepresentable`] when no character of it can be kept.
pub fn normalize_agent_id_strict(raw: Option<&str>) -> Result<String, AgentIdError> {
    let id = normal_form(raw.unwrap_or_default());
    if id.is_empty() { Err(AgentIdError::Unrepresentable) } else { Ok(id) }
}

/// The normal form of an account's name, or `default` where there is none.
#[must_use]
pub fn normalize_account_id(raw: Option<&str>) -> String {
    let id = normal_form(raw.unwrap_or_default());
    if id.is_empty() || BLOCKED_ACCOUNT_IDS.contains(&id.as_str()) { DEFAULT_ACCOUNT_ID.to_owned() } else { id }
}

/// What JavaScript's `\s` and `trim` call whitespace. Rust's own set has U+0085 and lacks U+FEFF.
pub(crate) fn is_js_space(c: char) -> bool {
    c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}')
}

/// JavaScript's `trim`.
pub(crate) fn js_trim(text: &str) -> &str {
    text.trim_matches(is_js_space)
}

/// Trimmed and in lower case: how OpenClaw compares nearly every name.
pub(crate) fn fold(text: &str) -> String {
    js_trim(text).to_lowercase()
}

/// A name that is valid as written only loses its upper case: `a-` stays. Any other name has each run of
/// foreign characters replaced by one dash and its outer dashes removed, before it is cut.
fn normal_form(raw: &str) -> String {
    let trimmed = js_trim(raw);
    let folded = trimmed.to_lowercase();
    if is_valid(trimmed) {
        return folded;
    }
    let mut id = String::with_capacity(folded.len());
    let mut in_foreign_run = false;
    for c in folded.chars() {
        let keep = c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        if keep {
            id.push(c);
        } else if !in_foreign_run {
            id.push('-');
        }
        in_foreign_run = !keep;
    }
    id.trim_matches('-').chars().take(MAX_ID_LEN).collect()
}

fn is_valid(id: &str) -> bool {
    id.len() <= MAX_ID_LEN
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_name_only_loses_its_upper_case() {
        assert_eq!(normalize_agent_id(Some(" Work- ")), "work-");
        assert_eq!(normalize_agent_id(Some("-Work-")), "work");
    }

    #[test]
    fn the_cut_comes_after_the_outer_dashes_are_gone() {
        let name = format!("!{}  {}", "a".repeat(63), "b".repeat(9));
        assert_eq!(normalize_agent_id(Some(&name)), format!("{}-", "a".repeat(63)));
    }

    #[test]
    fn an_account_never_has_a_name_of_the_prototype() {
        assert_eq!(normalize_account_id(Some(" Constructor")), DEFAULT_ACCOUNT_ID);
        assert_eq!(normalize_agent_id(Some("constructor")), "constructor");
    }

    #[test]
    fn reading_a_configuration_refuses_a_name_that_cannot_be_kept() {
        assert_eq!(serde_json::from_str::<AgentId>("\"Ops Team\"").unwrap(), AgentId::new("ops-team"));
        assert!(serde_json::from_str::<AgentId>("\"é\"").is_err());
    }
}
