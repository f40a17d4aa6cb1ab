//! The laws of channels, what the samples say, and what the bridge is ordered to do.

use std::time::Duration;

use chela_channel_bridge::{DESCRIPTOR, SIMULATOR};
use chela_channel_kit::{ProofKeys, bridge};
use chela_core::channel::{OutboundFile, RawRequest, Rejected, SendError, Unconfirmed};
use chela_core::message::{Media, ReplyAddress};
use chela_testkit::laws::channel::platform::{Answer, Platform};
use chela_testkit::laws::channel::{ARRIVAL, ChannelUnderTest, part, request};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::subject::{about, subject};

async fn bridged() -> ChannelUnderTest {
    subject()
}

chela_testkit::channel_laws!(bridged);

#[test]
fn samples_say_what_their_senders_meant() {
    let told = [
        "attachment: 1103 direct:u-7 from u-7 (Ada) to us \"look\" +https://files.example/a.pdf[application/pdf a.pdf 1200] @1767225606000 -> dm-7/-/1103",
        "dm-later: 98A~1795219517~9 direct:account:ada from account:ada (ada_) to us \"I am here under another nick\" @1767225609000 -> ada_/-/98A~1795219517~9",
        "edited: 1101-e1 edited group:room-1 #t-5 from u-7 (Ada) to us \"in a thread, corrected\" @1767225605000 -> room-1/t-5/m-1101",
        "group-mention: 98A~1795219517~1 group:#lobby from account:ada (ada) to us \"what is the status?\" @1767225601000 -> #lobby/-/98A~1795219517~1",
        "group: 98A~1795219517~2 group:#lobby from nick:bob (Bob) \"not for the bot\" @1767225602000 -> #lobby/-/98A~1795219517~2",
        "other-bot: nothing",
        "own-echo: nothing",
        "text: 98A~1795219517~0 direct:account:ada from account:ada (ada) to us \"hello\" @1767225600250 -> ada/-/98A~1795219517~0",
        "thread-room: 1102 channel:9002 in channel:9001 guild:2909 from u-7 (Ada) \"a thread that is a room\" @1767225604000 -> 9002/-/1102",
        "thread: 1101 group:room-1 #t-5 from u-7 (Ada) to us \"in a thread\" @1767225603000 -> room-1/t-5/m-1101",
        "unknown-type: nothing",
    ];
    assert_eq!(subject().told(), told.join("\n"));
}

fn to(chat: &str) -> ReplyAddress {
    ReplyAddress {
        channel: "bridge".to_owned(),
        account: "main".to_owned(),
        to: chat.to_owned(),
        thread: Some("t-5".to_owned()),
        message: Some("m-1".to_owned()),
    }
}

fn keys() -> ProofKeys {
    ProofKeys::words(&SIMULATOR.test_secrets()["bridgeSecret"]).unwrap()
}

#[tokio::test]
async fn every_order_is_signed_and_says_what_it_is() {
    let platform = Platform::start(subject().manners).await;
    let channel = subject().open(platform.url());
    let to = to("#lobby");
    let file = OutboundFile { name: "a.txt", content_type: "text/plain", bytes: b"hi".as_slice().into(), url: None };
    assert_eq!(channel.send(&part(&to, "**hi**")).await.unwrap().message_id, "said-1");
    channel.edit("said-1", &part(&to, "ho")).await.unwrap();
    channel.typing(&to).await.unwrap();
    channel.react(&to, "m-1", "👀").await.unwrap();
    channel.attach(&file, &part(&to, "")).await.unwrap();
    let seen = platform.take();
    let place =
        json!({"key": "0123456789abcdef0123456789abcdef", "chat": "#lobby", "thread": "t-5", "reply_to": "m-1"});
    let with = |more: Value| {
        let mut whole = place.clone();
        whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        whole
    };
    let file = json!({"name": "a.txt", "mime": "text/plain", "size": 2, "data": "aGk="});
    let wanted = [
        with(json!({"op": "send", "text": "**hi**"})),
        with(json!({"op": "edit", "id": "said-1", "text": "ho"})),
        json!({"op": "typing", "chat": "#lobby", "thread": "t-5"}),
        json!({"op": "react", "chat": "#lobby", "thread": "t-5", "id": "m-1", "emoji": "👀"}),
        with(json!({"op": "attach", "text": "", "file": file})),
    ];
    assert_eq!(seen.len(), wanted.len());
    for (seen, wanted) in seen.iter().zip(wanted) {
        assert_eq!(
            (seen.json(), seen.path.as_str()),
            (wanted.clone(), format!("/libera/{}", wanted["op"].as_str().unwrap()).as_str())
        );
        let genuine = request(seen.headers.clone(), &seen.body);
        assert!(bridge::verify(genuine.clone(), &keys()).is_ok());
        // Our own entrance takes the signature, which is the same secret's, and finds no message in an order.
        let reflected = channel.verify(genuine).and_then(|verified| channel.parse(&verified));
        assert!(matches!(reflected, Err(Rejected::Malformed(_))), "{wanted}");
    }
}

