//! Secrets in the configuration. Values are compared, never told.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::checks::{SECRET_REUSED, SECRET_SHORT, SECRET_WRITTEN};
use crate::gateway::is_guessable;
use crate::{Finding, Subject};

/// Keys that hold a secret wherever they stand.
const SECRET_KEYS: &[&str] = &["apiKey", "token", "secret", "password", "clientSecret", "privateKey"];

/// Secrets we choose ourselves rather than being given them: nobody made them long for us.
const CHOSEN: &[&str] = &["secret", "secretToken", "webhookSecret", "verifyToken", "verificationToken", "password"];

pub(crate) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut written = Vec::new();
    collect(subject, subject.written, &mut Vec::new(), &mut written);
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for (path, value) in &written {
        let at = path.join(".");
        findings.push(SECRET_WRITTEN.found(
            at.as_str(),
            "the secret itself is written here",
            "write \"${NAME}\" and set the variable, or { source: \"ssm\", id: \"/chela/<stage>/…\" }",
        ));
        if let Some(other) = seen.get(value) {
            let message = format!("the same value is the secret of {other}");
            findings.push(SECRET_REUSED.found(at.as_str(), message, "make a new one for each: openssl rand -hex 24"));
        }
        let chosen = path.last().is_some_and(|key| CHOSEN.contains(&key.as_str()));
        if chosen && is_guessable(value) {
            findings.push(SECRET_SHORT.found(at.as_str(), "the secret could be guessed", "openssl rand -hex 24"));
        }
        seen.entry(value).or_insert(at);
    }
}

/// Texts under keys of secrets that are no variables.
fn collect<'a>(
    subject: &Subject<'_>,
    value: &'a Value,
    path: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, &'a str)>,
) {
    match value {
        Value::Object(entries) => {
            for (key, entry) in entries {
                path.push(key.clone());
                match entry {
                    Value::String(text) if !text.is_empty() && !text.contains("${") && is_secret(subject, path) => {
                        found.push((path.clone(), text));
                    }
                    _ => collect(subject, entry, path, found),
                }
                path.pop();
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                path.push(at.to_string());
                collect(subject, item, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

fn is_secret(subject: &Subject<'_>, path: &[String]) -> bool {
    let Some(key) = path.last() else { return false };
    if let [first, channel, ..] = path
        && first == "channels"
    {
        let known = subject.channels.iter().find(|known| known.id == *channel);
        return known.is_some_and(|known| known.secrets.iter().any(|secret| secret.key == *key));
    }
    SECRET_KEYS.contains(&key.as_str())
}
