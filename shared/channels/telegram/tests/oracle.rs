//! python-telegram-bot as the judge of our samples, and of what we read in them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code"
)]

mod subject;

use chela_core::message::Inbound;
use chela_testkit::laws::channel::MENU;
use chela_testkit::laws::channel::{ARRIVAL, oracle};
use serde_json::{Value, json};

use self::subject::subject;

/// What the library sees in each update. A sample that is not as the Bot API documents it is an error there.
const READ: &str = r#"
import json, sys
from telegram import MessageEntity, Update

def read(body):
    update = Update.de_json(json.loads(body), None)
    message, user, chat = update.effective_message, update.effective_user, update.effective_chat
    seen = {"update_id": str(update.update_id), "chat": str(chat.id), "user": str(user.id) if user else None}
    if update.callback_query:
        seen["text"] = update.callback_query.data
    elif message and message.text:
        text = message.text
        for entity, value in message.parse_entities([MessageEntity.MENTION]).items():
            if value.lower() == "@chela_test_bot":
                text = text.replace(value + " ", "").replace(value, "")
        for entity, value in message.parse_entities([MessageEntity.BOT_COMMAND]).items():
            text = text.replace(value, value.split("@")[0])
        seen["text"] = text
    return seen

updates = [read(body) for body in json.load(sys.stdin)]
json.dump({"updates": updates, "kinds": Update.ALL_TYPES}, sys.stdout)
"#;

fn read(body: &[u8]) -> Option<Inbound> {
    let channel = subject().open("http://127.0.0.1:9");
    let parsed = channel.parse(&channel.verify(subject().signed(body, ARRIVAL)).unwrap()).unwrap();
    parsed.messages.into_iter().next()
}

#[tokio::test]
async fn the_library_reads_our_samples_as_we_do() {
    let samples = subject().samples();
    let bodies: Vec<Value> = samples.iter().map(|sample| json!(std::str::from_utf8(&sample.body).unwrap())).collect();
    let answer = oracle::ask(READ, &Value::from(bodies));
    let mut compared = 0;
    for (sample, theirs) in samples.iter().zip(answer["updates"].as_array().unwrap()) {
        let Some(ours) = read(&sample.body) else { continue };
        assert_eq!(theirs["update_id"], json!(ours.event_id), "{}", sample.name);
        assert_eq!(theirs["chat"], json!(ours.reply_to.to), "{}", sample.name);
        // Whoever speaks for a chat is that chat to us, and a bot of Telegram's to the library.
        if sample.name != "anonymous-admin" && !theirs["user"].is_null() {
            assert_eq!(theirs["user"], json!(ours.sender.id), "{}", sample.name);
        }
        if let Some(text) = theirs["text"].as_str() {
            assert_eq!(text, ours.text, "{}", sample.name);
            compared += 1;
        }
    }
    assert!(compared >= 8, "only {compared} texts were compared");
}

#[tokio::test]
async fn the_updates_we_ask_for_exist() {
    let platform = chela_testkit::laws::channel::platform::Platform::start(subject().manners).await;
    subject().open(platform.url()).register("https://example.org/", MENU).await.unwrap();
    let asked = platform.take()[0].json()["allowed_updates"].clone();
    let kinds = oracle::ask(READ, &json!([]))["kinds"].clone();
    for kind in asked.as_array().unwrap() {
        assert!(kinds.as_array().unwrap().contains(kind), "{kind}");
    }
}
