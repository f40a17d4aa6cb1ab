//! What `channels.feishu` (or one of its accounts) may say. Keys that OpenClaw has too mean what they mean there.

use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::{AccountSettings, ConfigProblem, OptionSpec, ProofKeys, SecretSpec};

/// Authorises what we send.
pub(crate) const APP_SECRET: SecretSpec = SecretSpec {
    key: "appSecret",
    env: "FEISHU_APP_SECRET",
    doc: "the app's App Secret, on its page Credentials & Basic Info.",
    required: true,
};

/// Signs and encrypts what Feishu sends.
pub(crate) const ENCRYPT_KEY: SecretSpec = SecretSpec {
    key: "encryptKey",
    env: "FEISHU_ENCRYPT_KEY",
    doc: "the Encrypt Key, on the app's page Events & Callbacks → Encryption Strategy; with it every post is signed.",
    required: false,
};

/// Repeated in what Feishu sends.
pub(crate) const VERIFICATION_TOKEN: SecretSpec = SecretSpec {
    key: "verificationToken",
    env: "FEISHU_VERIFICATION_TOKEN",
    doc: "the Verification Token, on the app's page Events & Callbacks → Encryption Strategy.",
    required: false,
};

/// All secrets, for the registry.
pub(crate) const SECRETS: &[SecretSpec] = &[APP_SECRET, ENCRYPT_KEY, VERIFICATION_TOKEN];

const APP_ID: OptionSpec =
    OptionSpec { key: "appId", doc: "The app's App ID (cli_…), on its page Credentials & Basic Info." };

const BOT_OPEN_ID: OptionSpec = OptionSpec {
    key: "botOpenId",
    doc: "The bot's own open_id (ou_…), shown by `chela channels status`; if left out, a mention of any bot is taken as one of us.",
};

const DOMAIN: OptionSpec = OptionSpec {
    key: "domain",
    doc: "feishu (open.feishu.cn, the default), lark (open.larksuite.com), or the base URL of another server.",
};

/// All options, for the registry.
pub(crate) const OPTIONS: &[OptionSpec] = &[API_BASE_URL, APP_ID, BOT_OPEN_ID, DOMAIN];

/// The options that hold a URL.
pub(crate) const URLS: &[&str] = &[API_BASE_URL.key, DOMAIN.key];

/// The options of one account, read.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The app.
    pub(crate) app_id: String,
    /// Our bot, where configured.
    pub(crate) bot_open_id: Option<String>,
    /// Where the API is, without a slash at its end.
    pub(crate) base_url: String,
    /// What proves that a post is Feishu's.
    pub(crate) proof: Proof,
}

/// The keys one of which must be there, or everybody could post.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    /// Signs and encrypts.
    pub(crate) encrypt_keys: Option<ProofKeys>,
    /// Stands in the body.
    pub(crate) tokens: Option<ProofKeys>,
}

impl Settings {
    /// Reads the options and keys of an account.
    pub(crate) fn read(account: &AccountSettings) -> Result<Self, ConfigProblem> {
        let word = |key| {
            let text = account.text(key)?.map(str::trim).filter(|text| !text.is_empty());
            Ok::<_, ConfigProblem>(text.map(str::to_owned))
        };
        let app_id = word(APP_ID.key)?
            .ok_or_else(|| ConfigProblem::option(APP_ID.key, "it is missing", format!("set it: {}", APP_ID.doc)))?;
        let keys = |spec: &SecretSpec| {
            let secret = account.optional_secret(spec);
            secret.map(|secret| ProofKeys::words(secret).map_err(|unfit| ConfigProblem::key(spec, unfit))).transpose()
        };
        let proof = Proof { encrypt_keys: keys(&ENCRYPT_KEY)?, tokens: keys(&VERIFICATION_TOKEN)? };
        if proof.encrypt_keys.is_none() && proof.tokens.is_none() {
            return Err(ConfigProblem::SecretMissing { key: ENCRYPT_KEY.key, env: ENCRYPT_KEY.env });
        }
        let base_url = match word(DOMAIN.key)?.as_deref() {
            None | Some("feishu") => account.base_url("https://open.feishu.cn")?,
            Some("lark") => account.base_url("https://open.larksuite.com")?,
            Some(url) if url.starts_with("https://") || url.starts_with("http://") => account.base_url(url)?,
            Some(_) => {
                let fix = "write \"feishu\", \"lark\", or https://host[:port]";
                return Err(ConfigProblem::option(DOMAIN.key, "it is no known domain", fix));
            }
        };
        Ok(Self { app_id, bot_open_id: word(BOT_OPEN_ID.key)?, base_url, proof })
    }
}
