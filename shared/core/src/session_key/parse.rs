//! Reading a session key back. OpenClaw works on UTF-16 offsets of a folded copy of the key; so does this,
//! because the two copies can differ in length.

use serde::Serialize;

use super::PeerKind;
use crate::agent_id::{AgentId, fold, js_trim};

const THREAD_MARKER: &str = ":thread:";

/// The owner of an agent's session and what follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParsedSessionKey {
    /// The agent's segment in lower case; not necessarily a normal agent id.
    pub agent_id: String,
    /// The rest of the key.
    pub rest: String,
}

/// A key cut at its last `:thread:`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadSuffix {
    /// The key of the conversation around the thread; absent for a blank key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_session_key: Option<String>,
    /// The thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
}

/// Takes `agent:<agent>:<rest>` apart. Room ids of Matrix and Signal keep their case, all else is folded.
#[must_use]
pub fn parse_agent_session_key(key: &str) -> Option<ParsedSessionKey> {
    let key = normalize(key);
    let (agent, rest) = key.strip_prefix("agent:")?.split_once(':')?;
    let agent = js_trim(agent);
    let whole = !agent.is_empty() && !rest.is_empty() && !rest.starts_with(':');
    whole.then(|| ParsedSessionKey { agent_id: agent.to_owned(), rest: rest.to_owned() })
}

/// The agent that owns a session, if the key names one.
#[must_use]
pub fn agent_id_of(key: &str) -> Option<AgentId> {
    parse_agent_session_key(key).map(|parsed| AgentId::new(&parsed.agent_id))
}

/// Cuts a key at its last `:thread:`.
#[must_use]
pub fn parse_thread_suffix(key: &str) -> ThreadSuffix {
    let key = js_trim(key);
    if key.is_empty() {
        return ThreadSuffix::default();
    }
    let Some(marker) = last_thread_marker(key) else {
        return ThreadSuffix { base_session_key: Some(key.to_owned()), thread_id: None };
    };
    let units: Vec<u16> = key.encode_utf16().collect();
    let thread = slice(&units, marker + THREAD_MARKER.len(), units.len());
    let thread = js_trim(&thread);
    ThreadSuffix {
        base_session_key: Some(slice(&units, 0, marker)),
        thread_id: (!thread.is_empty()).then(|| thread.to_owned()),
    }
}

/// Whether the session belongs to a schedule of an agent.
#[must_use]
pub fn is_cron(key: &str) -> bool {
    rest_starts_with(key, "cron:")
}

/// Whether the session belongs to a sub-agent.
#[must_use]
pub fn is_subagent(key: &str) -> bool {
    fold(key).starts_with("subagent:") || rest_starts_with(key, "subagent:")
}

/// Whether the session is driven over the Agent Client Protocol.
#[must_use]
pub fn is_acp(key: &str) -> bool {
    fold(key).starts_with("acp:") || rest_starts_with(key, "acp:")
}

/// Whether the session leaves no transcript behind.
#[must_use]
pub fn is_incognito(key: &str) -> bool {
    let key = fold(key);
    let parts: Vec<&str> = key.split(':').collect();
    let ["agent", agent, "dashboard" | "subagent" | "internal-session-effects", name] = parts.as_slice() else {
        return false;
    };
    !agent.is_empty() && name.strip_prefix("incognito-").is_some_and(|name| !name.is_empty())
}

fn rest_starts_with(key: &str, prefix: &str) -> bool {
    parse_agent_session_key(key).is_some_and(|parsed| fold(&parsed.rest).starts_with(prefix))
}

/// The key in lower case, except for the ids whose case their platform cares about.
fn normalize(key: &str) -> String {
    let key = js_trim(key);
    let folded = key.to_lowercase();
    if !folded.contains("signal:") && !folded.contains("matrix:") {
        return folded;
    }
    let units: Vec<u16> = key.encode_utf16().collect();
    let mut kept = signal_groups(&units);
    kept.extend(matrix_room(&units));
    kept.retain(|span| span.end > span.start);
    kept.sort_by_key(|span| span.start);
    let mut normal = String::with_capacity(key.len());
    let mut cursor = 0;
    for span in kept {
        if span.start < cursor {
            continue;
        }
        normal.push_str(&fold(&slice(&units, cursor, span.start)));
        let id = slice(&units, span.start, span.end);
        normal.push_str(if span.trim { js_trim(&id) } else { &id });
        cursor = span.end;
    }
    normal.push_str(&fold(&slice(&units, cursor, units.len())));
    normal
}

/// A part of a key that keeps its case.
struct Span {
    start: usize,
    end: usize,
    trim: bool,
}

