//! `skills`, `prompts` and `agents.….context`: what agents know beside their own files.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::secrets::SecretInput;

/// `skills`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SkillsSection {
    /// What is to be said about single skills, by name.
    pub entries: BTreeMap<String, SkillEntry>,
    /// Programs that are there where tools run, such as `gh`; skills that need others are not offered. Not in OpenClaw,
    /// which looks at its own machine.
    pub bins: Vec<String>,
}

/// `skills.entries.<name>`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SkillEntry {
    /// `false` switches it off.
    pub enabled: Option<bool>,
    /// Variables it needs.
    pub env: BTreeMap<String, SecretInput>,
    /// The value of the variable that the skill calls its key.
    pub api_key: Option<SecretInput>,
}

/// `prompts.<name>`: a text that people call as `/<name>`. Not in OpenClaw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PromptTemplate {
    /// What it is for, in menus.
    pub description: Option<String>,
    /// What the model is told. `{{input}}` is what was written behind the name; without it that stands at the end.
    pub text: String,
}

/// `agents.….context[]`: more for the model to know, when it is needed. Not in OpenClaw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ContextRule {
    /// Messages that need it: a text with `*` for any run of characters and `?` for one, whatever the case. Every
    /// message if left out.
    pub when: Option<String>,
    /// What the model is told.
    pub text: Option<String>,
    /// A file of the agent's workspace that it is told.
    pub file: Option<String>,
}
