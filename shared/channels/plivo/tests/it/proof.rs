//! What a signature covers, and what it leaves open.

use std::collections::BTreeMap;
use std::sync::Arc;

use chela_channel_kit::AccountSettings;
use chela_channel_plivo::DESCRIPTOR;
use chela_core::channel::{Ack, Channel, Delivery, Parsed, RawRequest, Rejected};
use chela_core::secret::Secret;
use chela_http::{HttpClient, HttpOptions};
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::channel::{ARRIVAL, request};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use crate::oracle::{SIGNED_V2, sign};
use crate::subject::{AUTH_ID, WEBHOOK, subject, xml};

const NONCE: &str = "05429567804466091622";

/// An account at this URL.
fn at(url: &str, token: &str) -> Arc<dyn Channel> {
    let options = json!({ "authId": AUTH_ID, "webhookUrl": url });
    let http = HttpClient::new(HttpOptions { allow_hosts: vec![], user_agent: "chela".to_owned(), extra_roots: None });
    let settings = AccountSettings {
        account: "main".to_owned(),
        options: options.as_object().unwrap().clone(),
        secrets: BTreeMap::from([("authToken".to_owned(), Secret::new(token))]),
        http: http.unwrap(),
        clock: Arc::new(ManualClock::at(ARRIVAL)),
    };
    DESCRIPTOR.open(&settings).unwrap()
}

fn posted(query: &str, body: &str, headers: &[(&str, &str)]) -> RawRequest {
    let headers = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap()));
    RawRequest { query: query.to_owned(), ..request(HeaderMap::from_iter(headers), body.as_bytes()) }
}

fn v3(query: &str, body: &str, signature: &str) -> RawRequest {
    posted(query, body, &[("x-plivo-signature-v3", signature), ("x-plivo-signature-v3-nonce", NONCE)])
}

fn token() -> String {
    subject().simulator.test_secrets()["authToken"].expose().to_owned()
}

/// The SDK's signature by the simulator's account.
fn signature(query: &str, body: &str) -> String {
    let mark = if query.is_empty() { "" } else { "?" };
    sign(&format!("{WEBHOOK}{mark}{query}"), body, NONCE, &token())
}

const SMS: &str =
    "From=15550000001&To=15550000002&Text=hi&Type=sms&MessageUUID=5b40a428-bfc7-4daf-9d06-726c558bf3ff&Units=1";

fn read(query: &str, body: &str, signature: &str) -> Result<Parsed, Rejected> {
    let channel = subject().open("http://127.0.0.1:9");
    channel.parse(&channel.verify(v3(query, body, signature))?)
}

/// Who sent it, and which event it is.
fn said(query: &str, body: &str, signature: &str) -> Result<Option<(String, String)>, Rejected> {
    let parsed = read(query, body, signature)?;
    Ok(parsed.messages.first().map(|said| (said.sender.id.clone(), said.event_key().as_str().to_owned())))
}

fn unproven(verdict: Result<Parsed, Rejected>) -> bool {
    matches!(verdict, Err(Rejected::Unproven(_)))
}

/// A replay keeps its signature and its event however its parameters are ordered, in the query and in the body.
#[test]
fn w08_a_replay_with_its_parameters_in_another_order_is_the_same_event() {
    let turned = |text: &str| text.split('&').rev().collect::<Vec<_>>().join("&");
    for query in ["", "b=2&a=1&a=0"] {
        let signature = signature(query, SMS);
        let first = said(query, SMS, &signature).unwrap().unwrap();
        for (query, body) in
            [(turned(query), SMS.to_owned()), (query.to_owned(), turned(SMS)), (turned(query), turned(SMS))]
        {
            assert_eq!(said(&query, &body, &signature), Ok(Some(first.clone())), "{query} {body}");
        }
        // Escaped otherwise, and with the other header: still the same.
        let escaped = SMS.replace("hi", "%68%69").replace("From", "%46rom");
        assert_eq!(said(query, &escaped, &signature), Ok(Some(first)), "{escaped}");
        // The control: other words are another event.
        let other = SMS.replace("hi", "ho");
        assert!(unproven(read(query, &other, &signature)));
    }
    let first = said("", SMS, &signature("", SMS)).unwrap();
    let other = SMS.replace("hi", "ho");
    assert_ne!(said("", &other, &signature("", &other)).unwrap(), first);
}

