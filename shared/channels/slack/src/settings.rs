//! What `channels.slack` (or one of its accounts) may say. Keys that OpenClaw has too mean what they mean there.

use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::{ConfigProblem, OptionSpec, SecretSpec};
use chela_core::session_key::PeerKind;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Verifies what Slack sends.
pub(crate) const SIGNING_SECRET: SecretSpec = SecretSpec {
    key: "signingSecret",
    env: "SLACK_SIGNING_SECRET",
    doc: "the app's Signing Secret, on its page Basic Information → App Credentials.",
    required: true,
};

/// Authorises what we send.
pub(crate) const BOT_TOKEN: SecretSpec = SecretSpec {
    key: "botToken",
    env: "SLACK_BOT_TOKEN",
    doc: "the Bot User OAuth Token (xoxb-…), on the app's page OAuth & Permissions.",
    required: true,
};

/// Lets `register` change the app's manifest.
pub(crate) const APP_CONFIG_TOKEN: SecretSpec = SecretSpec {
    key: "appConfigToken",
    env: "SLACK_APP_CONFIG_TOKEN",
    doc: "an app configuration token (xoxe.xoxp-…), from https://api.slack.com/apps → Your App Configuration Tokens; it lives 12 hours and only `channels register` needs it.",
    required: false,
};

const BOT_USER_ID: OptionSpec = OptionSpec {
    key: "botUserId",
    doc: "Id of our bot user (U…), shown by `chela channels status`; if left out, the one each event was delivered for.",
};
const APP_ID: OptionSpec =
    OptionSpec { key: "appId", doc: "Id of the app (A…), which `channels register` needs beside appConfigToken." };
const REPLY_TO_MODE: OptionSpec = OptionSpec {
    key: "replyToMode",
    doc: "Whether answers open a thread: off (only a message in a thread is answered there) or all; first and batched mean all.",
};
const REPLY_TO_MODE_BY_CHAT_TYPE: OptionSpec = OptionSpec {
    key: "replyToModeByChatType",
    doc: "replyToMode for one kind of conversation: { direct, group, channel }; group is a group DM.",
};
const SLASH_COMMAND: OptionSpec = OptionSpec {
    key: "slashCommand",
    doc: "{ name }: the slash command that carries any line to the agent; \"chela\" if left out.",
};
const MENTIONS_ONLY: OptionSpec = OptionSpec {
    key: "mentionsOnly",
    doc: "true: the app's manifest asks Slack for direct messages and mentions only, not for everything said in its channels.",
};

const NATIVE_COMMANDS: OptionSpec = OptionSpec {
    key: "nativeCommands",
    doc: "true: the app's manifest also has a slash command for each of Chela's own; the whole workspace shares their names.",
};

/// Commands that Slack keeps for itself: ours of these names begin with `agent`, as OpenClaw's `/agentstatus`.
/// <https://slack.com/help/articles/201259356>
const SLACKS_OWN: [&str; 16] = [
    "active", "apps", "archive", "away", "call", "dnd", "feed", "help", "invite", "join", "leave", "mute", "remind",
    "search", "status", "who",
];

/// The slash command for a command of ours, without the slash.
pub(crate) fn native_name(command: &str) -> String {
    if SLACKS_OWN.contains(&command) { format!("agent{command}") } else { command.to_owned() }
}

/// Our command for a slash command, both without the slash.
pub(crate) fn own_name(slash_command: &str) -> &str {
    slash_command.strip_prefix("agent").filter(|name| SLACKS_OWN.contains(name)).unwrap_or(slash_command)
}

/// All secrets, for the registry.
pub(crate) const SECRETS: &[SecretSpec] = &[SIGNING_SECRET, BOT_TOKEN, APP_CONFIG_TOKEN];

/// All options, for the registry.
pub(crate) const OPTIONS: &[OptionSpec] = &[
    API_BASE_URL,
    BOT_USER_ID,
    APP_ID,
    REPLY_TO_MODE,
    REPLY_TO_MODE_BY_CHAT_TYPE,
    SLASH_COMMAND,
    MENTIONS_ONLY,
    NATIVE_COMMANDS,
];

/// The slash command that carries any line to the agent, unless configured otherwise.
const COMMAND: &str = "chela";

/// The options of one account, read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Our bot user, where configured.
    pub(crate) bot_user_id: Option<String>,
    /// The app, where configured.
    pub(crate) app_id: Option<String>,
    /// Whether the app sees only what is addressed to it.
    pub(crate) mentions_only: bool,
    /// Whether the menu becomes slash commands.
    pub(crate) native_commands: bool,
    reply_to_mode: ReplyToMode,
    by_chat_type: ByChatType,
    slash_command: SlashCommand,
}

