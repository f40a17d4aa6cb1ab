//! Commands where the template is deployed: the owner writes to Telegram's webhook, the agent's function asks the sandbox's,
//! which runs what the owner agreed to. Twice in one environment of it, and the second command finds nothing of the first.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::{Value, json};

use super::house::ADA;
use super::provider::{Provider, Speaks, calls, says};
use super::telegram::{Shown, Telegram};
use crate::deployed::{PATIENCE, Stack, config, reference};
use crate::local::{TELEGRAM_SECRET, telegram_headers};

struct House {
    stack: Stack,
    telegram: Telegram,
    claude: Provider,
    said: AtomicU64,
}

impl House {
    async fn deploy() -> Self {
        let (telegram, claude) = (Telegram::open().await, Provider::open(Speaks::Anthropic).await);
        let mut config = config(&telegram.url);
        config["channels"]["telegram"]["allowFrom"] = json!([ADA.to_string(), "*"]);
        config["channels"]["telegram"]["streaming"] = json!({"mode": "off"});
        config["messages"] = json!({"queue": {"mode": "followup"}});
        config["agents"] = json!({"defaults": {"model": "claude/m"}});
        config["models"] = json!({"providers": {"claude": {
            "baseUrl": claude.url, "api": "anthropic-messages", "apiKey": reference("models/claude"),
        }}});
        Self { stack: Stack::deploy(&config), telegram, claude, said: AtomicU64::new(1) }
    }

    async fn posts(&self, kind: &str, mut what: Value) {
        let number = self.said.fetch_add(1, Ordering::SeqCst);
        what["from"] = json!({"id": ADA, "is_bot": false, "first_name": "Ada"});
        let update = json!({"update_id": number, kind: what}).to_string();
        let headers = telegram_headers(TELEGRAM_SECRET);
        let (status, body) = self.stack.request("WebhookTelegramUrl", "POST", "/", &headers, &update).await;
        assert_eq!(status, 200, "{body}");
    }

    /// The message with this number, once it stands in Ada's chat.
    async fn sees(&self, number: usize) -> Shown {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut shown = self.telegram.shown(ADA);
            if shown.len() > number {
                return shown.remove(number);
            }
            assert!(Instant::now() < until, "only: {shown:?}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Ada asks, is shown the command, agrees and gets the answer; what the model was told of the command.
    async fn runs(&self, command: &str) -> String {
        let chat = json!({"id": ADA, "type": "private", "first_name": "Ada"});
        let before = self.telegram.shown(ADA).len();
        self.claude.will([calls(&format!("call{before}"), "exec", &json!({"command": command})), says("Done.")]);
        let number = self.said.load(Ordering::SeqCst);
        self.posts("message", json!({"message_id": number, "date": 1_767_224_899, "chat": chat, "text": "Run it."}))
            .await;
        let asked = self.sees(before).await;
        let mut pressed = asked.pressed("Allow once");
        pressed["message"]["chat"] = chat;
        self.posts("callback_query", pressed).await;
        assert_eq!(self.sees(before + 2).await.text, "Done.");
        self.claude.last().result().unwrap()
    }
}

/// Needs bubblewrap: see `deployed::enclose`.
#[tokio::test]
async fn l03_commands_run_in_the_deployed_function_and_the_next_finds_nothing_of_the_last() {
    let house = House::deploy().await;
    house.stack.put_file("agents/main/notes.txt", "one\n");
    let word = format!("300.{}", std::process::id());
    let told = house
        .runs(&format!(
            "env; cat /proc/*/environ; cat notes.txt; echo two >>notes.txt; echo mine >/tmp/left; \
             setsid sleep {word} >/dev/null 2>&1 & echo begun; ls -d /tmp/left"
        ))
        .await;
    assert!(told.starts_with("exit code 0") && told.contains("one\nbegun\n/tmp/left\n"), "{told}");
    assert!(told.contains("Files made or changed: notes.txt."), "{told}");
    assert_eq!(house.stack.file("agents/main/notes.txt"), "one\ntwo\n");
    for secret in ["AWS_", "CHELA", "TOKEN", "SECRET"] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }

    let runtime_api = house.stack.runtime_apis().pop().unwrap();
    std::net::TcpStream::connect(&runtime_api).unwrap();
    let (address, port) = runtime_api.split_once(':').unwrap();
    let told = house
        .runs(&format!(
            "cat notes.txt; (exec 3<>/dev/tcp/{address}/{port}) && echo REACHED; find /tmp -mindepth 1 -not -path \"$HOME*\"; \
             cat /proc/*/cmdline | tr '\\0' ' ' | grep -c \"[3]00.{}\"",
            std::process::id()
        ))
        .await;
    assert!(told.contains("stdout:\none\ntwo\n0\n"), "its files and nothing else: {told}");
    assert!(told.contains("Operation not permitted") && !told.contains("REACHED"), "{told}");
    assert_eq!(house.stack.runtime_apis().len(), 1, "both in one environment");
}
