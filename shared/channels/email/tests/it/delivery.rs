//! What arrives and what leaves, field by field.

use std::sync::Arc;

use bytes::Bytes;
use chela_channel_email::SIMULATOR;
use chela_channel_email::forward::{Delivery, Verdict, sign};
use chela_channel_kit::{AccountSettings, ProofKeys};
use chela_core::channel::{Channel, OutboundFile, OutboundPart, Parsed, RawRequest, Registration, Rejected, SendError};
use chela_core::message::ReplyAddress;
use chela_http::{HttpClient, HttpOptions};
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::channel::platform::{Answer, Platform};
use chela_testkit::laws::channel::{ARRIVAL, part, request};
use mail_parser::{Message, MessageParser, MimeHeaders as _};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::subject::{raw, subject};

const RECIPIENT: &str = "bot@example.org";

fn channel(options: Value) -> Result<Arc<dyn Channel>, String> {
    let mut all = json!({"address": RECIPIENT, "region": "eu-central-1"});
    all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let http = HttpClient::new(HttpOptions {
        allow_hosts: subject()
            .descriptor
            .configured_urls(all.as_object().unwrap())
            .iter()
            .map(|url| chela_http::HostPort::of_url(url).unwrap())
            .collect(),
        user_agent: "chela".into(),
        extra_roots: None,
    });
    let settings = AccountSettings {
        account: "main".to_owned(),
        options: all.as_object().unwrap().clone(),
        secrets: SIMULATOR.test_secrets(),
        http: http.unwrap(),
        clock: Arc::new(ManualClock::at(ARRIVAL)),
    };
    subject().descriptor.open(&settings).map_err(|error| error.to_string())
}

fn forwarded(message: &[u8], verdict: Verdict, id: &str) -> RawRequest {
    let keys = ProofKeys::words(&SIMULATOR.test_secrets()["webhookSecret"]).unwrap();
    let delivery = Delivery { id, recipient: RECIPIENT, verdict };
    request(sign(message, &delivery, &keys, ARRIVAL).unwrap(), message)
}

fn read(channel: &dyn Channel, message: &[u8], verdict: Verdict) -> Result<Parsed, Rejected> {
    channel.parse(&channel.verify(forwarded(message, verdict, "d1"))?)
}

fn message(headers: &str) -> Vec<u8> {
    format!("From: Ada <ada@example.com>\r\nMessage-ID: <1@x>\r\n{headers}\r\n\r\nhi\r\n").into_bytes()
}

#[test]
fn an_unproven_author_is_let_in_only_where_the_owner_says_so() {
    let (closed, open) = (channel(json!({})).unwrap(), channel(json!({"trustUnauthenticated": true})).unwrap());
    let counts = |channel: &dyn Channel| {
        [Verdict::Pass, Verdict::None, Verdict::Fail]
            .map(|verdict| read(channel, &message("To: x@y.z"), verdict).unwrap().messages.len())
    };
    assert_eq!(counts(&*closed), [1, 0, 0]);
    assert_eq!(counts(&*open), [1, 1, 0], "a forgery stays one");
    let answers_itself = message("Auto-Submitted: auto-replied");
    assert_eq!(read(&*open, &answers_itself, Verdict::Pass).unwrap().messages, []);
}

#[test]
fn options_that_cannot_be_meant_are_refused() {
    let error = |options: Value| channel(options).map(|_| ()).unwrap_err();
    assert!(error(json!({"address": null})).contains("\"address\" cannot be used: it is missing"));
    assert!(error(json!({"address": "bot"})).contains("\"address\""));
    assert!(error(json!({"address": "bot+tag@example.org"})).contains("\"address\""));
    assert!(error(json!({"region": null})).contains("\"region\""));
    assert!(error(json!({"region": "eu/../x"})).contains("\"region\""));
    // What `${AWS_REGION}` becomes where there is no such variable.
    assert!(error(json!({"region": {"source": "env", "id": "AWS_REGION"}})).contains("\"region\""));
    for key in ["trustUnauthenticated", "plusAddressing"] {
        assert!(error(json!({key: "false"})).contains("it must be true or false"), "{key}");
        assert!(channel(json!({key: false})).is_ok());
    }
}

