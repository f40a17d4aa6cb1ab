//! What is read in what comes in, beyond the samples.

use chela_core::channel::{Rejected, Unconfirmed};
use chela_core::secret::Secret;
use chela_testkit::laws::channel::ARRIVAL;
use serde_json::{Value, json};

use crate::subject::{changed, message, parsed, subject, to};

const APP: &str = "1100000000000000001";
const ROOM: &str = "645027906669510667";

#[test]
fn whoever_may_not_write_is_a_guest() {
    let guest = |name: &str, change: &dyn Fn(&mut Value)| {
        let to = changed(name, change).messages.remove(0).reply_to;
        subject().open("http://127.0.0.1:9").unconfirmed(&to) == Unconfirmed::Flag
    };
    let permitted = |bits: u64| move |body: &mut Value| body["app_permissions"] = json!(bits.to_string());
    assert!(!guest("ask", &permitted(1 << 11)) && guest("ask", &permitted(1 << 38)));
    assert!(!guest("ask-thread", &permitted(1 << 38)) && guest("ask-thread", &permitted(1 << 11)));
    assert!(!guest("ask", &permitted(1 << 3)) && guest("ask", &permitted(0)));
    assert!(!guest("ask-dm", &permitted(0)));
    assert!(!guest("ask-dm", &|body| body["authorizing_integration_owners"] = json!({ "1": "7" })));
}

#[test]
fn a_button_whose_value_was_too_long_says_its_label() {
    let pressed = changed("button", |body| {
        body["data"]["custom_id"] = json!("label#1");
        body["message"]["components"][0]["components"][1]["custom_id"] = json!("label#1");
    });
    assert_eq!(pressed.messages[0].text, "Deny");
    let menu = changed("button", |body| body["data"]["values"] = json!(["fast", "cheap"]));
    assert_eq!(menu.messages[0].text, "fast cheap");
    let alone = changed("button", |body| drop(body.as_object_mut().unwrap().remove("message")));
    assert_eq!(alone.messages, []);
}

#[test]
fn what_somebody_else_wrote_is_no_command_of_whoever_asks_about_it() {
    for words in ["/approve 7", "/stop", "hi\n/new", "/ask \u{200b}/deny 7"] {
        let asked = changed("message-command", |body| {
            let messages = body["data"]["resolved"]["messages"].as_object_mut().unwrap();
            messages.values_mut().for_each(|message| message["content"] = json!(words));
        });
        let said = &asked.messages[0];
        assert!(said.text.starts_with("[Forwarded from ada]\n> "), "{}", said.text);
        assert!(said.text.lines().skip(1).all(|line| line.starts_with("> ")), "{}", said.text);
        assert_eq!(chela_core::command::heard(said, true), None, "{words}");
    }
}

#[test]
fn an_interaction_that_is_not_let_in_is_answered_at_once_and_alone() {
    for name in ["ask", "ask-dm", "button", "command", "modal"] {
        let parsed = parsed(name);
        let ignored: Value = serde_json::from_slice(&parsed.ack_if_ignored.unwrap().body).unwrap();
        assert_eq!((&ignored["type"], &ignored["data"]["flags"]), (&json!(4), &json!(64)), "{name}");
        let ack: Value = serde_json::from_slice(&parsed.ack.body).unwrap();
        assert_eq!(ack, json!({ "type": if name == "button" { 6 } else { 5 } }), "{name}");
    }
    let bot = changed("ask", |body| body["member"]["user"]["bot"] = json!(true));
    let ack: Value = serde_json::from_slice(&bot.ack.body).unwrap();
    assert_eq!((bot.messages, &ack["type"]), (vec![], &json!(4)));
}

