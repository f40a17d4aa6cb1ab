//! What is believed, and what it says.

use super::*;

#[test]
fn an_identity_token_is_googles_for_our_url_about_chat() {
    let app = |claims: &Value| judged(json!({}), URL, claims);
    assert_eq!(app(&good()), Ok(()));
    assert_eq!(app(&with(good(), "/iss", json!("accounts.google.com"))), Ok(()));
    for issuer in [CHAT, "https://accounts.google.com/", "https://securetoken.google.com/x"] {
        assert_eq!(app(&with(good(), "/iss", json!(issuer))), Err("the token is from another issuer"));
    }
    for audience in ["https://chela.example.com/webhook/googlechat/", "https://evil.example.com", "1234567890"] {
        assert_eq!(app(&with(good(), "/aud", json!(audience))), Err("the token is for somebody else"));
    }
    for email in ["ada@example.com", "CHAT@system.gserviceaccount.com", "chat@system.gserviceaccount.com.evil.example"]
    {
        assert!(app(&with(good(), "/email", json!(email))).unwrap_err().contains("not Google Chat's"), "{email}");
    }
    assert!(app(&with(good(), "/email_verified", json!(false))).unwrap_err().contains("not verified"));
    for verified in [json!("true"), json!(1), json!(null)] {
        assert!(app(&with(good(), "/email_verified", verified)).is_err());
    }
    assert!(app(&without(good(), "/email_verified")).is_err() && app(&without(good(), "/email")).is_err());
}

/// The header and the signature changed, and the claims kept.
fn forged(header: &Value, keep_signature: bool) -> RawRequest {
    use base64::Engine as _;
    let bearer = test_bearer(&good()).unwrap().to_str().unwrap().to_owned();
    let [_, claims, signature] = bearer.strip_prefix("Bearer ").unwrap().split('.').collect::<Vec<_>>()[..] else {
        panic!()
    };
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header.to_string());
    let token = format!("Bearer {header}.{claims}.{}", if keep_signature { signature } else { "" });
    let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, http::HeaderValue::from_str(&token).unwrap())]);
    request(headers, sample("text").to_string().as_bytes())
}

/// Accounts are told apart by their URLs, and each believes tokens for its own audience alone: a token for one opens no
/// other, wherever it is posted and whatever else stands in it.
#[test]
fn w22_a_token_opens_the_one_account_it_was_made_for_and_only_while_it_holds() {
    let (ada, bob) = (URL, "https://chela.example.com/webhook/googlechat/bob");
    let project =
        |claims: &Value, audience: &str| judged(json!({ "audienceType": "project-number" }), audience, claims);
    let to = |audience: Value| with(good(), "/aud", audience);
    for (account, audience, believed) in [(ada, ada, true), (bob, bob, true), (ada, bob, false), (bob, ada, false)] {
        assert_eq!(judged(json!({}), account, &to(json!(audience))).is_ok(), believed, "{audience} at {account}");
    }
    for ambiguous in
        [json!([ada, bob]), json!([ada]), json!(null), json!(""), json!({ "0": ada }), json!(format!("{ada} {bob}"))]
    {
        assert!(judged(json!({}), ada, &to(ambiguous.clone())).is_err(), "{ambiguous}");
    }
    assert!(project(&to(json!("1234567890")), "1234567890").is_err(), "an app's token at a project's account");
    for expired in [NOW - 301, NOW - 3_600, 0] {
        let claims = with(good(), "/exp", json!(expired));
        assert_eq!(judged(json!({}), ada, &claims), Err("the token has expired"), "{expired}");
    }
    assert!(judged(json!({}), ada, &without(good(), "/exp")).is_err(), "for ever");
    assert!(judged(json!({}), ada, &with(good(), "/iat", json!(NOW + 301))).is_err(), "not yet");
    let channel = open(json!({}), ada);
    for (algorithm, keep_signature) in
        [("none", false), ("none", true), ("None", false), ("HS256", true), ("RS512", true)]
    {
        let header = json!({ "alg": algorithm, "kid": "public-test-key", "typ": "JWT" });
        let verdict = channel.verify(forged(&header, keep_signature)).map(|_| "taken");
        assert!(matches!(verdict, Err(Rejected::Unproven(_))), "{algorithm}: {verdict:?}");
    }
    let header = json!({ "alg": "RS256", "kid": "public-test-key" });
    assert!(channel.verify(forged(&header, false)).is_err(), "without a signature");
    assert_eq!(judged(json!({}), ada, &good()), Ok(()), "the control");
}

