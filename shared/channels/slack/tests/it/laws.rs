//! The laws of channels.

use chela_channel_slack::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::Ack;
use chela_testkit::laws::channel::platform::{Answer, Seen};
use chela_testkit::laws::channel::{ChannelUnderTest, Fate, Shown};
use serde_json::json;

async fn slack() -> ChannelUnderTest {
    ChannelUnderTest {
        descriptor: DESCRIPTOR,
        simulator: SIMULATOR,
        folder: env!("CARGO_MANIFEST_DIR"),
        options: SIMULATOR.options,
        proof_header: "x-slack-signature",
        signs_body: true,
        signs_time: true,
        dropped: &[
            "channel-created",
            "channel-join",
            "message-unfurled",
            "other-bot",
            "own-echo",
            "slackbot",
            "view-submission",
        ],
        ack: Ack::empty,
        to_us: &[
            "app-mention",
            "message-private",
            "message-mpim",
            "message-thread-reply",
            "slash-command",
            "block-actions",
        ],
        not_to_us: &["message-channel"],
        file: Some(("message-file-share", FILE)),
        same_peer: &[
            ("text", "message-changed"),
            ("text", "message-file-share"),
            ("text", "slash-native"),
            ("app-mention", "message-thread-reply"),
            ("app-mention", "block-actions"),
            ("app-mention", "slash-command"),
        ],
        handshake: Some((
            "url-verification",
            Ack::json(&json!({ "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P" })),
        )),
        manners,
        refusals: || {
            let error = |error: &str| Answer::json(200, &json!({ "ok": false, "error": error }));
            vec![
                (
                    Answer::json(429, &json!({ "ok": false, "error": "ratelimited" })).header("retry-after", "30"),
                    Fate::Waits(30),
                ),
                (error("ratelimited").header("retry-after", "3"), Fate::Waits(3)),
                (error("request_timeout"), Fate::NotSent),
                (error("internal_error"), Fate::Unknown),
                (Answer::text(503, "<html>error: no service</html>"), Fate::Unknown),
                (Answer::text(200, "<html>error: a proxy</html>"), Fate::Unknown),
                (error("channel_not_found"), Fate::Refused),
                (error("invalid_auth: which token"), Fate::Refused),
                (Answer::text(404, "error: not here"), Fate::Refused),
            ]
        },
        shown,
        // Where chat.postMessage cuts. What chat.update takes is ten times less, see outbound.rs.
        longest: 40_000,
        reads_tags: false,
        code_marks: ("```", "```"),
    }
}

/// What the platform serves as the content of files.
const FILE: &[u8] = b"a receipt";

fn manners(seen: &Seen) -> Answer {
    let host = seen.headers["host"].to_str().expect("a host");
    match seen.path.as_str() {
        "/api/files.getUploadURLExternal" => {
            let upload_url = format!("http://{host}/upload/v1/CwABAAAAXAoAAVnX");
            Answer::json(200, &json!({ "ok": true, "upload_url": upload_url, "file_id": "F0TD00500" }))
        }
        "/api/files.completeUploadExternal" => {
            Answer::json(200, &json!({ "ok": true, "files": [{ "id": "F0TD00500" }] }))
        }
        path if path.starts_with("/files-pri/") => Answer::text(200, std::str::from_utf8(FILE).expect("text")),
        _ => Answer::json(200, &json!({ "ok": true, "channel": "D0PNCRP9N", "ts": "1767225600.000100" })),
    }
}

fn shown(seen: &Seen) -> Option<Shown> {
    let raw = seen.json()["text"].as_str()?.to_owned();
    // <url|label> is shown as its label.
    let mut visible = String::new();
    let mut rest = raw.as_str();
    while let Some((before, link)) = rest.split_once('<') {
        let (link, after) = link.split_once('>').expect("a link that ends");
        visible.push_str(before);
        visible.push_str(link.split_once('|').map_or(link, |(_, label)| label));
        rest = after;
    }
    visible.push_str(rest);
    let visible = visible.replace('*', "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    Some(Shown { raw, visible })
}

chela_testkit::channel_laws!(slack);
