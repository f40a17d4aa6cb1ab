//! Matrix, as the laws need to know it.

use chela_channel_matrix::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::Ack;
use chela_testkit::laws::channel::platform::{Answer, Seen};
use chela_testkit::laws::channel::{ChannelUnderTest, Fate, Shown};
use serde_json::json;

/// Bytes of one event, its envelope among them. <https://spec.matrix.org/v1.16/client-server-api/#size-limits>
const MOST_EVENT_BYTES: usize = 65_536;

/// What a server adds to the content: ids, times, hashes, signatures and up to twenty ids of earlier events.
const ENVELOPE_BYTES: usize = 4_000;

pub(crate) fn subject() -> ChannelUnderTest {
    ChannelUnderTest {
        descriptor: DESCRIPTOR,
        simulator: SIMULATOR,
        folder: env!("CARGO_MANIFEST_DIR"),
        options: SIMULATOR.options,
        proof_header: "authorization",
        signs_body: false,
        signs_time: false,
        dropped: &[
            "notice",
            "own-echo",
            "own-ghost",
            "reaction",
            "redaction",
            "redacted",
            "state-message",
            "encrypted",
            "history",
            "verification",
            "invite",
            "typing",
        ],
        ack: || Ack::json(&json!({})),
        to_us: &["group-mention", "group-mention-by-text", "group-reply", "group-reply-with-quote", "group-thread"],
        not_to_us: &["group-text"],
        file: Some(("file", b"five!")),
        same_peer: &[("text", "edited"), ("text", "dm-thread"), ("group-mention", "group-text")],
        handshake: None,
        manners,
        refusals: || {
            let no =
                |status: u16, code: &str, words: &str| Answer::json(status, &json!({"errcode": code, "error": words}));
            let limited = json!({"errcode": "M_LIMIT_EXCEEDED", "error": "Too: many", "retry_after_ms": 7_000});
            vec![
                (Answer::json(429, &limited), Fate::Waits(7)),
                (Answer::json(429, &limited).header("retry-after", "9"), Fate::Waits(9)),
                (Answer::text(429, "slow down: now"), Fate::Waits(5)),
                (no(403, "M_FORBIDDEN", "User not in room: gone"), Fate::Refused),
                (no(401, "M_UNKNOWN_TOKEN", "Invalid access token: x"), Fate::Refused),
                (no(404, "M_UNRECOGNIZED", "Unrecognized request: x"), Fate::Refused),
                (no(413, "M_TOO_LARGE", "event too large: x"), Fate::Refused),
                (no(500, "M_UNKNOWN", "Internal server error: x"), Fate::Unknown),
                (Answer::text(502, "<html>Bad Gateway: nginx</html>"), Fate::Unknown),
                (Answer::text(200, "<html>not: Matrix</html>"), Fate::Unknown),
                (Answer::json(200, &json!({})), Fate::Unknown),
            ]
        },
        shown,
        longest: 16_000,
        reads_tags: true,
        code_marks: ("<pre>", "</pre>"),
    }
}

pub(crate) fn manners(seen: &Seen) -> Answer {
    let path = seen.path.split('?').next().unwrap();
    let is = |part: &str| path.contains(part);
    let body = match () {
        () if is("/send/") => json!({"event_id": "$sent"}),
        () if is("/upload") => json!({"content_uri": "mxc://hs.local/upLoaded"}),
        () if is("/download/") => return Answer::text(200, "five!"),
        () if is("/whoami") => json!({"user_id": "@agent:hs.local", "is_guest": false}),
        () if is("/ping") => json!({"duration_ms": 12}),
        () => json!({}),
    };
    Answer::json(200, &body)
}

fn shown(seen: &Seen) -> Option<Shown> {
    if !seen.path.contains("/send/m.room.message/") {
        return None;
    }
    assert!(seen.body.len() + ENVELOPE_BYTES <= MOST_EVENT_BYTES, "{} bytes", seen.body.len());
    let body = seen.json();
    let plain = body["body"].as_str()?.to_owned();
    Some(match body["formatted_body"].as_str() {
        Some(html) => Shown { raw: html.to_owned(), visible: reader(html) },
        // Text alone has no tags.
        None => Shown { raw: plain.replace('<', "&lt;"), visible: plain },
    })
}

/// Reads HTML as a strict client does: tags of the specification only, closed in order, and no other escapes.
pub(crate) fn reader(html: &str) -> String {
    const TAGS: [&str; 18] = [
        "p",
        "br",
        "hr",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "ul",
        "ol",
        "li",
        "pre",
        "code",
        "a",
        "blockquote",
        "strong",
        "em",
    ];
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
                assert!(TAGS.contains(&name) || name == "del", "unknown tag {tag}");
                if matches!(name, "br" | "p" | "li" | "hr" | "pre" | "blockquote") {
                    text.push('\n');
                }
                if !matches!(name, "br" | "hr") {
                    open.push(name.to_owned());
                }
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
