//! `chela run`, killed with SIGKILL at every named point of a turn, and started again: the message is answered once, or
//! flagged; its tool took effect once; its transcript is whole.

use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::binaries::{Gateway, chela};
use crate::local::{PATIENCE, TELEGRAM_SECRET, house, model_config, telegram_headers};
use crate::oracle;
use crate::platform::Platforms;

/// What the model is asked to remember: the stand-in for a model calls a tool on it.
const QUESTION: &str = "please remember that the quince tree flowers in May";

/// Where the process dies, and how many answers the platform may have seen in the end: none only where nobody can know
/// whether it was sent, and then it is flagged.
const POINTS: [(&str, &[usize]); 27] = [
    ("queueing.before", &[1]),
    ("queueing.after", &[1]),
    ("claiming.before", &[1]),
    ("claiming.after", &[1]),
    ("accepting.before", &[1]),
    ("accepting.after", &[1]),
    ("consulting.before", &[1]),
    ("consulting.after", &[1]),
    ("asking.before", &[1]),
    ("asking.after", &[1]),
    ("storing.before", &[1]),
    ("storing.after", &[1]),
    ("marking-tools.before", &[1]),
    ("marking-tools.after", &[1]),
    ("running.before", &[1]),
    ("running.after", &[1]),
    ("looking.before", &[1]),
    ("looking.after", &[1]),
    ("marking-part.before", &[1]),
    ("marking-part.after", &[0]),
    ("sending.before", &[0]),
    ("sending.after", &[1]),
    ("finishing.before", &[1]),
    ("finishing.after", &[1]),
    ("acknowledging.before", &[1]),
    ("loading.before", &[1]),
    ("loading.after", &[1]),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_survives_sigkill_at_every_point() {
    let mut slowest = 0;
    for (point, shown) in POINTS {
        slowest = slowest.max(killed_at(point, shown).await);
    }
    println!("from the restart to the reply at most {slowest} ms, over {} points", POINTS.len());
}

/// Returns the milliseconds from the restart to the answer.
async fn killed_at(point: &str, shown: &[usize]) -> u128 {
    let platforms = Platforms::open().await;
    let folder = house(&platforms, model_config(&platforms.url));
    let mut command = chela();
    command.env("CHELA_KILL_AT", point);
    let mut gateway = Gateway::start_with(folder.path(), command).await;
    let post = update("1", QUESTION);
    // Loading happens only where something was before.
    let posts = if point.starts_with("loading") { vec![update("0", "hello"), post] } else { vec![post] };
    let questions = posts.len();
    let mut answered = 0;
    for post in &posts {
        // A webhook that dies is asked again by the platform; so it is here.
        let status = gateway.try_post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), post.clone()).await;
        answered += usize::from(status == Some(200));
        if questions > 1 && answered == 1 {
            platforms.wait_for("/sendMessage", 1, PATIENCE).await;
        }
    }
    let status = gateway.ended(PATIENCE).await;
    assert!(status.contains("signal: 9"), "{point} was never reached: {status}");
    drop(gateway);
    let restarted = Instant::now();
    let gateway = Gateway::start(folder.path()).await;
    for post in &posts {
        assert_eq!(
            gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), post.clone()).await.status,
            200
        );
    }
    let took = settled(&gateway, &platforms, shown, questions, point, restarted).await;
    // A message behind it is answered too, and by then nothing of the first may come any more.
    let after = update("9", "and now?");
    assert_eq!(gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), after).await.status, 200);
    let before = platforms.sent_to("/sendMessage").len();
    platforms.wait_for("/sendMessage", before + 1, PATIENCE).await;
    let sent = platforms.sent_to("/sendMessage").len();
    let expected: Vec<usize> = shown.iter().map(|shown| shown + questions).collect();
    assert!(expected.contains(&sent), "{point}: {sent} messages were shown, {expected:?} may be");
    let notes = notes(folder.path());
    assert_eq!(notes.matches("quince").count(), 1, "{point}: the note was written more or less than once: {notes}");
    transcript_is_valid(&platforms, point);
    took
}

/// Waits until the answer is there, or flagged.
async fn settled(
    gateway: &Gateway,
    platforms: &Platforms,
    shown: &[usize],
    questions: usize,
    point: &str,
    restarted: Instant,
) -> u128 {
    let wanted = questions - 1 + shown.iter().max().copied().unwrap_or_default();
    loop {
        let flags: Value = serde_json::from_slice(&gateway.get("/deadletters").await.unwrap().body).unwrap();
        let flags = flags.as_array().unwrap_or_else(|| panic!("{flags}")).len();
        let sent = platforms.sent_to("/sendMessage").len();
        if sent + flags > questions - 1 && sent >= wanted {
            if shown == [0] {
                assert_eq!(flags, 1, "{point}: what nobody saw is flagged");
            }
            return restarted.elapsed().as_millis();
        }
        assert!(restarted.elapsed() < PATIENCE, "{point}: {sent} sent and {flags} flagged of {questions}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn update(id: &str, text: &str) -> String {
    let mut update: Value = serde_json::from_str(&oracle::recorded("telegram/text.json")).unwrap();
    update["update_id"] = json!(id.parse::<u64>().unwrap());
    update["message"]["text"] = json!(text);
    update.to_string()
}

/// Everything in the agent's memory.
fn notes(folder: &std::path::Path) -> String {
    let found = Command::new("grep").args(["-rh", "quince"]).arg(folder.join("data/files")).output().unwrap();
    String::from_utf8_lossy(&found.stdout).into_owned()
}

/// Every call of a tool is followed by its result in everything the model was ever asked.
fn transcript_is_valid(platforms: &Platforms, point: &str) {
    for asked in platforms.sent_to("/chat/completions") {
        let messages = asked.body["messages"].as_array().unwrap();
        for (index, message) in messages.iter().enumerate() {
            for call in message["tool_calls"].as_array().into_iter().flatten() {
                let answered = messages[index + 1..].iter().take_while(|next| next["role"] == "tool");
                let answered = answered.filter(|next| next["tool_call_id"] == call["id"]).count();
                assert_eq!(answered, 1, "{point}: {messages:#?}");
            }
        }
    }
}
