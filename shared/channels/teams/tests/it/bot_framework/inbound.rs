//! What is believed, and what it says.

use super::*;

#[test]
fn the_token_is_the_bot_frameworks_for_our_app_and_says_which_service_speaks() {
    let channel = open(json!({}));
    let text = sample("text");
    assert_eq!(read(&*channel, &good(), &text).unwrap().messages.len(), 1, "the control");
    let issuers = ["https://api.botframework.us", "https://sts.windows.net/d6d49420-f39b-4df7-a1dc-d59a935871db/"];
    for issuer in issuers {
        unproven(read(&*channel, &with(good(), "/iss", json!(issuer)), &text), "another issuer");
    }
    for audience in ["another-app", "api://00000000-0000-4000-8000-00000000abcd"] {
        unproven(read(&*channel, &with(good(), "/aud", json!(audience)), &text), "somebody else");
    }
    unproven(read(&*channel, &without(good(), "/serviceurl"), &text), "a text");
    assert!(channel.verify(post(&without(good(), "/serviceurl"), &text)).is_err(), "before anything is parsed");
    unproven(read(&*channel, &with(good(), "/serviceurl", json!(null)), &text), "a text");
    let renamed = with(without(good(), "/serviceurl"), "/serviceUrl", json!(SERVICE.to_uppercase()));
    assert_eq!(read(&*channel, &renamed, &text).unwrap().messages.len(), 1, "the other spelling, without case");
}

#[test]
fn the_body_cannot_send_our_token_elsewhere() {
    let channel = open(json!({}));
    let text = sample("text");
    let evil = "https://evil.example/";
    unproven(read(&*channel, &good(), &with(text.clone(), "/serviceUrl", json!(evil))), "another service");
    let both = with(good(), "/serviceurl", json!(evil));
    unproven(read(&*channel, &both, &with(text.clone(), "/serviceUrl", json!(evil))), "not one of Teams");
    let trusting = open(json!({ "serviceUrls": [evil] }));
    let reply = read(&*trusting, &both, &with(text.clone(), "/serviceUrl", json!(evil))).unwrap().messages.remove(0);
    assert!(reply.reply_to.to.ends_with("|https://evil.example"), "{}", reply.reply_to.to);
    for channel_id in ["webchat", "emulator", "MSTEAMS", ""] {
        unproven(read(&*channel, &good(), &with(text.clone(), "/channelId", json!(channel_id))), "not from Teams");
    }
    for field in ["/serviceUrl", "/channelId", "/type"] {
        assert!(matches!(read(&*channel, &good(), &without(text.clone(), field)), Err(Rejected::Malformed(_))));
    }
}

#[test]
fn a_key_that_is_not_endorsed_for_teams_proves_nothing() {
    for endorsements in [json!([]), json!(["webchat", "slack"]), json!(["MSTEAMS"])] {
        let mut set = test_key_set().unwrap();
        set["keys"][0]["endorsements"] = endorsements;
        let channel = open_with(json!({ "publicKeys": set }), None, Arc::new(ManualClock::at(ARRIVAL)));
        unproven(read(&*channel, &good(), &sample("text")), "not endorsed");
    }
}

#[tokio::test]
async fn keys_come_from_the_metadata() {
    let platform = Platform::start(subject().manners).await;
    platform.next(Answer::json(200, &json!({ "jwks_uri": format!("{}/v1/.well-known/keys", platform.url()) })));
    platform.next(Answer::json(200, &test_key_set().unwrap()));
    let channel = at(&platform);
    let post = || post(&good(), &sample("text"));
    assert!(channel.verify(post()).is_err(), "without keys nothing is believed");
    channel.fetch_keys(&post()).await.unwrap();
    channel.fetch_keys(&post()).await.unwrap();
    assert!(channel.verify(post()).is_ok());
    let paths: Vec<_> = platform.take().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ["/v1/.well-known/openidconfiguration", "/v1/.well-known/keys"]);
}

#[test]
fn other_organisations_are_ignored_where_the_bot_is_for_one() {
    let heard = |tenant: &str, body: &Value| {
        let channel = open(json!({ "tenantId": tenant }));
        read(&*channel, &good(), body).unwrap().messages.len()
    };
    let text = sample("text");
    assert_eq!(heard("5F1E6A0C-0000-4000-8000-000000000001", &text), 1);
    assert_eq!(heard("5f1e6a0c-0000-4000-8000-000000000002", &text), 0);
    let nowhere = without(without(text.clone(), "/conversation/tenantId"), "/channelData/tenant");
    assert_eq!(heard("5f1e6a0c-0000-4000-8000-000000000001", &nowhere), 0);
    let channel_data_only = without(text, "/conversation/tenantId");
    assert_eq!(heard("5f1e6a0c-0000-4000-8000-000000000001", &channel_data_only), 1);
}

