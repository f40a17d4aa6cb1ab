//! What is posted to webhooks.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::*;
use crate::binaries::chela;
use crate::local::PATIENCE;

/// The proof of these does not cover the body: a word, or a token with a time in it.
const PROVED_BY_A_WORD: [&str; 4] = ["googlechat", "matrix", "teams", "telegram"];

/// Plivo and Twilio sign what a form means, not how it is written.
const PROVED_BY_MEANING: [&str; 2] = ["plivo", "twilio"];

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Every secret and every proof of a platform, in a query.
fn in_the_query(simulator: &Simulator, proof: &HeaderMap) -> String {
    let words = simulator.secrets.iter().filter(|(_, secret)| secret.len() < 100);
    let words = words.flat_map(|(key, secret)| {
        let names =
            [*key, "token", "access_token", "secret", "secret_token", "hub.verify_token", "key", "authorization"];
        names.map(|name| format!("{name}={}", encoded(secret)))
    });
    let proofs = proof.iter().map(|(name, value)| format!("{name}={}", encoded(value.to_str().unwrap())));
    words.chain(proofs).collect::<Vec<_>>().join("&")
}

#[tokio::test]
async fn w01_w06_w21_without_its_proof_nothing_comes_in_and_nothing_is_written() {
    let house = House::open(&everybody(), json!({})).await;
    let before = house.settled().await;
    let near = [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-real-ip", "::1"),
        ("forwarded", "for=127.0.0.1;host=localhost"),
        ("x-forwarded-host", "localhost"),
        ("host", "localhost"),
    ];
    let mut let_in = Vec::new();
    for simulator in simulators() {
        let (channel, body, door) = (simulator.channel, text_of(simulator.channel), door(simulator));
        let proof = signed(simulator, &body);
        let kind = headers(&[(
            "content-type",
            proof.get("content-type").map_or("message/rfc822", |kind| kind.to_str().unwrap()),
        )]);
        let close = HeaderMap::from_iter(
            kind.iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .chain(headers(&near).into_iter().map(|(name, value)| (name.unwrap(), value))),
        );
        let query = format!("{door}?{}", in_the_query(simulator, &proof));
        for (what, target, headers) in [
            ("no proof", &door, &kind),
            ("an address", &door, &close),
            ("a query", &query, &kind),
            ("both", &query, &close),
        ] {
            let (status, answer) = house.send(&simulator.method, target, headers, &body).await;
            if (status, answer.as_str()) != (401, "") {
                let_in.push(format!("{channel} by {what}: {status} {answer}"));
            }
        }
    }
    assert!(let_in.is_empty(), "{let_in:#?}");
    let key = headers(&near);
    for target in
        ["/sessions".to_owned(), format!("/sessions?token={0}&key={0}&authorization=Bearer%20{0}", house.word())]
    {
        assert_eq!(house.get(&target, &key).await.0, 401, "{target}");
    }
    assert!(before == house.settled().await, "something was written");
    let log = house.log();
    assert!(log.contains("webhook turned away"), "{log}");
    for secret in simulators()
        .flat_map(|simulator| simulator.secrets)
        .map(|(_, secret)| (*secret).to_owned())
        .chain([house.word()])
    {
        assert!(!log.contains(&secret) && !log.contains(&encoded(&secret)), "a secret of a query is in the log");
    }
    // The control: with its proof each is let in and written down.
    for simulator in simulators() {
        let (status, _) = house.says(simulator, &text_of(simulator.channel)).await;
        assert!((200..300).contains(&status), "{}: {status}", simulator.channel);
    }
    assert!(before != house.kept(), "nothing was written");
}

