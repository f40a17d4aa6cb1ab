//! The whole way with a real Synapse: `tools/bootstrap synapse` installs it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chela_channel_kit::AccountSettings;
use chela_channel_matrix::DESCRIPTOR;
use chela_core::channel::{Channel, OutboundFile, OutboundPart, Poll, Registration, SendError};
use chela_core::clock::Millis;
use chela_core::message::{Inbound, ReplyAddress};
use chela_core::secret::Secret;
use chela_core::session_key::PeerKind;
use chela_http::{HostPort, HttpClient, HttpOptions};
use chela_testkit::clock::ManualClock;
use http::Method;
use serde_json::{Value, json};

use crate::homeserver::gateway::Gateway;
use crate::homeserver::{Person, Synapse, free_port};

const AS_TOKEN: &str = "as-token-of-this-test";
const HS_TOKEN: &str = "hs-token-of-this-test";
const US: &str = "@agent:hs.local";
const WAIT: Duration = Duration::from_secs(20);

fn open(url: &str) -> Arc<dyn Channel> {
    let options = json!({"homeserver": url, "userId": US});
    let http = HttpClient::new(HttpOptions {
        allow_hosts: vec![HostPort::of_url(url).unwrap()],
        user_agent: "chela".to_owned(),
        extra_roots: None,
    });
    let secrets = [("asToken", AS_TOKEN), ("hsToken", HS_TOKEN)];
    let settings = AccountSettings {
        account: "main".to_owned(),
        options: options.as_object().unwrap().clone(),
        secrets: secrets
            .map(|(key, value)| (key.to_owned(), Secret::new(value)))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
        http: http.unwrap(),
        clock: Arc::new(ManualClock::at(Millis(0))),
    };
    DESCRIPTOR.open(&settings).unwrap_or_else(|error| panic!("{error}"))
}

/// The file as an owner writes it who does what `register` says.
async fn registration(channel: &dyn Channel, url: &str) -> String {
    let Registration::Manual { steps } = channel.register(url, &[]).await.unwrap() else {
        panic!("there is no API for it");
    };
    let (_, file) = steps[0].split_once("\n\n").unwrap();
    file.replace("<the value of MATRIX_AS_TOKEN>", AS_TOKEN).replace("<the value of MATRIX_HS_TOKEN>", HS_TOKEN)
}

fn part<'a>(to: &'a ReplyAddress, markdown: &'a str, key: &'a str) -> OutboundPart<'a> {
    OutboundPart { to, number: 0, markdown, choices: &[], idempotency_key: key, timeout: WAIT }
}

fn peer(message: &Inbound) -> (PeerKind, &str, bool) {
    (message.peer.kind, message.peer.id.as_str(), message.addressed)
}

#[tokio::test]
async fn a_homeserver_and_its_people_talk_to_the_bot() {
    let (gateway, port) = (Gateway::start().await, free_port());
    let channel = open(&format!("http://127.0.0.1:{port}"));
    gateway.serves(channel.clone());
    let file = registration(&*channel, &gateway.url).await;
    let mut synapse = Synapse::start(port, &file).await;

    let health = channel.health().await.unwrap();
    assert!(health.ok && health.summary.contains("reaches us in"), "{}", health.summary);
    let named = json!({"displayname": "Agent"});
    synapse.call(Method::PUT, &format!("/_matrix/client/v3/profile/{US}/displayname"), AS_TOKEN, &named).await;

    let (alice, bob) = (synapse.person("alice").await, synapse.person("bob").await);
    let (dm, to) = direct_chat(&gateway, &*channel, &alice).await;
    files(&gateway, &*channel, &synapse, &alice, &dm, &to).await;
    let group = group(&gateway, &*channel, &alice, &bob).await;
    thread(&gateway, &*channel, &alice, &group).await;
    standing(&gateway, &*channel, &alice, (&dm, &to), &group).await;
    somebody_joins_a_direct_chat(&gateway, &alice, &bob).await;
    encrypted_room(&channel, &alice).await;
    unknown_user(&gateway, &alice, &dm).await;

    let (id, token) = (alice.id.clone(), alice.token.clone());
    restart(&gateway, &*channel, &mut synapse, (&id, &token), &dm, &to).await;
    assert_eq!(gateway.left(), vec![], "nothing else was taken for a message");
}

