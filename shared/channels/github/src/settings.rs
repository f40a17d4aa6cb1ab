//! What `channels.github` (or one of its accounts) may say.

use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::{AccountSettings, ConfigProblem, OptionSpec, SecretSpec};
use url::Url;

/// Signs what GitHub sends.
pub(crate) const WEBHOOK_SECRET: SecretSpec = SecretSpec {
    key: "webhookSecret",
    env: "GITHUB_WEBHOOK_SECRET",
    doc: "the secret of the webhook: a long random word of your own, given to GitHub with the URL.",
    required: true,
};

/// Authorises what we send, as a person.
pub(crate) const TOKEN: SecretSpec = SecretSpec {
    key: "token",
    env: "GITHUB_BOT_TOKEN",
    doc: "a personal access token of the bot's own user, from Settings → Developer settings → Personal access tokens.",
    required: false,
};

/// Authorises what we send, as an app.
pub(crate) const PRIVATE_KEY: SecretSpec = SecretSpec {
    key: "privateKey",
    env: "GITHUB_APP_PRIVATE_KEY",
    doc: "a private key of the GitHub App in PEM, from the app's settings → General → Private keys.",
    required: false,
};

/// All secrets, for the registry.
pub(crate) const SECRETS: &[SecretSpec] = &[WEBHOOK_SECRET, TOKEN, PRIVATE_KEY];

/// The account that is mentioned.
pub(crate) const BOT_LOGIN: OptionSpec =
    OptionSpec { key: "botLogin", doc: "The login people mention: the bot's user name, or the app's slug; required." };

/// Needed beside [`PRIVATE_KEY`].
pub(crate) const APP_ID: OptionSpec =
    OptionSpec { key: "appId", doc: "The GitHub App's id or client id, needed beside privateKey." };

/// The repositories that are heard.
pub(crate) const REPOS: OptionSpec = OptionSpec {
    key: "repos",
    doc: "Repositories that are heard, as [\"owner/name\", \"owner/*\"] or by numeric id; required beside privateKey; left out beside a token, all that post are.",
};

const ALLOW_ASSOCIATIONS: OptionSpec = OptionSpec {
    key: "allowAssociations",
    doc: "Whose comments are heard, by what the author is to the repository; [\"OWNER\", \"MEMBER\", \"COLLABORATOR\"] if left out.",
};

/// All options, for the registry.
pub(crate) const OPTIONS: &[OptionSpec] = &[API_BASE_URL, BOT_LOGIN, APP_ID, REPOS, ALLOW_ASSOCIATIONS];

/// <https://docs.github.com/en/graphql/reference/enums#commentauthorassociation>
const ASSOCIATIONS: [&str; 8] =
    ["COLLABORATOR", "CONTRIBUTOR", "FIRST_TIMER", "FIRST_TIME_CONTRIBUTOR", "MANNEQUIN", "MEMBER", "NONE", "OWNER"];

/// Who can write to the repository, or owns it. Everybody can comment on a public one.
const TRUSTED: [&str; 3] = ["OWNER", "MEMBER", "COLLABORATOR"];

/// The options of one account, read.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Without `@` and `[bot]`.
    pub(crate) bot_login: String,
    /// The app, where there is one.
    pub(crate) app_id: Option<String>,
    /// Repositories that are heard.
    pub(crate) repos: Repos,
    /// Without a slash at its end.
    pub(crate) base_url: String,
    /// Where the web pages are: files of comments lie there.
    pub(crate) web_url: String,
    associations: Vec<String>,
}

/// Repositories that are heard; `None` is all.
#[derive(Clone, Debug)]
pub(crate) struct Repos(Option<Vec<String>>);

impl Repos {
    /// Whether a repository is heard.
    pub(crate) fn contain(&self, id: u64, full_name: &str) -> bool {
        let Some(listed) = &self.0 else { return true };
        let owner = full_name.split('/').next().unwrap_or_default();
        listed.iter().any(|entry| match entry.strip_suffix("/*") {
            Some(whole) => whole.eq_ignore_ascii_case(owner),
            None => entry.eq_ignore_ascii_case(full_name) || *entry == id.to_string(),
        })
    }

    /// Those that are listed by name.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = self.0.iter().flatten().filter_map(|entry| entry.split_once('/'));
        names.filter(|(_, name)| *name != "*")
    }
}

