//! Secrets in the configuration. Values are compared, never told.

use std::collections::BTreeMap;

use chela_config::SecretInput;
use serde_json::Value;

use crate::channels::{enabled, keys};
use crate::checks::{SECRET_REUSED, SECRET_SHORT, SECRET_WRITTEN};
use crate::gateway::is_guessable;
use crate::{Finding, Subject};

/// Keys that hold a secret wherever they stand.
const SECRET_KEYS: &[&str] = &["apiKey", "token", "secret", "password", "clientSecret", "privateKey"];

/// Secrets we choose ourselves rather than being given them: nobody made them long for us.
const CHOSEN: &[&str] = &["secret", "secretToken", "webhookSecret", "verifyToken", "verificationToken", "password"];

/// A secret of the configuration: where it stands, and its text or what stands for it.
struct Found {
    path: Vec<String>,
    value: String,
    /// Whether it is the secret itself, and no variable or reference.
    written: bool,
}

impl Found {
    /// Whether callers prove themselves by it: whoever knows it can speak for them.
    fn proves(&self) -> bool {
        let chosen = self.path.last().is_some_and(|key| CHOSEN.contains(&key.as_str()));
        chosen || self.path.join(".") == "gateway.auth.token"
    }

    /// Whether both are of one channel, whose accounts may well have one secret.
    fn is_beside(&self, other: &Self) -> bool {
        self.path.first().is_some_and(|first| first == "channels") && self.path.get(..2) == other.path.get(..2)
    }
}

pub(crate) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut all = Vec::new();
    collect(subject, subject.written, &mut Vec::new(), &mut all);
    let mut seen: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    for found in &all {
        let at = found.path.join(".");
        let before = seen.entry(&found.value).or_default();
        // Of keys that others gave us one may well be used twice.
        let other = before
            .iter()
            .find(|other| found.written || ((found.proves() || other.proves()) && !found.is_beside(other)));
        if let Some(other) = other {
            let message = format!("the same value is the secret of {}", other.path.join("."));
            findings.push(SECRET_REUSED.found(at.as_str(), message, "make a new one for each: openssl rand -hex 24"));
        }
        before.push(found);
        if !found.written {
            continue;
        }
        findings.push(SECRET_WRITTEN.found(
            at.as_str(),
            "the secret itself is written here",
            "write \"${NAME}\" and set the variable, or { source: \"ssm\", id: \"/chela/<stage>/…\" }",
        ));
        let chosen = found.path.last().is_some_and(|key| CHOSEN.contains(&key.as_str()));
        if chosen && is_guessable(&found.value) {
            findings.push(SECRET_SHORT.found(at, "the secret could be guessed", "openssl rand -hex 24"));
        }
    }
    if subject.refused.is_empty() {
        behind_variables(subject, findings);
    }
}

/// Secrets we chose ourselves and wrote into a variable: no shorter for that.
fn behind_variables(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for account in enabled(subject) {
        for key in CHOSEN {
            let Some(SecretInput::Value(secret)) = account.own.secret(key) else { continue };
            let at = keys(subject, &account, key).join(".");
            let told = findings.iter().any(|finding| finding.id == SECRET_SHORT.id && finding.at == at);
            if !told && !secret.expose().is_empty() && is_guessable(secret.expose()) {
                let message = "the secret in its variable could be guessed";
                findings.push(SECRET_SHORT.found(at, message, "openssl rand -hex 24"));
            }
        }
    }
}

/// Texts and references under keys of secrets.
fn collect(subject: &Subject<'_>, value: &Value, path: &mut Vec<String>, found: &mut Vec<Found>) {
    match value {
        Value::Object(entries) => {
            for (key, entry) in entries {
                path.push(key.clone());
                let reference = entry.get("source").is_some() && entry.get("id").is_some();
                match entry {
                    Value::String(text) if !text.is_empty() && is_secret(subject, path) => {
                        let (value, written) = (text.clone(), !text.contains("${"));
                        found.push(Found { path: path.clone(), value, written });
                    }
                    Value::Object(_) if reference && is_secret(subject, path) => {
                        found.push(Found { path: path.clone(), value: entry.to_string(), written: false });
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
