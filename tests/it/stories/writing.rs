//! What agents do beside answering: messages to other places, schedules of their own, a look at their house.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::house::{ADA, BOB, House, Plan};
use super::provider::{Line, Speaks, calls, says};

async fn house(config: Value) -> House {
    Plan::new().provider("claude", Speaks::Anthropic).with(config).open().await
}

fn message(id: &str, input: Value) -> Line {
    calls(id, "message", &input)
}

fn letter() -> Value {
    json!({"action": "send", "to": BOB.to_string(), "text": "The last 20 messages are: one, two."})
}

/// Whatever a page has told the model, whom it has never written to is the owner's to decide.
#[tokio::test]
async fn i03_somebody_new_is_written_to_when_the_owner_agreed_and_once() {
    let house = house(json!({})).await;
    let (ada, bob, claude) = (house.ada(), house.bob(), house.provider("claude"));
    claude.will([calls("0", "tool_search", &json!({"query": "message"})), message("1", letter()), says("I told Bob.")]);
    ada.writes("Do what the page says.").await;
    let asked = ada.sees(1).await.remove(0);
    for part in ["to: telegram 8 (default)", "| The last 20 messages are: one, two."] {
        assert!(asked.text.contains(part), "{asked:?}");
    }
    assert_eq!(asked.labels(), ["Allow once", "Deny"], "nothing of this kind is allowed for ever");
    assert_eq!(bob.shown().len(), 0);

    ada.presses("Allow once", &asked).await;
    let shown = ada.sees(3).await;
    assert_eq!(shown[2].text, "I told Bob.");
    assert_eq!(bob.sees(1).await[0].text, "The last 20 messages are: one, two.");
    let told = claude.last().result().unwrap();
    assert!(told.contains(&format!("\"messageIds\":[\"{}\"]", bob.shown()[0].number)), "{told}");

    ada.presses("Allow once", &asked).await;
    assert!(ada.sees(4).await[3].text.contains("each approval is for one run"));
    assert_eq!(bob.shown().len(), 1);

    claude.will([message("2", letter()), says("Then not.")]);
    ada.writes("Again.").await;
    let asked = ada.sees(5).await.remove(4);
    ada.presses("Deny", &asked).await;
    assert_eq!(ada.sees(7).await[6].text, "Then not.");
    assert_eq!(bob.shown().len(), 1);
}

#[tokio::test]
async fn i03_a_guest_has_nobody_written_to_but_himself() {
    let house = house(json!({"tools": {"message": {"allow": [{"channel": "telegram", "to": ADA}]}}})).await;
    let (ada, bob, claude) = (house.ada(), house.bob(), house.provider("claude"));
    let to_ada = json!({"action": "send", "to": ADA.to_string(), "text": "psst"});
    claude.will([
        message("1", to_ada.clone()),
        message("2", json!({"action": "send", "text": "First."})),
        says("Last."),
    ]);
    bob.writes("Write to Ada.").await;
    let shown = bob.sees(2).await;
    assert_eq!([&*shown[0].text, &*shown[1].text], ["First.", "Last."]);
    assert_eq!(ada.shown().len(), 0, "and she is not asked either");
    let refused = claude.was_asked(3).await[1].result().unwrap();
    assert!(refused.contains("not your owner"), "{refused}");

    // For the owner the place is listed.
    claude.will([message("3", to_ada), says("Done.")]);
    let before = ada.shown().len();
    ada.in_room().writes("Write to me directly.").await;
    let shown = house.ada().sees(before + 1).await;
    assert_eq!(shown[before].text, "psst");
}

#[tokio::test]
async fn what_was_sent_is_changed_and_taken_away() {
    let house = house(json!({})).await;
    let (ada, claude) = (house.ada(), house.provider("claude"));
    claude.will([message("1", json!({"action": "send", "text": "Draft."})), says("Sent.")]);
    ada.writes("Write a draft.").await;
    let draft = ada.sees(2).await.remove(0);
    let id = draft.number.to_string();
    claude.will([
        message("2", json!({"action": "edit", "messageId": id, "text": "**Final.**"})),
        message("3", json!({"action": "delete", "messageId": id})),
        says("Gone."),
    ]);
    ada.writes("Finish it, then take it away.").await;
    let shown = ada.sees(3).await;
    assert_eq!((&*shown[0].text, &*shown[2].text), ("<b>Final.</b>", "Gone."));
    assert!(claude.last().result().unwrap().contains("\"done\":true"));
}

#[tokio::test]
async fn q08_a_schedule_made_in_a_chat_fires_there_and_makes_no_other() {
    let house = house(json!({})).await;
    let (ada, claude) = (house.ada(), house.provider("claude"));
    let soon = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() + 4_000;
    let schedule = |name: &str, when: Value| json!({"action": "add", "name": name, "schedule": when, "text": "Remind me of the tea."});
    let too_often = schedule("often", json!({"kind": "every", "everyMs": 1000}));
    let once = schedule("tea", json!({"kind": "at", "atMs": soon as u64}));
    claude.will([calls("1", "cron", &too_often), calls("2", "cron", &once), says("I will.")]);
    ada.writes("Remind me of the tea.").await;
    assert_eq!(ada.sees(1).await[0].text, "I will.");
    let asked = claude.was_asked(3).await;
    assert!(asked[1].result().unwrap().contains("minute"), "{:?}", asked[1].result());

    let multiply = schedule("more", json!({"kind": "in", "minutes": 10}));
    claude.will([calls("3", "cron", &multiply), says("Your tea!")]);
    assert_eq!(ada.sees(2).await[1].text, "Your tea!");
    let asked = claude.was_asked(5).await;
    assert!(
        asked[3].told().contains("Your schedule \\\\\\\"tea\\\\\\\" fires")
            || asked[3].told().contains("fires. Nobody")
    );
    assert!(asked[4].result().unwrap().contains("makes and runs no schedules"), "{:?}", asked[4].result());

    claude.will([calls("4", "cron", &json!({"action": "list"})), says("Only the tea.")]);
    ada.writes("What is planned?").await;
    assert_eq!(ada.sees(3).await[2].text, "Only the tea.");
    let listed = claude.last().result().unwrap();
    assert!(listed.contains("\"tea\"") && !listed.contains("more") && !listed.contains("often"), "{listed}");
}

#[tokio::test]
async fn the_owner_is_told_how_the_house_is_and_nobody_else() {
    let house = house(json!({})).await;
    let (ada, bob, claude) = (house.ada(), house.bob(), house.provider("claude"));
    let status = || calls("1", "gateway", &json!({"action": "status"}));
    claude.will([status(), says("All is well.")]);
    assert_eq!(ada.asks("How are you?").await, "All is well.");
    let told = claude.last().result().unwrap();
    assert!(told.contains("\"version\":") && told.contains("\"telegram\"") && told.contains("claude/m"), "{told}");
    claude.will([status(), says("I am fine.")]);
    bob.writes("How are you?").await;
    assert_eq!(bob.sees(1).await[0].text, "I am fine.");
    assert!(!claude.last().result().unwrap().contains("\"version\":"));
    let secret = json!({"action": "config.get", "path": "channels.telegram.botToken"});
    claude.will([calls("2", "gateway", &secret), says("I do not see it.")]);
    assert_eq!(ada.asks("What is your token?").await, "I do not see it.");
    assert!(!claude.last().told().contains("public-test-token"));
}
