//! What `channels.email` (or one of its accounts) may say.

use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::{AccountSettings, ConfigProblem, OptionSpec, SecretSpec};
use serde_json::Value;

use crate::address;

/// Verifies what a forwarder posts.
pub const WEBHOOK_SECRET: SecretSpec = SecretSpec {
    key: "webhookSecret",
    env: "EMAIL_WEBHOOK_SECRET",
    doc: "A random word that you share with whoever forwards mail, made with: openssl rand -hex 32; several, separated by a space, while you rotate it, the new one first.",
    required: true,
};

/// Who sends through Amazon SES.
pub(crate) const ACCESS_KEY_ID: SecretSpec = SecretSpec {
    key: "accessKeyId",
    env: "AWS_ACCESS_KEY_ID",
    doc: "The id of an AWS access key that may send mail; on Lambda the function's own, which is set there.",
    required: true,
};

/// Signs what is sent through Amazon SES.
pub(crate) const SECRET_ACCESS_KEY: SecretSpec = SecretSpec {
    key: "secretAccessKey",
    env: "AWS_SECRET_ACCESS_KEY",
    doc: "The secret of that access key.",
    required: true,
};

/// Goes with keys that expire.
pub(crate) const SESSION_TOKEN: SecretSpec = SecretSpec {
    key: "sessionToken",
    env: "AWS_SESSION_TOKEN",
    doc: "The session token of an access key that expires, such as a function's; keys of a user have none.",
    required: false,
};

/// Our own address.
pub const ADDRESS: OptionSpec =
    OptionSpec { key: "address", doc: "The account's own address: mail for it comes here, and answers come from it." };
const FROM_NAME: OptionSpec = OptionSpec { key: "fromName", doc: "The name beside the address; none if left out." };
const REGION: OptionSpec = OptionSpec {
    key: "region",
    doc: "The AWS region that sends, such as \"eu-central-1\", or \"${AWS_REGION}\", which Lambda sets.",
};
const TRUST_UNAUTHENTICATED: OptionSpec = OptionSpec {
    key: "trustUnauthenticated",
    doc: "true: believe From also where neither DMARC nor DKIM proved it. Anybody can then write in anybody's name.",
};
const PLUS_ADDRESSING: OptionSpec = OptionSpec {
    key: "plusAddressing",
    doc: "true: answers are to be sent to user+<conversation>@domain, which keeps conversations together with every client; only where mail to such addresses arrives.",
};

/// All secrets, for the registry.
pub(crate) const SECRETS: &[SecretSpec] = &[WEBHOOK_SECRET, ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN];

/// All options, for the registry.
pub(crate) const OPTIONS: &[OptionSpec] =
    &[ADDRESS, FROM_NAME, REGION, TRUST_UNAUTHENTICATED, PLUS_ADDRESSING, API_BASE_URL];

/// The options of one account, read.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Our own address, in lower case and without a tag.
    pub(crate) address: String,
    /// The name beside it.
    pub(crate) from_name: Option<String>,
    /// The AWS region that sends.
    pub(crate) region: String,
    /// Whether unproven authors are believed.
    pub(crate) trust_unauthenticated: bool,
    /// Whether answers come back to a tagged address.
    pub(crate) plus_addressing: bool,
}

impl Settings {
    /// Reads the account's options.
    pub(crate) fn read(settings: &AccountSettings) -> Result<Self, ConfigProblem> {
        let missing = |spec: OptionSpec, fix: &str| ConfigProblem::option(spec.key, "it is missing", fix);
        let own =
            settings.text(ADDRESS.key)?.ok_or_else(|| missing(ADDRESS, "write the address that is written to"))?;
        let unfit = |what: &str| ConfigProblem::option(ADDRESS.key, what, "write it as bot@example.org");
        let own = address::normal(own).ok_or_else(|| unfit("it is no address"))?;
        if address::without_tag(&own).1.is_some() {
            return Err(unfit("a + begins the tag of a conversation"));
        }
        let region =
            settings.text(REGION.key)?.ok_or_else(|| missing(REGION, "write \"eu-central-1\" or \"${AWS_REGION}\""))?;
        if region.is_empty() || !region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(ConfigProblem::option(REGION.key, "it is no region", "write it as eu-central-1"));
        }
        let from_name = settings.text(FROM_NAME.key)?.map(address::plain).filter(|name| !name.is_empty());
        Ok(Self {
            address: own,
            from_name,
            region: region.to_owned(),
            trust_unauthenticated: flag(settings, TRUST_UNAUTHENTICATED)?,
            plus_addressing: flag(settings, PLUS_ADDRESSING)?,
        })
    }
}

/// An option that is true or false; absent is false. Nothing else is taken for either: one of them opens a door.
fn flag(settings: &AccountSettings, spec: OptionSpec) -> Result<bool, ConfigProblem> {
    match settings.options.get(spec.key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(set)) => Ok(*set),
        Some(_) => Err(ConfigProblem::option(spec.key, "it must be true or false", "write it without quotes")),
    }
}
