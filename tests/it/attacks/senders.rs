//! People whom no list names, and people who say they are somebody else.

use super::*;
use crate::local::{PATIENCE, model_config};

/// What a platform tells about parts that we sent: that is written down, whoever they were for.
const RECEIPTS: [(&str, &str); 5] = [
    ("twilio", "status-sent"),
    ("twilio", "status-undelivered"),
    ("whatsapp", "batch"),
    ("whatsapp", "delivered"),
    ("whatsapp", "failed"),
];

fn simulator(channel: &str) -> &'static Simulator {
    chela_channel_registry::simulator(channel).unwrap()
}

/// A voice note of twenty megabytes, as Telegram tells of it.
fn voice() -> Vec<u8> {
    let mut update: Value = serde_json::from_slice(&samples("telegram")["voice"]).unwrap();
    update["message"]["voice"]["file_size"] = json!(20_000_000);
    update.to_string().into()
}

/// Everything the platforms were seen to post: words, files, edits, reactions, pins, people who come and go, pressed
/// buttons, commands.
#[tokio::test]
async fn a04_a14_what_a_stranger_does_is_neither_written_down_nor_fetched() {
    let house = House::open(&nobody(), json!({})).await;
    let mut before = house.settled().await;
    let (mut tried, mut written) = (0, Vec::new());
    for simulator in simulators() {
        let all = samples(simulator.channel).into_iter();
        for (name, body) in all.filter(|(name, _)| !RECEIPTS.contains(&(simulator.channel, name.as_str()))) {
            let (status, answer) = house.says(simulator, &body).await;
            assert!((200..300).contains(&status), "{}: {name}: {status} {answer}", simulator.channel);
            tried += 1;
            let now = house.kept();
            if now != before {
                written.push(format!("{}: {name}", simulator.channel));
                before = now;
            }
        }
    }
    house.says(simulator("telegram"), &voice()).await;
    assert!(tried > 250, "{tried}");
    assert!(written.is_empty() && before == house.settled().await, "something was written: {written:?}");
    // A homeserver is asked who is in a room before anybody in it can be judged, and invitations are followed.
    let asked = house.platforms.sent_to("").into_iter().map(|sent| sent.path);
    let asked: Vec<String> = asked.filter(|path| !path.starts_with("/_matrix/client/v3/")).collect();
    assert!(asked.is_empty(), "{asked:?}");
    // The control: of somebody who is heard it is fetched.
    let heard = House::open(&everybody(), json!({})).await;
    heard.says(simulator("telegram"), &samples("telegram")["voice"]).await;
    heard.platforms.wait_for("/getFile", 1, PATIENCE).await;
}

/// A stranger who may ask to be let in gets a code, and nothing else happens.
#[tokio::test]
async fn a14_a_stranger_who_may_pair_has_no_file_fetched_and_no_model_asked() {
    let platforms = Platforms::open().await;
    let pairing = account(simulator("telegram"), &platforms.url, &json!({"dmPolicy": "pairing"}));
    let mut config = model_config(&platforms.url);
    config["channels"] = json!({"telegram": pairing});
    let house = House::with(platforms, &config).await;
    house.says(simulator("telegram"), &samples("telegram")["voice"]).await;
    let sent = house.platforms.wait_for("/sendMessage", 1, PATIENCE).await;
    assert!(sent[0].body["text"].as_str().unwrap().contains("pairing code"), "{sent:?}");
    house.says(simulator("telegram"), &voice()).await;
    house.settled().await;
    let paths: Vec<String> = house.platforms.sent_to("").into_iter().map(|sent| sent.path).collect();
    assert!(!paths.iter().any(|path| path.contains("getFile") || path.contains("/file/")), "{paths:?}");
    assert!(!paths.iter().any(|path| path.ends_with("completions")), "{paths:?}");
}

