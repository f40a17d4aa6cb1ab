//! Telling Discord where we are and which commands there are, and asking how we are doing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chela_channel_kit::ConfigProblem;
use chela_core::channel::{Health, MenuEntry, Registration, SendError};
use chela_core::secret::Secret;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::inbound::ASK;
use crate::place::is_snowflake;
use crate::rest::{ADMINISTRATION, As, Failure};
use crate::{APPLICATION_ID, Discord};

/// <https://docs.discord.com/developers/interactions/application-commands#application-command-object-application-command-option-type>
const TEXT: u8 = 3;
const ATTACHMENT: u8 = 11;

#[derive(Deserialize)]
struct Application {
    id: String,
    interactions_endpoint_url: Option<String>,
    verify_key: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    username: String,
}

/// The bot's user: as configured, else the first part of the token, which is the id in Base64; `None` if it is not.
pub(crate) fn bot_id(token: &Secret, configured: Option<&str>) -> Result<Option<String>, ConfigProblem> {
    if let Some(id) = configured.map(str::trim).filter(|id| !id.is_empty()) {
        let unfit = || ConfigProblem::option(APPLICATION_ID.key, "it is no id", "copy the digits, in quotes");
        return if is_snowflake(id) { Ok(Some(id.to_owned())) } else { Err(unfit()) };
    }
    let first = token.expose().trim().split('.').next().unwrap_or_default();
    let id = STANDARD_NO_PAD.decode(first.trim_end_matches('=')).ok().and_then(|id| String::from_utf8(id).ok());
    Ok(id.filter(|id| is_snowflake(id)))
}

impl Discord {
    /// Sets the endpoint, which Discord tries at once, and then the commands. Both calls replace what was there.
    pub(crate) async fn set_up(&self, url: &str, menu: &[MenuEntry]) -> Result<Registration, SendError> {
        let body = json!({ "interactions_endpoint_url": url });
        let application: Application = self.ask(Method::PATCH, "/applications/@me", Some(&body)).await?;
        if !is_snowflake(&application.id) {
            return Err(self.rest.without_id());
        }
        let commands = commands(menu);
        let path = format!("/applications/{}/commands", application.id);
        let _set: Value = self.ask(Method::PUT, &path, Some(&commands)).await?;
        let names: Vec<&str> = menu.iter().map(|entry| entry.name).filter(|name| *name != ASK).collect();
        let names: String = names.into_iter().map(|name| format!(", /{name}")).collect();
        Ok(Registration::Done {
            summary: format!("Discord posts commands and buttons to {url}; the commands are /{ASK}{names}"),
        })
    }

    pub(crate) async fn ask_health(&self) -> Result<Health, SendError> {
        let bot: User = self.ask(Method::GET, "/users/@me", None).await?;
        let application: Application = self.ask(Method::GET, "/applications/@me", None).await?;
        let mut summary = format!("@{} ({})", bot.username, bot.id);
        let mut ok = true;
        let mut add = |fine: bool, words: &str| {
            ok &= fine;
            summary.push_str("; ");
            summary.push_str(words);
        };
        match application.interactions_endpoint_url.filter(|url| !url.is_empty()) {
            Some(url) => add(true, &format!("posts to {url}")),
            None => add(false, "posts nowhere: run `chela channels register discord`"),
        }
        let key = application.verify_key.unwrap_or_default();
        if !self.keys.iter().any(|own| hex::encode(own.as_bytes()) == key) {
            add(false, "publicKey is another application's: copy it again from General Information");
        }
        if self.bot.as_ref().is_some_and(|own| *own != bot.id) {
            add(false, &format!("applicationId must be \"{}\"", bot.id));
        }
        if self.bridge.is_none() {
            add(true, "ordinary messages are heard through a bridge only, and there is no bridgeSecret");
        }
        Ok(Health { ok, summary })
    }

    async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, SendError> {
        let reply = self.rest.call(As::Bot, method, path, body, ADMINISTRATION).await;
        let reply = reply.map_err(|Failure { error, .. }| error)?;
        reply.json().ok_or_else(|| self.rest.api.unknown("the answer is not one of Discord's API"))
    }
}

/// All global commands: `/ask`, which carries a message, and the menu.
/// <https://docs.discord.com/developers/interactions/application-commands#bulk-overwrite-global-application-commands>
fn commands(menu: &[MenuEntry]) -> Value {
    let option = |kind: u8, name: &str, description: &str, required: bool| json!({ "type": kind, "name": name, "description": description, "required": required });
    let ask = json!({
        "name": ASK,
        "type": 1,
        "description": "Write to the assistant",
        "options": [
            option(TEXT, "text", "What you want to say", true),
            option(ATTACHMENT, "file", "A file that belongs to it", false),
        ],
    });
    let entry = |entry: &MenuEntry| {
        let text = option(TEXT, "text", "What belongs to it", false);
        let options: Vec<Value> = entry.takes_text.then_some(text).into_iter().collect();
        json!({ "name": entry.name, "type": 1, "description": entry.description, "options": options })
    };
    let menu = menu.iter().filter(|entry| entry.name != ASK).map(entry);
    std::iter::once(ask).chain(menu).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bot_is_known_by_its_token_or_by_the_owner() {
        let of = |token: &str, id| bot_id(&Secret::new(token), id);
        assert_eq!(of("MTEwMDAwMDAwMDAwMDAwMDAwMQ.x.y", None), Ok(Some("1100000000000000001".to_owned())));
        assert_eq!(of("MTEwMDAwMDAwMDAwMDAwMDAwMQ==.x.y", Some(" ")), Ok(Some("1100000000000000001".to_owned())));
        assert_eq!(of("aGVsbG8.x.y", None), Ok(None));
        assert_eq!(of("any-word", Some(" 7 ")), Ok(Some("7".to_owned())));
        assert!(of("any-word", Some("@me")).unwrap_err().to_string().contains("applicationId"));
    }
}