/// Invitation, first message at once, answer, edits, reaction, typing, the same key twice, our own echo.
async fn direct_chat(gateway: &Gateway, channel: &dyn Channel, alice: &Person<'_>) -> (String, ReplyAddress) {
    let dm = alice.room(json!({"preset": "trusted_private_chat", "is_direct": true, "invite": [US]})).await;
    let early = alice.writes(&dm, "early").await;
    let message = gateway.hears("early").await;
    assert_eq!(peer(&message), (PeerKind::Direct, "@alice:hs.local", true));
    assert_eq!((message.event_id.as_str(), message.sender.name.as_deref()), (early.as_str(), Some("alice")));
    alice.writes(&dm, "hello").await;
    let to = gateway.hears("hello").await.reply_to;

    channel.typing(&to).await.unwrap();
    // The first attempt finds no device, and makes it.
    let first = channel.send(&part(&to, "**Hi**", "key-1")).await;
    assert!(matches!(first, Err(SendError::NotSent { .. })), "{first:?}");
    let sent = channel.send(&part(&to, "**Hi**", "key-1")).await.unwrap();
    let again = channel.send(&part(&to, "**Hi**", "key-1")).await.unwrap();
    assert_eq!(sent, again);
    let seen = alice.sees(&dm, &sent.message_id).await;
    assert_eq!((&seen["sender"], &seen["content"]["body"]), (&json!(US), &json!("**Hi**")));
    assert_eq!(seen["content"]["formatted_body"], "<strong>Hi</strong>");
    assert_eq!(seen["content"].get("m.relates_to"), None);

    for text in ["Hi th", "Hi there", "Hi th"] {
        channel.edit(&sent.message_id, &part(&to, text, "key-1")).await.unwrap();
    }
    let seen = alice.sees(&dm, &sent.message_id).await;
    let latest = &seen["unsigned"]["m.relations"]["m.replace"]["content"]["m.new_content"]["body"];
    assert_eq!(latest, "Hi th", "{seen}");

    for _ in 0..2 {
        channel.react(&to, &early, "👀").await.unwrap();
    }
    let reactions = alice.get(&format!("v1/rooms/{dm}/relations/{early}/m.annotation")).await;
    assert_eq!(reactions["chunk"].as_array().unwrap().len(), 1);

    let said: Vec<_> = alice.reads(&dm).await.into_iter().filter(|event| event["sender"] == US).collect();
    assert_eq!(said.len(), 4, "one message and three edits, however often the key was sent");
    gateway.sees(1, &sent.message_id).await;
    (dm, to)
}

async fn files(
    gateway: &Gateway,
    channel: &dyn Channel,
    synapse: &Synapse,
    alice: &Person<'_>,
    dm: &str,
    to: &ReplyAddress,
) {
    let upload = "/_matrix/media/v3/upload?filename=a.txt";
    let uploaded = synapse.bytes(Method::POST, upload, &alice.token, Bytes::from_static(b"five!")).await;
    let uploaded: Value = serde_json::from_slice(&uploaded).unwrap();
    let info = json!({"mimetype": "text/plain", "size": 5});
    let content = json!({
        "msgtype": "m.file", "body": "look at this", "filename": "a.txt", "url": uploaded["content_uri"], "info": info,
    });
    alice.says(dm, content).await;
    let message = gateway.hears("look at this").await;
    let media = &message.media[0];
    assert_eq!((media.name.as_deref(), media.size), (Some("a.txt"), Some(5)));
    assert_eq!(channel.fetch(media, 5, WAIT).await.unwrap().bytes, "five!");
    assert!(matches!(channel.fetch(media, 4, WAIT).await, Err(SendError::Refused { .. })));

    let bytes = Bytes::from_static(b"\x89PNG\r\n\x1a\n and so on");
    let file = OutboundFile { name: "p.png", content_type: "image/png", bytes: bytes.clone(), url: None };
    let sent = channel.attach(&file, &part(to, "a _caption_", "key-file")).await.unwrap();
    let seen = alice.sees(dm, &sent.message_id).await;
    let content = &seen["content"];
    assert_eq!(
        (&content["msgtype"], &content["body"], &content["filename"]),
        (&json!("m.image"), &json!("a _caption_"), &json!("p.png"))
    );
    let place = content["url"].as_str().unwrap().strip_prefix("mxc://").unwrap();
    let path = format!("/_matrix/client/v1/media/download/{place}");
    assert_eq!(synapse.bytes(Method::GET, &path, &alice.token, Bytes::new()).await, bytes);
}

