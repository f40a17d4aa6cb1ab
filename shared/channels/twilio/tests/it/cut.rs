//! Posts that are signed, and cut otherwise than Twilio cut them. Each is genuine to Twilio's own SDK, too.

use chela_core::channel::{RawRequest, Rejected};
use chela_testkit::laws::channel::{oracle, request};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::oracle::JUDGE;
use crate::subject::subject;

const URL: &str = "https://example.org/webhook/twilio";

/// One post: what stands in its URL's query, and its parameters.
struct Post {
    query: &'static str,
    form: Vec<(String, String)>,
}

fn post(query: &'static str, pairs: &[(&str, &str)]) -> Post {
    Post { query, form: pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect() }
}

impl Post {
    fn body(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.form).finish()
    }

    fn url(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{URL}{mark}{}", self.query)
    }

    /// What the SDK is asked: to sign, or to judge a signature.
    fn question(&self) -> Value {
        let body: String = self.body().bytes().map(|byte| format!("{byte:02x}")).collect();
        let secret = subject().simulator.test_secrets()["authToken"].expose().to_owned();
        json!({ "url": self.url(), "body": body, "secret": secret })
    }

    /// The sender and the event that come of it.
    fn said(&self, signature: &str) -> Result<Option<(String, String)>, Rejected> {
        let channel = subject().open("http://127.0.0.1:9");
        let headers = [(HeaderName::from_static("x-twilio-signature"), HeaderValue::from_str(signature).unwrap())];
        let raw = request(HeaderMap::from_iter(headers), self.body().as_bytes());
        let verified = channel.verify(RawRequest { query: self.query.to_owned(), ..raw }).expect("it is signed");
        let said = channel.parse(&verified)?.messages;
        Ok(said.first().map(|said| (said.sender.id.clone(), said.event_id.clone())))
    }
}

const SID: &str = "SM00000000000000000000000000000001";
const OTHER: &str = "SM00000000000000000000000000000002";
const ADA: &str = "whatsapp:+15550000001";

/// A reply on WhatsApp, with words of its writer in its text and in the writer's name.
fn written(query: &'static str, body: &str, name: &str) -> Post {
    post(
        query,
        &[
            ("AccountSid", "AC1"),
            ("Body", body),
            ("From", ADA),
            ("MessageSid", SID),
            ("NumMedia", "0"),
            ("OriginalRepliedMessageSid", OTHER),
            ("ProfileName", name),
            ("SmsMessageSid", SID),
            ("SmsSid", SID),
            ("SmsStatus", "received"),
            ("To", "whatsapp:+14155238886"),
        ],
    )
}

/// What follows the first sender in [`written`], as it is signed.
const REST: &str = "MessageSidSM00000000000000000000000000000001NumMedia0OriginalRepliedMessageSidSM00000000000000000000000000000002ProfileName";
const END: [(&str, &str); 4] =
    [("SmsMessageSid", SID), ("SmsSid", SID), ("SmsStatus", "received"), ("To", "whatsapp:+14155238886")];

