//! SKILL.md: YAML between two lines of `---`, then markdown for the model.

use serde::Deserialize;
use serde_json::{Map, Value};

/// Longest name.
const NAME_MAX: usize = 64;

/// Longest description that is kept; it stands in every prompt.
const DESCRIPTION_MAX: usize = 1024;

/// Longest SKILL.md that is read, in bytes; OpenClaw's limit for a file of a bundle is as large.
pub(crate) const SKILL_MD_MAX: usize = 1024 * 1024;

/// Beginnings of variables that no skill has a reason to ask for: what opens the cloud the house runs in, what is the house's
/// own, and what chooses which code a program runs.
const NOBODYS: [&str; 20] = [
    "AWS_",
    "CHELA_",
    "LD_",
    "DYLD_",
    "BASH_ENV",
    "BASH_FUNC",
    "SHELLOPTS",
    "PROMPT_COMMAND",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONHOME",
    "PERL5",
    "RUBYOPT",
    "JAVA_TOOL_OPTIONS",
    "GIT_SSH",
    "GIT_CONFIG",
    "GIT_EXTERNAL",
    "SSH_AUTH_SOCK",
];

/// A skill as its SKILL.md tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Skill {
    /// Its name: letters, digits, `-` and `_`, at most 64.
    pub name: String,
    /// What it is for, in one or two sentences.
    pub description: String,
    /// Where to read about it.
    pub homepage: Option<String>,
    /// What shows it in lists.
    pub emoji: Option<String>,
    /// Whether people may call it by `/skill`.
    pub user_invocable: bool,
    /// Whether the model does without knowing of it: then only people call it.
    pub hidden_from_model: bool,
    /// What must be there for it to work.
    pub needs: Needs,
    /// The markdown.
    pub body: String,
}

/// What a skill needs (`metadata.openclaw`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Needs {
    /// It is offered whatever is missing.
    pub always: bool,
    /// Operating systems, as `darwin`, `linux`, `win32`; any if empty.
    #[serde(deserialize_with = "one_or_many")]
    pub os: Vec<String>,
    /// More needs.
    pub requires: Requires,
    /// The variable its key is read from.
    pub primary_env: Option<String>,
}

/// `metadata.openclaw.requires`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Requires {
    /// Programs, all of them.
    #[serde(deserialize_with = "one_or_many")]
    pub bins: Vec<String>,
    /// Programs, one of them.
    #[serde(deserialize_with = "one_or_many")]
    pub any_bins: Vec<String>,
    /// Environment variables, all of them.
    #[serde(deserialize_with = "one_or_many")]
    pub env: Vec<String>,
    /// Keys of the configuration that must be set, as `channels.slack`.
    #[serde(deserialize_with = "one_or_many")]
    pub config: Vec<String>,
    /// Tools of the agent. Not in OpenClaw.
    #[serde(deserialize_with = "one_or_many")]
    pub tools: Vec<String>,
}

impl Needs {
    /// A variable it asks for and must not have.
    fn nobodys(&self) -> Option<&str> {
        let asked = self.requires.env.iter().chain(&self.primary_env);
        // `${AWS_X}` and `export AWS_X` name it, too.
        let is_nobodys = |name: &str| {
            let name = name.to_ascii_uppercase();
            let mut words = name.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            words.any(|word| NOBODYS.iter().any(|begin| word.starts_with(begin)))
        };
        asked.map(String::as_str).find(|name| is_nobodys(name))
    }
}

/// A SKILL.md that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSkill {
    /// It is too long, or no text.
    #[error("SKILL.md must be UTF-8 of at most {SKILL_MD_MAX} bytes")]
    NotText,
    /// It does not begin with `---`, or the second `---` is missing.
    #[error("SKILL.md begins with a line of `---`, then `name:` and `description:`, then a line of `---`")]
    NoFrontMatter,
    /// The part between is not YAML, nor lines of `key: value`.
    #[error("the head of SKILL.md cannot be read: {0}")]
    Unreadable(String),
    /// The name is not one.
    #[error("\"{0}\" is no name of a skill: use 1 to {NAME_MAX} letters, digits, `-` or `_`")]
    Name(String),
    /// It asks for a variable that is none of its business.
    #[error("it asks for the variable {0}, which no skill is given: take it out of metadata.openclaw")]
    Variable(String),
    /// Nothing says what it is for, so no model could choose it.
    #[error("`description:` is missing in SKILL.md: say in a sentence what the skill is for and when to use it")]
    NoDescription,
}

