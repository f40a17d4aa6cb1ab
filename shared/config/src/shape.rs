//! Holds values against the schema, and finds everything that does not fit, not only the first.
//!
//! The schema is made from the same types that read the configuration, so that what passes here is read, and every key
//! is checked, documented and completed by editors from one place. Only the words of JSON Schema that those types
//! produce are understood; a test holds them to it.

use serde_json::{Map, Value};

use crate::openclaw::not_yet;
use crate::path::Path;
use crate::schema::Schema;

/// What one channel reads beside the keys all channels have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelKeys {
    /// The channel.
    pub id: String,
    /// Keys of its secrets.
    pub secrets: Vec<SecretKey>,
    /// Its other keys.
    pub options: Vec<String>,
}

/// A secret of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKey {
    /// Its key.
    pub key: String,
    /// The environment variable it is read from where the key is absent.
    pub env: String,
    /// Whether an account is no account without it.
    pub required: bool,
}

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Misfit {
    pub(crate) path: Path,
    /// The key is meant, not its value.
    pub(crate) at_key: bool,
    pub(crate) warning: bool,
    pub(crate) message: String,
    pub(crate) fix: String,
}

/// Checks `value` and takes out of it what OpenClaw knows and we do not.
pub(crate) fn fit(schema: &Schema<'_>, channels: &[ChannelKeys], value: &mut Value) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    Walk { schema, channels, misfits: &mut misfits }.value(schema.root(), value, &Path::root());
    misfits
}

struct Walk<'a> {
    schema: &'a Schema<'a>,
    channels: &'a [ChannelKeys],
    misfits: &'a mut Vec<Misfit>,
}

impl<'a> Walk<'a> {
    fn value(&mut self, schema: &'a Value, value: &mut Value, path: &Path) {
        let rules = match self.schema.resolved(schema) {
            Value::Object(rules) => rules,
            Value::Bool(true) => return,
            _ => return self.misfit(path, "is not allowed here".to_owned(), "remove it".to_owned()),
        };
        if choices(rules).is_some() {
            let mut alternatives = Vec::new();
            flatten(schema, self.schema, &mut alternatives);
            return self.choice(&alternatives, value, path);
        }
        if let Some(text) = rules.get("const") {
            if value != text {
                self.misfit(path, format!("must be {text}"), format!("write {text}"));
            }
            return;
        }
        if !has_type(rules, value) {
            return self.misfit(
                path,
                format!("must be {}, not {}", describe(rules), kind_of(value)),
                hint(rules, value),
            );
        }
        self.string_choice(rules, value, path);
        self.range(rules, value, path);
        match value {
            Value::Object(entries) => self.object(rules, entries, path),
            Value::Array(items) => {
                if let Some(schema) = rules.get("items") {
                    for (at, item) in items.iter_mut().enumerate() {
                        self.value(schema, item, &path.index(at));
                    }
                }
            }
            _ => {}
        }
    }

    fn misfit(&mut self, path: &Path, message: String, fix: String) {
        self.misfits.push(Misfit { path: path.clone(), at_key: false, warning: false, message, fix });
    }

    fn string_choice(&mut self, rules: &Map<String, Value>, value: &Value, path: &Path) {
        let (Some(known), Some(text)) = (rules.get("enum").and_then(Value::as_array), value.as_str()) else { return };
        let known: Vec<&str> = known.iter().filter_map(Value::as_str).collect();
        self.one_of(&known, text, path);
    }

    fn one_of(&mut self, known: &[&str], text: &str, path: &Path) {
        if known.contains(&text) {
            return;
        }
        let list = known.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        // The value itself is only repeated where it all but is one of the public words: it might be a secret.
        let (message, fix) = match nearest(text, known.iter().copied()) {
            Some(near) => (format!("\"{text}\" is not one of {list}"), format!("did you mean \"{near}\"?")),
            None => (format!("is not one of {list}"), "write one of them".to_owned()),
        };
        self.misfit(path, message, fix);
    }

    fn range(&mut self, rules: &Map<String, Value>, value: &Value, path: &Path) {
        let Some(number) = value.as_f64() else { return };
        let bound = |key: &str| rules.get(key).and_then(Value::as_f64);
        if bound("minimum").is_some_and(|least| number < least) || bound("maximum").is_some_and(|most| number > most) {
            let text = |key: &str, word: &str| rules.get(key).map(|bound| format!("{word} {bound}"));
            let limits: Vec<String> =
                [text("minimum", "at least"), text("maximum", "at most")].into_iter().flatten().collect();
            self.misfit(
                path,
                format!("must be {}", limits.join(" and ")),
                "choose a number within these bounds".into(),
            );
        }
    }

