//! `chela forget` against a running gateway: a person's words are in no row and no file, whatever happened on the way.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binaries::{self, Gateway, chela};
use crate::local::{PATIENCE, TELEGRAM_SECRET, house, model_config, telegram_headers};
use crate::oracle;
use crate::platform::Platforms;

const ADA: i64 = 700_001;
const BOB: i64 = 700_002;
const ROOM: i64 = -100_700;

/// Somebody says this, in a room or directly.
async fn says(gateway: &Gateway, number: u64, who: i64, room: Option<i64>, text: &str) {
    let mut update: Value = serde_json::from_str(&oracle::recorded("telegram/text.json")).unwrap();
    update["update_id"] = json!(number);
    update["message"]["message_id"] = json!(number);
    update["message"]["from"] = json!({"id": who, "is_bot": false, "first_name": format!("name{}", who.abs())});
    update["message"]["chat"] = match room {
        Some(room) => json!({"id": room, "type": "supergroup", "title": "all"}),
        None => json!({"id": who, "type": "private", "first_name": "x"}),
    };
    update["message"]["text"] = json!(text);
    if room.is_some() {
        update["message"]["entities"] = json!([{"type": "mention", "offset": 0, "length": "@my_bot".len()}]);
    }
    let answer = gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), update.to_string()).await;
    assert_eq!(answer.status, 200);
}

/// Runs `chela forget telegram <who>` against the gateway.
async fn forget(gateway: &Gateway, folder: &Path, who: i64, more: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(binaries::folder().join("chela"));
    command.args(["forget", "telegram", &who.to_string(), "--url", &gateway.url]).args(more);
    command.arg("--config").arg(folder.join("chela.json5")).arg("--data").arg(&gateway.data);
    command.stdin(Stdio::null()).output().await.unwrap()
}

async fn forgotten(gateway: &Gateway, folder: &Path, who: i64) -> Value {
    let output = forget(gateway, folder, who, &["--yes", "--json"]).await;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&told).unwrap()
}

/// Files below a folder that hold this.
fn holding(folder: &Path, word: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(holding(&path, word));
        } else if std::fs::read(&path).unwrap_or_default().windows(word.len()).any(|part| part == word.as_bytes()) {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn d05_a_person_is_forgotten_and_begins_anew() {
    let platforms = Platforms::open().await;
    let folder = house(&platforms, model_config(&platforms.url));
    let gateway = Gateway::start(folder.path()).await;
    says(&gateway, 1, ADA, None, "adasecret one").await;
    says(&gateway, 2, BOB, None, "bobkeeps this").await;
    says(&gateway, 3, ADA, Some(ROOM), "@my_bot adasecret in the room").await;
    platforms.wait_for("/sendMessage", 3, PATIENCE).await;
    says(&gateway, 4, BOB, Some(ROOM), "@my_bot bobkeeps the room").await;
    platforms.wait_for("/sendMessage", 4, PATIENCE).await;
    assert!(!holding(&gateway.data, "adasecret").is_empty() && !holding(&gateway.data, "name700001").is_empty());

    let shown = forget(&gateway, folder.path(), ADA, &["--dry-run"]).await;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains(&format!("direct:{ADA}")) && shown.contains("redact"), "{shown}");
    let unasked = forget(&gateway, folder.path(), ADA, &[]).await;
    let why = String::from_utf8_lossy(&unasked.stderr).into_owned();
    assert!(!unasked.status.success() && why.contains("--yes"), "{why}");
    assert!(!holding(&gateway.data, "adasecret").is_empty(), "nothing goes unasked");

    let found = forgotten(&gateway, folder.path(), ADA).await;
    assert_eq!(found["conversations"].as_array().unwrap().len(), 2, "{found}");
    for word in ["adasecret", "name700001"] {
        assert_eq!(holding(&gateway.data, word), Vec::<PathBuf>::new(), "{word}");
    }
    assert!(!holding(&gateway.data, "bobkeeps").is_empty());
    let log = std::fs::read_to_string(folder.path().join("log.json")).unwrap();
    assert!(!log.contains("adasecret"));
    let nothing = forget(&gateway, folder.path(), ADA, &["--yes"]).await;
    assert!(String::from_utf8_lossy(&nothing.stdout).starts_with("Nothing is stored"), "{nothing:?}");

    // What is said later begins anew; in the room the rest is still known.
    says(&gateway, 5, ADA, None, "hello, who am I?").await;
    says(&gateway, 6, BOB, Some(ROOM), "@my_bot and who am I?").await;
    platforms.wait_for("/sendMessage", 6, PATIENCE).await;
    let asked = platforms.sent_to("/chat/completions");
    let asked = |last: &str| {
        let of = |sent: &&crate::platform::Sent| sent.body.to_string().contains(last);
        asked.iter().find(of).unwrap_or_else(|| panic!("{last}")).body["messages"].to_string()
    };
    let (anew, room) = (asked("hello, who am I?"), asked("and who am I?"));
    assert!(!anew.contains("adasecret") && !anew.contains("deleted at the request"), "{anew}");
    assert!(!room.contains("adasecret") && room.contains("deleted at the request of its sender"), "{room}");
    assert!(room.contains("bobkeeps the room"), "{room}");
    let sessions = gateway.get("/sessions").await.unwrap();
    let sessions = String::from_utf8_lossy(&sessions.body).into_owned();
    assert!(sessions.contains(&format!("direct:{ADA}")), "it is listed again: {sessions}");
}

