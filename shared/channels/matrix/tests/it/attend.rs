//! What is done before a transaction is read, against a homeserver that answers as told.

use std::sync::Arc;

use chela_core::channel::{Channel, RawRequest, SendError};
use chela_core::clock::Millis;
use chela_core::message::Inbound;
use chela_core::session_key::PeerKind;
use chela_testkit::laws::channel::platform::{Answer, Platform, Seen, nobody};
use chela_testkit::laws::channel::{ARRIVAL, ChannelUnderTest};
use serde_json::{Value, json};

use crate::subject::{manners, subject};

const US: &str = "@agent:hs.local";

struct Account {
    subject: ChannelUnderTest,
    platform: Platform,
    channel: Arc<dyn Channel>,
}

impl Account {
    async fn open(manners: fn(&Seen) -> Answer) -> Self {
        let (subject, platform) = (subject(), Platform::start(manners).await);
        let channel = subject.open(platform.url());
        Self { subject, platform, channel }
    }

    /// As the receiver does it.
    async fn receive(&self, events: &[Value], now: Millis) -> Result<Vec<Inbound>, SendError> {
        receive(&self.subject, &*self.channel, events, now).await
    }

    fn asked(&self) -> Vec<String> {
        self.platform.take().into_iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
    }
}

async fn receive(
    subject: &ChannelUnderTest,
    channel: &dyn Channel,
    events: &[Value],
    now: Millis,
) -> Result<Vec<Inbound>, SendError> {
    let body = json!({ "events": events }).to_string();
    let request = RawRequest { received_at: now, ..subject.signed(body.as_bytes(), now) };
    let verified = channel.verify(request).unwrap();
    channel.attend(&verified).await?;
    Ok(channel.parse(&verified).unwrap().messages)
}

fn event(kind: &str, id: &str, sender: &str, content: Value) -> Value {
    json!({
        "type": kind, "event_id": id, "room_id": "!r:hs.local", "sender": sender, "content": content,
        "origin_server_ts": ARRIVAL.0 - 1_000,
    })
}

fn said(id: &str, body: &str) -> Value {
    event("m.room.message", id, "@alice:hs.local", json!({"msgtype": "m.text", "body": body}))
}

fn state(mut event: Value, key: &str) -> Value {
    event["state_key"] = json!(key);
    event
}

fn invitation(inviter: &str) -> Value {
    state(event("m.room.member", "$invite", inviter, json!({"membership": "invite", "is_direct": true})), US)
}

fn members(names: &[&str]) -> Answer {
    let joined: serde_json::Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), json!({"display_name": format!("{name}!")}))).collect();
    Answer::json(200, &json!({ "joined": joined }))
}

fn two(seen: &Seen) -> Answer {
    if seen.path.contains("/joined_members") { members(&[US, "@alice:hs.local"]) } else { manners(seen) }
}

fn three(seen: &Seen) -> Answer {
    if seen.path.contains("/joined_members") {
        members(&[US, "@alice:hs.local", "@bob:hs.local"])
    } else {
        manners(seen)
    }
}

const MEMBERS: &str = "GET /_matrix/client/v3/rooms/!r:hs.local/joined_members";

#[tokio::test]
async fn who_is_in_a_room_decides_whether_it_is_a_direct_chat() {
    for (manners, direct) in [(two as fn(&Seen) -> Answer, true), (three, false)] {
        let account = Account::open(manners).await;
        let heard = account.receive(&[said("$1", "hi"), said("$2", "you")], ARRIVAL).await.unwrap();
        assert_eq!(heard.len(), 2);
        for message in &heard {
            let peer = if direct { (PeerKind::Direct, "@alice:hs.local") } else { (PeerKind::Group, "!r:hs.local") };
            assert_eq!((message.peer.kind, message.peer.id.as_str()), peer);
            assert_eq!(message.addressed, direct);
            assert_eq!(message.sender.name.as_deref(), Some("@alice:hs.local!"));
        }
        assert_eq!(account.asked(), [MEMBERS], "one question for both");
        account.receive(&[said("$3", "again")], ARRIVAL.plus(59_000)).await.unwrap();
        assert_eq!(account.asked(), Vec::<String>::new(), "and an answer for a minute");
        account.receive(&[said("$4", "later")], ARRIVAL.plus(60_000)).await.unwrap();
        assert_eq!(account.asked(), [MEMBERS]);
    }
}