    /// Several shapes are allowed: the one that fits, else the one that comes nearest tells what is wrong.
    fn choice(&mut self, alternatives: &[&'a Value], value: &mut Value, path: &Path) {
        let null = |schema: &&&Value| schema.get("type").is_some_and(|name| name == "null");
        if value.is_null() && alternatives.iter().any(|schema| null(&schema)) {
            return;
        }
        let alternatives: Vec<&'a Value> = alternatives.iter().filter(|schema| !null(schema)).copied().collect();
        let words: Vec<&str> =
            alternatives.iter().filter_map(|schema| schema.get("const").and_then(Value::as_str)).collect();
        if words.len() == alternatives.len()
            && let Some(text) = value.as_str()
        {
            if alternatives.iter().any(|schema| has_alias(schema, text)) {
                return;
            }
            return self.one_of(&words, text, path);
        }
        let mut best: Option<(usize, Vec<Misfit>, Value)> = None;
        for schema in &alternatives {
            let mut misfits = Vec::new();
            let mut copy = value.clone();
            Walk { schema: self.schema, channels: self.channels, misfits: &mut misfits }.value(schema, &mut copy, path);
            // Another type altogether is further away than any number of slips inside the right one.
            let foreign = schema.as_object().is_some_and(|rules| !has_type(rules, value));
            let errors = misfits.iter().filter(|misfit| !misfit.warning).count();
            let distance = if foreign { usize::MAX } else { errors };
            if best.as_ref().is_none_or(|(other, ..)| distance < *other) {
                best = Some((distance, misfits, copy));
            }
        }
        match best {
            Some((distance, misfits, copy)) if distance < usize::MAX => {
                *value = copy;
                self.misfits.extend(misfits);
            }
            _ => {
                let wanted: Vec<String> =
                    alternatives.iter().filter_map(|schema| schema.as_object()).map(describe).collect();
                let message = format!("must be {}, not {}", wanted.join(" or "), kind_of(value));
                let hints = alternatives.iter().filter_map(|schema| schema.as_object()).map(|rules| hint(rules, value));
                let hint = hints.into_iter().find(|hint| hint != PLAIN_HINT).unwrap_or_else(|| PLAIN_HINT.to_owned());
                self.misfit(path, message, hint);
            }
        }
    }

    fn object(&mut self, rules: &'a Map<String, Value>, entries: &mut Map<String, Value>, path: &Path) {
        let known = rules.get("properties").and_then(Value::as_object);
        let names = || known.into_iter().flat_map(Map::keys).map(String::as_str);
        let others = rules.get("additionalProperties").filter(|schema| **schema != Value::Bool(false));
        for wanted in rules.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !entries.contains_key(wanted) {
                self.misfit(path, format!("\"{wanted}\" is missing"), format!("add {wanted}: …"));
            }
        }
        let channel = channel_of(path);
        let own = channel.and_then(|id| self.channels.iter().find(|keys| keys.id == id));
        let mut passed_over = Vec::new();
        for (key, value) in entries.iter_mut() {
            let here = path.key(key);
            let property =
                known.and_then(|known| known.get(key).or_else(|| known.values().find(|schema| has_alias(schema, key))));
            if let Some(schema) = property {
                self.value(schema, value, &here);
            } else if own.is_some_and(|own| own.has(key)) {
                // The channel itself checks what it alone understands.
            } else if let Some(fix) = not_yet(&path.keys(), key) {
                self.warn_key(here, "OpenClaw has this key, Chela does not have it yet", fix);
                passed_over.push(key.clone());
            } else if path.keys() == ["channels"]
                && !self.channels.is_empty()
                && !self.channels.iter().any(|known| known.id == *key)
            {
                if self.no_channel(here, key) {
                    passed_over.push(key.clone());
                }
            } else if let (Some(schema), None) = (others, channel) {
                self.value(schema, value, &here);
            } else if channel.is_some() && own.is_none() && nearest(key, names()).is_none() {
                // A channel that nobody described may have any key, unless it is a common one misspelt.
            } else {
                self.unknown(here, key, names().chain(own.into_iter().flat_map(ChannelKeys::names)));
            }
        }
        entries.retain(|key, _| !passed_over.contains(key));
    }

    fn warn_key(&mut self, path: Path, message: &str, fix: &str) {
        self.misfits.push(Misfit { path, at_key: true, warning: true, message: message.into(), fix: fix.into() });
    }

