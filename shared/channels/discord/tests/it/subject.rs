//! Discord, as the laws need to know it.

use chela_channel_discord::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::{Ack, Parsed};
use chela_core::message::{Inbound, ReplyAddress};
use chela_testkit::laws::channel::platform::{Answer, Seen};
use chela_testkit::laws::channel::{ARRIVAL, ChannelUnderTest, Fate, Shown};
use http::Method;
use serde_json::{Value, json};

/// What the samples' file holds.
pub(crate) const FILE: &[u8] = b"a picture of Ada";

/// The message that the platform says it made.
pub(crate) const MADE: &str = "1456074439786496999";

/// Messages: what a bridge posts, beside the interactions among the samples.
pub(crate) fn subject() -> ChannelUnderTest {
    ChannelUnderTest {
        descriptor: DESCRIPTOR,
        simulator: SIMULATOR,
        folder: env!("CARGO_MANIFEST_DIR"),
        options: SIMULATOR.options,
        proof_header: "x-bridge-signature",
        signs_body: true,
        signs_time: true,
        dropped: &["own-echo", "other-bot", "unknown-interaction"],
        ack: Ack::empty,
        to_us: &["guild-mention", "guild-reply", "thread-mention", "ask", "ask-thread", "button", "message-command"],
        not_to_us: &["guild-text", "group-dm"],
        file: Some(("dm-file", FILE)),
        same_peer: &[
            ("text", "edited"),
            ("text", "ask-dm"),
            ("text", "button-dm"),
            ("guild-mention", "ask"),
            ("guild-mention", "guild-reply"),
            ("guild-mention", "button"),
            ("thread-mention", "ask-thread"),
        ],
        handshake: Some(("ping", Ack::json(&json!({ "type": 1 })))),
        manners,
        refusals: || {
            let mut refusals = refusals_everywhere();
            refusals.extend([
                (Answer::json(401, &json!({ "message": "401: Unauthorized", "code": 0 })), Fate::Refused),
                (Answer::json(404, &json!({ "message": "Unknown Channel: gone", "code": 10003 })), Fate::Refused),
            ]);
            refusals
        },
        shown,
        longest: 2000,
        reads_tags: false,
        code_marks: ("```", "```"),
    }
}

/// Interactions, which Discord signs.
pub(crate) fn interactions() -> ChannelUnderTest {
    ChannelUnderTest {
        folder: concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interactions"),
        proof_header: "x-signature-ed25519",
        refusals: refusals_everywhere,
        ..subject()
    }
}

fn refusals_everywhere() -> Vec<(Answer, Fate)> {
    let no = |status: u16, code: u64, message: &str| Answer::json(status, &json!({ "message": message, "code": code }));
    vec![
        (
            Answer::json(
                429,
                &json!({ "message": "You are being rate limited.", "retry_after": 64.57, "global": false }),
            )
            .header("retry-after", "65"),
            Fate::Waits(64),
        ),
        (Answer::text(429, "error: 1015").header("retry-after", "9"), Fate::Waits(9)),
        (no(403, 50013, "Missing Permissions: none"), Fate::Refused),
        (no(403, 50007, "Cannot send messages to this user: blocked"), Fate::Refused),
        (
            Answer::json(
                400,
                &json!({
                    "message": "Invalid Form Body",
                    "code": 50035,
                    "errors": { "content": { "_errors": [{ "code": "BASE_TYPE_MAX_LENGTH", "message": "Must be: 2000" }] } },
                }),
            ),
            Fate::Refused,
        ),
        (no(500, 0, "500: Internal Server Error"), Fate::Unknown),
        (Answer::text(502, "<html>Bad Gateway: cloudflare</html>"), Fate::Unknown),
        (Answer::text(200, "<html>not: Discord</html>"), Fate::Unknown),
    ]
}

fn manners(seen: &Seen) -> Answer {
    let path = seen.path.split('?').next().unwrap();
    let message = json!({ "id": MADE, "channel_id": "319674150115610528", "type": 0, "content": "…" });
    if path.starts_with("/attachments/") || path.starts_with("/ephemeral-attachments/") {
        return Answer::text(200, std::str::from_utf8(FILE).unwrap());
    }
    if path == "/users/@me" {
        return Answer::json(200, &json!({ "id": "1100000000000000001", "username": "chela", "bot": true }));
    }
    if path == "/users/@me/channels" {
        return Answer::json(200, &json!({ "id": "319674150115610528", "type": 1 }));
    }
    if path == "/applications/@me" {
        return Answer::json(
            200,
            &json!({
                "id": "1100000000000000001",
                "name": "Chela",
                "interactions_endpoint_url": "https://example.org/webhook/discord",
                "verify_key": SIMULATOR.test_secrets()["publicKey"].expose(),
            }),
        );
    }
    if path.ends_with("/commands") {
        return Answer::json(200, &Value::Array(Vec::new()));
    }
    if path.ends_with("/typing") || path.ends_with("/@me") {
        return Answer::Http(204, Vec::new(), String::new());
    }
    Answer::json(200, &message)
}

/// The body of a message, alone or beside a file.
pub(crate) fn body(seen: &Seen) -> Value {
    match seen.json() {
        Value::Null => {
            let text = String::from_utf8_lossy(&seen.body).into_owned();
            let json = text.split("name=\"payload_json\"").nth(1).and_then(|rest| rest.split("\r\n").nth(3));
            json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
        }
        body => body,
    }
}

fn shown(seen: &Seen) -> Option<Shown> {
    let path = seen.path.split('?').next().unwrap();
    let new = seen.method == Method::POST && path.ends_with("/messages");
    if !new && !path.ends_with("/@original") {
        return None;
    }
    let raw = body(seen)["content"].as_str()?.to_owned();
    Some(Shown { visible: raw.clone(), raw })
}

/// What becomes of a sample.
pub(crate) fn parsed(name: &str) -> Parsed {
    changed(name, |_| ())
}

/// A sample with a difference.
pub(crate) fn changed(name: &str, change: impl Fn(&mut Value)) -> Parsed {
    let subject = subject();
    let mut body: Value = serde_json::from_slice(&subject.sample(name).body).unwrap();
    change(&mut body);
    let channel = subject.open("http://127.0.0.1:9");
    channel.parse(&channel.verify(subject.signed(body.to_string().as_bytes(), ARRIVAL)).unwrap()).unwrap()
}

/// Its message.
pub(crate) fn message(name: &str) -> Inbound {
    parsed(name).messages.into_iter().next().unwrap()
}

/// Where it is answered.
pub(crate) fn to(name: &str) -> ReplyAddress {
    message(name).reply_to
}
