//! E-mail, as the laws need to know it. The platform is Amazon SES; its posts are those of a forwarder.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chela_channel_email::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::Ack;
use chela_testkit::laws::channel::platform::{Answer, Seen};
use chela_testkit::laws::channel::{ChannelUnderTest, Fate, Shown};
use mail_parser::MessageParser;
use serde_json::json;

pub(crate) fn subject() -> ChannelUnderTest {
    ChannelUnderTest {
        descriptor: DESCRIPTOR,
        simulator: SIMULATOR,
        folder: env!("CARGO_MANIFEST_DIR"),
        options: SIMULATOR.options,
        proof_header: "x-mail-signature",
        signs_body: true,
        signs_time: true,
        dropped: &["spoofed", "unproven", "two-authors", "vacation", "newsletter", "bounce", "own-echo"],
        ack: Ack::empty,
        to_us: &[],
        not_to_us: &[],
        file: Some(("attachment", b"name,age\nAda,36\n")),
        same_peer: &[("text", "reply-gmail"), ("text", "tagged"), ("text", "copied")],
        handshake: None,
        manners: |seen| match seen.path.as_str() {
            "/v2/email/outbound-emails" => Answer::json(200, &json!({"MessageId": "0100019a-sent-000000"})),
            "/v2/email/account" => Answer::json(
                200,
                &json!({
                    "SendingEnabled": true,
                    "ProductionAccessEnabled": true,
                    "SendQuota": {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": 3.0},
                }),
            ),
            "/v2/email/identities/example.org" => {
                Answer::json(200, &json!({"IdentityType": "DOMAIN", "VerifiedForSendingStatus": true}))
            }
            path => Answer::json(404, &json!({"message": format!("nothing at: {path}")})),
        },
        refusals: || {
            let no = |status: u16, message: &str| Answer::json(status, &json!({"message": message}));
            vec![
                (no(429, "Too Many Requests: slow down").header("retry-after", "7"), Fate::Waits(7)),
                (no(429, "Maximum sending rate exceeded."), Fate::Waits(5)),
                (no(429, "Daily message quota exceeded."), Fate::Waits(3600)),
                (no(400, "Daily message quota exceeded."), Fate::Waits(3600)),
                (Answer::json(400, &json!({"Message": "Rate exceeded"})), Fate::Waits(5)),
                (no(400, "Email address is not verified: bot@example.org"), Fate::Refused),
                (no(400, "Sending suspended for this account: paused"), Fate::Refused),
                (no(403, "The security token included in the request is expired"), Fate::NotSent),
                (no(403, "Signature expired: 20260101T000000Z is now earlier"), Fate::NotSent),
                (no(403, "User: arn:aws:iam::1:user/x is not authorized"), Fate::Refused),
                (no(404, "Configuration set: none"), Fate::Refused),
                (no(500, "Internal: failure"), Fate::Unknown),
                (Answer::text(503, "<html>Service: unavailable</html>"), Fate::Unknown),
                (Answer::text(200, "<html>not: SES</html>"), Fate::Unknown),
                (Answer::json(200, &json!({"MessageId": ""})), Fate::Unknown),
            ]
        },
        shown,
        longest: 16_000,
        reads_tags: true,
        code_marks: ("<pre>", "</pre>"),
    }
}

/// The message in a request.
pub(crate) fn raw(seen: &Seen) -> Vec<u8> {
    BASE64.decode(seen.json()["Content"]["Raw"]["Data"].as_str().unwrap()).unwrap()
}

fn shown(seen: &Seen) -> Option<Shown> {
    if seen.path != "/v2/email/outbound-emails" {
        return None;
    }
    let raw = raw(seen);
    let message = MessageParser::default().parse(&raw).unwrap();
    assert_eq!((message.text_body.len(), message.html_body.len()), (1, 1));
    let html = message.body_html(0).unwrap().into_owned();
    let visible = visible(&html);
    Some(Shown { raw: html, visible })
}

/// What a browser shows, without its lines.
fn visible(html: &str) -> String {
    let texts = html.split('<').enumerate().map(|(nth, piece)| match piece.split_once('>') {
        Some((_, text)) if nth > 0 => text,
        _ => piece,
    });
    let text: String = texts.collect();
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}
