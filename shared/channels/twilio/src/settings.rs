//! What `channels.twilio` (or one of its accounts) may say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::{AccountSettings, ConfigProblem, OptionSpec, ProofKeys, SecretSpec};
use chela_core::secret::Secret;
use http::HeaderValue;
use serde_json::Value;

use crate::is_whatsapp;
use crate::public_url::PublicUrl;
use crate::verify::Proof;

/// Proves what Twilio sends, and authorises what we send.
pub(crate) const AUTH_TOKEN: SecretSpec = SecretSpec {
    key: "authToken",
    env: "TWILIO_AUTH_TOKEN",
    doc: "The account's auth token, on the Console's first page under Account Info; several, separated by a space, while you rotate it, the new one first.",
    required: true,
};

/// Authorises what we send in the auth token's place.
pub(crate) const API_KEY_SECRET: SecretSpec = SecretSpec {
    key: "apiKeySecret",
    env: "TWILIO_API_KEY_SECRET",
    doc: "The secret of the API key named by apiKeySid, which the Console shows once when the key is made.",
    required: false,
};

/// Proves what Twilio sends where a SharedKey signs.
pub(crate) const SHARED_KEY: SecretSpec = SecretSpec {
    key: "sharedKey",
    env: "TWILIO_SHARED_KEY",
    doc: "The secret of the SharedKey that signs webhooks, if the account has one.",
    required: false,
};

const ACCOUNT_SID: OptionSpec =
    OptionSpec { key: "accountSid", doc: "The account's SID (AC…), beside the auth token; required." };
const WEBHOOK_URL: OptionSpec = OptionSpec {
    key: "webhookUrl",
    doc: "The public URL that Twilio posts to, exactly as it is set there; required, for it is part of every signature.",
};
const API_KEY_SID: OptionSpec =
    OptionSpec { key: "apiKeySid", doc: "An API key (SK…) that sends in the auth token's place, with apiKeySecret." };
const FROM: OptionSpec = OptionSpec {
    key: "from",
    doc: "The number (+1…) that sends SMS nobody asked for; answers come from the number that was written to.",
};
const WHATSAPP_FROM: OptionSpec = OptionSpec { key: "whatsappFrom", doc: "The same on WhatsApp: whatsapp:+1…." };
const MESSAGING_SERVICE_SID: OptionSpec = OptionSpec {
    key: "messagingServiceSid",
    doc: "A messaging service (MG…) that chooses the number, in place of from.",
};
const PHONE_NUMBER_SID: OptionSpec = OptionSpec {
    key: "phoneNumberSid",
    doc: "The SID (PN…) of the number whose webhook is set by `channels register`; looked up by from if left out.",
};
const STATUS_CALLBACKS: OptionSpec =
    OptionSpec { key: "statusCallbacks", doc: "false: Twilio is not asked to tell whether a message was delivered." };

/// All secrets, for the registry.
pub(crate) const SECRETS: &[SecretSpec] = &[AUTH_TOKEN, API_KEY_SECRET, SHARED_KEY];

/// All options, for the registry.
pub(crate) const OPTIONS: &[OptionSpec] = &[
    API_BASE_URL,
    ACCOUNT_SID,
    WEBHOOK_URL,
    API_KEY_SID,
    FROM,
    WHATSAPP_FROM,
    MESSAGING_SERVICE_SID,
    PHONE_NUMBER_SID,
    STATUS_CALLBACKS,
];

/// The options of one account, read.
pub(crate) struct Settings {
    pub(crate) account_sid: String,
    pub(crate) webhook_url: PublicUrl,
    pub(crate) api_key_sid: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) whatsapp_from: Option<String>,
    pub(crate) messaging_service_sid: Option<String>,
    pub(crate) phone_number_sid: Option<String>,
    pub(crate) status_callbacks: bool,
}

