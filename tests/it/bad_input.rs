//! What is wrong is told, with the right status, and what was accepted is never lost.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::binaries::{Gateway, chela, folder};
use crate::local::{PATIENCE, TELEGRAM_SECRET, house, model_config, telegram_headers};
use crate::oracle;
use crate::platform::Platforms;

#[tokio::test]
async fn a_request_that_is_not_the_platforms_gets_the_right_status() {
    let platforms = Platforms::open().await;
    let folder = house(&platforms, json!({}));
    let gateway = Gateway::start(folder.path()).await;
    let update = oracle::recorded("telegram/text.json");
    let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    let deep_update = format!("{{\"update_id\":1,\"message\":{deep}}}");
    let right = || telegram_headers(TELEGRAM_SECRET);
    let unknown = json!({"update_id": 5, "something_new": {"x": 1}}).to_string();
    let slack = oracle::recorded("slack/text.json");
    let cases = [
        ("no signature", "/webhook/telegram", http::HeaderMap::new(), update.clone(), 401),
        ("a wrong signature", "/webhook/telegram", telegram_headers("wrong"), update.clone(), 401),
        (
            "another secret of the right length",
            "/webhook/slack",
            oracle::slack_headers(&slack, "other"),
            slack.clone(),
            401,
        ),
        ("an unknown channel", "/webhook/carrier-pigeon", right(), update.clone(), 404),
        ("an unknown account", "/webhook/telegram/nobody", right(), update.clone(), 404),
        ("a body that is no JSON", "/webhook/telegram", right(), "{".into(), 400),
        ("a body that is too deep", "/webhook/telegram", right(), deep_update, 400),
        ("a body that is too large", "/webhook/telegram", right(), "x".repeat(2 << 20), 413),
        ("an event nobody knows", "/webhook/telegram", right(), unknown, 200),
    ];
    for (what, path, headers, body, status) in cases {
        assert_eq!(gateway.post(path, headers, body).await.status, status, "{what}");
    }
    // The gateway is as well as before, and nothing of all this became a message.
    assert_eq!(gateway.post("/webhook/telegram", right(), update).await.status, 200);
    assert_eq!(platforms.wait_for("/sendMessage", 1, PATIENCE).await.len(), 1);
}

#[tokio::test]
async fn d01_d04_secrets_and_messages_stay_out_of_the_logs() {
    let platforms = Platforms::open().await;
    let folder = house(&platforms, json!({}));
    let gateway = Gateway::start(folder.path()).await;
    let update = oracle::recorded("telegram/text.json");
    let text: serde_json::Value = serde_json::from_str(&update).unwrap();
    let text = text["message"]["text"].as_str().unwrap().to_owned();
    gateway.post("/webhook/telegram", telegram_headers("wrong"), update.clone()).await;
    gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), update).await;
    platforms.wait_for("/sendMessage", 1, PATIENCE).await;
    let log = std::fs::read_to_string(folder.path().join("log.json")).unwrap();
    assert!(log.contains("webhook"), "{log}");
    for canary in [TELEGRAM_SECRET, "public-test-token", text.as_str()] {
        assert!(!log.contains(canary), "{canary:?} is in the log");
    }
}

#[tokio::test]
async fn a_platform_that_asks_to_wait_gets_the_reply_once() {
    let platforms = Platforms::open().await;
    let wait =
        json!({"ok": false, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 1}});
    platforms.will_refuse([(429, wait)]);
    let folder = house(&platforms, json!({}));
    let gateway = Gateway::start(folder.path()).await;
    let update = oracle::recorded("telegram/text.json");
    gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), update).await;
    assert_eq!(platforms.wait_for("/sendMessage", 1, PATIENCE).await.len(), 1);
}

#[tokio::test]
async fn a_model_that_is_down_for_a_while_delays_the_answer() {
    let platforms = Platforms::open().await;
    platforms.will_refuse((0..2).map(|_| (503, json!({"error": {"message": "overloaded"}}))));
    let folder = house(&platforms, model_config(&platforms.url));
    let gateway = Gateway::start(folder.path()).await;
    assert_eq!(gateway.ask("Are you there?").await, "From the model.");
}

/// The test's configuration with another signing secret for Slack.
fn with_slack_secret(platforms: &Platforms, secret: Option<serde_json::Value>) -> tempfile::TempDir {
    let folder = house(platforms, json!({}));
    let path = folder.path().join("chela.json5");
    let mut config: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let slack = config["channels"]["slack"].as_object_mut().unwrap();
    slack.remove("signingSecret");
    slack.extend(secret.map(|secret| ("signingSecret".to_owned(), secret)));
    std::fs::write(&path, config.to_string()).unwrap();
    folder
}

