//! Telling Meta where we are, and asking how the account is doing.

use chela_core::channel::{Health, MenuEntry, Registration, SendError};
use serde::Deserialize;

use super::Page;
use crate::graph::ADMINISTRATION;
use crate::subscription::{Subscription, subscribe, subscribe_object};

#[derive(Deserialize)]
struct Me {
    id: String,
    name: Option<String>,
    username: Option<String>,
}

#[derive(Deserialize)]
struct Subscribed {
    #[serde(default)]
    data: Vec<SubscribedApp>,
}

#[derive(Deserialize)]
struct SubscribedApp {
    #[serde(default)]
    subscribed_fields: Vec<String>,
}

impl Page {
    /// Sets the app's webhook where the app's id is known, subscribes the app to this account, and sets the menu.
    pub(super) async fn subscribe_and_offer(&self, url: &str, menu: &[MenuEntry]) -> Result<Registration, SendError> {
        let fields = self.traits.fields;
        if let Some(app) = &self.app {
            let verify_token = self.webhook.verify_token();
            let object = self.traits.object;
            subscribe(&self.graph, app, &Subscription { object, url, verify_token: &verify_token, fields }).await?;
        }
        let fields = fields.join(",");
        subscribe_object(&self.graph, &format!("me/subscribed_apps?subscribed_fields={fields}")).await?;
        let (path, body) = (self.traits.menu)(menu);
        let menu = match self.graph.post(path, &body, ADMINISTRATION).await.map_err(SendError::from) {
            Ok(_) => "the menu is set".to_owned(),
            // Without a menu everything else works.
            Err(SendError::Refused { reason, .. }) => format!("the menu was refused: {reason}"),
            Err(other) => return Err(other),
        };
        let summary = format!("the app is subscribed to {fields} of this account; {menu}");
        if self.app.is_some() {
            return Ok(Registration::Done { summary: format!("Meta posts to {url}; {summary}") });
        }
        let done = format!("Done by API: {summary}. What is left is the webhook of the app:");
        Ok(Registration::Manual { steps: std::iter::once(done).chain((self.traits.steps)(url)).collect() })
    }

    /// Asks who the token is, and whether the app hears of its messages.
    pub(super) async fn who_are_we(&self) -> Result<Health, SendError> {
        match self.asked().await {
            Err(SendError::Refused { reason, .. }) => Ok(Health { ok: false, summary: reason }),
            other => other,
        }
    }

    async fn asked(&self) -> Result<Health, SendError> {
        let reply = self.graph.get("me?fields=id,name,username", ADMINISTRATION).await?;
        let me: Me = self.graph.read(&reply, "account")?;
        let reply = self.graph.get("me/subscribed_apps", ADMINISTRATION).await?;
        let subscribed: Subscribed = self.graph.read(&reply, "subscriptions")?;
        let hears = subscribed.data.iter().any(|app| app.subscribed_fields.iter().any(|field| field == "messages"));
        let name = me.name.or(me.username).unwrap_or_default();
        let mut summary = format!("{name} ({})", me.id);
        let other = self.own_id.as_ref().filter(|own| self.traits.own_id_is_me && **own != me.id);
        if let Some(own) = other {
            let key = self.traits.own_id.key;
            summary.push_str(&format!("; {key} is {own}, but the token belongs to {}: set {key} to that", me.id));
        }
        if !hears {
            let channel = self.traits.channel;
            summary.push_str(&format!("; hears of no messages: run `chela channels register {channel}`"));
        }
        Ok(Health { ok: hears && other.is_none(), summary })
    }
}
