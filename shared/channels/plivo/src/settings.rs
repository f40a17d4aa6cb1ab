//! What `channels.plivo` (or one of its accounts) may say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::{AccountSettings, ConfigProblem, OptionSpec, ProofKeys, SecretSpec};
use chela_core::secret::Secret;
use http::HeaderValue;
use serde_json::Value;

use crate::public_url::PublicUrl;
use crate::verify::Proof;

/// Proves what Plivo sends, and authorises what we send.
pub(crate) const AUTH_TOKEN: SecretSpec = SecretSpec {
    key: "authToken",
    env: "PLIVO_AUTH_TOKEN",
    doc: "The account's Auth Token, on the Console's overview page; several, separated by a space, while you change it, the new one first.",
    required: true,
};

const AUTH_ID: OptionSpec =
    OptionSpec { key: "authId", doc: "The account's Auth ID (MA… or SA…), beside the Auth Token; required." };
const WEBHOOK_URL: OptionSpec = OptionSpec {
    key: "webhookUrl",
    doc: "The public URL that Plivo posts to, exactly as it is set there; required, for it is part of every signature.",
};
const FROM: OptionSpec = OptionSpec {
    key: "from",
    doc: "The number (+1…) that sends what nobody asked for; answers come from the number that was written to.",
};
const POWERPACK_UUID: OptionSpec =
    OptionSpec { key: "powerpackUuid", doc: "A Powerpack that chooses the number, in place of from." };
const APP_ID: OptionSpec = OptionSpec {
    key: "appId",
    doc: "The application whose Message URL is set by `channels register`; looked up by from if left out.",
};
const STATUS_CALLBACKS: OptionSpec =
    OptionSpec { key: "statusCallbacks", doc: "false: Plivo is not asked to tell whether a message was delivered." };

/// All secrets, for the registry.
pub(crate) const SECRETS: &[SecretSpec] = &[AUTH_TOKEN];

/// All options, for the registry.
pub(crate) const OPTIONS: &[OptionSpec] =
    &[API_BASE_URL, AUTH_ID, WEBHOOK_URL, FROM, POWERPACK_UUID, APP_ID, STATUS_CALLBACKS];

/// The options of one account, read.
pub(crate) struct Settings {
    pub(crate) auth_id: String,
    pub(crate) webhook_url: PublicUrl,
    pub(crate) from: Option<String>,
    pub(crate) powerpack_uuid: Option<String>,
    pub(crate) app_id: Option<String>,
    pub(crate) status_callbacks: bool,
}

impl Settings {
    pub(crate) fn read(settings: &AccountSettings) -> Result<Self, ConfigProblem> {
        let auth_id = id(settings, &AUTH_ID)?.ok_or_else(|| missing(&AUTH_ID))?;
        let url = settings.text(WEBHOOK_URL.key)?.ok_or_else(|| missing(&WEBHOOK_URL))?;
        let webhook_url = PublicUrl::parse(url).ok_or_else(|| {
            ConfigProblem::option(WEBHOOK_URL.key, "it is not a URL", "write it as https://host[:port]/path")
        })?;
        Ok(Self {
            auth_id,
            webhook_url,
            from: settings.text(FROM.key)?.map(str::to_owned),
            powerpack_uuid: settings.text(POWERPACK_UUID.key)?.map(str::to_owned),
            app_id: id(settings, &APP_ID)?,
            status_callbacks: yes_unless_told(settings, &STATUS_CALLBACKS)?,
        })
    }
}

fn missing(spec: &OptionSpec) -> ConfigProblem {
    ConfigProblem::option(spec.key, "it is missing", spec.doc)
}

/// An id of Plivo's, which becomes part of a path: letters and digits.
fn id(settings: &AccountSettings, spec: &OptionSpec) -> Result<Option<String>, ConfigProblem> {
    let Some(text) = settings.text(spec.key)? else { return Ok(None) };
    let fit = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let unfit = || ConfigProblem::option(spec.key, "it is no id of letters and digits", spec.doc);
    fit.then(|| Some(text.to_owned())).ok_or_else(unfit)
}

fn yes_unless_told(settings: &AccountSettings, spec: &OptionSpec) -> Result<bool, ConfigProblem> {
    match settings.options.get(spec.key) {
        None | Some(Value::Null) => Ok(true),
        Some(Value::Bool(on)) => Ok(*on),
        Some(_) => Err(ConfigProblem::option(spec.key, "it must be true or false", "write it without quotes")),
    }
}

/// What proves the posts of an account.
pub(crate) fn proof(settings: &AccountSettings, read: &Settings) -> Result<Proof, ConfigProblem> {
    let unfit = |unfit| ConfigProblem::key(&AUTH_TOKEN, unfit);
    let auth_token = ProofKeys::words(settings.secret(&AUTH_TOKEN)?).map_err(unfit)?;
    Ok(Proof { url: read.webhook_url.clone(), auth_token })
}

/// Basic authorisation by the newest token, and what no error may show: whoever quotes our request may quote the header.
pub(crate) fn credentials(
    settings: &AccountSettings,
    read: &Settings,
) -> Result<(HeaderValue, Vec<Secret>), ConfigProblem> {
    let token = settings.secret(&AUTH_TOKEN)?;
    let newest = token.expose().split_whitespace().next().unwrap_or_default();
    let basic = STANDARD.encode(format!("{}:{newest}", read.auth_id));
    // Base64 can stand in a header whatever was encoded.
    let unfit = |_| ConfigProblem::secret(AUTH_TOKEN.key, "it cannot stand in a header", AUTH_TOKEN.doc);
    let mut header = HeaderValue::from_str(&format!("Basic {basic}")).map_err(unfit)?;
    header.set_sensitive(true);
    Ok((header, vec![token.clone(), Secret::new(basic)]))
}
