//! What every story begins with: a house with its configuration, the real `chela run`, providers with a script, Telegram.

use std::ffi::OsString;
use std::process::Output;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::provider::{Provider, Speaks};
use super::telegram::{Shown, Telegram};
use crate::binaries::{Gateway, chela};
use crate::local::{TELEGRAM_SECRET, telegram_headers};

/// The owner's id at Telegram, and a guest's.
pub(crate) const ADA: i64 = 7;
pub(crate) const BOB: i64 = 8;

/// A room both are in.
pub(crate) const ROOM: i64 = -1007;

/// A house before its doors open.
#[derive(Default)]
pub(crate) struct Plan {
    providers: Vec<(String, Speaks)>,
    config: Vec<Value>,
    path: Option<OsString>,
}

/// A house that is open.
pub(crate) struct House {
    pub(crate) gateway: Gateway,
    pub(crate) telegram: Telegram,
    pub(crate) folder: TempDir,
    providers: Vec<(String, Provider)>,
    said: AtomicU64,
}

/// Somebody who writes, directly or in a room.
pub(crate) struct Person<'a> {
    house: &'a House,
    id: i64,
    chat: i64,
}

impl Plan {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A provider by this id; the model `<id>/m` of the first is everybody's.
    pub(crate) fn provider(mut self, id: &str, speaks: Speaks) -> Self {
        self.providers.push((id.to_owned(), speaks));
        self
    }

    /// More configuration, key by key over what is there.
    pub(crate) fn with(mut self, config: Value) -> Self {
        self.config.push(config);
        self
    }

    /// Programs are found here.
    pub(crate) fn finding(self, path: OsString) -> Self {
        Self { path: Some(path), ..self }
    }

    pub(crate) async fn open(self) -> House {
        let telegram = Telegram::open().await;
        let mut providers = vec![];
        for (id, speaks) in self.providers {
            providers.push((id, Provider::open(speaks).await));
        }
        let mut config = basis(&telegram, &providers);
        self.config.into_iter().for_each(|more| merge(&mut config, more));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("chela.json5"), config.to_string()).unwrap();
        let mut command = chela();
        command.envs(self.path.map(|path| ("PATH", path)));
        let gateway = Gateway::start_with(folder.path(), command).await;
        House { gateway, telegram, folder, providers, said: AtomicU64::new(0) }
    }
}

/// Everybody is heard, Ada is the owner, answers come whole, and each message is a turn of its own.
fn basis(telegram: &Telegram, providers: &[(String, Provider)]) -> Value {
    let entry = |(id, provider): &(String, Provider)| {
        let mut entry = json!({"baseUrl": format!("{}/v1", provider.url), "apiKey": format!("key-of-{id}")});
        match provider.speaks {
            Speaks::Anthropic => entry["baseUrl"] = json!(provider.url),
            Speaks::OpenAiChat | Speaks::OpenAiResponses | Speaks::Gemini | Speaks::Nothing => {}
        }
        if let Some(api) = provider.speaks.api() {
            entry["api"] = json!(api);
        }
        (id.clone(), entry)
    };
    let mut config = json!({
        "session": {"dmScope": "per-channel-peer"},
        "messages": {"queue": {"mode": "followup"}},
        "gateway": {"limits": {"messagesPerMinute": 0}},
        "channels": {"telegram": {
            "botToken": "99:public-test-token_0123456789abcdefghijklmn", "webhookSecret": TELEGRAM_SECRET,
            "botUsername": "my_bot", "apiBaseUrl": telegram.url, "dmPolicy": "open", "groupPolicy": "open",
            "allowFrom": [ADA.to_string(), "*"], "requireMention": false, "unconfirmed": "flag",
            "streaming": {"mode": "off"},
        }},
        "models": {"providers": Value::Object(providers.iter().map(entry).collect())},
    });
    if let Some((first, _)) = providers.iter().find(|(_, provider)| provider.speaks != Speaks::Nothing) {
        config["agents"] = json!({"defaults": {"model": format!("{first}/m")}});
    }
    config
}

/// Objects key by key; anything else is replaced.
fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

/// A model's entry at its provider: what it reads and holds, and dollars for a million tokens, fresh, cached, answered.
pub(crate) fn model(window: u32, answer: u32, cost: [f64; 3]) -> Value {
    let [input, cache_read, output] = cost;
    json!([{
        "id": "m", "contextWindow": window, "maxTokens": answer, "reasoning": true, "input": ["text", "image"],
        "cost": {"input": input, "cacheRead": cache_read, "cacheWrite": input, "output": output},
    }])
}

impl House {
    pub(crate) fn provider(&self, id: &str) -> &Provider {
        &self.providers.iter().find(|(own, _)| own == id).unwrap().1
    }

