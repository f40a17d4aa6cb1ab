//! The laws of channels, and what the samples say.

use chela_testkit::laws::channel::{ARRIVAL, ChannelUnderTest};
use proptest::prelude::*;

use crate::subject::subject;

async fn whatsapp() -> ChannelUnderTest {
    subject()
}

chela_testkit::channel_laws!(whatsapp);

#[test]
fn samples_say_what_people_meant() {
    let told = [
        "batch: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0029 direct:US.13491208655302741918 from US.13491208655302741918 (Ada Lovelace) to us \"one\" @1767224917000 -> 16505551234/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0029",
        "batch: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0030 direct:4915112345678 from 4915112345678 (Konrad) to us \"two\" @1767224918000 -> 4915112345678/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0030",
        "batch: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0032 direct:US.13491208655302741918 from US.13491208655302741918 (Ada Lovelace) to us \"three\" @1767224920000 -> 16505551234/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0032",
        "button-reply: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0011 button direct:US.13491208655302741918 from US.13491208655302741918 (Ada Lovelace) to us \"approve:42\" @1767224899000 -> 16505551234/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0011",
        "contacts: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0010 direct:US.13491208655302741918 from US.13491208655302741918 (Ada Lovelace) to us \"Contact: Grace Hopper, +1 555 0100, grace@example.org\" @1767224898000 -> 16505551234/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0010",
        "delivered: nothing",
        "digits-only: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0020 direct:4915112345678 from 4915112345678 (Konrad) to us \"guten Tag\" @1767224908000 -> 4915112345678/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0020",
        "document: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0005 direct:US.13491208655302741918 from US.13491208655302741918 (Ada Lovelace) to us \"\" +1003383421387257[application/pdf a report.pdf] @1767224893000 -> 16505551234/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0005",
        "edited: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0014 edited direct:US.13491208655302741918 from US.13491208655302741918 (Ada Lovelace) to us \"hello again\" @1767224902000 -> 16505551234/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0001",
        "failed: nothing",
        "forwarded: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0003 direct:US.13491208655302741918 from US.13491208655302741918 (Ada Lovelace) to us \"[Forwarded]\\n> read this\" @1767224891000 -> 16505551234/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0003",
        "group-mention: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0022 group:Y2FwaV9ncm91cDoxNTU1MDc4Mzg4MToxMjAz from US.13491208655302741918 (Ada Lovelace) to us \"what is the status?\" @1767224910000 -> group:Y2FwaV9ncm91cDoxNTU1MDc4Mzg4MToxMjAz/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0022",
        "group-reply-to-other: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0024 group:Y2FwaV9ncm91cDoxNTU1MDc4Mzg4MToxMjAz from US.13491208655302741918 (Ada Lovelace) \"thanks, Grace\" @1767224912000 -> group:Y2FwaV9ncm91cDoxNTU1MDc4Mzg4MToxMjAz/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0024",
        "group-reply: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0023 group:Y2FwaV9ncm91cDoxNTU1MDc4Mzg4MToxMjAz from US.13491208655302741918 (Ada Lovelace) to us \"and tomorrow?\" @1767224911000 -> group:Y2FwaV9ncm91cDoxNTU1MDc4Mzg4MToxMjAz/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0023",
        "group-text: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0021 group:Y2FwaV9ncm91cDoxNTU1MDc4Mzg4MToxMjAz from US.13491208655302741918 (Ada Lovelace) \"not for the bot\" @1767224909000 -> group:Y2FwaV9ncm91cDoxNTU1MDc4Mzg4MToxMjAz/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0021",
        "image: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0004 direct:US.13491208655302741918 from US.13491208655302741918 (Ada Lovelace) to us \"look\" +1003383421387256[image/jpeg] @1767224892000 -> 16505551234/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0004",
        "list-reply: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0012 button direct:US.13491208655302741918 from US.13491208655302741918 (Ada Lovelace) to us \"deny:42\" @1767224900000 -> 16505551234/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0012",
        "location: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0009 direct:US.13491208655302741918 from US.13491208655302741918 (Ada Lovelace) to us \"Brandenburg Gate, Pariser Platz: geo:52.5163,13.3777\" @1767224897000 -> 16505551234/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0009",
        "other-number: nothing",
        "phone-echo: nothing",
        "reaction: nothing",
        "reply: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0002 direct:US.13491208655302741918 from US.13491208655302741918 (Ada Lovelace) to us \"and tomorrow?\" @1767224890000 -> 16505551234/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0002",
        "revoked: nothing",
        "sticker: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0008 direct:US.13491208655302741918 from US.13491208655302741918 (Ada Lovelace) to us \"\" +1003383421387260[image/webp] @1767224896000 -> 16505551234/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0008",
        "system: nothing",
        "template-button: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0013 button direct:US.13491208655302741918 from US.13491208655302741918 (Ada Lovelace) to us \"more\" @1767224901000 -> 16505551234/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0013",
        "template-status: nothing",
        "text: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0001 direct:US.13491208655302741918 from US.13491208655302741918 (Ada Lovelace) to us \"héllo 😀 https://example.org/a\" @1767224889000 -> 16505551234/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0001",
        "unsupported: nothing",
        "username: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0019 direct:US.13491208655302741918 from US.13491208655302741918 (Ada Lovelace) to us \"call me ada\" @1767224907000 -> US.13491208655302741918/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0019",
        "video: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0007 direct:US.13491208655302741918 from US.13491208655302741918 (Ada Lovelace) to us \"moving\" +1003383421387259[video/mp4] @1767224895000 -> 16505551234/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0007",
        "voice: wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0006 direct:US.13491208655302741918 from US.13491208655302741918 (Ada Lovelace) to us \"\" +1003383421387258[audio/ogg; codecs=opus] @1767224894000 -> 16505551234/-/wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz0006",
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
