//! The laws of channels, and what the samples say.

use chela_testkit::laws::channel::{ARRIVAL, ChannelUnderTest};
use proptest::prelude::*;

use crate::subject::subject;

async fn messenger() -> ChannelUnderTest {
    subject()
}

chela_testkit::channel_laws!(messenger);

#[test]
fn samples_say_what_people_meant() {
    let told = [
        "batch: m_batch_1 direct:5925463210987654 from 5925463210987654 to us \"one\" @1767224907000 -> 5925463210987654/-/m_batch_1",
        "batch: m_batch_2 direct:777 from 777 to us \"two\" @1767224908000 -> 777/-/m_batch_2",
        "batch: m_batch_3 direct:5925463210987654 from 5925463210987654 to us \"three\" @1767224909000 -> 5925463210987654/-/m_batch_3",
        "delivered: nothing",
        "echo: nothing",
        "edited: m_AG5Hz2Uq7tuwNEhXfYYKj8mJEM_QPpz5jdHK48PWKAjSl:edit:1 edited direct:5925463210987654 from 5925463210987654 to us \"hello again\" @1767224900000 -> 5925463210987654/-/m_AG5Hz2Uq7tuwNEhXfYYKj8mJEM_QPpz5jdHK48PWKAjSl",
        "feed: nothing",
        "file: m_file direct:5925463210987654 from 5925463210987654 to us \"\" +https://cdn.fbsbx.com/v/t59.2708-21/report.pdf?oh=2[report.pdf] @1767224894000 -> 5925463210987654/-/m_file",
        "image: m_image direct:5925463210987654 from 5925463210987654 to us \"look\" +https://scontent.xx.fbcdn.net/v/t1.15752-9/41_n.jpg?_nc_cat=1&oh=03_Q7c&oe=6A[41_n.jpg] @1767224891000 -> 5925463210987654/-/m_image",
        "location: m_location direct:5925463210987654 from 5925463210987654 to us \"Ada's location: geo:52.5163,13.3777\" @1767224895000 -> 5925463210987654/-/m_location",
        "other-page: nothing",
        "postback-unnamed: postback:5925463210987654:1767224899000:start button direct:5925463210987654 from 5925463210987654 to us \"start\" @1767224899000 -> 5925463210987654/-/-",
        "postback: m_postback button direct:5925463210987654 from 5925463210987654 to us \"deny:42\" @1767224898000 -> 5925463210987654/-/m_postback",
        "quick-reply: m_quick button direct:5925463210987654 from 5925463210987654 to us \"approve:42\" @1767224897000 -> 5925463210987654/-/m_quick",
        "reaction: nothing",
        "read: nothing",
        "reply: m_reply direct:5925463210987654 from 5925463210987654 to us \"and tomorrow?\" @1767224890000 -> 5925463210987654/-/m_reply",
        "shared-link: m_link direct:5925463210987654 from 5925463210987654 to us \"see\\nAn article: https://example.org/article\" @1767224896000 -> 5925463210987654/-/m_link",
        "standby: nothing",
        "sticker: m_sticker direct:5925463210987654 from 5925463210987654 to us \"\" +https://scontent.xx.fbcdn.net/v/t1.15752-9/39178562_n.png?_nc=1[39178562_n.png] @1767224892000 -> 5925463210987654/-/m_sticker",
        "text: m_AG5Hz2Uq7tuwNEhXfYYKj8mJEM_QPpz5jdHK48PWKAjSl direct:5925463210987654 from 5925463210987654 to us \"héllo 😀 https://example.org/a\" @1767224889000 -> 5925463210987654/-/m_AG5Hz2Uq7tuwNEhXfYYKj8mJEM_QPpz5jdHK48PWKAjSl",
        "voice: m_voice direct:5925463210987654 from 5925463210987654 to us \"\" +https://cdn.fbsbx.com/v/t59.3654-21/audioclip-17.mp4?oh=1[audioclip-17.mp4] @1767224893000 -> 5925463210987654/-/m_voice",
    ];
    assert_eq!(subject().told(), told.join("\n"));
}

/// The same button pressed again in a later second, another at the same moment, and the same event told twice.
#[test]
fn w12_what_has_no_id_is_named_by_all_that_is_in_it() {
    let channel = subject().open("http://127.0.0.1:9");
    let key = |payload: &str, at: u64, from: &str| {
        let text = String::from_utf8(subject().sample("postback-unnamed").body.to_vec()).unwrap();
        let body = text.replace("\"start\"", &format!("\"{payload}\"")).replace("1767224899000", &at.to_string());
        let body = body.replace("5925463210987654", from);
        let verified = channel.verify(subject().signed(body.as_bytes(), ARRIVAL)).unwrap();
        channel.parse(&verified).unwrap().messages[0].event_key()
    };
    let all = [("start", 1, "7"), ("stop", 1, "7"), ("start", 2, "7"), ("start", 1, "8")];
    let keys: std::collections::BTreeSet<_> = all.iter().map(|(payload, at, from)| key(payload, *at, from)).collect();
    assert_eq!(keys.len(), all.len());
    assert_eq!(key("start", 1, "7"), key("start", 1, "7"));
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