/// V2 signs scheme, host, path and nonce: whatever is posted there with them would be genuine. It opens no door here, and
/// to V3 nothing can be added.
#[test]
fn w09_v2_proves_nothing_and_to_v3_nothing_can_be_added() {
    let channel = subject().open("http://127.0.0.1:9");
    let v2 = crate::oracle::sign_v2(WEBHOOK, NONCE, &token());
    assert_eq!(v2, crate::oracle::sign_v2(&format!("{WEBHOOK}?x=1"), NONCE, &token()), "the query is not signed");
    let headers = |more: &[(&'static str, &str)]| {
        let mut all = SIGNED_V2.map(|name| (name, v2.clone())).to_vec();
        all.push(("x-plivo-signature-v2-nonce", NONCE.to_owned()));
        all.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        all
    };
    for query in ["", "x=1", "&x=1"] {
        let all = headers(&[]);
        let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert!(matches!(channel.verify(posted(query, SMS, &all)), Err(Rejected::Unproven(_))), "{query}");
        // Nor under the name of the better one.
        let all = headers(&[("x-plivo-signature-v3", &v2), ("x-plivo-signature-v3-nonce", NONCE)]);
        let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert!(matches!(channel.verify(posted(query, SMS, &all)), Err(Rejected::Unproven(_))), "{query}");
    }
    let signature = signature("", SMS);
    assert!(said("", SMS, &signature).unwrap().is_some(), "the control");
    for (query, body) in [("x=1", SMS.to_owned()), ("", format!("{SMS}&x=1")), ("", format!("{SMS}&Text=ho"))] {
        assert!(unproven(read(query, &body, &signature)), "{query} {body}");
    }
}

/// The signature does not say where a name ends and its value begins. Cut otherwise, what somebody wrote could become the
/// sender: each of these is genuine to Plivo's own SDK, too.
#[test]
fn w08_a_replay_that_is_cut_otherwise_has_no_other_sender() {
    let uuid = "MessageUUID=5b40a428-bfc7-4daf-9d06-726c558bf3ff";
    let sms = |text: &str| format!("From=15550000001&{uuid}&Text={text}&To=15550000002&Type=sms&Units=1");
    let mms = |text: &str| {
        format!(
            "Body={text}&From=15550000001&Media0=https://media.plivo.com/x&{uuid}&To=15550000002&TotalRate=0.01&Type=mms&Units=1"
        )
    };
    let forged = "From19990000009MessageUUIDother";
    let attacks = [
        // The first sender becomes a part of another parameter.
        (
            sms(&format!("x{forged}Texty")),
            "",
            format!(
                "Fro=m15550000001{}Textx&From=19990000009&MessageUUID=other&Text=y&To=15550000002&Type=sms&Units=1",
                uuid.replace('=', "")
            ),
        ),
        // The words swallow it.
        (
            mms(&format!("x{forged}Texty")),
            "",
            format!(
                "Body=x&From=19990000009&MessageUUID=other&Text=yFrom15550000001Media0https://media.plivo.com/x{}&To=15550000002&TotalRate=0.01&Type=mms&Units=1",
                uuid.replace('=', "")
            ),
        ),
        (
            mms(&format!("x{forged}Texty")),
            "",
            format!(
                "Body=x&From=19990000009&MessageUUID=other&Text=yFrom15550000001Media0https://media.plivo.com/x{}&To=15550000002&TotalRate=0.01Typemms&Units=1",
                uuid.replace('=', "")
            ),
        ),
        // It is torn in two.
        (
            mms("xFrom19990000009MessageUUIDotherTo15550000002TypemmsUnits1"),
            "",
            format!(
                "Body=x&From=19990000009&MessageUUID=other&To=15550000002&Type=mms&Units=1Fr&om15550000001Media0https://media.plivo.com/x{}To15550000002TotalRate0.01TypemmsUnits1=",
                uuid.replace('=', "")
            ),
        ),
        // It becomes a query.
        (
            sms("a%3Db.From19990000009MessageUUIDotherTexty"),
            "From15550000001MessageUUID5b40a428-bfc7-4daf-9d06-726c558bf3ffTexta=b",
            "From=19990000009&MessageUUID=other&Text=y&To=15550000002&Type=sms&Units=1".to_owned(),
        ),
    ];
    for (genuine, query, cut) in attacks {
        let signature = signature("", &genuine);
        let first = said("", &genuine, &signature).unwrap().unwrap();
        assert_eq!(first.0, "+15550000001");
        assert_eq!(
            sign(&format!("{WEBHOOK}?{query}"), &cut, NONCE, &token()),
            signature,
            "the SDK takes it for the same"
        );
        match said(query, &cut, &signature) {
            Ok(None) | Err(Rejected::Malformed(_)) => {}
            other => panic!("{cut}: {other:?}"),
        }
    }
    // Words may say what they like; and cut so that the sender stays, it is the same event.
    let talk = sms("whereFrom1aFrom2");
    assert!(said("", &talk, &signature("", &talk)).unwrap().is_some());
    let (one, two) =
        (sms("a"), sms("a").replace("MessageUUID=5b40", "MessageUUID5=b40").replace("&Text", &format!("&{uuid}&Text")));
    assert!(unproven(read("", &two, &signature("", &one))));
    let (one, two) = (sms("a").replace("&Units=1", "&Units=12"), sms("a").replace("&Units=1", "&Units1=2"));
    assert_eq!(said("", &two, &signature("", &one)).unwrap(), said("", &one, &signature("", &one)).unwrap());
}

#[test]
fn a_signature_counts_in_either_header_and_among_others() {
    let channel = subject().open("http://127.0.0.1:9");
    let right = signature("", SMS);
    let wrong = signature("", "a=1");
    let nonce = ("x-plivo-signature-v3-nonce", NONCE);
    let verdict = |headers: &[(&str, &str)]| channel.verify(posted("", SMS, headers)).is_ok();
    let several = format!("{wrong},{right}");
    for headers in [
        &[("x-plivo-signature-v3", right.as_str()), nonce][..],
        &[("x-plivo-signature-ma-v3", &right), nonce],
        // A subaccount's number, and the main account's token; and the other way round.
        &[("x-plivo-signature-v3", &wrong), ("x-plivo-signature-ma-v3", &right), nonce],
        &[("x-plivo-signature-v3", &right), ("x-plivo-signature-ma-v3", &wrong), nonce],
        &[("x-plivo-signature-v3", &several), nonce],
        &[("x-plivo-signature-v3", "not Base64"), ("x-plivo-signature-ma-v3", &right), nonce],
    ] {
        assert!(verdict(headers), "{headers:?}");
    }
    for headers in [
        &[][..],
        &[("x-plivo-signature-v3", right.as_str())],
        &[nonce],
        &[("x-plivo-signature-v3", &wrong), nonce],
        &[("x-plivo-signature-v3", ""), nonce],
        &[("x-plivo-signature-v3", ",,"), nonce],
        &[("x-plivo-signature-v3", &right), ("x-plivo-signature-v3-nonce", "1")],
        &[("x-plivo-signature-v3", &right), ("x-plivo-signature-v2-nonce", NONCE)],
    ] {
        assert!(!verdict(headers), "{headers:?}");
    }
    let mut twice = v3("", SMS, &right);
    twice.headers.append("x-plivo-signature-v3", HeaderValue::from_str(&wrong).unwrap());
    assert!(channel.verify(twice).is_err());
    let mut twice = v3("", SMS, &right);
    twice.headers.append("x-plivo-signature-v3-nonce", HeaderValue::from_static("1"));
    assert!(channel.verify(twice).is_err());
}

#[test]
fn the_requests_own_host_is_not_believed() {
    let right = signature("", SMS);
    assert!(at(WEBHOOK, &token()).verify(v3("", SMS, &right)).is_ok());
    let mut request = v3("", SMS, &right);
    for header in ["host", "x-forwarded-host", "x-original-host"] {
        request.headers.insert(header, HeaderValue::from_static("example.org"));
    }
    for other in
        ["https://example.com/webhook/plivo", "https://example.org/webhook", "http://example.org/webhook/plivo"]
    {
        assert!(at(other, &token()).verify(request.clone()).is_err(), "{other}");
    }
}

#[test]
fn while_the_token_is_changed_both_hold() {
    let right = signature("", SMS);
    let (old, both) = (at(WEBHOOK, "another"), at(WEBHOOK, &format!("another {}", token())));
    assert!(old.verify(v3("", SMS, &right)).is_err());
    assert!(both.verify(v3("", SMS, &right)).is_ok());
}

fn status(status: &str, error: &str, query: &str) -> (Vec<Delivery>, Ack) {
    let body = format!("MessageUUID=u&From=15550000002&To=15550000001&Type=sms&Status={status}{error}");
    let parsed = read(query, &body, &signature(query, &body)).unwrap();
    assert_eq!(parsed.messages, []);
    (parsed.deliveries, parsed.ack)
}

#[test]
fn what_became_of_a_part_is_told() {
    let key = "0123456789abcdef";
    let told = |failed: Option<&str>| {
        let failed = failed.map(str::to_owned);
        (vec![Delivery { idempotency_key: key.to_owned(), failed }], xml())
    };
    let query = format!("part={key}");
    assert_eq!(status("delivered", "&ErrorCode=000", &query), told(None));
    let out = "undelivered error 200 (they opted out by STOP; only they can opt in again, by START)";
    assert_eq!(status("undelivered", "&ErrorCode=200", &query), told(Some(out)));
    assert_eq!(status("failed", "&ErrorCode=999", &query), told(Some("failed error 999")));
    assert_eq!(status("rejected", "", &query), told(Some("rejected")));
    for on_its_way in ["queued", "sent"] {
        assert_eq!(status(on_its_way, "", &query), (vec![], xml()), "{on_its_way}");
    }
    assert_eq!(status("delivered", "", ""), (vec![], xml()), "of a message that is not ours");
}

#[test]
fn a_parameter_that_stands_twice_is_refused() {
    for name in ["From", "To", "Text", "MessageUUID", "Type"] {
        let body = format!("{SMS}&{name}=15550000001");
        assert!(matches!(read("", &body, &signature("", &body)), Err(Rejected::Malformed(_))), "{name}");
    }
}

#[test]
fn numbers_have_a_plus_and_short_codes_none() {
    let from = |from: &str| {
        let body = SMS.replace("From=15550000001", &format!("From={from}"));
        said("", &body, &signature("", &body)).unwrap().map(|(sender, _)| sender)
    };
    assert_eq!(from("15550000001").as_deref(), Some("+15550000001"));
    assert_eq!(from("%2B15550000001").as_deref(), Some("+15550000001"));
    assert_eq!(from("55500").as_deref(), Some("55500"));
    for nobody in ["", "NOTICE", "1555x", "%2B", "1 555"] {
        assert_eq!(from(nobody), None, "{nobody}");
    }
}
