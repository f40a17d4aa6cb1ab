//! What is sent, and where to.

use super::*;

#[tokio::test]
async fn a_part_is_posted_with_a_token_that_is_asked_for_once() {
    let platform = Platform::start(subject().manners).await;
    let channel = open_with(
        json!({ "tenantId": "contoso.onmicrosoft.com" }),
        Some(platform.url()),
        Arc::new(ManualClock::at(ARRIVAL)),
    );
    let mut to = to();
    let sent = channel.send(&part(&to, "hello **you**")).await.unwrap();
    assert_eq!(sent.message_id, "1767225600123");
    to.thread = Some("1767225000001".to_owned());
    channel.edit(&sent.message_id, &part(&to, "changed")).await.unwrap();
    channel.typing(&to).await.unwrap();
    channel.react(&to, "1767225500001", "❤️").await.unwrap();
    let tokens = platform.take_asides();
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].path, "/contoso.onmicrosoft.com/oauth2/v2.0/token");
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&tokens[0].body).into_owned().collect();
    let wanted = [
        ("grant_type", "client_credentials"),
        ("client_id", APP),
        ("client_secret", "public-test-secret~0"),
        ("scope", "https://api.botframework.com/.default"),
    ];
    assert_eq!(form, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let seen = platform.take();
    assert!(seen.iter().all(|seen| seen.headers["authorization"] == "Bearer issued"));
    let asked: Vec<_> = seen.iter().map(|seen| (seen.method.clone(), seen.path.as_str())).collect();
    let room = "/v3/conversations/a%3A1qhNLqpUtmuI6U35gzjsJn7uRnCkW8NiZALHfN8AMxdbprS1uta2aT";
    let thread = format!("{room}%3Bmessageid%3D1767225000001");
    assert_eq!(
        asked,
        [
            (Method::POST, format!("{room}/activities").as_str()),
            (Method::PUT, &format!("{thread}/activities/1767225600123")),
            (Method::POST, &format!("{thread}/activities")),
            (Method::PUT, &format!("{thread}/activities/1767225500001/reactions/heart")),
        ]
    );
    assert_eq!(seen[0].json(), json!({ "type": "message", "textFormat": "markdown", "text": "hello **you**" }));
    assert_eq!(seen[2].json(), json!({ "type": "typing" }));
    let unknown = channel.react(&to, "1", "🦀").await.unwrap_err();
    assert!(matches!(unknown, SendError::Refused { .. }), "{unknown}");
}

#[tokio::test]
async fn a_message_is_deleted_once_where_it_stands() {
    let platform = Platform::start(subject().manners).await;
    let channel = open_with(json!({}), Some(platform.url()), Arc::new(ManualClock::at(ARRIVAL)));
    channel.delete(&to(), "1767225600123").await.unwrap();
    let seen = platform.take().remove(0);
    assert_eq!(seen.method, Method::DELETE);
    assert!(seen.path.ends_with("/activities/1767225600123"), "{}", seen.path);
    platform.next(Answer::json(404, &json!({ "error": { "code": "ActivityNotFoundInConversation", "message": "x" } })));
    channel.delete(&to(), "1767225600123").await.unwrap();
    platform.next(Answer::json(403, &json!({ "error": { "code": "BotNotMessageAuthor", "message": "x" } })));
    assert!(matches!(channel.delete(&to(), "1").await, Err(SendError::Refused { .. })));
    platform.take();
    for climbing in ["", "..", "a b"] {
        assert!(channel.delete(&to(), climbing).await.is_err(), "{climbing}");
    }
    assert_eq!(platform.take(), vec![]);
}