#[tokio::test]
async fn w02_no_channel_begins_without_what_its_platform_proves_itself_by() {
    let platforms = Platforms::open().await;
    let told = |config: &Value| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chela.json5");
        std::fs::write(&path, config.to_string()).unwrap();
        let mut run = chela();
        run.arg("run").arg("--config").arg(&path).arg("--data").arg(folder.path().join("data"));
        run.args(["--listen", "127.0.0.1:0"]).env_clear().stdout(Stdio::null()).stderr(Stdio::piped());
        let mut run = run.spawn().unwrap();
        let until = Instant::now() + PATIENCE;
        while run.try_wait().unwrap().is_none() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        // One that still runs has begun without.
        let _ = run.kill();
        let output = run.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{config}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let mut tried = 0;
    for simulator in simulators() {
        let descriptor = chela_channel_registry::find(simulator.channel).unwrap();
        for spec in descriptor.secrets.iter().filter(|spec| spec.required) {
            let mut account = account(simulator, &platforms.url, &everybody());
            account.as_object_mut().unwrap().remove(spec.key);
            let text = told(&json!({"channels": {(simulator.channel): account}}));
            let named = format!("channels.{}.{}", simulator.channel, spec.key);
            assert!(text.contains(&named) && text.contains(spec.env), "{named}: {text}");
            tried += 1;
        }
    }
    assert!(tried >= 16, "{tried}");
}

/// The reference is there, so that the house begins; what it leads to is not.
#[tokio::test]
async fn w02_a_channel_whose_secret_cannot_be_had_is_closed() {
    let platforms = Platforms::open().await;
    let telegram = chela_channel_registry::simulator("telegram").unwrap();
    let mut account = account(telegram, &platforms.url, &everybody());
    account["webhookSecret"] = json!({"source": "env", "id": "NOT_SET_ANYWHERE"});
    let house = House::with(platforms, &json!({"channels": {"telegram": account}})).await;
    let before = house.settled().await;
    let body = text_of("telegram");
    for secret in [None, Some(""), Some("undefined"), Some("NOT_SET_ANYWHERE"), Some("null")] {
        let proof = secret.map(|secret| ("x-telegram-bot-api-secret-token", secret));
        let (status, _) = house.send(&Method::POST, "/webhook/telegram", &headers(proof.as_slice()), &body).await;
        assert_eq!(status, 404, "{secret:?}");
    }
    assert_eq!(house.get("/readyz", &HeaderMap::new()).await.0, 503);
    assert!(before == house.settled().await, "something was written");
}

#[tokio::test]
async fn w03_a_secret_that_is_nearly_right_is_wrong() {
    let house = House::open(&everybody(), json!({})).await;
    let secret = |channel: &str, key: &str| {
        let secrets = chela_channel_registry::simulator(channel).unwrap().test_secrets();
        secrets[key].expose().to_owned()
    };
    let words = [
        ("telegram", "x-telegram-bot-api-secret-token", secret("telegram", "webhookSecret")),
        ("matrix", "authorization", format!("Bearer {}", secret("matrix", "hsToken"))),
        ("", "authorization", house.key()),
    ];
    for (channel, header, right) in words {
        let (method, door, body) = match chela_channel_registry::simulator(channel) {
            Some(simulator) => (simulator.method.clone(), door(simulator), text_of(channel)),
            None => (Method::GET, "/sessions".to_owned(), vec![]),
        };
        let first = |count: usize| right.chars().take(count).collect::<String>();
        let most = first(right.len() - 1);
        let wrong = [format!("{most}~"), most.clone(), format!("{right}0"), format!("{right}{right}"), first(8)];
        for wrong in wrong {
            let (status, _) = house.send(&method, &door, &headers(&[(header, &wrong)]), &body).await;
            assert_eq!(status, 401, "{channel}: {wrong}");
        }
        assert_eq!(house.send(&method, &door, &headers(&[(header, &right)]), &body).await.0, 200, "{channel}");
    }
}

