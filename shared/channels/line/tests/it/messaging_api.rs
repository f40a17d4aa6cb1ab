//! The calls of the Messaging API, word for word.

use std::sync::Arc;
use std::time::Duration;

use chela_core::channel::{Channel, Choice, OutboundFile, OutboundPart, SendError, Unconfirmed};
use chela_core::clock::Millis;
use chela_core::message::{Media, ReplyAddress};
use chela_testkit::laws::channel::platform::{Answer, Platform, Seen};
use chela_testkit::laws::channel::{ARRIVAL, MENU, part};
use serde_json::{Value, json};

use crate::subject::subject;

const PERSON: &str = "U4af4980629e5b2c4f0b3a8f1d2c3e4f5";

async fn line() -> (Platform, Arc<dyn Channel>) {
    line_at(ARRIVAL).await
}

async fn line_at(now: Millis) -> (Platform, Arc<dyn Channel>) {
    let platform = Platform::start(subject().manners).await;
    let channel = subject().open_at(platform.url(), now);
    (platform, channel)
}

/// Where an answer to a sample goes.
fn answering(sample: &str) -> ReplyAddress {
    let subject = subject();
    let channel = subject.open("http://127.0.0.1:9");
    let signed = subject.signed(&subject.sample(sample).body, ARRIVAL);
    channel.parse(&channel.verify(signed).unwrap()).unwrap().messages[0].reply_to.clone()
}

fn to(id: &str) -> ReplyAddress {
    ReplyAddress {
        channel: "line".to_owned(),
        account: "main".to_owned(),
        to: id.to_owned(),
        thread: None,
        message: None,
    }
}

fn no(status: u16, message: &str) -> Answer {
    Answer::json(status, &json!({ "message": message }))
}

fn calls(platform: &Platform) -> Vec<(String, Value)> {
    platform.take().iter().map(|seen: &Seen| (seen.path.clone(), seen.json())).collect()
}

fn key(seen: &Seen) -> Option<&str> {
    seen.headers.get("x-line-retry-key").map(|key| key.to_str().unwrap())
}