/// The segment after each `signal:group:` that begins a segment itself.
fn signal_groups(units: &[u16]) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut at = 0;
    while at < units.len() {
        let marker_at = if at == 0 && has_at(units, 0, "signal:group:") {
            Some(0)
        } else if has_at(units, at, ":signal:group:") {
            Some(at + 1)
        } else {
            None
        };
        let span = marker_at.map(|marker_at| {
            let start = marker_at + "signal:group:".len();
            Span { start, end: segment_end(units, start), trim: true }
        });
        match span {
            Some(span) if span.end > span.start => {
                at = span.end;
                spans.push(span);
            }
            _ => at += 1,
        }
    }
    spans
}

/// Everything after `matrix:channel:` or `matrix:group:` at the head of a key, but not the word `:thread:`.
fn matrix_room(units: &[u16]) -> Vec<Span> {
    let Some(start) = matrix_room_start(units) else { return Vec::new() };
    let keep = |start, end| Span { start, end, trim: false };
    let tail = slice(units, start, units.len());
    match last_thread_marker(&tail) {
        None => vec![keep(start, units.len())],
        Some(marker) => {
            vec![keep(start, start + marker), keep(start + marker + THREAD_MARKER.len(), units.len())]
        }
    }
}

/// Where the room id begins: after any number of `agent:<agent>:`, stray colons, and `matrix:<kind>:`.
fn matrix_room_start(units: &[u16]) -> Option<usize> {
    let mut at = 0;
    while has_at(units, at, "agent:") {
        at = segment_end(units, at + "agent:".len()) + 1;
    }
    while at > 0 && units.get(at) == Some(&u16::from(b':')) {
        at += 1;
    }
    let at = has_at(units, at, "matrix:").then_some(at + "matrix:".len())?;
    [PeerKind::Channel, PeerKind::Group].iter().find_map(|kind| {
        let segment = format!("{}:", kind.as_str());
        has_at(units, at, &segment).then_some(at + segment.len())
    })
}

/// The end of the segment that begins at `start`.
fn segment_end(units: &[u16], start: usize) -> usize {
    let colon = u16::from(b':');
    units.iter().skip(start).position(|unit| *unit == colon).map_or(units.len(), |length| start + length)
}

/// Whether `word` (ASCII) is at `at`, whatever its case.
fn has_at(units: &[u16], at: usize, word: &str) -> bool {
    let Some(found) = units.get(at..).and_then(|rest| rest.get(..word.len())) else { return false };
    let lower = |unit: u16| u8::try_from(unit).map_or(unit, |byte| u16::from(byte.to_ascii_lowercase()));
    found.iter().zip(word.bytes()).all(|(unit, byte)| lower(*unit) == u16::from(byte))
}

/// The offset of the last `:thread:` in the folded text. OpenClaw uses it as an offset of the text itself.
fn last_thread_marker(text: &str) -> Option<usize> {
    let folded = fold(text);
    let (before, _) = folded.rsplit_once(THREAD_MARKER)?;
    Some(before.encode_utf16().count())
}

fn slice(units: &[u16], start: usize, end: usize) -> String {
    let end = end.min(units.len());
    String::from_utf16_lossy(units.get(start.min(end)..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_room_keeps_its_case_around_the_thread() {
        let parsed = parse_agent_session_key("agent:Main:Matrix:Channel:!Room:Srv:Thread:$Ab").unwrap();
        assert_eq!(parsed.rest, "matrix:channel:!Room:Srv:thread:$Ab");
    }

    #[test]
    fn a_signal_group_keeps_its_case_and_nothing_else_does() {
        let parsed = parse_agent_session_key("Agent:Main:Signal:Group:aBc=:Thread:X").unwrap();
        assert_eq!(parsed.rest, "signal:group:aBc=:thread:x");
    }

    #[test]
    fn only_whole_keys_are_parsed() {
        for key in ["", "main", "agent:", "agent::x", "agent:a", "agent:a:", "agent:a::b", "agent: :b"] {
            assert_eq!(parse_agent_session_key(key), None, "{key:?}");
        }
    }

    #[test]
    fn a_bare_schedule_has_no_agent_and_so_is_no_agents_schedule() {
        assert!(!is_cron("cron:daily"));
        assert!(is_cron("agent:main:cron:daily"));
        assert!(is_subagent("subagent:1") && is_acp("ACP:1"));
    }

    #[test]
    fn an_incognito_key_is_named_completely() {
        assert!(is_incognito("agent:main:Dashboard:incognito-1"));
        for key in ["agent::dashboard:incognito-1", "agent:main:dashboard:incognito-", "agent:main:x:incognito-1"] {
            assert!(!is_incognito(key), "{key}");
        }
    }

    #[test]
    fn a_blank_thread_is_no_thread() {
        let cut = parse_thread_suffix(" a:THREAD: ");
        assert_eq!((cut.base_session_key.as_deref(), cut.thread_id), (Some("a"), None));
    }
}
