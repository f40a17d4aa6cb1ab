//! Telling Plivo where we are, and asking how we are doing.

use std::time::Duration;

use chela_channel_kit::ApiCall;
use chela_core::channel::{Health, Registration, SendError};
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::Plivo;

const TIMEOUT: Duration = Duration::from_secs(15);

/// <https://www.plivo.com/docs/account/api/account/the-account-object/>
#[derive(Deserialize)]
struct Account {
    #[serde(default)]
    name: String,
    #[serde(default)]
    cash_credits: String,
}

/// <https://www.plivo.com/docs/numbers/api/account-phone-number>
#[derive(Deserialize)]
struct Number {
    /// `/v1/Account/MA…/Application/29986316244302815/`.
    #[serde(default)]
    application: Option<String>,
}

/// <https://www.plivo.com/docs/account/api/application/update-an-application/>
#[derive(Deserialize)]
struct Application {
    #[serde(default)]
    message_url: Option<String>,
}

impl Plivo {
    /// Sets the webhook of the application that the number belongs to. Always to `webhookUrl`: posts to another URL could not
    /// be verified.
    pub(crate) async fn set_webhook(&self, deployed: &str) -> Result<Registration, SendError> {
        let url = self.settings.webhook_url.configured();
        let Some(id) = self.application_id().await? else { return Ok(Registration::Manual { steps: steps(url) }) };
        let body = json!({ "message_url": url, "message_method": "POST" });
        self.judge(&self.post(&self.resource(&format!("Application/{id}")), &body, TIMEOUT).await?)?;
        let mut summary = format!("the application {id} posts to {url}");
        if !url.starts_with(deployed) {
            summary.push_str(&format!("; this is webhookUrl, and the deployment is at {deployed}"));
        }
        Ok(Registration::Done { summary })
    }

    pub(crate) async fn ask_health(&self) -> Result<Health, SendError> {
        let account: Account = self.ask(&self.account_url()).await?;
        let url = self.settings.webhook_url.configured();
        let mut summary = format!("{}: {} USD left", account.name, account.cash_credits);
        let Some(id) = self.application_id().await? else { return Ok(Health { ok: true, summary }) };
        let application: Application = self.ask(&self.resource(&format!("Application/{id}"))).await?;
        let set = application.message_url.unwrap_or_default();
        if set != url {
            let place = if set.is_empty() { "nowhere" } else { set.as_str() };
            summary.push_str(&format!("; application {id} posts to {place}: run `chela channels register plivo`"));
        }
        Ok(Health { ok: set == url, summary })
    }

    /// The configured application, or the one of the configured number; `None` if there is neither.
    async fn application_id(&self) -> Result<Option<String>, SendError> {
        if self.settings.app_id.is_some() {
            return Ok(self.settings.app_id.clone());
        }
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = self.settings.from.as_deref().map(|from| from.trim_start_matches('+'));
        // A name has no webhook of its own.
        let Some(number) = number.filter(|number| digits(number)) else { return Ok(None) };
        let found: Number = self.ask(&self.resource(&format!("Number/{number}"))).await?;
        let place = found.application.unwrap_or_default();
        // It becomes part of a path.
        Ok(place.trim_end_matches('/').rsplit('/').next().filter(|id| digits(id)).map(str::to_owned))
    }

    async fn ask<T: DeserializeOwned>(&self, url: &str) -> Result<T, SendError> {
        let reply = self.api.call(ApiCall::get(url, TIMEOUT).header(AUTHORIZATION, self.authorization.clone())).await?;
        self.judge(&reply)?;
        reply.json().ok_or_else(|| self.api.unknown("the answer is not one of Plivo's"))
    }
}

fn steps(url: &str) -> Vec<String> {
    vec![
        "Open https://console.plivo.com".to_owned(),
        "Messaging → Applications → XML: add an application, or open yours".to_owned(),
        format!("Message URL: paste {url} exactly as it is written in webhookUrl; method POST; save"),
        "Phone Numbers → your number → Application type: XML Application → this application; update".to_owned(),
    ]
}
