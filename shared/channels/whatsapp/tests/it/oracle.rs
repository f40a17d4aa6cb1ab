//! pywa, an SDK of Meta's platform, as the judge of signatures in both directions.

use chela_testkit::laws::channel::{ARRIVAL, oracle};
use serde_json::{Value, json};

use crate::subject::{edge, subject};

/// Judges signatures.
const JUDGE: &str = include_str!("../../../../meta/tests/judge.py");

#[test]
fn the_sdk_and_we_agree_on_every_signature() {
    // Escapes stay as they are on the wire.
    let more: [&[u8]; 2] = [br#"{"text":"h\u00e9\u00e9 \ud83d\ude00"}"#, &[0, 255, 10]];
    oracle::signatures_agree(&subject(), JUDGE, "public-test-app-secret", &more);
}

/// What the SDK reads in an update of one message or one status. Updates that it cannot read are an error there.
const READ: &str = r#"
import json, sys
from pywa import WhatsApp, types
from pywa.types.base_update import RawUpdate

wa = WhatsApp(phone_id="106540352242922", token="t", server=None, app_secret="s", verify_token="v")

def read(body):
    raw = RawUpdate(body.encode(), hmac_header=None, update_hash="")
    kind = wa._get_handler_type(raw)
    if kind is None:
        return None
    update = wa._handlers_to_updates[kind].from_update(client=wa, update=raw)
    seen = {"kind": type(update).__name__, "id": update.id, "number": update.metadata.phone_number_id}
    user = update.from_user
    seen["user"], seen["name"] = user.bsuid or user.wa_id, user.name
    if isinstance(update, types.MessageStatus):
        seen["tracker"], seen["failed"] = update.tracker, update.error is not None
        return seen
    seen["at"] = int(update.timestamp.timestamp()) * 1000
    if isinstance(update, (types.CallbackButton, types.CallbackSelection)):
        seen["text"] = update.data
        return seen
    if isinstance(update, types.EditedMessage):
        seen["original"], update = update.original_message_id, update.message
    if isinstance(update, types.Message):
        seen["group"] = update.chat.id if update.chat.type == "GROUP" else None
        seen["text"] = update.text if update.text is not None else update.caption
        if update.media is not None:
            seen["media"] = [update.media.id, update.media.mime_type]
    return seen

json.dump([read(body) for body in json.load(sys.stdin)], sys.stdout)
"#;

/// The SDK insists on a business-scoped id and on a contact, and reads the first of a batch only.
const UNREADABLE_TO_THE_SDK: [&str; 3] = ["digits-only", "batch", "template-status"];

#[test]
fn the_sdk_reads_our_samples_as_we_do() {
    let samples = subject().samples();
    let samples: Vec<_> =
        samples.iter().filter(|sample| !UNREADABLE_TO_THE_SDK.contains(&sample.name.as_str())).collect();
    let bodies: Vec<Value> = samples.iter().map(|sample| json!(std::str::from_utf8(&sample.body).unwrap())).collect();
    let answer = oracle::ask(READ, &Value::from(bodies));
    let channel = subject().open("http://127.0.0.1:9");
    let (mut messages, mut texts, mut files, mut statuses) = (0, 0, 0, 0);
    for (sample, theirs) in samples.iter().zip(answer.as_array().unwrap()) {
        let name = &sample.name;
        let parsed = channel.parse(&channel.verify(subject().signed(&sample.body, ARRIVAL)).unwrap()).unwrap();
        for delivery in parsed.deliveries {
            assert_eq!(
                (&theirs["kind"], &theirs["tracker"]),
                (&json!("MessageStatus"), &json!(delivery.idempotency_key))
            );
            assert_eq!(theirs["failed"], json!(delivery.failed.is_some()), "{name}");
            statuses += 1;
        }
        let Some(ours) = parsed.messages.into_iter().next() else { continue };
        assert_eq!((&theirs["id"], &theirs["user"]), (&json!(ours.event_id), &json!(ours.sender.id)), "{name}");
        assert_eq!((&theirs["name"], &theirs["at"]), (&json!(ours.sender.name), &json!(ours.sent_at.0)), "{name}");
        assert!(theirs["original"].is_null() || theirs["original"] == json!(ours.message_id), "{name}");
        assert!(theirs["group"].is_null() || theirs["group"] == json!(ours.peer.id), "{name}");
        // A mention of us is no text to us, and what is forwarded is quoted.
        if let Some(text) = theirs["text"].as_str().filter(|_| !["group-mention", "forwarded"].contains(&name.as_str()))
        {
            assert_eq!(text, ours.text, "{name}");
            texts += 1;
        }
        if let Some(media) = theirs["media"].as_array() {
            assert_eq!(media, &[json!(ours.media[0].reference), json!(ours.media[0].content_type)], "{name}");
            files += 1;
        }
        messages += 1;
    }
    assert!(messages >= 19 && texts >= 12 && files == 5 && statuses == 2, "{messages} {texts} {files} {statuses}");
}

/// The body the SDK would post for the same call.
const WRITE: &str = r#"
import json, sys
from pywa import WhatsApp, types

wa = WhatsApp(phone_id="106540352242922", token="t")
posted = []
def request(method, endpoint, **kwargs):
    posted.append([endpoint.strip("/"), kwargs.get("json")])
    return {"contacts": [{"input": "1", "wa_id": "1"}], "messages": [{"id": "wamid.x"}], "success": True}
wa.api._request = request

for question in json.load(sys.stdin):
    to, key = question["to"], "0123456789abcdef0123456789abcdef"
    what = question["what"]
    if what == "text":
        wa.send_message(to=to, text="hi", tracker=key, reply_to_message_id=question.get("quote"))
    elif what == "buttons":
        buttons = [types.Button(title="Yes", callback_data="y"), types.Button(title="No", callback_data="n")]
        wa.send_message(to=to, text="May I?", buttons=buttons, tracker=key)
    elif what == "list":
        rows = [types.SectionRow(title="Row %d" % n, callback_data="r%d" % n) for n in range(4)]
        sections = types.SectionList(button_title="Choose", sections=[types.Section(title="", rows=rows)])
        wa.send_message(to=to, text="Which?", buttons=sections, tracker=key)
    elif what == "reaction":
        wa.send_reaction(to=to, message_id="wamid.in", emoji="👀")
    elif what == "document":
        wa.send_document(to=to, document="4490709327384033", caption="c", filename="a.pdf", tracker=key)
    elif what == "typing":
        wa.indicate_typing(message_id="wamid.in")
json.dump(posted, sys.stdout)
"#;

#[tokio::test]
async fn we_post_what_the_sdk_posts() {
    use chela_core::channel::{Choice, OutboundFile, OutboundPart};
    use chela_core::message::ReplyAddress;
    use chela_testkit::laws::channel::part;
    use chela_testkit::laws::channel::platform::Platform;

    let platform = Platform::start(subject().manners).await;
    let channel = subject().open(platform.url());
    let address = |to: &str| ReplyAddress {
        channel: "whatsapp".into(),
        account: "main".into(),
        to: to.to_owned(),
        thread: None,
        message: Some("wamid.in".into()),
    };
    let choice = |label: String, value: String| Choice { label, value };
    let two = [choice("Yes".into(), "y".into()), choice("No".into(), "n".into())];
    let four: Vec<Choice> = (0..4).map(|at| choice(format!("Row {at}"), format!("r{at}"))).collect();
    let asked = json!([
        {"what": "text", "to": "16505551234"},
        {"what": "text", "to": "US.13491208655302741918"},
        {"what": "buttons", "to": "16505551234"},
        {"what": "list", "to": "16505551234"},
        {"what": "reaction", "to": "16505551234"},
        {"what": "document", "to": "16505551234"},
        {"what": "typing", "to": "16505551234"},
    ]);
    let theirs = oracle::ask(WRITE, &asked);
    let phone = address("16505551234");
    channel.send(&part(&phone, "hi")).await.unwrap();
    channel.send(&part(&address("US.13491208655302741918"), "hi")).await.unwrap();
    channel.send(&OutboundPart { choices: &two, ..part(&phone, "May I?") }).await.unwrap();
    channel.send(&OutboundPart { choices: &four, ..part(&phone, "Which?") }).await.unwrap();
    channel.react(&phone, "wamid.in", "👀").await.unwrap();
    let file = OutboundFile { name: "a.pdf", content_type: "application/pdf", bytes: "%PDF".into(), url: None };
    channel.attach(&file, &part(&phone, "c")).await.unwrap();
    channel.typing(&phone).await.unwrap();
    let ours: Vec<Value> = platform
        .take()
        .iter()
        .filter(|seen| seen.path.ends_with("/messages"))
        .map(|seen| json!([edge(seen), sorted(&seen.json())]))
        .collect();
    let theirs: Vec<Value> = theirs.as_array().unwrap().iter().map(sorted).collect();
    assert_eq!(ours.len(), 7);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
}

/// The same with fields in order, without those that are null or blank.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let known = fields.iter().filter(|(_, value)| !value.is_null() && *value != "");
            let fields: std::collections::BTreeMap<_, _> = known.map(|(name, value)| (name, sorted(value))).collect();
            json!(fields)
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
