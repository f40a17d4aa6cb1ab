//! Twilio, as the laws need to know it.

use bytes::Bytes;
use chela_channel_twilio::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::Ack;
use chela_testkit::laws::channel::platform::{Answer, Seen};
use chela_testkit::laws::channel::{ChannelUnderTest, Fate, Shown};
use serde_json::{Value, json};

/// The account of the samples.
pub(crate) const ACCOUNT_SID: &str = "AC0123456789abcdef0123456789abcdef";

/// The number of the samples.
const NUMBER_SID: &str = "PN0123456789abcdef0123456789abcdef";

/// What Twilio wants to hear.
pub(crate) fn twiml() -> Ack {
    Ack { status: http::StatusCode::OK, content_type: "text/xml", body: Bytes::from_static(b"<Response/>") }
}

/// The options of an account whose platform is at `url`.
pub(crate) fn options(url: &str) -> Value {
    (SIMULATOR.options)(url)
}

pub(crate) fn subject() -> ChannelUnderTest {
    ChannelUnderTest {
        descriptor: DESCRIPTOR,
        simulator: SIMULATOR,
        folder: env!("CARGO_MANIFEST_DIR"),
        options,
        proof_header: "x-twilio-signature",
        signs_body: true,
        signs_time: false,
        dropped: &["stop", "help", "opted-out", "empty", "status-sent", "status-undelivered", "call"],
        ack: twiml,
        to_us: &[],
        not_to_us: &[],
        file: Some(("mms", b"a picture")),
        same_peer: &[("text", "mms"), ("text", "service"), ("whatsapp-text", "whatsapp-button")],
        handshake: None,
        manners,
        refusals: || {
            let no = |status: u16, code: u32, message: &str| {
                let more = format!("https://www.twilio.com/docs/errors/{code}");
                Answer::json(status, &json!({ "code": code, "message": message, "more_info": more, "status": status }))
            };
            vec![
                (no(429, 20_429, "Too many: requests").header("retry-after", "3"), Fate::Waits(3)),
                (no(429, 20_429, "Too many: requests"), Fate::Waits(5)),
                (no(429, 63_038, "Account exceeded: limit"), Fate::Waits(5)),
                (no(400, 21_611, "This 'From' number has: too many queued"), Fate::Waits(5)),
                (no(400, 63_018, "Rate limit exceeded: for channel"), Fate::Waits(5)),
                (no(400, 21_610, "Attempt to send to: unsubscribed recipient"), Fate::Refused),
                (no(400, 21_614, "'To' number is not: a valid mobile number"), Fate::Refused),
                (no(400, 63_016, "Failed to send freeform message: window"), Fate::Refused),
                (no(401, 20_003, "Authenticate: please"), Fate::Refused),
                (Answer::text(404, "not: found"), Fate::Refused),
                (no(500, 20_500, "Internal: error"), Fate::Unknown),
                (Answer::text(503, "<html>no: service</html>"), Fate::Unknown),
                (Answer::text(201, "<html>a: proxy</html>"), Fate::Unknown),
                (Answer::json(201, &json!({ "status": "queued" })), Fate::Unknown),
                (
                    Answer::json(
                        201,
                        &json!({ "sid": "SM1", "status": "failed", "error_code": 21610, "error_message": "no: never" }),
                    ),
                    Fate::Refused,
                ),
            ]
        },
        shown,
        longest: 1_600,
        reads_tags: false,
        code_marks: ("```", "```"),
    }
}

fn manners(seen: &Seen) -> Answer {
    let number = || {
        json!({
            "sid": NUMBER_SID, "phone_number": "+15550000002", "sms_url": "https://example.org/webhook/twilio",
        })
    };
    let path = seen.path.split('?').next().unwrap();
    let path = path.replace(&format!("/2010-04-01/Accounts/{ACCOUNT_SID}"), "");
    match path.as_str() {
        "/Messages.json" => Answer::json(
            201,
            &json!({ "sid": "SM00000000000000000000000000000009", "status": "queued", "error_code": null, "error_message": null }),
        ),
        ".json" => Answer::json(200, &json!({ "friendly_name": "Chela", "status": "active", "type": "Full" })),
        "/IncomingPhoneNumbers.json" => Answer::json(200, &json!({ "incoming_phone_numbers": [number()] })),
        "/IncomingPhoneNumbers/PN0123456789abcdef0123456789abcdef.json" => Answer::json(200, &number()),
        "/v1/Services/MG0123456789abcdef0123456789abcdef" => Answer::json(200, &json!({})),
        "/v2/Indicators/Typing.json" => Answer::json(200, &json!({ "success": true })),
        path if path.contains("/Media/") => Answer::text(200, "a picture"),
        _ => Answer::json(404, &json!({ "code": 20404, "message": "not found" })),
    }
}

/// A form's fields, in their order.
pub(crate) fn fields(seen: &Seen) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&seen.body).into_owned().collect()
}

fn shown(seen: &Seen) -> Option<Shown> {
    let body = fields(seen).into_iter().find(|(name, _)| name == "Body").filter(|_| seen.method == "POST");
    body.map(|(_, raw)| Shown { visible: raw.replace("```", ""), raw })
}
