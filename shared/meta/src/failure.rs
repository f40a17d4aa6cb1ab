//! What the Graph API's errors mean for who sends. The status says little (nearly everything is 400), the code does.
//! <https://developers.facebook.com/docs/graph-api/guides/error-handling>,
//! <https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes>,
//! <https://developers.facebook.com/docs/messenger-platform/error-codes>

use std::time::Duration;

use chela_channel_kit::{Api, ApiReply};
use chela_core::channel::SendError;
use serde::Deserialize;

/// Why a call failed.
#[derive(Debug)]
pub enum Failure {
    /// The person has not written for a day, and nothing but a template or a tagged message may be sent to them. Nothing
    /// was shown.
    WindowClosed(SendError),
    /// Anything else.
    Other(SendError),
}

impl From<Failure> for SendError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::WindowClosed(error) | Failure::Other(error) => error,
        }
    }
}

/// An error as the Graph API writes it, also within WhatsApp's statuses.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct GraphError {
    /// What kind of error it is.
    #[serde(default)]
    pub code: i64,
    /// Which one of that kind.
    pub error_subcode: Option<i64>,
    /// For people, in WhatsApp's statuses.
    pub title: Option<String>,
    /// For people.
    pub message: Option<String>,
    /// More for people, from WhatsApp.
    pub error_data: Option<ErrorData>,
    /// Whether the same call may succeed later.
    #[serde(default)]
    pub is_transient: bool,
}

/// More words on an error.
#[derive(Clone, Debug, Deserialize)]
pub struct ErrorData {
    /// The words.
    pub details: Option<String>,
}

#[derive(Deserialize)]
struct Envelope {
    error: Option<GraphError>,
}

impl GraphError {
    /// The error in an answer, if there is one.
    pub fn of(reply: &ApiReply) -> Option<Self> {
        reply.json::<Envelope>()?.error
    }

    /// Code, subcode, the platform's words and what its owner can do.
    pub fn words(&self) -> String {
        let subcode = self.error_subcode.map(|subcode| format!("/{subcode}")).unwrap_or_default();
        let details = self.error_data.as_ref().and_then(|data| data.details.as_deref());
        let said = details.or(self.message.as_deref()).or(self.title.as_deref()).unwrap_or("no explanation");
        // The fix first: long explanations are cut.
        match self.fix() {
            Some(fix) => format!("code {}{subcode}: {fix} ({said})", self.code),
            None => format!("code {}{subcode}: {said}", self.code),
        }
    }

    /// Whether nobody may write freely to this person now, because they have not written for 24 hours: WhatsApp's code,
    /// Messenger's and Instagram's subcodes.
    pub fn window_closed(&self) -> bool {
        self.code == 131_047 || (self.code == 10 && matches!(self.error_subcode, Some(2_018_278 | 2_534_022)))
    }

    /// How long to wait, where a limit was reached.
    fn limit(&self) -> Option<Duration> {
        let seconds = match self.code {
            // Throughput of the number, per second.
            130_429 => 5,
            // The pair of number and person: one message in six seconds.
            131_056 => 6,
            // App, user, page, custom; 80001 to 80014 are those of single products; groups. Over a rolling hour.
            4 | 17 | 32 | 341 | 613 | 80_001..=80_014 | 131_208 => 60,
            // People report the number, templates were misused, or it was registered too often: these take their time.
            131_048 | 131_064 | 133_016 => 3_600,
            _ => return None,
        };
        Some(Duration::from_secs(seconds))
    }

    /// Whether the platform says that it did nothing now and would later: down, in maintenance, or by its own flag.
    fn temporary(&self) -> bool {
        self.is_transient || matches!(self.code, 2 | 1_200 | 131_000 | 131_016 | 131_057 | 133_004)
    }

    /// What the owner can do.
    fn fix(&self) -> Option<&'static str> {
        Some(match self.code {
            _ if self.window_closed() => "the person has not written for 24 hours, and may not be written to freely",
            102 | 190 => "set a new accessToken: this one has expired, was revoked or is another app's",
            3 | 10 | 200..=299 | 131_005 => "give the app and its accessToken the permission that is missing",
            100 if self.error_subcode == Some(33) => "correct the id, or give the accessToken access to it",
            368 | 131_031 => "the account is restricted; see Account Quality in the Business Manager",
            131_030 => "add the person to the test number's recipients, or use a real number",
            131_037 | 131_045 => "finish the registration of the number and of its display name",
            131_042 => "put the payment method of the WhatsApp Business Account in order",
            132_001 => "correct templateName and templateLanguage: there is no such approved template",
            132_000 | 132_012 => "choose a template without variables",
            132_015 | 132_016 => "choose another template: this one is paused or disabled",
            551 | 131_026 | 131_050 => "the person cannot be reached here",
            _ => return None,
        })
    }
}

