//! Posts, where the samples do not say enough: statuses, batches with broken parts, names and mentions.

use chela_core::channel::{Delivery, Parsed};
use chela_testkit::laws::channel::ARRIVAL;

use crate::subject::{NUMBER, subject};

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn parsed(name: &str) -> Parsed {
    let channel = subject().open("http://127.0.0.1:9");
    channel.parse(&channel.verify(subject().signed(&subject().sample(name).body, ARRIVAL)).unwrap()).unwrap()
}

#[test]
fn statuses_tell_what_became_of_each_part() {
    let well = Delivery { idempotency_key: KEY.to_owned(), failed: None };
    for sample in ["delivered", "batch"] {
        assert_eq!(parsed(sample).deliveries, std::slice::from_ref(&well), "{sample}");
    }
    let failed = parsed("failed").deliveries.remove(0);
    let words = failed.failed.unwrap();
    assert!(words.starts_with("code 131047: ") && words.contains("24 hours"), "{words}");
    assert_eq!(parsed("text").deliveries, []);
}

#[test]
fn statuses_without_a_key_or_of_other_kinds_tell_nothing() {
    let channel = subject().open("http://127.0.0.1:9");
    for (from, to) in [("\"delivered\"", "\"pending\""), ("biz_opaque_callback_data", "x"), (NUMBER, "999")] {
        let body = String::from_utf8(subject().sample("delivered").body.to_vec()).unwrap();
        let changed = body.replace(from, to);
        assert_ne!(body, changed);
        let request = subject().signed(changed.as_bytes(), ARRIVAL);
        let parsed = channel.parse(&channel.verify(request).unwrap()).unwrap();
        assert_eq!(parsed.deliveries, [], "{from}");
    }
}

#[test]
fn one_broken_message_takes_no_other_with_it() {
    let channel = subject().open("http://127.0.0.1:9");
    let read = |body: &[u8]| channel.parse(&channel.verify(subject().signed(body, ARRIVAL)).unwrap());
    let batch = String::from_utf8(subject().sample("batch").body.to_vec()).unwrap();
    let broken = batch.replace("{\"body\":\"two\"}", "{\"body\":2}");
    assert_ne!(batch, broken);
    let texts: Vec<String> =
        read(broken.as_bytes()).unwrap().messages.into_iter().map(|message| message.text).collect();
    assert_eq!(texts, ["one", "three"]);
    let text = String::from_utf8(subject().sample("text").body.to_vec()).unwrap();
    assert!(read(text.replace("\"timestamp\":\"", "\"timestamp\":\"x").as_bytes()).is_err());
    let own = text.replace("\"from\":\"16505551234\"", "\"from\":\"15550783881\"");
    assert_ne!(text, own);
    assert_eq!(read(own.as_bytes()).unwrap().messages, [], "our own echo");
}

#[test]
fn what_is_forwarded_is_no_command_of_whoever_forwards_it() {
    let channel = subject().open("http://127.0.0.1:9");
    let read = |flag: &str, words: &str| {
        let body = String::from_utf8(subject().sample("forwarded").body.to_vec()).unwrap();
        let body = body.replace("\"forwarded\":true", flag).replace("read this", words);
        let request = subject().signed(body.as_bytes(), ARRIVAL);
        channel.parse(&channel.verify(request).unwrap()).unwrap().messages.remove(0)
    };
    for flag in ["\"forwarded\":true", "\"frequently_forwarded\":true"] {
        let said = read(flag, "/approve 7\\n/stop");
        assert_eq!(said.text, "[Forwarded]\n> /approve 7\n> /stop");
        assert_eq!(chela_core::command::heard(&said, true), None);
    }
    let own = read("\"from\":\"1\"", "/stop");
    assert!(own.text == "/stop" && chela_core::command::heard(&own, true).is_some(), "the control");
}

#[test]
fn nobody_speaks_in_the_name_of_another_contact() {
    let channel = subject().open("http://127.0.0.1:9");
    let sender = |from: &str, to: &str| {
        let body = String::from_utf8(subject().sample("text").body.to_vec()).unwrap();
        assert!(body.contains(from));
        let request = subject().signed(body.replace(from, to).as_bytes(), ARRIVAL);
        channel.parse(&channel.verify(request).unwrap()).unwrap().messages.remove(0).sender
    };
    let without_id = "\"from_user_id\":\"US.13491208655302741918\",";
    let own = sender(without_id, "");
    assert_eq!((own.id.as_str(), own.name.as_deref()), ("US.13491208655302741918", Some("Ada Lovelace")));
    let others = sender(&format!("\"from\":\"16505551234\",{without_id}"), "\"from\":\"4915112345678\",");
    assert_eq!((others.id.as_str(), others.name), ("4915112345678", None));
}

#[test]
fn other_objects_and_types_nobody_knows_are_acknowledged() {
    let channel = subject().open("http://127.0.0.1:9");
    let text = String::from_utf8(subject().sample("text").body.to_vec()).unwrap();
    let changes = [
        ("\"object\":\"whatsapp_business_account\"", "\"object\":\"page\""),
        // The fields of an unknown type may be anything, also under names we know.
        ("\"type\":\"text\",\"text\":{\"body\":", "\"type\":\"hologram\",\"text\":5,\"x\":{\"body\":"),
    ];
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        let request = subject().signed(text.replace(from, to).as_bytes(), ARRIVAL);
        assert_eq!(channel.parse(&channel.verify(request).unwrap()).unwrap().messages, [], "{to}");
    }
}

#[test]
fn a_mention_is_the_whole_number() {
    let channel = subject().open("http://127.0.0.1:9");
    let said = |text: &str| {
        let body = String::from_utf8(subject().sample("group-mention").body.to_vec()).unwrap();
        let body = body.replace("@15550783881 what is the status?", text);
        let request = subject().signed(body.as_bytes(), ARRIVAL);
        let message = channel.parse(&channel.verify(request).unwrap()).unwrap().messages.remove(0);
        (message.text, message.addressed)
    };
    assert_eq!(said("ask @15550783881 then"), ("ask then".to_owned(), true));
    assert_eq!(said("thanks @15550783881"), ("thanks".to_owned(), true));
    assert_eq!(said("@155507838810 hi"), ("@155507838810 hi".to_owned(), false));
    assert_eq!(said("15550783881 hi"), ("15550783881 hi".to_owned(), false));
}
