//! What may run without asking, what is asked, what is refused.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use super::hashed;
use crate::agent_id::AgentId;
use crate::clock::Millis;
use crate::queue::Authority;
use crate::tool::{Caller, Consent};

/// Stands, as the last word of a rule, for any further words that are no options.
const ANY_WORDS: &str = "**";

/// Stands, as the last word of a rule, for any further words.
const ANYTHING: &str = "-**";

/// How calls that need consent are treated, the strictest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// None runs.
    #[default]
    Deny,
    /// What is listed runs; nothing else does, and nobody is asked.
    Allowlist,
    /// The owner is asked about each, also about what is listed.
    Always,
    /// What is listed runs; the owner is asked about everything else.
    Ask,
    /// What can be told for sure runs, and what is listed; the owner is asked about everything else.
    Auto,
    /// Everything runs, and is written in the audit log.
    #[serde(alias = "full")]
    #[schemars(extend("x-aliases" = ["full"]))]
    Record,
}

/// What configuration says about calls that need consent, for one agent. The default lets nothing run that the owner
/// did not agree to.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// For the owner, in person.
    pub owner: Mode,
    /// For everybody else.
    pub guests: Mode,
    /// Where nobody is there: schedules, sub-agents, other conversations.
    pub unattended: Mode,
    /// For some senders instead, by `channel:id` in lower case.
    pub by_sender: BTreeMap<String, Mode>,
    /// What is listed.
    pub rules: Vec<Rule>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            owner: Mode::Ask,
            guests: Mode::Deny,
            unattended: Mode::Allowlist,
            by_sender: BTreeMap::new(),
            rules: Vec::new(),
        }
    }
}

impl Policy {
    /// The mode for a turn: the strictest of all whose words are in it.
    pub fn mode(&self, caller: &Caller) -> Mode {
        if caller.senders.is_empty() || caller.depth > 0 {
            return self.unattended;
        }
        let class = match caller.authority {
            Authority::Owner => self.owner,
            Authority::Guest => self.guests,
        };
        let channel = caller.reply_to.as_ref().map_or(crate::turn::COLLECTED, |to| to.channel.as_str());
        let own = |sender: &String| self.by_sender.get(&format!("{channel}:{sender}").to_lowercase()).copied();
        caller.senders.iter().map(|sender| own(sender).unwrap_or(class)).min().unwrap_or_default()
    }
}

/// One command that runs without asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Twelve digits, made of what the rule says.
    pub id: String,
    /// For this agent alone; for each if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// For this tool alone; for each if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The program and its arguments, word by word.
    pub words: Vec<String>,
    /// Whether the words stand for themselves. Else `*` is any characters of a word and `?` is one, but a word that begins
    /// with either is no option (`-x`); a last word `**` is any further words but options, `-**` any further words.
    #[serde(default)]
    pub exact: bool,
    /// The digest of what stood beside the command it was made of; empty if nothing did. Words that stand for themselves
    /// match with just this.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub beside: String,
    /// Who said so.
    #[serde(default)]
    pub by: String,
    /// When.
    #[serde(default)]
    pub at: Millis,
}

impl Rule {
    /// A rule of the configuration.
    pub fn configured(words: Vec<String>) -> Self {
        Self { by: "configuration".to_owned(), ..Self::of(None, None, words, None) }
    }

    /// One command exactly as it was, with just what stood beside it, for one agent and tool.
    pub fn exact(agent: &AgentId, tool: &str, words: &[String], beside: &str, by: &str, at: Millis) -> Self {
        let rule = Self::of(Some(agent.clone()), Some(tool.to_owned()), words.to_vec(), Some(mark(beside)));
        Self { by: by.to_owned(), at, ..rule }
    }

    /// `exact` is the mark of what stands beside words that stand for themselves.
    fn of(agent: Option<AgentId>, tool: Option<String>, words: Vec<String>, exact: Option<String>) -> Self {
        let scope = [agent.as_ref().map_or("", AgentId::as_str), tool.as_deref().unwrap_or_default()];
        let kind = exact.as_ref().map_or_else(|| "glob".to_owned(), |beside| format!("exact{beside}"));
        let mut id = hashed(scope.into_iter().chain([kind.as_str()]).chain(words.iter().map(String::as_str)));
        id.truncate(12);
        let (exact, beside) = (exact.is_some(), exact.unwrap_or_default());
        Self { id, agent, tool, words, exact, beside, by: String::new(), at: Millis::default() }
    }

