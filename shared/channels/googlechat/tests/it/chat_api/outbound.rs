//! What is sent, and where to.

use super::*;

#[tokio::test]
async fn a_part_is_created_once_however_often_it_is_sent() {
    let platform = Platform::start(subject().manners).await;
    let channel = at(&platform, json!({}), still());
    assert_eq!(channel.unconfirmed(&to(None)), Unconfirmed::ResendWithKey);
    let sent = channel.send(&part(&to(None), "hello **you**")).await.unwrap();
    assert_eq!(sent.message_id, "spaces/4a3bcDAAAAE/messages/x.y");
    platform.next(Answer::json(409, &json!({ "error": { "code": 409, "status": "ALREADY_EXISTS", "message": "…" } })));
    let again = channel.send(&part(&to(None), "hello **you**")).await.unwrap();
    assert_eq!(again.message_id, "spaces/4a3bcDAAAAE/messages/client-0123456789abcdef0123456789abcdef");
    channel.edit(&again.message_id, &part(&to(None), "changed")).await.unwrap();
    let seen = platform.take();
    let key = "client-0123456789abcdef0123456789abcdef";
    let create = format!("/v1/spaces/4a3bcDAAAAE/messages?requestId={key}&messageId={key}");
    let edit = format!("/v1/spaces/4a3bcDAAAAE/messages/{key}?updateMask=text");
    let asked: Vec<_> = seen.iter().map(|seen| (seen.method.clone(), seen.path.as_str())).collect();
    assert_eq!(asked, [(Method::POST, &create[..]), (Method::POST, &create), (Method::PATCH, &edit)]);
    assert_eq!(seen[0].json(), json!({ "text": "hello *you*" }));
    assert!(seen.iter().all(|seen| seen.headers["authorization"] == "Bearer ya29.issued"));
    assert_eq!(platform.take_asides().len(), 1, "one access token for all");
    let (address, key) = (to(None), "A_b/c?d&é".repeat(20));
    let odd = OutboundPart { idempotency_key: &key, ..part(&address, "x") };
    channel.send(&odd).await.unwrap();
    let path = platform.take().remove(0).path;
    let id = path.split_once("messageId=").unwrap().1;
    assert!(id.len() <= 63 && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{id}");
}

#[tokio::test]
async fn an_answer_stands_in_its_thread() {
    let platform = Platform::start(subject().manners).await;
    let channel = at(&platform, json!({}), still());
    channel.send(&part(&to(Some("spaces/4a3bcDAAAAE/threads/T")), "hello")).await.unwrap();
    let seen = platform.take().remove(0);
    assert!(seen.path.ends_with("&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"), "{}", seen.path);
    assert_eq!(seen.json()["thread"], json!({ "name": "spaces/4a3bcDAAAAE/threads/T" }));
    for address in [
        to(Some("T")),
        ReplyAddress { to: "spaces/../x".into(), ..to(None) },
        ReplyAddress { to: "x".into(), ..to(None) },
    ] {
        let error = channel.send(&part(&address, "hello")).await.unwrap_err();
        assert!(matches!(error, SendError::Refused { .. }), "{error}");
    }
    for id in ["", "spaces/A", "spaces/A/messages/../x", "spaces/A/messages/x?y"] {
        let error = channel.edit(id, &part(&to(None), "x")).await.unwrap_err();
        assert!(matches!(error, SendError::Refused { .. }), "{id}: {error}");
    }
    assert_eq!(platform.take(), []);
}

#[tokio::test]
async fn a_message_is_deleted_once_and_never_in_another_space() {
    let platform = Platform::start(subject().manners).await;
    let channel = at(&platform, json!({}), still());
    let own = "spaces/4a3bcDAAAAE/messages/x.y";
    channel.delete(&to(None), own).await.unwrap();
    let seen = platform.take().remove(0);
    assert_eq!((seen.method, seen.path), (Method::DELETE, format!("/v1/{own}")));
    platform.next(Answer::json(404, &json!({ "error": { "status": "NOT_FOUND", "message": "gone" } })));
    channel.delete(&to(None), own).await.unwrap();
    platform.next(Answer::json(403, &json!({ "error": { "status": "PERMISSION_DENIED", "message": "another's" } })));
    assert!(matches!(channel.delete(&to(None), own).await, Err(SendError::Refused { .. })));
    platform.take();
    for elsewhere in
        ["spaces/B/messages/x.y", "spaces/4a3bcDAAAAEE/messages/x.y", "spaces/4a3bcDAAAAE/threads/x", "x.y"]
    {
        for done in [
            channel.delete(&to(None), elsewhere).await,
            channel.edit(elsewhere, &part(&to(None), "x")).await,
            channel.open_thread(&to(None), "n", Some(elsewhere)).await.map(drop),
        ] {
            assert!(matches!(done, Err(SendError::Refused { .. })), "{elsewhere}: {done:?}");
        }
    }
    assert_eq!(platform.take(), []);
}

#[tokio::test]
async fn a_thread_is_a_messages_own() {
    let platform = Platform::start(subject().manners).await;
    let channel = at(&platform, json!({}), still());
    let thread = "spaces/4a3bcDAAAAE/threads/T";
    let stands =
        || Answer::json(200, &json!({ "name": "spaces/4a3bcDAAAAE/messages/x.y", "thread": { "name": thread } }));
    channel.send(&part(&to(None), "warm")).await.unwrap();
    platform.next(stands());
    assert_eq!(channel.open_thread(&to(None), "Plans", None).await.unwrap(), thread);
    platform.next(stands());
    let under = Some("spaces/4a3bcDAAAAE/messages/x.y");
    assert_eq!(channel.open_thread(&to(None), "Plans", under).await.unwrap(), thread);
    let seen = platform.take();
    let (new, asked) = (&seen[seen.len() - 2], &seen[seen.len() - 1]);
    assert_eq!((new.method.clone(), new.json()), (Method::POST, json!({ "text": "Plans" })));
    assert!(new.path.starts_with("/v1/spaces/4a3bcDAAAAE/messages?requestId=client-"), "{}", new.path);
    assert_eq!((asked.method.clone(), asked.path.as_str()), (Method::GET, "/v1/spaces/4a3bcDAAAAE/messages/x.y"));
    // A place without threads.
    platform.next(Answer::json(200, &json!({ "name": "spaces/4a3bcDAAAAE/messages/x.y" })));
    assert!(matches!(channel.open_thread(&to(None), "Plans", under).await, Err(SendError::Refused { .. })));
    let nowhere = ReplyAddress { to: "spaces/../x".into(), ..to(None) };
    assert!(channel.open_thread(&nowhere, "Plans", None).await.is_err());
}

#[tokio::test]
async fn a_button_names_the_function_or_the_add_ons_url() {
    let platform = Platform::start(subject().manners).await;
    let choices = [Choice { label: "Yes".into(), value: "y".into() }];
    let function = async |options: Value| {
        let channel = at(&platform, options, still());
        channel.send(&OutboundPart { choices: &choices, ..part(&to(None), "May I?") }).await.unwrap();
        let card = platform.take().remove(0).json()["cardsV2"][0].clone();
        card["card"]["sections"][0]["widgets"][0]["buttonList"]["buttons"][0]["onClick"]["action"].clone()
    };
    let parameters = json!([{ "key": "choice", "value": "y" }]);
    assert_eq!(function(json!({})).await, json!({ "function": "choice", "parameters": parameters }));
    assert_eq!(function(json!({ "appPrincipal": ADD_ON })).await, json!({ "function": URL, "parameters": parameters }));
}

#[tokio::test]
async fn a_token_that_ran_out_early_is_replaced_and_the_part_tried_again() {
    let platform = Platform::start(subject().manners).await;
    let clock = still();
    let channel = at(&platform, json!({}), clock.clone());
    channel.send(&part(&to(None), "one")).await.unwrap();
    clock.advance(120_000);
    platform.next(Answer::text(401, ""));
    let error = channel.send(&part(&to(None), "two")).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error}");
    channel.send(&part(&to(None), "two")).await.unwrap();
    assert_eq!(platform.take_asides().len(), 2);
}

