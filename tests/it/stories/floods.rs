//! Attacks of the corpus on the purse and on everybody else's patience, against the real `chela run`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::house::{BOB, Plan, ROOM, model};
use super::provider::{Speaks, calls, says, says_slowly};
use crate::local::{TELEGRAM_SECRET, telegram_headers};

/// As Telegram posts a message of Bob's.
fn update(number: u64, chat: i64) -> Value {
    let kind = if chat < 0 { "supergroup" } else { "private" };
    json!({"update_id": number, "message": {
        "message_id": number, "date": 1_767_224_899, "text": format!("message {number}"),
        "from": {"id": BOB, "is_bot": false, "first_name": "Bob"}, "chat": {"id": chat, "type": kind, "title": "all"},
    }})
}

#[tokio::test]
async fn q01_a_flood_of_one_sender_is_turned_away_and_others_are_heard() {
    let plan = Plan::new().provider("claude", Speaks::Anthropic).with(json!({
        "gateway": {"limits": {"messagesPerMinute": 5}},
    }));
    let house = plan.open().await;
    let mut taken = 0;
    for number in 0..60 {
        let headers = telegram_headers(TELEGRAM_SECRET);
        let answer = house.gateway.post("/webhook/telegram", headers, update(1_000 + number, BOB).to_string()).await;
        match answer.status.as_u16() {
            200 => taken += 1,
            429 => {}
            other => panic!("{other}"),
        }
    }
    // The minute may have changed meanwhile.
    assert!(taken == 5 || taken == 10, "{taken} messages were taken");
    assert_eq!(house.ada().asks("And I?").await, "(end of script)");
    house.bob().sees(taken).await;
    assert_eq!(house.provider("claude").asked().len(), taken + 1);
}

/// A turn of the room hangs, and two hundred messages wait behind it.
#[tokio::test]
async fn q02_what_piles_up_in_one_room_holds_up_nobody_elsewhere() {
    let house = Plan::new().provider("claude", Speaks::Anthropic).open().await;
    let claude = house.provider("claude");
    claude.otherwise(|asked| {
        if asked.told().contains("message 1") { says_slowly(&["Let me ", "see."]) } else { says("At once.") }
    });
    for number in 0..200 {
        let headers = telegram_headers(TELEGRAM_SECRET);
        let body = update(1_000 + number, ROOM).to_string();
        assert_eq!(house.gateway.post("/webhook/telegram", headers, body).await.status, 200);
    }
    claude.was_asked(1).await;
    let began = Instant::now();
    for _ in 0..3 {
        assert_eq!(house.ada().asks("Quickly?").await, "At once.");
    }
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert!(house.telegram.shown(ROOM).is_empty(), "the room still waits");
}

/// That agents do not answer one another for ever is told in `core::relay`.
#[tokio::test]
async fn q03_another_bot_is_not_answered() {
    let house = Plan::new().provider("claude", Speaks::Anthropic).open().await;
    for (number, text) in ["Hello!", "How are you?", "And now?"].into_iter().enumerate() {
        house.bob().in_room().sends(json!({"text": text, "from": {"is_bot": true}})).await;
        house.bob().sends(json!({"text": format!("{text} {number}"), "from": {"is_bot": true}})).await;
    }
    assert_eq!(house.ada().asks("Anybody there?").await, "(end of script)");
    assert_eq!(house.provider("claude").asked().len(), 1);
    assert!(house.telegram.shown(ROOM).is_empty() && house.bob().shown().is_empty());
}