impl Settings {
    /// Reads the options of an account.
    pub(crate) fn read(account: &AccountSettings) -> Result<Self, ConfigProblem> {
        let text = |spec: &OptionSpec| {
            let text = account.text(spec.key)?.map(str::trim).filter(|text| !text.is_empty());
            Ok::<_, ConfigProblem>(text.map(str::to_owned))
        };
        let login = text(&BOT_LOGIN)?.map(|login| bare(&login).to_owned());
        let bot_login = login.filter(|login| is_login(login)).ok_or_else(|| {
            ConfigProblem::option(BOT_LOGIN.key, "it is no login of GitHub", format!("set it: {}", BOT_LOGIN.doc))
        })?;
        let base_url = account.base_url("https://api.github.com")?;
        Ok(Self {
            bot_login,
            app_id: text(&APP_ID)?,
            repos: Repos(listed(account)?),
            web_url: web_url(&base_url),
            base_url,
            associations: associations(account)?,
        })
    }

    /// Whether somebody is heard who is this to the repository.
    pub(crate) fn hears(&self, association: &str) -> bool {
        self.associations.iter().any(|heard| heard == association)
    }

    /// Whether this login is ours.
    pub(crate) fn is_us(&self, login: &str) -> bool {
        bare(login).eq_ignore_ascii_case(&self.bot_login)
    }
}

fn bare(login: &str) -> &str {
    let login = login.strip_prefix('@').unwrap_or(login);
    login.strip_suffix("[bot]").unwrap_or(login)
}

/// Letters, digits and hyphens; an underscore stands in logins that a company manages.
pub(crate) fn is_login(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn listed(account: &AccountSettings) -> Result<Option<Vec<String>>, ConfigProblem> {
    let fix = "write it as [\"owner/name\"], or [\"owner/*\"]";
    let listed: Vec<String> = account.texts(REPOS.key)?.iter().map(|entry| entry.trim().to_owned()).collect();
    let fits = |entry: &String| {
        let (owner, name) = entry.split_once('/').unwrap_or(("", entry));
        let id = owner.is_empty() && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        id || (is_login(owner) && (name == "*" || crate::rest::is_repo(name)))
    };
    if !listed.iter().all(fits) {
        return Err(ConfigProblem::option(REPOS.key, "an entry names no repository", fix));
    }
    let given = account.options.get(REPOS.key).is_some_and(|value| !value.is_null());
    Ok(given.then_some(listed))
}

fn associations(account: &AccountSettings) -> Result<Vec<String>, ConfigProblem> {
    let given = account.texts(ALLOW_ASSOCIATIONS.key)?;
    if account.options.get(ALLOW_ASSOCIATIONS.key).is_none_or(serde_json::Value::is_null) {
        return Ok(TRUSTED.map(str::to_owned).to_vec());
    }
    let given: Vec<String> = given.iter().map(|one| one.trim().to_ascii_uppercase()).collect();
    if given.iter().all(|one| ASSOCIATIONS.contains(&one.as_str())) {
        return Ok(given);
    }
    let fix = format!("choose from {}", ASSOCIATIONS.join(", "));
    Err(ConfigProblem::option(ALLOW_ASSOCIATIONS.key, "an entry is no association of GitHub", fix))
}

/// GitHub has its API on a host of its own, also for companies at `ghe.com`; GitHub Enterprise Server has it on the host of
/// its pages. <https://docs.github.com/en/enterprise-server@latest/rest/using-the-rest-api/getting-started-with-the-rest-api>
fn web_url(base_url: &str) -> String {
    let Ok(url) = Url::parse(base_url) else { return base_url.to_owned() };
    let host = url.host_str().and_then(|host| host.strip_prefix("api."));
    match host.filter(|host| *host == "github.com" || host.ends_with(".ghe.com")) {
        Some(host) => format!("https://{host}"),
        None => url.origin().ascii_serialization(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_heard_by_name_by_owner_and_by_id() {
        let repos = Repos(Some(["Octo/Hello", "acme/*", "42"].map(str::to_owned).to_vec()));
        let heard = [(1, "octo/hello"), (1, "ACME/any"), (42, "renamed/now")];
        let unheard = [(1, "octo/hello2"), (1, "acme2/any"), (4, "x/y"), (1, "x/acme")];
        assert!(heard.iter().all(|(id, name)| repos.contain(*id, name)));
        assert!(!unheard.iter().any(|(id, name)| repos.contain(*id, name)));
        assert!(Repos(None).contain(1, "x/y") && !Repos(Some(vec![])).contain(1, "x/y"));
        assert_eq!(repos.named().collect::<Vec<_>>(), [("Octo", "Hello")]);
    }

    #[test]
    fn pages_are_where_the_api_is_but_on_github_itself() {
        assert_eq!(web_url("https://api.github.com"), "https://github.com");
        assert_eq!(web_url("https://api.acme.ghe.com"), "https://acme.ghe.com");
        assert_eq!(web_url("https://ghe.example.org/api/v3"), "https://ghe.example.org");
        assert_eq!(web_url("http://127.0.0.1:81"), "http://127.0.0.1:81");
    }
}