#[test]
fn one_message_is_one_event_and_its_id_belongs_to_its_author() {
    let channel = channel(json!({})).unwrap();
    let event = |bytes: &[u8], id: &str| {
        let request = forwarded(bytes, Verdict::Pass, id);
        channel.parse(&channel.verify(request).unwrap()).unwrap().messages[0].event_id.clone()
    };
    let ours = message("To: x@y.z");
    assert_eq!(event(&ours, "d1"), event(&ours, "d2"), "delivered twice");
    let eve = String::from_utf8(ours.clone()).unwrap().replace("ada@", "eve@");
    assert_ne!(event(&ours, "d1"), event(eve.as_bytes(), "d1"), "somebody else with the same id");
    let nameless = b"From: ada@example.com\r\n\r\nhi".as_slice();
    assert_eq!(event(nameless, "d1"), event(nameless, "d1"));
    assert_ne!(event(nameless, "d1"), event(nameless, "d2"));
}

#[test]
fn a_date_from_the_future_is_not_believed() {
    let channel = channel(json!({})).unwrap();
    let at =
        |date: &str| read(&*channel, &message(&format!("Date: {date}")), Verdict::Pass).unwrap().messages[0].sent_at;
    assert_eq!(at("Wed, 31 Dec 2025 23:59:00 +0000").0, ARRIVAL.0 - 60_000);
    assert_eq!(at("Thu, 01 Jan 2026 01:59:00 +0200").0, ARRIVAL.0 - 60_000);
    for odd in ["Wed, 31 Dec 2036 23:59:00 +0000", "soon", "Mon, 01 Jan 1900 00:00:00 +0000", "Thu, 99 Foo 2026"] {
        assert_eq!(at(odd), ARRIVAL, "{odd}");
    }
}

#[test]
fn files_come_with_the_message_that_refers_to_them() {
    let subject = subject();
    let channel = subject.open("http://127.0.0.1:9");
    let request = subject.signed(&subject.sample("attachment").body, ARRIVAL);
    let parsed = channel.parse(&channel.verify(request).unwrap()).unwrap();
    let (media, file) = (&parsed.messages[0].media, &parsed.files);
    assert_eq!((media.len(), file.len()), (1, 1));
    assert_eq!(media[0].reference, file[0].reference);
    assert_eq!(file[0].bytes, Bytes::from_static(b"name,age\nAda,36\n"));
    assert_eq!(media[0].name.as_deref(), Some("résumé.csv"));
}

#[test]
fn bottomless_messages_exhaust_no_stack() {
    let mut multipart = String::from("From: ada@example.com\r\n");
    for depth in 0..5_000 {
        multipart.push_str(&format!("Content-Type: multipart/mixed; boundary=b{depth}\r\n\r\n--b{depth}\r\n"));
    }
    let nested = format!("From: ada@example.com\r\n{}", "Content-Type: message/rfc822\r\n\r\n".repeat(5_000));
    let html = format!("From: ada@example.com\r\nContent-Type: text/html\r\n\r\n{}", "<blockquote>x".repeat(20_000));
    let quotes = format!("From: ada@example.com\r\nReferences: <1@x>\r\n\r\n{}", ">".repeat(100_000));
    let references = format!("From: ada@example.com\r\nReferences: {}\r\n\r\nx", "<a@b> ".repeat(50_000));
    let blank = format!("From: ada@example.com\r\nReferences: <1@x>\r\n\r\nx{}", "\r\n".repeat(1_000_000));
    let fields = format!("From: ada@example.com\r\nReferences: <1@x>\r\n\r\n{}", "to: x\r\n".repeat(500_000));
    let answered = "<a@b> ".repeat(50_000);
    let answered = format!("From: ada@example.com\r\nReferences: {answered}\r\nIn-Reply-To: {answered}\r\n\r\nx");
    let channel = channel(json!({})).unwrap();
    let requests = [multipart, nested, html, quotes, references, blank, fields, answered]
        .map(|body| forwarded(body.as_bytes(), Verdict::Pass, "d1"));
    let verified = requests.map(|request| channel.verify(request).unwrap());
    let reader = std::thread::Builder::new().stack_size(1024 * 1024);
    reader.spawn(move || verified.iter().for_each(|body| drop(channel.parse(body)))).unwrap().join().unwrap();
}

