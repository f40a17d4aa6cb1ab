//! The pure rules of the house as a person asks about them: JSON in, OpenClaw's own JSON out, and a reason in
//! one sentence. `chela explain` and the tests against OpenClaw speak through here, so that what is explained
//! is what runs.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::agent_id::{normalize_account_id, normalize_agent_id, normalize_agent_id_strict};
use crate::chunk::{ChunkMode, chunk_markdown, chunk_text};
use crate::route::{RouteError, RouteInput, RoutingConfig, RoutingTable, explain_route};
use crate::session_key::{
    SessionKeyInput, agent_id_of, build_session_key, is_acp, is_cron, is_incognito, is_subagent,
    parse_agent_session_key, parse_thread_suffix,
};

/// What is said where a key names no agent.
const NO_AGENT: &str = "ERR";

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The question is not of the shape this explanation takes.
    #[error("This is not a question about {about}: {source}.")]
    Input {
        /// What was asked about.
        about: &'static str,
        /// What is wrong with the input.
        source: serde_json::Error,
    },
    /// The message has no route.
    #[error(transparent)]
    Route(#[from] RouteError),
}

/// Where a message goes. The input is OpenClaw's: `cfg` (with `agents`, `bindings`, `session`), `channel`,
/// `accountId`, `peer`, `parentPeer`, `guildId`, `teamId`, `memberRoleIds`, `defaultAgentId`; ours: `text`.
///
/// # Errors
/// [`ExplainError`] when the input is malformed or the agent that should answer does not exist.
pub fn route(input: &Value) -> Result<(Value, String), ExplainError> {
    const ABOUT: &str = "a route";
    let config: RoutingConfig = read(input.get("cfg").unwrap_or(&Value::Null), ABOUT)?;
    let message: RouteInput = read(input, ABOUT)?;
    let (route, reason) = explain_route(&RoutingTable::new(&config), &message)?;
    Ok((write(&route, ABOUT)?, reason))
}

/// The session key of a conversation, from `agentId`, `mainKey`, `channel`, `accountId`, `peer`, `dmScope`,
/// `groupScope` and `identityLinks`.
///
/// # Errors
/// [`ExplainError::Input`] when the input is malformed.
pub fn session_key(input: &Value) -> Result<(Value, String), ExplainError> {
    let input: SessionKeyInput = read(input, "a session key")?;
    let key = build_session_key(&input);
    let linked = input.identity_links.as_ref().zip(input.peer.as_ref());
    let person =
        linked.and_then(|(links, peer)| links.canonical(input.channel.as_deref().unwrap_or_default(), &peer.id));
    let reason = match (&input.peer, person) {
        (None, _) => "without a peer it is the agent's main session".to_owned(),
        (Some(peer), _) if peer.kind != crate::session_key::PeerKind::Direct => {
            format!("a {} under groupScope {}", peer.kind.as_str(), word(&input.group_scope.unwrap_or_default()))
        }
        (Some(_), person) => {
            let scope = input.dm_scope.unwrap_or_default();
            let link = person.filter(|_| scope != crate::session_key::DmScope::Main);
            let link = link.map_or(String::new(), |name| format!(", joined to \"{name}\" by identityLinks"));
            format!("a direct message under dmScope {}{link}", word(&scope))
        }
    };
    Ok((json!(key), reason))
}

/// What becomes of a name as an agent and as an account; `null` is no name.
///
/// # Errors
/// [`ExplainError::Input`] when the input is neither text nor null.
pub fn agent_id(input: &Value) -> Result<(Value, String), ExplainError> {
    let name: Option<String> = read(input, "an agent id")?;
    let name = name.as_deref();
    let normal = normalize_agent_id(name);
    let (strict, reason) = match normalize_agent_id_strict(name) {
        Ok(id) if Some(id.as_str()) == name => {
            (json!({"ok": true, "value": id}), "it is in its normal form".to_owned())
        }
        Ok(id) => (json!({"ok": true, "value": id}), format!("its normal form is {id}")),
        Err(error) => (
            json!({"ok": false, "error": error.code()}),
            format!("nothing of it can be kept, so it stands for {normal}"),
        ),
    };
    Ok((json!({"normalize": normal, "strict": strict, "account": normalize_account_id(name)}), reason))
}

/// What a session key says; `null` is no key.
///
/// # Errors
/// [`ExplainError::Input`] when the input is neither text nor null.
pub fn parse_key(input: &Value) -> Result<(Value, String), ExplainError> {
    const ABOUT: &str = "a session key";
    let key = read::<Option<String>>(input, ABOUT)?.unwrap_or_default();
    let agent = agent_id_of(&key);
    let reason = agent.as_ref().map_or("it names no agent".to_owned(), |agent| format!("a session of {agent}"));
    let output = json!({
        "parsed": write(&parse_agent_session_key(&key), ABOUT)?,
        "agentId": agent.as_ref().map_or(NO_AGENT, |agent| agent.as_str()),
        "thread": write(&parse_thread_suffix(&key), ABOUT)?,
        "cron": is_cron(&key),
        "sub": is_subagent(&key),
        "acp": is_acp(&key),
        "incog": is_incognito(&key),
    });
    Ok((output, reason))
}

/// How a text is cut, as markdown and as plain text: `text`, `limit`, `mode` (`length` or `newline`).
///
/// # Errors
/// [`ExplainError::Input`] when the input is malformed.
pub fn chunk(input: &Value) -> Result<(Value, String), ExplainError> {
    #[derive(Deserialize)]
    struct Question {
        #[serde(default)]
        text: String,
        limit: f64,
        #[serde(default)]
        mode: ChunkMode,
    }
    let Question { text, limit, mode } = read(input, "a text to cut")?;
    let limit = whole_limit(limit);
    let (md, plain) = (chunk_markdown(&text, limit, mode), chunk_text(&text, limit, mode));
    let reason = format!("{} parts as markdown, {} as plain text, cut by {}", md.len(), plain.len(), word(&mode));
    Ok((json!({"md": md, "plain": plain}), reason))
}

/// As OpenClaw reads a limit: fractions are cut off, what is positive is at least one, all else is no limit.
fn whole_limit(limit: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a limit beyond usize is no limit")]
    if limit > 0.0 { (limit.floor() as usize).max(1) } else { 0 }
}

fn read<T: for<'de> Deserialize<'de>>(input: &Value, about: &'static str) -> Result<T, ExplainError> {
    T::deserialize(input).map_err(|source| ExplainError::Input { about, source })
}

fn write(output: &impl serde::Serialize, about: &'static str) -> Result<Value, ExplainError> {
    serde_json::to_value(output).map_err(|source| ExplainError::Input { about, source })
}

/// A configuration value as it is written in the configuration.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}
