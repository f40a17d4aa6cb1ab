//! The laws of channels, what the samples say, and how answers are signed.

use chela_core::channel::{Rejected, SendError};
use chela_core::message::ReplyAddress;
use chela_testkit::laws::channel::platform::Platform;
use chela_testkit::laws::channel::{ARRIVAL, ChannelUnderTest, part, request};
use serde_json::json;

use crate::subject::subject;

async fn webhook() -> ChannelUnderTest {
    subject()
}

chela_testkit::channel_laws!(webhook);

#[test]
fn samples_say_what_their_senders_meant() {
    let told = [
        "attachments: msg_eb9d92ec6fa00c12cecd839c direct:u-7 from u-7 to us \"look\" +https://files.example/a.pdf[application/pdf a.pdf 1200] +https://files.example/b[] @1767225600000 -> u-7/-/m-4",
        "bot: nothing",
        "edited: msg_b75714861f05f035e6a80f7a edited direct:u-7 from u-7 (Ada) to us \"hello again\" @1767225660000 -> c-7/-/m-1",
        "group-mention: msg_7a6e37f5619b5a802fbd2874 group:room-1 #t-5 from u-7 (Ada) to us \"what is the status?\" @1767225601000 -> room-1\\nhttps://replies.example/hooks/chela/t-5/m-2",
        "group: msg_986e638cd2e51717e1c45553 group:room-1 from u-8 \"not for the bot\" @1767225602000 -> room-1/-/m-3",
        "own-reply: nothing",
        "text: msg_d9b367e88049b2f51dd8d63a direct:u-7 from u-7 (Ada) to us \"hello\" @1767225600250 -> c-7/-/m-1",
        "unknown-type: nothing",
    ];
    assert_eq!(subject().told(), told.join("\n"));
}

fn to(address: &str) -> ReplyAddress {
    ReplyAddress {
        channel: "webhook".to_owned(),
        account: "main".to_owned(),
        to: address.to_owned(),
        thread: Some("t-5".to_owned()),
        message: None,
    }
}

#[tokio::test]
async fn a_reply_is_signed_as_we_ask_others_to_sign() {
    let platform = Platform::start(subject().manners).await;
    let channel = subject().open(platform.url());
    let to = to("room-1");
    let receipt = channel.send(&part(&to, "**hi**")).await.unwrap();
    let seen = platform.take();
    assert_eq!((seen[0].path.as_str(), receipt.message_id.as_str()), ("/in", "0123456789abcdef0123456789abcdef"));
    assert_eq!(
        seen[0].json(),
        json!({"type": "reply", "data": {
            "chat": {"id": "room-1"}, "thread_id": "t-5", "reply_to": null, "text": "**hi**", "format": "markdown",
        }})
    );
    assert_eq!(seen[0].headers["webhook-id"], "0123456789abcdef0123456789abcdef");
    assert_eq!(seen[0].headers["webhook-timestamp"], "1767225600");
    // Our own entrance accepts it, and ignores what it says.
    let parsed = channel.parse(&channel.verify(request(seen[0].headers.clone(), &seen[0].body)).unwrap()).unwrap();
    assert_eq!(parsed.messages, []);
}

#[tokio::test]
async fn a_resent_part_is_the_same_bytes_under_the_same_id() {
    let platform = Platform::start(subject().manners).await;
    let to = to("room-1");
    for now in [ARRIVAL, ARRIVAL.plus(60_000)] {
        subject().open_at(platform.url(), now).send(&part(&to, "once")).await.unwrap();
    }
    let seen = platform.take();
    assert_eq!(seen[0].body, seen[1].body);
    assert_eq!(seen[0].headers["webhook-id"], seen[1].headers["webhook-id"]);
    assert_ne!(seen[0].headers["webhook-signature"], seen[1].headers["webhook-signature"], "the time is signed");
}

#[tokio::test]
async fn a_message_says_where_its_answer_goes_if_configuration_allows() {
    let platform = Platform::start(subject().manners).await;
    let channel = subject().open(platform.url());
    let message = |callback: &str| {
        json!({"type": "message", "data": {"sender": {"id": "u"}, "callback_url": callback}}).to_string()
    };
    let read = |body: String| channel.parse(&channel.verify(subject().signed(body.as_bytes(), ARRIVAL)).unwrap());
    let parsed = read(message(&format!("{}/elsewhere?x=1", platform.url()))).unwrap();
    channel.send(&part(&parsed.messages[0].reply_to, "hi")).await.unwrap();
    assert_eq!(platform.take()[0].path, "/elsewhere?x=1");
    for forbidden in ["https://evil.example/", "http://169.254.169.254/latest/meta-data/", "nonsense"] {
        assert!(matches!(read(message(forbidden)), Err(Rejected::Malformed(_))), "{forbidden}");
        // Neither by an address that was stored before the configuration changed.
        let stored = to(&format!("u\n{forbidden}"));
        assert!(matches!(channel.send(&part(&stored, "hi")).await, Err(SendError::Refused { .. })), "{forbidden}");
    }
    assert_eq!(platform.take(), []);
}

#[tokio::test]
async fn ids_that_could_be_taken_for_an_address_are_refused() {
    let channel = subject().open("http://127.0.0.1:9");
    for id in ["", "a\nhttps://replies.example/", "a\u{0}"] {
        let body = json!({"type": "message", "data": {"sender": {"id": "u"}, "chat": {"id": id, "type": "group"}}});
        let verified = channel.verify(subject().signed(body.to_string().as_bytes(), ARRIVAL)).unwrap();
        assert!(matches!(channel.parse(&verified), Err(Rejected::Malformed(_))), "{id:?}");
    }
}

#[tokio::test]
async fn nobody_chooses_an_id_that_leads_into_the_conversation_of_another() {
    let channel = subject().open("http://127.0.0.1:9");
    for odd in ["ada:thread:7", "ada:THREAD:7", " ada", "ada\u{a0}"] {
        for data in
            [json!({"sender": {"id": odd}}), json!({"sender": {"id": "u"}, "chat": {"id": odd, "type": "group"}})]
        {
            let body = json!({"type": "message", "data": data});
            let verified = channel.verify(subject().signed(body.to_string().as_bytes(), ARRIVAL)).unwrap();
            assert!(matches!(channel.parse(&verified), Err(Rejected::Malformed(_))), "{odd:?}");
        }
    }
}

#[tokio::test]
async fn without_a_place_for_answers_health_says_so() {
    let mut bare = subject();
    bare.options = |_| json!({});
    let channel = bare.open("http://127.0.0.1:9");
    assert!(!channel.health().await.unwrap().ok);
    let refused = channel.send(&part(&to("room-1"), "hi")).await;
    assert!(matches!(refused, Err(SendError::Refused { .. })), "{refused:?}");
}
