//! Instagram, as the laws need to know it.

use chela_channel_instagram::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::Ack;
use chela_testkit::laws::channel::platform::{Answer, Seen};
use chela_testkit::laws::channel::{ChannelUnderTest, Fate, Shown};
use serde_json::{Value, json};

/// What the platform serves as the file of the sample `image`.
pub(crate) const FILE: &[u8] = b"a picture";

pub(crate) fn subject() -> ChannelUnderTest {
    ChannelUnderTest {
        descriptor: DESCRIPTOR,
        simulator: SIMULATOR,
        folder: env!("CARGO_MANIFEST_DIR"),
        options: SIMULATOR.options,
        proof_header: "x-hub-signature-256",
        signs_body: true,
        signs_time: false,
        dropped: &["echo", "unsent", "unsupported", "seen", "reaction", "comment", "other-account"],
        ack: || Ack { body: "EVENT_RECEIVED".into(), ..Ack::empty() },
        to_us: &[],
        not_to_us: &[],
        file: Some(("image", FILE)),
        same_peer: &[("text", "reply"), ("text", "quick-reply"), ("text", "postback"), ("text", "story-reply")],
        handshake: None,
        manners,
        refusals: || {
            let no = |status: u16, code: u32, subcode: u32, message: &str| {
                let error =
                    json!({"message": message, "type": "OAuthException", "code": code, "error_subcode": subcode});
                Answer::json(status, &json!({ "error": error }))
            };
            vec![
                (no(400, 613, 0, "Calls to this API have exceeded: the rate limit"), Fate::Waits(60)),
                (no(400, 4, 2_018_022, "Too many: send requests").header("retry-after", "7"), Fate::Waits(7)),
                (Answer::text(429, "slow down: now"), Fate::Waits(5)),
                (no(400, 1_200, 0, "Temporary send message failure: try again later"), Fate::NotSent),
                (no(400, 190, 463, "Invalid OAuth access token: expired"), Fate::Refused),
                (no(400, 10, 2_534_022, "This message is sent outside: of allowed window"), Fate::Refused),
                (no(400, 551, 1_545_041, "This person isn't available: right now"), Fate::Refused),
                (no(400, 100, 2_018_001, "No matching user found: 1"), Fate::Refused),
                (Answer::text(404, "not: here"), Fate::Refused),
                (no(500, 2, 0, "Service temporarily unavailable: retry"), Fate::Unknown),
                (Answer::text(502, "<html>Bad Gateway: proxy</html>"), Fate::Unknown),
                (Answer::text(200, "<html>not: Meta</html>"), Fate::Unknown),
                (Answer::json(200, &json!({"recipient_id": "1"})), Fate::Unknown),
            ]
        },
        shown,
        longest: 1_000,
        reads_tags: false,
        code_marks: ("```", "```"),
    }
}

/// The path without the version and the query.
pub(crate) fn edge(seen: &Seen) -> &str {
    seen.path.split('?').next().unwrap().strip_prefix("/v25.0/").unwrap_or(&seen.path)
}

fn manners(seen: &Seen) -> Answer {
    let answer = match edge(seen) {
        "me/messages" => json!({"recipient_id": "1254477777772919", "message_id": "ig_sent"}),
        "me" => json!({"id": "27", "username": "chela"}),
        "me/subscribed_apps" if seen.method == "GET" => {
            json!({"data": [{"id": "990602627938098", "subscribed_fields": ["messages"]}]})
        }
        path if path.starts_with("/ig_messaging_cdn/") => {
            let file = String::from_utf8(FILE.to_vec()).unwrap();
            return Answer::Http(200, vec![("content-type", "image/jpeg".to_owned())], file);
        }
        _ => json!({"success": true, "result": "success"}),
    };
    Answer::json(200, &answer)
}

fn shown(seen: &Seen) -> Option<Shown> {
    if edge(seen) != "me/messages" {
        return None;
    }
    let body: Value = seen.json();
    let raw = body["message"]["text"].as_str()?.to_owned();
    // Instagram counts bytes, which the laws do not.
    assert!(raw.len() <= 1_000, "{} bytes", raw.len());
    Some(Shown { visible: raw.clone(), raw })
}