/// Whether an answer is a success, and else what the caller can do.
pub fn judge(api: &Api, reply: &ApiReply) -> Result<(), Failure> {
    let Some(error) = GraphError::of(reply) else {
        return api.judge(reply, "without an explanation").map_err(Failure::Other);
    };
    let words = error.words();
    if error.window_closed() {
        return Err(Failure::WindowClosed(api.refused(&words)));
    }
    let limit = error.limit();
    if limit.is_some() || reply.status.as_u16() == 429 {
        return Err(Failure::Other(api.rate_limited(reply.retry_after.or(limit))));
    }
    // A server that broke down may have shown the message before, whatever it says.
    if reply.status.is_server_error() {
        return Err(Failure::Other(api.unknown(&words)));
    }
    Err(Failure::Other(if error.temporary() { api.not_sent(&words) } else { api.refused(&words) }))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chela_http::{HttpClient, HttpOptions};
    use http::StatusCode;
    use serde_json::{Value, json};

    use super::*;

    fn told(status: u16, retry_after: Option<u64>, error: &Value) -> String {
        let http = HttpClient::new(HttpOptions { allow_hosts: vec![], user_agent: "t".into(), extra_roots: None });
        let api = Api::new("x", http.unwrap(), vec![]);
        let reply = ApiReply {
            headers: http::HeaderMap::new(),
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: retry_after.map(Duration::from_secs),
            body: Bytes::from(json!({"error": error}).to_string()),
        };
        match judge(&api, &reply).unwrap_err() {
            Failure::WindowClosed(error) => format!("window: {error}"),
            Failure::Other(error) => error.to_string(),
        }
    }

    #[test]
    fn codes_say_what_the_caller_can_do_and_statuses_do_not() {
        let cases = [
            (400, json!({"code": 4, "message": "m"}), "x asks to wait 60 s"),
            (403, json!({"code": 613, "message": "m"}), "x asks to wait 60 s"),
            (400, json!({"code": 80_007, "message": "m"}), "x asks to wait 60 s"),
            (400, json!({"code": 130_429, "message": "m"}), "x asks to wait 5 s"),
            (400, json!({"code": 131_056, "message": "m"}), "x asks to wait 6 s"),
            (400, json!({"code": 131_048, "message": "m"}), "x asks to wait 3600 s"),
            (400, json!({"code": 2, "message": "m"}), "x could not be reached: code 2: m"),
            (400, json!({"code": 1_200, "message": "m"}), "x could not be reached: code 1200: m"),
            (400, json!({"code": 7, "message": "m", "is_transient": true}), "x could not be reached: code 7: m"),
            (500, json!({"code": 2, "message": "m"}), "x did not confirm: code 2: m"),
            (500, json!({"code": 131_000, "message": "m"}), "x did not confirm: code 131000: m"),
            (400, json!({"code": 100, "message": "m"}), "x refused: code 100: m"),
            (200, json!({"code": 100, "message": "m"}), "x refused: code 100: m"),
            (
                401,
                json!({"code": 190, "error_subcode": 463, "title": "t"}),
                "x refused: code 190/463: set a new accessToken: this one has expired, was revoked or is another app's (t)",
            ),
            (400, json!({}), "x refused: code 0: no explanation"),
            (
                400,
                json!({"code": 551, "error_subcode": 1, "message": "m"}),
                "x refused: code 551/1: the person cannot be reached here (m)",
            ),
        ];
        for (status, error, wanted) in cases {
            assert_eq!(told(status, None, &error), wanted, "{error}");
        }
        assert_eq!(told(400, Some(9), &json!({"code": 4})), "x asks to wait 9 s");
        assert_eq!(told(429, None, &json!({"code": 1})), "x asks to wait 5 s");
    }

    #[test]
    fn a_closed_window_is_told_apart_on_each_platform() {
        for error in [
            json!({"code": 131_047, "message": "Re-engagement message", "error_data": {"details": "24 hours"}}),
            json!({"code": 10, "error_subcode": 2_018_278, "message": "outside"}),
            json!({"code": 10, "error_subcode": 2_534_022, "message": "outside"}),
        ] {
            assert!(told(400, None, &error).starts_with("window: x refused: "), "{error}");
        }
        assert!(told(403, None, &json!({"code": 10, "message": "m"})).contains("permission"));
    }
}