#[test]
fn an_add_on_is_known_by_its_exact_account() {
    let claims = with(with(good(), "/email", json!(ADD_ON)), "/sub", json!("110000000000000000001"));
    let add_on = |principal: &str, claims: &Value| judged(json!({ "appPrincipal": principal }), URL, claims);
    assert!(judged(json!({}), URL, &claims).unwrap_err().contains("appPrincipal"));
    assert_eq!(add_on(ADD_ON, &claims), Ok(()));
    assert_eq!(add_on("110000000000000000001", &claims), Ok(()));
    assert_eq!(add_on(ADD_ON, &good()), Ok(()), "Chat itself may still post");
    assert!(add_on("110000000000000000002", &claims).is_err());
    assert!(add_on("service-1@gcp-sa-gsuiteaddons.iam.gserviceaccount.com", &claims).is_err());
    // The numeric id of somebody who is no add-on.
    assert!(add_on("110000000000000000001", &with(claims, "/email", json!("ada@example.com"))).is_err());
}

#[test]
fn a_token_for_a_project_number_is_issued_by_chat_itself() {
    let claims = json!({ "iss": CHAT, "aud": "1234567890", "iat": NOW, "exp": NOW + 600 });
    let app = |claims: &Value| judged(json!({ "audienceType": "project-number" }), "1234567890", claims);
    assert_eq!(app(&claims), Ok(()));
    assert_eq!(app(&with(claims.clone(), "/aud", json!("1234567891"))), Err("the token is for somebody else"));
    assert!(app(&with(claims.clone(), "/aud", json!(1_234_567_890))).is_err());
    let google = with(claims, "/iss", json!("https://accounts.google.com"));
    assert_eq!(app(&google), Err("the token is from another issuer"));
}