/// Reads a SKILL.md. Without `name:` the name of its folder counts.
pub fn read_skill(bytes: &[u8], folder: &str) -> Result<Skill, BadSkill> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= SKILL_MD_MAX).ok_or(BadSkill::NotText)?;
    let (head, body) = split(text).ok_or(BadSkill::NoFrontMatter)?;
    let head = front_matter(head)?;
    let word = |key: &str| head.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let name = word("name").unwrap_or(folder);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(plain) {
        return Err(BadSkill::Name(name.chars().take(NAME_MAX).collect()));
    }
    let description = word("description").ok_or(BadSkill::NoDescription)?;
    let description = description.split_whitespace().collect::<Vec<_>>().join(" ");
    let metadata = metadata(&head);
    let needs: Needs = serde_json::from_value(metadata.clone())
        .map_err(|error| BadSkill::Unreadable(format!("metadata.openclaw: {error}")))?;
    if let Some(variable) = needs.nobodys() {
        return Err(BadSkill::Variable(variable.chars().take(NAME_MAX).collect()));
    }
    Ok(Skill {
        name: name.to_owned(),
        description: description.chars().take(DESCRIPTION_MAX).collect(),
        homepage: word("homepage").map(str::to_owned),
        emoji: metadata.get("emoji").and_then(Value::as_str).map(str::to_owned),
        user_invocable: truth(head.get("user-invocable")).unwrap_or(true),
        hidden_from_model: truth(head.get("disable-model-invocation")).unwrap_or(false),
        needs,
        body: body.trim().to_owned(),
    })
}

/// The head and the body.
fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (first, rest) = text.split_once('\n')?;
    if first.trim_end() != "---" {
        return None;
    }
    let mut at = 0usize;
    for line in rest.split_inclusive('\n') {
        let end = at.saturating_add(line.len());
        if line.trim_end() == "---" {
            return Some((rest.get(..at)?, rest.get(end..)?));
        }
        at = end;
    }
    None
}