    /// The owner, directly.
    pub(crate) fn ada(&self) -> Person<'_> {
        Person { house: self, id: ADA, chat: ADA }
    }

    /// A guest, directly.
    pub(crate) fn bob(&self) -> Person<'_> {
        Person { house: self, id: BOB, chat: BOB }
    }

    /// The same house after the power failed.
    pub(crate) async fn again(mut self) -> Self {
        self.gateway.kill();
        self.gateway = Gateway::start(self.folder.path()).await;
        self
    }

    /// A command beside the gateway, with what it said.
    pub(crate) async fn chela(&self, arguments: &[&str]) -> Output {
        let mut command = chela();
        command.args(arguments);
        command.args(["--config".as_ref(), self.folder.path().join("chela.json5").as_os_str()]);
        command.args(["--data".as_ref(), self.gateway.data.as_os_str()]);
        command.env("CHELA_URL", &self.gateway.url);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// The same, which must do.
    pub(crate) async fn does(&self, arguments: &[&str]) -> String {
        let output = self.chela(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Everything the gateway wrote to its log and to the terminal so far.
    pub(crate) fn logged(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap();
        format!("{}{}", read("log.json"), read("greeting.txt"))
    }

    /// What lies in the store of files.
    pub(crate) fn file(&self, path: &str) -> std::path::PathBuf {
        self.gateway.data.join("files").join(path)
    }
}

impl Person<'_> {
    /// The same person in the room.
    pub(crate) fn in_room(self) -> Self {
        Self { chat: ROOM, ..self }
    }

    /// Writes, and does not wait.
    pub(crate) async fn writes(&self, text: &str) {
        self.sends(json!({"text": text})).await;
    }

    /// Sends a file under a caption: `photo`, `voice` or `document`.
    pub(crate) async fn sends_file(&self, kind: &str, bytes: &[u8], caption: &str) {
        let id = self.house.telegram.keep(bytes);
        let file = json!({"file_id": id, "file_unique_id": "u", "file_size": bytes.len(), "width": 8, "height": 8,
            "duration": 3});
        let file = if kind == "photo" { json!([file]) } else { file };
        let mut message = json!({ "caption": caption });
        message[kind] = file;
        self.sends(message).await;
    }

    /// A message as Telegram posts it.
    pub(crate) async fn sends(&self, own: Value) {
        let number = self.next();
        let mut message =
            json!({"message_id": number, "date": 1_767_224_899, "from": self.user(), "chat": self.place()});
        merge(&mut message, own);
        self.posts(number, "message", message).await;
    }

    /// Presses the button with this label under a message.
    pub(crate) async fn presses(&self, label: &str, shown: &Shown) {
        let mut query = shown.pressed(label);
        merge(&mut query, json!({"from": self.user(), "message": {"chat": self.place()}}));
        self.posts(self.next(), "callback_query", query).await;
    }

    fn next(&self) -> u64 {
        self.house.said.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn user(&self) -> Value {
        json!({"id": self.id, "is_bot": false, "first_name": self.name()})
    }

    fn name(&self) -> &'static str {
        if self.id == ADA { "Ada" } else { "Bob" }
    }

    fn place(&self) -> Value {
        let kind = if self.chat < 0 { "supergroup" } else { "private" };
        json!({"id": self.chat, "type": kind, "title": "all", "first_name": self.name()})
    }

    /// The update, with the secret Telegram was given.
    async fn posts(&self, number: u64, kind: &str, what: Value) {
        let mut update = json!({ "update_id": number });
        update[kind] = what;
        let headers = telegram_headers(TELEGRAM_SECRET);
        let answer = self.house.gateway.post("/webhook/telegram", headers, update.to_string()).await;
        assert_eq!(answer.status, 200);
    }

    /// Writes, and waits for one more message in this chat.
    pub(crate) async fn asks(&self, text: &str) -> String {
        let before = self.shown().len();
        self.writes(text).await;
        self.sees(before + 1).await.remove(before).text
    }

    /// Everything that stands in this chat now.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        self.house.telegram.shown(self.chat)
    }

    /// The whole conversation as it is stored: `jsonl`, one entry a line, or `md`.
    pub(crate) async fn exports(&self, form: &str) -> String {
        let before = self.shown().len();
        self.writes(&format!("/export {form}")).await;
        let file = |shown: &[Shown]| shown.iter().skip(before).position(|shown| shown.method == "sendDocument");
        let shown = self.house.telegram.wait_for(self.chat, |shown| file(shown).is_some()).await;
        String::from_utf8(shown[before + file(&shown).unwrap()].form.to_vec()).unwrap()
    }

    /// Waits until so many messages stand there.
    pub(crate) async fn sees(&self, count: usize) -> Vec<Shown> {
        self.house.telegram.wait_for(self.chat, |shown| shown.len() >= count).await
    }
}