#[tokio::test]
async fn a01_whoever_takes_a_name_that_is_listed_is_not_heard_and_the_list_is_told_to_be_wrong() {
    let platforms = Platforms::open().await;
    let list = json!(["alice"]);
    let policy = json!({"dmPolicy": "allowlist", "allowFrom": list});
    let config = json!({"channels": {"telegram": account(simulator("telegram"), &platforms.url, &policy)}});
    let house = House::with(platforms, &config).await;
    let before = house.settled().await;
    let mut update: Value = serde_json::from_slice(&text_of("telegram")).unwrap();
    for (first, last, username) in [("Alice", "Liddell", "alice"), ("alice", "", "alice"), ("@alice", "", "Alice")] {
        for place in ["from", "chat"] {
            update["message"][place]["first_name"] = json!(first);
            update["message"][place]["last_name"] = json!(last);
            update["message"][place]["username"] = json!(username);
        }
        let (status, _) = house.says(simulator("telegram"), update.to_string().as_bytes()).await;
        assert_eq!(status, 200, "{first}");
    }
    assert!(before == house.settled().await, "something was written");
    let mut check = crate::binaries::chela();
    check.args(["config", "check", "--json", "--config"]).arg(house.folder.path().join("chela.json5"));
    let told = tokio::task::spawn_blocking(move || check.output().unwrap()).await.unwrap();
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let named = |finding: &Value| finding.to_string().contains("allowFrom") && finding.to_string().contains("is no id");
    assert!(told["warnings"].as_array().unwrap().iter().any(named), "{told}");
}

/// Telegram's anonymous administrators write in the name of their group, and somebody listed the group.
#[tokio::test]
async fn a08_a_group_on_a_list_of_senders_lets_nobody_in() {
    let platforms = Platforms::open().await;
    let with = |group_allow_from: Value| {
        let policy = json!({"dmPolicy": "allowlist", "allowFrom": group_allow_from, "groupPolicy": "allowlist",
            "groupAllowFrom": group_allow_from, "groups": {"-1001234567890": {"requireMention": false}}});
        account(simulator("telegram"), &platforms.url, &policy)
    };
    let accounts =
        json!({"listed": with(json!(["-1001234567890", "telegram:-1001234567890"])), "open": with(json!(["*"]))});
    let config = json!({"channels": {"telegram": {"accounts": accounts}}});
    let house = House::with(platforms, &config).await;
    let before = house.settled().await;
    let anonymous = samples("telegram").remove("anonymous-admin").unwrap();
    let mut member: Value = serde_json::from_slice(&samples("telegram")["group-text"]).unwrap();
    member["message"]["chat"]["id"] = json!(-1_001_234_567_890_i64);
    let post = async |account: &str, body: &[u8]| {
        let target = format!("/webhook/telegram/{account}");
        house.send(&Method::POST, &target, &signed(simulator("telegram"), body), body).await.0
    };
    assert_eq!(post("listed", &anonymous).await, 200);
    assert_eq!(post("listed", member.to_string().as_bytes()).await, 200);
    assert!(before == house.settled().await, "something was written");
    assert_eq!(post("open", &anonymous).await, 200);
    house.platforms.wait_for("/sendMessage", 1, PATIENCE).await;
}

#[tokio::test]
async fn a09_the_same_name_on_another_homeserver_is_somebody_else() {
    let platforms = Platforms::open().await;
    let with = |allow_from: &[&str]| {
        account(simulator("matrix"), &platforms.url, &json!({"dmPolicy": "allowlist", "allowFrom": allow_from}))
    };
    let others = ["@alice:good.org", "@alice", "alice", "@alice:hs.local.good.org", "@alice:hs", "@Alice:hs.local"];
    let accounts = json!({"others": with(&others), "own": with(&["@alice:hs.local"])});
    let house = House::with(platforms, &json!({"channels": {"matrix": {"accounts": accounts}}})).await;
    let before = house.settled().await;
    let body = text_of("matrix");
    let post = async |account: &str| {
        let target = format!("/webhook/matrix/{account}/{}", simulator("matrix").path);
        house.send(&Method::PUT, &target, &signed(simulator("matrix"), &body), &body).await.0
    };
    assert_eq!(post("others").await, 200);
    assert!(before == house.settled().await, "something was written");
    assert_eq!(post("own").await, 200);
    assert!(before != house.settled().await, "the control: the one who is named is heard");
}