/// The head as a map. Many people write `description: Uses a: b`, which is no YAML; then each line is a key and a text,
/// as OpenClaw reads it.
fn front_matter(head: &str) -> Result<Map<String, Value>, BadSkill> {
    let error = match serde_saphyr::from_str::<Value>(head) {
        Ok(Value::Object(map)) => return Ok(map),
        Ok(_) => "it is no list of keys and values".to_owned(),
        Err(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
    };
    let lines = head.lines().filter(|line| !line.starts_with([' ', '\t', '#']) && !line.trim().is_empty());
    let pairs: Option<Map<String, Value>> = lines.map(pair).collect();
    pairs
        .filter(|pairs| pairs.contains_key("name") || pairs.contains_key("description"))
        .ok_or(BadSkill::Unreadable(error))
}

fn pair(line: &str) -> Option<(String, Value)> {
    let (key, value) = line.split_once(':')?;
    let value = value.trim();
    let quoted = |quote: char| value.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    let text = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
    Some((key.trim().to_owned(), Value::String(text.to_owned())))
}

/// `metadata.openclaw`, or what stands there under the project's former names; metadata may be JSON in a text.
fn metadata(head: &Map<String, Value>) -> Value {
    let none = || Value::Object(Map::new());
    let metadata = match head.get("metadata") {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_else(|_| none()),
        Some(value) => value.clone(),
        None => none(),
    };
    let known = ["openclaw", "chela", "clawdbot", "moltbot"];
    known.into_iter().find_map(|name| metadata.get(name).filter(|it| it.is_object()).cloned()).unwrap_or_else(none)
}

fn truth(value: Option<&Value>) -> Option<bool> {
    match value? {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Option::<Written>::deserialize(from)? {
        None => Vec::new(),
        Some(Written::One(one)) => vec![one],
        Some(Written::Many(many)) => many,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_openclaw_writes_is_read() {
        let text = "---\nname: github\ndescription: \"Issues: PRs,\\n logs.\"\nhomepage: https://cli.github.com\nmetadata:\n  {\n    \"openclaw\":\n      {\n        \"emoji\": \"🐙\",\n        \"os\": [\"linux\"],\n        \"requires\": { \"bins\": [\"gh\"], \"anyBins\": [\"a\", \"b\"], \"env\": [\"GH_TOKEN\"], \"config\": [\"channels.slack\"] },\n        \"primaryEnv\": \"GH_TOKEN\",\n        \"install\": [{ \"id\": \"brew\", \"bins\": [\"gh\"], },],\n      },\n  }\n---\n\n# GitHub\n---\nmore\n";
        let skill = read_skill(text.as_bytes(), "folder").unwrap();
        assert_eq!((skill.name.as_str(), skill.description.as_str()), ("github", "Issues: PRs, logs."));
        assert_eq!(skill.emoji.as_deref(), Some("🐙"));
        assert_eq!(skill.needs.requires.bins, ["gh"]);
        assert_eq!(skill.needs.requires.any_bins, ["a", "b"]);
        assert_eq!(skill.needs.requires.config, ["channels.slack"]);
        assert_eq!((skill.needs.os, skill.needs.primary_env.as_deref()), (vec!["linux".into()], Some("GH_TOKEN")));
        assert_eq!(skill.body, "# GitHub\n---\nmore");
        assert!(skill.user_invocable && !skill.hidden_from_model);
    }

    #[test]
    fn heads_that_are_no_yaml_are_read_line_by_line() {
        let skill =
            read_skill(b"---\nname: x\ndescription: Use when: the user asks\nuser-invocable: no\n---\nBody", "f");
        let skill = skill.unwrap();
        assert_eq!((skill.description.as_str(), skill.user_invocable), ("Use when: the user asks", false));
    }

    #[test]
    fn the_folder_names_what_has_no_name() {
        let skill = read_skill("\u{feff}---\r\ndescription: d\r\n---\r\nBody".as_bytes(), "my_skill-2").unwrap();
        assert_eq!((skill.name.as_str(), skill.body.as_str()), ("my_skill-2", "Body"));
    }

    #[test]
    fn what_is_no_skill_says_why() {
        for (text, folder, why) in [
            ("# Title", "f", "begins with"),
            ("---\nname: x", "f", "begins with"),
            ("---\nname: x\n---\n", "f", "`description:` is missing"),
            ("---\nname: ../x\ndescription: d\n---\n", "f", "no name of a skill"),
            ("---\ndescription: d\n---\n", "a b", "no name of a skill"),
            ("---\n[1, 2]\n---\n", "f", "cannot be read"),
            ("---\nname: x\ndescription: d\nmetadata: { openclaw: { requires: { bins: 7 } } }\n---\n", "f", "metadata"),
        ] {
            let error = read_skill(text.as_bytes(), folder).unwrap_err().to_string();
            assert!(error.contains(why), "{text:?}: {error}");
        }
        assert_eq!(read_skill(&[0xff], "f"), Err(BadSkill::NotText));
    }

    #[test]
    fn a_yaml_bomb_is_refused_quickly() {
        let mut text = "---\nname: x\ndescription: d\na: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (next, last) in
            ["b", "c", "d", "e", "f", "g", "h", "i"].iter().zip(["a", "b", "c", "d", "e", "f", "g", "h"])
        {
            text.push_str(&format!("{next}: &{next} [{}]\n", vec![format!("*{last}"); 10].join(",")));
        }
        text.push_str("---\nBody");
        let begun = std::time::Instant::now();
        let _ = read_skill(text.as_bytes(), "f");
        assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), head in "\\PC{0,80}") {
            let _ = read_skill(&bytes, "f");
            let _ = read_skill(format!("---\n{head}\n---\nx").as_bytes(), &head);
        }
    }
}