    fn unknown<'n>(&mut self, path: Path, key: &str, names: impl Iterator<Item = &'n str>) {
        let names: Vec<&str> = names.collect();
        let fix = match nearest(key, names.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if names.is_empty() => "remove it".to_owned(),
            None => format!("remove it; known here: {}", names.join(", ")),
        };
        self.misfits.push(Misfit { path, at_key: true, warning: false, message: "there is no such key".into(), fix });
    }

    /// A channel that is not built in: OpenClaw's are passed over, anything else is a mistake.
    fn no_channel(&mut self, path: Path, id: &str) -> bool {
        if OPENCLAW_CHANNELS.contains(&id) {
            self.warn_key(
                path,
                "OpenClaw has this channel, Chela does not have it yet",
                "remove it, or leave it for OpenClaw",
            );
            return true;
        }
        let names: Vec<&str> = self.channels.iter().map(|channel| channel.id.as_str()).collect();
        let fix = nearest(id, names.iter().copied())
            .map_or_else(|| format!("channels are: {}", names.join(", ")), |near| format!("did you mean \"{near}\"?"));
        self.misfits.push(Misfit {
            path,
            at_key: true,
            warning: false,
            message: "there is no such channel".into(),
            fix,
        });
        false
    }
}

impl ChannelKeys {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(|secret| secret.key.as_str()).chain(self.options.iter().map(String::as_str))
    }

    fn has(&self, key: &str) -> bool {
        self.names().any(|name| name == key)
    }
}

/// The channel a path is the block of, or the block of an account of.
fn channel_of(path: &Path) -> Option<&str> {
    match path.keys().as_slice() {
        ["channels", "defaults"] => None,
        ["channels", id] | ["channels", id, "accounts", _] => Some(id),
        _ => None,
    }
}

/// All shapes a value may have, where choices lie within choices.
fn flatten<'a>(schema: &'a Value, root: &'a Schema<'a>, into: &mut Vec<&'a Value>) {
    let schema = root.resolved(schema);
    match schema.as_object().and_then(choices) {
        Some(choices) => choices.iter().for_each(|choice| flatten(choice, root, into)),
        None => into.push(schema),
    }
}

/// The shapes a value may have, if there are several.
fn choices(rules: &Map<String, Value>) -> Option<&[Value]> {
    rules.get("anyOf").or_else(|| rules.get("oneOf")).and_then(Value::as_array).map(Vec::as_slice)
}

/// Whether a key, or a word of a choice, may be written so too.
fn has_alias(schema: &Value, key: &str) -> bool {
    schema.get("x-aliases").and_then(Value::as_array).is_some_and(|names| names.iter().any(|name| name == key))
}

fn types(rules: &Map<String, Value>) -> Vec<&str> {
    match rules.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn has_type(rules: &Map<String, Value>, value: &Value) -> bool {
    let types = types(rules);
    types.is_empty()
        || types.iter().any(|name| match *name {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "array" => value.is_array(),
            _ => value.is_object(),
        })
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// What a value must be, in words; for shapes without further choices.
fn describe(rules: &Map<String, Value>) -> String {
    if let Some(word) = rules.get("const") {
        return word.to_string();
    }
    let texts = types(rules).into_iter().filter(|name| *name != "null").map(|name| match name {
        "boolean" => "true or false",
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "array" => "a list",
        _ => "an object",
    });
    texts.collect::<Vec<_>>().join(" or ")
}

const PLAIN_HINT: &str = "write it in that form";

fn hint(rules: &Map<String, Value>, value: &Value) -> String {
    let types = types(rules);
    let hint = match value {
        Value::Number(_) | Value::Bool(_) if types.contains(&"string") => "put it in quotes",
        Value::String(_) if types.contains(&"boolean") => "write true or false without quotes",
        Value::String(_) if types.contains(&"integer") || types.contains(&"number") => "remove the quotes",
        Value::String(_) | Value::Number(_) if types.contains(&"array") => "put it in brackets: [ … ]",
        Value::Null => "remove the key",
        _ => PLAIN_HINT,
    };
    hint.to_owned()
}

/// The word that was probably meant: at most a third of its letters off, whatever the case.
pub(crate) fn nearest<'n>(word: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let lower = word.to_lowercase();
    let distance = |name: &str| strsim::osa_distance(&lower, &name.to_lowercase());
    let (best, off) = known.map(|name| (name, distance(name))).min_by_key(|(_, off)| *off)?;
    (off <= (best.chars().count() / 3).clamp(1, 3) && !word.is_empty()).then_some(best)
}

/// The channels of OpenClaw 2026.9.
const OPENCLAW_CHANNELS: &[&str] = &[
    "a2a",
    "buzz",
    "clickclack",
    "discord",
    "feishu",
    "googlechat",
    "imessage",
    "irc",
    "line",
    "matrix",
    "mattermost",
    "msteams",
    "nextcloud-talk",
    "nostr",
    "qqbot",
    "raft",
    "reef",
    "signal",
    "slack",
    "sms",
    "synology-chat",
    "telegram",
    "tlon",
    "twitch",
    "webchat",
    "wechat",
    "wecom",
    "whatsapp",
    "yuanbao",
    "zalo",
    "zalouser",
];

#[cfg(test)]
mod tests;
