//! What Twilio's error codes mean to us: <https://www.twilio.com/docs/api/errors>.

use chela_channel_kit::ApiReply;
use chela_core::channel::SendError;
use serde::Deserialize;

use crate::Twilio;

/// The shape of a refusal: <https://www.twilio.com/docs/usage/twilios-response#response-formats-exceptions>.
#[derive(Default, Deserialize)]
pub(crate) struct Refusal {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    message: String,
}

/// Too many requests, too many messages a second, a full queue, and too many to one person on WhatsApp.
const SLOW_DOWN: [u32; 4] = [20_429, 14_107, 21_611, 63_018];

impl Twilio {
    /// What an answer means that is not of a 2xx status.
    pub(crate) fn judge(&self, reply: &ApiReply) -> Result<(), SendError> {
        if reply.status.is_success() {
            return Ok(());
        }
        let Refusal { code, message } = reply.json().unwrap_or_default();
        if SLOW_DOWN.contains(&code) {
            return Err(self.api.rate_limited(reply.retry_after));
        }
        self.api.judge(reply, &words(code, &message))
    }
}

/// A code with Twilio's words, and what its owner should know.
pub(crate) fn words(code: u32, message: &str) -> String {
    let known = explanation(code).map(|known| format!(" ({known})")).unwrap_or_default();
    match code {
        0 => message.to_owned(),
        code if message.is_empty() => format!("error {code}{known}"),
        code => format!("error {code}{known}: {message}"),
    }
}

fn explanation(code: u32) -> Option<&'static str> {
    Some(match code {
        20_003 => "the SID and its secret do not belong together",
        21_211 | 21_614 => "the number cannot receive SMS",
        21_408 => "the account may not send to this country",
        21_606 | 21_659 => "the sender is no number of this account",
        21_608 => "a trial account sends to verified numbers only",
        21_610 => "they opted out by STOP; only they can opt in again, by START",
        30_003 => "the phone is off or out of reach",
        30_004 => "the message was blocked",
        30_005 => "the number does not exist",
        30_006 => "the number is a landline or cannot be reached",
        30_007 => "the carrier filtered the message",
        30_034 => "the number is not registered for A2P 10DLC",
        63_016 => "on WhatsApp, only a template may be sent more than 24 hours after their last message",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_explained_beside_twilios_words() {
        assert!(words(21_610, "Attempt to send to unsubscribed recipient").starts_with("error 21610 (they opted out"));
        assert_eq!(words(99_999, "Odd"), "error 99999: Odd");
        assert_eq!(words(99_999, ""), "error 99999");
        assert_eq!(words(0, "a proxy"), "a proxy");
    }
}