#[tokio::test]
async fn a_claim_to_be_direct_makes_no_direct_chat() {
    let account = Account::open(three).await;
    let heard = account.receive(&[invitation("@alice:hs.local"), said("$1", "hi")], ARRIVAL).await.unwrap();
    assert_eq!((heard[0].peer.kind, heard[0].addressed), (PeerKind::Group, false));
}

#[tokio::test]
async fn somebody_who_comes_makes_a_room_of_a_direct_chat_at_once() {
    let account = Account::open(two).await;
    let heard = account.receive(&[said("$1", "hi")], ARRIVAL).await.unwrap();
    assert!(heard[0].addressed);
    account.asked();
    let comes = state(event("m.room.member", "$2", "@bob:hs.local", json!({"membership": "join"})), "@bob:hs.local");
    account.platform.next(members(&[US, "@alice:hs.local", "@bob:hs.local"]));
    let heard = account.receive(&[comes, said("$3", "hi")], ARRIVAL.plus(1_000)).await.unwrap();
    assert_eq!((heard[0].peer.kind, heard[0].addressed), (PeerKind::Group, false));
    assert_eq!(account.asked(), [MEMBERS]);
}

#[tokio::test]
async fn what_was_said_before_we_came_is_answered_once() {
    fn manners_of_a_new_chat(seen: &Seen) -> Answer {
        if !seen.path.contains("/messages") {
            return two(seen);
        }
        let comes = state(event("m.room.member", "$join", US, json!({"membership": "join"})), US);
        let latest = [said("$3", "posted to us"), comes, said("$2", "second"), said("$1", "first")];
        let before = [invitation("@alice:hs.local"), said("$0", "before")];
        let chunk = [latest.as_slice(), before.as_slice()].concat();
        Answer::json(200, &json!({ "chunk": chunk }))
    }
    let account = Account::open(manners_of_a_new_chat).await;
    let heard = account.receive(&[invitation("@alice:hs.local")], ARRIVAL).await.unwrap();
    let texts: Vec<_> = heard.iter().map(|message| (message.event_id.as_str(), message.text.as_str())).collect();
    assert_eq!(texts, [("$1", "first"), ("$2", "second")]);
    assert!(heard.iter().all(|message| message.addressed && message.peer.kind == PeerKind::Direct));
    let asked = account.asked();
    let room = "/_matrix/client/v3/rooms/!r:hs.local";
    let wanted = [
        "POST /_matrix/client/v3/join/!r:hs.local".into(),
        format!("GET {room}/messages?dir=b&limit=50"),
        MEMBERS.into(),
    ];
    assert_eq!(asked, wanted);
}

#[tokio::test]
async fn invitations_are_accepted_as_the_owner_says() {
    let account = Account::open(two).await;
    account.receive(&[invitation("@mallory:evil.example")], ARRIVAL).await.unwrap();
    assert_eq!(account.asked(), Vec::<String>::new(), "a stranger from elsewhere");
    let mut somebody_else = invitation("@alice:hs.local");
    somebody_else["state_key"] = json!("@bob:hs.local");
    account.receive(&[somebody_else], ARRIVAL).await.unwrap();
    assert_eq!(account.asked(), Vec::<String>::new(), "somebody else is invited");
    for membership in ["leave", "ban", "join"] {
        let mut thrown_out = invitation("@alice:hs.local");
        thrown_out["content"]["membership"] = json!(membership);
        account.receive(&[thrown_out], ARRIVAL).await.unwrap();
        assert_eq!(account.asked(), Vec::<String>::new(), "who is thrown out does not come back: {membership}");
    }
    account.receive(&[invitation("@alice:hs.local")], ARRIVAL).await.unwrap();
    assert!(account.asked()[0].starts_with("POST /_matrix/client/v3/join/"));
}

