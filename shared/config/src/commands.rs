//! `commands`.

use chela_core::gate::{SenderId, some_ids};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `commands`: what is answered without a model, and who is the owner.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CommandsSection {
    /// Ids of the owners, as `telegram:123456789` or without the channel's name: they and nobody else may use the commands
    /// that change something. If left out, the owners are those whom `allowFrom` of a channel names, and those who were paired.
    #[serde(deserialize_with = "some_ids")]
    #[schemars(with = "Option<Vec<SenderId>>")]
    pub owner_allow_from: Option<Vec<String>>,
    /// Whether commands that are merely typed count. Those of a platform's menu always do.
    pub text: bool,
    /// Whether `chela channels register` fills the platforms' menus.
    pub native: NativeCommands,
    /// Words of commands that are turned off, without the slash.
    pub disabled: Vec<String>,
}

impl Default for CommandsSection {
    fn default() -> Self {
        Self { owner_allow_from: None, text: true, native: NativeCommands::default(), disabled: Vec::new() }
    }
}

/// `commands.native`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum NativeCommands {
    /// Always or never.
    Chosen(bool),
    /// Where the platform has menus.
    Where(Auto),
}

/// `"auto"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Auto {
    /// As fits the platform.
    Auto,
}

impl Default for NativeCommands {
    fn default() -> Self {
        Self::Where(Auto::Auto)
    }
}

impl NativeCommands {
    /// Whether menus are filled.
    pub fn is_on(self) -> bool {
        self != Self::Chosen(false)
    }
}
