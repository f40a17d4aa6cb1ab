//! The laws of channels, and what the samples say.

use chela_testkit::laws::channel::{ARRIVAL, ChannelUnderTest};
use proptest::prelude::*;

use crate::subject::subject;

async fn plivo() -> ChannelUnderTest {
    subject()
}

chela_testkit::channel_laws!(plivo);

#[test]
fn samples_say_what_people_meant() {
    let told = [
        "call: nothing",
        "empty: nothing",
        "help: nothing",
        "mms-two: f92f17c7a8f665e7745afcc23f81f2401276ec96a4b872fe38006d4e2cdb2f8d direct:+15550000001 from +15550000001 to us \"\" +https://media.plivo.com/Account/MA0123456789ABCDEFGH/Media/801c2056-33ab-499c-80ef-58b574a462a3[] +https://media.plivo.com/Account/MA0123456789ABCDEFGH/Media/801c2056-33ab-499c-80ef-58b574a462a4[] @1767225600000 -> +15550000001/+15550000002/5b40a428-bfc7-4daf-9d06-726c558bf303",
        "mms: ef8a2a494e906469ce8a9f5e5ec4245789723262bb9294c2e0c8edff7987411f direct:+15550000001 from +15550000001 to us \"look\" +https://media.plivo.com/Account/MA0123456789ABCDEFGH/Media/801c2056-33ab-499c-80ef-58b574a462a2[] @1767225600000 -> +15550000001/+15550000002/5b40a428-bfc7-4daf-9d06-726c558bf302",
        "named: nothing",
        "powerpack: f26e552b525e32f7edcea6f2a3e101ce4f60c5bd41dc4e5c81180be971de3e89 direct:+15550000001 from +15550000001 to us \"to the Powerpack\" @1767225600000 -> +15550000001/+15550000002/5b40a428-bfc7-4daf-9d06-726c558bf304",
        "short-code: 6febf3dbe4093e802155a46455ff9c570f461987ce42c5444992b4a2dc0f93af direct:+15550000001 from +15550000001 to us \"to the short code\" @1767225600000 -> +15550000001/55500/5b40a428-bfc7-4daf-9d06-726c558bf305",
        "status-sent: nothing",
        "status-undelivered: nothing",
        "stop: nothing",
        "text: a9213f09e7441286c866cbab0a1bd89d5e6b9802bc75efd512739c4040a2838a direct:+15550000001 from +15550000001 to us \"hello & good morning: 100% 👋\" @1767225600000 -> +15550000001/+15550000002/5b40a428-bfc7-4daf-9d06-726c558bf301",
        "whatsapp: nothing",
        "yes: fa4665f6166e655f64a3a039ba56278fd7e20456e309c0a480773950f2f5f4bf direct:+15550000001 from +15550000001 to us \"YES\" @1767225600000 -> +15550000001/+15550000002/5b40a428-bfc7-4daf-9d06-726c558bf306",
    ];
    assert_eq!(subject().told(), told.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever parameters there are, and whatever they say.
    #[test]
    fn no_form_panics(
        parameters in prop::collection::vec((
            prop::sample::select(vec![
                "MessageUUID", "From", "To", "Text", "Body", "Type", "Media0", "Status", "MessageIntent", "\u{e9}",
            ]),
            ".{0,12}",
        ), 0..12),
        query in "[ -~]{0,20}",
    ) {
        let mut form = url::form_urlencoded::Serializer::new("Units=1".to_owned());
        form.extend_pairs(parameters);
        let subject = subject();
        let channel = subject.open("http://127.0.0.1:9");
        let request = subject.signed(form.finish().as_bytes(), ARRIVAL);
        let verified = channel.verify(request.clone()).unwrap();
        let _ = channel.parse(&verified); // Any answer will do.
        let says_nothing = query.bytes().all(|byte| byte == b'&');
        let other = chela_core::channel::RawRequest { query, ..request };
        prop_assert_eq!(channel.verify(other).is_ok(), says_nothing);
    }
}
