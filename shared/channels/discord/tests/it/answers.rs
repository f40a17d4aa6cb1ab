//! What Discord is asked, word for word, and when the one way and when the other.

use std::sync::Arc;
use std::time::Duration;

use chela_core::channel::{
    Channel, Choice, Fetched, Health, OutboundFile, OutboundPart, Poll, Registration, SendError, Unconfirmed,
};
use chela_core::message::{Media, ReplyAddress};
use chela_testkit::laws::channel::platform::{Answer, Platform, Seen};
use chela_testkit::laws::channel::{ARRIVAL, MENU, part};
use serde_json::json;

use crate::subject::{FILE, MADE, body, message, subject, to};

const APP: &str = "1100000000000000001";
const DM: &str = "319674150115610528";
const ROOM: &str = "645027906669510667";
const TOKEN: &str = "aW50ZXJhY3Rpb246MTQ1NjA3NDQzOTc4NjQ5NjAwMDpwdWJsaWMtdGVzdA";

/// Later than any token lives, as seen from the samples.
const LATER: u64 = 16 * 60 * 1000;

async fn discord() -> (Platform, Arc<dyn Channel>) {
    let platform = Platform::start(subject().manners).await;
    let channel = subject().open(platform.url());
    (platform, channel)
}

fn asked(platform: &Platform) -> Vec<String> {
    platform.take().iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
}

fn one(platform: &Platform) -> Seen {
    let mut seen = platform.take();
    assert_eq!(seen.len(), 1);
    seen.remove(0)
}

fn nth<'a>(number: u16, to: &'a ReplyAddress) -> OutboundPart<'a> {
    OutboundPart { number, ..part(to, "hi") }
}

fn no(status: u16, code: u64) -> Answer {
    Answer::json(status, &json!({ "message": "Unknown", "code": code }))
}

#[tokio::test]
async fn i11_a_message_is_answered_with_a_key_and_a_reference_calls_nobody_and_brings_no_preview() {
    let (platform, channel) = discord().await;
    let to = to("guild-mention");
    let receipt = channel.send(&part(&to, "**@everyone** <@1> a_b")).await.unwrap();
    assert_eq!(receipt.message_id, format!("{ROOM}/{MADE}"));
    let seen = one(&platform);
    assert_eq!(format!("{} {}", seen.method, seen.path), format!("POST /channels/{ROOM}/messages"));
    assert_eq!(seen.headers["authorization"], "Bot MTEwMDAwMDAwMDAwMDAwMDAwMQ.public.test-token");
    assert!(seen.headers["user-agent"].to_str().unwrap().starts_with("DiscordBot ("));
    let mut body = seen.json();
    let nonce = body["nonce"].take();
    assert_eq!(nonce.as_str().unwrap().len(), 25);
    let answered = message("guild-mention").message_id;
    assert_eq!(
        body,
        json!({
            "content": "**@everyone** <@1> a\\_b",
            "allowed_mentions": { "parse": [], "replied_user": false },
            "flags": 4,
            "nonce": null,
            "enforce_nonce": true,
            "message_reference": { "message_id": answered, "fail_if_not_exists": false },
        })
    );
    channel.send(&nth(0, &to)).await.unwrap();
    assert_eq!(one(&platform).json()["nonce"], nonce, "the same key again");
    channel.send(&OutboundPart { idempotency_key: "another", ..nth(1, &to) }).await.unwrap();
    let next = one(&platform).json();
    assert!(next["nonce"] != nonce && next.get("message_reference").is_none(), "{next}");
    assert_eq!(channel.unconfirmed(&to), Unconfirmed::ResendWithKey);
}