#[tokio::test]
async fn each_kind_of_token_has_its_keys() {
    let kinds = [
        (json!({}), URL, "/oauth2/v3/certs"),
        (
            json!({ "audienceType": "project-number" }),
            "1234567890",
            "/service_accounts/v1/jwk/chat@system.gserviceaccount.com",
        ),
    ];
    for (options, audience, path) in kinds {
        let platform = Platform::start(|_| Answer::json(200, &test_key_set().unwrap())).await;
        let settings = settings(options, audience, Some(platform.url()), still());
        let channel = DESCRIPTOR.open(&settings).unwrap();
        channel.fetch_keys(&post(&good(), &json!({}))).await.unwrap();
        assert_eq!(platform.take()[0].path, path);
        assert_eq!(channel.verify(post(&good(), &json!({}))).is_ok(), audience == URL);
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let refusal = |options: Value, audience: &str, account: &str| {
        let mut settings = settings(options, audience, None, still());
        settings.secrets.insert("serviceAccount".to_owned(), Secret::new(account));
        DESCRIPTOR.open(&settings).map(drop).unwrap_err().to_string()
    };
    let key = SIMULATOR.secrets[1].1;
    assert!(refusal(json!({ "audienceType": "url" }), URL, key).contains("\"audienceType\""));
    assert!(refusal(json!({}), "1234567890", key).contains("\"audience\""));
    assert!(refusal(json!({ "audienceType": "project-number" }), URL, key).contains("\"audience\""));
    assert!(refusal(json!({ "botUser": "Chela" }), URL, key).contains("\"botUser\""));
    assert!(refusal(json!({ "quickCommands": ["/status"] }), URL, key).contains("\"quickCommands\""));
    assert!(refusal(json!({ "publicKeys": 1 }), URL, key).contains("\"publicKeys\""));
    for account in ["hunter2", "{}", r#"{"client_email":"a@b","private_key":"hunter2"}"#] {
        let told = refusal(json!({}), URL, account);
        assert!(told.contains("\"serviceAccount\"") && !told.contains("hunter2"), "{told}");
    }
}

#[test]
fn older_and_stranger_spaces_are_read() {
    let text = sample("text");
    let old = without(text.clone(), "/space/spaceType");
    assert_eq!(message(&old).unwrap().peer.kind.as_str(), "direct");
    let room = with(old, "/space/type", json!("ROOM"));
    assert_eq!(message(&room).unwrap().peer.kind.as_str(), "group");
    let inside = without(text.clone(), "/space");
    assert_eq!(message(&inside).unwrap().peer.kind.as_str(), "direct", "the message has its space too");
    let no_arguments = without(text.clone(), "/message/argumentText");
    assert_eq!(message(&no_arguments).unwrap().text, "hello");
    let flat = with(sample("room-mention"), "/space/spaceThreadingState", json!("UNTHREADED_MESSAGES"));
    assert_eq!(message(&flat).unwrap().thread, None);
    let reply = with(flat, "/message/threadReply", json!(true));
    assert_eq!(message(&reply).unwrap().thread.as_deref(), Some("spaces/AAQAmR00M01/threads/rM1"));
}

#[test]
fn names_that_google_never_writes_are_refused() {
    let text = sample("text");
    for (pointer, value) in [
        ("/space/name", "spaces/../x"),
        ("/space/name", "users/1"),
        ("/message/name", "spaces/A/messages/a?b"),
        ("/message/sender/name", ""),
        ("/message/thread/name", "spaces/A/members/1"),
    ] {
        let verdict = read(&*open(json!({}), URL), &good(), &with(text.clone(), pointer, json!(value)));
        assert!(matches!(verdict, Err(Rejected::Malformed(_))), "{pointer} {value}: {verdict:?}");
    }
    for missing in ["/message/createTime", "/message/name", "/type"] {
        let mut body = without(text.clone(), missing);
        body.as_object_mut().unwrap().remove("eventTime");
        let verdict = read(&*open(json!({}), URL), &good(), &body);
        assert!(matches!(verdict, Err(Rejected::Malformed(_))), "{missing}: {verdict:?}");
    }
}

#[test]
fn a_mention_is_ours_by_name_where_the_name_is_known() {
    let heard = |bot_user: &str| {
        let channel = open(json!({ "botUser": bot_user }), URL);
        read(&*channel, &good(), &sample("room-mention")).unwrap().messages[0].addressed
    };
    assert!(heard("users/118000000000000000009"));
    assert!(!heard("users/118000000000000000008"));
    let alias = with(sample("room-mention"), "/message/annotations/0/userMention/user/name", json!("users/app"));
    let channel = open(json!({ "botUser": "users/118000000000000000008" }), URL);
    assert!(read(&*channel, &good(), &alias).unwrap().messages[0].addressed);
}

#[test]
fn buttons_and_commands_are_read_in_both_forms() {
    let classic = message(&sample("button")).unwrap();
    assert_eq!(
        (classic.kind, classic.text.as_str(), classic.sender.id.as_str()),
        (InboundKind::Button, "approve:42", "users/117000000000000000002")
    );
    let bare = without(without(sample("button"), "/action/parameters"), "/common/parameters");
    assert_eq!(message(&with(bare.clone(), "/action/actionMethodName", json!("stop"))).unwrap().text, "stop");
    let nothing = without(without(bare, "/action/actionMethodName"), "/common/invokedFunction");
    assert_eq!(message(&nothing), None);
    // Whoever presses again means it: it is another event.
    let again = with(sample("button"), "/eventTime", json!("2026-01-01T00:00:01Z"));
    assert_ne!(message(&again).unwrap().event_id, classic.event_id);
    assert_eq!(message(&sample("addon-quick-command")), None, "it has no meaning here");
    let command =
        read(&*open(json!({ "quickCommands": { "7": "/status" } }), URL), &good(), &sample("addon-quick-command"));
    let command = command.unwrap().messages.remove(0);
    assert_eq!((command.kind, command.text.as_str()), (InboundKind::Command, "/status"));
    for id in [json!("7"), json!(7)] {
        let classic = json!({
            "type": "APP_COMMAND", "eventTime": "2026-01-01T00:00:01Z", "user": sample("text")["user"],
            "space": sample("text")["space"], "appCommandMetadata": { "appCommandId": id },
        });
        let channel = open(json!({ "quickCommands": { "7": "/status" } }), URL);
        assert_eq!(read(&*channel, &good(), &classic).unwrap().messages[0].text, "/status");
    }
}

proptest! {
    #[test]
    fn no_body_breaks_the_reader(text in "\\PC{0,120}", kind in "(MESSAGE|ADDED_TO_SPACE|CARD_CLICKED|APP_COMMAND|X)") {
        let channel = open(json!({}), URL);
        for pointer in ["/message/text", "/message/name", "/space/name", "/message/createTime", "/message/argumentText", "/chat"] {
            let body = with(with(sample("text"), "/type", json!(kind)), pointer, json!(text));
            let _ = read(&*channel, &good(), &body); // Any answer will do.
        }
    }
}