/// Lines of which messages are made, in any order.
const PIECES: &str = "(From: |ada@example.com|<|>|\r\n|\r\n\r\n|--b|--|Content-Type: |multipart/mixed; boundary=b|text/html; charset=|\
                      text/plain; format=flowed|message/rfc822|Content-Transfer-Encoding: base64|quoted-printable|=\\?utf-8\\?q\\?=C3\\?=|\
                      Subject: |Date: |References: |Content-Disposition: attachment; filename\\*0\\*=|é|=|[ -~]|<blockquote>|&#x110000;|iso-2022-jp|\
                      \u{1b}\\$B|> |On 1, a@b wrote:)";

fn pieces() -> impl Strategy<Value = String> {
    proptest::string::string_regex(&format!("(From: ada@example.com\r\n)?{PIECES}{{0,60}}")).unwrap()
}

proptest! {
    #[test]
    fn every_message_is_read_or_refused(text in pieces(), tail in any::<Vec<u8>>()) {
        let channel = channel(json!({"trustUnauthenticated": true})).unwrap();
        let bytes = [text.as_bytes(), &tail].concat();
        if let Ok(parsed) = read(&*channel, &bytes, Verdict::Pass) {
            for message in parsed.messages {
                prop_assert!(!message.text.is_empty() || !message.media.is_empty());
            }
        }
    }
}

struct Sent {
    raw: Vec<u8>,
    body: Value,
}

impl Sent {
    fn message(&self) -> Message<'_> {
        MessageParser::default().parse(&self.raw).unwrap()
    }

    fn header(&self, name: &'static str) -> String {
        let message = self.message();
        let values: Vec<&str> =
            message.headers_raw().filter(|(found, _)| *found == name).map(|(_, v)| v.trim()).collect();
        values.join("|")
    }
}

async fn sent(options: Value, to: &ReplyAddress, markdown: &str, file: Option<&OutboundFile<'_>>) -> Sent {
    let platform = Platform::start(subject().manners).await;
    let mut all = options;
    all["apiBaseUrl"] = json!(platform.url());
    let channel = channel(all).unwrap();
    let part = part(to, markdown);
    let receipt = match file {
        Some(file) => channel.attach(file, &part).await.unwrap(),
        None => channel.send(&part).await.unwrap(),
    };
    assert_eq!(receipt.message_id, "0100019a-sent-000000");
    let seen = platform.take();
    Sent { raw: raw(&seen[0]), body: seen[0].json() }
}

fn to(thread: Option<&str>, message: Option<&str>) -> ReplyAddress {
    let text = |text: &str| text.to_owned();
    ReplyAddress {
        channel: text("email"),
        account: text("main"),
        to: text("Ada@example.com"),
        thread: thread.map(text),
        message: message.map(text),
    }
}

