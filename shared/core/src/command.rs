//! Commands: what begins with `/` and is answered without a model. One [`TABLE`] says what there is, and from it come
//! parsing, help, the platforms' menus and docs/commands.md.
//!
//! A message is a command as a whole (`/status`), or its first words are meant for this one message and the rest is for
//! the model (`/think high solve this`, see [`directed`]). Only the ASCII slash begins a command.

mod table;

pub use table::TABLE;

use crate::channel::MenuEntry;
use crate::message::{Inbound, InboundKind};
use crate::model::Thinking;
use crate::queue::Authority;
use crate::session_key::{PeerKind, SessionKey, parse_agent_session_key};

/// Which command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the table says what each does")]
pub enum Name {
    New,
    Reset,
    Stop,
    Status,
    Help,
    Commands,
    Whoami,
    Model,
    Models,
    Think,
    Verbose,
    Usage,
    Context,
    Compact,
    Export,
    Name,
    Memory,
    Skill,
    Agents,
    Subagents,
    Approve,
    Deny,
    Approvals,
    Activation,
    Queue,
}

/// Who may use a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever is answered.
    Everybody,
    /// The owner anywhere; anybody else in a direct chat that is theirs alone.
    InOwnChat,
    /// The owner.
    Owner,
}

/// What a command is about: help is ordered by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The conversation as a whole.
    Conversation,
    /// What one may know.
    Information,
    /// Which model answers, and how.
    Model,
    /// What the agent knows and does.
    Work,
    /// Rooms, and messages that come while the agent is busy.
    Room,
}

impl Group {
    /// All groups, in the order of help.
    pub const ALL: [Self; 5] = [Self::Conversation, Self::Information, Self::Model, Self::Work, Self::Room];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Conversation => "Conversation",
            Self::Information => "Information",
            Self::Model => "Model",
            Self::Work => "Memory and work",
            Self::Room => "Rooms and queue",
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spec {
    /// Which command.
    pub name: Name,
    /// Its word, without the slash: `[a-z0-9_]`, at most 32, as every platform's menu takes it.
    pub word: &'static str,
    /// Other words for it, in no menu.
    pub aliases: &'static [&'static str],
    /// What may follow it, as people read it; empty if nothing may.
    pub arguments: &'static str,
    /// The first words that may follow it; any if empty.
    pub words: &'static [&'static str],
    /// What it does, in at most 64 characters: Messenger shows no more.
    pub does: &'static str,
    /// Who may use it.
    pub who: Who,
    /// What it is about.
    pub group: Group,
}

impl Spec {
    /// Whether somebody may use it. `own_chat` is what [`own_chat`] says.
    pub fn allows(&self, authority: Authority, own_chat: bool) -> bool {
        match self.who {
            _ if authority == Authority::Owner => true,
            Who::Everybody => true,
            Who::InOwnChat => own_chat,
            Who::Owner => false,
        }
    }

    /// How it is written: `/think [level|default]`.
    pub fn usage(&self) -> String {
        format!("/{} {}", self.word, self.arguments).trim_end().to_owned()
    }

    fn is_called(&self, word: &str) -> bool {
        std::iter::once(&self.word).chain(self.aliases).any(|own| own.eq_ignore_ascii_case(word))
    }
}

/// A command as somebody wrote it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spoken<'a> {
    /// Which.
    pub spec: &'static Spec,
    /// What follows it, without spaces around it.
    pub rest: &'a str,
    /// Whether a bot's name follows the word, as in `/status@some_bot`.
    pub named: bool,
}

impl<'a> Spoken<'a> {
    /// The first word that follows it, in lower case, and what is behind that.
    pub fn first(&self) -> (String, &'a str) {
        let (first, rest) = split_word(self.rest);
        (first.to_ascii_lowercase(), rest)
    }

    /// Whether what follows it may.
    pub fn fits(&self) -> bool {
        let (first, _) = self.first();
        first.is_empty() || self.spec.words.is_empty() || self.spec.words.contains(&first.as_str())
    }
}

/// The command that a text begins with, whatever follows it.
pub fn parse(text: &str) -> Option<Spoken<'_>> {
    let line = text.trim().strip_prefix('/').filter(|line| !line.starts_with(char::is_whitespace))?;
    let (word, rest) = split_word(line);
    let (word, named) = word.split_once('@').map_or((word, false), |(word, _)| (word, true));
    // OpenClaw takes `/think: high` as well.
    let word = word.strip_suffix(':').unwrap_or(word);
    let spec = TABLE.iter().find(|spec| spec.is_called(word))?;
    Some(Spoken { spec, rest, named })
}