/// Plivo's signature is of sorted parameters; that of its version 2 is of neither query nor body.
#[tokio::test]
async fn w08_w09_one_captured_post_of_plivo_is_one_message() {
    let house = House::open(&everybody(), json!({"messages": {"queue": {"mode": "followup"}}})).await;
    let plivo = chela_channel_registry::simulator("plivo").unwrap();
    let body = text_of("plivo");
    let proof = signed(plivo, &body);
    let turned = String::from_utf8(body.clone()).unwrap().split('&').rev().collect::<Vec<_>>().join("&").into_bytes();
    assert_ne!(turned, body);
    for body in [&body, &turned, &body, &turned] {
        assert_eq!(house.send(&plivo.method, &door(plivo), &proof, body).await.0, 200);
    }
    let old: HeaderMap = proof
        .iter()
        .map(|(name, value)| (name.as_str().replace("-v3", "-v2").parse().unwrap(), value.clone()))
        .collect::<HeaderMap>();
    let more = [&body[..], b"&x=1"].concat();
    let added = format!("{}?x=1", door(plivo));
    for (target, proof, body) in
        [(&added, &proof, &body), (&door(plivo), &proof, &more), (&door(plivo), &old, &body), (&added, &old, &body)]
    {
        assert_eq!(house.send(&plivo.method, target, proof, body).await.0, 401, "{target}");
    }
    let other = String::from_utf8(body).unwrap().replace("hello", "another").into_bytes();
    house.says(plivo, &other).await;
    let sent = house.platforms.wait_for("/Message/", 2, PATIENCE).await;
    let count = |word: &str| sent.iter().filter(|sent| sent.body["text"].as_str().unwrap().contains(word)).count();
    assert_eq!((count("hello"), count("another"), sent.len()), (1, 1, 2), "{sent:?}");
}

fn telegram_says(number: u64, from: u64, text: &str) -> String {
    let mut update: Value = serde_json::from_slice(&text_of("telegram")).unwrap();
    update["update_id"] = json!(number);
    update["message"]["from"]["id"] = json!(from);
    update["message"]["chat"]["id"] = json!(from);
    update["message"]["text"] = json!(text);
    update.to_string()
}

/// Even where all of them are one conversation.
#[tokio::test]
async fn w11_w12_one_id_in_two_accounts_and_two_chats_is_three_messages() {
    let platforms = Platforms::open().await;
    let telegram = chela_channel_registry::simulator("telegram").unwrap();
    let account = account(telegram, &platforms.url, &everybody());
    let accounts = json!({"telegram": {"accounts": {"default": account, "other": account}}});
    let config =
        json!({"channels": accounts, "session": {"dmScope": "main"}, "messages": {"queue": {"mode": "followup"}}});
    let house = House::with(platforms, &config).await;
    let (ada, bob) = (telegram_says(5, 7, "same id"), telegram_says(5, 8, "same id"));
    // Each of them twice: that is one message.
    for (account, body) in [("default", &ada), ("other", &ada), ("default", &bob)].repeat(2) {
        let target = format!("/webhook/telegram/{account}");
        assert_eq!(
            house.send(&Method::POST, &target, &signed(telegram, body.as_bytes()), body.as_bytes()).await.0,
            200
        );
    }
    let last = telegram_says(6, 7, "the last one");
    house.says(telegram, last.as_bytes()).await;
    let sent = house.platforms.wait_for("/sendMessage", 4, PATIENCE).await;
    let count = |word: &str| sent.iter().filter(|sent| sent.body["text"].as_str().unwrap().contains(word)).count();
    assert_eq!((count("same id"), count("the last one"), sent.len()), (3, 1, 4), "{sent:?}");
}

/// Written otherwise, it is what nobody signed.
#[tokio::test]
async fn w16_a_body_that_was_written_anew_has_lost_its_signature() {
    let house = House::open(&everybody(), json!({})).await;
    let before = house.settled().await;
    for simulator in simulators() {
        let (channel, body) = (simulator.channel, text_of(simulator.channel));
        if PROVED_BY_A_WORD.contains(&channel) || PROVED_BY_MEANING.contains(&channel) {
            continue;
        }
        let proof = signed(simulator, &body);
        let anew: Vec<Vec<u8>> = match serde_json::from_slice::<Value>(&body) {
            Ok(value) => vec![value.to_string().into(), serde_json::to_vec_pretty(&value).unwrap()],
            Err(_) => vec![String::from_utf8_lossy(&body).replace("\r\n", "\n").into()],
        };
        let more = [[&body[..], b"\n"].concat(), [b" ", &body[..]].concat()];
        for changed in anew.into_iter().chain(more).filter(|changed| *changed != body) {
            let (status, _) = house.send(&simulator.method, &door(simulator), &proof, &changed).await;
            assert_eq!(status, 401, "{channel}: {}", String::from_utf8_lossy(&changed));
        }
    }
    assert!(before == house.settled().await, "something was written");
}

