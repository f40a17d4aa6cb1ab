//! LINE, as the laws need to know it.

use chela_channel_line::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::Ack;
use chela_testkit::laws::channel::platform::{Answer, Seen};
use chela_testkit::laws::channel::{ChannelUnderTest, Fate, Shown};
use serde_json::{Value, json};

pub(crate) fn subject() -> ChannelUnderTest {
    ChannelUnderTest {
        descriptor: DESCRIPTOR,
        simulator: SIMULATOR,
        folder: env!("CARGO_MANIFEST_DIR"),
        options: SIMULATOR.options,
        proof_header: "x-line-signature",
        signs_body: true,
        signs_time: false,
        dropped: &["standby", "unsend", "follow", "join", "member-joined", "unknown-event", "unknown-message"],
        ack: Ack::empty,
        to_us: &["group-mention", "group-button"],
        not_to_us: &["group-text", "group-reply", "group-edited", "room-anonymous"],
        file: Some(("image", b"a picture")),
        same_peer: &[
            ("text", "button"),
            ("text", "image"),
            ("text", "redelivered"),
            ("group-mention", "group-edited"),
            ("group-mention", "group-button"),
        ],
        handshake: Some(("verify", Ack::empty())),
        manners,
        refusals: || {
            let no = |status: u16, message: &str| Answer::json(status, &json!({ "message": message }));
            vec![
                (
                    no(429, "The API rate limit has been exceeded: try again later.").header("retry-after", "7"),
                    Fate::Waits(7),
                ),
                (no(429, "The API rate limit has been exceeded: try again later."), Fate::Waits(5)),
                (no(429, "You have reached your monthly limit: wait."), Fate::Refused),
                (no(400, "The property, 'to', in the request body is invalid (line: -, column: -)"), Fate::Refused),
                (no(401, "Authentication failed: confirm that the access token is valid."), Fate::Refused),
                (no(403, "Access to this API is not available for your account: no"), Fate::Refused),
                (no(500, "Internal: error"), Fate::Unknown),
                (Answer::text(503, "<html>no: service</html>"), Fate::Unknown),
                (Answer::text(200, "<html>a: proxy</html>"), Fate::Unknown),
                // A reply has no retry key: a conflict is none of ours.
                (no(409, "The retry key is already accepted: odd"), Fate::Refused),
            ]
        },
        shown,
        longest: 5_000,
        reads_tags: false,
        code_marks: ("```", "```"),
    }
}

fn manners(seen: &Seen) -> Answer {
    let path = seen.path.as_str();
    match path {
        "/v2/bot/message/reply" | "/v2/bot/message/push" => {
            Answer::json(200, &json!({ "sentMessages": [{ "id": "461230966842064897", "quoteToken": "IStG5h1Tz7b" }] }))
        }
        "/v2/bot/chat/loading/start" => Answer::json(202, &json!({})),
        "/v2/bot/channel/webhook/test" => Answer::json(
            200,
            &json!({ "success": true, "timestamp": "2026-01-01T00:00:00Z", "statusCode": 200, "reason": "OK", "detail": "200" }),
        ),
        "/v2/bot/channel/webhook/endpoint" if seen.method == "GET" => {
            Answer::json(200, &json!({ "endpoint": "https://example.org/webhook/line", "active": true }))
        }
        "/v2/bot/channel/webhook/endpoint" => Answer::json(200, &json!({})),
        "/v2/bot/info" => Answer::json(
            200,
            &json!({
                "userId": "Ub0t0000000000000000000000000001", "basicId": "@216ru...", "displayName": "Chela",
                "chatMode": "bot", "markAsReadMode": "auto",
            }),
        ),
        "/v2/bot/message/354718705033693859/content" => Answer::text(200, "a picture"),
        _ => Answer::json(404, &json!({ "message": "Not found" })),
    }
}

fn shown(seen: &Seen) -> Option<Shown> {
    if !seen.path.starts_with("/v2/bot/message/") {
        return None;
    }
    let messages: Vec<Value> = serde_json::from_value(seen.json()["messages"].clone()).ok()?;
    let texts: Vec<&str> = messages.iter().filter_map(|message| message["text"].as_str()).collect();
    let raw = texts.join("\n");
    Some(Shown { visible: raw.replace("```", ""), raw })
}