/// Whatever a sender writes about themselves is not read.
#[tokio::test]
async fn a15_a_sender_who_declares_to_be_an_owner_is_a_guest() {
    let house = House::open(&everybody(), json!({})).await;
    let mut event: Value = serde_json::from_slice(&text_of("webhook")).unwrap();
    let claims = json!({"scopes": ["admin", "operator.admin"], "scope": "admin", "role": "owner", "roles": ["owner"],
        "authority": "Owner", "standing": "Allowed", "owner": true, "admin": true, "agent": "main", "session": "agent:main:main"});
    for place in ["", "/data", "/data/sender", "/data/chat"] {
        event.pointer_mut(place).unwrap().as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    }
    event["data"]["text"] = json!("/model other");
    let body = event.to_string();
    let mut all = signed(simulator("webhook"), body.as_bytes());
    all.extend(headers(&[("x-openclaw-scopes", "operator.admin"), ("x-scopes", "admin"), ("x-authority", "owner")]));
    let (status, _) = house.send(&Method::POST, "/webhook/webhook", &all, body.as_bytes()).await;
    assert_eq!(status, 200);
    let sent = house.platforms.wait_for("/in", 1, PATIENCE).await;
    assert!(sent[0].body["data"]["text"].as_str().unwrap().contains("is for my owner here"), "{sent:?}");
}

/// A code opens for the one who was given it, on the account where it was given, once.
#[tokio::test]
async fn a18_a_pairing_code_opens_one_door_once() {
    let platforms = Platforms::open().await;
    let pairing = json!({"dmPolicy": "pairing"});
    let of = |channel: &str| account(simulator(channel), &platforms.url, &pairing);
    let accounts = json!({"accounts": {"default": of("telegram"), "other": of("telegram")}});
    let config = json!({"channels": {"telegram": accounts, "matrix": of("matrix")}});
    let house = House::with(platforms, &config).await;
    house.says(simulator("telegram"), &text_of("telegram")).await;
    house.platforms.wait_for("/sendMessage", 1, PATIENCE).await;
    let pending: Value = serde_json::from_str(&house.owner(Method::GET, "/pairing", "").await.1).unwrap();
    let code = pending["pending"][0]["code"].as_str().unwrap().to_owned();
    let approve = async |channel: &str, account: &str, code: &str| {
        let body = json!({"channel": channel, "account": account, "code": code}).to_string();
        house.owner(Method::POST, "/pairing", &body).await.0
    };
    let closed = house.settled().await;
    for (channel, account) in [("matrix", "default"), ("telegram", "other"), ("telegram", ""), ("", "default")] {
        assert_eq!(approve(channel, account, &code).await, 404, "{channel}/{account}");
    }
    for wrong in ["", "A", code.split_at(7).0, &format!("{code}A"), "%", "*"] {
        assert_eq!(approve("telegram", "default", wrong).await, 404, "{wrong}");
    }
    // For more than it was made for: there is nothing to widen.
    let wider = json!({"channel": "telegram", "code": code, "scope": "admin", "sender": "8"}).to_string();
    assert_eq!(house.owner(Method::POST, "/pairing", &wider).await.0, 400);
    assert!(closed == house.settled().await, "something was written");
    assert_eq!(approve("telegram", "default", &code).await, 200);
    assert_eq!(approve("telegram", "default", &code).await, 404, "a second time");
    assert_eq!(approve("telegram", "other", &code).await, 404, "elsewhere afterwards");
}
