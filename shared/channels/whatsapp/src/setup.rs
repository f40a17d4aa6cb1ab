//! Telling Meta where we are, and asking how the number is doing.

use chela_core::channel::{Health, MenuEntry, Registration, SendError};
use chela_meta::graph::ADMINISTRATION;
use chela_meta::subscription::{Subscription, subscribe, subscribe_object};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::WhatsApp;

/// What the webhook is told. Statuses come under the same name.
const FIELDS: [&str; 1] = ["messages"];

#[derive(Deserialize)]
struct Number {
    display_phone_number: Option<String>,
    verified_name: Option<String>,
    quality_rating: Option<String>,
}

#[derive(Deserialize)]
struct Subscribed {
    #[serde(default)]
    data: Vec<Value>,
}

impl WhatsApp {
    /// Sets the app's webhook, subscribes the app to the business account, and offers the commands: as far as the
    /// configured ids reach.
    pub(crate) async fn set_up(&self, url: &str, menu: &[MenuEntry]) -> Result<Registration, SendError> {
        let mut done = Vec::new();
        let mut left = Vec::new();
        if let Some(app) = &self.settings.app {
            let verify_token = self.webhook.verify_token();
            let object = "whatsapp_business_account";
            let subscription = Subscription { object, url, verify_token: &verify_token, fields: &FIELDS };
            subscribe(&self.graph, app, &subscription).await?;
            done.push(format!("Meta posts {} to {url}", FIELDS.join(", ")));
        } else {
            left.extend(webhook_steps(url));
        }
        if let Some(waba) = &self.settings.waba_id {
            // https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account/subscribed_apps
            subscribe_object(&self.graph, &format!("{waba}/subscribed_apps")).await?;
            done.push(format!("the app is subscribed to the business account {waba}"));
        } else {
            left.push(
                "Set channels.whatsapp.wabaId (WhatsApp → API Setup → WhatsApp Business Account ID) and run this again: \
                 it subscribes the app to the account's messages."
                    .to_owned(),
            );
        }
        if let Some(number) = &self.settings.phone_number_id {
            done.push(self.offer(number, menu).await?);
        }
        let done = done.join("; ");
        if left.is_empty() {
            return Ok(Registration::Done { summary: done });
        }
        let done = (!done.is_empty()).then(|| format!("Done by API: {done}. What is left:"));
        Ok(Registration::Manual { steps: done.into_iter().chain(left).collect() })
    }

    /// The commands that are shown after a slash.
    /// <https://developers.facebook.com/docs/whatsapp/cloud-api/phone-numbers/conversational-components>
    async fn offer(&self, number: &str, menu: &[MenuEntry]) -> Result<String, SendError> {
        let command =
            |entry: &MenuEntry| json!({ "command_name": entry.name, "command_description": entry.description });
        let commands: Vec<Value> = menu.iter().map(command).collect();
        let path = format!("{number}/conversational_automation");
        let offered = self.graph.post(&path, &json!({ "commands": commands }), ADMINISTRATION).await;
        match offered.map_err(SendError::from) {
            Ok(_) => Ok("the commands are offered".to_owned()),
            // Without them everything else works.
            Err(SendError::Refused { reason, .. }) => Ok(format!("the commands were refused: {reason}")),
            Err(other) => Err(other),
        }
    }

    /// The number's name and quality, and whether the app hears of its messages.
    pub(crate) async fn ask_health(&self) -> Result<Health, SendError> {
        match self.asked().await {
            Err(SendError::Refused { reason, .. }) => Ok(Health { ok: false, summary: reason }),
            other => other,
        }
    }

    async fn asked(&self) -> Result<Health, SendError> {
        let mut said = Vec::new();
        let mut ok = true;
        if let Some(number) = &self.settings.phone_number_id {
            let path = format!("{number}?fields=display_phone_number,verified_name,quality_rating");
            let number: Number = self.graph.read(&self.graph.get(&path, ADMINISTRATION).await?, "number")?;
            let known = [number.verified_name, number.display_phone_number].into_iter().flatten();
            said.push(known.collect::<Vec<_>>().join(" "));
            said.extend(number.quality_rating.map(|quality| format!("quality {quality}")));
        } else {
            said.push(
                "answers go out from the number that was written to; set phoneNumberId to answer for one".to_owned(),
            );
        }
        if let Some(waba) = &self.settings.waba_id {
            let reply = self.graph.get(&format!("{waba}/subscribed_apps"), ADMINISTRATION).await?;
            let subscribed: Subscribed = self.graph.read(&reply, "subscriptions")?;
            if subscribed.data.is_empty() {
                ok = false;
                said.push("hears of no messages: run `chela channels register whatsapp`".to_owned());
            }
        } else {
            said.push("set wabaId to see whether the app is subscribed".to_owned());
        }
        Ok(Health { ok, summary: said.join("; ") })
    }
}

fn webhook_steps(url: &str) -> Vec<String> {
    vec![
        "Open https://developers.facebook.com/apps, choose the app, then WhatsApp → Configuration.".to_owned(),
        format!("Under Webhook set Callback URL to {url} and Verify token to the value of verifyToken."),
        "Press Verify and save: chela must be running at that URL.".to_owned(),
        "Under Webhook fields subscribe to messages.".to_owned(),
        "To have `chela channels register whatsapp` do this, set channels.whatsapp.appId to the app's id.".to_owned(),
    ]
}
