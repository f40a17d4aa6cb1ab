//! WhatsApp, as the laws need to know it.

use chela_channel_whatsapp::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::Ack;
use chela_testkit::laws::channel::platform::{Answer, Seen};
use chela_testkit::laws::channel::{ChannelUnderTest, Fate, Shown};
use serde_json::{Value, json};

/// What the platform serves as the file of the sample `image`.
pub(crate) const FILE: &[u8] = b"a picture";

/// The number's id.
pub(crate) const NUMBER: &str = "106540352242922";

pub(crate) fn subject() -> ChannelUnderTest {
    ChannelUnderTest {
        descriptor: DESCRIPTOR,
        simulator: SIMULATOR,
        folder: env!("CARGO_MANIFEST_DIR"),
        options: SIMULATOR.options,
        proof_header: "x-hub-signature-256",
        signs_body: true,
        signs_time: false,
        dropped: &[
            "revoked",
            "reaction",
            "unsupported",
            "system",
            "delivered",
            "failed",
            "phone-echo",
            "template-status",
            "other-number",
        ],
        ack: Ack::empty,
        to_us: &["group-mention", "group-reply"],
        not_to_us: &["group-text", "group-reply-to-other"],
        file: Some(("image", FILE)),
        same_peer: &[("text", "username"), ("text", "button-reply"), ("text", "edited"), ("group-text", "group-reply")],
        handshake: None,
        manners,
        refusals: || {
            let no = |status: u16, code: u32, message: &str| {
                let error = json!({
                    "message": format!("(#{code}) {message}"),
                    "type": "OAuthException",
                    "code": code,
                    "error_data": {"messaging_product": "whatsapp", "details": format!("details: {message}")},
                    "fbtrace_id": "Az8or2yhqkZfEZ-_4Qn_Bam",
                });
                Answer::json(status, &json!({ "error": error }))
            };
            vec![
                (no(400, 130_429, "Rate limit: hit"), Fate::Waits(5)),
                (no(400, 131_056, "Pair rate limit: hit"), Fate::Waits(6)),
                (no(400, 80_007, "Rate limit: issues").header("retry-after", "9"), Fate::Waits(9)),
                (Answer::text(429, "slow down: now"), Fate::Waits(5)),
                (no(400, 131_016, "Service unavailable: overloaded"), Fate::NotSent),
                (no(400, 131_047, "Re-engagement message: window"), Fate::Refused),
                (no(400, 131_026, "Message undeliverable: no account"), Fate::Refused),
                (no(401, 190, "Access token: expired"), Fate::Refused),
                (no(403, 10, "Permission: denied"), Fate::Refused),
                (no(400, 100, "Invalid parameter: to"), Fate::Refused),
                (no(500, 131_000, "Something: went wrong"), Fate::Unknown),
                (Answer::text(502, "<html>Bad Gateway: proxy</html>"), Fate::Unknown),
                (Answer::text(200, "<html>not: Meta</html>"), Fate::Unknown),
                (Answer::json(200, &json!({"messages": []})), Fate::Unknown),
            ]
        },
        shown,
        longest: 4_096,
        reads_tags: false,
        code_marks: ("```", "```"),
    }
}

/// The path without the version and the query.
pub(crate) fn edge(seen: &Seen) -> &str {
    seen.path.split('?').next().unwrap().strip_prefix("/v25.0/").unwrap_or(&seen.path)
}

fn manners(seen: &Seen) -> Answer {
    let own = |name: &str| format!("{NUMBER}/{name}");
    let answer = match edge(seen) {
        path if path == own("messages") && seen.json()["status"] == "read" => json!({"success": true}),
        path if path == own("messages") => json!({
            "messaging_product": "whatsapp",
            "contacts": [{"input": "16505551234", "wa_id": "16505551234"}],
            "messages": [{"id": "wamid.sent"}],
        }),
        path if path == own("media") => json!({"id": "4490709327384033"}),
        path if path == NUMBER => json!({
            "display_phone_number": "+1 555-078-3881",
            "verified_name": "Chela",
            "quality_rating": "GREEN",
            "id": NUMBER,
        }),
        "102290129340398/subscribed_apps" if seen.method == "GET" => {
            json!({"data": [{"whatsapp_business_api_data": {"id": "1517776481860111", "name": "Chela"}}]})
        }
        "1003383421387256" => json!({
            "url": format!("http://{}/whatsapp_business/attachments/", seen.headers["host"].to_str().unwrap()),
            "mime_type": "image/jpeg",
            "file_size": FILE.len(),
            "id": "1003383421387256",
        }),
        "/whatsapp_business/attachments/" => {
            let file = String::from_utf8(FILE.to_vec()).unwrap();
            return Answer::Http(200, vec![("content-type", "application/octet-stream".to_owned())], file);
        }
        _ => json!({"success": true}),
    };
    Answer::json(200, &answer)
}

fn shown(seen: &Seen) -> Option<Shown> {
    let body: Value = seen.json();
    let raw = body["text"]["body"].as_str()?.to_owned();
    // Invisible characters take no room on the screen, but they do in the message.
    assert!(raw.encode_utf16().count() <= 4_096);
    Some(Shown { visible: raw.replace(['\u{200b}', '*'], ""), raw })
}