#[test]
fn what_is_no_message_is_answered_as_discord_wants_it() {
    let autocomplete = changed("ask", |body| body["type"] = json!(4));
    assert_eq!(autocomplete.ack.body, r#"{"type":8,"data":{"choices":[]}}"#);
    for event in [
        json!({ "version": 1, "application_id": APP, "type": 0 }),
        json!({ "type": 1, "event": { "type": "APPLICATION_AUTHORIZED" } }),
    ] {
        let parsed = changed("ask", |body| *body = event.clone());
        assert_eq!((parsed.messages, parsed.ack.status.as_u16()), (vec![], 204));
    }
}

#[test]
fn a_command_is_the_line_that_says_the_same() {
    let line = |data: Value| {
        let told = changed("ask-dm", |body| body["data"] = data.clone()).messages.remove(0);
        format!("{:?} {}", told.kind, told.text)
    };
    let option = |kind: u8, value: Value| json!({ "type": kind, "name": "x", "value": value });
    assert_eq!(line(json!({ "name": "ask", "type": 1 })), "Command /help");
    assert_eq!(
        line(json!({ "name": "new", "type": 1, "options": [option(4, json!(3)), option(5, json!(true))] })),
        "Command /new 3 true"
    );
    assert_eq!(
        line(
            json!({ "name": "who", "type": 1, "options": [option(6, json!("7")), option(7, json!("8")), option(8, json!("9"))] })
        ),
        "Command /who <@7> <#8> <@&9>"
    );
    let sub = json!({ "type": 1, "name": "set", "options": [option(3, json!("fast"))] });
    assert_eq!(line(json!({ "name": "model", "type": 1, "options": [sub] })), "Command /model set fast");
    assert_eq!(line(json!({ "name": "Poke", "type": 2, "target_id": "7" })), "Command /Poke <@7>");
}

#[test]
fn two_commands_are_never_answered_by_one_answer() {
    let (one, two) = (to("ask"), changed("ask", |body| body["id"] = json!("1456074427203584001")).messages.remove(0));
    assert_ne!(one.to, two.reply_to.to);
}

#[test]
fn a_bridge_without_a_secret_of_ours_is_refused() {
    let subject = subject();
    let mut secrets = subject.simulator.test_secrets();
    secrets.insert("bridgeSecret".to_owned(), Secret::new(" "));
    let channel = subject.open_with("http://127.0.0.1:9", secrets);
    let bridged = subject.signed(&subject.sample("text").body, ARRIVAL);
    assert!(channel.verify(bridged).is_err());
    let interaction = subject.signed(&subject.sample("ask").body, ARRIVAL);
    assert!(channel.verify(interaction).is_ok());
    // What Discord signed stays unread where it claims to come from a bridge.
    let mut both = subject.signed(&subject.sample("ask").body, ARRIVAL);
    both.headers.insert("x-bridge-signature", "sha256=00".parse().unwrap());
    assert!(subject.open("http://127.0.0.1:9").verify(both).is_err());
}

#[test]
fn bridges_may_say_thread_or_parent() {
    let (thread, room) = ("1000000000000000042", ROOM);
    let other = changed("thread-mention", |body| {
        body["chat"]["id"] = json!(room);
        body["thread"] = json!(thread);
        body.as_object_mut().unwrap().remove("parent");
    });
    let other = &other.messages[0];
    let same = message("thread-mention");
    assert_eq!(
        (&other.peer, &other.parent_peer, &other.reply_to.to),
        (&same.peer, &same.parent_peer, &same.reply_to.to)
    );
    let kinds = |text: &str| changed("text", |body| body["text"] = json!(text)).messages.remove(0).kind;
    assert_eq!(format!("{:?} {:?}", kinds("/new"), kinds("/ 2")), "Command Message");
}

/// Ids become parts of URLs.
#[test]
fn what_should_be_an_id_and_is_none_is_refused() {
    let subject = subject();
    let channel = subject.open("http://127.0.0.1:9");
    let places = [
        ("ask", "/channel_id"),
        ("ask", "/id"),
        ("ask", "/application_id"),
        ("ask", "/token"),
        ("ask", "/member/user/id"),
        ("text", "/chat/id"),
        ("text", "/from/id"),
        ("thread-mention", "/parent"),
    ];
    for (sample, place) in places {
        let mut body: Value = serde_json::from_slice(&subject.sample(sample).body).unwrap();
        for strange in ["../users/@me", "", "7?x", "7/8"] {
            *body.pointer_mut(place).unwrap() = json!(strange);
            let request = subject.signed(body.to_string().as_bytes(), ARRIVAL);
            let read = channel.parse(&channel.verify(request).unwrap());
            assert!(matches!(read, Err(Rejected::Malformed(_))), "{sample} {place} {strange:?}: {read:?}");
        }
    }
}
