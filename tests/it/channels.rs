//! What the contract of channels promises, through the real gateway: late confirmations, files, acknowledgements that
//! promise nothing, accounts side by side, parts that take the place of an empty message.

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use chela_core::clock::Clock as _;
use serde_json::{Value, json};

use crate::binaries::{Gateway, chela};
use crate::local::{PATIENCE, TELEGRAM_SECRET, channels, house, telegram_headers};
use crate::oracle;
use crate::platform::Platforms;

const BOT_TOKEN: &str = "99:public-test-token_0123456789abcdefghijklmn";

/// An account of this channel with its public test secrets, and these keys beside them.
pub(crate) fn account(channel: &str, own: Value) -> Value {
    let mut account = json!({"dmPolicy": "open", "allowFrom": ["*"]});
    for (key, secret) in chela_channel_registry::simulator(channel).unwrap().secrets {
        account[*key] = json!(secret);
    }
    account.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    account
}

/// The headers this channel's platform signs a body with, now.
pub(crate) fn signed(channel: &str, body: &str) -> http::HeaderMap {
    let simulator = chela_channel_registry::simulator(channel).unwrap();
    (simulator.sign_sample)(body.as_bytes(), &simulator.test_secrets(), chela_clock::SystemClock.now())
}

async fn flags(gateway: &Gateway) -> usize {
    let flags: Value = serde_json::from_slice(&gateway.get("/deadletters").await.unwrap().body).unwrap();
    flags["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn what_whatsapp_confirms_later_is_no_dead_letter() {
    let platforms = Platforms::open().await;
    let own = json!({"apiBaseUrl": platforms.url, "phoneNumberId": "106540352242922"});
    let folder = house(&platforms, json!({"channels": {"whatsapp": account("whatsapp", own)}}));
    let gateway = Gateway::start(folder.path()).await;
    // Nobody knows what a proxy did with it.
    platforms.will_refuse([(502, json!("bad gateway"))]);
    let said = oracle::recorded("whatsapp/text.json");
    assert_eq!(gateway.post("/webhook/whatsapp", signed("whatsapp", &said), said.clone()).await.status, 200);
    let until = Instant::now() + PATIENCE;
    while flags(&gateway).await == 0 {
        assert!(Instant::now() < until, "an unconfirmed reply is flagged");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let refused = platforms.refused().into_iter().find(|sent| sent.body["type"] != Value::Null).unwrap();
    let key = refused.body["biz_opaque_callback_data"].as_str().unwrap().to_owned();
    let status =
        |key: &str| oracle::recorded("whatsapp/delivered.json").replace("0123456789abcdef0123456789abcdef", key);
    let other = status("ffffffffffffffffffffffffffffffff");
    assert_eq!(gateway.post("/webhook/whatsapp", signed("whatsapp", &other), other).await.status, 200);
    assert_eq!(flags(&gateway).await, 1, "another message was delivered");
    let delivered = status(&key);
    assert_eq!(gateway.post("/webhook/whatsapp", signed("whatsapp", &delivered), delivered).await.status, 200);
    assert_eq!(flags(&gateway).await, 0);
}

/// A homeserver posts the same batch again until it is taken, and nothing behind it.
#[tokio::test]
async fn a_batch_over_the_rate_does_not_come_back_for_ever() {
    let platforms = Platforms::open().await;
    let own = json!({"apiBaseUrl": platforms.url, "phoneNumberId": "106540352242922"});
    let limits = json!({"limits": {"messagesPerMinute": 5}});
    let config = json!({"channels": {"whatsapp": account("whatsapp", own)}, "gateway": limits});
    let folder = house(&platforms, config);
    let gateway = Gateway::start(folder.path()).await;
    let mut batch: Value = serde_json::from_str(&oracle::recorded("whatsapp/text.json")).unwrap();
    let messages = &mut batch["entry"][0]["changes"][0]["value"]["messages"];
    let one = messages[0].clone();
    *messages = (0..9)
        .map(|number| {
            let mut message = one.clone();
            message["id"] = json!(format!("wamid.batch{number}"));
            message
        })
        .collect();
    let batch = batch.to_string();
    assert_eq!(gateway.post("/webhook/whatsapp", signed("whatsapp", &batch), batch.clone()).await.status, 200);
    // A single one is asked to come back later.
    let single = oracle::recorded("whatsapp/text.json");
    assert_eq!(gateway.post("/webhook/whatsapp", signed("whatsapp", &single), single).await.status, 429);
}

#[tokio::test]
async fn a_mail_is_answered_and_its_file_kept() {
    let platforms = Platforms::open().await;
    let own = json!({"apiBaseUrl": platforms.url, "address": "bot@example.org", "region": "us-east-1"});
    let folder = house(&platforms, json!({"channels": {"email": account("email", own)}}));
    let gateway = Gateway::start(folder.path()).await;
    let message = "From: Ada <ada@example.com>\r\nTo: bot@example.org\r\nMessage-ID: <1@example.com>\r\n\
        Subject: a file\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain\r\n\r\nLook at this.\r\n\
        --b\r\nContent-Type: text/html; name=\"../../x.html\"\r\nContent-Disposition: attachment; filename=\"../../x.html\"\r\n\r\n\
        %PDF-1.7 the file\r\n--b--\r\n";
    for _ in 0..2 {
        let mut mail = chela()
            .args(["mail", "--verdict", "pass", "--recipient", "bot@example.org", "--url", &gateway.url])
            .args(["--config", folder.path().join("chela.json5").to_str().unwrap()])
            .env("EMAIL_WEBHOOK_SECRET", "public-test-secret")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        mail.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
        let said = mail.wait_with_output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
    platforms.wait_for("/outbound-emails", 1, PATIENCE).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(platforms.sent_to("/outbound-emails").len(), 1, "the same message twice is one");
    // Under a name of ours and by what it is, not by what its sender calls it.
    let files = folder.path().join("data/files/media/main");
    let kept = std::fs::read_dir(&files).unwrap().map(|file| file.unwrap().path());
    // The mark of a document that is being read stays beside it.
    let kept: Vec<_> = kept.filter(|path| path.extension().is_none_or(|end| end != "unread")).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(kept[0].extension().unwrap(), "pdf");
    assert!(std::fs::read_to_string(&kept[0]).unwrap().starts_with("%PDF-1.7 the file"));
}

#[tokio::test]
async fn discord_is_promised_an_answer_only_where_there_will_be_one() {
    let platforms = Platforms::open().await;
    let own = json!({"apiBaseUrl": platforms.url, "dmPolicy": "allowlist", "allowFrom": ["80351110224678912"]});
    let folder = house(&platforms, json!({"channels": {"discord": account("discord", own)}}));
    let gateway = Gateway::start(folder.path()).await;
    let asked = oracle::recorded("discord/ask-dm.json");
    let stranger =
        asked.replace("80351110224678912", "90351110224678912").replace("1456074435592192000", "1456074435592192001");
    let answer = gateway.post("/webhook/discord", signed("discord", &stranger), stranger).await;
    let refused: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((refused["type"].as_u64(), refused["data"]["flags"].as_u64()), (Some(4), Some(64)), "{refused}");
    let answer = gateway.post("/webhook/discord", signed("discord", &asked), asked).await;
    let promised: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(promised["type"], 5, "{promised}");
}

/// Two bots: one for everybody, one for one person, each with its own token and agent.
#[tokio::test]
async fn accounts_of_a_channel_have_their_own_tokens_policies_and_agents() {
    let platforms = Platforms::open().await;
    let bot = |token: &str, secret: &str, allowed: &str| {
        json!({"botToken": token, "webhookSecret": secret, "botUsername": "b", "apiBaseUrl": platforms.url,
            "dmPolicy": if allowed == "*" { "open" } else { "allowlist" }, "allowFrom": [allowed], "unconfirmed": "flag"})
    };
    let (public, private) = (BOT_TOKEN, "77:other-test-token_0123456789abcdefghijklmno");
    let config = json!({
        "agents": {"list": [{"id": "main", "default": true}, {"id": "butler"}]},
        "bindings": [{"agentId": "butler", "match": {"channel": "telegram", "accountId": "mine"}}],
        "channels": {"telegram": {"accounts": {
            "everybody": bot(public, "secret-one", "*"), "mine": bot(private, "secret-two", "42"),
        }}},
    });
    let folder = house(&platforms, config);
    let gateway = Gateway::start(folder.path()).await;
    let say = |id: u64, from: u64| {
        let mut update: Value = serde_json::from_str(&oracle::recorded("telegram/text.json")).unwrap();
        update["update_id"] = json!(id);
        update["message"]["from"]["id"] = json!(from);
        update["message"]["chat"]["id"] = json!(from);
        update["message"]["text"] = json!("/status");
        update.to_string()
    };
    let post = async |account: &str, secret: &str, body: String| {
        gateway.post(&format!("/webhook/telegram/{account}"), telegram_headers(secret), body).await.status.as_u16()
    };
    assert_eq!(post("mine", "secret-one", say(1, 42)).await, 401, "one account's secret is not another's");
    assert_eq!(post("mine", "secret-two", say(1, 7)).await, 200, "acknowledged and not heard");
    assert_eq!(post("everybody", "secret-one", say(1, 7)).await, 200);
    assert_eq!(post("mine", "secret-two", say(2, 42)).await, 200);
    let sent = platforms.wait_for("/sendMessage", 2, PATIENCE).await;
    let by = |token: &str| sent.iter().find(|sent| sent.path.contains(token)).unwrap().body.clone();
    assert!(by(public)["text"].as_str().unwrap().contains("main") && by(public)["chat_id"].to_string().contains('7'));
    assert!(
        by(private)["text"].as_str().unwrap().contains("butler") && by(private)["chat_id"].to_string().contains("42")
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(platforms.sent_to("/sendMessage").len(), 2);

    // What happened is told for each.
    let mut status = chela();
    status.args(["channels", "status", "--json", "--url", &gateway.url]);
    status.args(["--config", folder.path().join("chela.json5").to_str().unwrap()]);
    status.args(["--data", folder.path().join("data").to_str().unwrap()]);
    let told = tokio::task::spawn_blocking(move || status.output().unwrap()).await.unwrap();
    let told: Value =
        serde_json::from_slice(&told.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&told.stderr)));
    let accounts = told["accounts"].as_array().unwrap();
    assert_eq!((accounts.len(), told["gatewayAnswers"].as_bool()), (2, Some(true)), "{told}");
    assert!(accounts.iter().all(|account| account["received"].is_u64() && account["sent"].is_u64()), "{told}");
}

/// Where the process dies while a part takes its place.
const POINTS: [&str; 6] =
    ["placing.before", "placing.after", "placed.before", "placed.after", "editing.before", "editing.after"];

/// Whatever dies, one message ends up with the answer; what is left of the others is a placeholder, and nothing is in doubt.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_takes_its_place_is_shown_once_wherever_the_process_dies() {
    for point in POINTS {
        let platforms = Platforms::open().await;
        let mut config = channels(&platforms.url);
        config["channels"]["telegram"].as_object_mut().unwrap().remove("unconfirmed");
        let folder = house(&platforms, json!({"channels": config["channels"]}));
        let mut command = chela();
        command.env("CHELA_KILL_AT", point);
        let mut gateway = Gateway::start_with(folder.path(), command).await;
        let update = oracle::recorded("telegram/text.json");
        let _ = gateway.try_post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), update.clone()).await;
        let status = gateway.ended(PATIENCE).await;
        assert!(status.contains("signal: 9"), "{point} was never reached: {status}");
        drop(gateway);
        let gateway = Gateway::start(folder.path()).await;
        gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), update).await;
        let later = oracle::recorded("telegram/text.json").replace("\"update_id\":1001", "\"update_id\":9001");
        assert_eq!(gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), later).await.status, 200);
        let until = Instant::now() + PATIENCE;
        // By the time the second is answered nothing of the first may come any more.
        let answers = loop {
            let edits = platforms.sent_to("/editMessageText");
            let mut answers: Vec<String> = edits.iter().map(|edit| edit.body["message_id"].to_string()).collect();
            answers.sort();
            answers.dedup();
            if answers.len() >= 2 {
                break answers;
            }
            assert!(Instant::now() < until, "{point}: {answers:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(answers.len(), 2, "{point}: each answer has one message");
        let whole = |sent: &crate::platform::Sent| sent.body["text"] != "…";
        assert!(!platforms.sent_to("/sendMessage").iter().any(whole), "{point}: a part was sent as it is");
        assert_eq!(flags(&gateway).await, 0, "{point}: nothing is in doubt");
    }
}