    /// Whether it lets this program run with these arguments, and with what stands beside them. Words are compared one by
    /// one, so that no argument can pass for two.
    pub fn matches(&self, agent: &AgentId, tool: &str, argv: &[String], beside: &str) -> bool {
        let theirs = self.agent.as_ref().is_some_and(|own| own != agent);
        if theirs || self.tool.as_deref().is_some_and(|own| own != tool) || argv.is_empty() || self.words.is_empty() {
            return false;
        }
        if self.exact {
            return self.words == argv && self.beside == mark(beside);
        }
        let (words, rest) = match self.words.split_last() {
            Some((last, words)) if last == ANY_WORDS || last == ANYTHING => (words, Some(last != ANYTHING)),
            _ => (self.words.as_slice(), None),
        };
        // A rule that lists every program is none, and neither is one that says what it means in the middle.
        let vague = words.iter().any(|word| word == ANY_WORDS || word == ANYTHING);
        if vague || words.first().is_none_or(|program| is_glob(program)) {
            return false;
        }
        let Some((named, further)) = argv.split_at_checked(words.len()) else { return false };
        let further_fit = match rest {
            None => further.is_empty(),
            Some(no_options) => !(no_options && further.iter().any(|word| is_option(word))),
        };
        further_fit && words.iter().zip(named).all(|(pattern, word)| fits(pattern, word))
    }
}

/// A name for what stands beside a command; none for nothing.
fn mark(beside: &str) -> String {
    if beside.is_empty() { String::new() } else { hashed([beside]) }
}

fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

/// What a program may take for an option: whoever lists a file has not agreed to what `--output` does.
fn is_option(word: &str) -> bool {
    word.starts_with('-')
}

/// Whether a path leads out of the folders it names.
fn climbs(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

fn fits(pattern: &str, word: &str) -> bool {
    let open = pattern.starts_with(['*', '?']);
    // Who lists `build/*` has not agreed to `build/../SOUL.md`.
    let leaves = is_glob(pattern) && pattern.contains('/') && climbs(word) && !climbs(pattern);
    let opts = open && is_option(word);
    !opts && !leaves && WildMatch::new(pattern).matches(word)
}

/// Whether every program that would run is let run by some rule. What cannot be told for sure is not, nor is nothing.
pub fn listed<'a>(
    agent: &AgentId,
    tool: &str,
    consent: &Consent,
    rules: impl Iterator<Item = &'a Rule> + Clone,
) -> bool {
    consent.programs.as_ref().is_some_and(|programs| {
        let each = |argv: &Vec<String>| rules.clone().any(|rule| rule.matches(agent, tool, argv, &consent.beside));
        !programs.is_empty() && programs.iter().all(each)
    })
}

/// What becomes of a call that needs consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// It runs, and why.
    Run(&'static str),
    /// The owner is asked.
    Ask,
    /// It does not run, and why.
    Refuse(&'static str),
}

/// What becomes of a call. `listed` is what [`listed`] says, `granted` whether a person agreed to just this call.
pub fn decide(mode: Mode, consent: &Consent, listed: bool, granted: bool) -> Permission {
    let sure = consent.programs.as_ref().is_some_and(|programs| !programs.is_empty());
    match mode {
        Mode::Deny => Permission::Refuse("nothing that needs consent may run here"),
        _ if granted => Permission::Run("approved"),
        Mode::Record => Permission::Run("recorded"),
        Mode::Allowlist | Mode::Ask | Mode::Auto if listed => Permission::Run("listed"),
        Mode::Auto if sure => Permission::Run("auto"),
        Mode::Allowlist => Permission::Refuse("it is not on the list of what may run here, and nobody is asked"),
        Mode::Ask | Mode::Always | Mode::Auto => Permission::Ask,
    }
}