#[tokio::test]
async fn threads_are_begun_in_channels_of_a_team() {
    let platform = Platform::start(subject().manners).await;
    let channel = open_with(json!({}), Some(platform.url()), Arc::new(ManualClock::at(ARRIVAL)));
    channel.send(&part(&to(), "warm")).await.unwrap();
    platform.take();
    let room =
        |id: &str| ReplyAddress { to: format!("{id}|https://smba.trafficmanager.net/emea"), thread: None, ..to() };
    let team = room("19:a@thread.tacv2");
    assert_eq!(channel.open_thread(&team, "Plans", Some("1767225500001")).await.unwrap(), "1767225500001");
    for odd in ["", "1;x", "19:b@thread.tacv2;messageid=1"] {
        assert!(channel.open_thread(&team, "Plans", Some(odd)).await.is_err(), "{odd}");
    }
    for chat in [to(), room("19:a@thread.v2"), room("a:1@thread.tacv2")] {
        for message in [None, Some("1767225500001")] {
            let error = channel.open_thread(&chat, "Plans", message).await.unwrap_err();
            assert!(error.to_string().contains("channels of a team"), "{error}");
        }
    }
    assert_eq!(platform.take(), vec![]);
    platform.next(Answer::json(201, &json!({ "id": "19:a@thread.tacv2;messageid=17", "activityId": "17" })));
    assert_eq!(channel.open_thread(&team, "**Plans**", None).await.unwrap(), "17");
    let seen = platform.take().remove(0);
    assert_eq!((seen.method.clone(), seen.path.as_str()), (Method::POST, "/v3/conversations"));
    let wanted = json!({
        "isGroup": true, "channelData": { "channel": { "id": "19:a@thread.tacv2" } },
        "activity": { "type": "message", "textFormat": "markdown", "text": "**Plans**" },
    });
    assert_eq!(seen.json(), wanted);
    platform.next(Answer::json(201, &json!({ "id": "19:a@thread.tacv2" })));
    assert!(matches!(channel.open_thread(&team, "Plans", None).await, Err(SendError::Unknown { .. })));
}

#[tokio::test]
async fn a_token_that_ran_out_early_is_replaced_and_the_part_tried_again() {
    let platform = Platform::start(subject().manners).await;
    let clock = Arc::new(ManualClock::at(ARRIVAL));
    let channel = open_with(json!({}), Some(platform.url()), clock.clone());
    channel.send(&part(&to(), "one")).await.unwrap();
    clock.advance(120_000);
    platform.next(Answer::text(401, ""));
    let error = channel.send(&part(&to(), "two")).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error}");
    channel.send(&part(&to(), "two")).await.unwrap();
    let tokens = platform.take_asides();
    assert_eq!(tokens.len(), 2);
    assert!(tokens[0].path.starts_with("/botframework.com/"), "a multi-tenant bot");
}

#[tokio::test]
async fn nothing_is_sent_to_an_address_that_is_no_service_of_teams() {
    let channel = open_with(json!({}), None, Arc::new(ManualClock::at(ARRIVAL)));
    for address in ["a:1|https://evil.example", "a:1|http://smba.trafficmanager.net", "..", "a b"] {
        let to = ReplyAddress { to: address.to_owned(), ..to() };
        let error = channel.send(&part(&to, "hello")).await.unwrap_err();
        assert!(matches!(error, SendError::Refused { .. }), "{address}: {error}");
    }
}

/// Everything that was ever mistaken for the service: in the body, in the token, and in the address of an answer. The refusal
/// is the channel's own, before it has asked for a token.
#[tokio::test]
async fn w23_no_token_is_fetched_for_a_service_that_only_looks_like_one_of_teams() {
    let channel = open(json!({}));
    for evil in [
        "https://smba.trafficmanager.net.evil.example/",
        "https://smba.trafficmanager.net@evil.example/",
        "https://evil.example/smba.trafficmanager.net/",
        "https://evil.example#smba.trafficmanager.net",
        "https://evil.example\\@smba.trafficmanager.net/",
        "https://evil.trafficmanager.net/",
        "https://evilbotframework.com/",
        "https://api.botframework.com.evil.example/",
        "https://smba.trafficmanager.net:8443/",
        "http://smba.trafficmanager.net/",
    ] {
        // Even where the token speaks for the same place as the body.
        let claims = with(good(), "/serviceurl", json!(evil));
        let verdict = read(&*channel, &claims, &with(sample("text"), "/serviceUrl", json!(evil)));
        assert!(matches!(verdict, Err(Rejected::Unproven(_))), "{evil}: {verdict:?}");
        let to = ReplyAddress { to: format!("a:1|{evil}"), ..to() };
        let error = channel.send(&part(&to, "hello")).await.unwrap_err();
        assert!(matches!(error, SendError::Refused { .. }), "{evil}: {error}");
        assert!(channel.typing(&to).await.is_err() && channel.edit("1", &part(&to, "x")).await.is_err(), "{evil}");
    }
}

