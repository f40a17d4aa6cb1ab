//! The laws of channels, and what the samples say.

use chela_channel_line::SIMULATOR;
use chela_core::secret::Secret;
use chela_testkit::laws::channel::{ARRIVAL, ChannelUnderTest, request};
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use crate::subject::subject;

async fn line() -> ChannelUnderTest {
    subject()
}

chela_testkit::channel_laws!(line);

#[test]
fn samples_say_what_people_meant() {
    let told = [
        "audio: 01KDVB5M0Q7Z8X9Y0000000009AB direct:U4af4980629e5b2c4f0b3a8f1d2c3e4f5 from U4af4980629e5b2c4f0b3a8f1d2c3e4f5 to us \"\" +325709[audio/x-m4a] @1767225590000 -> U4af4980629e5b2c4f0b3a8f1d2c3e4f5/-/reply:1767225590000:nHuyWiB7yP5Zw52FIkcQobQuGDXCTA",
        "button: 01KDVB5M0Q7Z8X9Y0000000014AB button direct:U4af4980629e5b2c4f0b3a8f1d2c3e4f5 from U4af4980629e5b2c4f0b3a8f1d2c3e4f5 to us \"approve:42\" @1767225590000 -> U4af4980629e5b2c4f0b3a8f1d2c3e4f5/-/reply:1767225590000:nHuyWiB7yP5Zw52FIkcQobQuGDXCTA",
        "file: 01KDVB5M0Q7Z8X9Y0000000010AB direct:U4af4980629e5b2c4f0b3a8f1d2c3e4f5 from U4af4980629e5b2c4f0b3a8f1d2c3e4f5 to us \"\" +325710[report.pdf 2138] @1767225590000 -> U4af4980629e5b2c4f0b3a8f1d2c3e4f5/-/reply:1767225590000:nHuyWiB7yP5Zw52FIkcQobQuGDXCTA",
        "follow: nothing",
        "group-button: 01KDVB5M0Q7Z8X9Y0000000015AB button group:Ca56f94637cc4347f90a25382909b24b9 from U4af4980629e5b2c4f0b3a8f1d2c3e4f5 to us \"deny:42\" @1767225590000 -> Ca56f94637cc4347f90a25382909b24b9/-/reply:1767225590000:nHuyWiB7yP5Zw52FIkcQobQuGDXCTA",
        "group-edited: 01KDVB5M0Q7Z8X9Y0000000016AB edited group:Ca56f94637cc4347f90a25382909b24b9 from U4af4980629e5b2c4f0b3a8f1d2c3e4f5 \"@Grace: dinner?\" @1767225595000 -> Ca56f94637cc4347f90a25382909b24b9/-/reply:1767225595000:nHuyWiB7yP5Zw52FIkcQobQuGDXCTA quote:q3Plxr4AgKd-16_x",
        "group-mention: 01KDVB5M0Q7Z8X9Y0000000002AB group:Ca56f94637cc4347f90a25382909b24b9 from U4af4980629e5b2c4f0b3a8f1d2c3e4f5 to us \"👋 what is the status?\" @1767225590000 -> Ca56f94637cc4347f90a25382909b24b9/-/reply:1767225590000:nHuyWiB7yP5Zw52FIkcQobQuGDXCTA quote:q3Plxr4AgKd-1_x",
        "group-reply: 01KDVB5M0Q7Z8X9Y0000000004AB group:Ca56f94637cc4347f90a25382909b24b9 from U4af4980629e5b2c4f0b3a8f1d2c3e4f5 \"and tomorrow?\" @1767225590000 -> Ca56f94637cc4347f90a25382909b24b9/-/reply:1767225590000:nHuyWiB7yP5Zw52FIkcQobQuGDXCTA quote:q3Plxr4AgKd-3_x",
        "group-text: 01KDVB5M0Q7Z8X9Y0000000003AB group:Ca56f94637cc4347f90a25382909b24b9 from U4af4980629e5b2c4f0b3a8f1d2c3e4f5 \"@All and @Grace: lunch?\" @1767225590000 -> Ca56f94637cc4347f90a25382909b24b9/-/reply:1767225590000:nHuyWiB7yP5Zw52FIkcQobQuGDXCTA quote:q3Plxr4AgKd-2_x",
        "image-external: 01KDVB5M0Q7Z8X9Y0000000007AB direct:U4af4980629e5b2c4f0b3a8f1d2c3e4f5 from U4af4980629e5b2c4f0b3a8f1d2c3e4f5 to us \"[image: https://example.org/original.jpg]\" @1767225590000 -> U4af4980629e5b2c4f0b3a8f1d2c3e4f5/-/reply:1767225590000:nHuyWiB7yP5Zw52FIkcQobQuGDXCTA",
        "image: 01KDVB5M0Q7Z8X9Y0000000006AB direct:U4af4980629e5b2c4f0b3a8f1d2c3e4f5 from U4af4980629e5b2c4f0b3a8f1d2c3e4f5 to us \"\" +354718705033693859[image/jpeg] @1767225590000 -> U4af4980629e5b2c4f0b3a8f1d2c3e4f5/-/reply:1767225590000:nHuyWiB7yP5Zw52FIkcQobQuGDXCTA",
        "join: nothing",
        "location: 01KDVB5M0Q7Z8X9Y0000000013AB direct:U4af4980629e5b2c4f0b3a8f1d2c3e4f5 from U4af4980629e5b2c4f0b3a8f1d2c3e4f5 to us \"[location: my location; 日本、〒160-0004 東京都新宿区四谷一丁目6番1号; 35.687574, 139.72922]\" @1767225590000 -> U4af4980629e5b2c4f0b3a8f1d2c3e4f5/-/reply:1767225590000:nHuyWiB7yP5Zw52FIkcQobQuGDXCTA",
        "member-joined: nothing",
        "redelivered: 01KDVB5M0Q7Z8X9Y0000000017AB direct:U4af4980629e5b2c4f0b3a8f1d2c3e4f5 from U4af4980629e5b2c4f0b3a8f1d2c3e4f5 to us \"are you there?\" @1767222000000 -> U4af4980629e5b2c4f0b3a8f1d2c3e4f5/-/-",
        "room-anonymous: 01KDVB5M0Q7Z8X9Y0000000005AB group:Ra8dbf4673c4c812cd491258042226c99 from Ra8dbf4673c4c812cd491258042226c99 \"hi all\" @1767225590000 -> Ra8dbf4673c4c812cd491258042226c99/-/reply:1767225590000:nHuyWiB7yP5Zw52FIkcQobQuGDXCTA quote:q3Plxr4AgKd-4_x",
        "several: 01KDVB5M0Q7Z8X9Y0000000018AB direct:U4af4980629e5b2c4f0b3a8f1d2c3e4f5 from U4af4980629e5b2c4f0b3a8f1d2c3e4f5 to us \"one\" @1767225590000 -> U4af4980629e5b2c4f0b3a8f1d2c3e4f5/-/reply:1767225590000:nHuyWiB7yP5Zw52FIkcQobQuGDXCTA",
        "several: 01KDVB5M0Q7Z8X9Y0000000019AB direct:U0047556f2e40dba2456887320ba7c76d from U0047556f2e40dba2456887320ba7c76d to us \"two\" @1767225591000 -> U0047556f2e40dba2456887320ba7c76d/-/reply:1767225591000:0f3779fba3b349968c5d07db31eab56f",
        "standby: nothing",
        "sticker-message: 01KDVB5M0Q7Z8X9Y0000000012AB direct:U4af4980629e5b2c4f0b3a8f1d2c3e4f5 from U4af4980629e5b2c4f0b3a8f1d2c3e4f5 to us \"[sticker: Let's go]\" @1767225590000 -> U4af4980629e5b2c4f0b3a8f1d2c3e4f5/-/reply:1767225590000:nHuyWiB7yP5Zw52FIkcQobQuGDXCTA",
        "sticker: 01KDVB5M0Q7Z8X9Y0000000011AB direct:U4af4980629e5b2c4f0b3a8f1d2c3e4f5 from U4af4980629e5b2c4f0b3a8f1d2c3e4f5 to us \"[sticker: cony, sally, Staring]\" @1767225590000 -> U4af4980629e5b2c4f0b3a8f1d2c3e4f5/-/reply:1767225590000:nHuyWiB7yP5Zw52FIkcQobQuGDXCTA",
        "text: 01KDVB5M0Q7Z8X9Y0000000001AB direct:U4af4980629e5b2c4f0b3a8f1d2c3e4f5 from U4af4980629e5b2c4f0b3a8f1d2c3e4f5 to us \"hello\" @1767225590000 -> U4af4980629e5b2c4f0b3a8f1d2c3e4f5/-/reply:1767225590000:nHuyWiB7yP5Zw52FIkcQobQuGDXCTA",
        "unknown-event: nothing",
        "unknown-message: nothing",
        "unsend: nothing",
        "verify: nothing",
        "video: 01KDVB5M0Q7Z8X9Y0000000008AB direct:U4af4980629e5b2c4f0b3a8f1d2c3e4f5 from U4af4980629e5b2c4f0b3a8f1d2c3e4f5 to us \"\" +325708[video/mp4] @1767225590000 -> U4af4980629e5b2c4f0b3a8f1d2c3e4f5/-/reply:1767225590000:nHuyWiB7yP5Zw52FIkcQobQuGDXCTA",
    ];
    assert_eq!(subject().told(), told.join("\n"));
}