/// A picture of 900 megapixels in forty bytes, and a file that says it has 50 MB.
#[tokio::test]
async fn q05_a_file_is_judged_by_its_size_before_it_is_fetched_and_by_its_pixels_before_it_is_shown() {
    let plan = Plan::new().provider("claude", Speaks::Anthropic).with(json!({
        "models": {"providers": {"claude": {"models": model(200_000, 1_000, [1.0, 0.1, 5.0])}}},
    }));
    let house = plan.open().await;
    let (ada, claude) = (house.ada(), house.provider("claude"));
    let side = 30_000_u32.to_be_bytes();
    let bomb = [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &side, &side, &[8, 6, 0, 0, 0]].concat();
    ada.sends_file("photo", &bomb, "What is it?").await;
    ada.sees(1).await;
    let told = claude.last();
    assert!(told.told().contains("a picture of 30000 x 30000 is too large"), "{}", told.told());
    assert!(!told.told().contains("base64"), "{}", told.told());
    let id = house.telegram.keep(b"never asked for");
    let file = json!({"file_id": id, "file_unique_id": "u", "file_size": 50 << 20, "file_name": "big.bin"});
    ada.sends(json!({"document": file, "caption": "And this?"})).await;
    ada.sees(2).await;
    let told = claude.last().told();
    assert!(told.contains("not available: it is over"), "{told}");
    assert!(!house.telegram.fetched().contains(&id), "nothing of it was asked for");
}

/// There is no console here, so nothing is ever upgraded: whoever tries is answered like everybody without a key.
#[tokio::test]
async fn q09_connections_that_prove_nothing_are_answered_and_forgotten() {
    let house = Plan::new().provider("claude", Speaks::Anthropic).open().await;
    let address = house.gateway.url.strip_prefix("http://").unwrap().to_owned();
    let upgrade = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    };
    let mut open = Vec::new();
    for path in
        ["/", "/ws", "/console", "/sessions", "/message", "/mcp", "/webhook/telegram"].into_iter().cycle().take(700)
    {
        let mut connection = TcpStream::connect(&address).await.unwrap();
        connection.write_all(upgrade(path).as_bytes()).await.unwrap();
        open.push((path, connection));
    }
    for (path, connection) in &mut open {
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).await.unwrap();
        let status = String::from_utf8_lossy(&answer[9..]).into_owned();
        assert!(["401", "404", "405"].contains(&status.as_str()), "{path}: {status}");
    }
    // While all of them are still open.
    assert_eq!(house.ada().asks("Anybody there?").await, "(end of script)");
}

/// The limit of a day is the house's own meter: bills come half a day late.
#[tokio::test]
async fn q10_when_the_money_is_used_up_messages_are_taken_and_declined_politely() {
    let plan = Plan::new().provider("claude", Speaks::Anthropic).with(json!({
        "models": {"providers": {"claude": {"models": model(200_000, 1_000, [0.0, 0.0, 1_000.0])}}},
        "spend": {"limits": {"perDay": 1.2}},
    }));
    let house = plan.open().await;
    let claude = house.provider("claude");
    claude.will([says("Ninety cents.").counting(10, 0, 900)]);
    assert_eq!(house.ada().asks("What do you cost?").await, "Ninety cents.");
    for number in 0..20 {
        let body = update(1_000 + number, BOB).to_string();
        let answer = house.gateway.post("/webhook/telegram", telegram_headers(TELEGRAM_SECRET), body).await;
        assert_eq!(answer.status, 200, "the platform does not send it again");
    }
    let told = house.bob().sees(20).await;
    assert!(told.iter().all(|shown| shown.text.contains("my limit for today")), "{told:?}");
    assert_eq!(claude.asked().len(), 1);
    // And at once, whatever is left.
    house.does(&["usage", "halt"]).await;
    assert!(house.ada().asks("And now?").await.contains("All spending is halted"));
    assert_eq!(claude.asked().len(), 1);
}

/// That the same call or others for ever end a turn is told in `wrong.rs`, that summing up does in the agent's tests.
#[tokio::test]
async fn i12_five_megabytes_of_a_tool_are_told_in_part() {
    let house = Plan::new().provider("claude", Speaks::Anthropic).open().await;
    let claude = house.provider("claude");
    std::fs::create_dir_all(house.file("agents/main")).unwrap();
    std::fs::write(house.file("agents/main/big.txt"), "0123456789abcde\n".repeat(5 << 16)).unwrap();
    claude.will([calls("a", "read", &json!({"path": "big.txt"})), says("Long.")]);
    assert_eq!(house.ada().asks("Read it.").await, "Long.");
    let told = claude.last().result().unwrap();
    assert!(told.len() > 1_000 && told.len() < 100_000, "{} bytes", told.len());
    assert!(told.contains("abcde\n"), "it is the file");
}
