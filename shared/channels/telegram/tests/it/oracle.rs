//! python-telegram-bot as the judge of our samples, and of what we read in them.

use chela_core::channel::{Choice, OutboundFile, OutboundPart};
use chela_core::message::{Inbound, Media, ReplyAddress};
use chela_testkit::laws::channel::MENU;
use chela_testkit::laws::channel::platform::{Platform, Seen};
use chela_testkit::laws::channel::{ARRIVAL, oracle, part};
use serde_json::{Map, Value, json};

use crate::subject::{FILE, method, subject};

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

/// The same calls as the library makes them, caught on their way out: method or path, fields, and files.
const CALL: &str = r#"
import asyncio, json, sys
from telegram import Bot, BotCommand, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, ReactionTypeEmoji
from telegram import LinkPreviewOptions, ReplyParameters
from telegram.constants import InlineKeyboardButtonLimit, ReactionEmoji
from telegram.request import BaseRequest

question = json.load(sys.stdin)
caught = []

class Caught(BaseRequest):
    read_timeout = 1
    async def initialize(self): pass
    async def shutdown(self): pass
    async def do_request(self, url, method, request_data=None, **_):
        files = {}
        if request_data and request_data.multipart_data:
            files = {name: file[1].decode() for name, file in request_data.multipart_data.items()}
        fields = {name: value for name, value in (request_data.json_parameters if request_data else {}).items()}
        caught.append({"method": url.rsplit("/", 1)[1], "fields": fields, "files": files})
        result = {"message_id": 321, "date": 1, "chat": {"id": 7, "type": "private"}}
        if url.endswith("getFile"):
            result = {"file_id": "AgAClarge", "file_unique_id": "AQADl", "file_path": "photos/file_1.jpg"}
        if url.endswith(("setMessageReaction", "setMyCommands")):
            result = True
        return 200, json.dumps({"ok": True, "result": result}).encode()

async def main():
    bot = Bot(question["token"], request=Caught(), get_updates_request=Caught())
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="approve:42")]])
    to = {"chat_id": -1001234567890, "message_thread_id": 5}
    reply = {"reply_parameters": ReplyParameters(13, allow_sending_without_reply=True)}
    html = {"parse_mode": "HTML", "reply_markup": keyboard}
    preview = {"link_preview_options": LinkPreviewOptions(is_disabled=True)}
    content = question["file"].encode()
    await bot.send_message(text="a <b>b</b>", **to, **reply, **html, **preview)
    await bot.send_photo(photo=InputFile(content, "a.png", attach=False), caption="a <b>b</b>", **to, **reply, **html)
    await bot.send_document(document=InputFile(content, "a.txt", attach=False), caption="a <b>b</b>", **to, **reply, **html)
    await bot.set_message_reaction(-1001234567890, 13, reaction=ReactionTypeEmoji("👀"))
    await bot.set_my_commands([BotCommand(name, description) for name, description in question["menu"]])
    file = await bot.get_file("AgAClarge")
    caught.append(file.file_path)

asyncio.run(main())
emoji = [emoji.value for emoji in ReactionEmoji]
json.dump({"caught": caught, "most": InlineKeyboardButtonLimit.MAX_CALLBACK_DATA, "emoji": emoji}, sys.stdout)
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

/// The fields of a call, each as the text that a form would carry, and its files.
fn fields(seen: &Seen) -> (Map<String, Value>, Map<String, Value>) {
    if let Value::Object(body) = seen.json() {
        return (body, Map::new());
    }
    let text = String::from_utf8_lossy(&seen.body).into_owned();
    let (mut fields, mut files) = (Map::new(), Map::new());
    for (_, part) in text.split("--chela-").filter_map(|part| part.split_once("name=\"")) {
        let (name, rest) = part.split_once('"').unwrap();
        let (head, value) = rest.split_once("\r\n\r\n").unwrap();
        let into = if head.contains("filename") { &mut files } else { &mut fields };
        into.insert(name.to_owned(), json!(value.trim_end()));
    }
    (fields, files)
}

/// JSON within a form is compared as JSON.
fn unfolded(fields: &Map<String, Value>) -> Map<String, Value> {
    let value =
        |value: &Value| value.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(value.clone());
    fields.iter().map(|(name, field)| (name.clone(), value(field))).collect()
}

#[tokio::test]
async fn the_library_makes_the_same_calls() {
    let platform = Platform::start(subject().manners).await;
    let channel = subject().open(platform.url());
    let to = ReplyAddress {
        channel: "telegram".to_owned(),
        account: "main".to_owned(),
        to: "-1001234567890".to_owned(),
        thread: Some("5".to_owned()),
        message: Some("13".to_owned()),
    };
    let choices = [Choice { label: "Yes".to_owned(), value: "approve:42".to_owned() }];
    let part = OutboundPart { choices: &choices, ..part(&to, "a **b**") };
    let file = |name, content_type| OutboundFile { name, content_type, bytes: FILE.into(), url: None };
    channel.send(&part).await.unwrap();
    channel.attach(&file("a.png", "image/png"), &part).await.unwrap();
    channel.attach(&file("a.txt", "text/plain"), &part).await.unwrap();
    channel.react(&to, "13", "👀").await.unwrap();
    channel.register("https://example.org/", MENU).await.unwrap();
    let media = Media { missing: None, reference: "AgAClarge".to_owned(), content_type: None, name: None, size: None };
    channel.fetch(&media, 99, std::time::Duration::from_secs(1)).await.unwrap();
    let ours: Vec<Seen> = platform.take().into_iter().filter(|seen| method(seen) != "setWebhook").collect();

    let menu: Vec<Value> = MENU.iter().map(|entry| json!([entry.name, entry.description])).collect();
    let token = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
    let asked = json!({"token": token, "file": std::str::from_utf8(FILE).unwrap(), "menu": menu});
    let answer = oracle::ask(CALL, &asked);
    let theirs = answer["caught"].as_array().unwrap();
    assert_eq!((ours.len(), theirs.len()), (7, 7));
    for (ours, theirs) in ours.iter().zip(&theirs[..6]) {
        let name = method(ours);
        assert_eq!(name, theirs["method"]);
        let (fields, files) = fields(ours);
        assert_eq!(unfolded(&fields), unfolded(theirs["fields"].as_object().unwrap()), "{name}");
        assert_eq!(&files, theirs["files"].as_object().unwrap(), "{name}");
    }
    let path = theirs[6].as_str().unwrap().strip_prefix("https://api.telegram.org").unwrap();
    assert_eq!(ours[6].path, path);
    assert_eq!(answer["most"], 64);
    assert!(answer["emoji"].as_array().unwrap().contains(&json!("👀")), "the emoji that says seen is taken");
}