/// A turn that waits for its next attempt, and what waits behind it, end with the conversation.
#[tokio::test]
async fn d05_what_waits_in_a_lane_does_not_bring_a_conversation_back() {
    let platforms = Platforms::open().await;
    let refused = (503, json!({"error": {"message": "overloaded"}}));
    platforms.will_refuse(std::iter::repeat_n(refused, 1_000));
    let mut config = model_config(&platforms.url);
    config["messages"] = json!({"queue": {"mode": "followup"}});
    let folder = house(&platforms, config);
    let gateway = Gateway::start(folder.path()).await;
    says(&gateway, 1, ADA, None, "adasecret first").await;
    // After its third refusal in a row the model rests for half a minute, and the message is put back.
    let until = Instant::now() + PATIENCE;
    while platforms.refused().iter().filter(|sent| sent.path.ends_with("/chat/completions")).count() < 3 {
        assert!(Instant::now() < until, "no model was asked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    platforms.will_refuse_no_more();
    says(&gateway, 2, ADA, None, "adasecret second").await;
    forgotten(&gateway, folder.path(), ADA).await;
    assert!(platforms.sent_to("/chat/completions").is_empty(), "both wait still");
    let told = platforms.sent_to("/sendMessage").len();
    // The same person, after them in the same line: whatever waited has had its turn.
    says(&gateway, 3, ADA, None, "hello again").await;
    platforms.wait_for("/sendMessage", told + 1, 2 * PATIENCE).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let asked = platforms.sent_to("/chat/completions");
    assert_eq!(asked.len(), 1, "the later one alone");
    assert!(!asked[0].body["messages"].to_string().contains("adasecret"), "{:?}", asked[0].body["messages"]);
    assert_eq!(platforms.sent_to("/sendMessage").len(), told + 1);
    assert!(!forgotten(&gateway, folder.path(), ADA).await["conversations"].as_array().unwrap().is_empty());
    assert_eq!(holding(&gateway.data, "adasecret"), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn d05_a_machine_that_dies_over_it_leaves_nothing_that_the_next_call_does_not_find() {
    for point in ["forget.barred", "forget.cleared"] {
        let platforms = Platforms::open().await;
        let folder = house(&platforms, json!({}));
        let mut command = chela();
        command.env("CHELA_KILL_AT", point);
        let mut gateway = Gateway::start_with(folder.path(), command).await;
        says(&gateway, 1, ADA, None, "adasecret one").await;
        says(&gateway, 2, BOB, None, "bobkeeps this").await;
        platforms.wait_for("/sendMessage", 2, PATIENCE).await;
        let broken = forget(&gateway, folder.path(), ADA, &["--yes"]).await;
        assert!(!broken.status.success(), "{broken:?}");
        assert!(gateway.ended(PATIENCE).await.contains("signal: 9"), "{point}");
        let gateway = Gateway::start(folder.path()).await;
        forgotten(&gateway, folder.path(), ADA).await;
        assert_eq!(holding(&gateway.data, "adasecret"), Vec::<PathBuf>::new(), "{point}");
        assert!(!holding(&gateway.data, "bobkeeps").is_empty(), "{point}");
        says(&gateway, 3, ADA, None, "hello again").await;
        let sent = platforms.wait_for("/sendMessage", 3, PATIENCE).await;
        assert!(sent[2].body["text"].as_str().unwrap().contains("hello again"), "{point}");
    }
}