/// The command that a message begins with, if it counts as one here. `typed`: whether commands that were merely typed
/// count, beside those of a platform's menu. In rooms a command for a bot by name is ours only if the platform says so.
pub fn heard(inbound: &Inbound, typed: bool) -> Option<Spoken<'_>> {
    let native = matches!(inbound.kind, InboundKind::Command | InboundKind::Button);
    let spoken = parse(&inbound.text).filter(|_| typed || native)?;
    let ours = !spoken.named || native || inbound.addressed || inbound.peer.kind == PeerKind::Direct;
    ours.then_some(spoken)
}

/// Whether a text as a whole is a command and not for the model.
pub fn is_command(text: &str) -> bool {
    parse(text).is_some_and(|spoken| spoken.spec.name != Name::Skill) && directed(text).is_none()
}

/// What `/compact` asks for: the instructions behind it, which may be empty; `None` for anything else.
pub fn compaction(text: &str) -> Option<&str> {
    parse(text).filter(|spoken| spoken.spec.name == Name::Compact).map(|spoken| spoken.rest)
}

/// Choices that stand before the words of a message and are for this message alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directed<'a> {
    /// `/model <name>`.
    pub model: Option<&'a str>,
    /// `/think <level>`.
    pub thinking: Option<&'a str>,
    /// The words.
    pub words: &'a str,
}

/// The choices before a message's words, if there are both.
pub fn directed(text: &str) -> Option<Directed<'_>> {
    let mut directed = Directed { words: text.trim(), ..Directed::default() };
    while let Some(spoken) = parse(directed.words) {
        let (argument, words) = split_word(spoken.rest);
        if words.is_empty() {
            return None;
        }
        match spoken.spec.name {
            Name::Think if spoken.fits() => directed.thinking = Some(argument),
            Name::Model if !["list", "status"].contains(&argument.to_ascii_lowercase().as_str()) => {
                directed.model = Some(argument);
            }
            _ => return None,
        }
        directed.words = words;
    }
    (directed.model.is_some() || directed.thinking.is_some()).then_some(directed)
}

/// What the model reads instead of a text that begins with a command and is for it all the same.
pub fn for_model(text: &str) -> Option<String> {
    if let Some(Directed { words, .. }) = directed(text) {
        return Some(words.to_owned());
    }
    let spoken = parse(text).filter(|spoken| spoken.spec.name == Name::Skill && !spoken.rest.is_empty())?;
    let (skill, input) = split_word(spoken.rest);
    Some(format!("Use the skill {skill}: {input}").trim_end_matches([':', ' ']).to_owned())
}

/// A level of thinking by its name; `Some(None)` is `default`.
pub fn thinking(word: &str) -> Option<Option<Thinking>> {
    Some(match word.to_ascii_lowercase().as_str() {
        "default" => None,
        "off" => Some(Thinking::Off),
        "minimal" => Some(Thinking::Minimal),
        "low" => Some(Thinking::Low),
        "medium" => Some(Thinking::Medium),
        "high" => Some(Thinking::High),
        "xhigh" | "max" => Some(Thinking::Xhigh),
        _ => return None,
    })
}

/// Whether a conversation is the sender's alone: a direct chat whose key names who it is with. Where all direct messages
/// share the main session, it is everybody's.
pub fn own_chat(inbound: &Inbound, session: &SessionKey) -> bool {
    let of_one = |rest: &str| {
        // A thread's id is its sender's to choose on some platforms.
        let rest = rest.split_once(":thread:").map_or(rest, |(rest, _)| rest);
        let parts: Vec<&str> = rest.split(':').collect();
        // `direct:<peer>`, `<channel>:direct:<peer>`, `<channel>:<account>:direct:<peer>`
        parts.iter().take(3).position(|part| *part == "direct").is_some_and(|at| parts.len() > at.saturating_add(1))
    };
    inbound.peer.kind == PeerKind::Direct
        && parse_agent_session_key(session.as_str()).is_some_and(|parsed| of_one(&parsed.rest))
}

/// The commands for platforms that show a menu of them, the most used first, without those whose words are `disabled`.
pub fn menu(disabled: &[String]) -> Vec<MenuEntry> {
    let offered = TABLE.iter().filter(|spec| !disabled.iter().any(|word| spec.is_called(word)));
    let entry =
        |spec: &Spec| MenuEntry { name: spec.word, description: spec.does, takes_text: !spec.arguments.is_empty() };
    offered.map(entry).collect()
}

/// The command of a word, with or without its slash.
pub fn named(word: &str) -> Option<&'static Spec> {
    let word = word.strip_prefix('/').unwrap_or(word);
    TABLE.iter().find(|spec| spec.is_called(word))
}

/// The first word and what follows it, both without spaces around them.
fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}

#[cfg(test)]
mod tests;