#[tokio::test]
async fn a_command_is_answered_where_it_says_thinking_and_then_in_the_channel() {
    let (platform, channel) = discord().await;
    let to = to("ask");
    let first = channel.send(&nth(0, &to)).await.unwrap();
    let seen = one(&platform);
    assert_eq!((seen.method.as_str(), &*seen.path), ("PATCH", &*format!("/webhooks/{APP}/{TOKEN}/messages/@original")));
    assert!(!seen.headers.contains_key("authorization"), "the token in the path is enough");
    assert_eq!(seen.json().get("nonce"), None);
    channel.edit(&first.message_id, &part(&to, "more")).await.unwrap();
    assert_eq!(asked(&platform), [format!("PATCH /webhooks/{APP}/{TOKEN}/messages/{MADE}")]);
    let second = channel.send(&nth(1, &to)).await.unwrap();
    channel.edit(&second.message_id, &part(&to, "more")).await.unwrap();
    let rest = [format!("POST /channels/{ROOM}/messages"), format!("PATCH /channels/{ROOM}/messages/{MADE}")];
    assert_eq!(asked(&platform), rest);
    assert_eq!(channel.unconfirmed(&to), Unconfirmed::ResendWithKey);
    channel.typing(&to).await.unwrap();
    assert_eq!(asked(&platform), Vec::<String>::new(), "it says thinking already");
}

#[tokio::test]
async fn after_a_quarter_of_an_hour_answers_and_edits_go_to_the_channel() {
    let platform = Platform::start(subject().manners).await;
    let channel = subject().open_at(platform.url(), ARRIVAL.plus(LATER));
    let to = to("ask");
    channel.send(&nth(0, &to)).await.unwrap();
    channel.edit(&format!("@{MADE}"), &part(&to, "more")).await.unwrap();
    channel.typing(&to).await.unwrap();
    let late = [
        format!("POST /channels/{ROOM}/messages"),
        format!("PATCH /channels/{ROOM}/messages/{MADE}"),
        format!("POST /channels/{ROOM}/typing"),
    ];
    assert_eq!(asked(&platform), late);
}

#[tokio::test]
async fn a_promise_that_is_gone_is_kept_in_the_channel_but_one_not_yet_made_is_waited_for() {
    let platform = Platform::start(subject().manners).await;
    let to = to("ask");
    let soon = subject().open_at(platform.url(), ARRIVAL);
    platform.next(no(404, 10015));
    let waits = soon.send(&nth(0, &to)).await.unwrap_err();
    assert!(matches!(waits, SendError::RateLimited { after, .. } if after == Duration::from_secs(1)), "{waits:?}");
    assert_eq!(asked(&platform).len(), 1);
    let later = subject().open_at(platform.url(), ARRIVAL.plus(60_000));
    for gone in [no(404, 10008), no(401, 50027)] {
        platform.next(gone);
        later.send(&nth(0, &to)).await.unwrap();
        assert_eq!(asked(&platform)[1..], [format!("POST /channels/{ROOM}/messages")]);
    }
    platform.next(no(403, 50013));
    assert!(matches!(later.send(&nth(0, &to)).await, Err(SendError::Refused { .. })));
    assert_eq!(asked(&platform).len(), 1, "another refusal is one");
}

