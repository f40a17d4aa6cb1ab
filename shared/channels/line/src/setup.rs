//! Telling LINE where we are, and asking how we are doing.

use std::time::Duration;

use chela_channel_kit::{ApiCall, ApiReply};
use chela_core::channel::{Health, Registration, SendError};
use http::Method;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Line;
use crate::outbound::Answer;

const TIMEOUT: Duration = Duration::from_secs(15);

/// <https://developers.line.biz/en/reference/messaging-api/#set-webhook-endpoint-url>
const ENDPOINT: &str = "/v2/bot/channel/webhook/endpoint";

/// <https://developers.line.biz/en/reference/messaging-api/#test-webhook-endpoint>
const TEST: &str = "/v2/bot/channel/webhook/test";

/// <https://developers.line.biz/en/reference/messaging-api/#get-bot-info>
const INFO: &str = "/v2/bot/info";

/// What only the console can turn on.
const TURN_ON: &str = "turn on \"Use webhook\" on the tab Messaging API of the channel in the LINE Developers Console";

#[derive(Deserialize)]
struct Endpoint {
    #[serde(default)]
    endpoint: String,
    #[serde(default)]
    active: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    #[serde(default)]
    success: bool,
    #[serde(default)]
    status_code: u16,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    detail: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    #[serde(default)]
    basic_id: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    chat_mode: String,
}

impl Line {
    /// Sets the webhook, and lets LINE try it.
    pub(crate) async fn set_webhook(&self, url: &str) -> Result<Registration, SendError> {
        let body = json!({ "endpoint": url });
        let reply = self.put(&body).await?;
        self.judge(&reply, &reply.json().unwrap_or_default())?;
        let mut summary = format!("LINE posts to {url}");
        // The webhook is set, whatever comes of the trial.
        match self.test(&body).await {
            Ok(test) if test.success => summary.push_str("; its test was answered"),
            Ok(test) => {
                let Test { status_code, reason, detail, .. } = test;
                summary.push_str(&format!("; its test failed: {status_code} {reason} {detail}"));
            }
            Err(error) => summary.push_str(&format!("; it could not be tested: {error}")),
        }
        if !self.ask::<Endpoint>(ENDPOINT).await?.active {
            summary.push_str(&format!("; {TURN_ON}"));
        }
        Ok(Registration::Done { summary })
    }

    pub(crate) async fn ask_health(&self) -> Result<Health, SendError> {
        let info: Info = self.ask(INFO).await?;
        let mut summary = format!("{} {}", info.display_name, info.basic_id);
        // LINE knows no webhook before the first one is set, and says so with 404.
        let webhook = match self.ask::<Endpoint>(ENDPOINT).await {
            Ok(webhook) => webhook,
            Err(SendError::Refused { .. }) => Endpoint { endpoint: String::new(), active: false },
            Err(error) => return Err(error),
        };
        if webhook.endpoint.is_empty() {
            summary.push_str("; posts nowhere: run `chela channels register line`");
        } else {
            summary.push_str(&format!("; posts to {}", webhook.endpoint));
            if !webhook.active {
                summary.push_str(&format!(" but its webhook is off: {TURN_ON}"));
            }
        }
        if info.chat_mode == "chat" {
            summary.push_str("; people may answer too: its response mode is chat");
        }
        Ok(Health { ok: webhook.active && !webhook.endpoint.is_empty(), summary })
    }

    async fn put(&self, body: &Value) -> Result<ApiReply, SendError> {
        let url = format!("{}{ENDPOINT}", self.base);
        let call = ApiCall::json(&url, body, TIMEOUT).method(Method::PUT);
        self.api.call(call.header(AUTHORIZATION, self.authorization.clone())).await
    }

    async fn test(&self, body: &Value) -> Result<Test, SendError> {
        let url = format!("{}{TEST}", self.base);
        let call = ApiCall::json(&url, body, TIMEOUT).header(AUTHORIZATION, self.authorization.clone());
        let reply = self.api.call(call).await?;
        self.read(&reply)
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, SendError> {
        let url = format!("{}{path}", self.base);
        let call = ApiCall::get(&url, TIMEOUT).header(AUTHORIZATION, self.authorization.clone());
        let reply = self.api.call(call).await?;
        self.read(&reply)
    }

    fn read<T: DeserializeOwned>(&self, reply: &ApiReply) -> Result<T, SendError> {
        self.judge(reply, &reply.json::<Answer>().unwrap_or_default())?;
        reply.json().ok_or_else(|| self.api.unknown("the answer is not one of the Messaging API"))
    }
}