fn choices(count: usize) -> Vec<Choice> {
    (0..count).map(|at| Choice { label: format!("Choice {at}"), value: format!("value:{at}") }).collect()
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

#[tokio::test]
async fn the_first_part_replies_and_the_others_are_pushed_with_a_key() {
    let (platform, channel) = line().await;
    let to = answering("text");
    let receipt = channel.send(&part(&to, "a **b** [c](https://d)")).await.unwrap();
    assert_eq!(receipt.message_id, "461230966842064897");
    channel.send(&OutboundPart { number: 1, ..part(&to, "more") }).await.unwrap();
    let seen = platform.take();
    assert_eq!(seen[0].path, "/v2/bot/message/reply");
    assert_eq!(
        seen[0].json(),
        json!({ "replyToken": "nHuyWiB7yP5Zw52FIkcQobQuGDXCTA", "messages": [text("a b c (https://d)")] })
    );
    // LINE refuses the key wherever it means nothing.
    assert_eq!(key(&seen[0]), None);
    assert_eq!(seen[1].path, "/v2/bot/message/push");
    assert_eq!(seen[1].json(), json!({ "to": PERSON, "messages": [text("more")] }));
    assert_eq!(key(&seen[1]).unwrap().len(), 36);
    assert!(seen.iter().all(|seen| seen.headers["authorization"].to_str().unwrap().starts_with("Bearer public-test")));
    assert_eq!(seen.len(), 2);
}

/// F36: the token expired before the answer was ready.
#[tokio::test]
async fn a_reply_token_that_is_too_old_is_not_tried() {
    // The message was written 10 s before ARRIVAL.
    for (later, path) in [(39_999, "/v2/bot/message/reply"), (40_000, "/v2/bot/message/push")] {
        let (platform, channel) = line_at(ARRIVAL.plus(later)).await;
        channel.send(&part(&answering("text"), "late")).await.unwrap();
        let seen = platform.take();
        assert_eq!((seen.len(), seen[0].path.as_str()), (1, path), "{later} ms later");
    }
}

/// F36: LINE says that the token is too old, or was used.
#[tokio::test]
async fn a_reply_token_that_line_does_not_take_is_replaced_by_a_push() {
    let (platform, channel) = line().await;
    platform.next(no(400, "Invalid reply token"));
    let receipt = channel.send(&part(&answering("text"), "hi")).await.unwrap();
    assert_eq!(receipt.message_id, "461230966842064897");
    let seen = platform.take();
    assert_eq!(
        seen.iter().map(|seen| seen.path.as_str()).collect::<Vec<_>>(),
        ["/v2/bot/message/reply", "/v2/bot/message/push"]
    );
    assert_eq!(seen[1].json(), json!({ "to": PERSON, "messages": [text("hi")] }));
    assert!(key(&seen[1]).is_some());
}

/// A clock by which each look takes two seconds.
struct Slow(std::sync::atomic::AtomicU64);

impl chela_core::clock::Clock for Slow {
    fn now(&self) -> Millis {
        Millis(self.0.fetch_add(2_000, std::sync::atomic::Ordering::Relaxed))
    }

    fn unique(&self) -> String {
        "u".to_owned()
    }
}

#[tokio::test]
async fn the_timeout_of_a_part_holds_for_reply_and_push_together() {
    use chela_channel_kit::AccountSettings;
    use chela_http::{HostPort, HttpClient, HttpOptions};
    let platform = Platform::start(subject().manners).await;
    let allow_hosts = vec![HostPort::of_url(platform.url()).unwrap()];
    let http = HttpClient::new(HttpOptions { allow_hosts, user_agent: "chela".to_owned(), extra_roots: None });
    let settings = AccountSettings {
        account: "main".to_owned(),
        options: json!({ "apiBaseUrl": platform.url() }).as_object().unwrap().clone(),
        secrets: subject().simulator.test_secrets(),
        http: http.unwrap(),
        clock: Arc::new(Slow(ARRIVAL.0.into())),
    };
    let channel = chela_channel_line::DESCRIPTOR.open(&settings).unwrap();
    platform.next(no(400, "Invalid reply token"));
    let late = channel.send(&part(&answering("text"), "hi")).await;
    assert!(matches!(late, Err(SendError::NotSent { .. })), "{late:?}");
    assert_eq!(platform.take().len(), 1);
    platform.next(no(400, "Invalid reply token"));
    let to = answering("text");
    channel.send(&OutboundPart { timeout: Duration::from_secs(5), ..part(&to, "hi") }).await.unwrap();
    assert_eq!(platform.take().len(), 2);
}

#[tokio::test]
async fn a_reply_that_may_have_been_shown_is_not_pushed() {
    let (platform, channel) = line().await;
    let to = answering("text");
    platform.next(no(500, "Internal error"));
    assert!(matches!(channel.send(&part(&to, "hi")).await, Err(SendError::Unknown { .. })));
    platform.next(Answer::Silence);
    let short = OutboundPart { timeout: Duration::from_millis(200), ..part(&to, "hi") };
    assert!(matches!(channel.send(&short).await, Err(SendError::Unknown { .. })));
    assert_eq!(platform.take().len(), 2);
}

#[tokio::test]
async fn an_address_with_a_token_is_flagged_and_one_without_is_sent_again() {
    let (_, channel) = line().await;
    assert_eq!(channel.unconfirmed(&answering("text")), Unconfirmed::Flag);
    // However old the token is: an earlier attempt may have used it in time.
    let (_, later) = line_at(ARRIVAL.plus(86_400_000)).await;
    assert_eq!(later.unconfirmed(&answering("text")), Unconfirmed::Flag);
    assert_eq!(channel.unconfirmed(&to(PERSON)), Unconfirmed::ResendWithKey);
    // A redelivery came too late for anybody to use its token.
    assert_eq!(channel.unconfirmed(&answering("redelivered")), Unconfirmed::ResendWithKey);
    // A quote works for ever.
    let quoted = ReplyAddress { message: Some("quote:q3Pl".to_owned()), ..to(PERSON) };
    assert_eq!(channel.unconfirmed(&quoted), Unconfirmed::ResendWithKey);
}

#[tokio::test]
async fn the_same_part_has_the_same_key_and_a_conflict_means_that_it_was_taken() {
    let (platform, channel) = line().await;
    let to = to(PERSON);
    platform.next(no(500, "Internal error"));
    assert!(matches!(channel.send(&part(&to, "hi")).await, Err(SendError::Unknown { .. })));
    let sent =
        json!({ "message": "The retry key is already accepted", "sentMessages": [{ "id": "46", "quoteToken": "q" }] });
    platform.next(Answer::json(409, &sent));
    assert_eq!(channel.send(&part(&to, "hi")).await.unwrap().message_id, "46");
    platform.next(no(409, "The retry key is already accepted"));
    assert_eq!(channel.send(&part(&to, "hi")).await.unwrap().message_id, "accepted");
    let other = "f123456789abcdef0123456789abcdef";
    channel.send(&OutboundPart { idempotency_key: other, ..part(&to, "hi") }).await.unwrap();
    let keys: Vec<String> = platform.take().iter().map(|seen| key(seen).unwrap().to_owned()).collect();
    assert_eq!(keys[0], keys[1]);
    assert_eq!(keys[0], keys[2]);
    assert_ne!(keys[0], keys[3]);
    let hyphens: Vec<usize> = keys[0].match_indices('-').map(|(at, _)| at).collect();
    assert_eq!(hyphens, [8, 13, 18, 23]);
}

#[tokio::test]
async fn an_owner_may_do_without_reply_tokens() {
    let mut subject = subject();
    subject.options = |url| json!({ "apiBaseUrl": url, "replyTokens": false });
    let channel = subject.open("http://127.0.0.1:9");
    let read = |name: &str| {
        let signed = subject.signed(&subject.sample(name).body, ARRIVAL);
        channel.parse(&channel.verify(signed).unwrap()).unwrap().messages[0].reply_to.clone()
    };
    assert_eq!(read("text").message, None);
    assert_eq!(channel.unconfirmed(&read("text")), Unconfirmed::ResendWithKey);
    assert!(read("group-text").message.unwrap().starts_with("quote:"));
}

#[tokio::test]
async fn in_groups_the_first_part_quotes_what_it_answers() {
    let (platform, channel) = line().await;
    let to = answering("group-mention");
    channel.send(&part(&to, "one")).await.unwrap();
    channel.send(&OutboundPart { number: 1, ..part(&to, "two") }).await.unwrap();
    let calls = calls(&platform);
    let quoted = json!([{ "type": "text", "text": "one", "quoteToken": "q3Plxr4AgKd-1_x" }]);
    assert_eq!(calls[0].1["messages"], quoted);
    assert_eq!(calls[1].1, json!({ "to": "Ca56f94637cc4347f90a25382909b24b9", "messages": [text("two")] }));
}

#[tokio::test]
async fn few_choices_are_a_template_and_many_are_quick_replies() {
    let (platform, channel) = line().await;
    let to = to(PERSON);
    let four = choices(4);
    channel.send(&OutboundPart { choices: &four, ..part(&to, "Which?") }).await.unwrap();
    let five = choices(5);
    channel.send(&OutboundPart { choices: &five, ..part(&to, "Which?") }).await.unwrap();
    let long = "x".repeat(161);
    channel.send(&OutboundPart { choices: &four, ..part(&to, &long) }).await.unwrap();
    let messages: Vec<Value> = calls(&platform).into_iter().map(|(_, body)| body["messages"].clone()).collect();
    let action = |at: usize| json!({ "type": "postback", "label": format!("Choice {at}"), "data": format!("value:{at}"), "displayText": format!("Choice {at}") });
    let actions: Vec<Value> = (0..4).map(action).collect();
    assert_eq!(
        messages[0],
        json!([{
            "type": "template", "altText": "Which?",
            "template": { "type": "buttons", "text": "Which?", "actions": actions },
        }])
    );
    let items: Vec<Value> = (0..5).map(|at| json!({ "type": "action", "action": action(at) })).collect();
    assert_eq!(messages[1], json!([{ "type": "text", "text": "Which?", "quickReply": { "items": items } }]));
    assert_eq!(messages[2][0]["quickReply"]["items"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_choice_that_line_cannot_give_back_is_refused() {
    let (platform, channel) = line().await;
    let to = to(PERSON);
    let long = [Choice { label: "x".repeat(40), value: "v".repeat(301) }];
    let refused = channel.send(&OutboundPart { choices: &long, ..part(&to, "Which?") }).await;
    assert!(matches!(refused, Err(SendError::Refused { .. })), "{refused:?}");
    assert_eq!(platform.take(), vec![]);
}

fn file<'a>(name: &'a str, content_type: &'a str, size: usize, url: Option<&'a str>) -> OutboundFile<'a> {
    OutboundFile { name, content_type, bytes: vec![0; size].into(), url }
}

#[tokio::test]
async fn small_pictures_are_shown_and_other_files_are_links() {
    let (platform, channel) = line().await;
    let to = to(PERSON);
    let place = Some("https://files.example.org/x");
    let link = |name: &str| text(&format!("{name}\nhttps://files.example.org/x"));
    let picture = json!({ "type": "image", "originalContentUrl": place, "previewImageUrl": place });
    for (file, caption, wanted) in [
        (file("a.png", "image/png", 1_000_000, place), "**see**", json!([picture, text("see")])),
        (file("a.jpg", "image/jpeg", 9, place), "", json!([picture])),
        (file("a.png", "image/png", 1_000_001, place), "", json!([link("a.png")])),
        (file("a.gif", "image/gif", 9, place), "see", json!([text("see"), link("a.gif")])),
        (file("a.pdf", "application/pdf", 9, place), "", json!([link("a.pdf")])),
    ] {
        channel.attach(&file, &part(&to, caption)).await.unwrap();
        assert_eq!(
            calls(&platform),
            [("/v2/bot/message/push".to_owned(), json!({ "to": PERSON, "messages": wanted }))]
        );
    }
    let open = file("a.png", "image/png", 9, Some("http://files.example.org/x"));
    channel.attach(&open, &part(&to, "")).await.unwrap();
    assert_eq!(calls(&platform)[0].1["messages"][0]["type"], "text", "LINE shows no picture without https");
    let long = format!("https://files.example.org/{}", "x".repeat(2_000));
    channel.attach(&file("a.png", "image/png", 9, Some(&long)), &part(&to, "")).await.unwrap();
    assert_eq!(calls(&platform)[0].1["messages"][0]["type"], "text", "LINE takes no URL of more than 2000 characters");
    let nowhere = channel.attach(&file("a.png", "image/png", 9, None), &part(&to, "")).await;
    assert!(matches!(nowhere, Err(SendError::Refused { .. })), "{nowhere:?}");
    assert_eq!(platform.take(), vec![]);
}

#[tokio::test]
async fn loading_is_shown_to_one_person_only() {
    let (platform, channel) = line().await;
    channel.typing(&to(PERSON)).await.unwrap();
    let body = json!({ "chatId": PERSON, "loadingSeconds": 30 });
    assert_eq!(calls(&platform), [("/v2/bot/chat/loading/start".to_owned(), body)]);
    assert_eq!(channel.limits(&to(PERSON)).typing_for, Some(Duration::from_secs(30)));
    for room in ["Ca56f94637cc4347f90a25382909b24b9", "Ra8dbf4673c4c812cd491258042226c99"] {
        channel.typing(&to(room)).await.unwrap();
        assert_eq!(channel.limits(&to(room)).typing_for, None);
    }
    assert_eq!(platform.take(), vec![]);
    platform.next(no(429, "You have reached your monthly limit."));
    assert!(channel.typing(&to(PERSON)).await.is_err());
}

#[tokio::test]
async fn only_ids_of_messages_are_fetched_and_an_unprepared_film_is_asked_for_again() {
    let (platform, channel) = line().await;
    let media =
        |id: &str| Media { missing: None, reference: id.to_owned(), content_type: None, name: None, size: None };
    let fetch = async |id: &str| channel.fetch(&media(id), 100, Duration::from_secs(2)).await;
    for odd in ["", "../../profile/U1", "1/../2", "1?x", "https://example.org/a.jpg"] {
        assert!(matches!(fetch(odd).await, Err(SendError::Refused { .. })), "{odd}");
    }
    assert_eq!(platform.take(), vec![]);
    assert_eq!(fetch("354718705033693859").await.unwrap().bytes, "a picture");
    let seen = platform.take();
    assert_eq!(seen[0].path, "/v2/bot/message/354718705033693859/content");
    assert!(seen[0].headers.contains_key("authorization"));
    platform.next(Answer::text(202, ""));
    assert!(matches!(fetch("1").await, Err(SendError::NotSent { .. })));
    platform.next(no(404, "Not found"));
    assert!(matches!(fetch("1").await, Err(SendError::Refused { .. })));
}

#[tokio::test]
async fn registering_sets_the_webhook_and_lets_line_try_it() {
    let (platform, channel) = line().await;
    let url = "https://example.org/webhook/line";
    let summary = |registration| match registration {
        chela_core::channel::Registration::Done { summary } => summary,
        other => panic!("{other:?}"),
    };
    let done = summary(channel.register(url, MENU).await.unwrap());
    assert_eq!(done, "LINE posts to https://example.org/webhook/line; its test was answered");
    let seen = platform.take();
    let asked: Vec<_> = seen.iter().map(|seen| (seen.method.as_str(), seen.path.as_str(), seen.json())).collect();
    assert_eq!(
        asked,
        [
            ("PUT", "/v2/bot/channel/webhook/endpoint", json!({ "endpoint": url })),
            ("POST", "/v2/bot/channel/webhook/test", json!({ "endpoint": url })),
            ("GET", "/v2/bot/channel/webhook/endpoint", Value::Null),
        ]
    );
    platform.next(Answer::json(200, &json!({})));
    platform.next(Answer::json(
        200,
        &json!({ "success": false, "statusCode": 401, "reason": "ERROR_STATUS_CODE", "detail": "401" }),
    ));
    platform.next(Answer::json(200, &json!({ "endpoint": url, "active": false })));
    let off = summary(channel.register(url, MENU).await.unwrap());
    assert!(off.contains("its test failed: 401 ERROR_STATUS_CODE 401; turn on \"Use webhook\""), "{off}");
    platform.next(Answer::json(200, &json!({})));
    platform.next(no(429, "The API rate limit has been exceeded."));
    let untested = summary(channel.register(url, MENU).await.unwrap());
    assert!(untested.contains("it could not be tested: line asks to wait"), "{untested}");
    platform.next(no(400, "Invalid webhook endpoint URL"));
    assert!(matches!(channel.register("http://x", MENU).await, Err(SendError::Refused { .. })));
}

#[tokio::test]
async fn health_tells_the_name_the_place_and_whether_the_webhook_is_on() {
    let (platform, channel) = line().await;
    let health = channel.health().await.unwrap();
    assert_eq!(
        (health.ok, health.summary.as_str()),
        (true, "Chela @216ru...; posts to https://example.org/webhook/line")
    );
    let info = || Answer::json(200, &json!({ "displayName": "Chela", "basicId": "@1", "chatMode": "chat" }));
    platform.next(info());
    platform.next(Answer::json(200, &json!({ "endpoint": "https://x", "active": false })));
    let off = channel.health().await.unwrap();
    assert!(
        !off.ok && off.summary.contains("off: turn on") && off.summary.contains("response mode is chat"),
        "{off:?}"
    );
    platform.next(info());
    platform.next(no(404, "Webhook endpoint not found"));
    let nowhere = channel.health().await.unwrap();
    assert!(!nowhere.ok && nowhere.summary.contains("channels register line"), "{nowhere:?}");
    platform.next(no(401, "Authentication failed"));
    assert!(matches!(channel.health().await, Err(SendError::Refused { .. })));
}
