//! The calls of Twilio's API, word for word.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chela_core::channel::{Channel, OutboundFile, Registration, SendError, Unconfirmed};
use chela_core::message::{Media, ReplyAddress};
use chela_core::secret::Secret;
use chela_testkit::laws::channel::platform::{Answer, Platform, Seen};
use chela_testkit::laws::channel::{ARRIVAL, ChannelUnderTest, MENU, part};
use serde_json::{Value, json};

use crate::subject::{ACCOUNT_SID, fields, options, subject};

const WEBHOOK: &str = "https://example.org/webhook/twilio";

const STATUS: &str = "https://example.org/webhook/twilio?part=0123456789abcdef0123456789abcdef";

async fn twilio() -> (Platform, Arc<dyn Channel>) {
    twilio_with(options).await
}

async fn twilio_with(options: fn(&str) -> Value) -> (Platform, Arc<dyn Channel>) {
    let platform = Platform::start(subject().manners).await;
    let channel = ChannelUnderTest { options, ..subject() }.open(platform.url());
    (platform, channel)
}

fn changed(url: &str, changes: Value) -> Value {
    let mut options = options(url);
    for (key, value) in changes.as_object().unwrap() {
        options[key] = value.clone();
    }
    options
}

fn answering(sample: &str) -> ReplyAddress {
    let subject = subject();
    let channel = subject.open("http://127.0.0.1:9");
    let signed = subject.signed(&subject.sample(sample).body, ARRIVAL);
    channel.parse(&channel.verify(signed).unwrap()).unwrap().messages[0].reply_to.clone()
}

fn to(address: &str) -> ReplyAddress {
    ReplyAddress { to: address.to_owned(), thread: None, message: None, ..answering("text") }
}

fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn basic(seen: &Seen) -> String {
    let header = seen.headers["authorization"].to_str().unwrap();
    String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn an_answer_comes_from_the_number_that_was_written_to() {
    let others: fn(&str) -> Value =
        |url| changed(url, json!({ "from": "+15559999999", "whatsappFrom": "whatsapp:+15559999999" }));
    let (platform, channel) = twilio_with(others).await;
    let receipt = channel.send(&part(&answering("text"), "a **b**")).await.unwrap();
    assert_eq!(receipt.message_id, "SM00000000000000000000000000000009");
    channel.send(&part(&answering("whatsapp-text"), "a **b**")).await.unwrap();
    let seen = platform.take();
    assert_eq!(seen[0].path, format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"));
    assert_eq!(seen[0].headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(basic(&seen[0]), format!("{ACCOUNT_SID}:publictesttoken0123456789abcdefg"));
    let sms = [("To", "+15550000001"), ("From", "+15550000002"), ("Body", "a b"), ("StatusCallback", STATUS)];
    assert_eq!(fields(&seen[0]), pairs(&sms));
    let whatsapp = [
        ("To", "whatsapp:+15550000001"),
        ("From", "whatsapp:+14155238886"),
        ("Body", "a *b*"),
        ("StatusCallback", STATUS),
    ];
    assert_eq!(fields(&seen[1]), pairs(&whatsapp));
    assert_eq!(channel.unconfirmed(&answering("text")), Unconfirmed::Flag);
}

#[tokio::test]
async fn what_is_no_answer_comes_from_the_configured_sender() {
    let sender = async |options: fn(&str) -> Value, address: &str| {
        let (platform, channel) = twilio_with(options).await;
        channel.send(&part(&to(address), "hi")).await.map(|_| fields(&platform.take()[0])[1].clone())
    };
    let service: fn(&str) -> Value =
        |url| changed(url, json!({ "messagingServiceSid": "MG0123456789abcdef0123456789abcdef" }));
    let nobody: fn(&str) -> Value = |url| changed(url, json!({ "from": null, "whatsappFrom": null }));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(sender(options, "+15550000001").await.unwrap(), pair("From", "+15550000002"));
    assert_eq!(
        sender(service, "+15550000001").await.unwrap(),
        pair("MessagingServiceSid", "MG0123456789abcdef0123456789abcdef")
    );
    assert_eq!(sender(service, "whatsapp:+1").await.unwrap(), pair("From", "whatsapp:+14155238886"));
    for address in ["+15550000001", "whatsapp:+1"] {
        assert!(matches!(sender(nobody, address).await, Err(SendError::Refused { .. })), "{address}");
    }
}

#[tokio::test]
async fn status_callbacks_may_be_left_out() {
    let (platform, channel) = twilio_with(|url| changed(url, json!({ "statusCallbacks": false }))).await;
    channel.send(&part(&answering("text"), "hi")).await.unwrap();
    assert!(fields(&platform.take()[0]).iter().all(|(name, _)| name != "StatusCallback"));
}

#[tokio::test]
async fn an_api_key_sends_and_fetches_and_the_account_sets_up() {
    let platform = Platform::start(subject().manners).await;
    let subject = ChannelUnderTest {
        options: |url| changed(url, json!({ "apiKeySid": "SK0123456789abcdef0123456789abcdef" })),
        ..subject()
    };
    let mut secrets = subject.simulator.test_secrets();
    secrets.insert("apiKeySecret".to_owned(), Secret::new("key secret is one line\n".replace(' ', "-")));
    let channel = subject.open_with(platform.url(), secrets);
    channel.send(&part(&answering("text"), "hi")).await.unwrap();
    channel.typing(&answering("whatsapp-text")).await.unwrap();
    channel.health().await.unwrap();
    channel.register(WEBHOOK, MENU).await.unwrap();
    let by: Vec<String> = platform.take().iter().map(basic).collect();
    let (key, owner) = ("SK0123456789abcdef0123456789abcdef:key-secret-is-one-line", "publictesttoken");
    assert!(by[..2].iter().all(|by| by == key) && by[2..].iter().all(|by| by.contains(owner)), "{by:?}");
    assert_eq!(by.len(), 6);
}

#[tokio::test]
async fn an_error_that_quotes_our_header_shows_no_credentials() {
    let (platform, channel) = twilio().await;
    let header = STANDARD.encode(format!("{ACCOUNT_SID}:publictesttoken0123456789abcdefg"));
    platform.next(Answer::json(400, &json!({ "code": 1, "message": format!("odd: Authorization: Basic {header}") })));
    let error = channel.send(&part(&answering("text"), "hi")).await.unwrap_err().to_string();
    assert!(error.contains("odd") && !error.contains(&header), "{error}");
}

#[tokio::test]
async fn a_file_is_sent_by_its_url() {
    let (platform, channel) = twilio().await;
    let url = "https://files.example.org/a.png?sig=1&x=2";
    let file = |url| OutboundFile { name: "a.png", content_type: "image/png", bytes: b"x".as_slice().into(), url };
    channel.attach(&file(Some(url)), &part(&answering("whatsapp-text"), "_see_")).await.unwrap();
    channel.attach(&file(Some(url)), &part(&answering("text"), "")).await.unwrap();
    let seen = platform.take();
    assert_eq!(fields(&seen[0])[2..4], pairs(&[("Body", "_see_"), ("MediaUrl", url)]));
    assert_eq!(fields(&seen[1])[2..3], pairs(&[("MediaUrl", url)]));
    let nowhere = channel.attach(&file(None), &part(&answering("text"), "")).await;
    assert!(matches!(nowhere, Err(SendError::Refused { .. })), "{nowhere:?}");
    assert_eq!(platform.take(), vec![]);
}

#[tokio::test]
async fn typing_is_shown_on_whatsapp_only() {
    let (platform, channel) = twilio().await;
    let whatsapp = answering("whatsapp-text");
    channel.typing(&whatsapp).await.unwrap();
    let seen = platform.take();
    assert_eq!(seen[0].path, "/v2/Indicators/Typing.json");
    assert_eq!(
        fields(&seen[0]),
        pairs(&[("channel", "whatsapp"), ("messageId", whatsapp.message.as_deref().unwrap())])
    );
    assert_eq!(channel.limits(&whatsapp).typing_for, Some(Duration::from_secs(25)));
    assert_eq!(channel.limits(&answering("text")).typing_for, None);
    channel.typing(&answering("text")).await.unwrap();
    channel.typing(&to("whatsapp:+1")).await.unwrap();
    assert_eq!(platform.take(), vec![]);
}

#[tokio::test]
async fn credentials_go_to_twilio_only() {
    let (platform, channel) = twilio().await;
    let fetch = async |url: &str| {
        let media = Media { missing: None, reference: url.to_owned(), content_type: None, name: None, size: None };
        channel.fetch(&media, 100, Duration::from_secs(2)).await
    };
    for foreign in [
        "https://example.org/a",
        "https://api.twilio.com.example.org/a",
        "https://nottwilio.com/a",
        "https://example.org/@api.twilio.com",
        "http://api.twilio.com/a",
        "https://api.twilio.com:8443/a",
        "http://127.0.0.1:1/a",
        "file:///etc/passwd",
        "ME1",
        "",
    ] {
        match fetch(foreign).await {
            Err(SendError::Refused { reason, .. }) => assert!(reason.contains("not on a host"), "{foreign}: {reason}"),
            other => panic!("{foreign}: {other:?}"),
        }
    }
    assert_eq!(platform.take(), vec![]);
    let file = format!("{}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/MM1/Media/ME1", platform.url());
    let store = Platform::start(|_| Answer::text(200, "kept elsewhere")).await;
    let place = format!("{}/ME1?signature=1", store.url());
    platform.next(Answer::text(307, "").header("location", &place));
    // A file lies elsewhere. Whoever keeps it sees no header of ours, and a private address, as here, is not even asked:
    // chela-http follows redirects as if they came from a stranger.
    let kept = fetch(&file).await;
    assert!(matches!(kept, Err(SendError::Refused { .. })), "{kept:?}");
    assert_eq!(basic(&platform.take()[0]), format!("{ACCOUNT_SID}:publictesttoken0123456789abcdefg"));
    assert_eq!(store.take(), vec![]);
}

fn summary(registration: Registration) -> String {
    match registration {
        Registration::Done { summary } => summary,
        other @ Registration::Manual { .. } => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn registering_sets_the_number_that_is_configured() {
    let (platform, channel) = twilio().await;
    let done = summary(channel.register(WEBHOOK, MENU).await.unwrap());
    assert!(done.starts_with(&format!("the number +15550000002 posts to {WEBHOOK}; set the webhook of the WhatsApp")));
    let seen = platform.take();
    let numbers = format!("/2010-04-01/Accounts/{ACCOUNT_SID}/IncomingPhoneNumbers");
    assert_eq!(
        (seen[0].method.as_str(), seen[0].path.clone()),
        ("GET", format!("{numbers}.json?PhoneNumber=%2B15550000002"))
    );
    assert_eq!(seen[1].path, format!("{numbers}/PN0123456789abcdef0123456789abcdef.json"));
    assert_eq!(fields(&seen[1]), pairs(&[("SmsUrl", WEBHOOK), ("SmsMethod", "POST")]));
    let elsewhere = summary(channel.register("https://other.example/webhook/twilio", MENU).await.unwrap());
    assert!(elsewhere.contains("the deployment is at https://other.example/"), "{elsewhere}");
    assert_eq!(fields(&platform.take()[1])[0].1, WEBHOOK, "posts to another URL could not be verified");
    platform.next(Answer::json(401, &json!({ "code": 20003, "message": "Authenticate" })));
    assert!(matches!(channel.register(WEBHOOK, MENU).await, Err(SendError::Refused { .. })));
}

#[tokio::test]
async fn registering_sets_the_messaging_service_and_a_number_by_its_sid() {
    let (platform, channel) = twilio_with(|url| {
        let service = "MG0123456789abcdef0123456789abcdef";
        let number = "PN0123456789abcdef0123456789abcdef";
        changed(
            url,
            json!({ "messagingServiceSid": service, "phoneNumberSid": number, "from": null, "whatsappFrom": null }),
        )
    })
    .await;
    let done = summary(channel.register(WEBHOOK, MENU).await.unwrap());
    assert_eq!(
        done,
        format!(
            "the messaging service MG0123456789abcdef0123456789abcdef posts to {WEBHOOK}; the number +15550000002 posts to {WEBHOOK}"
        )
    );
    let seen = platform.take();
    assert_eq!(seen[0].path, "/v1/Services/MG0123456789abcdef0123456789abcdef");
    let service = [("InboundRequestUrl", WEBHOOK), ("InboundMethod", "POST"), ("UseInboundWebhookOnNumber", "false")];
    assert_eq!(fields(&seen[0]), pairs(&service));
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn without_a_number_the_steps_are_told() {
    for options in [
        (|url| changed(url, json!({ "from": null }))) as fn(&str) -> Value,
        // A name or a short code has no webhook of its own here.
        |url| changed(url, json!({ "from": "CHELA" })),
        // Not the account's own.
        |url| changed(url, json!({ "from": "+15559999999" })),
    ] {
        let (_, channel) = twilio_with(options).await;
        match channel.register(WEBHOOK, MENU).await.unwrap() {
            Registration::Manual { steps } => assert!(steps.iter().any(|step| step.contains(WEBHOOK)), "{steps:?}"),
            Registration::Done { summary } => panic!("{summary}"),
        }
    }
}

#[tokio::test]
async fn a_sid_that_could_lead_elsewhere_is_not_used() {
    let (platform, channel) = twilio().await;
    let number = json!({ "sid": "PN1/../../Keys", "phone_number": "+15550000002" });
    platform.next(Answer::json(200, &json!({ "incoming_phone_numbers": [number] })));
    assert!(matches!(channel.register(WEBHOOK, MENU).await.unwrap(), Registration::Manual { .. }));
    assert_eq!(platform.take().len(), 1);
}

#[tokio::test]
async fn health_tells_the_account_and_where_its_number_posts() {
    let (platform, channel) = twilio().await;
    let health = channel.health().await.unwrap();
    assert_eq!((health.ok, health.summary.as_str()), (true, "Chela: active; +15550000002"));
    let account = |status: &str| Answer::json(200, &json!({ "friendly_name": "Chela", "status": status }));
    platform.next(account("suspended"));
    let suspended = channel.health().await.unwrap();
    assert!(!suspended.ok && suspended.summary.starts_with("Chela: suspended"), "{suspended:?}");
    platform.next(account("active"));
    let number = json!({ "sid": "PN1", "phone_number": "+15550000002", "sms_url": "https://demo.twilio.com/welcome" });
    platform.next(Answer::json(200, &json!({ "incoming_phone_numbers": [number] })));
    let elsewhere = channel.health().await.unwrap();
    assert!(!elsewhere.ok && elsewhere.summary.contains("posts to https://demo.twilio.com/welcome"), "{elsewhere:?}");
}

fn problem(changes: Value, secrets: &[(&str, &str)]) -> String {
    use chela_channel_kit::AccountSettings;
    use chela_http::{HttpClient, HttpOptions};
    let http = HttpClient::new(HttpOptions { allow_hosts: vec![], user_agent: "chela".to_owned(), extra_roots: None });
    let mut all = subject().simulator.test_secrets();
    all.extend(secrets.iter().map(|(key, value)| ((*key).to_owned(), Secret::new(*value))));
    let settings = AccountSettings {
        account: "main".to_owned(),
        options: changed("http://127.0.0.1:9", changes).as_object().unwrap().clone(),
        secrets: all,
        http: http.unwrap(),
        clock: Arc::new(chela_testkit::clock::ManualClock::at(ARRIVAL)),
    };
    chela_channel_twilio::DESCRIPTOR.open(&settings).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn an_account_that_cannot_work_is_not_opened() {
    for (changes, word) in [
        (json!({ "webhookUrl": null }), "\"webhookUrl\" cannot be used: it is missing"),
        (json!({ "webhookUrl": "example.org" }), "\"webhookUrl\" cannot be used: it is not a URL"),
        (json!({ "accountSid": null }), "\"accountSid\" cannot be used: it is missing"),
        (json!({ "accountSid": "AC1/../x" }), "\"accountSid\" cannot be used: it is no SID that begins with AC"),
        (json!({ "accountSid": "SK1" }), "it is no SID that begins with AC"),
        (json!({ "phoneNumberSid": "+1" }), "it is no SID that begins with PN"),
        (json!({ "whatsappFrom": "+14155238886" }), "it does not begin with whatsapp:"),
        (json!({ "statusCallbacks": "no" }), "\"statusCallbacks\" cannot be used"),
        (json!({ "apiKeySid": "SK1" }), "the secret \"apiKeySecret\" is missing"),
    ] {
        let told = problem(changes.clone(), &[]);
        assert!(told.contains(word), "{changes}: {told}");
    }
    let told = problem(json!({}), &[("apiKeySecret", "hunter2")]);
    assert!(told.contains("\"apiKeySid\" cannot be used: it is missing") && !told.contains("hunter2"), "{told}");
}