/// The vector in LINE's own SDK for Python.
#[test]
fn the_published_signature_is_genuine() {
    let mut secrets = SIMULATOR.test_secrets();
    secrets.insert("channelSecret".to_owned(), Secret::new("channel_secret"));
    let channel = subject().open_with("http://127.0.0.1:9", secrets);
    let signed = |signature: &'static str, body: &[u8]| {
        let headers = [(http::HeaderName::from_static("x-line-signature"), HeaderValue::from_static(signature))];
        channel.verify(request(HeaderMap::from_iter(headers), body))
    };
    let published = "/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k=";
    assert!(signed(published, b"bodybodybodybody").is_ok());
    assert!(signed(published, b"bodybodybodybodz").is_err());
    assert!(signed("/gg9a-LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k=", b"bodybodybodybody").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Mentions anywhere in any text, also where there is none.
    #[test]
    fn no_mention_panics_or_loses_more_than_itself(
        text in ".{0,40}",
        places in prop::collection::vec((0_usize..50, 0_usize..50, any::<bool>()), 0..4),
    ) {
        let mentionees: Vec<_> = places
            .iter()
            .map(|(index, length, is_self)| {
                serde_json::json!({ "type": "user", "index": index, "length": length, "isSelf": is_self })
            })
            .collect();
        let event = serde_json::json!({
            "type": "message", "mode": "active", "timestamp": 1, "webhookEventId": "01", "replyToken": "r",
            "source": { "type": "group", "groupId": "C1", "userId": "U1" },
            "message": { "type": "text", "id": "1", "text": text, "mention": { "mentionees": mentionees } },
        });
        let body = serde_json::json!({ "events": [event] }).to_string();
        let subject = subject();
        let channel = subject.open("http://127.0.0.1:9");
        let parsed = channel.parse(&channel.verify(subject.signed(body.as_bytes(), ARRIVAL)).unwrap()).unwrap();
        let message = &parsed.messages[0];
        prop_assert_eq!(message.addressed, places.iter().any(|(_, _, is_self)| *is_self));
        prop_assert!(message.text.len() <= text.len());
        if !text.contains('@') && !message.addressed {
            prop_assert_eq!(&message.text, &text);
        }
    }
}
