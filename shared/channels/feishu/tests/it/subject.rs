//! Feishu, as the laws need to know it.

use chela_channel_feishu::{DESCRIPTOR, SIMULATOR};
use chela_core::channel::Ack;
use chela_testkit::laws::channel::platform::{Answer, Seen};
use chela_testkit::laws::channel::{ChannelUnderTest, Fate, Shown};
use serde_json::{Value, json};

/// What the platform serves as a picture.
const PICTURE: &str = "GIF89a, a small one";

pub(crate) fn subject() -> ChannelUnderTest {
    ChannelUnderTest {
        descriptor: DESCRIPTOR,
        simulator: SIMULATOR,
        folder: env!("CARGO_MANIFEST_DIR"),
        options: SIMULATOR.options,
        proof_header: "x-lark-signature",
        signs_body: true,
        signs_time: true,
        dropped: &["own-echo", "sticker", "reaction", "read", "old-schema"],
        ack: || Ack::json(&json!({"msg": "success"})),
        to_us: &[
            "group-mention",
            "group-reply",
            "group-post-mention",
            "thread",
            "topic",
            "group-button",
            "thread-button",
        ],
        not_to_us: &["group-text"],
        file: Some(("image", PICTURE.as_bytes())),
        same_peer: &[("text", "reply"), ("text", "button"), ("text", "encrypted"), ("group-mention", "thread-button")],
        handshake: Some(("challenge", Ack::json(&json!({"challenge": "ajls384kdj"})))),
        manners,
        refusals: || {
            let no = |status: u16, code: i64, msg: &str| Answer::json(status, &json!({"code": code, "msg": msg}));
            vec![
                (
                    no(400, 99_991_400, "request trigger frequency: limit").header("x-ogw-ratelimit-reset", "7"),
                    Fate::Waits(7),
                ),
                (no(400, 230_020, "This operation: rate limited"), Fate::Waits(5)),
                (no(400, 230_049, "The message: is being sent"), Fate::Waits(5)),
                (no(400, 11_232, "create message trigger: system rate limit"), Fate::Waits(5)),
                (no(429, 1, "too many: requests").header("retry-after", "3"), Fate::Waits(3)),
                (Answer::text(429, "slow down: now").header("x-ogw-ratelimit-reset", "9"), Fate::Waits(9)),
                (no(400, 230_002, "Bot/User: not in the chat"), Fate::Refused),
                (no(400, 230_025, "The length: too long"), Fate::Refused),
                (no(403, 99_991_672, "Access denied: one of the scopes is required"), Fate::Refused),
                (no(500, 2_200, "Internal: Error"), Fate::Unknown),
                (Answer::text(502, "<html>Bad Gateway: nginx</html>"), Fate::Unknown),
                (Answer::text(200, "<html>not: Feishu</html>"), Fate::Unknown),
                (Answer::json(200, &json!({"code": 0, "msg": "success: yes", "data": {}})), Fate::Unknown),
            ]
        },
        shown,
        longest: 8000,
        reads_tags: true,
        code_marks: ("```", "```"),
    }
}

/// Feishu when all is well.
pub(crate) fn manners(seen: &Seen) -> Answer {
    let path = seen.path.split('?').next().unwrap();
    if path.contains("/resources/") {
        return Answer::text(200, PICTURE);
    }
    let body = match path {
        "/open-apis/auth/v3/tenant_access_token/internal" => {
            json!({"code": 0, "msg": "ok", "tenant_access_token": "t-g1044qeGEDXTB6NDJOGV4JQCYDGHRBARFTGT1234", "expire": 7200})
        }
        "/open-apis/bot/v3/info" => {
            let id = "ou_b0770000000000000000000000000001";
            json!({"code": 0, "msg": "ok", "bot": {"activate_status": 2, "app_name": "Chela", "open_id": id}})
        }
        "/open-apis/im/v1/images" => json!({"code": 0, "msg": "ok", "data": {"image_key": "img_v2_new"}}),
        "/open-apis/im/v1/files" => json!({"code": 0, "msg": "ok", "data": {"file_key": "file_v2_new"}}),
        path if seen.method == http::Method::GET && path.contains("/im/v1/messages/om_") => {
            json!({"code": 0, "msg": "success", "data": {"items": [{"chat_id": "oc_1", "deleted": false}]}})
        }
        _ => json!({"code": 0, "msg": "success", "data": {"message_id": "om_dc13264520392913993dd051dba21dcf"}}),
    };
    Answer::json(200, &body)
}

fn shown(seen: &Seen) -> Option<Shown> {
    let content: Value = serde_json::from_str(seen.json()["content"].as_str()?).unwrap();
    assert!(content.to_string().len() <= 30_000, "a card of {} bytes", content.to_string().len());
    let elements = content["body"]["elements"].as_array()?;
    let text = |element: &Value| element["content"].as_str().or(element["text"]["content"].as_str()).map(str::to_owned);
    let raw: String = elements.iter().filter_map(text).collect();
    Some(Shown { visible: reader(&raw), raw })
}

/// Reads entities as CommonMark does.
fn reader(markdown: &str) -> String {
    let mut text = String::new();
    let mut rest = markdown;
    while let Some((before, after)) = rest.split_once("&#") {
        text.push_str(before);
        let (number, after) = after.split_once(';').expect("an entity ends");
        text.push(char::from_u32(number.parse().expect("a number")).unwrap());
        rest = after;
    }
    text + rest
}
