//! What the configuration says about a bridge. Nothing is asked of the bridge itself when the account is opened.

use chela_channel_kit::{AccountSettings, ConfigProblem, ProofKeys};
use chela_core::secret::Secret;
use serde_json::Value;
use url::Url;

use crate::{BRIDGE_URL, FEATURES, LIMITS, SECRET, TEXT_LIMIT};

/// Shorter ones can be tried one by one.
const SHORTEST_SECRET: usize = 16;

/// What `textLimit` may be: at the upper end an order stays under 256 KB, whatever is in it.
const TEXT_LIMITS: std::ops::RangeInclusive<usize> = 100..=60_000;

/// What the bridge offers beside `send`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) edit: bool,
    pub(crate) typing: bool,
    pub(crate) react: bool,
    pub(crate) attach: bool,
}

impl Offer {
    /// Its words; of another bridge than this program's there may be more.
    pub(crate) fn words(self) -> Vec<&'static str> {
        let all = [(self.edit, "edit"), (self.typing, "typing"), (self.react, "react"), (self.attach, "attach")];
        all.into_iter().filter_map(|(offered, word)| offered.then_some(word)).collect()
    }

    /// Reads words; the first that is none of ours is the error.
    pub(crate) fn of(words: &[String]) -> Result<Self, String> {
        let mut offer = Self::default();
        for word in words {
            match word.as_str() {
                "edit" => offer.edit = true,
                "typing" => offer.typing = true,
                "react" => offer.react = true,
                "attach" => offer.attach = true,
                other => return Err(other.to_owned()),
            }
        }
        Ok(offer)
    }
}

pub(crate) fn offer(settings: &AccountSettings) -> Result<Offer, ConfigProblem> {
    Offer::of(&settings.texts(FEATURES.key)?).map_err(|word| {
        ConfigProblem::option(FEATURES.key, format!("{word:?} is no feature"), "use edit, typing, react and attach")
    })
}

pub(crate) fn text_limit(settings: &AccountSettings) -> Result<usize, ConfigProblem> {
    let unfit =
        || ConfigProblem::option(TEXT_LIMIT.key, "it is no number from 100 to 60000", "leave it out, or write 4000");
    match settings.options.get(TEXT_LIMIT.key) {
        None | Some(Value::Null) => Ok(LIMITS.text),
        Some(value) => {
            let limit = value.as_u64().and_then(|limit| usize::try_from(limit).ok());
            limit.filter(|limit| TEXT_LIMITS.contains(limit)).ok_or_else(unfit)
        }
    }
}

pub(crate) fn keys(secret: &Secret) -> Result<ProofKeys, ConfigProblem> {
    let keys = ProofKeys::words(secret).map_err(|unfit| ConfigProblem::key(&SECRET, unfit))?;
    if keys.shortest() < SHORTEST_SECRET {
        let fix = "make one with: openssl rand -hex 32";
        return Err(ConfigProblem::secret(
            SECRET.key,
            format!("a word of it has fewer than {SHORTEST_SECRET} characters"),
            fix,
        ));
    }
    Ok(keys)
}

pub(crate) fn bridge_url(settings: &AccountSettings) -> Result<String, ConfigProblem> {
    let unfit = |what: &str| ConfigProblem::option(BRIDGE_URL.key, what, "write it as https://host[:port][/path]");
    let text = settings.text(BRIDGE_URL.key)?.ok_or_else(|| unfit("it is missing, so answers have nowhere to go"))?;
    let url = Url::parse(text).map_err(|_| unfit("it is not a URL"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(unfit("its scheme is not https"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(unfit("it carries more than a host and a path"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
