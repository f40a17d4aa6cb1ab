//! The laws of channels, and what the samples say.

use chela_testkit::laws::channel::{ARRIVAL, ChannelUnderTest};
use proptest::prelude::*;

use crate::subject::subject;

async fn twilio() -> ChannelUnderTest {
    subject()
}

chela_testkit::channel_laws!(twilio);

#[test]
fn samples_say_what_people_meant() {
    let told = [
        "call: nothing",
        "empty: nothing",
        "help: nothing",
        "mms-two: MM5e000000000000000000000000000003 direct:+15550000001 from +15550000001 to us \"\" +https://api.twilio.com/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages/MM5e000000000000000000000000000003/Media/ME00000000000000000000000000000ab1[image/png] +https://api.twilio.com/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages/MM5e000000000000000000000000000003/Media/ME00000000000000000000000000000ab2[text/vcard] @1767225600000 -> +15550000001/+15550000002/MM5e000000000000000000000000000003",
        "mms: MM5e000000000000000000000000000002 direct:+15550000001 from +15550000001 to us \"look\" +https://api.twilio.com/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages/MM5e000000000000000000000000000002/Media/ME00000000000000000000000000000ab0[image/jpeg] @1767225600000 -> +15550000001/+15550000002/MM5e000000000000000000000000000002",
        "opted-out: nothing",
        "service: SM5e000000000000000000000000000004 direct:+15550000001 from +15550000001 to us \"to the service\" @1767225600000 -> +15550000001/+15550000002/SM5e000000000000000000000000000004",
        "status-sent: nothing",
        "status-undelivered: nothing",
        "stop: nothing",
        "text: SM5e000000000000000000000000000001 direct:+15550000001 from +15550000001 to us \"hello & good morning: 100% 👋\" @1767225600000 -> +15550000001/+15550000002/SM5e000000000000000000000000000001",
        "whatsapp-audio: MM5e000000000000000000000000000007 direct:whatsapp:+15550000001 from whatsapp:+15550000001 (Ada Lovelace) to us \"\" +https://api.twilio.com/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages/MM5e000000000000000000000000000007/Media/ME00000000000000000000000000000ab3[audio/ogg] @1767225600000 -> whatsapp:+15550000001/whatsapp:+14155238886/MM5e000000000000000000000000000007",
        "whatsapp-button: SM5e000000000000000000000000000008 button direct:whatsapp:+15550000001 from whatsapp:+15550000001 (Ada Lovelace) to us \"approve:42\" @1767225600000 -> whatsapp:+15550000001/whatsapp:+14155238886/SM5e000000000000000000000000000008",
        "whatsapp-list: SM5e000000000000000000000000000009 button direct:whatsapp:+15550000001 from whatsapp:+15550000001 (Ada Lovelace) to us \"day:2\" @1767225600000 -> whatsapp:+15550000001/whatsapp:+14155238886/SM5e000000000000000000000000000009",
        "whatsapp-location: SM5e00000000000000000000000000000a direct:whatsapp:+15550000001 from whatsapp:+15550000001 (Ada Lovelace) to us \"[location: Twilio HQ; 375 Beale St, San Francisco, CA 94105; 37.7879277, -122.3937508]\" @1767225600000 -> whatsapp:+15550000001/whatsapp:+14155238886/SM5e00000000000000000000000000000a",
        "whatsapp-reply: SM5e000000000000000000000000000006 direct:whatsapp:+15550000001 from whatsapp:+15550000001 (Ada Lovelace) to us \"and tomorrow?\" @1767225600000 -> whatsapp:+15550000001/whatsapp:+14155238886/SM5e000000000000000000000000000006",
        "whatsapp-stop: SM5e00000000000000000000000000000b direct:whatsapp:+15550000001 from whatsapp:+15550000001 (Ada Lovelace) to us \"STOP\" @1767225600000 -> whatsapp:+15550000001/whatsapp:+14155238886/SM5e00000000000000000000000000000b",
        "whatsapp-text: SM5e000000000000000000000000000005 direct:whatsapp:+15550000001 from whatsapp:+15550000001 (Ada Lovelace) to us \"hi\" @1767225600000 -> whatsapp:+15550000001/whatsapp:+14155238886/SM5e000000000000000000000000000005",
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
                "MessageSid", "From", "To", "Body", "NumMedia", "MediaUrl0", "MessageStatus", "OptOutType", "Latitude",
                "Longitude", "ButtonPayload", "\u{e9}",
            ]),
            ".{0,12}",
        ), 0..12),
        query in "[ -~]{0,20}",
    ) {
        let mut form = url::form_urlencoded::Serializer::new("AccountSid=AC1".to_owned());
        form.extend_pairs(parameters);
        let subject = subject();
        let channel = subject.open("http://127.0.0.1:9");
        let request = subject.signed(form.finish().as_bytes(), ARRIVAL);
        let verified = channel.verify(request.clone()).unwrap();
        let _ = channel.parse(&verified); // Any answer will do.
        let other = chela_core::channel::RawRequest { query: query.clone(), ..request };
        prop_assert_eq!(channel.verify(other).is_ok(), query.is_empty());
    }
}
