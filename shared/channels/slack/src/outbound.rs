//! What we ask of Slack's Web API, and what its answers mean.
//! <https://docs.slack.dev/apis/web-api>

use std::time::Duration;

use bytes::Bytes;
use chela_channel_kit::{Api, ApiCall, ApiReply};
use chela_core::channel::{Health, OutboundPart, Receipt, SendError};
use chela_core::message::ReplyAddress;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::blocks::{choices, sections};
use crate::mrkdwn::mrkdwn;

/// `chat.update` refuses longer texts with `msg_too_long`; `chat.postMessage` takes ten times as much.
/// <https://docs.slack.dev/reference/methods/chat.update>
const MOST_UPDATE_TEXT: usize = 4000;

/// For calls that no lease waits for.
const ADMINISTRATION: Duration = Duration::from_secs(15);

/// A typing signal that comes later than this is worth nothing.
const TYPING: Duration = Duration::from_secs(3);

/// Shown as "<bot> is thinking…".
const STATUS: &str = "is thinking…";

/// The way to Slack, as one bot.
pub(crate) struct WebApi {
    pub(crate) api: Api,
    /// Without a slash at its end.
    pub(crate) base_url: String,
    pub(crate) bot: Credential,
}

/// A token, and what the owner does when Slack no longer takes it.
pub(crate) struct Credential {
    /// `Bearer …`, for Slack's own servers only.
    pub(crate) authorization: HeaderValue,
    renewal: &'static str,
}

impl Credential {
    /// `None` if the token cannot stand in a header.
    pub(crate) fn new(token: &str, renewal: &'static str) -> Option<Self> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.trim())).ok()?;
        authorization.set_sensitive(true);
        Some(Self { authorization, renewal })
    }
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default)]
    ok: bool,
    error: Option<String>,
    needed: Option<String>,
}

#[derive(Deserialize)]
struct Posted {
    channel: Option<String>,
    ts: Option<String>,
}

#[derive(Deserialize)]
struct Identity {
    user: Option<String>,
    user_id: Option<String>,
    team: Option<String>,
    team_id: Option<String>,
}

impl WebApi {
    /// `chat.postMessage`. The id of the new message names the channel too, because `chat.update` takes only the id of
    /// a conversation where a message can also be sent to a person or to a `#name`.
    pub(crate) async fn post(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let mut body = json!({
            "channel": part.to.to,
            "text": mrkdwn(part.markdown),
            "unfurl_links": false,
            "unfurl_media": false,
        });
        if let Some(thread) = &part.to.thread {
            set(&mut body, "thread_ts", json!(thread));
        }
        if !part.choices.is_empty() {
            // With blocks, `text` is what notifications show.
            set(&mut body, "blocks", choices(part));
        }
        let reply = self.call(&self.bot, "chat.postMessage", &body, part.timeout).await?;
        let posted: Option<Posted> = reply.json();
        let Some(Posted { channel, ts: Some(ts) }) = posted else {
            return Err(self.api.unknown("chat.postMessage is confirmed without the message's ts"));
        };
        let channel = channel.as_deref().unwrap_or(&part.to.to);
        Ok(Receipt { message_id: format!("{channel}:{ts}") })
    }

    /// `chat.update`.
    pub(crate) async fn update(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        let (channel, ts) = message_id.split_once(':').unwrap_or((&part.to.to, message_id));
        let text = mrkdwn(part.markdown);
        // The blocks of the message as it was stay, unless there are others, or none.
        let mut body = json!({ "channel": channel, "ts": ts, "text": text, "blocks": [] });
        if utf16(&text) > MOST_UPDATE_TEXT {
            set(&mut body, "text", json!("…"));
            set(&mut body, "blocks", Value::Array(sections(part.markdown)));
        }
        if !part.choices.is_empty() {
            set(&mut body, "blocks", choices(part));
        }
        self.call(&self.bot, "chat.update", &body, part.timeout).await.map(drop)
    }

    /// `assistant.threads.setStatus`. Slack shows a status only in the threads of its assistant views, which are
    /// direct messages.
    pub(crate) async fn status(&self, to: &ReplyAddress) -> Result<(), SendError> {
        let Some(thread) = to.thread.as_deref().filter(|_| to.to.starts_with('D')) else { return Ok(()) };
        let body = json!({ "channel_id": to.to, "thread_ts": thread, "status": STATUS });
        self.call(&self.bot, "assistant.threads.setStatus", &body, TYPING).await.map(drop)
    }

    /// `auth.test`.
    pub(crate) async fn health(&self, configured_bot: Option<&str>) -> Result<Health, SendError> {
        let reply = match self.call(&self.bot, "auth.test", &json!({}), ADMINISTRATION).await {
            Ok(reply) => reply,
            Err(SendError::Refused { reason, .. }) => return Ok(Health { ok: false, summary: reason }),
            Err(other) => return Err(other),
        };
        let Some(who) = reply.json::<Identity>() else {
            return Err(self.api.unknown("auth.test is confirmed without an identity"));
        };
        let [user, user_id, team, team_id] =
            [who.user, who.user_id, who.team, who.team_id].map(|field| field.unwrap_or_else(|| "?".to_owned()));
        if let Some(wrong) = configured_bot.filter(|configured| *configured != user_id) {
            let summary =
                format!("botUserId is {wrong}, but the token belongs to {user_id}: set botUserId to {user_id}");
            return Ok(Health { ok: false, summary });
        }
        Ok(Health { ok: true, summary: format!("@{user} ({user_id}) in {team} ({team_id})") })
    }