/// A room of three: not addressed, addressed, answered with a call to who asked.
async fn group(gateway: &Gateway, channel: &dyn Channel, alice: &Person<'_>, bob: &Person<'_>) -> String {
    let group = alice.room(json!({"preset": "private_chat", "name": "G", "invite": [bob.id, US]})).await;
    bob.post(&format!("v3/join/{group}"), json!({})).await;
    gateway.sees(1, "\"membership\":\"join\"").await;
    bob.writes(&group, "not for the bot").await;
    let message = gateway.hears("not for the bot").await;
    assert_eq!(peer(&message), (PeerKind::Group, group.as_str(), false));
    bob.writes(&group, "Agent: by name").await;
    assert!(gateway.hears("by name").await.addressed);
    let pill = format!("<a href=\"https://matrix.to/#/{US}\">Agent</a>: status?");
    let content = json!({
        "msgtype": "m.text", "body": "Agent: status?", "format": "org.matrix.custom.html", "formatted_body": pill,
        "m.mentions": {"user_ids": [US]},
    });
    let asked = bob.says(&group, content).await;
    let message = gateway.hears("status?").await;
    assert_eq!(peer(&message), (PeerKind::Group, group.as_str(), true));
    assert_eq!(message.sender.name.as_deref(), Some("bob"));
    let sent = channel.send(&part(&message.reply_to, "All well.", "key-group")).await.unwrap();
    let seen = bob.sees(&group, &sent.message_id).await;
    assert_eq!(seen["content"]["m.relates_to"]["m.in_reply_to"]["event_id"], asked);
    assert_eq!(seen["content"]["m.mentions"]["user_ids"], json!([bob.id]));
    // Being answered, the bot is meant: clients say so.
    let content = json!({
        "msgtype": "m.text", "body": "thanks", "m.mentions": {"user_ids": [US]},
        "m.relates_to": {"m.in_reply_to": {"event_id": sent.message_id}},
    });
    bob.says(&group, content).await;
    assert!(gateway.hears("thanks").await.addressed);
    group
}

async fn thread(gateway: &Gateway, channel: &dyn Channel, alice: &Person<'_>, group: &str) {
    let root = alice.writes(group, "a topic").await;
    gateway.hears("a topic").await;
    let content = json!({
        "msgtype": "m.text", "body": "in the thread", "m.mentions": {"user_ids": [US]},
        "m.relates_to": {
            "rel_type": "m.thread", "event_id": root, "is_falling_back": true, "m.in_reply_to": {"event_id": root},
        },
    });
    alice.says(group, content).await;
    let message = gateway.hears("in the thread").await;
    assert_eq!((message.thread.as_deref(), message.addressed), (Some(root.as_str()), true));
    let sent = channel.send(&part(&message.reply_to, "here too", "key-thread")).await.unwrap();
    let thread = alice.get(&format!("v1/rooms/{group}/relations/{root}/m.thread")).await;
    let ids: Vec<_> = thread["chunk"].as_array().unwrap().iter().map(|event| event["event_id"].clone()).collect();
    assert!(ids.contains(&json!(sent.message_id)), "{thread}");
}

/// Ours can be taken away, theirs where our power level allows it, and nothing of one room from another.
async fn standing(
    gateway: &Gateway,
    channel: &dyn Channel,
    alice: &Person<'_>,
    (dm, to): (&str, &ReplyAddress),
    group: &str,
) {
    let there = ReplyAddress { to: group.to_owned(), thread: None, message: None, ..to.clone() };
    let (wrong, theirs) =
        (channel.send(&part(to, "wrong", "key-w")).await.unwrap(), alice.writes(group, "theirs").await);
    gateway.hears("theirs").await;
    for elsewhere in
        [channel.delete(&there, &wrong.message_id).await, channel.pin(&there, &wrong.message_id, true).await]
    {
        let error = elsewhere.unwrap_err().to_string();
        assert!(error.contains("no such message in this room"), "{error}");
    }
    assert_eq!(alice.sees(dm, &wrong.message_id).await["content"]["body"], "wrong");
    for _ in 0..2 {
        channel.delete(to, &wrong.message_id).await.unwrap();
    }
    assert_eq!(alice.sees(dm, &wrong.message_id).await["content"], json!({}));
    assert!(matches!(channel.delete(&there, &theirs).await, Err(SendError::Refused { .. })));

    let kept = channel.send(&part(to, "keep this", "key-k")).await.unwrap().message_id;
    let pins = format!("v3/rooms/{dm}/state/m.room.pinned_events");
    for (on, wanted) in [(true, json!([kept])), (true, json!([kept])), (false, json!([])), (false, json!([]))] {
        channel.pin(to, &kept, on).await.unwrap();
        assert_eq!(alice.get(&pins).await["pinned"], wanted);
    }
    assert!(matches!(channel.pin(&there, &theirs, true).await, Err(SendError::Refused { .. })), "others decide there");

    let poll = Poll { question: "When?".into(), options: vec!["Now".into(), "Later".into()], multiple: true };
    let asked = channel.poll(&poll, &part(&there, "", "key-poll")).await.unwrap();
    assert_eq!(channel.poll(&poll, &part(&there, "", "key-poll")).await.unwrap(), asked);
    let seen = alice.sees(group, &asked.message_id).await;
    assert_eq!(
        (&seen["type"], &seen["content"]["org.matrix.msc3381.poll.start"]["max_selections"]),
        (&json!("org.matrix.msc3381.poll.start"), &json!(2))
    );

    for under in [None, Some(theirs.as_str())] {
        let root = channel.open_thread(&there, "Plans", under).await.unwrap();
        let thread = ReplyAddress { thread: Some(root.clone()), ..there.clone() };
        let said = channel.send(&part(&thread, "first", &format!("key-{root}"))).await.unwrap();
        let replies = alice.get(&format!("v1/rooms/{group}/relations/{root}/m.thread")).await;
        assert_eq!(replies["chunk"][0]["event_id"], said.message_id);
        let nested = channel.open_thread(&there, "Plans", Some(&said.message_id)).await;
        assert!(matches!(nested, Err(SendError::Refused { .. })), "{nested:?}");
    }
}