#[tokio::test]
async fn files_are_shown_where_they_lie_and_fetched_from_chat_only() {
    let platform = Platform::start(subject().manners).await;
    let channel = at(&platform, json!({}), still());
    let to = to(None);
    let attach = async |content_type: &str, url| {
        let file = OutboundFile { name: "a", content_type, bytes: Bytes::from_static(b"x"), url };
        let sent = channel.attach(&file, &part(&to, "caption")).await;
        let widgets = |seen: Value| seen["cardsV2"][0]["card"]["sections"][0]["widgets"][0].clone();
        (sent.is_ok(), platform.take().first().map(|seen| widgets(seen.json())).unwrap_or_default())
    };
    let url = Some("https://files.example.org/a");
    assert_eq!(attach("image/png", url).await.1["image"]["imageUrl"], "https://files.example.org/a");
    let other = attach("application/pdf", url).await.1;
    assert_eq!(other["buttonList"]["buttons"][0]["onClick"]["openLink"]["url"], "https://files.example.org/a");
    assert_eq!(attach("image/png", None).await, (false, Value::Null));

    let wait = Duration::from_secs(1);
    let media = |reference: &str| Media {
        reference: reference.into(),
        content_type: None,
        name: None,
        size: None,
        missing: None,
    };
    channel.fetch(&media("Clxz/a+b="), 100, wait).await.unwrap();
    let seen = platform.take().remove(0);
    assert_eq!(
        (seen.path.as_str(), &seen.headers["authorization"]),
        ("/v1/media/Clxz/a+b=?alt=media", &"Bearer ya29.issued".parse().unwrap())
    );
    for refused in ["drive:1dRiVe", "../../token", "", "a//b"] {
        let error = channel.fetch(&media(refused), 100, wait).await.unwrap_err();
        assert!(matches!(error, SendError::Refused { .. }), "{refused}: {error}");
    }
    assert_eq!(platform.take(), []);
}

#[tokio::test]
async fn the_steps_name_the_url_and_health_asks_google() {
    let platform = Platform::start(subject().manners).await;
    let channel = at(&platform, json!({}), still());
    let registered = format!("{:?}", channel.register("https://example.org/webhook/googlechat", MENU).await.unwrap());
    for word in
        ["Manual", "https://example.org/webhook/googlechat", "Authentication audience", "appPrincipal", "/help", "id 2"]
    {
        assert!(registered.contains(word), "{word}");
    }
    assert!(channel.health().await.unwrap().ok);
    assert_eq!(platform.take()[0].path, "/v1/spaces?pageSize=1");
    let no = json!({ "error": { "status": "PERMISSION_DENIED", "message": "Google Chat API has not been used in project 1" } });
    platform.next(Answer::json(403, &no));
    let error = channel.health().await.unwrap_err().to_string();
    assert!(error.contains("has not been used"), "{error}");
}
