//! Plivo, as the laws need to know it.

use bytes::Bytes;
use chela_channel_plivo::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::Ack;
use chela_testkit::laws::channel::platform::{Answer, Seen};
use chela_testkit::laws::channel::{ChannelUnderTest, Fate, Shown};
use serde_json::{Value, json};

/// The account of the samples.
pub(crate) const AUTH_ID: &str = "MA0123456789ABCDEFGH";

/// Where its resources are.
pub(crate) const ACCOUNT: &str = "/v1/Account/MA0123456789ABCDEFGH/";

pub(crate) const WEBHOOK: &str = "https://example.org/webhook/plivo";

/// What Plivo wants to hear.
pub(crate) fn xml() -> Ack {
    let body = Bytes::from_static(b"<Response/>");
    Ack { status: http::StatusCode::OK, content_type: "application/xml", body }
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
        proof_header: "x-plivo-signature-ma-v3",
        signs_body: true,
        signs_time: false,
        dropped: &["stop", "help", "empty", "named", "whatsapp", "status-sent", "status-undelivered", "call"],
        ack: xml,
        to_us: &[],
        not_to_us: &[],
        file: Some(("mms", b"a picture")),
        same_peer: &[("text", "mms"), ("text", "powerpack")],
        handshake: None,
        manners,
        refusals: || {
            let no = |status: u16, error: Value| Answer::json(status, &json!({ "api_id": "97ceeb52", "error": error }));
            vec![
                (no(429, json!("rate: limit exceeded")).header("retry-after", "3"), Fate::Waits(3)),
                (no(429, json!("rate: limit exceeded")), Fate::Waits(5)),
                (no(400, json!("dst parameter: is not valid")), Fate::Refused),
                (no(400, json!({ "text": "too long: really" })), Fate::Refused),
                (Answer::text(401, "Could not verify: your access level for that URL."), Fate::Refused),
                (Answer::text(404, "not: found"), Fate::Refused),
                (no(500, json!("server: error")), Fate::Unknown),
                (Answer::text(503, "<html>no: service</html>"), Fate::Unknown),
                (Answer::text(202, "<html>a: proxy</html>"), Fate::Unknown),
                (Answer::json(202, &json!({ "message": "queued", "message_uuid": [] })), Fate::Unknown),
            ]
        },
        shown,
        longest: 737,
        reads_tags: false,
        code_marks: ("```", "```"),
    }
}

fn manners(seen: &Seen) -> Answer {
    match seen.path.replace(ACCOUNT, "").as_str() {
        "Message/" => Answer::json(
            202,
            &json!({
                "api_id": "db342550-7f1d-11e1-8ea7-1231380bc196",
                "message": "message(s) queued",
                "message_uuid": ["db3ce55a-7f1d-11e1-8ea7-1231380bc196"],
            }),
        ),
        "" => Answer::json(200, &json!({ "name": "Chela", "cash_credits": "1.80900", "account_type": "standard" })),
        "Number/15550000002/" => Answer::json(
            200,
            &json!({ "number": "15550000002", "application": format!("{ACCOUNT}Application/29986316244302815/") }),
        ),
        "Application/29986316244302815/" if seen.method == "GET" => {
            Answer::json(200, &json!({ "app_id": "29986316244302815", "message_url": WEBHOOK }))
        }
        "Application/29986316244302815/" => Answer::json(202, &json!({ "message": "changed" })),
        path if path.contains("/Media/") => Answer::text(200, "a picture"),
        _ => Answer::json(404, &json!({ "error": "not found" })),
    }
}

fn shown(seen: &Seen) -> Option<Shown> {
    let raw = seen.json().get("text")?.as_str()?.to_owned();
    Some(Shown { visible: raw.replace("```", ""), raw })
}
