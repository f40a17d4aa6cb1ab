//! Telling Twilio where we are, and asking how we are doing. Both as the account's owner: an API key may lack the right.

use std::time::Duration;

use chela_channel_kit::ApiCall;
use chela_core::channel::{Health, Registration, SendError};
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use crate::Twilio;

const TIMEOUT: Duration = Duration::from_secs(15);

/// <https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource>
#[derive(Deserialize)]
struct Number {
    sid: String,
    #[serde(default)]
    phone_number: String,
    #[serde(default)]
    sms_url: Option<String>,
}

#[derive(Deserialize)]
struct Numbers {
    #[serde(default)]
    incoming_phone_numbers: Vec<Number>,
}

/// <https://www.twilio.com/docs/iam/api/account>
#[derive(Deserialize)]
struct Account {
    #[serde(default)]
    friendly_name: String,
    #[serde(default)]
    status: String,
}

impl Twilio {
    /// Sets the webhook of the messaging service and of the number; those of WhatsApp senders are set by hand. Always to
    /// `webhookUrl`: posts to another URL could not be verified.
    pub(crate) async fn set_webhooks(&self, deployed: &str) -> Result<Registration, SendError> {
        let url = self.settings.webhook_url.configured();
        let mut done = Vec::new();
        if let Some(service) = &self.settings.messaging_service_sid {
            // https://www.twilio.com/docs/messaging/api/service-resource
            let place = format!("{}/v1/Services/{service}", self.messaging_base);
            let fields =
                [("InboundRequestUrl", url), ("InboundMethod", "POST"), ("UseInboundWebhookOnNumber", "false")];
            self.judge(&self.post(&place, &fields, &self.owner, TIMEOUT).await?)?;
            done.push(format!("the messaging service {service} posts to {url}"));
        }
        if let Some(number) = self.number().await? {
            let place = format!("{}/IncomingPhoneNumbers/{}.json", self.resources(), number.sid);
            let fields = [("SmsUrl", url), ("SmsMethod", "POST")];
            self.judge(&self.post(&place, &fields, &self.owner, TIMEOUT).await?)?;
            done.push(format!("the number {} posts to {url}", number.phone_number));
        }
        if done.is_empty() {
            return Ok(Registration::Manual { steps: steps(url) });
        }
        if self.settings.whatsapp_from.is_some() {
            done.push(format!(
                "set the webhook of the WhatsApp sender yourself: Console → Messaging → Senders → WhatsApp senders → {url}"
            ));
        }
        if !url.starts_with(deployed) {
            done.push(format!("this is webhookUrl, and the deployment is at {deployed}"));
        }
        Ok(Registration::Done { summary: done.join("; ") })
    }

    pub(crate) async fn ask_health(&self) -> Result<Health, SendError> {
        let account: Account = self.ask(&format!("{}.json", self.resources())).await?;
        let url = self.settings.webhook_url.configured();
        let mut summary = format!("{}: {}", account.friendly_name, account.status);
        let mut ok = account.status == "active";
        if let Some(number) = self.number().await? {
            let set = number.sms_url.unwrap_or_default();
            // In a messaging service the service's own webhook is the one that counts.
            let posts_here = set == url || self.settings.messaging_service_sid.is_some();
            ok &= posts_here;
            summary.push_str(&format!("; {}", number.phone_number));
            if !posts_here {
                let place = if set.is_empty() { "nowhere" } else { set.as_str() };
                summary.push_str(&format!(" posts to {place}: run `chela channels register twilio`"));
            }
        }
        Ok(Health { ok, summary })
    }

    /// The configured number, as Twilio knows it; `None` if none is configured or it is not the account's.
    async fn number(&self) -> Result<Option<Number>, SendError> {
        if let Some(sid) = &self.settings.phone_number_sid {
            return self.ask(&format!("{}/IncomingPhoneNumbers/{sid}.json", self.resources())).await.map(Some);
        }
        let Some(from) = self.settings.from.as_deref().filter(|from| from.starts_with('+')) else { return Ok(None) };
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("PhoneNumber", from).finish();
        let found: Numbers = self.ask(&format!("{}/IncomingPhoneNumbers.json?{query}", self.resources())).await?;
        Ok(found.incoming_phone_numbers.into_iter().find(|number| number.phone_number == from && is_sid(&number.sid)))
    }

    async fn ask<T: DeserializeOwned>(&self, url: &str) -> Result<T, SendError> {
        let reply = self.api.call(ApiCall::get(url, TIMEOUT).header(AUTHORIZATION, self.owner.clone())).await?;
        self.judge(&reply)?;
        reply.json().ok_or_else(|| self.api.unknown("the answer is not one of Twilio's"))
    }
}

/// It becomes part of a path.
fn is_sid(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn steps(url: &str) -> Vec<String> {
    vec![
        "Open https://console.twilio.com".to_owned(),
        "SMS: Phone Numbers → Manage → Active numbers → the number → Messaging Configuration → A message comes in: \
         Webhook, HTTP POST"
            .to_owned(),
        "WhatsApp: Messaging → Senders → WhatsApp senders → the sender → Webhook URL for incoming messages, HTTP POST \
         (in the sandbox: Messaging → Try it out → Send a WhatsApp message → Sandbox settings)"
            .to_owned(),
        format!("Paste {url} exactly as it is written in webhookUrl, and save"),
    ]
}
