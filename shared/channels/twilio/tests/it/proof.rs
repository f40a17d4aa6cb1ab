//! Signatures that Twilio published, and what they cover.

use std::collections::BTreeMap;
use std::sync::Arc;

use chela_channel_kit::AccountSettings;
use chela_channel_twilio::DESCRIPTOR;
use chela_core::channel::{Ack, Channel, Delivery, RawRequest, Rejected};
use chela_core::secret::Secret;
use chela_http::{HttpClient, HttpOptions};
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::channel::{ARRIVAL, request};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use crate::subject::{ACCOUNT_SID, subject, twiml};

/// An account at this URL.
fn at(url: &str, secrets: &[(&str, &str)]) -> Arc<dyn Channel> {
    let options = json!({ "accountSid": ACCOUNT_SID, "webhookUrl": url });
    let http = HttpClient::new(HttpOptions { allow_hosts: vec![], user_agent: "chela".to_owned(), extra_roots: None });
    let secrets: BTreeMap<String, Secret> =
        secrets.iter().map(|(key, value)| ((*key).to_owned(), Secret::new(*value))).collect();
    let settings = AccountSettings {
        account: "main".to_owned(),
        options: options.as_object().unwrap().clone(),
        secrets,
        http: http.unwrap(),
        clock: Arc::new(ManualClock::at(ARRIVAL)),
    };
    DESCRIPTOR.open(&settings).unwrap()
}

fn posted(query: &str, body: &str, signature: &str) -> RawRequest {
    let headers = [(HeaderName::from_static("x-twilio-signature"), HeaderValue::from_str(signature).unwrap())];
    RawRequest { query: query.to_owned(), ..request(HeaderMap::from_iter(headers), body.as_bytes()) }
}

fn with_settings(request: RawRequest, settings: &str) -> RawRequest {
    let mut request = request;
    request.headers.insert("x-twilio-webhooks-signature-settings", HeaderValue::from_str(settings).unwrap());
    request
}

const TOKEN: &[(&str, &str)] = &[("authToken", "12345")];

const SID: &str = "SM00000000000000000000000000000001";

const QUERY: &str = "foo=1&bar=2";

const CALL: &str = "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309";