impl Settings {
    pub(crate) fn read(settings: &AccountSettings) -> Result<Self, ConfigProblem> {
        let account_sid = sid(settings, &ACCOUNT_SID, "AC")?;
        let account_sid = account_sid.ok_or_else(|| missing(&ACCOUNT_SID))?;
        let url = settings.text(WEBHOOK_URL.key)?.ok_or_else(|| missing(&WEBHOOK_URL))?;
        let webhook_url = PublicUrl::parse(url).ok_or_else(|| {
            ConfigProblem::option(WEBHOOK_URL.key, "it is not a URL", "write it as https://host[:port]/path")
        })?;
        let whatsapp_from = settings.text(WHATSAPP_FROM.key)?.map(str::to_owned);
        if whatsapp_from.as_deref().is_some_and(|from| !is_whatsapp(from)) {
            let what = "it does not begin with whatsapp:";
            return Err(ConfigProblem::option(WHATSAPP_FROM.key, what, "write it as whatsapp:+14155238886"));
        }
        Ok(Self {
            account_sid,
            webhook_url,
            api_key_sid: sid(settings, &API_KEY_SID, "SK")?,
            from: settings.text(FROM.key)?.map(str::to_owned),
            whatsapp_from,
            messaging_service_sid: sid(settings, &MESSAGING_SERVICE_SID, "MG")?,
            phone_number_sid: sid(settings, &PHONE_NUMBER_SID, "PN")?,
            status_callbacks: yes_unless_told(settings, &STATUS_CALLBACKS)?,
        })
    }
}

fn missing(spec: &OptionSpec) -> ConfigProblem {
    ConfigProblem::option(spec.key, "it is missing", spec.doc)
}

/// An id of Twilio's, which becomes part of a path: two letters, then letters and digits.
fn sid(settings: &AccountSettings, spec: &OptionSpec, prefix: &str) -> Result<Option<String>, ConfigProblem> {
    let Some(text) = settings.text(spec.key)? else { return Ok(None) };
    let fit = text.starts_with(prefix) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let unfit = || ConfigProblem::option(spec.key, format!("it is no SID that begins with {prefix}"), spec.doc);
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
    let keys =
        |spec: &SecretSpec, secret: &Secret| ProofKeys::words(secret).map_err(|unfit| ConfigProblem::key(spec, unfit));
    let shared_key = settings.optional_secret(&SHARED_KEY).map(|secret| keys(&SHARED_KEY, secret)).transpose()?;
    let auth_token = keys(&AUTH_TOKEN, settings.secret(&AUTH_TOKEN)?)?;
    Ok(Proof { url: read.webhook_url.clone(), auth_token, shared_key })
}

/// What authorises our calls.
pub(crate) struct Credentials {
    /// What we send and fetch.
    pub(crate) sender: HeaderValue,
    /// Set-up.
    pub(crate) owner: HeaderValue,
    /// What no error may show.
    pub(crate) hidden: Vec<Secret>,
}

/// The API key if there is one, else the account and the newest of its auth tokens.
pub(crate) fn credentials(settings: &AccountSettings, read: &Settings) -> Result<Credentials, ConfigProblem> {
    let auth_token = settings.secret(&AUTH_TOKEN)?;
    let newest = auth_token.expose().split_whitespace().next().unwrap_or_default();
    let owner = basic(&read.account_sid, newest);
    let key_secret = settings.optional_secret(&API_KEY_SECRET);
    let sender = match (&read.api_key_sid, key_secret) {
        (Some(sid), Some(secret)) => basic(sid, secret.expose().trim()),
        (None, None) => owner.clone(),
        (Some(_), None) => {
            return Err(ConfigProblem::SecretMissing { key: API_KEY_SECRET.key, env: API_KEY_SECRET.env });
        }
        (None, Some(_)) => return Err(missing(&API_KEY_SID)),
    };
    let shared_key = settings.optional_secret(&SHARED_KEY);
    let hidden = [Some(auth_token), key_secret, shared_key].into_iter().flatten().cloned();
    // Whoever quotes our request may quote the header.
    let headers = [&owner, &sender].map(|header| Secret::new(header.clone()));
    Ok(Credentials { sender: header(&sender)?, owner: header(&owner)?, hidden: hidden.chain(headers).collect() })
}

fn basic(user: &str, password: &str) -> String {
    STANDARD.encode(format!("{user}:{password}"))
}

fn header(basic: &str) -> Result<HeaderValue, ConfigProblem> {
    // Base64 can stand in a header whatever was encoded.
    let unfit = |_| ConfigProblem::secret(AUTH_TOKEN.key, "it cannot stand in a header", AUTH_TOKEN.doc);
    let mut header = HeaderValue::from_str(&format!("Basic {basic}")).map_err(unfit)?;
    header.set_sensitive(true);
    Ok(header)
}
