//! Secrets and options of an account.

use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::{AccountSettings, ConfigProblem, OptionSpec, SecretSpec};
use chela_meta::options::object_id;
use chela_meta::{APP_ID, App, GRAPH_API_VERSION, REPLY_TO_MODE, ReplyToMode, Webhook};

/// Proves what Meta posts.
pub(crate) const APP_SECRET: SecretSpec = SecretSpec {
    key: "appSecret",
    env: "WHATSAPP_APP_SECRET",
    doc: "The app's secret: App Dashboard → App settings → Basic → App secret.",
    required: true,
};

/// Proves that Meta asks for our challenge.
pub(crate) const VERIFY_TOKEN: SecretSpec = SecretSpec {
    key: "verifyToken",
    env: "WHATSAPP_VERIFY_TOKEN",
    doc: "A random word of your own, which Meta repeats when the webhook is set.",
    required: true,
};

/// Authorises what we send and fetch.
pub(crate) const ACCESS_TOKEN: SecretSpec = SecretSpec {
    key: "accessToken",
    env: "WHATSAPP_ACCESS_TOKEN",
    doc: "A system user's token with whatsapp_business_messaging and whatsapp_business_management: Business settings → \
          System users → Generate token.",
    required: true,
};

/// All secrets.
pub(crate) const SECRETS: &[SecretSpec] = &[APP_SECRET, VERIFY_TOKEN, ACCESS_TOKEN];

const PHONE_NUMBER_ID: OptionSpec = OptionSpec {
    key: "phoneNumberId",
    doc: "The id (not the digits) of the number: messages to other numbers are ignored; without it all are answered.",
};

const WABA_ID: OptionSpec = OptionSpec {
    key: "wabaId",
    doc: "The WhatsApp Business Account's id: with it `chela channels register` subscribes the app to its messages.",
};

const TEMPLATE_NAME: OptionSpec = OptionSpec {
    key: "templateName",
    doc: "The approved template, without variables, that is sent instead of an answer to a person who has not written for \
          24 hours.",
};

const TEMPLATE_LANGUAGE: OptionSpec =
    OptionSpec { key: "templateLanguage", doc: "The language of that template, en_US if left out." };

const LIST_BUTTON: OptionSpec = OptionSpec {
    key: "listButton",
    doc: "The words on the button that opens a list of choices, \"Choose\" if left out.",
};

/// All options.
pub(crate) const OPTIONS: &[OptionSpec] = &[
    PHONE_NUMBER_ID,
    WABA_ID,
    APP_ID,
    TEMPLATE_NAME,
    TEMPLATE_LANGUAGE,
    LIST_BUTTON,
    REPLY_TO_MODE,
    GRAPH_API_VERSION,
    API_BASE_URL,
];

/// Most words on the button of a list.
const MOST_LIST_BUTTON: usize = 20;

/// What an account's options say.
pub(crate) struct Settings {
    pub(crate) phone_number_id: Option<String>,
    pub(crate) waba_id: Option<String>,
    pub(crate) app: Option<App>,
    pub(crate) template: Option<Template>,
    pub(crate) list_button: String,
    /// `None` quotes in groups and not in private.
    pub(crate) quotes: Option<ReplyToMode>,
}

/// A template.
pub(crate) struct Template {
    pub(crate) name: String,
    pub(crate) language: String,
}

impl Settings {
    pub(crate) fn read(settings: &AccountSettings, webhook: &Webhook) -> Result<Self, ConfigProblem> {
        let app = object_id(settings, APP_ID.key)?.map(|id| App { id, secret: webhook.app_secret() });
        Ok(Self {
            phone_number_id: object_id(settings, PHONE_NUMBER_ID.key)?,
            waba_id: object_id(settings, WABA_ID.key)?,
            app,
            template: template(settings)?,
            list_button: list_button(settings)?,
            quotes: ReplyToMode::of(settings)?,
        })
    }
}

fn template(settings: &AccountSettings) -> Result<Option<Template>, ConfigProblem> {
    let word = |key: &'static str, text: &str| {
        let fit = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let fix = "copy it from WhatsApp Manager → Message templates";
        if fit { Ok(text.to_owned()) } else { Err(ConfigProblem::option(key, "it is no such word", fix)) }
    };
    let language = settings.text(TEMPLATE_LANGUAGE.key)?.unwrap_or("en_US");
    let language = word(TEMPLATE_LANGUAGE.key, language)?;
    let Some(name) = settings.text(TEMPLATE_NAME.key)? else { return Ok(None) };
    Ok(Some(Template { name: word(TEMPLATE_NAME.key, name)?, language }))
}

fn list_button(settings: &AccountSettings) -> Result<String, ConfigProblem> {
    let words = settings.text(LIST_BUTTON.key)?.unwrap_or("Choose");
    if words.trim().is_empty() || words.encode_utf16().count() > MOST_LIST_BUTTON {
        return Err(ConfigProblem::option(LIST_BUTTON.key, "it is blank or longer than 20 characters", "shorten it"));
    }
    Ok(words.to_owned())
}
