//! Calls of Discord's REST API, and what its answers mean. <https://docs.discord.com/developers/reference>

use std::time::Duration;

use chela_channel_kit::{Api, ApiCall, ApiReply};
use chela_core::channel::SendError;
use http::header::{AUTHORIZATION, USER_AGENT};
use http::{HeaderValue, Method};
use serde::Deserialize;
use serde_json::Value;

/// For calls that no lease waits for.
pub(crate) const ADMINISTRATION: Duration = Duration::from_secs(15);

/// Who calls, in the form Discord asks for; others may be blocked. Chela has no page, and `.invalid` is nobody's.
/// <https://docs.discord.com/developers/reference#user-agent>
const WHO: HeaderValue =
    HeaderValue::from_static(concat!("DiscordBot (https://chela.invalid, ", env!("CARGO_PKG_VERSION"), ")"));

/// The longest wait a body may ask for; the header says more of longer ones.
const LONGEST_BODY_DELAY_S: f64 = 86_400.0;

/// The way to Discord, as one bot.
pub(crate) struct Rest {
    /// The caller, which keeps the secrets out of errors.
    pub(crate) api: Api,
    /// Without a slash at its end.
    pub(crate) base_url: String,
    /// `Bot …`.
    pub(crate) authorization: HeaderValue,
}

/// Whom a call speaks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum As {
    /// The bot.
    Bot,
    /// An interaction, whose token stands in the path: the bot's own is not needed there, and not sent.
    Interaction,
}

/// A call that did not do what it should.
pub(crate) struct Failure {
    /// The status; 0 where there was no answer.
    pub(crate) status: u16,
    /// What the caller can do.
    pub(crate) error: SendError,
}

#[derive(Default, Deserialize)]
struct Problem {
    /// <https://docs.discord.com/developers/topics/opcodes-and-status-codes#json>
    code: Option<u64>,
    message: Option<String>,
    errors: Option<Value>,
    /// Seconds, with a fraction.
    retry_after: Option<f64>,
}

impl Rest {
    /// Calls `path` with a body of JSON, if any.
    pub(crate) async fn call(
        &self,
        caller: As,
        method: Method,
        path: &str,
        body: Option<&Value>,
        timeout: Duration,
    ) -> Result<ApiReply, Failure> {
        let url = format!("{}{path}", self.base_url);
        let call = match body {
            Some(body) => ApiCall::json(&url, body, timeout),
            None => ApiCall::get(&url, timeout),
        };
        self.make(caller, call.method(method)).await
    }

    /// Makes a prepared call, whose URL begins with [`Rest::base_url`].
    pub(crate) async fn make(&self, caller: As, call: ApiCall<'_>) -> Result<ApiReply, Failure> {
        let call = call.header(USER_AGENT, WHO);
        let call = match caller {
            As::Bot => call.header(AUTHORIZATION, self.authorization.clone()),
            As::Interaction => call,
        };
        let reply = self.api.call(call).await.map_err(|error| Failure { status: 0, error })?;
        if reply.status.is_success() {
            return Ok(reply);
        }
        Err(Failure { status: reply.status.as_u16(), error: self.judge(&reply) })
    }

    /// What an answer that is no success means.
    fn judge(&self, reply: &ApiReply) -> SendError {
        let problem: Problem = reply.json().unwrap_or_default();
        let code = problem.code.unwrap_or(0);
        if reply.status.as_u16() == 429 {
            let said = problem.retry_after.filter(|s| (0.0..=LONGEST_BODY_DELAY_S).contains(s));
            let after = said.map(Duration::from_secs_f64).or(reply.retry_after);
            return self.api.rate_limited(after);
        }
        let mut words = problem.message.unwrap_or_default();
        if let Some(fix) = fix(reply.status.as_u16(), code) {
            words = format!("{words} ({code}): {fix}");
        } else if let Some(errors) = problem.errors {
            words = format!("{words} ({code}): {errors}");
        }
        self.api.judge(reply, &words).err().unwrap_or_else(|| self.api.unknown(&words))
    }

    /// Discord took it and tells no id: nobody knows what it did.
    pub(crate) fn without_id(&self) -> SendError {
        self.api.unknown("the answer has no id")
    }
}

/// What the owner can do.
fn fix(status: u16, code: u64) -> Option<&'static str> {
    Some(match (status, code) {
        (401, 0) => {
            "reset the token at https://discord.com/developers/applications → Bot, and set channels.discord.token"
        }
        (_, 10_003) => "the channel does not exist any more",
        (_, 10_008) => "the message was deleted",
        (_, 40_005) => "the file is larger than this server takes",
        (_, 50_001) => "invite the bot to the server, and let it see the channel",
        (_, 50_007) => "this person takes no direct messages from the bot",
        (_, 50_013) => "give the bot's role the permission, in the server or the channel",
        (_, 50_083) => "the thread is archived; write in it to open it again",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_has_the_form_discord_asks_for() {
        let who = WHO.to_str().unwrap().to_owned();
        assert!(who.starts_with("DiscordBot (https://") && who.ends_with(')') && who.contains(", "), "{who}");
    }
}
