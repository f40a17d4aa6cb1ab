//! Telegram, as the laws need to know it.

use chela_channel_telegram::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::Ack;
use chela_testkit::laws::channel::platform::{Answer, Seen};
use chela_testkit::laws::channel::{ChannelUnderTest, Fate, Shown};
use serde_json::{Value, json};

/// What the platform serves as the content of files.
pub(crate) const FILE: &[u8] = b"a picture of Ada";

pub(crate) fn subject() -> ChannelUnderTest {
    ChannelUnderTest {
        descriptor: DESCRIPTOR,
        simulator: SIMULATOR,
        folder: env!("CARGO_MANIFEST_DIR"),
        options: SIMULATOR.options,
        proof_header: "x-telegram-bot-api-secret-token",
        signs_body: false,
        signs_time: false,
        dropped: &["other-bot", "automatic-forward", "migrated", "reaction"],
        ack: Ack::empty,
        to_us: &["group-mention", "group-reply", "group-command", "topic", "anonymous-admin", "group-button"],
        not_to_us: &["group-text", "group-thread", "channel-post"],
        file: Some(("photo", FILE)),
        same_peer: &[("text", "edited"), ("text", "button"), ("text", "voice"), ("group-mention", "group-reply")],
        handshake: None,
        manners: |seen| {
            let result = match method(seen) {
                "sendMessage" | "sendPhoto" | "sendDocument" => {
                    json!({"message_id": 321, "date": 1, "chat": {"id": 7527593, "type": "private"}})
                }
                "getFile" => {
                    json!({"file_id": "AgAClarge", "file_unique_id": "AQADl", "file_path": "photos/file_1.jpg"})
                }
                "file_1.jpg" => return Answer::text(200, std::str::from_utf8(FILE).unwrap()),
                "getMe" => {
                    json!({"id": 110201543, "is_bot": true, "first_name": "Chela", "username": "Chela_Test_Bot"})
                }
                "getWebhookInfo" => json!({"url": "https://example.org/webhook/telegram", "pending_update_count": 2}),
                _ => json!(true),
            };
            Answer::json(200, &json!({"ok": true, "result": result}))
        },
        refusals: || {
            let no = |status: u16, description: &str, parameters: Value| {
                let body =
                    json!({"ok": false, "error_code": status, "description": description, "parameters": parameters});
                Answer::json(status, &body)
            };
            vec![
                (no(429, "Too Many Requests: retry after 5", json!({"retry_after": 5})), Fate::Waits(5)),
                (Answer::text(429, "slow down: now").header("retry-after", "9"), Fate::Waits(9)),
                (no(403, "Forbidden: bot was blocked by the user", json!({})), Fate::Refused),
                (no(400, "Bad Request: chat not found", json!({})), Fate::Refused),
                (no(401, "Unauthorized: token revoked", json!({})), Fate::Refused),
                (no(404, "Not Found: no such method", json!({})), Fate::Refused),
                (no(500, "Internal Server Error: restart", json!({})), Fate::Unknown),
                (Answer::text(502, "<html>Bad Gateway: nginx</html>"), Fate::Unknown),
                (Answer::text(200, "<html>not: Telegram</html>"), Fate::Unknown),
                (Answer::json(200, &json!({"ok": true, "result": true})), Fate::Unknown),
                // Telegram also answers 200 to what it refused, where a call is part of an update's answer.
                (
                    Answer::json(200, &json!({"ok": false, "error_code": 403, "description": "Forbidden: kicked"})),
                    Fate::Refused,
                ),
            ]
        },
        shown,
        longest: 4096,
        reads_tags: true,
        code_marks: ("<pre>", "</pre>"),
    }
}

pub(crate) fn method(seen: &Seen) -> &str {
    seen.path.rsplit('/').next().unwrap()
}

fn shown(seen: &Seen) -> Option<Shown> {
    let body = seen.json();
    if method(seen) != "sendMessage" {
        return None;
    }
    let raw = body["text"].as_str()?.to_owned();
    let visible = if body["parse_mode"] == "HTML" { reader(&raw) } else { raw.clone() };
    Some(Shown { raw, visible })
}

/// Reads HTML as strictly as Telegram does: known tags only, closed in order, and no other escapes.
fn reader(html: &str) -> String {
    let mut open: Vec<String> = Vec::new();
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        let (tag, after) = after.split_once('>').expect("a tag is closed");
        rest = after;
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop().as_deref(), Some(name), "tags end in order: {html}"),
            None => {
                let name = tag.split(' ').next().unwrap();
                assert!(["b", "i", "s", "code", "pre", "a", "blockquote"].contains(&name), "unknown tag {tag}");
                open.push(name.to_owned());
            }
        }
    }
    assert_eq!(open, Vec::<String>::new(), "tags are left open: {html}");
    text.push_str(rest);
    for (at, _) in text.match_indices('&') {
        let known = ["&amp;", "&lt;", "&gt;", "&quot;"].iter().any(|escape| text[at..].starts_with(escape));
        assert!(known, "an unknown escape in {text}");
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