#[test]
fn published_signatures_are_genuine() {
    let app = "https://mycompany.com/myapp.php";
    let json = r#"{"property": "value", "boolean": true}"#;
    let digest = "foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    let docs = "CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234&From=%2B12349013030&To=%2B18005551212";
    let sms = "From=%2B15550000001&To=%2B15550000002&Body=hello&MessageSid=SM123&NumMedia=0";
    for (url, query, body, signature) in [
        (app, QUERY, CALL, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        // Signed with a port, while we were told none; and the other way round.
        (app, QUERY, CALL, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        ("https://mycompany.com:443/myapp.php", QUERY, CALL, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("https://mycompany.com:443/myapp.php", QUERY, CALL, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        ("http://mycompany.com/myapp.php", QUERY, CALL, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        ("http://mycompany.com:1234/myapp.php", QUERY, CALL, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        // What stands in the configured URL beside the place is not signed; the request's own query is.
        ("https://mycompany.com/myapp.php?foo=1&bar=2#rc=2", QUERY, CALL, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (app, digest, json, "a9nBmqA0ju/hNViExpshrM61xv4="),
        ("https://mycompany.com/myapp", "", docs, "3KI2uRuYyAdhZIJXcpU0izDUzWI="),
        ("https://example.com/twilio", "", sms, "TqpEHHptIeDj2ojaGgjQNhKaPQQ="),
    ] {
        let channel = at(url, TOKEN);
        let verdict = channel.verify(posted(query, body, signature)).map(|_| ());
        assert_eq!(verdict, Ok(()), "{url} {signature}");
        for (what, other) in [
            (
                "another body",
                posted(query, &body.replace('C', "D").replace("true", "null").replace('S', "T"), signature),
            ),
            ("another query", posted(&format!("{query}&x=1"), body, signature)),
            ("one more parameter", posted(query, &format!("{body}&x=1"), signature)),
            ("another path", RawRequest { path: "x".to_owned(), ..posted(query, body, signature) }),
        ] {
            assert!(channel.verify(other).is_err(), "{url} {signature}: {what}");
        }
        let other = at(&url.replace("com", "org"), TOKEN);
        assert!(other.verify(posted(query, body, signature)).is_err(), "{url} {signature}: another host");
        let other = at(url, &[("authToken", "12346")]);
        assert!(other.verify(posted(query, body, signature)).is_err(), "{url} {signature}: another token");
    }
}

/// Twilio's calls and messages are signed alike. (Telnyx is no channel here.)
#[test]
fn w05_without_a_token_no_account_opens_and_no_unsigned_call_comes_in() {
    let http =
        || HttpClient::new(HttpOptions { allow_hosts: vec![], user_agent: "chela".to_owned(), extra_roots: None });
    let open = |secrets: &[(&str, &str)]| {
        let secrets = secrets.iter().map(|(key, value)| ((*key).to_owned(), Secret::new(*value))).collect();
        let options = json!({ "accountSid": ACCOUNT_SID, "webhookUrl": "https://mycompany.com/myapp.php" });
        let settings = AccountSettings {
            account: "main".to_owned(),
            options: options.as_object().unwrap().clone(),
            secrets,
            http: http().unwrap(),
            clock: Arc::new(ManualClock::at(ARRIVAL)),
        };
        DESCRIPTOR.open(&settings).map(|_| ()).map_err(|error| error.to_string())
    };
    for missing in [&[][..], &[("authToken", "")], &[("authToken", " \n")], &[("sharedKey", "12345")]] {
        let told = open(missing).unwrap_err();
        assert!(told.contains("authToken") && told.contains("TWILIO_AUTH_TOKEN"), "{told}");
    }
    let channel = at("https://mycompany.com/myapp.php", TOKEN);
    let unsigned = |request: RawRequest| matches!(channel.verify(request), Err(Rejected::Unproven(_)));
    assert!(unsigned(RawRequest { query: QUERY.to_owned(), ..request(HeaderMap::new(), CALL.as_bytes()) }));
    for signature in ["", "AA==", "null", "0000000000000000000000000000"] {
        assert!(unsigned(posted(QUERY, CALL, signature)), "{signature}");
    }
    // As one would sign who guesses that a token that is not there is empty.
    let empty = signed_with(b"", &format!("https://mycompany.com/myapp.php?{QUERY}"), CALL);
    assert!(unsigned(posted(QUERY, CALL, &empty)));
    assert!(channel.verify(posted(QUERY, CALL, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")).is_ok(), "the control");
}

/// A replay keeps its signature and its event however its parameters are ordered; a parameter more has no signature.
#[test]
fn a_replay_is_the_same_event_and_nothing_can_be_added_to_it() {
    let channel = subject().open("http://127.0.0.1:9");
    let form =
        "AccountSid=AC1&MessageSid=SM00000000000000000000000000000009&From=%2B15550000001&To=%2B2&Body=hi&NumMedia=0";
    let (ordered, turned) = (form.to_owned(), form.split('&').rev().collect::<Vec<_>>().join("&"));
    let key = |body: &str| {
        let verified = channel.verify(posted("", body, &signature("", form))).unwrap();
        channel.parse(&verified).unwrap().messages[0].event_key()
    };
    assert_eq!(key(&ordered), key(&turned));
    assert!(channel.verify(posted("x=1", form, &signature("", form))).is_err());
    assert!(channel.verify(posted("", &format!("{form}&x=1"), &signature("", form))).is_err());
}

#[test]
fn the_requests_own_host_is_not_believed() {
    let channel = at("https://mycompany.com/other.php", TOKEN);
    let mut request = posted(QUERY, CALL, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    for header in ["host", "x-forwarded-host", "x-original-host"] {
        request.headers.insert(header, HeaderValue::from_static("mycompany.com"));
    }
    assert!(channel.verify(request).is_err());
}

#[test]
fn a_shared_key_signs_with_its_own_secret_and_algorithm() {
    let url = "https://mycompany.com/myapp.php";
    let sha256 = "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s=";
    let sha1 = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
    let shared = at(url, &[("authToken", "another"), ("sharedKey", "12345")]);
    let named = |settings: &str, signature: &str| with_settings(posted(QUERY, CALL, signature), settings);
    assert!(shared.verify(named("key=k1,algorithm=HMAC_SHA256", sha256)).is_ok());
    assert!(shared.verify(named("key=k1, algorithm=hmac_sha1", sha1)).is_ok());
    for (settings, signature) in [
        ("key=k1,algorithm=HMAC_SHA256", sha1),
        ("key=k1,algorithm=HMAC_SHA1", sha256),
        ("key=k1,algorithm=HMAC_MD5", sha1),
        ("key=k1,algorithm=none", sha1),
        ("algorithm=HMAC_SHA256,algorithm=HMAC_SHA1", sha1),
        // Without an algorithm the auth token signs.
        ("key=k1", sha1),
        ("", sha1),
    ] {
        assert!(shared.verify(named(settings, signature)).is_err(), "{settings}");
    }
    assert!(shared.verify(posted(QUERY, CALL, sha256)).is_err(), "without settings it is SHA-1 by the auth token");
    let bare = at(url, TOKEN);
    assert!(bare.verify(named("key=k1,algorithm=HMAC_SHA256", sha256)).is_err(), "the auth token is no SharedKey");
    assert!(bare.verify(named("key=k1", sha1)).is_ok());
    let mut twice = named("key=k1", sha1);
    twice.headers.append("x-twilio-webhooks-signature-settings", HeaderValue::from_static("key=k1"));
    assert!(bare.verify(twice).is_err());
}

#[test]
fn a_json_body_has_the_digest_that_the_url_names() {
    let channel = at("https://mycompany.com/myapp.php", TOKEN);
    let digest = "foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    let signed = |body: &str| channel.verify(posted(digest, body, "a9nBmqA0ju/hNViExpshrM61xv4="));
    let verified = signed(r#"{"property": "value", "boolean": true}"#).unwrap();
    assert_eq!(channel.parse(&verified).unwrap().ack, twiml());
    assert_eq!(channel.parse(&verified).unwrap().messages, []);
    for other in ["", r#"{"property": "value", "boolean": false}"#, "AccountSid=AC1&MessageSid=SM1&From=1&To=2&Body=x"]
    {
        assert!(matches!(signed(other), Err(Rejected::Unproven(_))), "{other}");
    }
}

#[test]
fn during_a_rotation_both_tokens_hold() {
    let channel = at("https://mycompany.com/myapp.php", &[("authToken", "new 12345")]);
    assert!(channel.verify(posted(QUERY, CALL, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")).is_ok());
}

/// Twilio's signature of a form without parameters that stand twice, by the account of the simulator.
fn signature(query: &str, form: &str) -> String {
    let mark = if query.is_empty() { "" } else { "?" };
    let token = subject().simulator.test_secrets()["authToken"].expose().to_owned();
    signed_with(token.as_bytes(), &format!("https://example.org/webhook/twilio{mark}{query}"), form)
}

fn signed_with(token: &[u8], url: &str, form: &str) -> String {
    use base64::Engine as _;
    use hmac::{KeyInit as _, Mac as _};
    let mut parameters: Vec<_> = url::form_urlencoded::parse(form.as_bytes()).collect();
    parameters.sort();
    let mut text = url.to_owned();
    parameters.iter().for_each(|(name, value)| text.extend([&**name, &**value]));
    let mut mac = hmac::Hmac::<sha1::Sha1>::new_from_slice(token).unwrap();
    mac.update(text.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

fn status(status: &str, error: &str, query: &str) -> (Vec<Delivery>, Ack) {
    let channel = subject().open("http://127.0.0.1:9");
    let body = format!("AccountSid=AC1&MessageSid=SM9&MessageStatus={status}&From=%2B1&To=%2B2{error}");
    let parsed = channel.parse(&channel.verify(posted(query, &body, &signature(query, &body))).unwrap()).unwrap();
    assert_eq!(parsed.messages, []);
    (parsed.deliveries, parsed.ack)
}

#[test]
fn what_became_of_a_part_is_told() {
    let key = "0123456789abcdef";
    let told = |failed: Option<&str>| {
        let failed = failed.map(str::to_owned);
        (vec![Delivery { idempotency_key: key.to_owned(), failed }], twiml())
    };
    let query = format!("part={key}");
    assert_eq!(status("delivered", "", &query), told(None));
    assert_eq!(status("read", "", &query), told(None));
    let off = "undelivered error 30003 (the phone is off or out of reach)";
    assert_eq!(status("undelivered", "&ErrorCode=30003", &query), told(Some(off)));
    let words = "&ErrorCode=99999&ChannelStatusMessage=Odd";
    assert_eq!(status("failed", words, &query), told(Some("failed error 99999: Odd")));
    assert_eq!(status("failed", "", &query), told(Some("failed")));
    for on_its_way in ["queued", "sending", "sent", "accepted", "scheduled"] {
        assert_eq!(status(on_its_way, "", &query), (vec![], twiml()), "{on_its_way}");
    }
    assert_eq!(status("delivered", "", ""), (vec![], twiml()), "of a message that is not ours");
}

#[test]
fn a_parameter_that_says_two_things_is_refused() {
    let subject = subject();
    let channel = subject.open("http://127.0.0.1:9");
    let read = |body: &str| channel.parse(&channel.verify(subject.signed(body.as_bytes(), ARRIVAL)).unwrap());
    let message =
        "AccountSid=AC1&MessageSid=SM00000000000000000000000000000001&From=%2B15550000001&To=%2B2&Body=hi&NumMedia=0";
    assert_eq!(read(message).unwrap().messages.len(), 1);
    assert!(matches!(read(&format!("{message}&From=%2B9")), Err(Rejected::Malformed(_))));
    assert!(matches!(read(&message.replace("AccountSid=AC1&", "")), Err(Rejected::Malformed(_))));
}

#[test]
fn more_files_than_there_can_be_are_not_looked_for() {
    let channel = subject().open("http://127.0.0.1:9");
    let files: String = (0..12).map(|at| format!("&MediaUrl{at}=https://api.twilio.com/{at}")).collect();
    let body = format!("AccountSid=AC1&MessageSid={SID}&From=%2B15550000001&To=2&NumMedia=18446744073709551615{files}");
    let parsed = channel.parse(&channel.verify(posted("", &body, &signature("", &body))).unwrap()).unwrap();
    assert_eq!(parsed.messages[0].media.len(), 10);
}

#[test]
fn only_a_word_alone_is_twilios_to_answer() {
    let subject = subject();
    let channel = subject.open("http://127.0.0.1:9");
    let heard = |from: &str, text: &str, more: &str| {
        let mut form = url::form_urlencoded::Serializer::new(format!("AccountSid=AC1&MessageSid={SID}&To=%2B2{more}"));
        let body = form.extend_pairs([("From", from), ("Body", text)]).finish();
        let verified = channel.verify(subject.signed(body.as_bytes(), ARRIVAL)).unwrap();
        channel.parse(&verified).unwrap().messages.len() == 1
    };
    for word in ["stop", "STOPALL", " Unsubscribe ", "help\n", "Info", "START", "quit"] {
        assert!(!heard("+15550000001", word, ""), "{word}");
        assert!(
            heard("whatsapp:+15550000001", word, ""),
            "{word} on WhatsApp, where Twilio answers by Advanced Opt-Out only"
        );
    }
    for words in ["stop it", "please help", "yes", "/stop", "stopp"] {
        assert!(heard("+15550000001", words, ""), "{words}");
    }
    assert!(!heard("whatsapp:+15550000001", "arrêt", "&OptOutType=STOP"));
}
