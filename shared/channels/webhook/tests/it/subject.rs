//! The other side, as the laws need to know it.

use chela_channel_webhook::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::Ack;
use chela_testkit::laws::channel::platform::{Answer, Seen};
use chela_testkit::laws::channel::{ChannelUnderTest, Fate, Shown};

pub(crate) fn subject() -> ChannelUnderTest {
    ChannelUnderTest {
        descriptor: DESCRIPTOR,
        simulator: SIMULATOR,
        folder: env!("CARGO_MANIFEST_DIR"),
        options: SIMULATOR.options,
        proof_header: "webhook-signature",
        signs_body: true,
        signs_time: true,
        dropped: &["bot", "own-reply", "unknown-type"],
        ack: Ack::empty,
        to_us: &["group-mention"],
        not_to_us: &["group"],
        file: Some(("attachments", b"%PDF-1.7 a file")),
        same_peer: &[("text", "edited"), ("text", "attachments")],
        handshake: None,
        manners: |seen| match seen.path.as_str() {
            "/a.pdf" => Answer::text(200, "%PDF-1.7 a file"),
            _ => Answer::text(202, ""),
        },
        refusals: || {
            vec![
                (Answer::text(429, "later").header("retry-after", "7"), Fate::Waits(7)),
                (Answer::text(410, "gone: away"), Fate::Refused),
                (Answer::text(400, "error: no"), Fate::Refused),
                (Answer::text(302, "").header("location", "https://elsewhere.example/"), Fate::Refused),
                (Answer::text(500, "oops: x"), Fate::Unknown),
                (Answer::text(503, "busy").header("retry-after", "9"), Fate::Unknown),
            ]
        },
        shown,
        longest: DESCRIPTOR.limits.text,
        reads_tags: true,
        code_marks: ("```", "```"),
    }
}

fn shown(seen: &Seen) -> Option<Shown> {
    let text = seen.json()["data"]["text"].as_str()?.to_owned();
    Some(Shown { raw: text.clone(), visible: text })
}