async fn somebody_joins_a_direct_chat(gateway: &Gateway, alice: &Person<'_>, bob: &Person<'_>) {
    let room = alice.room(json!({"preset": "trusted_private_chat", "is_direct": true, "invite": [US]})).await;
    alice.writes(&room, "we two").await;
    assert_eq!(peer(&gateway.hears("we two").await), (PeerKind::Direct, "@alice:hs.local", true));
    alice.post(&format!("v3/rooms/{room}/invite"), json!({"user_id": bob.id})).await;
    bob.post(&format!("v3/join/{room}"), json!({})).await;
    bob.writes(&room, "we three").await;
    assert_eq!(peer(&gateway.hears("we three").await), (PeerKind::Group, room.as_str(), false));
}

async fn encrypted_room(channel: &Arc<dyn Channel>, alice: &Person<'_>) {
    let encryption =
        json!({"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}});
    let room = alice.room(json!({"preset": "private_chat", "invite": [US], "initial_state": [encryption]})).await;
    let began = std::time::Instant::now();
    let mut said = alice.reads(&room).await;
    while said.is_empty() {
        assert!(began.elapsed() < WAIT, "{} does not explain itself", channel.id());
        tokio::time::sleep(Duration::from_millis(50)).await;
        said = alice.reads(&room).await;
    }
    assert_eq!((said.len(), &said[0]["content"]["msgtype"]), (1, &json!("m.notice")));
}

/// Touching a user of the reserved namespace makes Synapse ask whether it exists.
async fn unknown_user(gateway: &Gateway, alice: &Person<'_>, dm: &str) {
    alice.post(&format!("v3/rooms/{dm}/invite"), json!({"user_id": "@agent_ghost:hs.local"})).await;
    gateway.sees(1, "users/%40agent_ghost%3Ahs.local").await;
}

/// Synapse forgets how far it had counted, and we were away: nothing is lost, nothing comes twice, a key is remembered.
async fn restart(
    gateway: &Gateway,
    channel: &dyn Channel,
    synapse: &mut Synapse,
    (id, token): (&str, &str),
    dm: &str,
    to: &ReplyAddress,
) {
    let before = channel.send(&part(to, "before the fall", "key-restart")).await.unwrap();
    gateway.sees(1, &before.message_id).await;
    // Whatever was on its way before the fall has come, or never will.
    synapse.stop();
    let transactions: Vec<String> = gateway.seen().into_iter().map(|(path, _)| path).collect();
    synapse.start_again().await;
    synapse.again(id, token).writes(dm, "after the fall").await;
    assert_eq!(peer(&gateway.hears("after the fall").await).0, PeerKind::Direct);
    let again: Vec<String> = gateway.seen().into_iter().skip(transactions.len()).map(|(path, _)| path).collect();
    assert!(again.iter().all(|path| transactions.contains(path)), "it counts from 1 again: {again:?}");

    gateway.is_down(true);
    synapse.again(id, token).writes(dm, "while you were away").await;
    gateway.sees(2, "while you were away").await;
    synapse.restart().await;
    gateway.is_down(false);
    let alice = synapse.again(id, token);
    alice.writes(dm, "back again").await;
    gateway.hears("while you were away").await;
    gateway.hears("back again").await;

    let again = channel.send(&part(to, "before the fall", "key-restart")).await.unwrap();
    assert_eq!(before, again, "the key outlives the restart");
    let said = alice.reads(dm).await;
    assert_eq!(said.iter().filter(|event| event["content"]["body"] == "before the fall").count(), 1);
}