#[tokio::test]
async fn trouble_puts_a_transaction_off_for_five_minutes_and_no_longer() {
    let minutes = |minutes: u64| ARRIVAL.plus(minutes * 60_000);
    for (event, calls) in [(invitation("@alice:hs.local"), "join"), (said("$1", "hi"), "members")] {
        let (subject, channel) = (subject(), subject().open(&nobody().await));
        let early = receive(&subject, &*channel, std::slice::from_ref(&event), minutes(4)).await;
        assert!(matches!(early, Err(SendError::NotSent { .. })), "{calls}: {early:?}");
        let late = receive(&subject, &*channel, &[event], minutes(5)).await.unwrap();
        assert!(late.iter().all(|message| message.peer.kind == PeerKind::Group), "{calls}: safe by default");
    }
    // A time in the future is no way to be waited for.
    let (subject, channel) = (subject(), subject().open(&nobody().await));
    let mut future = said("$1", "hi");
    future["origin_server_ts"] = json!(minutes(60).0);
    assert!(receive(&subject, &*channel, &[future], ARRIVAL).await.is_ok());
}

#[tokio::test]
async fn a_final_no_puts_nothing_off() {
    let account = Account::open(two).await;
    let forbidden = || Answer::json(403, &json!({"errcode": "M_FORBIDDEN", "error": "not in room"}));
    account.platform.next(forbidden());
    let heard = account.receive(&[said("$1", "hi")], ARRIVAL).await.unwrap();
    assert_eq!(heard[0].peer.kind, PeerKind::Group);
    account.platform.next(forbidden());
    account.receive(&[invitation("@alice:hs.local")], ARRIVAL).await.unwrap();
}

#[tokio::test]
async fn a_room_of_very_many_is_a_room() {
    fn crowd(_: &Seen) -> Answer {
        Answer::text(200, &"x".repeat(513 * 1024))
    }
    let account = Account::open(crowd).await;
    let heard = account.receive(&[said("$1", "hi")], ARRIVAL).await.unwrap();
    assert_eq!(heard[0].peer.kind, PeerKind::Group);
    account.asked();
    account.receive(&[said("$2", "hi")], ARRIVAL).await.unwrap();
    assert_eq!(account.asked(), Vec::<String>::new(), "and is not asked about again and again");
}

#[tokio::test]
async fn encryption_is_explained_once() {
    let account = Account::open(two).await;
    let on = state(event("m.room.encryption", "$e", "@alice:hs.local", json!({"algorithm": "x"})), "");
    account.receive(std::slice::from_ref(&on), ARRIVAL).await.unwrap();
    account.receive(std::slice::from_ref(&on), ARRIVAL.plus(1_000)).await.unwrap();
    let sent = account.platform.take();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].path, sent[1].path, "a repetition has the same key, so it is shown once");
    assert_eq!(sent[0].json()["msgtype"], "m.notice");
    let mut invited = invitation("@alice:hs.local");
    invited["invite_room_state"] = json!([{"type": "m.room.encryption", "state_key": "", "content": {}}]);
    account.receive(&[invited], ARRIVAL).await.unwrap();
    assert!(account.asked()[1].starts_with("PUT /_matrix/client/v3/rooms/!r:hs.local/send/m.room.message/"));
    // Long ago it was somebody else's business.
    account.receive(&[on], ARRIVAL.plus(600_000)).await.unwrap();
    assert_eq!(account.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn nothing_is_asked_about_what_is_dropped() {
    let account = Account::open(|seen| panic!("{} was not expected", seen.path)).await;
    let mut old = said("$1", "old");
    old["origin_server_ts"] = json!(ARRIVAL.0 - 25 * 60 * 60 * 1_000);
    let echo = event("m.room.message", "$2", US, json!({"msgtype": "m.text", "body": "ours"}));
    let reaction = event("m.reaction", "$3", "@alice:hs.local", json!({}));
    assert_eq!(account.receive(&[old, echo, reaction], ARRIVAL).await.unwrap(), vec![]);
    assert_eq!(account.asked(), Vec::<String>::new());
}
