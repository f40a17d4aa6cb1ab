//! Telling Telegram where we are, and asking how we are doing.

use std::time::Duration;

use chela_core::channel::{Health, MenuEntry, Registration, SendError};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Telegram;

const TIMEOUT: Duration = Duration::from_secs(15);

/// What [`crate::inbound`] reads; other kinds would only wake us up. Naming them also forgets what an earlier
/// registration asked for. <https://core.telegram.org/bots/api#setwebhook>
const UPDATES: [&str; 5] = ["message", "edited_message", "channel_post", "edited_channel_post", "callback_query"];

#[derive(Deserialize)]
struct Bot {
    username: String,
}

#[derive(Deserialize)]
struct WebhookInfo {
    #[serde(default)]
    url: String,
    #[serde(default)]
    pending_update_count: u64,
    last_error_message: Option<String>,
}

impl Telegram {
    /// Sets the webhook and the menu, which is the same in all chats and languages.
    pub(crate) async fn set_webhook(&self, url: &str, menu: &[MenuEntry]) -> Result<Registration, SendError> {
        let body = json!({ "url": url, "secret_token": self.secret_token.expose(), "allowed_updates": UPDATES });
        self.call("setWebhook", &body, TIMEOUT).await.map_err(|why| self.plainly(why))?;
        // https://core.telegram.org/bots/api#setmycommands
        let entry = |entry: &MenuEntry| json!({ "command": entry.name, "description": entry.description });
        let commands: Vec<Value> = menu.iter().map(entry).collect();
        self.call("setMyCommands", &json!({ "commands": commands }), TIMEOUT).await.map_err(|why| self.plainly(why))?;
        let names: String = menu.iter().map(|entry| format!(" /{}", entry.name)).collect();
        Ok(Registration::Done { summary: format!("Telegram posts {} to {url}; menu:{names}", UPDATES.join(", ")) })
    }

    pub(crate) async fn ask_health(&self) -> Result<Health, SendError> {
        let bot: Bot = self.ask("getMe").await?;
        let webhook: WebhookInfo = self.ask("getWebhookInfo").await?;
        let mut summary = format!("@{}", bot.username);
        let named = self.me.username.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&bot.username));
        if !named {
            summary.push_str(&format!("; mentions are not recognised until botUsername is \"{}\"", bot.username));
        }
        let registered = !webhook.url.is_empty();
        if registered {
            summary.push_str(&format!("; posts to {}; {} waiting", webhook.url, webhook.pending_update_count));
        } else {
            summary.push_str("; posts nowhere: run `chela channels register telegram`");
        }
        if let Some(error) = webhook.last_error_message {
            summary.push_str(&format!("; last error: {error}"));
        }
        Ok(Health { ok: named && registered, summary })
    }

    async fn ask<T: for<'de> Deserialize<'de>>(&self, method: &str) -> Result<T, SendError> {
        let result = self.call(method, &Value::Object(serde_json::Map::new()), TIMEOUT).await;
        let result = result.map_err(|why| self.plainly(why))?;
        serde_json::from_value(result).map_err(|_| self.api.unknown("the answer is not one of the Bot API"))
    }
}