/// What it is, the genuine post, and the same signed text cut otherwise.
type Attack = (&'static str, Post, Post);

fn cut(pairs: &[(&str, &str)]) -> Post {
    post("", &[pairs, &END[..]].concat())
}

/// Attacks that name another sender.
fn senders() -> Vec<Attack> {
    vec![
        (
            "what was written names the sender, and the first one becomes a value of something else",
            written("", "hiFromwhatsapp:+19990000009FromX", ""),
            cut(&[
                ("AccountSid", "AC1"),
                ("Body", "hi"),
                ("From", "whatsapp:+19990000009"),
                ("FromX", &format!("From{ADA}")),
                ("MessageSid", SID),
                ("NumMedia", "0"),
                ("OriginalRepliedMessageSid", OTHER),
                ("ProfileName", ""),
            ]),
        ),
        (
            "the writer's name does, and the words swallow the first sender",
            written("", "hi", "Fromwhatsapp:+19990000009MessageSidSM00000000000000000000000000000001P"),
            cut(&[
                ("AccountSid", "AC1"),
                ("Body", &format!("hiFrom{ADA}{REST}")),
                ("From", "whatsapp:+19990000009"),
                ("MessageSid", SID),
                ("P", ""),
            ]),
        ),
        (
            "the URL swallows it",
            written("a=1", "hiFromwhatsapp:+19990000009FromX", ""),
            post(
                "a=1AccountSidAC1BodyhiFromwhatsapp:+19990000009FromXFromwhatsapp:+15550000001MessageSidSM00000000000000000000000000000001NumMedia0OriginalRepliedMessageSidSM00000000000000000000000000000002ProfileNameSmsMessageSidSM00000000000000000000000000000001SmsSidSM00000000000000000000000000000001SmsStatusreceivedTowhatsapp:+14155238886",
                &[],
            ),
        ),
    ]
}

/// Attacks that name another event, or nobody.
fn events() -> Vec<Attack> {
    vec![
        (
            "it is the name of nobody that follows, a second event of the same words",
            written("", "hi", "Ada"),
            cut(&[
                ("AccountSid", "AC1"),
                ("Body", "hi"),
                ("From", ADA),
                ("Me", "ssageSidSM00000000000000000000000000000001NumMedia0OriginalReplied"),
                ("MessageSid", OTHER),
                ("ProfileName", "Ada"),
            ]),
        ),
        (
            "the id grows by what follows",
            written("", "hi", "Ada"),
            cut(&[
                ("AccountSid", "AC1"),
                ("Body", "hi"),
                ("From", ADA),
                ("MessageSid", &format!("{SID}NumMedia0")),
                ("OriginalRepliedMessageSid", OTHER),
                ("ProfileName", "Ada"),
            ]),
        ),
        (
            "the sender grows by what follows",
            written("", "hi", "Ada"),
            cut(&[
                ("AccountSid", "AC1"),
                ("Body", "hi"),
                ("From", &format!("{ADA}MessageSid{SID}")),
                ("NumMedia", "0"),
                ("OriginalRepliedMessageSid", OTHER),
                ("ProfileName", "Ada"),
            ]),
        ),
        (
            "the old names of the id alone, one of them from the words",
            written("", "hi", "SmsSidSM00000000000000000000000000000003SmsT"),
            post(
                "",
                &[
                    ("AccountSid", "AC1"),
                    ("Body", "hi"),
                    ("From", ADA),
                    (
                        "Me",
                        "ssageSidSM00000000000000000000000000000001NumMedia0OriginalRepliedMessageSidSM00000000000000000000000000000002ProfileName",
                    ),
                    ("SmsSid", "SM00000000000000000000000000000003"),
                    (
                        "SmsT",
                        "SmsMessageSidSM00000000000000000000000000000001SmsSidSM00000000000000000000000000000001SmsStatusreceived",
                    ),
                    ("To", "whatsapp:+14155238886"),
                ],
            ),
        ),
    ]
}

#[test]
fn a_signed_post_that_is_cut_otherwise_has_no_other_sender_and_is_no_second_event() {
    let attacks: Vec<Attack> = senders().into_iter().chain(events()).collect();
    let genuine: Vec<Value> = attacks.iter().map(|(_, genuine, _)| genuine.question()).collect();
    let signatures = oracle::ask(JUDGE, &json!(genuine));
    let cut = attacks.iter().zip(signatures.as_array().unwrap()).map(|((.., cut), signature)| {
        let mut question = cut.question();
        question["signature"] = signature.clone();
        question
    });
    let verdicts = oracle::ask(JUDGE, &json!(cut.collect::<Vec<_>>()));
    for (((what, genuine, cut), signature), verdict) in
        attacks.iter().zip(signatures.as_array().unwrap()).zip(verdicts.as_array().unwrap())
    {
        assert_eq!(*verdict, json!(true), "{what}: the SDK takes it for the same");
        let signature = signature.as_str().unwrap();
        if let Ok(Some((sender, event))) = genuine.said(signature) {
            assert_eq!((sender.as_str(), event.as_str()), (ADA, SID), "{what}");
        }
        match cut.said(signature) {
            Ok(None) | Err(Rejected::Malformed(_)) => {}
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn words_may_tell_of_senders_and_messages() {
    for words in
        ["From: +15550000002", "From 7 to 9", "From7to9", "fromwhatsapp:+1", "MessageSid=SM1", "MessageSid", "From"]
    {
        let post = written("", words, words);
        let signature = oracle::ask(JUDGE, &json!([post.question()]));
        let said = post.said(signature[0].as_str().unwrap());
        assert_eq!(said, Ok(Some((ADA.to_owned(), SID.to_owned()))), "{words}");
    }
    for (from, taken) in
        [("+15550000001", true), ("72345", true), ("whatsapp:US.13491208655302", true), ("BANK", false)]
    {
        let mut post = written("", "hi", "");
        post.form[2].1 = from.to_owned();
        let signature = oracle::ask(JUDGE, &json!([post.question()]));
        let said = post.said(signature[0].as_str().unwrap());
        assert_eq!(said.is_ok_and(|said| said.is_some()), taken, "{from}");
    }
}

/// A retry to the fallback URL is signed for another text.
#[test]
fn a_retry_to_the_fallback_url_is_the_same_event() {
    let first = written("", "hi", "Ada");
    let mut retry = written("fallback=1", "hi", "Ada");
    retry.form.push(("ErrorCode".to_owned(), "11200".to_owned()));
    retry.form.push(("ErrorUrl".to_owned(), URL.to_owned()));
    let said = |post: &Post| {
        let signature = oracle::ask(JUDGE, &json!([post.question()]));
        post.said(signature[0].as_str().unwrap()).unwrap().unwrap()
    };
    assert_eq!(said(&first), said(&retry));
}