#[test]
fn who_and_where_are_read_as_documented() {
    let text = sample("text");
    let guest = message(&without(text.clone(), "/from/aadObjectId")).unwrap();
    assert_eq!((guest.sender.id.as_str(), guest.peer.id.as_str()), (&guest.peer.id[..], &guest.sender.id[..]));
    assert!(guest.sender.id.starts_with("29:"));
    let old = without(text.clone(), "/conversation/conversationType");
    assert_eq!(message(&old).unwrap().peer.kind.as_str(), "direct");
    assert_eq!(message(&with(old, "/conversation/isGroup", json!(true))).unwrap().peer.kind.as_str(), "group");
    for (pointer, value) in [
        ("/id", json!("")),
        ("/id", json!("a b")),
        ("/conversation/id", json!("")),
        ("/conversation/id", json!("a|https://evil.example")),
        ("/conversation/id", json!(";messageid=")),
        ("/from/aadObjectId", json!("a\nb")),
        ("/timestamp", json!("yesterday")),
        ("/from", json!(null)),
    ] {
        let verdict = read(&*open(json!({})), &good(), &with(text.clone(), pointer, value.clone()));
        assert!(matches!(verdict, Err(Rejected::Malformed(_))), "{pointer} {value}: {verdict:?}");
    }
}

#[test]
fn our_own_words_are_not_heard_whatever_our_id_looks_like() {
    let own = with(with(sample("text"), "/from/id", json!("bot")), "/recipient/id", json!("bot"));
    assert_eq!(message(&own), None);
}

#[test]
fn buttons_of_all_kinds_say_what_was_chosen() {
    let pressed = |value: Value| message(&with(sample("button"), "/value", value));
    let ours = pressed(json!({ "choice": "yes", "msteams": {} })).unwrap();
    assert_eq!((ours.kind, ours.text.as_str(), ours.addressed), (InboundKind::Button, "yes", true));
    assert_eq!(pressed(json!({ "actionId": "go" })).unwrap().text, r#"{"actionId":"go"}"#);
    for nothing in [json!({}), json!(null), json!([]), json!(7)] {
        assert_eq!(pressed(nothing), None);
    }
    let invoked = |value: Value| {
        let body = with(sample("card-action"), "/value", value);
        read(&*open(json!({})), &good(), &body).unwrap()
    };
    let execute = |verb: &str, data: Value| invoked(json!({ "action": { "verb": verb, "data": data } }));
    assert_eq!(execute("v", json!({ "choice": "c" })).messages[0].text, "c");
    assert_eq!(execute("v", json!({ "other": 1 })).messages[0].text, "v");
    let ack: Value = serde_json::from_slice(&execute("v", json!({})).ack.body).unwrap();
    assert_eq!(ack["statusCode"], 200);
    assert_eq!((invoked(json!({})).messages.len(), invoked(json!({})).ack.status.as_u16()), (0, 200));
    let sign_in = with(sample("card-action"), "/name", json!("signin/verifyState"));
    let answered = read(&*open(json!({})), &good(), &sign_in).unwrap();
    assert_eq!((answered.messages.len(), answered.ack.status.as_u16()), (0, 501));
}

#[test]
fn a_bare_mention_is_heard_and_an_empty_message_is_not() {
    let bare = with(sample("group-mention"), "/text", json!("<at>Chela</at>"));
    let heard = message(&bare).unwrap();
    assert_eq!((heard.text.as_str(), heard.addressed), ("", true));
    assert_eq!(message(&with(sample("group-text"), "/text", json!(" &nbsp;"))), None);
    assert_eq!(message(&without(sample("group-text"), "/text")), None);
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let refusal = |options: Value| {
        let http = HttpClient::new(HttpOptions { allow_hosts: vec![], user_agent: "t".into(), extra_roots: None });
        let settings = AccountSettings {
            account: "main".to_owned(),
            options: options.as_object().unwrap().clone(),
            secrets: SIMULATOR.test_secrets(),
            http: http.unwrap(),
            clock: Arc::new(ManualClock::at(ARRIVAL)),
        };
        DESCRIPTOR.open(&settings).map(drop).unwrap_err().to_string()
    };
    assert!(refusal(json!({ "tenantId": "a/../b" })).contains("\"tenantId\""));
    assert!(refusal(json!({ "serviceUrls": ["smba"] })).contains("\"serviceUrls\""));
    assert!(refusal(json!({ "publicKeys": {} })).contains("\"publicKeys\""));
}

proptest! {
    #[test]
    fn no_body_breaks_the_reader(text in "\\PC{0,120}", id in "\\PC{0,20}", kind in "(message|messageUpdate|invoke|typing)") {
        let channel = open(json!({}));
        for pointer in ["/text", "/conversation/id", "/value", "/from/id", "/timestamp"] {
            let body = with(with(with(sample("text"), "/type", json!(kind)), pointer, json!(text)), "/id", json!(id));
            let _ = read(&*channel, &good(), &body); // Any answer will do.
        }
    }
}