#[tokio::test]
async fn an_answer_joins_its_conversation() {
    let address = subject().address();
    let sent = sent(json!({"fromName": "Chela, \"the\" bot"}), &address, "It is **sunny**.", None).await;
    assert_eq!(sent.body["FromEmailAddress"], "bot@example.org");
    assert_eq!(sent.body["Destination"], json!({"ToAddresses": ["ada@example.com"]}));
    let message = sent.message();
    assert_eq!(message.subject(), Some("Re: hello"));
    let from = message.from().unwrap().first().unwrap();
    assert_eq!((from.name(), from.address()), (Some("Chela, \"the\" bot"), Some("bot@example.org")));
    assert_eq!(message.to().unwrap().first().unwrap().address(), Some("ada@example.com"));
    assert_eq!(sent.header("In-Reply-To"), "<a1@example.com>");
    assert_eq!(sent.header("References"), "<a1@example.com>");
    assert_eq!(sent.header("Auto-Submitted"), "auto-replied");
    assert_eq!(sent.header("X-Auto-Response-Suppress"), "All");
    assert_eq!(sent.header("X-Loop"), "bot@example.org");
    assert_eq!(sent.header("Message-ID"), "<0123456789abcdef0123456789abcdef@example.org>");
    assert_eq!(sent.header("Reply-To"), "");
    assert_eq!(message.date().unwrap().to_rfc3339(), "2026-01-01T00:00:00Z");
    assert_eq!(message.body_text(0).unwrap().trim(), "It is **sunny**.");
    assert!(message.body_html(0).unwrap().contains("<p>It is <strong>sunny</strong>.</p>"));
}

#[tokio::test]
async fn an_answer_to_our_answer_stays_in_the_conversation() {
    let options = json!({"plusAddressing": true});
    let first = subject().address();
    let answer = sent(options.clone(), &first, "Sunny.", None).await;
    let reply_to = answer.header("Reply-To");
    let root = first.thread.clone().unwrap();
    assert_eq!(reply_to, format!("<bot+{root}@example.org>"));
    // Their client drops References, and SES has replaced our Message-ID.
    let keys = ProofKeys::words(&SIMULATOR.test_secrets()["webhookSecret"]).unwrap();
    let bytes = b"From: ada@example.com\r\nIn-Reply-To: <new@email.amazonses.com>\r\n\r\nand tomorrow?".as_slice();
    let delivery = Delivery { id: "d2", recipient: &reply_to.replace(['<', '>'], ""), verdict: Verdict::Pass };
    let channel = channel(options).unwrap();
    let request = request(sign(bytes, &delivery, &keys, ARRIVAL).unwrap(), bytes);
    let parsed = channel.parse(&channel.verify(request).unwrap()).unwrap();
    let text = subject().signed(&subject().sample("text").body, ARRIVAL);
    let text = channel.parse(&channel.verify(text).unwrap()).unwrap();
    assert!(text.messages[0].thread.is_some());
    assert_eq!(parsed.messages[0].thread, text.messages[0].thread);
}

#[tokio::test]
async fn a_message_that_answers_nothing_has_a_subject_of_its_own() {
    let news = sent(json!({}), &to(None, None), "\n# The *news* of today\n\nNothing.", None).await;
    assert_eq!(news.message().subject(), Some("The news of today"));
    assert_eq!((news.header("Auto-Submitted"), news.header("References")), ("auto-generated".into(), String::new()));
    let long = sent(json!({}), &to(None, None), &"wörd ".repeat(60), None).await;
    assert_eq!(long.message().subject().unwrap().chars().count(), 70);
    let odd = to(
        Some("x"),
        Some("{\"subject\":\"a\\r\\nBcc: eve@example.net\",\"references\":[\"a\\r\\nBcc: eve\", \"2@x\"]}"),
    );
    let odd = sent(json!({"plusAddressing": true}), &odd, "x", None).await;
    assert_eq!(
        (odd.header("Bcc"), odd.header("References"), odd.header("Reply-To")),
        ("".into(), "<2@x>".into(), "".into())
    );
    assert_eq!(odd.message().subject(), Some("Re: a Bcc: eve@example.net"));
}

