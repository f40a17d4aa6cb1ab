//! Which models read what strangers write, and how they are reached.

use crate::channels::{enabled, is_open};
use crate::checks::{PLAIN_PROVIDER, WEAK_MODEL};
use crate::gateway::is_plain;
use crate::{Finding, Subject};

/// Parts of names of models that are small or old. OpenClaw warns of the same (`models.small_params`).
const WEAK: &[&str] = &[
    "gpt-3.5",
    "gpt-4o-mini",
    "-nano",
    "haiku-3",
    "claude-3-haiku",
    "claude-instant",
    "claude-2",
    "gemini-1.",
    "flash-8b",
    "llama-2",
    "mistral-7b",
    "phi-",
    "tinyllama",
    "gemma-2b",
    "gemma:2b",
];

/// Billions of parameters below which a model counts as small.
const SMALL_BILLIONS: f64 = 15.0;

pub(crate) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let config = subject.config;
    for (name, provider) in &config.models.providers {
        if provider.base_url.as_deref().is_some_and(is_plain) {
            let at = format!("models.providers.{name}.baseUrl");
            findings.push(PLAIN_PROVIDER.found(at, "the address begins with http://", "use https://"));
        }
    }
    if !enabled(subject).iter().any(is_open) {
        return;
    }
    for agent in config.agents.ids() {
        for model in config.agents.models_of(&agent).iter().filter(|model| is_weak(model)) {
            let fix = "let a newer, larger model read what strangers write, or close the channel";
            let message = format!("agent \"{agent}\" uses {model}, and strangers are heard");
            findings.push(WEAK_MODEL.found(format!("agents.{agent}.model"), message, fix));
        }
    }
}

fn is_weak(model: &str) -> bool {
    let name = model.to_ascii_lowercase();
    WEAK.iter().any(|part| name.contains(part)) || billions(&name).is_some_and(|size| size < SMALL_BILLIONS)
}

/// The size that a name tells: `llama3.2:3b`, `qwen-7b-chat`. A number within a longer word is none.
fn billions(name: &str) -> Option<f64> {
    name.split(['-', ':', '/', '_', '@']).find_map(|part| part.strip_suffix('b')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_models_are_told_by_their_names() {
        for weak in ["ollama/llama3.2:3b", "openai/gpt-3.5-turbo", "x/qwen-7b-chat", "openai/gpt-5-nano"] {
            assert!(is_weak(weak), "{weak}");
        }
        for strong in ["anthropic/claude-sonnet-4-5", "openai/gpt-5", "meta/llama-3.3-70b", "mistral/mixtral-8x22b"] {
            assert!(!is_weak(strong), "{strong}");
        }
    }
}