#[tokio::test]
async fn a_part_is_sent_again_under_the_same_key_and_a_new_time() {
    let platform = Platform::start(subject().manners).await;
    let to = to("#lobby");
    for now in [ARRIVAL, ARRIVAL.plus(60_000)] {
        let channel = subject().open_at(platform.url(), now);
        assert_eq!(channel.unconfirmed(&to), Unconfirmed::ResendWithKey);
        channel.send(&part(&to, "once")).await.unwrap();
    }
    let seen = platform.take();
    assert_eq!(seen[0].body, seen[1].body);
    assert_ne!(seen[0].headers["x-bridge-signature"], seen[1].headers["x-bridge-signature"]);
}

#[tokio::test]
async fn what_is_not_configured_is_not_ordered() {
    let platform = Platform::start(subject().manners).await;
    let mut plain = subject();
    plain.options = |url| json!({"bridgeUrl": url, "textLimit": 500});
    let channel = plain.open(platform.url());
    let to = to("#lobby");
    let limits = channel.limits(&to);
    assert_eq!((limits.text, limits.edit_every, limits.typing_for, limits.choices), (500, None, None, 0));
    let file = OutboundFile { name: "a", content_type: "text/plain", bytes: b"a".as_slice().into(), url: None };
    channel.typing(&to).await.unwrap();
    let refused = [
        channel.edit("1", &part(&to, "x")).await.unwrap_err(),
        channel.react(&to, "1", "👀").await.unwrap_err(),
        channel.attach(&file, &part(&to, "x")).await.unwrap_err(),
    ];
    for (error, word) in refused.iter().zip(["edit", "react", "attach"]) {
        assert!(matches!(error, SendError::Refused { reason, .. } if reason.contains(word)), "{error}");
    }
    assert_eq!(platform.take(), []);
}

#[tokio::test]
async fn a_file_goes_by_url_or_within_the_order_up_to_a_megabyte() {
    let platform = Platform::start(subject().manners).await;
    let channel = subject().open(platform.url());
    let to = to("#lobby");
    let large = vec![0; 1024 * 1024 + 1];
    let mut file = OutboundFile { name: "a", content_type: "a/b", bytes: large.into(), url: None };
    let refused = channel.attach(&file, &part(&to, "x")).await;
    assert!(matches!(refused, Err(SendError::Refused { .. })), "{refused:?}");
    assert_eq!(platform.take(), []);
    file.url = Some("https://files.example/a");
    channel.attach(&file, &part(&to, "x")).await.unwrap();
    let wanted = json!({"name": "a", "mime": "a/b", "size": 1_048_577, "url": "https://files.example/a"});
    assert_eq!(platform.take()[0].json()["file"], wanted);
}

/// A message's author chooses the URL of a file; the bridge's own origin is the only private place it may be.
#[tokio::test]
async fn files_are_fetched_signed_from_the_bridge_and_bare_from_public_places() {
    let (platform, other) = (Platform::start(subject().manners).await, Platform::start(subject().manners).await);
    let channel = subject().open(platform.url());
    let media = |url: String| Media { missing: None, reference: url, content_type: None, name: None, size: None };
    let fetched = channel.fetch(&media(format!("{}/a.pdf", platform.url())), 100, Duration::from_secs(2)).await;
    assert_eq!(fetched.unwrap().bytes, b"%PDF-1.7 a file".as_slice());
    let seen = platform.take();
    assert!(bridge::verify(request(seen[0].headers.clone(), b""), &keys()).is_ok());
    for elsewhere in
        [other.url().to_owned(), "http://169.254.169.254/latest".to_owned(), "file:///etc/passwd".to_owned()]
    {
        let refused = channel.fetch(&media(elsewhere.clone()), 100, Duration::from_secs(2)).await;
        assert!(matches!(refused, Err(SendError::Refused { .. })), "{elsewhere}: {refused:?}");
    }
    assert_eq!(other.take(), []);
}

#[tokio::test]
async fn health_compares_what_is_configured_with_what_is_offered() {
    let platform = Platform::start(subject().manners).await;
    let channel = subject().open(platform.url());
    let with = |change: Value| {
        let mut about = about();
        about.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        Answer::json(200, &about)
    };
    let cases = [
        (Answer::json(200, &about()), true, "connected to Libera"),
        (with(json!({"connected": false})), false, "no connection"),
        (with(json!({"features": ["typing"]})), false, "cannot \"attach\""),
        (with(json!({"limits": {"text": 1500}})), false, "textLimit"),
        (with(json!({"features": ["edit", "typing", "react", "attach", "dance"]})), true, "Libera"),
        (Answer::text(401, ""), false, "401"),
        (Answer::text(200, "hello"), false, "not as documented"),
    ];
    for (answer, ok, words) in cases {
        let what = format!("{answer:?}");
        platform.next(answer);
        let health = channel.health().await.unwrap();
        assert!(health.ok == ok && health.summary.contains(words), "{what}: {health:?}");
        assert!(bridge::verify(request(platform.take()[0].headers.clone(), b""), &keys()).is_ok(), "{what}");
    }
    let mut plain = subject();
    plain.options = |url| json!({"bridgeUrl": format!("{url}/libera")});
    let health = plain.open(platform.url()).health().await.unwrap();
    assert!(health.ok && health.summary.contains("also offers attach, edit, react, typing"), "{health:?}");
}