#[tokio::test]
async fn a_file_arrives_as_it_is() {
    let any = Bytes::from((0..=255_u8).cycle().take(5_000).collect::<Vec<u8>>());
    let text = Bytes::from("é\n\r\n\r.\r\nFrom x\n".repeat(100));
    for (name, kind, bytes) in [
        ("a b.bin", "application/pdf", any.clone()),
        ("ré\r\nsu\"mé.txt", "text/plain; charset=x", text.clone()),
        ("m.eml", "message/rfc822", text),
        ("x", "image/png\r\nBcc: eve@example.net", any),
    ] {
        let file = OutboundFile { name, content_type: kind, bytes: bytes.clone(), url: None };
        let sent = sent(json!({}), &to(None, None), "", Some(&file)).await;
        let message = sent.message();
        let attached = message.attachment(0).unwrap();
        assert_eq!(attached.contents(), bytes, "{name}");
        assert_eq!(attached.attachment_name(), Some(name.replace("\r\n", " ").as_str()));
        let kind = kind.split(';').next().unwrap();
        let odd = kind.starts_with("message/") || kind.contains('\n');
        let wanted = if odd { "application/octet-stream" } else { kind };
        assert_eq!(sent.header("Bcc"), "");
        let found = attached.content_type().unwrap();
        assert_eq!(format!("{}/{}", found.ctype(), found.subtype().unwrap()), wanted);
        assert_eq!(message.subject(), Some(name.replace("\r\n", " ").as_str()));
    }
}

#[tokio::test]
async fn what_ses_would_not_take_is_not_sent() {
    let platform = Platform::start(subject().manners).await;
    let channel = subject().open(platform.url());
    let large = OutboundFile {
        name: "x",
        content_type: "image/png",
        bytes: Bytes::from(vec![0; 25 * 1024 * 1024 + 1]),
        url: None,
    };
    let address = to(None, None);
    let refused = channel.attach(&large, &part(&address, "")).await;
    assert!(matches!(refused, Err(SendError::Refused { .. })), "{refused:?}");
    for bad in ["ada", "ada@example.com, eve@example.net", "a@b\r\nBcc: x@y.z"] {
        let address = ReplyAddress { to: bad.to_owned(), ..to(None, None) };
        let refused = channel.send(&OutboundPart { to: &address, ..part(&address, "x") }).await;
        assert!(matches!(refused, Err(SendError::Refused { .. })), "{bad}");
    }
    assert_eq!(platform.take(), vec![]);
}

#[tokio::test]
async fn health_tells_what_keeps_mail_from_going_out() {
    let platform = Platform::start(subject().manners).await;
    let channel = subject().open(platform.url());
    let health = channel.health().await.unwrap();
    assert_eq!(
        (health.ok, health.summary.as_str()),
        (true, "bot@example.org; 3 of 50000 messages sent in the last 24 hours")
    );
    let paths: Vec<String> = platform.take().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ["/v2/email/account", "/v2/email/identities/example.org"]);

    platform.next(Answer::json(200, &json!({"SendingEnabled": false, "ProductionAccessEnabled": false})));
    platform.next(Answer::json(404, &json!({"message": "no such identity"})));
    platform.next(Answer::json(200, &json!({"VerifiedForSendingStatus": false})));
    let health = channel.health().await.unwrap();
    assert!(!health.ok);
    for word in ["channels register email", "paused", "sandbox"] {
        assert!(health.summary.contains(word), "{word}: {}", health.summary);
    }
    assert_eq!(platform.take()[2].path, "/v2/email/identities/bot%40example.org");
    platform.next(Answer::json(403, &json!({"message": "not authorized to perform: ses:GetAccount"})));
    assert!(matches!(channel.health().await, Err(SendError::Refused { .. })));
}

#[tokio::test]
async fn the_steps_name_the_domain_the_region_and_the_gateway() {
    let channel = channel(json!({})).unwrap();
    let registered = channel.register("https://gw.example.net/webhook/email/main", &[]).await.unwrap();
    let Registration::Manual { steps } = registered else { panic!("{registered:?}") };
    for words in [
        "--parameter MailDomain=example.org",
        "create-email-identity --email-identity example.org --region eu-central-1",
        "example.org MX 10 inbound-smtp.eu-central-1.amazonaws.com",
        "aws ses set-active-receipt-rule-set --rule-set-name chela-<stage> --region eu-central-1",
        "chela mail --url https://gw.example.net --account main",
    ] {
        assert!(steps.iter().any(|step| step.contains(words)), "{words}: {steps:#?}");
    }
}