    /// A call that nobody waits for.
    pub(crate) async fn administer(
        &self,
        credential: &Credential,
        method: &str,
        body: &Value,
    ) -> Result<ApiReply, SendError> {
        self.call(credential, method, body, ADMINISTRATION).await
    }

    pub(crate) async fn call(
        &self,
        credential: &Credential,
        method: &str,
        body: &Value,
        timeout: Duration,
    ) -> Result<ApiReply, SendError> {
        let url = format!("{}/{method}", self.base_url);
        self.make(credential, method, ApiCall::json(&url, body, timeout)).await
    }

    /// The same for methods that take no JSON: <https://docs.slack.dev/apis/web-api#methods_supporting_json>.
    pub(crate) async fn call_with_form(
        &self,
        method: &str,
        fields: &[(&str, String)],
        timeout: Duration,
    ) -> Result<ApiReply, SendError> {
        let url = format!("{}/{method}", self.base_url);
        let form = serde_urlencoded::to_string(fields).map_err(|_| self.api.refused("the form cannot be written"))?;
        let call = ApiCall::post(&url, "application/x-www-form-urlencoded", Bytes::from(form), timeout);
        self.make(&self.bot, method, call).await
    }

    async fn make(&self, credential: &Credential, method: &str, call: ApiCall<'_>) -> Result<ApiReply, SendError> {
        let reply = self.api.call(call.header(AUTHORIZATION, credential.authorization.clone())).await?;
        self.judge(credential, method, &reply)?;
        Ok(reply)
    }

    /// Slack answers errors with status 200 and `ok: false`.
    fn judge(&self, credential: &Credential, method: &str, reply: &ApiReply) -> Result<(), SendError> {
        let Some(outcome) = reply.json::<Outcome>() else {
            self.api.judge(reply, method)?;
            // A page of some proxy: Slack may never have seen the call, or may have.
            return Err(self.api.unknown(&format!("{method} is answered with something that is not JSON")));
        };
        if outcome.ok && reply.status.is_success() {
            return Ok(());
        }
        let error = outcome.error.as_deref().unwrap_or("no error");
        let words = format!("{method}: {error}");
        match error {
            "ratelimited" | "rate_limited" | "message_limit_exceeded" => Err(self.api.rate_limited(reply.retry_after)),
            // Documented as: our request was cut off; the workspace is being moved.
            "request_timeout" | "team_added_to_org" => Err(self.api.not_sent(&words)),
            // Documented with "some aspect of the operation may have succeeded".
            "internal_error" | "fatal_error" | "service_unavailable" => Err(self.api.unknown(&words)),
            _ => {
                if reply.status.is_server_error() || reply.status.as_u16() == 429 {
                    self.api.judge(reply, &words)?;
                }
                let fix = fix(error, outcome.needed.as_deref(), credential);
                Err(self.api.refused(&format!("{words}: {fix}")))
            }
        }
    }
}

/// What the owner can do. <https://docs.slack.dev/reference/methods/chat.postMessage#errors>
fn fix(error: &str, scope: Option<&str>, credential: &Credential) -> String {
    let fix = match error {
        "channel_not_found" | "not_in_channel" => {
            "invite the bot to the channel with /invite, or correct the channel's id"
        }
        "is_archived" => "the channel is archived; unarchive it or write elsewhere",
        "account_inactive" | "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" => credential.renewal,
        "missing_scope" => {
            let scope = scope.unwrap_or("that is missing");
            return format!("add the scope {scope} under OAuth & Permissions and reinstall the app");
        }
        "messages_tab_disabled" => "switch on App Home → Messages Tab for the app",
        "msg_too_long" => "the text is longer than Slack takes",
        "message_not_found" => "the message was deleted",
        "invalid_name" => "the workspace has no such emoji",
        "file_not_found" | "file_deleted" => "the file was deleted",
        "cant_update_message" => "the message is not the bot's own",
        "edit_window_closed" => "the workspace no longer allows this message to be edited",
        "restricted_action" | "restricted_action_read_only_channel" | "restricted_action_thread_only_channel" => {
            "the workspace does not let the bot post here; an administrator can"
        }
        "invalid_manifest" => {
            "Slack does not accept the app's manifest; compare it with the one in the channel's README"
        }
        "app_not_found" | "invalid_app_id" => "correct appId: it is shown under Basic Information",
        _ => "see https://docs.slack.dev/reference/methods",
    };
    fix.to_owned()
}

/// The length of a text, as Slack counts at least.
pub(crate) fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

fn set(body: &mut Value, key: &str, value: Value) {
    if let Value::Object(fields) = body {
        fields.insert(key.to_owned(), value);
    }
}
