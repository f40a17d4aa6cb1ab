//! Names: tools, groups of them, profiles.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a scope of the configuration begins with, by OpenClaw's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// What tells about the house.
    Minimal,
    /// Files, commands, the web, memory, other conversations.
    Coding,
    /// Messages and other conversations.
    Messaging,
    /// Everything.
    Full,
}

impl Profile {
    /// All profiles, the smallest first.
    pub const ALL: [Self; 4] = [Self::Minimal, Self::Coding, Self::Messaging, Self::Full];

    /// Its name in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Coding => "coding",
            Self::Messaging => "messaging",
            Self::Full => "full",
        }
    }

    /// The names and groups it allows; `None` if it takes nothing away.
    pub fn allows(self) -> Option<Vec<&'static str>> {
        if self == Self::Full {
            return None;
        }
        let mut names: Vec<&str> =
            CATALOG.iter().filter(|entry| entry.profiles.contains(&self)).map(|entry| entry.name).collect();
        if self != Self::Minimal {
            names.push(MCP);
        }
        Some(names)
    }
}

/// A tool of the house.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Its group.
    pub group: &'static str,
    /// Profiles that allow it, beside `full`.
    pub profiles: &'static [Profile],
}

const fn entry(name: &'static str, group: &'static str, profiles: &'static [Profile]) -> Entry {
    Entry { name, group, profiles }
}

/// Tools of servers of the Model Context Protocol.
pub const MCP: &str = "group:mcp";

/// All their names have this form, and no other tool's has.
const MCP_NAMES: &str = "*__*";

const CODING: &[Profile] = &[Profile::Coding];
const MESSAGING: &[Profile] = &[Profile::Messaging];
const BOTH: &[Profile] = &[Profile::Coding, Profile::Messaging];
const EACH: &[Profile] = &[Profile::Minimal, Profile::Coding, Profile::Messaging];

/// The tools of the house, group by group. A test holds the tools that are really there to it.
pub const CATALOG: &[Entry] = &[
    entry("read", "group:fs", CODING),
    entry("write", "group:fs", CODING),
    entry("edit", "group:fs", CODING),
    entry("apply_patch", "group:fs", CODING),
    entry("ls", "group:fs", CODING),
    entry("find", "group:fs", CODING),
    entry("grep", "group:fs", CODING),
    entry("exec", "group:runtime", CODING),
    entry("process", "group:runtime", CODING),
    entry("memory_search", "group:memory", CODING),
    entry("memory_get", "group:memory", CODING),
    entry("memory_save", "group:memory", CODING),
    entry("memory_graph", "group:memory", CODING),
    entry("web_search", "group:web", CODING),
    entry("web_fetch", "group:web", CODING),
    entry("sessions_spawn", "group:sessions", BOTH),
    entry("sessions_send", "group:sessions", BOTH),
    entry("sessions_list", "group:sessions", BOTH),
    entry("sessions_history", "group:sessions", BOTH),
    entry("session_status", "group:sessions", EACH),
    entry("agents_list", "group:agents", &[]),
    entry("message", "group:messaging", MESSAGING),
    entry("cron", "group:automation", CODING),
    entry("gateway", "group:automation", EACH),
    entry("browser", "group:ui", &[]),
    entry("image_generate", "group:media", CODING),
    entry("tts", "group:media", &[]),
    entry("skill", "group:skills", BOTH),
    entry("tool_search", "group:skills", BOTH),
];

/// Tools of OpenClaw that are not here: lists that name them are brought along as they are.
const ELSEWHERE: &[&str] = &[
    "agents_wait",
    "ask_user",
    "canvas",
    "code_execution",
    "computer",
    "conversations_list",
    "conversations_send",
    "conversations_turn",
    "create_goal",
    "dashboard",
    "dismiss_task",
    "get_goal",
    "github_identity_status",
    "github_publish",
    "heartbeat_respond",
    "mobile_ui",
    "music_generate",
    "nodes",
    "openclaw",
    "pdf",
    "plugins",
    "portal",
    "progress_card",
    "screen",
    "secrets",
    "sessions",
    "sessions_search",
    "sessions_yield",
    "show_widget",
    "skill_workshop",
    "subagents",
    "suggest_task",
    "terminal",
    "theme",
    "update_goal",
    "video_generate",
    "view_image",
    "x_search",
    "group:nodes",
];

/// Other words for the same.
const ALIASES: &[(&str, &str)] = &[
    ("apply-patch", "apply_patch"),
    ("automations", "cron"),
    ("bash", "exec"),
    ("bundle-mcp", MCP),
    ("group:plugins", MCP),
    ("image", "view_image"),
];

/// The groups with their tools, in the order of the catalog; [`MCP`] and `group:openclaw` behind them.
pub fn groups() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for entry in CATALOG {
        match groups.iter_mut().find(|(group, _)| *group == entry.group) {
            Some((_, names)) => names.push(entry.name),
            None => groups.push((entry.group, vec![entry.name])),
        }
    }
    let own = |entry: &&Entry| !matches!(entry.group, "group:fs" | "group:runtime");
    groups.push((MCP, vec![MCP_NAMES]));
    groups.push(("group:openclaw", CATALOG.iter().filter(own).map(|entry| entry.name).collect()));
    groups
}

/// A word of a list in the one form that is compared: small letters, no second names.
pub(super) fn normal(word: &str) -> String {
    let word = word.trim().to_ascii_lowercase();
    let alias = ALIASES.iter().find(|(alias, _)| *alias == word);
    alias.map_or(word, |(_, name)| (*name).to_owned())
}

/// The patterns that a list of names, groups and globs stands for.
pub(super) fn expanded<T: AsRef<str>>(words: &[T]) -> Vec<String> {
    let groups = groups();
    let mut patterns = Vec::new();
    for word in words.iter().map(|word| normal(word.as_ref())).filter(|word| !word.is_empty()) {
        match groups.iter().find(|(group, _)| *group == word) {
            Some((_, names)) => patterns.extend(names.iter().map(|name| (*name).to_owned())),
            None => patterns.push(word),
        }
    }
    patterns
}

/// What is known of a word in a list of tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It stands for tools of the house.
    Here,
    /// OpenClaw has it, and it is not here.
    Elsewhere,
    /// It has the form of a tool of a server, or of several: the text is the server's name, as far as it is certain.
    Server,
    /// Nobody knows it.
    Unknown,
}

/// What is known of a word in a list of tools. Empty words are unknown.
pub fn known(word: &str) -> Known {
    let word = normal(word);
    let fits = |name: &str| super::matches(&word, name);
    if groups().iter().any(|(group, _)| *group == word) || CATALOG.iter().any(|entry| fits(entry.name)) {
        return Known::Here;
    }
    if ELSEWHERE.iter().any(|name| fits(name)) {
        return Known::Elsewhere;
    }
    if word.contains("__") && !word.starts_with("group:") { Known::Server } else { Known::Unknown }
}

/// Names and groups that lists may hold, for advice.
pub fn words() -> Vec<&'static str> {
    let names = CATALOG.iter().map(|entry| entry.name);
    names.chain(groups().into_iter().map(|(group, _)| group)).collect()
}
