//! What Plivo's refusals mean to us.

use chela_channel_kit::ApiReply;
use chela_core::channel::SendError;
use serde::Deserialize;
use serde_json::Value;

use crate::Plivo;

/// The shape of a refusal: <https://www.plivo.com/docs/messaging/api/response>.
#[derive(Default, Deserialize)]
struct Refusal {
    /// A text, or for some parameters an object.
    #[serde(default)]
    error: Value,
}

impl Plivo {
    /// What an answer means that is not of a 2xx status.
    pub(crate) fn judge(&self, reply: &ApiReply) -> Result<(), SendError> {
        let reason = match reply.json::<Refusal>().unwrap_or_default().error {
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        };
        self.api.judge(reply, &reason)
    }
}

/// A code of a message that failed, and what its owner should know:
/// <https://www.plivo.com/docs/messaging/troubleshooting/error-codes>.
pub(crate) fn words(code: u32) -> String {
    match (code, explanation(code)) {
        (0, _) => String::new(),
        (code, Some(known)) => format!("error {code} ({known})"),
        (code, None) => format!("error {code}"),
    }
}

fn explanation(code: u32) -> Option<&'static str> {
    Some(match code {
        10 => "a carrier calls the message invalid",
        20 => "the carrier's network failed for a time",
        30 => "the carrier takes it for spam",
        40 => "the sender is no number of this account that can send",
        50 => "the number cannot receive messages",
        200 => "they opted out by STOP; only they can opt in again, by START",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_explained() {
        assert!(words(200).starts_with("error 200 (they opted out"));
        assert_eq!(words(999), "error 999");
        assert_eq!(words(0), "");
    }
}