#[tokio::test]
async fn without_a_secret_the_gateway_does_not_start_and_says_which() {
    let platforms = Platforms::open().await;
    let folder = with_slack_secret(&platforms, None);
    let config = folder.path().join("chela.json5");
    let data = folder.path().join("data");
    let run = chela().arg("run").arg("--config").arg(config).arg("--data").arg(data).output().unwrap();
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(!run.status.success());
    assert!(text.contains("channels.slack.signingSecret") && text.contains("SLACK_SIGNING_SECRET"), "{text}");
}

#[tokio::test]
async fn a_secret_that_cannot_be_fetched_closes_its_channel_and_no_other() {
    let platforms = Platforms::open().await;
    let folder = with_slack_secret(&platforms, Some(json!({"source": "env", "id": "NOT_SET_ANYWHERE"})));
    let gateway = Gateway::start(folder.path()).await;
    let slack = oracle::recorded("slack/text.json");
    let answer = gateway.post("/webhook/slack", oracle::slack_headers(&slack, "anything"), slack).await;
    assert_eq!(answer.status, 404);
    let ready = gateway.get("/readyz").await.unwrap();
    let text = String::from_utf8_lossy(&ready.body).into_owned();
    assert_eq!(ready.status, 503);
    assert!(text.contains("signingSecret") && text.contains("NOT_SET_ANYWHERE"), "{text}");
    let update = oracle::recorded("telegram/text.json");
    assert_eq!(gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), update).await.status, 200);
}

#[test]
fn a_broken_configuration_names_key_line_and_fix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chela.json5");
    std::fs::write(&path, "{\n  channels: {\n    telegram: { dmPolcy: \"open\" },\n  },\n}\n").unwrap();
    let config = ["--config".as_ref(), path.as_os_str()];
    let checked = chela().args(["config", "check"]).args(config).output().unwrap();
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(!checked.status.success());
    for part in ["dmPolcy", "3", "dmPolicy"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let run = chela().arg("run").args(config).args(["--data".as_ref(), folder.path().as_os_str()]).output().unwrap();
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(!run.status.success() && text.contains("dmPolicy"), "{text}");
}

#[test]
fn two_gateways_do_not_share_a_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = chela();
        command.arg("run").args(["--listen", "127.0.0.1:0", "--config"]).arg(folder.path().join("none.json5"));
        command.arg("--data").arg(folder.path().join("data")).stderr(Stdio::piped()).stdout(Stdio::null());
        command
    };
    let mut first = start().spawn().unwrap();
    let until = std::time::Instant::now() + Duration::from_secs(10);
    while !folder.path().join("data/api-key").exists() && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    let second = start().output().unwrap();
    first.kill().unwrap();
    first.wait().unwrap();
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && text.contains("in use by process"), "{text}");
}

/// The disk is full as far as this process is concerned: no file of it may grow beyond what it has at first.
#[tokio::test]
async fn on_a_full_disk_nothing_is_accepted_and_nothing_accepted_is_lost() {
    let platforms = Platforms::open().await;
    let house = house(&platforms, json!({"gateway": {"limits": {"messagesPerMinute": 0}}}));
    let mut limited = Command::new("bash");
    // An ignored signal stays ignored: writes then fail instead of ending the process.
    let program = folder().join("chela");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 700; exec \"$0\" \"$@\""]).arg(program);
    let gateway = Gateway::start_with(house.path(), limited).await;
    let update = oracle::recorded("telegram/text.json");
    let update: serde_json::Value = serde_json::from_str(&update).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for n in 0..400 {
        let mut update = update.clone();
        update["update_id"] = json!(n);
        update["message"]["text"] = json!("x".repeat(3000));
        let answer = gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), update.to_string()).await;
        match answer.status.as_u16() {
            200 => accepted += 1,
            503 => refused += 1,
            other => panic!("{other}"),
        }
        if refused > 20 {
            break;
        }
    }
    assert!(accepted > 0 && refused > 0, "{accepted} accepted, {refused} refused");
    // Room again, and the same folder: what was accepted is answered, each once.
    drop(gateway);
    let _gateway = Gateway::start(house.path()).await;
    let sent = platforms.wait_for("/sendMessage", accepted, Duration::from_secs(120)).await;
    assert_eq!(sent.len(), accepted);
}
