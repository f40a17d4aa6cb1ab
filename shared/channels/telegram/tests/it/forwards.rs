//! Words that somebody passes on and did not write.

use chela_core::command::heard;
use chela_core::message::{Inbound, InboundKind};
use chela_testkit::laws::channel::ARRIVAL;
use serde_json::{Value, json};

use crate::subject::subject;

/// What comes of this sample with these fields more.
fn read(sample: &str, more: &Value) -> Inbound {
    let channel = subject().open("http://127.0.0.1:9");
    let mut update: Value = serde_json::from_slice(&subject().sample(sample).body).unwrap();
    let message = update["message"].as_object_mut().unwrap();
    message.extend(more.as_object().unwrap().clone());
    let request = subject().signed(update.to_string().as_bytes(), ARRIVAL);
    channel.parse(&channel.verify(request).unwrap()).unwrap().messages.remove(0)
}

#[test]
fn what_is_passed_on_is_no_command_of_whoever_passes_it_on() {
    let eve = json!({"id": 9, "is_bot": false, "first_name": "Eve", "last_name": "]\n/stop"});
    for (more, author) in [
        (json!({"forward_origin": {"type": "user", "date": 1, "sender_user": eve}}), "Eve /stop"),
        (json!({"forward_origin": {"type": "hidden_user", "date": 1, "sender_user_name": "Mallory"}}), "Mallory"),
        (
            json!({"forward_origin": {"type": "channel", "date": 1, "message_id": 1, "chat": {"id": -1, "type": "channel", "title": "News"}}}),
            "News",
        ),
        (
            json!({"forward_origin": {"type": "chat", "date": 1, "sender_chat": {"id": -1, "type": "supergroup", "title": "Ops"}}}),
            "Ops",
        ),
        (json!({"via_bot": {"id": 8, "is_bot": true, "first_name": "gif"}}), "gif"),
    ] {
        let said = read("command", &more);
        assert_eq!(said.text, format!("[Forwarded from {author}]\n> /status now"));
        assert_eq!((&said.kind, heard(&said, true)), (&InboundKind::Message, None), "{author}");
        assert_eq!(said.sender.id, "7527593", "{author}");
        assert!(!read("group-command", &more).addressed, "who wrote it spoke to somebody else: {author}");
        let file = read("photo", &more);
        assert!(file.text.starts_with("[Forwarded") && file.media.len() == 1, "a caption, too: {author}");
    }
    let odd = read("text", &json!({"forward_origin": {"type": "what comes next year"}}));
    assert_eq!(odd.text, "[Forwarded]\n> hello");
    let own = read("command", &json!({}));
    assert!(own.text == "/status now" && heard(&own, true).is_some(), "the control");
}
