//! GitHub, as the laws need to know it.

use chela_channel_github::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::Ack;
use chela_testkit::laws::channel::ChannelUnderTest;
use chela_testkit::laws::channel::platform::{Answer, Seen};
use chela_testkit::laws::channel::{ARRIVAL, Fate, Shown};
use http::Method;
use serde_json::json;

/// What the platform serves as a file.
const FILE: &str = "GIF89a, a small one";

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
            "deleted",
            "edited-by-another",
            "issue-closed",
            "other-bot",
            "own-echo",
            "review-approved",
            "star",
            "stranger",
            "title-edited",
        ],
        ack: Ack::empty,
        to_us: &[
            "text",
            "command",
            "edited",
            "pull-comment",
            "attachment",
            "issue-opened",
            "pull-opened",
            "review-comment",
            "review-reply",
            "review",
        ],
        not_to_us: &["comment", "quote"],
        file: Some(("attachment", FILE.as_bytes())),
        same_peer: &[("text", "edited"), ("text", "comment"), ("review-comment", "pull-comment")],
        handshake: Some(("ping", Ack::empty())),
        manners,
        refusals: || {
            let no = |status: u16, message: &str| {
                Answer::json(status, &json!({"message": message, "status": status.to_string()}))
            };
            let in_90_s = (ARRIVAL.seconds() + 90).to_string();
            vec![
                (no(429, "Too many: requests").header("retry-after", "7"), Fate::Waits(7)),
                (no(403, "You have exceeded: a secondary rate limit").header("retry-after", "30"), Fate::Waits(30)),
                (no(403, "You have exceeded: a secondary rate limit"), Fate::Waits(60)),
                (no(429, "slow: down"), Fate::Waits(60)),
                (
                    no(403, "API rate limit: exceeded")
                        .header("x-ratelimit-remaining", "0")
                        .header("x-ratelimit-reset", &in_90_s),
                    Fate::Waits(90),
                ),
                (no(403, "Resource: not accessible").header("x-ratelimit-remaining", "4999"), Fate::Refused),
                (no(403, "Unable to create comment: issue is locked"), Fate::Refused),
                (no(401, "Bad: credentials"), Fate::Refused),
                (no(404, "Not: Found"), Fate::Refused),
                (no(410, "Gone: deleted"), Fate::Refused),
                (no(422, "Validation: Failed"), Fate::Refused),
                (no(500, "Server: Error"), Fate::Unknown),
                (Answer::text(502, "<html>Bad Gateway: nginx</html>"), Fate::Unknown),
                (Answer::text(200, "<html>not: GitHub</html>"), Fate::Unknown),
                (Answer::json(201, &json!({"note": "no: id"})), Fate::Unknown),
            ]
        },
        shown,
        longest: 65_536,
        reads_tags: true,
        code_marks: ("```", "```"),
    }
}

/// GitHub when all is well.
pub(crate) fn manners(seen: &Seen) -> Answer {
    let path = seen.path.split('?').next().unwrap();
    if path.starts_with("/user-attachments/") {
        return Answer::text(200, FILE);
    }
    match (&seen.method, path) {
        (&Method::GET, "/user") => Answer::json(200, &json!({"login": "chela-bot", "id": 9001, "type": "User"})),
        (&Method::GET, "/app") => Answer::json(200, &json!({"id": 5, "slug": "chela-bot", "name": "Chela"})),
        (_, "/app/hook/config") => Answer::json(200, &json!({"url": "https://example.org/w", "content_type": "json"})),
        (&Method::GET, path) if path.ends_with("/installation") => Answer::json(200, &json!({"id": 99})),
        (&Method::POST, path) if path.ends_with("/access_tokens") => {
            Answer::json(201, &json!({"token": "ghs_installation", "expires_at": "2026-01-01T01:00:00Z"}))
        }
        (&Method::GET, path) if path.ends_with("/hooks") => Answer::json(200, &json!([])),
        (&Method::PATCH, _) => Answer::json(200, &json!({"id": 501})),
        (&Method::DELETE, _) => Answer::text(204, ""),
        (&Method::GET, path) if path.contains("/comments/") => {
            let repo = "https://api.github.com/repos/octo-org/hello-world";
            let place = json!({"issue_url": format!("{repo}/issues/7"), "pull_request_url": format!("{repo}/pulls/7")});
            Answer::json(200, &place)
        }
        _ => Answer::json(201, &json!({"id": 501, "html_url": "https://github.com/x"})),
    }
}

fn shown(seen: &Seen) -> Option<Shown> {
    if seen.method != Method::POST || !seen.path.ends_with("/comments") {
        return None;
    }
    let raw = seen.json()["body"].as_str()?.to_owned();
    assert!(raw.encode_utf16().count() <= 65_536);
    Some(Shown { visible: raw.replace('\u{200b}', "").replace("&lt;", "<"), raw })
}
