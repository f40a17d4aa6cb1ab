//! A bridge, as the laws need to know it.

use chela_channel_bridge::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::Ack;
use chela_testkit::laws::channel::platform::{Answer, Seen};
use chela_testkit::laws::channel::{ChannelUnderTest, Fate, Shown};
use serde_json::json;

pub(crate) fn subject() -> ChannelUnderTest {
    ChannelUnderTest {
        descriptor: DESCRIPTOR,
        simulator: SIMULATOR,
        folder: env!("CARGO_MANIFEST_DIR"),
        options: SIMULATOR.options,
        proof_header: "x-bridge-signature",
        signs_body: true,
        signs_time: true,
        dropped: &["own-echo", "other-bot", "unknown-type"],
        ack: Ack::empty,
        to_us: &["group-mention", "thread", "edited"],
        not_to_us: &["group", "thread-room"],
        file: Some(("attachment", b"%PDF-1.7 a file")),
        same_peer: &[("text", "dm-later"), ("group", "group"), ("thread", "edited")],
        handshake: None,
        manners,
        refusals: || {
            vec![
                (Answer::text(429, "later").header("retry-after", "7"), Fate::Waits(7)),
                (Answer::json(404, &json!({"error": "no such chat: gone"})), Fate::Refused),
                (Answer::json(401, &json!({"error": "not proven: clock"})), Fate::Refused),
                (Answer::text(302, "").header("location", "https://elsewhere.example/"), Fate::Refused),
                (Answer::json(503, &json!({"error": "no connection: netsplit"})), Fate::NotSent),
                (Answer::text(500, "oops: x"), Fate::Unknown),
                (Answer::text(200, "no json: x"), Fate::Unknown),
                (Answer::json(200, &json!({"id": ""})), Fate::Unknown),
            ]
        },
        shown,
        longest: DESCRIPTOR.limits.text,
        reads_tags: true,
        code_marks: ("```", "```"),
    }
}

fn manners(seen: &Seen) -> Answer {
    match seen.path.as_str() {
        "/libera/about" => Answer::json(200, &about()),
        "/libera/send" | "/libera/attach" => Answer::json(200, &json!({"id": "said-1"})),
        "/libera/edit" | "/libera/typing" | "/libera/react" => Answer::text(204, ""),
        // A file of a message.
        "/a.pdf" => Answer::text(200, "%PDF-1.7 a file"),
        _ => Answer::text(404, ""),
    }
}

pub(crate) fn about() -> serde_json::Value {
    json!({
        "name": "Libera", "connected": true, "features": ["attach", "edit", "react", "typing"], "limits": {"text": 4000},
    })
}

fn shown(seen: &Seen) -> Option<Shown> {
    let text = seen.json()["text"].as_str()?.to_owned();
    Some(Shown { raw: text.clone(), visible: text })
}