/// Who sends is told by the platform; what stands in headers about addresses is told by anybody.
#[tokio::test]
async fn w18_a_sender_has_one_rate_from_whatever_address() {
    let limits = json!({"gateway": {"limits": {"messagesPerMinute": 2}}});
    let house = House::open(&everybody(), limits).await;
    let telegram = chela_channel_registry::simulator("telegram").unwrap();
    let post = async |number: u64, from: u64, address: &str| {
        let body = telegram_says(number, from, "/status");
        let mut all = signed(telegram, body.as_bytes());
        all.extend(headers(&[
            ("x-forwarded-for", address),
            ("x-real-ip", address),
            ("forwarded", &format!("for=\"[{address}]\"")),
        ]));
        house.send(&Method::POST, "/webhook/telegram", &all, body.as_bytes()).await.0
    };
    // All within one minute of the clock.
    let left = 60_000 - chela_clock::SystemClock.now().0 % 60_000;
    if left < 5_000 {
        tokio::time::sleep(Duration::from_millis(left)).await;
    }
    assert_eq!(post(1, 7, "1.2.3.4").await, 200);
    assert_eq!(post(2, 7, "::ffff:1.2.3.4").await, 200);
    for (number, address) in [(3, "::ffff:102:304"), (4, "5.6.7.8"), (5, "127.0.0.1"), (6, "0:0:0:0:0:ffff:1.2.3.4")] {
        assert_eq!(post(number, 7, address).await, 429, "{address}");
    }
    assert_eq!(post(7, 8, "1.2.3.4").await, 200, "somebody else at the same address");
}

#[tokio::test]
async fn w20_a_path_is_a_door_only_as_it_is_written() {
    let house = House::open(&everybody(), json!({})).await;
    let telegram = chela_channel_registry::simulator("telegram").unwrap();
    let before = house.settled().await;
    let body = text_of("telegram");
    let mut both = signed(telegram, &body);
    both.extend(headers(&[("authorization", &house.key())]));
    for target in [
        "/webhook/telegram/%2e%2e/console/api",
        "/webhook//telegram",
        "/webhook/telegram%2fadmin",
        "/webhook/telegram/default/console/api",
        "/webhook/telegram/default/../../message",
        "/webhook/telegram//x",
        "/webhook/telegram/../message",
        "/webhook/telegram%2f..%2f..%2fmessage",
        "/webhook/./telegram",
        "/webhook/../message",
        "/webhook/Telegram",
        "/webhook/%74elegram",
        "/webhook/telegram%00",
        "/webhook/telegram;x",
        "/webhook/",
        "/webhook",
        "//webhook/telegram",
        "/%77ebhook/telegram",
        "/webhook%2ftelegram",
        "/message/",
        "//message",
        "/./message",
        "/MESSAGE",
        "/messag%65",
        "/message%2f",
        "/message;x",
        "/healthz/../message",
        "/deadletters/../message",
    ] {
        let (status, answer) = house.send(&Method::POST, target, &both, &body).await;
        // The last is below a path that knows no such verb.
        let wanted = if target.starts_with("/deadletters/") { 405 } else { 404 };
        assert_eq!(status, wanted, "{target}: {answer}");
    }
    assert!(before == house.settled().await, "something was written");
    for target in ["/webhook/telegram", "/webhook/telegram/", "/webhook/telegram/default", "/webhook/telegram?x=1"] {
        assert_eq!(house.send(&Method::POST, target, &both, &body).await.0, 200, "the control: {target}");
    }
}

#[tokio::test]
async fn w24_what_we_and_other_bots_say_is_acknowledged_and_forgotten() {
    let house = House::open(&everybody(), json!({})).await;
    let before = house.settled().await;
    let mut tried = 0;
    for simulator in simulators() {
        for (name, body) in samples(simulator.channel).into_iter().filter(|(name, _)| ECHOES.contains(&name.as_str())) {
            let (status, answer) = house.says(simulator, &body).await;
            assert!((200..300).contains(&status), "{}: {name}: {status} {answer}", simulator.channel);
            tried += 1;
        }
    }
    assert!(tried >= 16, "{tried}");
    assert!(before == house.settled().await, "something was written");
}