#[tokio::test]
async fn a_guest_answers_through_its_interaction_only() {
    let (platform, channel) = discord().await;
    let to = to("ask-guest");
    channel.send(&nth(0, &to)).await.unwrap();
    let second = channel.send(&nth(1, &to)).await.unwrap();
    channel.edit(&second.message_id, &part(&to, "more")).await.unwrap();
    let own = format!("/webhooks/{APP}/{TOKEN}");
    let ways = [
        format!("PATCH {own}/messages/@original"),
        format!("POST {own}?wait=true"),
        format!("PATCH {own}/messages/{MADE}"),
    ];
    assert_eq!(asked(&platform), ways);
    assert_eq!(channel.unconfirmed(&to), Unconfirmed::Flag, "a further message has no key");
    channel.typing(&to).await.unwrap();
    assert!(matches!(channel.react(&to, MADE, "👀").await, Err(SendError::Refused { .. })));
    let late = subject().open_at(platform.url(), ARRIVAL.plus(LATER));
    for gone in [late.send(&nth(0, &to)).await.map(drop), late.edit(&second.message_id, &nth(0, &to)).await] {
        assert!(matches!(gone, Err(SendError::Refused { .. })), "{gone:?}");
    }
    assert_eq!(asked(&platform), Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_to_a_button_leaves_the_question_as_it_is() {
    let (platform, channel) = discord().await;
    channel.send(&nth(0, &to("button"))).await.unwrap();
    channel.send(&nth(0, &to("button-guest"))).await.unwrap();
    let ways = [format!("POST /channels/{ROOM}/messages"), format!("POST /webhooks/{APP}/{TOKEN}?wait=true")];
    assert_eq!(asked(&platform), ways);
}

#[tokio::test]
async fn a_person_is_written_to_in_their_direct_messages() {
    let (platform, channel) = discord().await;
    let to = ReplyAddress { to: "user:80351110224678912".to_owned(), message: None, ..to("text") };
    let receipt = channel.send(&nth(0, &to)).await.unwrap();
    assert_eq!(receipt.message_id, format!("{DM}/{MADE}"));
    let seen = platform.take();
    assert_eq!(
        (&*seen[0].path, seen[0].json()),
        ("/users/@me/channels", json!({ "recipient_id": "80351110224678912" }))
    );
    assert_eq!(seen[1].path, format!("/channels/{DM}/messages"));
    channel.edit(&receipt.message_id, &nth(0, &to)).await.unwrap();
    assert_eq!(asked(&platform), [format!("PATCH /channels/{DM}/messages/{MADE}")]);
    // Nothing was said yet.
    platform.next(no(500, 0));
    assert!(matches!(channel.send(&nth(0, &to)).await, Err(SendError::NotSent { .. })));
    for strange in ["general", "../users/@me", "7/1/2/../p"] {
        let to = ReplyAddress { to: strange.to_owned(), ..to.clone() };
        assert!(matches!(channel.send(&nth(0, &to)).await, Err(SendError::Refused { .. })), "{strange}");
        assert_eq!(channel.unconfirmed(&to), Unconfirmed::Flag, "{strange}");
    }
}

#[tokio::test]
async fn buttons_stand_in_rows_of_five_and_an_edit_takes_them_away() {
    let (platform, channel) = discord().await;
    let to = to("text");
    let long = "v".repeat(101);
    let choice = |nth: usize| Choice { label: format!("{nth}{}", "l".repeat(90)), value: format!("value {nth}") };
    let mut choices: Vec<Choice> = (0..6).map(choice).collect();
    choices[1].value.clone_from(&long);
    choices[2].value = "label#9".to_owned();
    channel.send(&OutboundPart { choices: &choices, ..nth(0, &to) }).await.unwrap();
    let rows = one(&platform).json()["components"].clone();
    let ids = |row: usize| -> Vec<String> {
        let buttons = rows[row]["components"].as_array().unwrap();
        buttons.iter().map(|button| button["custom_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(0), ["value 0", "label#1", "label#2", "value 3", "value 4"]);
    assert_eq!(ids(1), ["value 5"]);
    assert_eq!(rows[0]["components"][0]["label"].as_str().unwrap().len(), 80);
    channel.edit(&format!("{DM}/{MADE}"), &nth(0, &to)).await.unwrap();
    assert_eq!(one(&platform).json()["components"], json!([]));
}

#[tokio::test]
async fn a_file_goes_beside_its_message_also_in_place_of_thinking() {
    let (platform, channel) = discord().await;
    let file = OutboundFile { name: "a \"b\".txt", content_type: "text/plain", bytes: FILE.into(), url: None };
    for (name, method) in [("text", "POST"), ("ask", "PATCH")] {
        channel.attach(&file, &part(&to(name), "a caption")).await.unwrap();
        let seen = one(&platform);
        assert_eq!(seen.method, method);
        assert!(seen.headers["content-type"].to_str().unwrap().starts_with("multipart/form-data; boundary="));
        let told = body(&seen);
        assert_eq!(
            (&told["content"], &told["attachments"]),
            (&json!("a caption"), &json!([{ "id": 0, "filename": file.name }]))
        );
        let text = String::from_utf8_lossy(&seen.body).into_owned();
        assert!(
            text.contains("name=\"files[0]\"; filename=\"a %22b%22.txt\"\r\nContent-Type: text/plain\r\n\r\na picture")
        );
    }
}

#[tokio::test]
async fn reactions_are_put_under_the_message_that_was_heard() {
    let (platform, channel) = discord().await;
    let heard = message("guild-mention");
    let id = heard.message_id.clone().unwrap();
    for (emoji, segment) in [("👀", "%F0%9F%91%80"), ("<:party:77>", "party:77"), ("<a:dance:78>", "dance:78")] {
        channel.react(&heard.reply_to, &id, emoji).await.unwrap();
        assert_eq!(asked(&platform), [format!("PUT /channels/{ROOM}/messages/{id}/reactions/{segment}/@me")]);
    }
    assert!(matches!(channel.react(&heard.reply_to, "../7", "👀").await, Err(SendError::Refused { .. })));
    assert_eq!(asked(&platform), Vec::<String>::new());
}

#[tokio::test]
async fn files_are_fetched_from_discord_alone_and_without_the_token() {
    let (platform, channel) = discord().await;
    let media = |reference: String| Media { missing: None, reference, content_type: None, name: None, size: None };
    let wait = Duration::from_secs(1);
    let Fetched { bytes, .. } =
        channel.fetch(&media(format!("{}/attachments/1/2/a.png", platform.url())), 99, wait).await.unwrap();
    assert_eq!(bytes, FILE);
    assert!(!one(&platform).headers.contains_key("authorization"));
    let foreign = [
        "https://example.org/a.png",
        "http://cdn.discordapp.com/a.png",
        "https://cdn.discordapp.com:8443/a.png",
        "https://cdn.discordapp.com@example.org/a.png",
        "https://cdn.discordapp.com.example.org/a.png",
        "file:///etc/passwd",
        "a.png",
    ];
    for url in foreign {
        let refused = channel.fetch(&media(url.to_owned()), 99, wait).await;
        assert!(
            matches!(&refused, Err(SendError::Refused { reason, .. }) if reason.contains("server of Discord")),
            "{url}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn registering_sets_the_endpoint_and_then_all_commands() {
    let (platform, channel) = discord().await;
    let done = channel.register("https://example.org/webhook/discord", MENU).await.unwrap();
    let summary =
        "Discord posts commands and buttons to https://example.org/webhook/discord; the commands are /ask, /help, /new";
    assert_eq!(done, Registration::Done { summary: summary.to_owned() });
    let seen = platform.take();
    let calls: Vec<String> = seen.iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
    assert_eq!(calls, ["PATCH /applications/@me".to_owned(), format!("PUT /applications/{APP}/commands")]);
    assert_eq!(seen[0].json(), json!({ "interactions_endpoint_url": "https://example.org/webhook/discord" }));
    let commands = seen[1].json();
    let names: Vec<&str> = commands.as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["ask", "help", "new"]);
    assert_eq!(commands[0]["options"][0]["required"], true);
    assert_eq!((&commands[1]["options"], &commands[2]["options"][0]["name"]), (&json!([]), &json!("text")));
    platform.next(Answer::json(400, &json!({ "message": "Invalid Form Body", "code": 50035, "errors": { "interactions_endpoint_url": { "_errors": [{ "code": "APPLICATION_INTERACTIONS_ENDPOINT_URL_INVALID" }] } } })));
    let refused = channel.register("https://example.org/nowhere", MENU).await.unwrap_err().to_string();
    assert!(refused.contains("interactions_endpoint_url"), "{refused}");
}

#[tokio::test]
async fn health_tells_what_is_missing() {
    let (platform, channel) = discord().await;
    let fine = "@chela (1100000000000000001); posts to https://example.org/webhook/discord";
    assert_eq!(channel.health().await.unwrap(), Health { ok: true, summary: fine.to_owned() });
    platform.next(Answer::json(200, &json!({ "id": "7", "username": "other" })));
    platform.next(Answer::json(200, &json!({ "id": "7", "interactions_endpoint_url": null, "verify_key": "00" })));
    let wrong = channel.health().await.unwrap();
    assert!(!wrong.ok);
    for words in ["channels register discord", "publicKey", "applicationId must be \"7\""] {
        assert!(wrong.summary.contains(words), "{words} is not in {}", wrong.summary);
    }
}

#[tokio::test]
async fn messages_are_deleted_and_pinned_where_they_stand() {
    let (platform, channel) = discord().await;
    let to = to("guild-mention");
    channel.delete(&to, &format!("{ROOM}/{MADE}")).await.unwrap();
    channel.pin(&to, MADE, true).await.unwrap();
    channel.pin(&to, MADE, false).await.unwrap();
    let wanted = [
        format!("DELETE /channels/{ROOM}/messages/{MADE}"),
        format!("PUT /channels/{ROOM}/messages/pins/{MADE}"),
        format!("DELETE /channels/{ROOM}/messages/pins/{MADE}"),
    ];
    assert_eq!(asked(&platform), wanted);
    platform.next(no(404, 10_008));
    channel.delete(&to, MADE).await.unwrap();
    platform.next(no(403, 50_013));
    assert!(matches!(channel.delete(&to, MADE).await, Err(SendError::Refused { .. })));
}

/// The ids of messages name their channel, and a caller may be let into one and not into another.
#[tokio::test]
async fn a_message_of_another_channel_is_none_of_this_one() {
    let (platform, channel) = discord().await;
    let (to, other) = (to("guild-mention"), format!("{DM}/{MADE}"));
    let refused = [
        channel.delete(&to, &other).await,
        channel.pin(&to, &other, true).await,
        channel.react(&to, &other, "👍").await,
        channel.edit(&other, &part(&to, "x")).await,
        channel.open_thread(&to, "x", Some(&other)).await.map(drop),
    ];
    for refused in refused {
        assert!(matches!(refused, Err(SendError::Refused { .. })), "{refused:?}");
    }
    assert_eq!(asked(&platform), Vec::<String>::new());
}

#[tokio::test]
async fn a_poll_has_a_key_and_a_thread_begins_under_a_message_or_alone() {
    let (platform, channel) = discord().await;
    let to = to("guild-mention");
    let poll = Poll { question: "Lunch?".into(), options: vec!["Pizza".into(), "Ramen".into()], multiple: false };
    let receipt = channel.poll(&poll, &part(&to, "")).await.unwrap();
    assert_eq!(receipt.message_id, format!("{ROOM}/{MADE}"));
    let seen = one(&platform);
    assert_eq!(format!("{} {}", seen.method, seen.path), format!("POST /channels/{ROOM}/messages"));
    let mut body = seen.json();
    assert_eq!(body["nonce"].take().as_str().unwrap().len(), 25);
    let wanted = json!({
        "allowed_mentions": { "parse": [], "replied_user": false },
        "nonce": null,
        "enforce_nonce": true,
        "flags": 4,
        "poll": {
            "question": { "text": "Lunch?" },
            "answers": [{ "poll_media": { "text": "Pizza" } }, { "poll_media": { "text": "Ramen" } }],
            "duration": 24,
            "allow_multiselect": false,
        },
    });
    assert_eq!(body, wanted);
    for (message, path) in
        [(Some(MADE), format!("/channels/{ROOM}/messages/{MADE}/threads")), (None, format!("/channels/{ROOM}/threads"))]
    {
        platform.next(Answer::json(201, &json!({ "id": "77", "name": "Plans" })));
        assert_eq!(channel.open_thread(&to, "Plans", message).await.unwrap(), "77");
        let seen = one(&platform);
        assert_eq!((seen.method.as_str(), &*seen.path, &seen.json()["name"]), ("POST", &*path, &json!("Plans")));
    }
}