#[tokio::test]
async fn files_go_out_in_the_message_or_by_their_url() {
    let platform = Platform::start(subject().manners).await;
    let channel = at(&platform);
    let to = to();
    let url = Some("https://files.example.org/a");
    let attach = async |content_type: &str, bytes: usize, url| {
        let file = OutboundFile { name: "a", content_type, bytes: Bytes::from(vec![0; bytes]), url };
        let sent = channel.attach(&file, &part(&to, "caption")).await;
        (sent.is_ok(), platform.take().first().map(|seen| seen.json()["attachments"][0].clone()).unwrap_or_default())
    };
    let (sent, small) = attach("image/gif", 3, None).await;
    assert!(sent);
    assert_eq!(small, json!({ "contentType": "image/gif", "contentUrl": "data:image/gif;base64,AAAA", "name": "a" }));
    let (_, large) = attach("image/png", 150 * 1024 + 1, url).await;
    assert_eq!(large["contentUrl"], "https://files.example.org/a");
    let (_, other) = attach("application/pdf", 3, url).await;
    assert_eq!(other["content"]["actions"][0]["url"], "https://files.example.org/a");
    assert_eq!(attach("image/png", 150 * 1024 + 1, None).await, (false, Value::Null));
    assert_eq!(attach("application/pdf", 3, None).await, (false, Value::Null));
}

#[tokio::test]
async fn the_token_goes_to_the_connector_only() {
    let platform = Platform::start(subject().manners).await;
    let channel = at(&platform);
    let wait = Duration::from_secs(1);
    let media = |reference: String| Media { reference, content_type: None, name: None, size: None, missing: None };
    channel.fetch(&media(format!("{}/v3/attachments/1/views/original", platform.url())), 100, wait).await.unwrap();
    assert_eq!(platform.take()[0].headers["authorization"], "Bearer issued");
    for url in [
        "https://evil.example/a",
        "http://contoso.sharepoint.com/a",
        "https://sharepoint.com.evil.example/a",
        "https://evilsharepoint.com/a",
        "file:///etc/passwd",
    ] {
        let error = channel.fetch(&media(url.to_owned()), 100, wait).await.unwrap_err();
        // The channel's own refusal: it does not leave it to the client to find nobody there.
        let ours = error.to_string().contains("which mediaAllowHosts does not name");
        assert!(ours && matches!(error, SendError::Refused { .. }), "{url}: {error}");
    }
    // A host the owner allows gets the request, but not the token.
    assert_eq!(platform.take(), []);
    let files = Platform::start(|_| Answer::text(200, "file")).await;
    let host = url::Url::parse(files.url()).unwrap().host_str().unwrap().to_owned();
    let channel =
        open_with(json!({ "mediaAllowHosts": [host] }), Some(platform.url()), Arc::new(ManualClock::at(ARRIVAL)));
    let error = channel.fetch(&media(format!("{}/a", files.url())), 100, wait).await.unwrap_err();
    assert!(error.to_string().contains("mediaAllowHosts"), "only over https: {error}");
    assert_eq!(files.take(), []);
}

#[tokio::test]
async fn the_steps_name_the_url_and_health_asks_for_a_token() {
    let platform = Platform::start(subject().manners).await;
    let channel = at(&platform);
    let registered = format!("{:?}", channel.register("https://example.org/webhook/teams", MENU).await.unwrap());
    for word in ["Manual", "https://example.org/webhook/teams", "Messaging endpoint", "client secret", "tenantId"] {
        assert!(registered.contains(word), "{word}");
    }
    assert!(channel.health().await.unwrap().ok);
    assert_eq!(platform.take_asides().len(), 1);
    let wrong = Platform::start(|_| {
        Answer::json(
            401,
            &json!({ "error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret" }),
        )
    });
    let error = at(&wrong.await).health().await.unwrap_err().to_string();
    assert!(error.contains("AADSTS7000215"), "{error}");
}
