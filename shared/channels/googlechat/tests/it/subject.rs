//! Google Chat, as the laws need to know it.

use chela_channel_googlechat::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::Ack;
use chela_testkit::laws::channel::platform::{Answer, Seen};
use chela_testkit::laws::channel::{ChannelUnderTest, Fate, Shown};
use http::Method;
use serde_json::json;

/// What the platform serves as a file.
const FILE: &str = "%PDF-not really";

pub(crate) fn subject() -> ChannelUnderTest {
    ChannelUnderTest {
        descriptor: DESCRIPTOR,
        simulator: SIMULATOR,
        folder: env!("CARGO_MANIFEST_DIR"),
        options: SIMULATOR.options,
        proof_header: "authorization",
        signs_body: false,
        signs_time: true,
        dropped: &["own-echo", "other-app", "added", "removed", "widget", "addon-removed"],
        ack: || Ack::json(&json!({})),
        to_us: &[
            "room-mention",
            "room-reply",
            "group-mention",
            "added-by-mention",
            "button",
            "addon-message",
            "addon-button",
        ],
        not_to_us: &["room-text"],
        file: Some(("file", FILE.as_bytes())),
        same_peer: &[
            ("text", "dm-thread"),
            ("text", "slash-command"),
            ("text", "addon-command"),
            ("room-mention", "room-text"),
            ("room-mention", "addon-button"),
        ],
        handshake: None,
        manners: |seen| match (&seen.method, seen.path.as_str()) {
            (_, "/token") => {
                Answer::json(200, &json!({ "access_token": "ya29.issued", "expires_in": 3599, "token_type": "Bearer" }))
                    .aside()
            }
            (&Method::GET, path) if path.starts_with("/v1/media/") => Answer::text(200, FILE),
            (&Method::GET, _) => Answer::json(200, &json!({ "spaces": [] })),
            _ => Answer::json(200, &json!({ "name": "spaces/4a3bcDAAAAE/messages/x.y", "text": "…" })),
        },
        refusals: || {
            let no = |code: u16, status: &str, message: &str| {
                Answer::json(code, &json!({ "error": { "code": code, "status": status, "message": message } }))
            };
            vec![
                (no(429, "RESOURCE_EXHAUSTED", "Quota: exceeded").header("retry-after", "9"), Fate::Waits(9)),
                (no(429, "RESOURCE_EXHAUSTED", "Quota: exceeded"), Fate::Waits(5)),
                (no(403, "PERMISSION_DENIED", "Forbidden: not a member of the space"), Fate::Refused),
                (no(404, "NOT_FOUND", "Gone: no such space"), Fate::Refused),
                (no(400, "INVALID_ARGUMENT", "Bad: too long"), Fate::Refused),
                (no(500, "INTERNAL", "Oops: restart"), Fate::Unknown),
                (no(503, "UNAVAILABLE", "Later: overloaded"), Fate::Unknown),
                (Answer::text(502, "<html>Bad Gateway: nginx</html>"), Fate::Unknown),
                (Answer::text(200, "<html>not: Google</html>"), Fate::Unknown),
                (Answer::json(200, &json!({ "name": "" })), Fate::Unknown),
                // The token is new, so another one would be refused too.
                (no(401, "UNAUTHENTICATED", "Unauthorized: invalid credentials"), Fate::Refused),
            ]
        },
        shown,
        longest: 5_000,
        reads_tags: false,
        code_marks: ("```", "```"),
    }
}

fn shown(seen: &Seen) -> Option<Shown> {
    if seen.method != Method::POST || !seen.path.contains("/messages?") {
        return None;
    }
    assert!(seen.body.len() <= 32_000, "the limit of Google Chat: {} bytes", seen.body.len());
    let raw = seen.json()["text"].as_str()?.to_owned();
    let visible = reader(&raw);
    Some(Shown { raw, visible })
}

/// Without the marks: links show their label.
fn reader(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<http") {
        shown.push_str(before);
        let (link, after) = after.split_once('>').expect("a link is closed");
        shown.push_str(link.split_once('|').expect("a link has a label").1);
        rest = after;
    }
    shown.push_str(rest);
    shown.replace(['*', '`', '~'], "")
}
