//! The laws of channels, and what the samples say.

use chela_testkit::laws::channel::{ARRIVAL, ChannelUnderTest};
use proptest::prelude::*;

use crate::subject::subject;

async fn instagram() -> ChannelUnderTest {
    subject()
}

chela_testkit::channel_laws!(instagram);

#[test]
fn samples_say_what_people_meant() {
    let told = [
        "comment: nothing",
        "echo: nothing",
        "image: ig_image direct:1254477777772919 from 1254477777772919 to us \"\" +https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=3&signature=z[] @1767224914000 -> 1254477777772919/-/ig_image",
        "other-account: nothing",
        "postback: ig_postback button direct:1254477777772919 from 1254477777772919 to us \"/help\" @1767224917000 -> 1254477777772919/-/ig_postback",
        "quick-reply: ig_quick button direct:1254477777772919 from 1254477777772919 to us \"approve:42\" @1767224916000 -> 1254477777772919/-/ig_quick",
        "reaction: nothing",
        "reel: ig_reel direct:1254477777772919 from 1254477777772919 to us \"A cat: https://www.instagram.com/reel/Cabc/\" @1767224915000 -> 1254477777772919/-/ig_reel",
        "reply: ig_reply direct:1254477777772919 from 1254477777772919 to us \"and tomorrow?\" @1767224911000 -> 1254477777772919/-/ig_reply",
        "seen: nothing",
        "story-mention: ig_story_mention direct:1254477777772919 from 1254477777772919 to us \"\" +https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=2&signature=y[] @1767224913000 -> 1254477777772919/-/ig_story_mention",
        "story-reply: ig_story_reply direct:1254477777772919 from 1254477777772919 to us \"nice view\" @1767224912000 -> 1254477777772919/-/ig_story_reply",
        "text: aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlEOjE3 direct:1254477777772919 from 1254477777772919 to us \"héllo 😀\" @1767224910000 -> 1254477777772919/-/aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlEOjE3",
        "unsent: nothing",
        "unsupported: nothing",
    ];
    assert_eq!(subject().told(), told.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_body_panics(body in prop::collection::vec(any::<u8>(), 0..200), query in ".{0,60}") {
        let channel = subject().open("http://127.0.0.1:9");
        let posted = subject().signed(&body, ARRIVAL);
        let _ = channel.verify(posted).map(|verified| channel.parse(&verified));
        let mut asked = subject().signed(&body, ARRIVAL);
        asked.method = http::Method::GET;
        asked.query = format!("hub.mode=subscribe&hub.verify_token=public-test-verify-token&{query}");
        let _ = channel.verify(asked).map(|verified| channel.parse(&verified));
    }
}
