//! Teams, as the laws need to know it.

use chela_channel_teams::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::Ack;
use chela_testkit::laws::channel::platform::{Answer, Seen};
use chela_testkit::laws::channel::{ChannelUnderTest, Fate, Shown};
use http::Method;
use pulldown_cmark::{Event, Options, Parser, TagEnd};
use serde_json::json;

/// What the platform serves as a picture.
const PICTURE: &str = "not really a picture";

pub(crate) fn subject() -> ChannelUnderTest {
    ChannelUnderTest {
        descriptor: DESCRIPTOR,
        simulator: SIMULATOR,
        folder: env!("CARGO_MANIFEST_DIR"),
        options: SIMULATOR.options,
        proof_header: "authorization",
        signs_body: false,
        signs_time: true,
        dropped: &["own-echo", "other-bot", "reaction", "installed", "typing", "deleted", "undeleted"],
        ack: Ack::empty,
        to_us: &["group-mention", "channel-mention", "card-action"],
        not_to_us: &["group-text", "channel-reply"],
        file: Some(("image", PICTURE.as_bytes())),
        same_peer: &[("text", "edited"), ("text", "button"), ("text", "image"), ("group-mention", "group-text")],
        handshake: None,
        manners: |seen| match (&seen.method, seen.path.as_str()) {
            (_, path) if path.ends_with("/oauth2/v2.0/token") => {
                let token = json!({ "token_type": "Bearer", "expires_in": 3599, "access_token": "issued" });
                Answer::json(200, &token).aside()
            }
            (&Method::POST, _) => Answer::json(201, &json!({ "id": "1767225600123" })),
            (&Method::GET, _) => Answer::text(200, PICTURE).header("content-type", "image/png"),
            _ => Answer::json(200, &json!({ "id": "1767225600123" })),
        },
        refusals: || {
            let no = |status: u16, code: &str, message: &str| {
                Answer::json(status, &json!({ "error": { "code": code, "message": message } }))
            };
            vec![
                (no(429, "TooManyRequests", "slow down: now").header("retry-after", "9"), Fate::Waits(9)),
                (Answer::text(429, ""), Fate::Waits(5)),
                (no(403, "BotNotInConversationRoster", "Forbidden: the bot was removed"), Fate::Refused),
                (no(403, "MessageWritesBlocked", "Refused: blocked by the user"), Fate::Refused),
                (no(404, "ConversationNotFound", "Not found: no such conversation"), Fate::Refused),
                (no(413, "MessageSizeTooBig", "Too big: over the limit"), Fate::Refused),
                (no(400, "BadSyntax", "Bad: malformed"), Fate::Refused),
                (no(412, "PreconditionFailed", "Conflict: try again"), Fate::NotSent),
                (no(500, "ServiceError", "Oops: restart"), Fate::Unknown),
                (Answer::text(502, "<html>Bad Gateway: nginx</html>"), Fate::Unknown),
                (Answer::text(200, "<html>not: Teams</html>"), Fate::Unknown),
                (Answer::json(201, &json!({ "id": "" })), Fate::Unknown),
                // The token is new, so another one would be refused too.
                (Answer::json(401, &json!({ "message": "Authorization: denied" })), Fate::Refused),
            ]
        },
        shown,
        longest: 7_000,
        reads_tags: true,
        code_marks: ("```", "```"),
    }
}

fn shown(seen: &Seen) -> Option<Shown> {
    let body = seen.json();
    if seen.method != Method::POST || !seen.path.ends_with("/activities") || body["type"] != "message" {
        return None;
    }
    assert!(seen.body.len() <= 28 * 1024, "the oldest limit of Teams: {} bytes", seen.body.len());
    let raw = body["text"].as_str()?.to_owned();
    let visible = reader(&raw);
    Some(Shown { raw, visible })
}

/// Reads it as CommonMark, and finds no HTML in it.
fn reader(markdown: &str) -> String {
    let mut text = String::new();
    for event in Parser::new_ext(markdown, Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(words) | Event::Code(words) => text.push_str(&words),
            Event::SoftBreak | Event::HardBreak | Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::CodeBlock) => {
                text.push('\n');
            }
            Event::Html(tag) | Event::InlineHtml(tag) => panic!("a tag is written: {tag}"),
            _ => {}
        }
    }
    text
}