/// Whether answers open a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReplyToMode {
    /// Only a message in a thread is answered in a thread.
    #[default]
    Off,
    /// Every answer stands in a thread. What OpenClaw distinguishes beyond that is where the later messages of one
    /// turn go; ours are the parts of one answer and stay together.
    #[serde(alias = "first", alias = "batched")]
    All,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct ByChatType {
    direct: Option<ReplyToMode>,
    group: Option<ReplyToMode>,
    channel: Option<ReplyToMode>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct SlashCommand {
    name: Option<String>,
}

impl Settings {
    /// Reads the options of an account; other keys are not ours.
    pub(crate) fn read(options: &Map<String, Value>) -> Result<Self, ConfigProblem> {
        let id = |spec| {
            let id: Option<String> = option(options, spec, "it must be a text", "write it in quotes")?;
            Ok(id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()))
        };
        let modes = "write \"off\" or \"all\"";
        Ok(Self {
            bot_user_id: id(&BOT_USER_ID)?,
            app_id: id(&APP_ID)?,
            mentions_only: option(options, &MENTIONS_ONLY, "it must be true or false", "write it without quotes")?,
            native_commands: option(options, &NATIVE_COMMANDS, "it must be true or false", "write it without quotes")?,
            reply_to_mode: option(options, &REPLY_TO_MODE, "it is not a known mode", modes)?,
            by_chat_type: option(options, &REPLY_TO_MODE_BY_CHAT_TYPE, "it does not give known modes", modes)?,
            slash_command: option(options, &SLASH_COMMAND, "it has no text \"name\"", "write { name: \"chela\" }")?,
        })
    }

    /// Whether answers open threads in this kind of conversation.
    pub(crate) fn reply_to_mode(&self, kind: PeerKind) -> ReplyToMode {
        let own = match kind {
            PeerKind::Direct => self.by_chat_type.direct,
            PeerKind::Group => self.by_chat_type.group,
            PeerKind::Channel => self.by_chat_type.channel,
        };
        own.unwrap_or(self.reply_to_mode)
    }

    /// The name of the carrying slash command, without the slash.
    pub(crate) fn command(&self) -> &str {
        self.slash_command.name.as_deref().unwrap_or(COMMAND).trim_start_matches('/')
    }
}

fn option<T: Default + DeserializeOwned>(
    options: &Map<String, Value>,
    spec: &OptionSpec,
    what: &str,
    fix: &str,
) -> Result<T, ConfigProblem> {
    match options.get(spec.key) {
        None | Some(Value::Null) => Ok(T::default()),
        Some(value) => T::deserialize(value).map_err(|_| ConfigProblem::option(spec.key, what, fix)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(options: &Value) -> Result<Settings, ConfigProblem> {
        Settings::read(options.as_object().unwrap())
    }

    #[test]
    fn what_openclaw_writes_is_understood() {
        let settings = read(&json!({
            "enabled": true, "mode": "http", "dmPolicy": "pairing", "botUserId": " UBOT ", "replyToMode": "first",
            "replyToModeByChatType": { "direct": "off", "group": "batched" },
            "slashCommand": { "enabled": true, "name": "openclaw", "sessionPrefix": "slack:slash", "ephemeral": true },
        }))
        .unwrap();
        assert_eq!(settings.bot_user_id.as_deref(), Some("UBOT"));
        assert_eq!(settings.command(), "openclaw");
        let modes = [PeerKind::Direct, PeerKind::Group, PeerKind::Channel].map(|kind| settings.reply_to_mode(kind));
        assert_eq!(modes, [ReplyToMode::Off, ReplyToMode::All, ReplyToMode::All]);
    }

    #[test]
    fn nothing_configured_is_openclaws_default() {
        let settings = read(&json!({ "botUserId": "", "appId": null })).unwrap();
        assert_eq!((settings.bot_user_id.as_deref(), settings.app_id.as_deref()), (None, None));
        assert_eq!(settings.reply_to_mode(PeerKind::Channel), ReplyToMode::Off);
        assert_eq!(settings.command(), "chela");
    }

    #[test]
    fn an_unfit_option_is_named_with_its_fix() {
        let cases = [
            (json!({ "botUserId": 7 }), "\"botUserId\" cannot be used: it must be a text; write it in quotes"),
            (
                json!({ "mentionsOnly": "yes" }),
                "\"mentionsOnly\" cannot be used: it must be true or false; write it without quotes",
            ),
            (
                json!({ "replyToMode": "some" }),
                "\"replyToMode\" cannot be used: it is not a known mode; write \"off\" or \"all\"",
            ),
            (
                json!({ "replyToModeByChatType": { "direct": 1 } }),
                "\"replyToModeByChatType\" cannot be used: it does not give known modes; write \"off\" or \"all\"",
            ),
            (
                json!({ "slashCommand": "chela" }),
                "\"slashCommand\" cannot be used: it has no text \"name\"; write { name: \"chela\" }",
            ),
        ];
        for (options, refusal) in cases {
            assert_eq!(read(&options).unwrap_err().to_string(), refusal);
        }
    }
}