#[test]
fn an_account_that_cannot_work_does_not_open() {
    let refusal = |options: Value, secret: &str| {
        let mut subject = subject();
        let mut secrets = subject.simulator.test_secrets();
        secrets.insert("bridgeSecret".to_owned(), chela_core::secret::Secret::new(secret));
        subject.options = |_| json!({"bridgeUrl": "https://b.example"});
        let settings = chela_channel_kit::AccountSettings {
            account: "main".to_owned(),
            options: options.as_object().unwrap().clone(),
            secrets,
            http: chela_http::HttpClient::new(chela_http::HttpOptions {
                allow_hosts: vec![],
                user_agent: "t".to_owned(),
                extra_roots: None,
            })
            .unwrap(),
            clock: std::sync::Arc::new(chela_testkit::clock::ManualClock::at(ARRIVAL)),
        };
        DESCRIPTOR.open(&settings).map(|_| ()).map_err(|error| error.to_string())
    };
    let good = "0123456789abcdef";
    assert_eq!(refusal(json!({"bridgeUrl": "https://b.example"}), good), Ok(()));
    for (options, key) in [
        (json!({}), "bridgeUrl"),
        (json!({"bridgeUrl": "b.example"}), "bridgeUrl"),
        (json!({"bridgeUrl": "ftp://b.example"}), "bridgeUrl"),
        (json!({"bridgeUrl": "https://u:p@b.example"}), "bridgeUrl"),
        (json!({"bridgeUrl": "https://b.example/?x"}), "bridgeUrl"),
        (json!({"bridgeUrl": "https://b.example", "features": ["edit", "dance"]}), "features"),
        (json!({"bridgeUrl": "https://b.example", "textLimit": 99}), "textLimit"),
        (json!({"bridgeUrl": "https://b.example", "textLimit": 60_001}), "textLimit"),
        (json!({"bridgeUrl": "https://b.example", "textLimit": "many"}), "textLimit"),
    ] {
        assert!(refusal(options.clone(), good).unwrap_err().contains(key), "{options}");
    }
    for short in ["0123456789abcde", "0123456789abcdef short"] {
        assert!(refusal(json!({"bridgeUrl": "https://b.example"}), short).unwrap_err().contains("openssl rand"));
    }
}

#[test]
fn blank_ids_and_no_time_are_refused() {
    let channel = subject().open("http://127.0.0.1:9");
    let good = json!({
        "id": "1", "ts_ms": 1, "chat": {"type": "group", "id": "c"}, "from": {"id": "u"}, "thread": "t", "parent": "p",
        "message_id": "m", "guild": "g",
    });
    let read = |body: &Value| {
        let signed: RawRequest = subject().signed(body.to_string().as_bytes(), ARRIVAL);
        channel.parse(&channel.verify(signed).unwrap()).map(|parsed| parsed.messages.len())
    };
    assert_eq!(read(&good), Ok(1));
    for pointer in ["/id", "/chat/id", "/from/id", "/thread", "/parent", "/message_id", "/guild"] {
        for odd in ["", "a\nb", "\u{0}"] {
            let mut changed = good.clone();
            *changed.pointer_mut(pointer).unwrap() = json!(odd);
            assert!(read(&changed).is_err(), "{pointer} {odd:?}");
        }
    }
    for (pointer, odd) in
        [("/chat/id", "c:thread:t"), ("/from/id", "u:Thread:t"), ("/from/id", " u"), ("/chat/id", "c ")]
    {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = json!(odd);
        assert!(read(&changed).is_err(), "an id that leads into the conversation of another: {odd:?}");
    }
    let mut timeless = good;
    timeless["ts_ms"] = json!(0);
    assert!(read(&timeless).is_err());
}

proptest! {
    #[test]
    fn no_body_and_no_header_panics(body in prop::collection::vec(any::<u8>(), 0..300), stamp in ".{0,20}", proof in ".{0,80}") {
        let channel = subject().open("http://127.0.0.1:9");
        let verified = channel.verify(subject().signed(&body, ARRIVAL)).unwrap();
        let _ = channel.parse(&verified);
        let mut forged = subject().signed(&body, ARRIVAL);
        for (name, text) in [("x-bridge-timestamp", stamp), ("x-bridge-signature", proof)] {
            forged.headers.remove(name);
            if let Ok(value) = http::HeaderValue::from_str(&text) {
                forged.headers.insert(name, value);
            }
        }
        prop_assert!(channel.verify(forged).is_err());
    }
}
