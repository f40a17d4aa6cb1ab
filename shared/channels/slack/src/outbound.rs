//! What we ask of Slack's Web API, and what its answers mean.
//! <https://docs.slack.dev/apis/web-api>

use std::time::Duration;

use chela_channel_kit::{Api, ApiCall, ApiReply};
use chela_core::channel::{Health, OutboundPart, Receipt, SendError};
use chela_core::chunk::{ChunkMode, chunk_markdown};
use chela_core::message::ReplyAddress;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::mrkdwn::mrkdwn;

/// `chat.update` refuses longer texts with `msg_too_long`; `chat.postMessage` takes ten times as much.
/// <https://docs.slack.dev/reference/methods/chat.update>
const MOST_UPDATE_TEXT: usize = 4000;

/// The text of a section block. <https://docs.slack.dev/reference/block-kit/blocks/section-block>
const MOST_SECTION_TEXT: usize = 3000;

/// Sizes tried, in markdown, for the sections of a text that is too long for `chat.update`.
const SECTION_SIZES: [usize; 3] = [2400, 1200, 600];

/// The size that always fits: `&` becomes five characters, and each line of six nested quotes in bold, italics and
/// strikethrough gets eighteen more, so that two characters can become twenty-four.
const SMALLEST_SECTION: usize = MOST_SECTION_TEXT / 12;

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
    authorization: HeaderValue,
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
        let mut body = json!({ "channel": channel, "ts": ts });
        if utf16(&text) > MOST_UPDATE_TEXT {
            // With blocks, `text` is only what notifications show.
            set(&mut body, "text", json!("…"));
            set(&mut body, "blocks", sections(part.markdown));
        } else {
            set(&mut body, "text", json!(text));
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

    async fn call(
        &self,
        credential: &Credential,
        method: &str,
        body: &Value,
        timeout: Duration,
    ) -> Result<ApiReply, SendError> {
        let url = format!("{}/{method}", self.base_url);
        let call = ApiCall::json(&url, body, timeout).header(AUTHORIZATION, credential.authorization.clone());
        let reply = self.api.call(call).await?;
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

/// A text too long for `chat.update`, as blocks, which may be longer together.
fn sections(markdown: &str) -> Value {
    let written = |size| -> Vec<String> {
        chunk_markdown(markdown, size, ChunkMode::Length).iter().map(|chunk| mrkdwn(chunk)).collect()
    };
    let fits = |texts: &Vec<String>| texts.iter().all(|text| utf16(text) <= MOST_SECTION_TEXT);
    let texts = SECTION_SIZES.into_iter().map(written).find(fits).unwrap_or_else(|| written(SMALLEST_SECTION));
    let section = |text: String| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } });
    texts.into_iter().map(section).collect()
}

fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

fn set(body: &mut Value, key: &str, value: Value) {
    if let Value::Object(fields) = body {
        fields.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(markdown: &str) -> Vec<String> {
        let Value::Array(blocks) = sections(markdown) else { panic!("not a list") };
        blocks.iter().map(|block| block["text"]["text"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_longest_parts_fit_however_much_they_grow() {
        let limit = crate::LIMITS.text;
        let parts = [
            "&".repeat(limit),
            "1. &\n".repeat(limit / 5),
            format!(">>>>>>***~~{}~~***", "&\n".repeat(limit / 2 - 10)),
            format!("```\n{}\n```", "<>\n".repeat(limit / 3 - 3)),
        ];
        for part in parts {
            let texts = texts(&part);
            assert!(texts.len() <= 50, "Slack takes 50 blocks, not {}", texts.len());
            let longest = texts.iter().map(|text| utf16(text)).max().unwrap();
            assert!(longest <= MOST_SECTION_TEXT, "{longest} of {part:.40}");
        }
    }

    proptest! {
        #[test]
        fn any_part_fits(pieces in prop::collection::vec("[&<>a*_~` \n|1.\\-#\\[\\]()]{1,12}", 1..300)) {
            let markdown: String = pieces.concat().chars().take(crate::LIMITS.text).collect();
            let texts = texts(&markdown);
            prop_assert!(texts.len() <= 50);
            prop_assert!(texts.iter().all(|text| utf16(text) <= MOST_SECTION_TEXT));
        }
    }
}
