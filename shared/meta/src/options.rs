//! Options that all channels of Meta read the same way.

use chela_channel_kit::{AccountSettings, ConfigProblem, OptionSpec};
use chela_core::channel::OutboundPart;

/// The version of the Graph API if no other is asked for. Meta keeps one for about two years.
/// <https://developers.facebook.com/docs/graph-api/changelog/versions>
const DEFAULT_VERSION: &str = "v25.0";

/// Which version of the Graph API is called.
pub const GRAPH_API_VERSION: OptionSpec =
    OptionSpec { key: "graphApiVersion", doc: "The version of the Graph API, such as v25.0, which is the default." };

/// The app, for `register`.
pub const APP_ID: OptionSpec = OptionSpec {
    key: "appId",
    doc: "The app's id, shown at the top of the App Dashboard: with it `chela channels register` sets the webhook.",
};

/// Whether answers quote.
pub const REPLY_TO_MODE: OptionSpec = OptionSpec {
    key: "replyToMode",
    doc: "Whether answers quote the message they belong to: \"off\", \"first\" (only the first part) or \"all\".",
};

/// The version in URLs, checked: it becomes part of every path.
pub fn graph_api_version(settings: &AccountSettings) -> Result<String, ConfigProblem> {
    let version = settings.text(GRAPH_API_VERSION.key)?.unwrap_or(DEFAULT_VERSION);
    let digits = |part: &str| !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    let fit = version
        .strip_prefix('v')
        .and_then(|number| number.split_once('.'))
        .is_some_and(|(major, minor)| digits(major) && digits(minor));
    if fit {
        Ok(version.to_owned())
    } else {
        Err(ConfigProblem::option(GRAPH_API_VERSION.key, "it is no version", "write it as \"v25.0\""))
    }
}

/// An id of Meta's, checked: digits only, and never part of another path. `None` if the option is absent.
pub fn object_id(settings: &AccountSettings, key: &'static str) -> Result<Option<String>, ConfigProblem> {
    let Some(text) = settings.text(key)? else { return Ok(None) };
    let id = text.trim();
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ConfigProblem::option(key, "it is not a number", "copy the id from the dashboard, in quotes"));
    }
    Ok(Some(id.to_owned()))
}

/// Whether parts quote the message they answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyToMode {
    /// Never.
    Off,
    /// The first part does.
    First,
    /// Each part does.
    All,
}

impl ReplyToMode {
    /// What the account asks for; `None` if it does not say.
    pub fn of(settings: &AccountSettings) -> Result<Option<Self>, ConfigProblem> {
        match settings.text(REPLY_TO_MODE.key)? {
            None => Ok(None),
            Some("off") => Ok(Some(Self::Off)),
            Some("first") => Ok(Some(Self::First)),
            Some("all") => Ok(Some(Self::All)),
            Some(_) => {
                let fix = "write \"off\", \"first\" or \"all\"";
                Err(ConfigProblem::option(REPLY_TO_MODE.key, "it is no such mode", fix))
            }
        }
    }

    /// The message this part quotes.
    pub fn quoted<'a>(self, part: &OutboundPart<'a>) -> Option<&'a str> {
        let quotes = match self {
            Self::Off => false,
            Self::First => part.number == 0,
            Self::All => true,
        };
        part.to.message.as_deref().filter(|_| quotes)
    }
}
